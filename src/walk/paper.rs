//! paper: a few operators that tests of the walks can work out by hand: their graphs, their f64 judge, and two sides that compute nothing.

use super::isolated::Kinship;
use super::live_set::LiveSet;
use super::sessions::Sessions;
use super::third::Third;
use crate::error::{Error, Result};
use crate::floor::{Alone, Family, Rounding};
use crate::graph::Graph;
use crate::graph::cut::Link;
pub use crate::graph::paper::{floats, graph, integers, step};
use crate::prepare::unsupported::Unsupported;
use crate::subject::{Feed, Judge, Output, Session};
use crate::tensor::Tensor;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Tensors by name.
pub fn values(named: &[(&str, Tensor)]) -> LiveSet {
    let mut values = LiveSet::default();
    named
        .iter()
        .for_each(|(name, tensor)| values.put(name, tensor.clone()));
    values
}

/// The operators in f64. Those that round to whole numbers differ in what [`Alone`] says of them; "Blurred" is off by a hundredth before it does.
pub struct Paper(pub Arc<Graph>);

impl Paper {
    fn taken(&self, step: usize, feed: Feed) -> Result<Vec<Tensor>> {
        let at = |n: &String| {
            feed(n)
                .or_else(|| self.0.weights.get(n).cloned())
                .ok_or_else(|| Error::failed(format!("'{n}' is not fed")))
        };
        self.0.steps[step].inputs.iter().map(at).collect()
    }
}

/// What an operator gives, with the rounding of each output.
fn give(op: &str, inputs: &[Tensor]) -> Result<Vec<(Tensor, Rounding)>> {
    let x = inputs.first().map_or(vec![], Tensor::to_f64);
    let shape = inputs.first().map_or(&[1][..], Tensor::shape);
    let sum = |terms: Vec<f64>| {
        let scale = Tensor::from_vec(shape, terms.iter().map(|v| v.abs()).collect());
        (
            Tensor::from_vec(shape, terms),
            Rounding::Within {
                family: Family::Arithmetic,
                scale,
                terms: 1,
            },
        )
    };
    let whole = |alone| {
        (
            Tensor::from_vec(shape, x.iter().map(|v| v.round() as i64).collect()),
            Rounding::Decision(alone),
        )
    };
    let moved = || inputs.first().map_or_else(|| floats(&[0.0]), wide);
    Ok(match op {
        "Double" => vec![sum(x.iter().map(|v| 2.0 * v).collect())],
        "Add" => vec![sum((0..x.len())
            .map(|i| inputs.iter().map(|t| t.to_f64()[i]).sum())
            .collect())],
        "Round" | "QuantizeLinear" => vec![whole(Alone::Function)],
        "Blurred" => vec![whole(Alone::Rounds)],
        "NonMaxSuppression" => vec![whole(Alone::Order)],
        "Both" => vec![
            sum(x.iter().map(|v| 2.0 * v).collect()),
            whole(Alone::Function),
        ],
        "Largest" => vec![(
            Tensor::from_vec(&[1], vec![x.iter().copied().fold(f64::MIN, f64::max)]),
            Rounding::Selection(Alone::Rounds),
        )],
        "Identity" | "Reshape" | "Transpose" | "Cast" | "Window" => {
            vec![(moved(), Rounding::Exact)]
        }
        _ => return Err(Error::failed(format!("no operator {op}"))),
    })
}

fn wide(t: &Tensor) -> Tensor {
    if t.dtype().is_float() {
        Tensor::from_vec(t.shape(), t.to_f64())
    } else {
        t.clone()
    }
}

impl Judge for Paper {
    fn graph(&self) -> &Graph {
        &self.0
    }

    fn eval(&mut self, step: usize, feed: Feed) -> Result<Vec<Tensor>> {
        let given = give(self.0.steps[step].op(), &self.taken(step, feed)?)?;
        Ok(given.into_iter().map(|(value, _)| value).collect())
    }

    fn decides(&self, step: usize) -> bool {
        [
            "Round",
            "QuantizeLinear",
            "Blurred",
            "NonMaxSuppression",
            "Both",
            "Refuses",
        ]
        .contains(&self.0.steps[step].op())
    }

    fn selects(&self, step: usize) -> bool {
        self.0.steps[step].op() == "Largest"
    }

    fn rounding(&mut self, step: usize, feed: Feed, _outputs: &[Tensor]) -> Result<Vec<Rounding>> {
        let given = give(self.0.steps[step].op(), &self.taken(step, feed)?)?;
        Ok(given.into_iter().map(|(_, rounding)| rounding).collect())
    }

    /// The distance of the first input from the half that lies between two whole numbers; "Window" leaves open what it makes of NaN.
    fn margin(
        &mut self,
        step: usize,
        feed: Feed,
        index: usize,
        reference: &Tensor,
        candidate: &Tensor,
    ) -> Result<Option<f64>> {
        let x = self.taken(step, feed)?.remove(0).to_f64();
        let blur = match (self.0.steps[step].op(), index) {
            ("Round" | "QuantizeLinear", 0) | ("Both", 1) => 0.0,
            ("Blurred", 0) => 0.01,
            ("Window", 0) if x.iter().any(|v| v.is_nan()) => return Ok(Some(f64::NAN)),
            ("NonMaxSuppression", 0) => return Ok(Some(f64::INFINITY)),
            _ => return Ok(None),
        };
        let sides = reference.to_f64().into_iter().zip(candidate.to_f64());
        let border = |v: f64| ((v - v.floor() - 0.5).abs() - blur).max(0.0);
        let differing: Vec<f64> = x
            .into_iter()
            .zip(sides)
            .filter(|(_, (r, c))| r != c)
            .map(|(v, _)| v)
            .collect();
        let told = !differing.iter().any(|v| v.is_nan());
        Ok(Some(if told {
            differing.into_iter().map(border).fold(0.0, f64::max)
        } else {
            f64::NAN
        }))
    }
}

/// A side that is asked for nothing: it computes, or was recorded with these digests of its inputs.
pub struct Side {
    pub live: bool,
    pub recorded: BTreeMap<String, String>,
    pub leftovers: Vec<String>,
}

impl Session for Side {
    fn tensors(&mut self, _: &[&str], _: Link, _: Feed) -> Result<Vec<Output>> {
        Err(Error::failed("nothing is computed on paper"))
    }

    fn can_isolate(&self) -> bool {
        self.live
    }

    fn recorded_inputs(&self) -> BTreeMap<String, String> {
        self.recorded.clone()
    }

    fn leftovers(&self) -> Vec<String> {
        self.leftovers.clone()
    }
}

/// Both sides on paper, live or recorded, with the f64 judge.
pub fn sessions<'a>(
    graph: &'a Arc<Graph>,
    inputs: &'a IndexMap<String, Tensor>,
    live: [bool; 2],
) -> Sessions<'a> {
    let [reference, candidate] = live.map(|live| {
        Box::new(Side {
            live,
            recorded: BTreeMap::new(),
            leftovers: vec![],
        }) as Box<dyn Session>
    });
    Sessions {
        graph,
        inputs,
        reference,
        candidate,
        judge: Some(Box::new(Paper(graph.clone()))),
        stated: None,
        kinship: Kinship::default(),
        controls: vec![],
        faulty: vec![],
        golden: None,
        record: None,
        unsupported: Unsupported::default(),
        third: Third::Nobody,
        threads: 1,
    }
}
