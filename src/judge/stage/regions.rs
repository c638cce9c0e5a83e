//! regions: which stage and which loss term a node of a training graph belongs to.

use crate::error::Result;
use crate::graph::Graph;
use crate::scenario::Stage;
use crate::scenario::training::{ASSIGNED, PREDICTIONS, Training, losses, raw};
use std::collections::{HashMap, HashSet};

/// Stage and terms of every step, by step index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    stages: Vec<Stage>,
    terms: Vec<Vec<&'static str>>,
    /// Every term of the loss, in its order.
    all: Vec<&'static str>,
    /// The step of every node and of every tensor.
    places: HashMap<String, usize>,
}

impl Regions {
    /// What the predictions depend on is the network; what the assignment depends on besides is the assigner; the rest of what the
    /// losses depend on is the loss.
    ///
    /// # Errors
    /// A tensor that the graph does not have.
    pub fn of(graph: &Graph, training: &Training, all: &[&'static str]) -> Result<Self> {
        let network = above(graph, training, PREDICTIONS)?;
        let assign = above(graph, training, ASSIGNED)?;
        let loss = above(graph, training, losses(all))?;
        let of_term = |t: &&str| above(graph, training, [raw(t)]);
        let terms = all.iter().map(of_term).collect::<Result<Vec<_>>>()?;
        let stage = |i: &usize| match (network.contains(i), assign.contains(i), loss.contains(i)) {
            (true, _, _) | (_, false, false) => Stage::Activations,
            (_, true, _) => Stage::Assign,
            (_, _, true) => Stage::Loss,
        };
        let steps = 0..graph.steps.len();
        let stages: Vec<Stage> = steps.clone().map(|i| stage(&i)).collect();
        let belongs =
            |i: usize, term: &HashSet<usize>| stages[i] == Stage::Loss && term.contains(&i);
        let named = |i: usize| {
            let both = all.iter().zip(&terms);
            both.filter(|(_, t)| belongs(i, t))
                .map(|(n, _)| *n)
                .collect()
        };
        let names = |i: usize| {
            graph.steps[i]
                .outputs
                .iter()
                .chain([&graph.steps[i].name])
                .map(move |n| (n.clone(), i))
        };
        Ok(Self {
            terms: steps.clone().map(named).collect(),
            places: steps.flat_map(names).collect(),
            stages,
            all: all.to_vec(),
        })
    }

    /// The step of a node or a tensor; None without a training side.
    pub fn step(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// The stage of step `i`; without a training side every step is of the activations.
    pub fn stage(&self, i: usize) -> Stage {
        self.stages.get(i).copied().unwrap_or(Stage::Activations)
    }

    /// The terms that step `i` of the loss belongs to; empty elsewhere, and where the terms are put together.
    pub fn terms(&self, i: usize) -> &[&'static str] {
        self.terms.get(i).map_or(&[], Vec::as_slice)
    }

    /// Every term of the loss, in its order; empty without a training side.
    pub fn all_terms(&self) -> &[&'static str] {
        &self.all
    }

    /// The steps of assigner and loss, in executable order.
    pub fn training_steps(&self) -> Vec<usize> {
        (0..self.stages.len())
            .filter(|i| matches!(self.stages[*i], Stage::Assign | Stage::Loss))
            .collect()
    }
}

/// Steps that the tensors of these standard names depend on; graph inputs depend on none.
fn above<N: AsRef<str>>(
    graph: &Graph,
    training: &Training,
    names: impl IntoIterator<Item = N>,
) -> Result<HashSet<usize>> {
    let input = |n: &str| graph.inputs.iter().any(|p| p.name == n);
    let names = names
        .into_iter()
        .map(|n| training.name(n.as_ref()).to_string())
        .filter(|n| !input(n))
        .collect::<Vec<_>>();
    graph.ancestors(&names)
}
