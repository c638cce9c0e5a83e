//! decided: a declared output that the deployed session gives otherwise: which decision gives it, and how near its border the same subject's
//! observed inputs lie.
//!
//! An optimiser may move the floats in front of a decision by rounding, and the decision with them, where the border is that near. Nothing of the
//! deployed session but its declared outputs is seen, so this can be told of decisions that a declared output shows: what lies further behind is
//! undecided.

use super::decision::decides;
use crate::compare::Comparison;
use crate::error::Result;
use crate::floor::Alone;
use crate::floor::noise::{Floor, R};
use crate::graph::known::known;
use crate::graph::{Attribute, Graph, Step};
use crate::judge::{Limit, against};
use crate::subject::Judge;
use crate::tensor::Tensor;
use crate::tensor::index::unravel;
use crate::verdict::{Judgement, Why};
use std::collections::{HashMap, HashSet};

/// Operators that hand on the values of their first input, in another shape or order; casts do where the values are a decision's own.
const MOVES: [&str; 7] = [
    "Identity",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Transpose",
    "Cast",
];

/// What decides an output.
#[derive(Clone, Debug, PartialEq)]
pub enum Decided {
    /// A step, which the floats `parents` are in front of; `margin` is the distance of the observed inputs from the border between both
    /// decisions, at the differing element where it is largest.
    By {
        step: usize,
        margin: f64,
        parents: Vec<String>,
    },
    /// A decision that is not shown: the step that gives the output works on it, or its border cannot be told.
    Unseen { node: String },
}

impl Decided {
    /// The judgement of a difference; the floors are those of the floats in front.
    pub fn judged<'f>(
        &self,
        comparison: &Comparison,
        floor: &dyn Fn(&str) -> Option<&'f Floor>,
    ) -> Judgement {
        let exact = |proved| against(comparison, Limit::Exact { proved });
        let not_judged = |why| {
            if exact(None).over() && comparison.metrics().is_some() {
                Judgement::NotJudged(why)
            } else {
                exact(None)
            }
        };
        let (margin, parents) = match self {
            Decided::By {
                margin, parents, ..
            } => (*margin, parents),
            Decided::Unseen { node } => return not_judged(undecided(node)),
        };
        let spread = parents
            .iter()
            .filter_map(|p| floor(p))
            .flat_map(|f| &f.max)
            .fold(0.0, |a: f64, b| a.max(*b));
        match spread.is_finite() {
            true if spread > 0.0 && margin <= R * spread => {
                exact(comparison.metrics().map(|m| m.mismatches))
            }
            true => exact(None),
            false => not_judged(Why::OpenFloor),
        }
    }
}

fn undecided(node: &str) -> Why {
    Why::Undecided(format!(
        "behind the decision at '{node}', which rounding can flip and the deployed session does not show; declare its output to have it judged"
    ))
}

/// The steps that the values of `output` come through, from the output back: data movement, and at the end what computes them.
fn trail(graph: &Graph, output: &str) -> Vec<usize> {
    let producers = graph.producers();
    let (mut trail, mut name) = (Vec::new(), output);
    while let Some(&at) = producers.get(name) {
        trail.push(at);
        let step = &graph.steps[at];
        match step.inputs.first() {
            Some(input) if MOVES.contains(&step.op()) => name = input,
            _ => break,
        }
    }
    trail
}

/// Steps whose inputs are needed once the deployed outputs are known: those by which declared outputs are decided.
pub fn kept(graph: &Graph, judge: Option<&dyn Judge>) -> HashSet<usize> {
    let Some(judge) = judge else {
        return HashSet::new();
    };
    let trails = graph.outputs.iter().map(|p| trail(graph, &p.name));
    trails
        .filter(|t| t.iter().any(|step| judge.decides(*step)))
        .flatten()
        .collect()
}

/// What is asked about: an output of one subject, deployed and observed.
pub struct Asked<'a> {
    pub graph: &'a Graph,
    pub name: &'a str,
    pub observed: &'a Tensor,
    pub deployed: &'a Tensor,
    /// What the subject's own steps took when they were observed, as far as [`kept`] asks for it.
    pub took: &'a HashMap<String, Tensor>,
    /// Steps that f64 cannot compute.
    pub unsupported: &'a HashSet<usize>,
}

