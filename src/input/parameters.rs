//! parameters: where a list of parameters comes from: a model, a trace that lists them, a golden, a JSON list.

use crate::error::{Error, Place, Result};
use crate::golden::store;
use crate::graph::param::{Param, check};
use crate::graph::{self, load};
use crate::trace::file;
use std::path::Path;

/// The parameters that `path` lists, whatever kind of file it is.
///
/// # Errors
/// A file that cannot be read, or one that lists no parameters.
pub fn list(path: &Path) -> Result<Vec<Param>> {
    if path.is_dir() {
        return store::open(path)?
            .parameters
            .ok_or_else(|| unlisted("golden", path));
    }
    match path.extension().and_then(|e| e.to_str()) {
        Some("onnx") => Ok(graph::params::list(&load::file(path)?)),
        Some("json") => json(path).at(format!("parameters {}", path.display())),
        _ => file::open(path)?
            .parameters
            .ok_or_else(|| unlisted("trace", path)),
    }
}

fn json(path: &Path) -> Result<Vec<Param>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::usage(e.to_string()))?;
    let list: Vec<Param> = serde_json::from_str(&text).map_err(|e| Error::usage(e.to_string()))?;
    check(&list)?;
    Ok(list)
}

fn unlisted(what: &str, path: &Path) -> Error {
    Error::usage(format!("{what} {}: lists no parameters", path.display()))
        .next("write them as a JSON list under the key 'parameters' of the trace's metadata (docs/GOLDEN.md)")
}
