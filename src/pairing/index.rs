//! index: one side as the pairing asks for it: who makes what, who takes it, and what it looks like.

use super::sketch::Sketch;
use super::weights::Held;
use crate::graph::known::constant_steps;
use crate::graph::{Graph, Node};
use crate::tensor::Tensor;
use std::collections::{HashMap, HashSet};

/// A graph and what it gives on the inputs that both sides are fed.
pub struct Side<'a> {
    pub graph: &'a Graph,
    pub values: &'a HashMap<String, Tensor>,
    /// Whether it is a recording: what that does not hold is no tensor of it, and constants of functions are not among their inputs.
    pub is_recorded: bool,
}

/// The same, indexed.
pub(super) struct Index<'a> {
    pub graph: &'a Graph,
    pub values: &'a HashMap<String, Tensor>,
    /// What the inputs decide, in executable order.
    pub order: Vec<&'a str>,
    /// Place in the order.
    pub at: HashMap<&'a str, usize>,
    pub made: HashMap<&'a str, usize>,
    /// (step, slot) of whoever takes a tensor.
    pub taken: HashMap<&'a str, Vec<(usize, usize)>>,
    pub sketches: HashMap<&'a str, Sketch>,
    /// What each step holds.
    pub held: Vec<Held>,
    pub is_recorded: bool,
}

impl<'a> Index<'a> {
    pub fn of(side: &Side<'a>) -> Self {
        let graph = side.graph;
        let constant = constant_steps(graph);
        let moving = graph.steps.iter().enumerate();
        let moving = moving.filter(|(i, _)| !constant.contains(i));
        let made = moving
            .flat_map(|(_, step)| &step.outputs)
            .map(String::as_str);
        let inputs = graph.inputs.iter().map(|p| p.name.as_str());
        let order: Vec<&str> = inputs.chain(made).collect();
        let sketch = |name: &&'a str| Some((*name, Sketch::of(side.values.get(*name)?)?));
        let mut taken: HashMap<&str, Vec<(usize, usize)>> = HashMap::new();
        for i in 0..graph.steps.len() {
            for (slot, name) in first(graph, i).inputs.iter().enumerate() {
                taken.entry(name).or_default().push((i, slot));
            }
        }
        let mut index = Self {
            held: vec![],
            is_recorded: side.is_recorded,
            graph,
            values: side.values,
            at: order.iter().enumerate().map(|(i, n)| (*n, i)).collect(),
            sketches: order.iter().filter_map(sketch).collect(),
            made: graph.producers(),
            order,
            taken,
        };
        let steps = 0..graph.steps.len();
        index.held = steps.map(|step| Held::of(&index.fixed(step))).collect();
        index
    }

    /// The node that a step is called after.
    pub fn node(&self, step: usize) -> &'a Node {
        first(self.graph, step)
    }

    pub fn shape(&self, name: &str) -> Option<&'a [usize]> {
        self.values.get(name).map(Tensor::shape)
    }

    /// Those that could have a partner.
    pub fn tensors(&self) -> impl Iterator<Item = &'a str> {
        let held = |name: &&'a str| !self.is_recorded || self.values.contains_key(*name);
        self.order.iter().copied().filter(held)
    }

    /// Whether the inputs decide the tensor.
    pub fn moves(&self, name: &str) -> bool {
        self.at.contains_key(name)
    }

    /// A tensor that is stored or computed.
    pub fn value(&self, name: &str) -> Option<&'a Tensor> {
        self.graph
            .weights
            .get(name)
            .or_else(|| self.values.get(name))
    }

    /// Those that a step takes and that are fixed: weights, and what is computed from them alone.
    fn fixed(&self, step: usize) -> Vec<&'a Tensor> {
        let node = self.node(step);
        let names: HashSet<&String> = node.inputs.iter().filter(|n| !self.moves(n)).collect();
        let mut all: Vec<_> = names.into_iter().collect();
        all.sort();
        all.into_iter().filter_map(|n| self.value(n)).collect()
    }
}

fn first(graph: &Graph, step: usize) -> &Node {
    &graph.steps[step].nodes[0]
}