impl Asked<'_> {
    /// What decides the output; None where nothing does that rounding could flip.
    pub fn decided(&self, judge: &mut dyn Judge) -> Result<Option<Decided>> {
        let trail = trail(self.graph, self.name);
        // The first to decide is the one: casts behind it only move what it gave.
        for (at, &step) in trail.iter().enumerate().rev() {
            let name = if at == 0 {
                self.name
            } else {
                self.graph.steps[trail[at - 1]].inputs[0].as_str()
            };
            if let Some(alone) = self.decides(judge, step, name)? {
                return self.by(judge, &trail[..at], step, name, alone).map(Some);
            }
        }
        Ok(self
            .unseen(judge)
            .filter(|_| !self.observed.dtype().is_float())
            .map(|node| Decided::Unseen { node }))
    }

    /// How `step` decides its output `name`, on what the subject observed.
    fn decides(&self, judge: &mut dyn Judge, step: usize, name: &str) -> Result<Option<Alone>> {
        let the_step = &self.graph.steps[step];
        let at_hand = the_step
            .inputs
            .iter()
            .all(|n| self.took.contains_key(n) || self.graph.weights.contains_key(n));
        if !at_hand || self.unsupported.contains(&step) || !judge.decides(step) {
            return Ok(None);
        }
        let feed = |n: &str| self.took.get(n).cloned();
        let shadow = judge.eval(step, &feed)?;
        let index = the_step.outputs.iter().position(|o| o == name);
        Ok(index.and_then(|i| decides(&judge.rounding(step, &feed, &shadow).ok()?[i])))
    }

    /// The decision of `step`, which gives `name`; `moves` lie between it and the output.
    fn by(
        &self,
        judge: &mut dyn Judge,
        moves: &[usize],
        step: usize,
        name: &str,
        alone: Alone,
    ) -> Result<Decided> {
        let the_step = &self.graph.steps[step];
        let index = the_step.outputs.iter().position(|o| o == name).unwrap_or(0);
        let mut deployed = Some(self.deployed.clone());
        for &at in moves {
            let step = &self.graph.steps[at];
            deployed = self
                .took
                .get(&step.inputs[0])
                .zip(deployed)
                .and_then(|(input, value)| back(step, &value, input));
        }
        let observed = if moves.is_empty() {
            Some(self.observed)
        } else {
            self.took.get(name)
        };
        let feed = |n: &str| self.took.get(n).cloned();
        let margin = match observed
            .zip(deployed)
            .filter(|(o, d)| o.shape() == d.shape() && o.dtype() == d.dtype())
        {
            Some((observed, deployed)) => judge.margin(step, &feed, index, observed, &deployed)?,
            None => None,
        };
        let known = known(self.graph);
        let float = |n: &&String| {
            self.took.get(*n).is_some_and(|t| t.dtype().is_float()) && !known.contains(n.as_str())
        };
        let parents: Vec<String> = the_step.inputs.iter().filter(float).cloned().collect();
        let margin = margin.filter(|m| !m.is_nan()).unwrap_or(f64::INFINITY);
        // Suppression has no border that could be told.
        let untold = margin.is_infinite() && alone == Alone::Order && !parents.is_empty();
        Ok(if untold {
            Decided::Unseen {
                node: the_step.name.clone(),
            }
        } else {
            Decided::By {
                step,
                margin,
                parents,
            }
        })
    }

    /// A decision on floats in front of the output.
    fn unseen(&self, judge: &dyn Judge) -> Option<String> {
        let known = known(self.graph);
        let steps = self.graph.ancestors(&[self.name.to_string()]).ok()?;
        let moved = |n: &String| {
            !known.contains(n.as_str()) && self.took.get(n).is_none_or(|t| t.dtype().is_float())
        };
        let flips = |i: &usize| {
            self.graph.steps[*i].inputs.iter().any(moved)
                && (judge.decides(*i) || self.unsupported.contains(i))
        };
        steps
            .into_iter()
            .filter(flips)
            .min()
            .map(|i| self.graph.steps[i].name.clone())
    }
}

