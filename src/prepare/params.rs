//! params: stage 1: which parameters both sides have, and which of them train.

use crate::error::{Error, Result};
use crate::golden::Golden;
use crate::graph::{self, Graph};
use crate::input::parameters;
use crate::params::{Difference, Rename, decompose};
use crate::scenario::Scenario;

/// The two lists that the scenario names: the golden's and the model's where it names none.
///
/// # Errors
/// A list that cannot be read; a golden that lists no parameters where it is to be one side.
pub fn run(scenario: &Scenario, graph: &Graph, golden: Option<&Golden>) -> Result<Difference> {
    let stated = scenario.parameters.clone().unwrap_or_default();
    let renames = stated
        .rename
        .iter()
        .map(|r| Rename::parse(r))
        .collect::<Result<Vec<_>>>()?;
    let reference = match (&stated.reference, golden) {
        (Some(path), _) => parameters::list(path)?,
        (None, Some(golden)) => golden.parameters.clone().ok_or_else(|| {
            Error::usage("the golden lists no parameters")
                .next("state parameters.reference, or stages without \"params\"")
        })?,
        (None, None) => graph::params::list(graph),
    };
    let candidate = stated.candidate.as_ref().map_or_else(
        || Ok(graph::params::list(graph)),
        |path| parameters::list(path),
    )?;
    decompose::difference(&reference, &candidate, &renames)
}
