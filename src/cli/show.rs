//! show: `parity show`: any view of a run or a suite that was saved as JSON; needs no library.

use super::{args, reports, test};
use crate::error::{Error, Place, Result};
use crate::exit::Exit;
use crate::file;
use crate::run::Run;
use std::path::Path;

pub fn command(args: &args::Show) -> Result<Exit> {
    let text = read(&args.file).at(args.file.display())?;
    let saved: serde_json::Value = serde_json::from_str(&text)
        .map_err(|e| Error::usage(format!("it is no JSON: {e}")).next(SAVED))
        .at(args.file.display())?;
    match saved.get("cases").is_some() {
        true => suite(args, &text),
        false => run(args, saved),
    }
    .map(|()| Exit::Agree)
}

const SAVED: &str =
    "parity run --json, parity test --json and --report json=FILE write what is shown here";

fn read(path: &Path) -> Result<String> {
    let bytes = file::read(path)?;
    String::from_utf8(bytes).map_err(|_| Error::usage("it is no text").next(SAVED))
}

fn run(args: &args::Show, saved: serde_json::Value) -> Result<()> {
    reports::check(&args.report)?;
    let run: Run = serde_json::from_value(saved)
        .map_err(|e| Error::usage(format!("it is no saved Run: {e}")).next(SAVED))
        .at(args.file.display())?;
    if run.format > crate::run::FORMAT {
        let newer = format!(
            "a Run of format {}, and {} is the newest known",
            run.format,
            crate::run::FORMAT
        );
        return Err(Error::usage(newer).next("show it by the parity that wrote it"))
            .at(args.file.display());
    }
    reports::show(&run, reports::chosen(args.json, args.all), &args.report)
}

fn suite(args: &args::Show, text: &str) -> Result<()> {
    reports::check_by(&args.report, test::known)?;
    let suite = test::read(text).at(args.file.display())?;
    test::show(&suite, args.json, &args.report)
}
