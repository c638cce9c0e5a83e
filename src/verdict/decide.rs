//! decide: from judged tensors to the verdict: origins, independence, drift.

use super::{Drift, Origin, Outcome, Side, TensorResult, Unobserved, Verdict};
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};

/// Which steps a step takes its values from, directly.
pub struct Ancestry(pub Vec<Vec<usize>>);

impl Ancestry {
    /// For every step whether one of `marked` is among its ancestors (the step itself excluded). Steps are in executable order.
    pub fn descendants(&self, marked: &HashSet<usize>) -> Vec<bool> {
        let mut below = vec![false; self.0.len()];
        for (i, parents) in self.0.iter().enumerate() {
            below[i] = parents.iter().any(|p| below[*p] || marked.contains(p));
        }
        below
    }
}

/// The verdict over `tensors` (in executable order).
pub fn decide(tensors: &[TensorResult], ancestry: &Ancestry, unobserved: &[Unobserved], input_mismatch: Vec<String>) -> Verdict {
    let faulty: HashSet<usize> = tensors.iter().filter(|t| t.isolated.over()).map(|t| t.step).collect();
    let below_origin = ancestry.descendants(&faulty);
    let origins = origins(tensors, &below_origin);
    let inherited = |t: &&TensorResult| below_origin[t.step] || faulty.contains(&t.step);
    let over: Vec<&TensorResult> = tensors.iter().filter(|t| t.accumulated.over() && !inherited(t)).collect();
    let untested: Vec<String> = over.iter().filter(|t| !t.isolated.compared()).map(|t| t.name.clone()).collect();
    let drifted: Vec<&TensorResult> = over.into_iter().filter(|t| t.isolated.compared()).collect();
    let drift = drifted.first().map(|first| drift(first, drifted.len(), tensors, ancestry));
    let only_unobserved: Vec<Unobserved> = unobserved.iter().filter(|u| u.judgement.over()).cloned().collect();
    let compared = tensors.iter().any(|t| t.accumulated.compared() || t.isolated.compared());
    let diverges =
        !origins.is_empty() || !untested.is_empty() || drift.is_some() || !only_unobserved.is_empty() || !input_mismatch.is_empty();
    let outcome = match (diverges, compared) {
        (true, _) => Outcome::Diverge,
        (false, true) => Outcome::Agree,
        (false, false) => Outcome::Nothing,
    };
    Verdict {
        outcome,
        origins,
        drift,
        untested,
        only_unobserved,
        input_mismatch,
        tie_flips: tie_flips(tensors),
        born: vec![],
        ordered: true,
        stages: vec![],
    }
}

/// One origin per faulty step, at its first faulty tensor: inside a body the one of the first turn, before what the step gives.
fn origins(tensors: &[TensorResult], below: &[bool]) -> Vec<Origin> {
    let mut first: IndexMap<usize, &TensorResult> = IndexMap::new();
    let turn = |t: &TensorResult| t.inside.as_ref().map_or(usize::MAX, |i| i.turn.unwrap_or(usize::MAX - 1));
    for t in tensors.iter().filter(|t| t.isolated.over()) {
        first.entry(t.step).and_modify(|f| *f = if turn(t) < turn(f) { t } else { *f }).or_insert(t);
    }
    first
        .into_values()
        .map(|t| Origin {
            node: t.node.clone(),
            op: t.op.clone(),
            tensor: t.name.clone(),
            step: t.step,
            independent: !below[t.step],
            side: t.isolated.side().unwrap_or(Side::Unknown),
            inside: t.inside.clone(),
        })
        .collect()
}

fn drift(first: &TensorResult, count: usize, tensors: &[TensorResult], ancestry: &Ancestry) -> Drift {
    let mut worst: HashMap<usize, f64> = HashMap::new();
    for t in tensors {
        let ratio = t.accumulated.ratio().filter(|r| r.is_finite()).unwrap_or(0.0);
        let entry = worst.entry(t.step).or_insert(0.0);
        *entry = entry.max(ratio);
    }
    // What a node rounds itself is born there and has not grown.
    let born: HashMap<usize, f64> = tensors.iter().filter_map(|t| Some((t.step, t.isolated.own_ratio()?))).collect();
    let growth = |t: &TensorResult| {
        let before = ancestry.0[t.step].iter().filter_map(|p| worst.get(p)).copied().fold(0.0, f64::max);
        let from = before.max(born.get(&t.step).copied().unwrap_or(0.0));
        worst.get(&t.step).map_or(0.0, |after| if from > 0.0 { after / from } else { 1.0 })
    };
    // Only what lies at or before the first drifted tensor can have caused it.
    let candidates = tensors.iter().filter(|t| t.step <= first.step);
    let amplifier = candidates.max_by(|a, b| growth(a).total_cmp(&growth(b))).unwrap_or(first);
    Drift { first: first.node.clone(), tensors: count, amplifier: amplifier.node.clone(), amplification: growth(amplifier) }
}

