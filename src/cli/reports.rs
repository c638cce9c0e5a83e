//! reports: which view of a Run is printed, and which are written into files beside it.

use super::{look, say, tell};
use crate::error::{Place, Result};
use crate::report::{self, Format};
use crate::run::Run;
use crate::trace::write::replace;
use std::path::{Path, PathBuf};

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

/// All that is to be written: `--html FILE` is one of the reports.
pub fn asked(reports: &[Into], html: Option<&Path>) -> Vec<Into> {
    let page = html.map(|file| Into {
        name: report::HTML.name.into(),
        file: file.into(),
    });
    reports.iter().cloned().chain(page).collect()
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

/// Writes each of `files`: `view` makes its text of the name. What goes to `-` is given back.
///
/// # Errors
/// A file that cannot be written.
pub fn write(files: &[Into], view: impl Fn(&str) -> Result<String>) -> Result<String> {
    let mut printed = String::new();
    for into in files {
        let text = view(&into.name).at("--report")?;
        match into.file == Path::new("-") {
            true => printed += &text,
            false => replace(&into.file, text.as_bytes())?,
        }
    }
    Ok(printed)
}

/// Writes `files`, and prints the view `shown`, then those that are to be printed.
///
/// # Errors
/// A file that cannot be written.
pub fn show(run: &Run, shown: &str, files: &[Into]) -> Result<()> {
    let view = |format: &Format| (format.write)(run);
    let behind = write(files, |name| view(report::find(name)?))?;
    if shown == "json" {
        return say(&(view(report::find(shown)?)? + &behind));
    }
    if look::now().quiet {
        tell(&(report::verdict(run) + "\n"))?;
        return say(&behind);
    }
    tell(&view(report::find(shown)?)?)?;
    if look::now().verbose {
        tell(&report::phases(run))?;
    }
    say(&behind)
}
