//! params: `parity params`: two lists of parameters, and why their counts differ, element by element; needs no engine.

use super::{args, say};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::golden::store;
use crate::graph::{self, load};
use crate::params::{Param, Rename, decompose};
use crate::report;
use crate::trace::file;
use std::path::Path;

pub fn command(args: &args::Params) -> Result<Exit> {
    let renames = args.rename.iter().map(|r| Rename::parse(r)).collect::<Result<Vec<_>>>()?;
    let (reference, candidate) = (list(&args.reference)?, list(&args.candidate)?);
    if reference.is_empty() && candidate.is_empty() {
        return Err(Error::uncovered("neither side has a parameter: nothing was compared"));
    }
    let difference = decompose::difference(&reference, &candidate, &renames)?;
    let names = (args.reference.display().to_string(), args.candidate.display().to_string());
    say(&if args.json { report::to_json(&difference)? } else { report::params(&difference, (&names.0, &names.1), args.all) })?;
    Ok(if difference.equal() { Exit::Agree } else { Exit::Diverge })
}

/// The parameters that `path` lists, whatever kind of file it is.
fn list(path: &Path) -> Result<Vec<Param>> {
    if path.is_dir() {
        return store::open(path)?.parameters.ok_or_else(|| unlisted("golden", path));
    }
    if path.extension().is_some_and(|e| e == "onnx") {
        return Ok(graph::params::list(&load::file(path)?));
    }
    file::open(path)?.parameters.ok_or_else(|| unlisted("trace", path))
}

fn unlisted(what: &str, path: &Path) -> Error {
    Error::usage(format!("{what} {}: lists no parameters", path.display()))
        .next("write them as a JSON list under the key 'parameters' of the trace's metadata (docs/GOLDEN.md)")
}
