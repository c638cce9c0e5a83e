//! extract: one step apart from its graph: what it takes from the reference, and what both sides make of that; computed again up to there.

use super::live_set::{LiveSet, Release};
use crate::cause::fault;
use crate::error::{Error, Place, Result};
use crate::graph::Graph;
use crate::graph::cut::Link;
use crate::prepare::prepared::Prepared;
use crate::scenario::Scenario;
use crate::subject::{Engines, Output, Session};
use crate::tensor::Tensor;
use crate::verdict::Verdict;
use indexmap::IndexMap;
use std::collections::HashMap;
use std::sync::Arc;

/// One step and the values around it.
pub struct Extracted {
    pub graph: Arc<Graph>,
    pub step: usize,
    /// The reference's values that it takes; weights are the graph's.
    pub inputs: IndexMap<String, Tensor>,
    pub reference: IndexMap<String, Tensor>,
    /// On the same inputs, where the candidate can be run on them; else its own recorded values.
    pub candidate: IndexMap<String, Tensor>,
}

/// The tensor at which a single step can be taken out, or why there is none.
pub fn place(verdict: &Verdict) -> std::result::Result<&str, &'static str> {
    let origin = verdict.origins.first().map(|o| o.tensor.as_str());
    match origin.or(verdict.untested.first().map(String::as_str)) {
        Some(tensor) => Ok(tensor),
        None if verdict.first().is_none() => Err("nothing diverges"),
        None if verdict.drift.is_some() => {
            Err("no node is at fault alone: what drifts needs the whole network")
        }
        None if !verdict.only_unobserved.is_empty() => {
            Err("observed, every node agrees: it diverges only when several are optimised together")
        }
        None => Err("no node is at fault alone: a stage behind the activations diverges"),
    }
}

/// The step that produces `tensor`, with its values.
///
/// # Errors
/// A recording that lacks an input of the step; whatever the engines refuse.
pub fn run(scenario: &Scenario, engines: Engines, tensor: &str) -> Result<Extracted> {
    let prepared = Prepared::read(scenario)?;
    let graph = prepared.graph.clone();
    let step = graph
        .producers()
        .get(tensor)
        .copied()
        .ok_or_else(|| Error::failed(format!("the graph has no tensor '{tensor}'")))?;
    let (mut reference, mut candidate) = (
        fault::open(&scenario.reference, &graph, prepared.threads, engines)?,
        fault::open(&scenario.candidate, &graph, prepared.threads, engines)?,
    );
    let (own, outputs) = walked(&prepared, &mut *reference, step).at("reference")?;
    let taken = graph.steps[step]
        .inputs
        .iter()
        .filter(|n| !graph.weights.contains_key(*n));
    let inputs = taken
        .map(|n| {
            own.get(n)
                .map(|t| (n.clone(), t))
                .ok_or_else(|| lacks_input(&graph, step, n))
        })
        .collect::<Result<_>>()?;
    let link = if candidate.can_isolate() {
        Link::Isolated
    } else {
        Link::Connected
    };
    let theirs = candidate
        .eval(&graph, &[step], link, &|n| own.get(n))
        .at("candidate")?
        .remove(0);
    let (reference, candidate) = (named(&graph, step, outputs), named(&graph, step, theirs));
    Ok(Extracted {
        graph,
        step,
        inputs,
        reference,
        candidate,
    })
}

fn lacks_input(graph: &Graph, step: usize, name: &str) -> Error {
    Error::failed(format!(
        "node '{}': the reference's recording lacks its input '{name}'",
        graph.steps[step].name
    ))
    .next("record that tensor as well: a node alone needs all that it takes")
}

/// The reference's values that are alive at `step`, and what it makes of them; in the pieces of the run itself, for the same bits.
fn walked(
    prepared: &Prepared,
    session: &mut dyn Session,
    step: usize,
) -> Result<(LiveSet, Vec<Output>)> {
    let mut own = LiveSet::of(&prepared.inputs);
    let release = Release::of(&[&prepared.graph]);
    for piece in &prepared.plan.pieces {
        let outputs = session.eval(&prepared.graph, piece, Link::Connected, &|n| own.get(n))?;
        for (i, values) in piece.iter().zip(&outputs) {
            for (name, value) in prepared.graph.steps[*i].outputs.iter().zip(values) {
                value.iter().for_each(|t| own.put(name, t.clone()));
            }
        }
        if let Some(at) = piece.iter().position(|i| *i == step) {
            return Ok((own, outputs[at].clone()));
        }
        piece.iter().for_each(|i| own.drop_after(*i, &release));
    }
    Err(Error::failed(format!(
        "node '{}' is not among those that run",
        prepared.graph.steps[step].name
    )))
}

/// The reference's values up to and including `step`, all of them.
///
/// # Errors
/// Whatever the engine refuses.
pub fn recorded(
    prepared: &Prepared,
    session: &mut dyn Session,
    step: usize,
) -> Result<HashMap<String, Tensor>> {
    let mut own: HashMap<String, Tensor> = prepared
        .inputs
        .iter()
        .map(|(n, t)| (n.clone(), t.clone()))
        .collect();
    for piece in prepared
        .plan
        .pieces
        .iter()
        .take_while(|p| p.first().is_some_and(|i| *i <= step))
    {
        let outputs = session.eval(&prepared.graph, piece, Link::Connected, &|n| {
            own.get(n).cloned()
        })?;
        for (i, values) in piece.iter().zip(outputs) {
            own.extend(
                prepared.graph.steps[*i]
                    .outputs
                    .iter()
                    .cloned()
                    .zip(values)
                    .filter_map(|(n, v)| Some((n, v.ok()?))),
            );
        }
    }
    Ok(own)
}

fn named(graph: &Graph, step: usize, outputs: Vec<Output>) -> IndexMap<String, Tensor> {
    graph.steps[step]
        .outputs
        .iter()
        .cloned()
        .zip(outputs)
        .filter_map(|(n, v)| Some((n, v.ok()?)))
        .collect()
}
