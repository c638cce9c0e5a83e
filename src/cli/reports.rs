//! reports: which view of a Run is printed, and which are written into files beside it.

use super::say;
use crate::error::{Place, Result};
use crate::report::{self, Format};
use crate::run::Run;
use crate::trace::write::replace;
use std::path::PathBuf;

/// `--report NAME=FILE`.
#[derive(Clone, Debug)]
pub struct Into {
    name: String,
    file: PathBuf,
}

/// Reads `NAME=FILE`.
pub fn parse(text: &str) -> std::result::Result<Into, String> {
    let (name, file) = text.split_once('=').ok_or("expected NAME=FILE")?;
    let (name, file) = (name.to_string(), PathBuf::from(file));
    Ok(Into { name, file })
}

/// The view that is printed.
pub fn chosen(json: bool, all: bool) -> &'static str {
    match (json, all) {
        (true, _) => "json",
        (false, true) => "tensors",
        (false, false) => "terminal",
    }
}

/// Every report that is asked for is there: said before anything runs.
///
/// # Errors
/// An unknown name.
pub fn check(files: &[Into]) -> Result<()> {
    let known = |into: &Into| report::find(&into.name).map(drop);
    files.iter().try_for_each(known).at("--report")
}

/// Writes `files`, and prints the view `shown`.
///
/// # Errors
/// A file that cannot be written.
pub fn show(run: &Run, shown: &str, files: &[Into]) -> Result<()> {
    let write = |format: &Format| (format.write)(run);
    for into in files {
        let text = write(report::find(&into.name).at("--report")?)?;
        replace(&into.file, text.as_bytes())?;
    }
    say(&write(report::find(shown)?)?)
}
