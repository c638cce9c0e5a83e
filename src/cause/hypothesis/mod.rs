//! hypothesis: why a step gives something else: every fault that could be injected is applied to the reference's step on the same inputs, and is
//! the cause where nothing is left of the difference.
//!
//! Pure but for the f64 judge that is passed in. A number that a hypothesis has is fitted on one half of the elements and tried on the other, one for
//! every [`PER_NUMBER`] elements at most. Hypotheses that all explain what was observed cannot be told apart on these inputs: they are one answer.

// A dtype or an attribute that a hypothesis does not know says nothing for it.
#![allow(clippy::wildcard_enum_match_arm)]

mod evaluate;
pub mod outputs;
mod pairs;
pub mod residual;
mod solve;
mod trial;
mod words;

use super::fault::{self, Fault};
use crate::error::Result;
use crate::graph::Graph;
use crate::subject::Judge;
use crate::tensor::Tensor;
use crate::verdict::{Confirmed, Explained, Near};
use evaluate::Bench;
use residual::{Half, Residual};
use std::collections::HashMap;
use std::sync::Arc;
use trial::Trial;

/// Elements that there must be for each number that is fitted.
pub const PER_NUMBER: usize = 64;

/// Hypotheses that are shown where none explains.
const NEAREST: usize = 3;

/// Opens the f64 judge of a graph.
pub type Opens<'a> = &'a dyn Fn(Arc<Graph>) -> Result<Box<dyn Judge>>;

/// A stretch of a graph, what it was fed, and what the other side gave at its end.
pub struct Evidence<'a> {
    pub graph: &'a Graph,
    /// Ascending: one node, or those between two pairs of tensors.
    pub steps: &'a [usize],
    pub feed: &'a HashMap<String, Tensor>,
    /// Outputs of the last step by name.
    pub observed: &'a [(String, Tensor)],
    /// How far each element may be off; None where that follows from the rounding of the node.
    pub allowed: Option<&'a [Vec<f64>]>,
}

/// The rows that are tried: all but those of `without`, which leaves causes out to see that no other takes their place.
pub fn rows<'a>(without: &'a [String]) -> impl Iterator<Item = &'static Fault> + use<'a> {
    fault::all().filter(|f| !without.iter().any(|w| w == f.name))
}

/// Why the stretch gives what was observed; None where nothing is to be explained, or f64 does not run it.
///
/// # Errors
/// Memory that runs out.
pub fn explain(evidence: &Evidence, without: &[String], open: Opens) -> Result<Option<Explained>> {
    let bench = Bench::of(evidence, open);
    let Some(clean) = bench.given(&bench.near, true)? else {
        return Ok(None);
    };
    let before = bench.residual(&clean, Half::All);
    if before.explained() || bench.elements() == 0 {
        return Ok(None);
    }
    let mut trials = vec![];
    for row in rows(without) {
        trials.extend(trial::all(&bench, &bench.near, &clean, row)?);
    }
    let tried = trials.len();
    let mut found = confirmed(&trials);
    if found.is_empty() {
        found = confirmed(&pairs::all(&bench, &trials, without)?);
    }
    let nearest = if found.is_empty() {
        nearest(&trials)
    } else {
        vec![]
    };
    Ok(Some(Explained {
        before: before.ratio,
        off: before.over as u64,
        of: before.of as u64,
        confirmed: found,
        tried: tried as u64,
        nearest,
    }))
}

/// Those that explain, the fewest fitted numbers first, each name once.
fn confirmed(trials: &[Trial]) -> Vec<Confirmed> {
    let mut all: Vec<&Trial> = trials.iter().filter(|t| t.confirmed).collect();
    all.sort_by_key(|t| t.numbers);
    let mut found: Vec<Confirmed> = vec![];
    for t in all {
        if found.iter().all(|c| c.cause != t.name) {
            found.push(t.told());
        }
    }
    found
}

/// The best of those that do not explain, each name once.
fn nearest(trials: &[Trial]) -> Vec<Near> {
    let mut all: Vec<&Trial> = trials.iter().collect();
    let order = |r: &Residual| (r.over, r.ratio);
    all.sort_by(|a, b| {
        let (a, b) = (order(&a.after), order(&b.after));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let mut found: Vec<Near> = vec![];
    for t in all {
        if found.len() < NEAREST && found.iter().all(|n| n.cause != t.name) {
            found.push(Near {
                cause: t.name.clone(),
                after: t.after.ratio,
                off: t.after.over as u64,
            });
        }
    }
    found
}
