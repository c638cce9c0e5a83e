//! preflight: `parity preflight`: every audit that applies, before a training; needs no engine.

use super::watch::Bar;
use super::{answer, applies, args};
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

fn flown(args: &args::Preflight) -> Result<Preflight> {
    if is_port(&args.target) {
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
    applies::not_to("a folder, a config or a file of audits", &options, belongs)?;
    let mut bar = Bar::counting("files");
    match &args.target {
        folder if folder.is_dir() => preflight::of_folder(folder, &mut bar),
        config if preflight::is_config(config) => preflight::of_config(config, &mut bar),
        file => preflight::of_file(file, &mut bar),
    }
}

/// A program, or a Python file that builds a network: a config of a training has no function `build`.
fn is_port(target: &Path) -> bool {
    if target.is_dir() || !Kind::of(target).is_ok_and(|kind| kind == Kind::Port) {
        return false;
    }
    let text = std::fs::read_to_string(target).unwrap_or_default();
    !preflight::is_config(target) || text.lines().any(|line| line.starts_with("def build("))
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
