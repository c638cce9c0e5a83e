//! audit: `parity audit`: what the files of a training tell; needs no engine.

use super::watch::Bar;
use super::{answer, args, reports, say};
use crate::error::Result;
use crate::exit::Exit;
use crate::report;

pub fn command(args: &args::Audit) -> Result<Exit> {
    reports::check_by(&args.report, |name| report::audit_view(name).map(drop))?;
    let audited = args
        .audit
        .clone()
        .asked()
        .run(&mut Bar::counting("files"))?;
    reports::write(&args.report, |name| report::audit_view(name)?(&audited))?;
    if let Some(printed) = &audited.printed {
        say(printed)?;
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
    Ok(audited.exit())
}