/// The value of the first input that `step`, which moves data, made `value` of; None where it cannot have made it of any.
fn back(step: &Step, value: &Tensor, input: &Tensor) -> Option<Tensor> {
    if value.numel() != input.numel() {
        return None;
    }
    match step.op() {
        "Cast" => {
            let numbers = value.to_f64();
            let cast = Tensor::from_f64(input.dtype(), input.shape(), &numbers).ok()?;
            (cast.to_f64() == numbers).then_some(cast)
        }
        "Transpose" => untransposed(step, value, input),
        _ => Tensor::from_bytes(value.dtype(), input.shape().to_vec(), value.bytes()).ok(),
    }
}

fn untransposed(step: &Step, value: &Tensor, input: &Tensor) -> Option<Tensor> {
    let rank = input.shape().len();
    let order: Vec<usize> = match step.nodes[0].attributes.get("perm") {
        Some(Attribute::Ints(perm)) => perm
            .iter()
            .map(|p| usize::try_from(*p).ok())
            .collect::<Option<_>>()?,
        _ => (0..rank).rev().collect(),
    };
    let fits = order.len() == rank
        && order
            .iter()
            .zip(value.shape())
            .all(|(p, d)| input.shape().get(*p) == Some(d));
    let (size, mut bytes) = (value.dtype().size(), vec![0; value.bytes().len()]);
    for (flat, element) in value.bytes().chunks(size).enumerate().filter(|_| fits) {
        let place = unravel(flat, value.shape());
        let at = (0..rank).fold(0, |at, d| {
            at * input.shape()[d] + order.iter().position(|p| *p == d).map_or(0, |i| place[i])
        });
        bytes[at * size..][..size].copy_from_slice(element);
    }
    Tensor::from_bytes(value.dtype(), input.shape().to_vec(), &bytes)
        .ok()
        .filter(|_| fits)
}

