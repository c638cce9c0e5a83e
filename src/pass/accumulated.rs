//! accumulated: both subjects on their own upstream values; what the cheap bound cannot excuse waits for the noise floor.

use super::decision::Evidence;
use super::layers::Layers;
use super::plan;
use crate::compare::{Comparison, Tolerance, compare, judge as judge_stated};
use crate::floor::noise::{self, Floor, R};
use crate::floor::{Rounding, bound};
use crate::graph::Graph;
use crate::judge::{Limit, against};
use crate::tensor::Tensor;
use crate::verdict::{Accumulated, Isolated, TensorResult, ToleranceBy, Why};
use std::collections::{HashMap, HashSet};

/// Why a tensor has no floor.
const NO_FLOOR: &str = "no noise floor: the f64 shadow has another shape or no such output";

/// A tensor compared but not yet held against a tolerance.
#[derive(Clone, Debug)]
pub enum Pending {
    /// Nothing is left to decide.
    Done(Accumulated),
    /// The noise floor decides.
    Noise(Comparison),
    /// A decision or an integer differs: a tie where that is proved.
    Decision { comparison: Comparison, evidence: Evidence },
}

/// Compares both subjects' own values; `shadow` is the node's f64 value on the reference's inputs, where there is one.
pub fn compare_own(reference: &Tensor, candidate: &Tensor, stated: Option<&Tolerance>, judged: Option<(&Tensor, &Rounding)>) -> Pending {
    let comparison = compare(reference.view(), candidate.view(), noise::axis_for(reference.shape()));
    let done = |comparison, ratio, by| Pending::Done(Accumulated::Compared { comparison, ratio, by });
    if let Some(tolerance) = stated {
        let ratio = judge_stated(reference.view(), candidate.view(), tolerance).ratio();
        return done(comparison, ratio, ToleranceBy::Stated);
    }
    let apart = comparison.metrics().is_some_and(|m| m.specials.conflicts == 0 && !m.identical());
    if apart && (!reference.dtype().is_float() || matches!(judged, Some((_, Rounding::Decision(_))))) {
        return Pending::Decision { comparison, evidence: Evidence { own: None, margin: f64::INFINITY } };
    }
    if !apart {
        let judgement = against(&comparison, Limit::Exact { proved: None });
        return Pending::Done(Accumulated::of(judgement, comparison, ToleranceBy::Exact, 0.0));
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
    let pending = std::mem::take(&mut layers.pending);
    let mut settled = Settled {
        floors,
        fed: plan::known(graph),
        within: HashSet::new(),
        over: HashSet::new(),
        behind: behind_draws(graph, &layers.unshared),
    };
    for (result, waiting) in layers.results.iter_mut().zip(pending) {
        let parents = &graph.steps[result.step].inputs;
        let went_on = layers.gone_on.contains(&result.name);
        result.accumulated = settled.judge(result, waiting, parents);
        settled.take(result, parents, went_on);
    }
}

/// Everything behind these steps, whether it is judged itself or not.
fn behind_draws(graph: &Graph, unshared: &HashSet<usize>) -> HashMap<String, Why> {
    let mut behind: HashMap<String, Why> = HashMap::new();
    for (i, step) in graph.steps.iter().enumerate() {
        let own = unshared.contains(&i).then(|| Why::BehindDraw { node: step.name.clone() });
        if let Some(why) = own.or_else(|| step.inputs.iter().find_map(|n| behind.get(n)).cloned()) {
            behind.extend(step.outputs.iter().map(|n| (n.clone(), why.clone())));
        }
    }
    behind
}

/// What is known of the tensors in front.
struct Settled<'a> {
    floors: &'a HashMap<String, Floor>,
    /// Equal on both sides by construction.
    fed: HashSet<&'a str>,
    within: HashSet<String>,
    over: HashSet<String>,
    /// What no longer can be judged behind these, and why.
    behind: HashMap<String, Why>,
}

impl Settled<'_> {
    fn judge(&self, result: &TensorResult, waiting: Pending, parents: &[String]) -> Accumulated {
        let behind = parents.iter().find_map(|p| self.behind.get(p)).cloned();
        let overflows = || Accumulated::NotJudged { why: Why::BehindOverflow { node: result.node.clone() } };
        match (waiting, behind) {
            (Pending::Done(done), None) if done.over() && result.isolated.overflows() => overflows(),
            (Pending::Done(done), None) => done,
            (Pending::Done(done), Some(_)) if !done.over() => done,
            (_, Some(why)) => Accumulated::NotJudged { why },
            (Pending::Noise(comparison), None) => {
                let floor = self.floors.get(&result.name);
                let judgement = against(&comparison, floor.map_or(Limit::Unknown(NO_FLOOR), Limit::Spread));
                match (judgement.over(), &result.isolated) {
                    // Elements of the input, of which the node alone takes the one or the other.
                    (true, Isolated::TieFlip { margin, flips, .. }) if !self.any_over(parents) => {
                        let judgement = against(&comparison, Limit::Exact { proved: Some(*flips) });
                        Accumulated::of(judgement, comparison, ToleranceBy::Exact, *margin)
                    }
                    _ => Accumulated::of(judgement, comparison, ToleranceBy::Noise { runs: floor.map_or(0, |f| f.runs) }, 0.0),
                }
            }
            (Pending::Decision { comparison, evidence }, None) => {
                let flips = comparison.metrics().map_or(0, |m| m.mismatches);
                let proved = self.proves(&evidence, parents).then_some(flips);
                Accumulated::of(against(&comparison, Limit::Exact { proved }), comparison, ToleranceBy::Exact, evidence.margin)
            }
        }
    }

    /// Whether a differing decision is proved to be a flip.
    fn proves(&self, evidence: &Evidence, parents: &[String]) -> bool {
        let compared = parents.iter().all(|p| self.fed.contains(p.as_str()) || self.within.contains(p));
        match (evidence.own, compared) {
            (Some(own), true) => own,
            (Some(false), false) => false,
            // Inputs that nobody compared prove nothing: the margin on the reference's must be what rounding moves them by.
            (Some(true) | None, _) => {
                let spread = parents.iter().filter_map(|p| self.floors.get(p)).flat_map(|f| &f.max).copied().fold(0.0, f64::max);
                !self.any_over(parents) && spread > 0.0 && spread.is_finite() && evidence.margin <= R * spread
            }
        }
    }

    fn any_over(&self, parents: &[String]) -> bool {
        parents.iter().any(|p| self.over.contains(p))
    }

    /// Remembers what the next tensors have to know; a live candidate `went_on` with the reference's decision.
    fn take(&mut self, result: &TensorResult, parents: &[String], went_on: bool) {
        let name = || result.name.clone();
        if result.accumulated.over() {
            self.over.insert(name());
        } else if result.accumulated.compared() {
            self.within.insert(name());
        }
        // Equal bits end what a flip has started: nothing of it is left in them.
        let same = matches!(&result.accumulated, Accumulated::Compared { by: ToleranceBy::Exact, ratio, .. } if *ratio == 0.0);
        let flips = matches!(result.accumulated, Accumulated::TieFlip { .. }) || matches!(result.isolated, Isolated::TieFlip { .. });
        let node = || result.node.clone();
        let why = match (flips, result.isolated.overflows()) {
            (true, _) if went_on => None,
            (true, _) => Some(Why::BehindFlip { node: node() }),
            (false, true) => Some(Why::BehindOverflow { node: node() }),
            (false, false) => parents.iter().find_map(|p| self.behind.get(p)).cloned(),
        };
        if let Some(why) = why.filter(|_| !same) {
            self.behind.insert(name(), why);
        }
    }
}
