//! init: `parity init`: the scenario of a model, or of two sides, written and run.

use super::{args, run};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::subject::Engines;
use std::path::{Path, PathBuf};

pub fn command(args: &args::Init, engines: Engines) -> Result<Exit> {
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| called(&args.target, args.candidate.as_deref()));
    if out.exists() {
        return Err(Error::usage(format!("{} is there already", out.display()))
            .next("name another by --out FILE, or run this one: parity run FILE"));
    }
    let as_run = args::Run {
        target: args.target.clone(),
        candidate: args.candidate.clone(),
        input: args.input.clone(),
        live: args.live.clone(),
        json: args.json,
        save: Some(out),
        ..args::Run::default()
    };
    run::command(&as_run, engines)
}

/// A.toml or A-B.toml, here.
fn called(target: &Path, candidate: Option<&Path>) -> PathBuf {
    let stem = |p: &Path| {
        p.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let both = candidate.map_or(String::new(), |c| format!("-{}", stem(c)));
    PathBuf::from(format!("{}{both}.toml", stem(target)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_called_like_its_sides() {
        assert_eq!(called(Path::new("a/net.onnx"), None), Path::new("net.toml"));
        assert_eq!(
            called(Path::new("a/net.py"), Some(Path::new("b/x.onnx"))),
            Path::new("net-x.toml")
        );
    }
}
