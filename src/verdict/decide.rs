//! decide: from judged tensors to the verdict: origins, independence, drift.

use super::{Drift, Finding, Origin, Outcome, Side, TensorResult, Unobserved, Verdict};
use crate::graph::Graph;
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};

/// Which steps a step takes its values from, directly.
pub struct Ancestry(pub Vec<Vec<usize>>);

impl Ancestry {
    pub fn of(graph: &Graph) -> Self {
        let producers = graph.producers();
        Self(
            graph
                .steps
                .iter()
                .map(|s| {
                    s.inputs
                        .iter()
                        .filter_map(|n| producers.get(n.as_str()).copied())
                        .collect()
                })
                .collect(),
        )
    }

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
pub fn decide(
    tensors: &[TensorResult],
    ancestry: &Ancestry,
    unobserved: &[Unobserved],
    input_mismatch: Vec<Finding>,
) -> Verdict {
    let faulty: HashSet<usize> = tensors
        .iter()
        .filter(|t| t.isolated.over())
        .map(|t| t.step)
        .collect();
    let below_origin = ancestry.descendants(&faulty);
    let origins = origins(tensors, &below_origin);
    let inherited = |t: &&TensorResult| below_origin[t.step] || faulty.contains(&t.step);
    let over: Vec<&TensorResult> = tensors
        .iter()
        .filter(|t| t.accumulated.over() && !inherited(t))
        .collect();
    let untested: Vec<String> = over
        .iter()
        .filter(|t| !t.isolated.compared())
        .map(|t| t.name.clone())
        .collect();
    let drifted: Vec<&TensorResult> = over.into_iter().filter(|t| t.isolated.compared()).collect();
    let drift = drifted
        .first()
        .map(|first| drift(first, drifted.len(), tensors, ancestry));
    let only_unobserved: Vec<Unobserved> = unobserved
        .iter()
        .filter(|u| u.judgement.over())
        .cloned()
        .collect();
    let compared = tensors
        .iter()
        .any(|t| t.accumulated.compared() || t.isolated.compared());
    let diverges = !origins.is_empty()
        || !untested.is_empty()
        || drift.is_some()
        || !only_unobserved.is_empty()
        || !input_mismatch.is_empty();
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
    let turn = |t: &TensorResult| {
        t.inside
            .as_ref()
            .map_or(usize::MAX, |i| i.turn.unwrap_or(usize::MAX - 1))
    };
    for t in tensors.iter().filter(|t| t.isolated.over()) {
        first
            .entry(t.step)
            .and_modify(|f| *f = if turn(t) < turn(f) { t } else { *f })
            .or_insert(t);
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
            why: None,
        })
        .collect()
}

fn drift(
    first: &TensorResult,
    count: usize,
    tensors: &[TensorResult],
    ancestry: &Ancestry,
) -> Drift {
    let worst = largest(tensors, |t| t.accumulated.ratio());
    // What a node rounds itself is born there and has not grown.
    let born = largest(tensors, |t| t.isolated.own_ratio());
    let growth = |t: &TensorResult| {
        let before = ancestry.0[t.step]
            .iter()
            .filter_map(|p| worst.get(p))
            .copied()
            .fold(0.0, f64::max);
        let from = before.max(born[&t.step]);
        if from > 0.0 {
            worst[&t.step] / from
        } else {
            1.0
        }
    };
    // Only what lies at or before the first drifted tensor can have caused it.
    let candidates = tensors.iter().filter(|t| t.step <= first.step);
    let amplifier = candidates
        .max_by(|a, b| growth(a).total_cmp(&growth(b)))
        .unwrap_or(first);
    Drift {
        first: first.node.clone(),
        tensors: count,
        amplifier: amplifier.node.clone(),
        amplification: growth(amplifier),
    }
}

/// The largest finite value over the tensors of each step; 0 where it has none.
fn largest(
    tensors: &[TensorResult],
    of: impl Fn(&TensorResult) -> Option<f64>,
) -> HashMap<usize, f64> {
    let mut by_step: HashMap<usize, f64> = HashMap::new();
    for t in tensors {
        let entry = by_step.entry(t.step).or_insert(0.0);
        *entry = entry.max(of(t).filter(|v| v.is_finite()).unwrap_or(0.0));
    }
    by_step
}

