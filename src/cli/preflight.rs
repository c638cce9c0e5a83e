//! preflight: `parity preflight`: every audit that applies, before a training; needs no engine.

use super::watch::Bar;
use super::{answer, args};
use crate::audit::preflight::{self, Preflight};
use crate::error::{Error, Place, Result};
use crate::exit::Exit;
use crate::report;
use std::path::Path;

pub fn command(args: &args::Preflight) -> Result<Exit> {
    let earlier = args.against.as_deref().map(read).transpose()?;
    let mut bar = Bar::counting("files");
    let flown = match args.target.is_dir() {
        true => preflight::of_folder(&args.target, &mut bar),
        false => preflight::of_file(&args.target, &mut bar),
    }?;
    answer(
        args.json,
        &match (args.json, &earlier) {
            (true, _) => report::to_json(&flown)?,
            (false, None) => report::preflight(&flown),
            (false, Some(earlier)) => report::preflight(&flown) + &report::changes(earlier, &flown),
        },
    )?;
    Ok(flown.exit())
}

/// What `parity preflight --json` printed earlier.
fn read(path: &Path) -> Result<Preflight> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::usage(e.to_string()));
    let read = text.and_then(|t| {
        serde_json::from_str(&t).map_err(|e| Error::usage(format!("no preflight as JSON: {e}")))
    });
    read.at(format!("--against {}", path.display()))
}
