//! undecided: a tensor that is over its floor behind a decision that a side did not record: rounding may have flipped it there, and nobody can tell.

use super::freed;
use super::layers::Layers;
use super::sessions::Sessions;
use crate::prepare::Plan;
use crate::watch::Watch;

use crate::error::Result;
use crate::judge::{Limit, against};
use crate::verdict::{Accumulated, TensorResult, ToleranceBy, Why};
use std::collections::{HashMap, HashSet};

/// What is over and what flips of unrecorded decisions explain is not judged, and which decision to record is said; all else is as it was found.
pub fn judged(
    sessions: &mut Sessions,
    plan: &Plan,
    layers: &Layers,
    mut tensors: Vec<TensorResult>,
    seed: u64,
    watch: &mut dyn Watch,
) -> Result<Vec<TensorResult>> {
    let over = |r: &&TensorResult| {
        r.accumulated.over()
            && matches!(
                r.accumulated,
                Accumulated::Compared {
                    by: ToleranceBy::Noise { .. },
                    ..
                }
            )
    };
    let size = |r: &TensorResult| (r.name.clone(), r.shape.iter().product());
    let wanted: HashMap<String, usize> = tensors.iter().filter(over).map(size).collect();
    let unseen = unseen(&tensors, plan);
    if sessions.both_live() || wanted.is_empty() || unseen.is_empty() {
        return Ok(tensors);
    }
    let steps = unseen.keys().copied().collect();
    let floors = freed::floors(sessions, layers, (&steps, &wanted), seed, watch)?;
    let graph = sessions.graph;
    for result in &mut tensors {
        let (Accumulated::Compared { comparison, .. }, Some(floor)) =
            (&result.accumulated, floors.get(&result.name))
        else {
            continue;
        };
        let in_front: HashSet<usize> = graph
            .ancestors(std::slice::from_ref(&result.name))
            .unwrap_or_default()
            .into_iter()
            .collect();
        let first = unseen
            .iter()
            .filter(|(step, _)| in_front.contains(step))
            .min();
        if let Some((step, tensor)) =
            first.filter(|_| !against(comparison, Limit::Spread(floor)).over())
        {
            let why = undecided(&graph.steps[*step].name, tensor);
            result.accumulated = Accumulated::NotJudged { why };
        }
    }
    Ok(tensors)
}

/// Steps that give integers or truth values which a side has not recorded, with the first of these.
fn unseen(tensors: &[TensorResult], plan: &Plan) -> HashMap<usize, String> {
    let missing = |r: &&TensorResult| {
        matches!(
            r.accumulated,
            Accumulated::NotJudged {
                why: Why::Missing(_)
            }
        )
    };
    let discrete = |r: &&TensorResult| {
        r.dtype.is_some_and(|d| !d.is_float()) && !plan.constants.contains(&r.step)
    };
    let unseen = tensors.iter().filter(missing).filter(discrete);
    unseen.map(|r| (r.step, r.name.clone())).collect()
}