fn tie_flips(tensors: &[TensorResult]) -> u64 {
    let of = |t: &TensorResult| match (&t.isolated, &t.accumulated) {
        (super::Isolated::TieFlip { flips, .. }, _) | (_, super::Accumulated::TieFlip { flips, .. }) => *flips,
        _ => 0,
    };
    tensors.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::super::{Accumulated, Isolated, ToleranceBy, Why};
    use super::*;
    use crate::compare::compare;
    use crate::tensor::Tensor;

    fn result(step: usize, isolated_over: Option<bool>, ratio: f64) -> TensorResult {
        let (a, b) = (Tensor::of(&[1], &[1f32]), Tensor::of(&[1], &[2f32]));
        let comparison = |same: bool| compare(a.view(), if same { a.view() } else { b.view() }, None);
        TensorResult {
            name: format!("t{step}"),
            node: format!("n{step}"),
            op: "Op".into(),
            step,
            dtype: None,
            shape: vec![1],
            macs: 0,
            accumulated: Accumulated::Compared { comparison: comparison(ratio == 0.0), ratio, by: ToleranceBy::Exact },
            isolated: match isolated_over {
                Some(over) => Isolated::Exact { comparison: comparison(!over), side: over.then_some(Side::Candidate) },
                None => Isolated::NotJudged { why: Why::NotTested("recorded".into()) },
            },
            repeat_noise: None,
            inside: None,
        }
    }

    fn chain(n: usize) -> Ancestry {
        Ancestry((0..n).map(|i| if i == 0 { vec![] } else { vec![i - 1] }).collect())
    }

    #[test]
    fn a_fault_is_an_origin_and_what_it_causes_is_not() {
        let tensors = [result(0, Some(false), 0.0), result(1, Some(true), 9.0), result(2, Some(false), 5.0)];
        let v = decide(&tensors, &chain(3), &[], vec![]);
        assert_eq!((v.outcome, v.first(), v.origins.len()), (Outcome::Diverge, Some("n1"), 1));
        assert!(v.drift.is_none() && v.untested.is_empty());
    }

    #[test]
    fn a_fault_masked_later_is_still_a_divergence() {
        let v = decide(&[result(0, Some(true), 0.0), result(1, Some(false), 0.0)], &chain(2), &[], vec![]);
        assert_eq!(v.first(), Some("n0"));
    }

    #[test]
    fn only_an_origin_without_an_origin_above_it_is_independent() {
        let tensors = [result(0, Some(true), 2.0), result(1, Some(true), 2.0), result(2, Some(true), 2.0)];
        let v = decide(&tensors, &Ancestry(vec![vec![], vec![0], vec![]]), &[], vec![]);
        assert_eq!(v.origins.iter().map(|o| o.independent).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn accumulated_error_without_an_origin_is_drift_and_names_the_amplifier() {
        let tensors = [result(0, Some(false), 0.1), result(1, Some(false), 0.9), result(2, Some(false), 1.1)];
        let v = decide(&tensors, &chain(3), &[], vec![]);
        let drift = v.drift.unwrap();
        assert_eq!((drift.first.as_str(), drift.amplifier.as_str()), ("n2", "n1"), "it grows ninefold there, and is born before");
        assert!((drift.amplification - 9.0).abs() < 1e-9);
    }

    #[test]
    fn a_recorded_difference_says_that_the_own_fault_was_not_tested() {
        let v = decide(&[result(0, None, 3.0)], &chain(1), &[], vec![]);
        assert_eq!((v.outcome, v.untested), (Outcome::Diverge, vec!["t0".to_string()]));
    }

    #[test]
    fn nothing_compared_is_never_agreement() {
        let mut t = result(0, None, 0.0);
        t.accumulated = Accumulated::NotJudged { why: Why::NoFloor("x".into()) };
        assert_eq!(decide(&[t], &chain(1), &[], vec![]).outcome, Outcome::Nothing);
        assert_eq!(decide(&[], &chain(0), &[], vec![]).outcome, Outcome::Nothing);
    }

    #[test]
    fn inside_a_body_the_origin_is_what_is_over_in_the_first_turn_before_what_the_step_gives() {
        let inside = |name: &str, turn: Option<usize>| TensorResult {
            name: name.into(),
            node: format!("loop/{name}"),
            inside: Some(super::super::Inside { step: "loop".into(), op: "Loop".into(), turn }),
            ..result(0, Some(true), 2.0)
        };
        let first = |list: &[TensorResult]| origins(list, &[false])[0].node.clone();
        let given = || result(0, Some(true), 2.0);
        assert_eq!(first(&[inside("p", Some(1)), inside("q", Some(0)), inside("r", Some(0)), given()]), "loop/q");
        assert_eq!(first(&[inside("p", None), given()]), "loop/p");
        assert_eq!(first(&[given(), inside("p", Some(3))]), "loop/p");
    }
}
