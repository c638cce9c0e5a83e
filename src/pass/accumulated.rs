//! accumulated: both subjects on their own upstream values; what the cheap bound cannot excuse waits for the noise floor.

use super::layers::Layers;
use crate::compare::{Comparison, Tolerance, compare, judge as judge_stated};
use crate::floor::noise::{self, Floor};
use crate::floor::{Rounding, bound};
use crate::graph::Graph;
use crate::tensor::Tensor;
use crate::verdict::{Accumulated, ToleranceBy};
use std::collections::{HashMap, HashSet};

/// How the reason of a tensor begins that a flipped decision or an overflow decides.
const BEHIND: &str = "behind the";

/// A tensor compared but not yet held against a tolerance.
pub enum Pending {
    /// Nothing is left to decide.
    Done(Accumulated),
    /// The noise floor decides.
    Noise(Comparison),
    /// A decision or an integer differs: a tie flip if all inputs of the step agree.
    Decision { comparison: Comparison, margin: f64 },
}

/// Compares both subjects' own values; `shadow` is the node's f64 value on the reference's inputs, where there is one.
pub fn compare_own(reference: &Tensor, candidate: &Tensor, stated: Option<&Tolerance>, judged: Option<(&Tensor, &Rounding)>) -> Pending {
    let comparison = compare(reference.view(), candidate.view(), noise::axis_for(reference.shape()));
    let done = |comparison, ratio, by| Pending::Done(Accumulated::Compared { comparison, ratio, by });
    if let Some(tolerance) = stated {
        let ratio = judge_stated(reference.view(), candidate.view(), tolerance).ratio();
        return done(comparison, ratio, ToleranceBy::Stated);
    }
    let Some(metrics) = comparison.metrics() else { return done(comparison, f64::INFINITY, ToleranceBy::Exact) };
    if comparison.identical() {
        return done(comparison, 0.0, ToleranceBy::Exact);
    }
    if metrics.specials.conflicts > 0 {
        return done(comparison, f64::INFINITY, ToleranceBy::Exact);
    }
    if !reference.dtype().is_float() || matches!(judged, Some((_, Rounding::Decision))) {
        return Pending::Decision { comparison, margin: f64::INFINITY };
    }
    match judged.and_then(|(shadow, rounding)| within_rounding(reference, candidate, shadow, rounding)) {
        Some(ratio) if ratio <= 1.0 => done(comparison, ratio, ToleranceBy::Rounding),
        _ => Pending::Noise(comparison),
    }
}

/// |candidate's own value − shadow| / B of the node alone: an error below that needs no network to explain it.
fn within_rounding(reference: &Tensor, candidate: &Tensor, shadow: &Tensor, rounding: &Rounding) -> Option<f64> {
    let Rounding::Within { family, scale, terms } = rounding else { return None };
    let bound = bound::Bound::of(*family, *terms, scale, reference.dtype())?;
    bound::largest_ratio(reference.view(), candidate.view(), shadow, bound)
}

/// Puts the floors to what waited, in executable order, so that what lies behind a tie flip is recognised.
pub fn settle(layers: &mut Layers, floors: &HashMap<String, Floor>, graph: &Graph) {
    let (mut over, mut flipped): (HashSet<String>, HashMap<String, String>) = Default::default();
    let pending = std::mem::take(&mut layers.pending);
    for (result, waiting) in layers.results.iter_mut().zip(pending) {
        let parents = &graph.steps[result.step].inputs;
        let behind = parents.iter().find_map(|p| flipped.get(p)).cloned();
        let agree = !parents.iter().any(|p| over.contains(p));
        result.accumulated = match (waiting, behind) {
            (Pending::Done(done), None) if done.over() && result.isolated.overflows() => {
                Accumulated::Abstained { reason: format!("{BEHIND} overflow at '{}'", result.node) }
            }
            (Pending::Done(done), None) => done,
            (Pending::Done(done), Some(_)) if !done.over() => done,
            (_, Some(origin)) => Accumulated::Abstained { reason: origin },
            (Pending::Noise(comparison), None) => against(comparison, floors.get(&result.name)),
            (Pending::Decision { comparison, margin }, None) if agree && !result.isolated.over() => flip(comparison, margin),
            (Pending::Decision { comparison, .. }, None) => {
                Accumulated::Compared { comparison, ratio: f64::INFINITY, by: ToleranceBy::Exact }
            }
        };
        if result.accumulated.over() {
            over.insert(result.name.clone());
        }
        // Equal bits end what a flip has started: nothing of it is left in them.
        let same = matches!(&result.accumulated, Accumulated::Compared { by: ToleranceBy::Exact, ratio, .. } if *ratio == 0.0);
        let flips = matches!(result.accumulated, Accumulated::TieFlip { .. })
            || matches!(result.isolated, crate::verdict::Isolated::TieFlip { .. });
        let origin = match (flips, result.isolated.overflows()) {
            (true, _) => Some(format!("{BEHIND} tie flip at '{}'", result.node)),
            (false, true) => Some(format!("{BEHIND} overflow at '{}'", result.node)),
            (false, false) => parents.iter().find_map(|p| flipped.get(p)).cloned(),
        };
        if let Some(origin) = origin.filter(|_| !same) {
            flipped.insert(result.name.clone(), origin);
        }
    }
}

/// Whether decisions that tie, or what overflows, on these inputs decide `accumulated`.
pub fn decided_by_ties(accumulated: &Accumulated) -> bool {
    match accumulated {
        Accumulated::TieFlip { .. } => true,
        Accumulated::Abstained { reason } => reason.starts_with(BEHIND),
        Accumulated::Compared { .. } => false,
    }
}

fn flip(comparison: Comparison, margin: f64) -> Accumulated {
    let (flips, of) = comparison.metrics().map_or((0, 0), |m| (m.mismatches, m.numel));
    Accumulated::TieFlip { flips, of, margin }
}

fn against(comparison: Comparison, floor: Option<&Floor>) -> Accumulated {
    match (floor, comparison.metrics()) {
        (Some(floor), Some(_)) if floor.is_open() => {
            Accumulated::Abstained { reason: "no noise floor: a noisy run of the f64 graph left the domain of an operator".into() }
        }
        (Some(floor), Some(metrics)) => {
            let ratio = floor.judge(metrics);
            Accumulated::Compared { comparison, ratio, by: ToleranceBy::Noise { runs: floor.runs } }
        }
        _ => Accumulated::Abstained { reason: "no noise floor: the f64 shadow has another shape or no such output".into() },
    }
}
