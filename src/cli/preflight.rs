//! preflight: `parity preflight`: every audit that applies, before a training; needs no engine.

use super::watch::Bar;
use super::{applies, args, say};
use crate::audit::port::Port;
use crate::audit::preflight::{self, Preflight};
use crate::error::{Error, Place, Result};
use crate::exit::Exit;
use crate::report;
use crate::scenario::sides::Kind;
use std::path::Path;

pub fn command(args: &args::Preflight) -> Result<Exit> {
    let earlier = args.against.as_deref().map(read).transpose()?;
    let flown = flown(args)?;
    say(&match (args.json, &earlier) {
        (true, _) => report::to_json(&flown)?,
        (false, None) => report::preflight(&flown),
        (false, Some(earlier)) => report::preflight(&flown) + &report::changes(earlier, &flown),
    })?;
    Ok(flown.exit())
}

fn flown(args: &args::Preflight) -> Result<Preflight> {
    if !args.target.is_dir() && Kind::of(&args.target).is_ok_and(|k| k == Kind::Port) {
        return preflight::of_port(alone(args), &mut Bar::counting("steps"));
    }
    let [python, limit] = args.live.stated();
    let options = [
        python,
        limit,
        ("--reference", args.reference.is_some()),
        ("--inference", args.inference),
    ];
    let belongs =
        "it belongs to a live port (net.py); a file of audits states it in its table [port]";
    applies::not_to("a folder or a file of audits", &options, belongs)?;
    let mut bar = Bar::counting("files");
    match args.target.is_dir() {
        true => preflight::of_folder(&args.target, &mut bar),
        false => preflight::of_file(&args.target, &mut bar),
    }
}

/// What a port is asked where nothing but the port is named.
fn alone(args: &args::Preflight) -> Port {
    Port {
        port: args.target.clone(),
        reference: args.reference.clone(),
        python: args.live.python.clone(),
        port_limit: args.live.port_limit,
        inference: args.inference,
        ..Port::default()
    }
}

/// What `parity preflight --json` printed earlier.
fn read(path: &Path) -> Result<Preflight> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::usage(e.to_string()));
    let read = text.and_then(|t| {
        serde_json::from_str(&t).map_err(|e| Error::usage(format!("no preflight as JSON: {e}")))
    });
    read.at(format!("--against {}", path.display()))
}
