//! infer: what a shape inference is asked and what it says: dtypes and shapes that follow from those of the inputs, never from their values.
//!
//! Small integers among the inputs are the same in every engine, and stand for themselves: a sampling rate may decide a shape.

use super::Graph;
use super::memory::Known;
use crate::tensor::{DType, Tensor};
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};

/// Elements of a tensor whose values may tell a shape.
const SMALL: usize = 64;

/// Whether the values of `t` may tell a shape.
pub fn is_small(t: &Tensor) -> bool {
    t.numel() <= SMALL
}

/// What a tensor will be, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub dtype: DType,
    /// None where it depends on values, or nobody can tell.
    pub shape: Option<Vec<usize>>,
}

impl Expected {
    pub fn of(t: &Tensor) -> Self {
        Self {
            dtype: t.dtype(),
            shape: Some(t.shape().to_vec()),
        }
    }
}

/// Tells the tensors of a graph from what its inputs are; says nothing where it cannot.
pub type Infer<'a> = &'a dyn Fn(&Graph, &IndexMap<String, Expected>) -> HashMap<String, Expected>;

/// Every tensor of `graph` whose shape can be told, inputs and weights included.
pub fn known(
    graph: &Graph,
    inputs: &IndexMap<String, Tensor>,
    infer: Infer,
) -> HashMap<String, Known> {
    let whole = |(n, e): (String, Expected)| {
        e.shape.map(|shape| {
            (
                n,
                Known {
                    dtype: e.dtype,
                    shape,
                },
            )
        })
    };
    told(graph.clone(), inputs, infer)
        .into_iter()
        .filter_map(whole)
        .collect()
}

/// What can be told of all that `names` depend on, from that part of the graph alone.
pub fn around(
    graph: &Graph,
    inputs: &IndexMap<String, Tensor>,
    names: &[String],
    infer: Infer,
) -> HashMap<String, Expected> {
    let produced = graph.producers();
    let wanted: Vec<String> = names
        .iter()
        .filter(|n| produced.contains_key(n.as_str()))
        .cloned()
        .collect();
    let steps = graph.ancestors(&wanted).unwrap_or_default();
    let steps: Vec<_> = graph
        .steps
        .iter()
        .enumerate()
        .filter(|(i, _)| steps.contains(i))
        .map(|(_, s)| s.clone())
        .collect();
    let taken: HashSet<&String> = steps.iter().flat_map(|s| &s.inputs).chain(names).collect();
    let weights = graph
        .weights
        .iter()
        .filter(|(n, _)| taken.contains(n))
        .map(|(n, t)| (n.clone(), t.clone()))
        .collect();
    let inputs = inputs
        .iter()
        .filter(|(n, _)| taken.contains(n))
        .map(|(n, t)| (n.clone(), t.clone()))
        .collect();
    let part = Graph {
        weights,
        steps,
        file: None,
        drawn: HashSet::new(),
        ..graph.clone()
    };
    told(part, &inputs, infer)
}

fn told(
    mut graph: Graph,
    inputs: &IndexMap<String, Tensor>,
    infer: Infer,
) -> HashMap<String, Expected> {
    let (small, fed): (Vec<_>, Vec<_>) = inputs
        .iter()
        .partition(|(_, t)| is_small(t) && !t.dtype().is_float());
    graph
        .weights
        .extend(small.iter().map(|(n, t)| (n.to_string(), (*t).clone())));
    let declared: IndexMap<String, Expected> = fed
        .into_iter()
        .map(|(n, t)| (n.clone(), Expected::of(t)))
        .collect();
    let mut all = if graph.steps.is_empty() {
        HashMap::new()
    } else {
        infer(&graph, &declared)
    };
    all.extend(
        graph
            .weights
            .iter()
            .map(|(n, t)| (n.clone(), Expected::of(t))),
    );
    all.extend(declared);
    all
}