fn undecided(node: &str, tensor: &str) -> Why {
    Why::Undecided(format!(
        "behind the decision at '{node}', which rounding can flip and a side did not record; record '{tensor}'"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::paper::{self, floats};
    use super::*;
    use crate::scenario::load::parse;
    use crate::tensor::DType;
    use crate::verdict::{Pending, sample};
    use indexmap::IndexMap;
    use std::sync::Arc;

    const NODES: [&str; 7] = [
        "still: Round w -> c",
        "same: Add x -> p",
        "round: Round p -> q",
        "sum: Add q c -> y",
        "beside: Double x -> z",
        "held: Add q x -> held",
        "cut: Add p x -> cut",
    ];

    /// Counts the walks.
    #[derive(Default)]
    struct Walks(usize);

    impl Watch for Walks {
        fn phase(&mut self, _: &str, _: usize) {
            self.0 += 1;
        }
        fn step(&mut self, _: usize) {}
    }

    fn missing() -> Accumulated {
        Accumulated::NotJudged {
            why: Why::Missing("the trace holds none".into()),
        }
    }

    /// Both sides' values that are apart by so much, at a ratio of their floor.
    fn noise(by: f32, ratio: f64) -> Accumulated {
        let [r, c] = [floats(&[0.0, 1.0]), floats(&[by, 1.0])];
        let comparison = crate::compare::compare(r.view(), c.view(), None);
        Accumulated::Compared {
            comparison,
            ratio,
            by: ToleranceBy::Noise { runs: 4 },
        }
    }

    /// What is left of what was found of these tensors, and how many walks it took; what is not stated agrees. 'p' lies next to a border.
    fn settled(
        live: [bool; 2],
        found: &[(&str, Accumulated)],
    ) -> (Vec<(String, Accumulated)>, usize) {
        let mut graph = paper::graph(&["x"], &NODES, &[]);
        Arc::make_mut(&mut graph)
            .weights
            .insert("w".into(), floats(&[1.0, 3.0]));
        let inputs = IndexMap::from([("x".to_string(), floats(&[0.4999999, 3.0]))]);
        let plan = Plan::of(&graph, &parse("format = 1\nmodel = \"m.onnx\"").unwrap()).unwrap();
        let results = graph.steps.iter().enumerate().map(|(i, s)| TensorResult {
            name: s.outputs[0].clone(),
            dtype: Some(if s.op() == "Round" {
                DType::I64
            } else {
                DType::F32
            }),
            shape: vec![2],
            accumulated: found
                .iter()
                .find(|(n, _)| *n == s.outputs[0])
                .map_or_else(|| sample::own(0.0), |(_, a)| a.clone()),
            ..sample::tensor(i)
        });
        let results: Vec<TensorResult> = results.collect();
        let observed = |r: &TensorResult| r.with(Pending::Done(r.accumulated.clone()));
        let layers = Layers {
            tensors: results.iter().map(observed).collect(),
            ..Default::default()
        };
        let mut walks = Walks::default();
        let mut sessions = paper::sessions(&graph, &inputs, live);
        let left = judged(&mut sessions, &plan, &layers, results, 1, &mut walks).unwrap();
        let named = left.into_iter().map(|r| (r.name, r.accumulated));
        let stated = named.filter(|(n, _)| found.iter().any(|(f, _)| f == n));
        (stated.collect(), walks.0)
    }

    /// The same as it was found.
    fn as_found(live: [bool; 2], found: &[(&str, Accumulated)], walks: usize, says: &str) {
        let mut want: Vec<(String, Accumulated)> = found
            .iter()
            .map(|(n, a)| (n.to_string(), a.clone()))
            .collect();
        want.sort_by_key(|(n, _)| {
            NODES
                .iter()
                .position(|node| node.ends_with(&format!("-> {n}")))
        });
        assert_eq!(settled(live, found), (want, walks), "{says}");
    }

    #[test]
    fn what_a_flip_of_an_unrecorded_decision_explains_is_undecided_and_the_decision_is_named() {
        let found = [("c", missing()), ("q", missing()), ("y", noise(1.0, 9.0))];
        let (left, _) = settled([true, false], &found);
        assert_eq!(
            left[2].1,
            Accumulated::NotJudged {
                why: undecided("round", "q")
            },
            "a constant decides nothing"
        );
    }

    #[test]
    fn what_no_unrecorded_decision_explains_is_left_as_it_was_found() {
        let recorded = [true, false];
        let exact = |ratio| Accumulated::Compared {
            comparison: sample::comparison(false),
            ratio,
            by: ToleranceBy::Exact,
        };
        as_found(
            recorded,
            &[("q", missing()), ("y", noise(90.0, 9.0))],
            2,
            "further than a flip",
        );
        as_found(
            recorded,
            &[
                ("q", missing()),
                ("z", noise(1.0, 9.0)),
                ("y", noise(90.0, 9.0)),
            ],
            2,
            "not behind it",
        );
        as_found(
            recorded,
            &[
                ("q", missing()),
                ("y", noise(90.0, 9.0)),
                ("held", noise(1.0, 0.5)),
            ],
            2,
            "within its floor",
        );
        as_found(
            recorded,
            &[
                ("q", missing()),
                ("y", noise(90.0, 9.0)),
                ("held", exact(9.0)),
            ],
            2,
            "held against bits",
        );
        as_found(
            recorded,
            &[("q", missing()), ("y", noise(0.5, 0.5))],
            0,
            "nothing is over",
        );
        as_found(
            recorded,
            &[("y", noise(1.0, 9.0))],
            0,
            "the decision is recorded",
        );
        as_found(
            recorded,
            &[("c", missing()), ("y", noise(1.0, 9.0))],
            0,
            "a constant alone",
        );
        as_found(
            recorded,
            &[("p", missing()), ("cut", noise(1.0, 9.0))],
            0,
            "a float decides nothing",
        );
        as_found(
            [true, true],
            &[("q", missing()), ("y", noise(1.0, 9.0))],
            0,
            "both sides compute",
        );
    }
}
