//! decided: a declared output that the deployed session gives otherwise: which decision gives it, and how near its border the same subject's
//! observed inputs lie.
//!
//! An optimiser may move the floats in front of a decision by rounding, and the decision with them, where the border is that near. Nothing of the
//! deployed session but its declared outputs is seen, so this can be told of decisions that a declared output shows: what lies further behind is
//! undecided.

use super::decision::decides;
use super::plan;
use crate::compare::Comparison;
use crate::error::Result;
use crate::floor::Alone;
use crate::floor::noise::{Floor, R};
use crate::graph::{Attribute, Graph, Step};
use crate::judge::{Limit, against};
use crate::subject::Judge;
use crate::tensor::Tensor;
use crate::tensor::index::unravel;
use crate::verdict::{Judgement, Why};
use std::collections::{HashMap, HashSet};

/// Operators that hand on the values of their first input, in another shape or order; casts do where the values are a decision's own.
const MOVES: [&str; 7] = ["Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Cast"];

/// What decides an output.
#[derive(Clone, Debug, PartialEq)]
pub enum Decided {
    /// A step, which the floats `parents` are in front of; `margin` is the distance of the observed inputs from the border between both
    /// decisions, at the differing element where it is largest.
    By { step: usize, margin: f64, parents: Vec<String> },
    /// A decision that is not shown: the step that gives the output works on it, or its border cannot be told.
    Unseen { node: String },
}

