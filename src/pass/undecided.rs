//! undecided: a tensor that is over its floor behind a decision that a side did not record: rounding may have flipped it there, and nobody can tell.

use super::bench::Bench;
use super::layers::Layers;
use super::{Plan, Watch, freed};
use crate::error::Result;
use crate::judge::{Limit, against};
use crate::verdict::{Accumulated, TensorResult, ToleranceBy, Why};
use std::collections::{HashMap, HashSet};

/// Takes back what is over and what flips of unrecorded decisions explain: it is not judged, and which decision to record is said.
pub fn settle(bench: &mut Bench, plan: &Plan, layers: &mut Layers, seed: u64, watch: &mut dyn Watch) -> Result<()> {
    let over =
        |r: &&TensorResult| r.accumulated.over() && matches!(r.accumulated, Accumulated::Compared { by: ToleranceBy::Noise { .. }, .. });
    let wanted: HashMap<String, usize> = layers.results.iter().filter(over).map(|r| (r.name.clone(), r.shape.iter().product())).collect();
    let unseen = unseen(layers, plan);
    if bench.both_live() || wanted.is_empty() || unseen.is_empty() {
        return Ok(());
    }
    let floors = freed::floors(bench, layers, (&unseen.keys().copied().collect(), &wanted), seed, watch)?;
    let graph = bench.graph;
    for result in &mut layers.results {
        let (Accumulated::Compared { comparison, .. }, Some(floor)) = (&result.accumulated, floors.get(&result.name)) else { continue };
        let in_front: HashSet<usize> = graph.ancestors(std::slice::from_ref(&result.name)).unwrap_or_default().into_iter().collect();
        let first = unseen.iter().filter(|(step, _)| in_front.contains(step)).min();
        match first.filter(|_| !against(comparison, Limit::Spread(floor)).over()) {
            Some((step, tensor)) => result.accumulated = Accumulated::NotJudged { why: undecided(&graph.steps[*step].name, tensor) },
            None => continue,
        }
    }
    Ok(())
}

/// Steps that give integers or truth values which a side has not recorded, with the first of these.
fn unseen(layers: &Layers, plan: &Plan) -> HashMap<usize, String> {
    let missing = |r: &&TensorResult| matches!(r.accumulated, Accumulated::NotJudged { why: Why::Missing(_) });
    let discrete = |r: &&TensorResult| r.dtype.is_some_and(|d| !d.is_float()) && !plan.constants.contains(&r.step);
    layers.results.iter().filter(missing).filter(discrete).map(|r| (r.step, r.name.clone())).collect()
}

fn undecided(node: &str, tensor: &str) -> Why {
    Why::Undecided(format!("behind the decision at '{node}', which rounding can flip and a side did not record; record '{tensor}'"))
}