/// What the difference of an output that no decision gives is held against.
pub fn limit<'a>(float: bool, floor: Option<&'a Floor>) -> Limit<'a> {
    match floor {
        _ if !float => Limit::Exact { proved: None },
        Some(floor) => Limit::Spread(floor),
        None => Limit::Unknown("no noise floor"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::paper::{self, Paper, floats, integers};
    use super::*;
    use crate::compare::compare;
    use std::sync::Arc;

    fn step(op: &str, perm: Option<Vec<i64>>) -> Step {
        paper::step(&format!("n: {op} x -> y"), perm)
    }

    /// Decisions behind floats, data movement behind those, and what computes further.
    fn graph() -> Arc<Graph> {
        let nodes = [
            "same: Add x -> p",
            "round: Round p -> q",
            "flat: Identity q -> m",
            "cast: Cast m -> y",
            "both: Both p -> twice whole",
            "order: NonMaxSuppression p -> kept",
            "fed: NonMaxSuppression x -> fed",
            "several: Round p x q w -> several",
            "sum: Double q -> sum",
            "plain: Double p -> plain",
            "next: Double plain -> next",
            "known: Round x -> k",
            "again: Round k -> again",
            "last: Double again -> last",
        ];
        let mut graph = paper::graph(&["x"], &nodes, &["y", "whole", "plain"]);
        let weights = &mut Arc::make_mut(&mut graph).weights;
        weights.insert("w".into(), floats(&[1.0]));
        graph
    }

    #[test]
    fn an_output_is_followed_back_through_what_moves_data_to_what_computes_it() {
        let graph = graph();
        for (output, want) in [
            ("y", vec![3, 2, 1]),
            ("q", vec![1]),
            ("plain", vec![9]),
            ("x", vec![]),
        ] {
            assert_eq!(trail(&graph, output), want, "{output}");
        }
    }

    #[test]
    fn only_what_declared_decisions_come_through_is_kept() {
        let graph = graph();
        assert_eq!(
            kept(&graph, Some(&Paper(graph.clone()))),
            HashSet::from([3, 2, 1, 4])
        );
        assert_eq!(kept(&graph, None), HashSet::new());
    }

    /// What decides output `name`, which both runs give otherwise, where the subject took `took`; f64 has not what is `unsupported`.
    fn decided(
        name: &str,
        [observed, deployed]: [&Tensor; 2],
        took: &[(&str, Tensor)],
        unsupported: &[usize],
    ) -> Option<Decided> {
        let graph = graph();
        let took = took
            .iter()
            .map(|(n, t)| (n.to_string(), t.clone()))
            .collect();
        let unsupported = unsupported.iter().copied().collect();
        let asked = Asked {
            graph: &graph,
            name,
            observed,
            deployed,
            took: &took,
            unsupported: &unsupported,
        };
        asked.decided(&mut Paper(graph.clone())).unwrap()
    }

    #[test]
    fn what_decides_an_output_is_found_with_the_distance_of_the_border_and_the_floats_in_front() {
        let (p, q) = (("p", floats(&[0.625, 2.0])), ("q", integers(&[1, 2])));
        let (m, x) = (("m", integers(&[1, 2])), ("x", floats(&[0.625, 2.0])));
        let [is, was] = [integers(&[1, 2]), integers(&[0, 2])];
        let (int, short, float) = (
            Tensor::of(&[2], &[0i32, 2]),
            integers(&[0]),
            [floats(&[1.0, 2.0]), floats(&[0.0, 2.0])],
        );
        let (far, nan) = (f64::INFINITY, ("p", floats(&[f32::NAN, 2.0])));
        let by = |step, margin, parents: &[&str]| {
            Some(Decided::By {
                step,
                margin,
                parents: parents.iter().map(|p| p.to_string()).collect(),
            })
        };
        let unseen = |node: &str| Some(Decided::Unseen { node: node.into() });
        let all = [p.clone(), q.clone(), m.clone(), x.clone()];
        for (says, name, sides, took, unsupported, want) in [
            (
                "the step that gives it",
                "q",
                [&is, &was],
                &all[..],
                &[][..],
                by(1, 0.125, &["p"]),
            ),
            (
                "through what moves data",
                "m",
                [&is, &was],
                &all,
                &[],
                by(1, 0.125, &["p"]),
            ),
            (
                "through a cast of it",
                "y",
                [&float[0], &float[1]],
                &all,
                &[],
                by(1, 0.125, &["p"]),
            ),
            (
                "of the second output",
                "whole",
                [&is, &was],
                &all,
                &[],
                by(4, 0.125, &["p"]),
            ),
            (
                "of several inputs the floats that move",
                "several",
                [&is, &was],
                &all,
                &[],
                by(7, 0.125, &["p"]),
            ),
            (
                "no number on the border",
                "q",
                [&is, &was],
                &[nan],
                &[],
                by(1, far, &["p"]),
            ),
            (
                "of another dtype",
                "q",
                [&is, &int],
                &all,
                &[],
                by(1, far, &["p"]),
            ),
            (
                "of another shape",
                "q",
                [&is, &short],
                &all,
                &[],
                by(1, far, &["p"]),
            ),
            (
                "a border that nobody can tell",
                "kept",
                [&is, &was],
                &all,
                &[],
                unseen("order"),
            ),
            (
                "the same on what was fed",
                "fed",
                [&is, &was],
                &all,
                &[],
                by(6, far, &[]),
            ),
            (
                "what does not decide",
                "twice",
                [&float[0], &float[1]],
                &all,
                &[],
                None,
            ),
            (
                "floats that no decision gives",
                "plain",
                [&float[0], &float[1]],
                &all,
                &[],
                None,
            ),
            (
                "an integer behind a decision",
                "sum",
                [&is, &was],
                &all,
                &[],
                unseen("round"),
            ),
            (
                "a float behind a decision",
                "sum",
                [&float[0], &float[1]],
                &all,
                &[],
                None,
            ),
            (
                "an input was not kept",
                "q",
                [&is, &was],
                &[],
                &[],
                unseen("round"),
            ),
            (
                "f64 lacks it",
                "q",
                [&is, &was],
                &all,
                &[1],
                unseen("round"),
            ),
            (
                "an integer that nothing decides",
                "next",
                [&is, &was],
                &all,
                &[],
                None,
            ),
            (
                "an integer behind what f64 lacks",
                "next",
                [&is, &was],
                &all,
                &[9],
                unseen("plain"),
            ),
            (
                "a decision on what was fed",
                "last",
                [&is, &was],
                &[("k", integers(&[1, 2]))],
                &[],
                None,
            ),
            (
                "a decision on what nobody saw",
                "last",
                [&is, &was],
                &[],
                &[],
                unseen("again"),
            ),
        ] {
            assert_eq!(decided(name, sides, took, unsupported), want, "{says}");
        }
    }

    #[test]
    fn floats_have_a_floor_or_none_and_anything_else_must_be_equal() {
        let floor = Floor::default();
        assert!(matches!(limit(true, Some(&floor)), Limit::Spread(_)));
        assert!(matches!(
            limit(true, None),
            Limit::Unknown("no noise floor")
        ));
        for floor in [None, Some(&floor)] {
            assert!(matches!(limit(false, floor), Limit::Exact { proved: None }));
        }
    }

    #[test]
    fn what_moved_data_is_gone_back_through() {
        let input = Tensor::of(&[2, 3], &[0i64; 6]);
        let value = Tensor::of(&[3, 2], &[1i64, 4, 2, 5, 3, 6]);
        let rows = Tensor::of(&[2, 3], &[1i64, 2, 3, 4, 5, 6]);
        for perm in [None, Some(vec![1, 0])] {
            assert_eq!(
                back(&step("Transpose", perm), &value, &input)
                    .unwrap()
                    .bytes(),
                rows.bytes()
            );
        }
        let same = back(&step("Reshape", None), &value, &input).unwrap();
        assert_eq!((same.shape(), same.bytes()), (&[2, 3][..], value.bytes()));
        assert!(
            back(&step("Transpose", Some(vec![0, 1])), &value, &input).is_none(),
            "of another shape"
        );
        assert!(
            back(
                &step("Reshape", None),
                &value,
                &Tensor::of(&[5], &[0i64; 5])
            )
            .is_none()
        );
        let narrow = Tensor::of(&[2], &[0u8; 2]);
        assert_eq!(
            back(
                &step("Cast", None),
                &Tensor::of(&[2], &[3i64, 255]),
                &narrow
            )
            .unwrap()
            .bytes(),
            [3, 255]
        );
        assert!(
            back(
                &step("Cast", None),
                &Tensor::of(&[2], &[3i64, 256]),
                &narrow
            )
            .is_none(),
            "no value of that dtype"
        );
    }

    #[test]
    fn a_flip_is_a_tie_only_where_what_lies_in_front_moves_that_far() {
        let floor = |max: f64| Floor {
            axis: None,
            max: vec![max],
            rms: vec![max],
            runs: 4,
        };
        let by = |margin: f64| Decided::By {
            step: 0,
            margin,
            parents: vec!["p".into()],
        };
        let of = |values: [i64; 3]| {
            compare(
                Tensor::of(&[3], &[1i64, 2, 3]).view(),
                Tensor::of(&[3], &values).view(),
                None,
            )
        };
        let (moved, over) = (of([1, 3, 2]), Judgement::Over(f64::INFINITY));
        for (margin, spread, want) in [
            (3.9e-7, 1e-7, Judgement::Tie(2)),
            (4.1e-7, 1e-7, over.clone()),
            (0.0, 1e-7, Judgement::Tie(2)),
            (0.0, 0.0, over.clone()),
            (f64::INFINITY, 1e-7, over.clone()),
            (0.0, f64::INFINITY, Judgement::NotJudged(Why::OpenFloor)),
        ] {
            let floor = floor(spread);
            assert_eq!(
                by(margin).judged(&moved, &|_| Some(&floor)),
                want,
                "{margin} {spread}"
            );
        }
        assert_eq!(
            by(0.0).judged(&moved, &|_| None),
            over,
            "nothing is known to move"
        );
        let wide = floor(1.0);
        let unseen = Decided::Unseen { node: "n".into() };
        assert!(matches!(
            unseen.judged(&moved, &|_| Some(&wide)),
            Judgement::NotJudged(Why::Undecided(_))
        ));
        for decided in [by(f64::INFINITY), unseen] {
            assert_eq!(
                decided.judged(&of([1, 2, 3]), &|_| Some(&wide)),
                Judgement::Within(0.0),
                "nothing differs"
            );
        }
    }
}