impl Decided {
    /// The judgement of a difference; the floors are those of the floats in front.
    pub fn judged<'f>(&self, comparison: &Comparison, floor: &dyn Fn(&str) -> Option<&'f Floor>) -> Judgement {
        let exact = |proved| against(comparison, Limit::Exact { proved });
        let not_judged = |why| if exact(None).over() && comparison.metrics().is_some() { Judgement::NotJudged(why) } else { exact(None) };
        let (margin, parents) = match self {
            Decided::By { margin, parents, .. } => (*margin, parents),
            Decided::Unseen { node } => return not_judged(undecided(node)),
        };
        let spread = parents.iter().filter_map(|p| floor(p)).flat_map(|f| &f.max).fold(0.0, |a: f64, b| a.max(*b));
        match spread.is_finite() {
            true if spread > 0.0 && margin <= R * spread => exact(comparison.metrics().map(|m| m.mismatches)),
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
    let Some(judge) = judge else { return HashSet::new() };
    let trails = graph.outputs.iter().map(|p| trail(graph, &p.name));
    trails.filter(|t| t.iter().any(|step| judge.decides(*step))).flatten().collect()
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
    pub lacking: &'a HashSet<usize>,
}

impl Asked<'_> {
    /// What decides the output; None where nothing does that rounding could flip.
    pub fn decided(&self, judge: &mut dyn Judge) -> Result<Option<Decided>> {
        let trail = trail(self.graph, self.name);
        // The first to decide is the one: casts behind it only move what it gave.
        for (at, &step) in trail.iter().enumerate().rev() {
            let name = if at == 0 { self.name } else { self.graph.steps[trail[at - 1]].inputs[0].as_str() };
            if let Some(alone) = self.decides(judge, step, name)? {
                return self.by(judge, &trail[..at], step, name, alone).map(Some);
            }
        }
        Ok(self.unseen(judge).filter(|_| !self.observed.dtype().is_float()).map(|node| Decided::Unseen { node }))
    }

    /// How `step` decides its output `name`, on what the subject observed.
    fn decides(&self, judge: &mut dyn Judge, step: usize, name: &str) -> Result<Option<Alone>> {
        let the_step = &self.graph.steps[step];
        let at_hand = the_step.inputs.iter().all(|n| self.took.contains_key(n) || self.graph.weights.contains_key(n));
        if !at_hand || self.lacking.contains(&step) || !judge.decides(step) {
            return Ok(None);
        }
        let feed = |n: &str| self.took.get(n).cloned();
        let shadow = judge.eval(step, &feed)?;
        let index = the_step.outputs.iter().position(|o| o == name);
        Ok(index.and_then(|i| decides(&judge.rounding(step, &feed, &shadow).ok()?[i])))
    }

    /// The decision of `step`, which gives `name`; `moves` lie between it and the output.
    fn by(&self, judge: &mut dyn Judge, moves: &[usize], step: usize, name: &str, alone: Alone) -> Result<Decided> {
        let the_step = &self.graph.steps[step];
        let index = the_step.outputs.iter().position(|o| o == name).unwrap_or(0);
        let mut deployed = Some(self.deployed.clone());
        for &at in moves {
            let step = &self.graph.steps[at];
            deployed = self.took.get(&step.inputs[0]).zip(deployed).and_then(|(input, value)| back(step, &value, input));
        }
        let observed = if moves.is_empty() { Some(self.observed) } else { self.took.get(name) };
        let feed = |n: &str| self.took.get(n).cloned();
        let margin = match observed.zip(deployed).filter(|(o, d)| o.shape() == d.shape() && o.dtype() == d.dtype()) {
            Some((observed, deployed)) => judge.margin(step, &feed, index, observed, &deployed)?,
            None => None,
        };
        let known = plan::known(self.graph);
        let float = |n: &&String| self.took.get(*n).is_some_and(|t| t.dtype().is_float()) && !known.contains(n.as_str());
        let parents: Vec<String> = the_step.inputs.iter().filter(float).cloned().collect();
        let margin = margin.filter(|m| !m.is_nan()).unwrap_or(f64::INFINITY);
        // Suppression has no border that could be told.
        let untold = margin.is_infinite() && alone == Alone::Order && !parents.is_empty();
        Ok(if untold { Decided::Unseen { node: the_step.name.clone() } } else { Decided::By { step, margin, parents } })
    }

    /// A decision on floats in front of the output.
    fn unseen(&self, judge: &dyn Judge) -> Option<String> {
        let known = plan::known(self.graph);
        let steps = self.graph.ancestors(&[self.name.to_string()]).ok()?;
        let moved = |n: &String| !known.contains(n.as_str()) && self.took.get(n).is_none_or(|t| t.dtype().is_float());
        let flips = |i: &usize| self.graph.steps[*i].inputs.iter().any(moved) && (judge.decides(*i) || self.lacking.contains(i));
        steps.into_iter().filter(flips).min().map(|i| self.graph.steps[i].name.clone())
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
        Some(Attribute::Ints(perm)) => perm.iter().map(|p| usize::try_from(*p).ok()).collect::<Option<_>>()?,
        _ => (0..rank).rev().collect(),
    };
    let fits = order.len() == rank && order.iter().zip(value.shape()).all(|(p, d)| input.shape().get(*p) == Some(d));
    let (size, mut bytes) = (value.dtype().size(), vec![0; value.bytes().len()]);
    for (flat, element) in value.bytes().chunks(size).enumerate().filter(|_| fits) {
        let place = unravel(flat, value.shape());
        let at = (0..rank).fold(0, |at, d| at * input.shape()[d] + order.iter().position(|p| *p == d).map_or(0, |i| place[i]));
        bytes[at * size..][..size].copy_from_slice(element);
    }
    Tensor::from_bytes(value.dtype(), input.shape().to_vec(), &bytes).ok().filter(|_| fits)
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
    use super::*;
    use crate::compare::compare;
    use crate::graph::Node;

    fn step(op: &str, perm: Option<Vec<i64>>) -> Step {
        let attributes = perm.map(|p| ("perm".to_string(), Attribute::Ints(p))).into_iter().collect();
        let (inputs, outputs) = (vec!["x".to_string()], vec!["y".to_string()]);
        Step::of(Node { name: "n".into(), op: op.into(), domain: String::new(), inputs, outputs, attributes })
    }

    #[test]
    fn what_moved_data_is_gone_back_through() {
        let input = Tensor::of(&[2, 3], &[0i64; 6]);
        let value = Tensor::of(&[3, 2], &[1i64, 4, 2, 5, 3, 6]);
        let rows = Tensor::of(&[2, 3], &[1i64, 2, 3, 4, 5, 6]);
        for perm in [None, Some(vec![1, 0])] {
            assert_eq!(back(&step("Transpose", perm), &value, &input).unwrap().bytes(), rows.bytes());
        }
        let same = back(&step("Reshape", None), &value, &input).unwrap();
        assert_eq!((same.shape(), same.bytes()), (&[2, 3][..], value.bytes()));
        assert!(back(&step("Transpose", Some(vec![0, 1])), &value, &input).is_none(), "of another shape");
        assert!(back(&step("Reshape", None), &value, &Tensor::of(&[5], &[0i64; 5])).is_none());
        let narrow = Tensor::of(&[2], &[0u8; 2]);
        assert_eq!(back(&step("Cast", None), &Tensor::of(&[2], &[3i64, 255]), &narrow).unwrap().bytes(), [3, 255]);
        assert!(back(&step("Cast", None), &Tensor::of(&[2], &[3i64, 256]), &narrow).is_none(), "no value of that dtype");
    }

    #[test]
    fn a_flip_is_a_tie_only_where_what_lies_in_front_moves_that_far() {
        let floor = |max: f64| Floor { axis: None, max: vec![max], rms: vec![max], runs: 4 };
        let by = |margin: f64| Decided::By { step: 0, margin, parents: vec!["p".into()] };
        let of = |values: [i64; 3]| compare(Tensor::of(&[3], &[1i64, 2, 3]).view(), Tensor::of(&[3], &values).view(), None);
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
            assert_eq!(by(margin).judged(&moved, &|_| Some(&floor)), want, "{margin} {spread}");
        }
        assert_eq!(by(0.0).judged(&moved, &|_| None), over, "nothing is known to move");
        let wide = floor(1.0);
        let unseen = Decided::Unseen { node: "n".into() };
        assert!(matches!(unseen.judged(&moved, &|_| Some(&wide)), Judgement::NotJudged(Why::Undecided(_))));
        for decided in [by(f64::INFINITY), unseen] {
            assert_eq!(decided.judged(&of([1, 2, 3]), &|_| Some(&wide)), Judgement::Within(0.0), "nothing differs");
        }
    }
}
