//! reports: which view of a Run is printed, and which are written into files beside it.

use super::{look, say, tell};
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
    check_by(files, |name| report::find(name).map(drop))
}

/// The same of views that are looked up by `find`.
///
/// # Errors
/// An unknown name.
pub fn check_by(files: &[Into], find: impl Fn(&str) -> Result<()>) -> Result<()> {
    let known = |into: &Into| find(&into.name);
    files.iter().try_for_each(known).at("--report")
}

/// Writes each of `files`: `view` makes its text of the name.
///
/// # Errors
/// A file that cannot be written.
pub fn write(files: &[Into], view: impl Fn(&str) -> Result<String>) -> Result<()> {
    let one = |into: &Into| replace(&into.file, view(&into.name).at("--report")?.as_bytes());
    files.iter().try_for_each(one)
}

/// Writes `files`, and prints the view `shown`.
///
/// # Errors
/// A file that cannot be written.
pub fn show(run: &Run, shown: &str, files: &[Into]) -> Result<()> {
    let view = |format: &Format| (format.write)(run);
    write(files, |name| view(report::find(name)?))?;
    if shown == "json" {
        return say(&view(report::find(shown)?)?);
    }
    if look::now().quiet {
        return tell(&(report::verdict(run) + "\n"));
    }
    tell(&view(report::find(shown)?)?)?;
    match look::now().verbose {
        true => tell(&report::phases(run)),
        false => Ok(()),
    }
}
