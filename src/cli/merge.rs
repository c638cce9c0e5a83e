//! merge: `parity merge`: the parts of one suite, run on several machines, as the whole.

use super::args::Merge;
use super::{reports, test};
use crate::error::{Error, Place, Result};
use crate::exit::Exit;
use crate::suite::{Suite, merge};
use std::path::Path;

pub fn command(args: &Merge) -> Result<Exit> {
    reports::check_by(&args.report, test::known)?;
    let parts = args
        .parts
        .iter()
        .map(|path| read(path))
        .collect::<Result<Vec<_>>>()?;
    let whole = merge::merge(&parts)?;
    test::show(&whole, args.json, &args.report)?;
    Ok(whole.exit())
}

/// What `parity test --json` printed.
fn read(path: &Path) -> Result<Suite> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::usage(e.to_string()));
    text.and_then(|text| test::read(&text)).at(path.display())
}
