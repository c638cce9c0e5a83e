//! live: a side that is a live port: what it holds, and what it holds once it was given a checkpoint.

use super::Weights;
use crate::error::Result;
use crate::input::parameters;
use crate::params::{Rename, Source};
use crate::port::{Launch, Port};
use crate::scenario::ANSWER;
use crate::scenario::sides::Kind;
use crate::transfer;
use crate::verdict::Finding;
use std::path::Path;
use std::time::Duration;

/// The parameters of a file, or of a live port as it was built.
///
/// # Errors
/// A file that cannot be read, a port that fails.
pub fn source(asked: &Weights, path: &Path) -> Result<Source> {
    match is_live(path) {
        false => parameters::source(path),
        true => {
            let mut port = started(asked, path)?;
            let source = transfer::held(&mut port)?;
            port.shutdown().map(|()| source)
        }
    }
}

/// The model; a live one is given the checkpoint first, and what is said of that goes before all else.
///
/// # Errors
/// As [`source`].
pub fn loaded(
    asked: &Weights,
    checkpoint: &Source,
    renames: &[Rename],
) -> Result<(Source, Vec<Finding>)> {
    if !is_live(&asked.model) {
        return Ok((parameters::source(&asked.model)?, vec![]));
    }
    let mut port = started(asked, &asked.model)?;
    let done = transfer::into_port(checkpoint, &mut port, renames)?;
    let model = transfer::held(&mut port)?;
    port.shutdown().map(|()| (model, done.findings()))
}

fn is_live(path: &Path) -> bool {
    Kind::of(path).is_ok_and(|k| k == Kind::Port)
}

fn started(asked: &Weights, path: &Path) -> Result<Port> {
    let launch = Launch::file(path, &asked.python)?;
    Port::start(
        &launch,
        Duration::from_secs(asked.port_limit.unwrap_or(ANSWER)),
    )
}
