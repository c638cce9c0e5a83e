//! cli: words into library calls; the only place that prints or exits.

#![allow(clippy::print_stderr, clippy::print_stdout)]

mod abort;
mod applies;
mod args;
mod audit;
mod bless;
mod bundle;
mod compare;
mod conformance;
mod doctor;
mod engine;
mod export_check;
mod extract;
mod fetch;
mod fuzz;
mod interrupt;
mod list;
mod map;
mod params;
mod port;
mod preflight;
mod reports;
mod run;
mod selftest;
mod time;
mod watch;

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::subject::{Engines, Torch};
use args::{Args, Command};
use clap::Parser;
use clap::error::ErrorKind;
use std::process::ExitCode;

/// Runs the command line; `torch` is libtorch where the executable links it.
pub fn main(torch: Option<&dyn Torch>) -> ExitCode {
    abort::listen();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(e) if e.kind() == ErrorKind::InvalidUtf8 => return fail(&not_text()),
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Agree.into()
            };
        }
    };
    match dispatch(args, Engines { torch }) {
        Ok(exit) => exit.into(),
        Err(e) => fail(&e),
    }
}

fn dispatch(args: Args, engines: Engines) -> Result<Exit> {
    match args.command {
        Command::Run(run) => run::command(&run, engines),
        Command::Compare(compare) => compare::command(&compare),
        Command::Audit(audit) => audit::command(&audit),
        Command::Preflight(preflight) => preflight::command(&preflight),
        Command::Bundle(bundle) => bundle::command(&bundle),
        Command::Bless(bless) => bless::command(&bless),
        Command::Params(params) => params::command(&params),
        Command::Map(map) => map::command(&map, engines),
        Command::Port(port) => port::command(&port),
        Command::ExportCheck(check) => export_check::command(&check, engines),
        Command::List(list) => list::command(&list),
        Command::Doctor => doctor::command(),
        Command::Fuzz(fuzz) => fuzz::command(&fuzz, engines),
        Command::Conformance(conformance) => conformance::command(&conformance, engines),
        Command::Time(time) => time::command(&time, engines),
        Command::Selftest(selftest) => selftest::command(&selftest, engines),
    }
}

/// The words of the command line that are not UTF-8, where text is meant.
fn not_text() -> Error {
    let odd = std::env::args_os()
        .find(|a| a.to_str().is_none())
        .unwrap_or_default();
    Error::usage(format!(
        "\"{}\" is not UTF-8, and text is meant",
        odd.as_encoded_bytes().escape_ascii()
    ))
    .next("rename the file, or link to it by another name")
}

fn fail(e: &Error) -> ExitCode {
    eprintln!("parity: {e}");
    e.exit.into()
}

/// Prints a report to stdout; a closed pipe (`| head`) is the reader's choice, not an error.
fn say(text: &str) -> Result<()> {
    use std::io::{ErrorKind, Write};
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Error::failed(format!("stdout: {e}"))),
        _ => Ok(()),
    }
}
