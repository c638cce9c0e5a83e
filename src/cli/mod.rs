//! cli: words into library calls; the only place that prints or exits.

#![allow(clippy::print_stderr, clippy::print_stdout)]

mod abort;
mod applies;
mod args;
mod audit;
mod bless;
mod bundle;
mod compare;
mod completions;
mod conformance;
mod demo;
mod doctor;
mod engine;
mod export_check;
mod extract;
mod fuzz;
mod help;
mod init;
mod interrupt;
mod list;
mod look;
mod manual;
mod map;
mod merge;
mod params;
mod port;
mod preflight;
mod progress;
mod reports;
mod rows;
mod run;
mod selftest;
mod show;
mod test;
mod time;
mod watch;

use crate::error::{Code, Error, Result, printable};
use crate::exit::Exit;
use crate::subject::{Engines, Torch};
use args::{Args, Command};
use clap::FromArgMatches;
use clap::error::ErrorKind;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs the command line; `torch` is libtorch where the executable links it.
pub fn main(torch: Option<&dyn Torch>) -> ExitCode {
    abort::listen();
    let read = help::command().try_get_matches();
    let args = match read.and_then(|m| Args::from_arg_matches(&m)) {
        Ok(args) => args,
        Err(e) if e.kind() == ErrorKind::InvalidUtf8 => return fail(&not_text()),
        Err(e) => {
            let _ = e.print();
            if !e.use_stderr() {
                return Exit::Agree.into();
            }
            as_json(&misspelt(&e));
            return Exit::Usage.into();
        }
    };
    look::set(&args.look);
    match dispatch(args, Engines { torch }) {
        Ok(exit) => exit.into(),
        Err(e) => fail(&e),
    }
}

fn dispatch(args: Args, engines: Engines) -> Result<Exit> {
    match args.command {
        Command::Demo(demo) => demo::command(&demo, engines),
        Command::Init(init) => init::command(&init, engines),
        Command::Run(run) => run::command(&run, engines),
        Command::Test(test) => test::command(&test),
        Command::Merge(merge) => merge::command(&merge),
        Command::Show(show) => show::command(&show),
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
        Command::Doctor(doctor) => doctor::command(&doctor),
        Command::Fuzz(fuzz) => fuzz::command(&fuzz, engines),
        Command::Conformance(conformance) => conformance::command(&conformance, engines),
        Command::Time(time) => time::command(&time, engines),
        Command::Selftest(selftest) => selftest::command(&selftest, engines),
        Command::Completions(completions) => completions::command(&completions),
        Command::Manual(manual) => manual::command(&manual),
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
    .kind(Code::CommandLine)
}

/// One message on stderr, with its stable code; where JSON was asked for the same as JSON on stdout.
fn fail(e: &Error) -> ExitCode {
    let code = e.code().name();
    let next = e.next.as_deref().map(printable);
    let next = next.map_or(String::new(), |next| format!("\n  next: {next}"));
    eprintln!("parity: {} [{code}]{next}", printable(&e.message));
    as_json(e);
    e.exit.into()
}

/// The error on stdout, where JSON was asked for.
fn as_json(e: &Error) {
    let is_asked = std::env::args_os().any(|word| word == "--json");
    // What was printed before is the one value.
    if !is_asked || SAID.load(Ordering::Relaxed) {
        return;
    }
    let error = serde_json::json!({ "error": {
        "code": e.code().name(), "exit": e.exit as u8,
        "message": printable(&e.message), "next": e.next.as_deref().map(printable),
    } });
    let _ = crate::report::to_json(&error).and_then(|text| say(&text));
}

/// What clap says, in one line.
fn misspelt(e: &clap::Error) -> Error {
    let text = e.to_string();
    let words: Vec<&str> = text
        .split("\n\n")
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let message = words.join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    Error::usage(message)
        .next("parity COMMAND --help lists what it takes")
        .kind(Code::CommandLine)
}

/// Prints JSON as it is, prose as it is read here.
fn answer(json: bool, text: &str) -> Result<()> {
    match json {
        true => say(text),
        false => tell(text),
    }
}

/// Prints prose as it is read here.
fn tell(text: &str) -> Result<()> {
    say(&look::now().dress(text))
}

/// Whether something stands on stdout.
static SAID: AtomicBool = AtomicBool::new(false);

/// Prints a report to stdout; a closed pipe (`| head`) is the reader's choice, not an error.
fn say(text: &str) -> Result<()> {
    use std::io::{ErrorKind, Write};
    SAID.store(true, Ordering::Relaxed);
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Error::failed(format!("stdout: {e}"))),
        _ => Ok(()),
    }
}