fn tie_flips(tensors: &[TensorResult]) -> u64 {
    let of = |t: &TensorResult| match (&t.isolated, &t.accumulated) {
        (super::Isolated::TieFlip { flips, .. }, _)
        | (_, super::Accumulated::TieFlip { flips, .. }) => *flips,
        _ => 0,
    };
    tensors.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::super::{Accumulated, Inside, Isolated, Judgement, Why, sample};
    use super::*;

    /// A tensor alone at fault, not at fault, or not tested, and the ratio of what both sides made of it.
    fn result(step: usize, fault: Option<bool>, ratio: f64) -> TensorResult {
        TensorResult {
            accumulated: sample::own(ratio),
            isolated: fault.map_or_else(sample::untested, sample::alone),
            ..sample::tensor(step)
        }
    }

    /// A tensor that its node rounds by these parts of its bound.
    fn rounded(step: usize, ratio: f64, reference: f64, candidate: f64) -> TensorResult {
        TensorResult {
            accumulated: sample::own(ratio),
            isolated: sample::bounded(reference, candidate, 0),
            ..sample::tensor(step)
        }
    }

    fn chain(n: usize) -> Ancestry {
        Ancestry(
            (0..n)
                .map(|i| if i == 0 { vec![] } else { vec![i - 1] })
                .collect(),
        )
    }

    /// The verdict over a chain of nodes.
    fn of(tensors: &[TensorResult]) -> Verdict {
        decide(tensors, &chain(tensors.len()), &[], vec![])
    }

    #[test]
    fn a_fault_is_an_origin_and_what_it_causes_is_not() {
        let tensors = [
            result(0, Some(false), 0.0),
            result(1, Some(true), 9.0),
            result(2, Some(false), 5.0),
            result(3, None, 5.0),
        ];
        let v = of(&tensors);
        assert_eq!(
            (v.outcome, v.first(), v.origins.len()),
            (Outcome::Diverge, Some("n1"), 1)
        );
        assert!(
            v.drift.is_none() && v.untested.is_empty(),
            "directly behind it, and further behind"
        );
        assert_eq!(
            (
                v.origins[0].side,
                v.origins[0].step,
                v.origins[0].tensor.as_str()
            ),
            (Side::Candidate, 1, "t1")
        );
    }

    #[test]
    fn a_fault_masked_later_is_still_a_divergence() {
        assert_eq!(
            of(&[result(0, Some(true), 0.0), result(1, Some(false), 0.0)]).first(),
            Some("n0")
        );
    }

    #[test]
    fn only_an_origin_without_an_origin_above_it_is_independent() {
        let faults = [Some(true), Some(false), Some(true), Some(true)];
        let tensors: Vec<TensorResult> = faults
            .into_iter()
            .enumerate()
            .map(|(i, f)| result(i, f, 2.0))
            .collect();
        let v = decide(
            &tensors,
            &Ancestry(vec![vec![], vec![0], vec![1], vec![]]),
            &[],
            vec![],
        );
        assert_eq!(
            v.origins.iter().map(|o| o.independent).collect::<Vec<_>>(),
            [true, false, true]
        );
    }

    #[test]
    fn each_finding_alone_makes_it_diverge() {
        let fine = || vec![result(0, Some(false), 0.5)];
        let find = |tensors: Vec<TensorResult>, unobserved: &[Unobserved], inputs: &[&str]| {
            let v = decide(
                &tensors,
                &chain(tensors.len()),
                unobserved,
                inputs
                    .iter()
                    .map(|i| Finding::new("input", *i, *i))
                    .collect(),
            );
            let found = [
                v.origins.len(),
                v.untested.len(),
                v.drift.iter().count(),
                v.only_unobserved.len(),
                v.input_mismatch.len(),
            ];
            (v.outcome, found)
        };
        let deployed = [
            Judgement::Within(0.5),
            Judgement::Tie(2),
            Judgement::NotJudged(Why::OpenFloor),
        ]
        .map(|j| sample::unobserved("y", j));
        let over = [sample::unobserved("y", Judgement::Over(2.0))];
        assert_eq!(find(fine(), &deployed, &[]), (Outcome::Agree, [0; 5]));
        assert_eq!(
            find(vec![result(0, Some(true), 0.0)], &[], &[]),
            (Outcome::Diverge, [1, 0, 0, 0, 0])
        );
        assert_eq!(
            find(vec![result(0, None, 3.0)], &[], &[]),
            (Outcome::Diverge, [0, 1, 0, 0, 0])
        );
        assert_eq!(
            find(vec![result(0, Some(false), 3.0)], &[], &[]),
            (Outcome::Diverge, [0, 0, 1, 0, 0])
        );
        assert_eq!(
            find(fine(), &over, &[]),
            (Outcome::Diverge, [0, 0, 0, 1, 0])
        );
        assert_eq!(
            find(fine(), &[], &["x"]),
            (Outcome::Diverge, [0, 0, 0, 0, 1])
        );
    }

    #[test]
    fn accumulated_error_without_an_origin_is_drift_and_names_the_amplifier() {
        // The ratios of a chain, the node at which it is first over, how many are, and where it grows most and by how much.
        let check = |says: &str,
                     tensors: &[TensorResult],
                     first: &str,
                     count: usize,
                     amplifier: &str,
                     by: f64| {
            let drift = of(tensors).drift.unwrap();
            assert_eq!(
                (
                    drift.first.as_str(),
                    drift.tensors,
                    drift.amplifier.as_str()
                ),
                (first, count, amplifier),
                "{says}"
            );
            assert!(
                (drift.amplification - by).abs() < 1e-9,
                "{says}: {}",
                drift.amplification
            );
        };
        let own = |ratios: &[f64]| {
            ratios
                .iter()
                .enumerate()
                .map(|(i, r)| result(i, Some(false), *r))
                .collect::<Vec<_>>()
        };
        check(
            "ninefold in the middle",
            &own(&[0.1, 0.9, 1.1]),
            "n2",
            1,
            "n1",
            9.0,
        );
        check(
            "out of nothing it has not grown",
            &own(&[0.0, 0.5, 1.5]),
            "n2",
            1,
            "n2",
            3.0,
        );
        check(
            "what lies behind is no cause",
            &own(&[0.5, 1.5, 90.0]),
            "n1",
            2,
            "n1",
            3.0,
        );
        check(
            "an infinite ratio is no growth",
            &own(&[0.4, f64::INFINITY, 1.2]),
            "n1",
            2,
            "n0",
            1.0,
        );
        let rounds = |reference, candidate| {
            [
                result(0, Some(false), 0.1),
                rounded(1, 0.9, reference, candidate),
                result(2, Some(false), 1.8),
            ]
        };
        check(
            "what the reference rounds itself has not grown",
            &rounds(0.9, 0.1),
            "n2",
            1,
            "n2",
            2.0,
        );
        check(
            "nor what the candidate does",
            &rounds(0.1, 0.9),
            "n2",
            1,
            "n2",
            2.0,
        );
        let outputs = [
            result(0, Some(false), 0.1),
            rounded(1, 0.9, 0.9, 0.0),
            rounded(1, 0.0, 0.1, 0.0),
            result(2, Some(false), 1.8),
        ];
        check(
            "one that rounds one of its outputs more",
            &outputs,
            "n2",
            1,
            "n2",
            2.0,
        );
    }

    #[test]
    fn a_recorded_difference_says_that_the_own_fault_was_not_tested() {
        let v = of(&[result(0, None, 3.0)]);
        assert_eq!(
            (v.outcome, v.untested),
            (Outcome::Diverge, vec!["t0".to_string()])
        );
    }

    #[test]
    fn one_way_compared_is_agreement_and_nothing_compared_is_not() {
        let silent = || Accumulated::NotJudged {
            why: Why::NoFloor("x".into()),
        };
        let of_one = |accumulated, isolated| {
            of(&[TensorResult {
                accumulated,
                isolated,
                ..sample::tensor(0)
            }])
            .outcome
        };
        assert_eq!(of_one(sample::own(0.0), sample::untested()), Outcome::Agree);
        assert_eq!(of_one(silent(), sample::alone(false)), Outcome::Agree);
        assert_eq!(of_one(silent(), sample::untested()), Outcome::Nothing);
        assert_eq!(of(&[]).outcome, Outcome::Nothing);
    }

    #[test]
    fn flips_are_counted_once_for_each_tensor() {
        let own = |flips| Accumulated::TieFlip {
            flips,
            of: 9,
            margin: 0.0,
        };
        let alone = |flips| Isolated::TieFlip {
            flips,
            of: 9,
            margin: 0.0,
        };
        let tensors = [
            sample::tensor(0),
            TensorResult {
                accumulated: own(2),
                ..sample::tensor(1)
            },
            TensorResult {
                isolated: alone(3),
                ..sample::tensor(2)
            },
            TensorResult {
                accumulated: own(4),
                isolated: alone(4),
                ..sample::tensor(3)
            },
        ];
        let v = of(&tensors);
        assert_eq!((v.tie_flips, v.outcome), (9, Outcome::Agree));
    }

    #[test]
    fn inside_a_body_the_origin_is_what_is_over_in_the_first_turn_before_what_the_step_gives() {
        let inside = |name: &str, turn: Option<usize>| TensorResult {
            name: name.into(),
            node: format!("loop/{name}"),
            inside: Some(Inside {
                step: "loop".into(),
                op: "Loop".into(),
                turn,
            }),
            ..result(0, Some(true), 2.0)
        };
        let first = |list: &[TensorResult]| origins(list, &[false])[0].node.clone();
        let given = || result(0, Some(true), 2.0);
        assert_eq!(
            first(&[
                inside("p", Some(1)),
                inside("q", Some(0)),
                inside("r", Some(0)),
                given()
            ]),
            "loop/q"
        );
        assert_eq!(first(&[inside("p", None), given()]), "loop/p");
        assert_eq!(first(&[given(), inside("p", None)]), "loop/p");
        assert_eq!(
            first(&[inside("p", None), inside("q", Some(7))]),
            "loop/q",
            "a turn that is known comes before one that is not"
        );
        assert_eq!(first(&[given(), inside("p", Some(3))]), "loop/p");
    }
}
