//! audit: `parity audit`: what the files of a training tell; needs no engine.

use super::watch::Bar;
use super::{answer, args, reports, say};
use crate::error::Result;
use crate::exit::Exit;
use crate::report;

pub fn command(args: &args::Audit) -> Result<Exit> {
    let files = reports::asked(&args.report, args.html.as_deref());
    reports::check_by(&files, |name| report::audit_view(name).map(drop))?;
    let audited = args
        .audit
        .clone()
        .asked()
        .run(&mut Bar::counting("files"))?;
    let behind = reports::write(&files, |name| report::audit_view(name)?(&audited))?;
    if let Some(printed) = &audited.printed {
        say(&(printed.clone() + &behind))?;
        if !audited.findings.is_empty() {
            eprint!("{}", report::audit(&audited));
            return Ok(audited.exit());
        }
        return Ok(Exit::Agree);
    }
    answer(
        args.json,
        &match args.json {
            true => report::to_json(&audited)?,
            false => report::audit(&audited),
        },
    )?;
    say(&behind)?;
    Ok(audited.exit())
}
