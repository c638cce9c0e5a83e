//! audit: `parity audit`: what the files of a training tell; needs no engine.

use super::watch::Bar;
use super::{args, say};
use crate::error::Result;
use crate::exit::Exit;
use crate::report;

pub fn command(args: &args::Audit) -> Result<Exit> {
    let audited = args.audit.run(&mut Bar::counting("images"))?;
    say(&match args.json {
        true => report::to_json(&audited)?,
        false => report::audit(&audited),
    })?;
    Ok(audited.exit())
}
