//! opened: both sides with what they make of the same inputs, and their tensors paired.

use crate::error::{Error, Place, Result};
use crate::graph::{Graph, load, random};
use crate::input;
use crate::pairing::{self, Pairing, map};
use crate::prepare::prepared::ready;
use crate::prepare::{inputs, memory};
use crate::program::Program;
use crate::scenario::sides::Kind;
use crate::scenario::{Scenario, Second};
use crate::tensor::Tensor;
use crate::trace::{InputRecord, file};
use crate::walk::function::{Opens, Side};
use crate::watch::Watch;
use indexmap::IndexMap;
use std::path::Path;
use std::sync::Arc;

/// Both sides, run on the same inputs, and what stands for what.
pub struct Opened {
    pub reference: Side,
    pub candidate: Side,
    pub pairing: Pairing,
    pub records: Vec<InputRecord>,
}

/// What a file holds.
enum Source {
    Graph(Graph),
    Program(Box<Program>),
}

impl Source {
    fn of(path: &Path) -> Result<Self> {
        Ok(match Kind::of(path)? {
            Kind::Trace => Self::Program(Box::new(Program::of(&file::open(path)?)?)),
            Kind::Scenario | Kind::Model | Kind::Script | Kind::Port => {
                Self::Graph(load::file(path)?)
            }
        })
    }

    fn graph(&self) -> &Graph {
        match self {
            Self::Graph(graph) => graph,
            Self::Program(program) => &program.graph,
        }
    }

    fn program(&self) -> Option<&Program> {
        match self {
            Self::Graph(_) => None,
            Self::Program(program) => Some(program),
        }
    }

    /// What its memory is estimated from: a recording is there already.
    fn computed<'a>(
        &'a self,
        inputs: &'a IndexMap<String, Tensor>,
    ) -> Option<(&'a Graph, &'a IndexMap<String, Tensor>)> {
        match self {
            Self::Graph(graph) => Some((graph, inputs)),
            Self::Program(_) => None,
        }
    }

    fn side(self, fed: IndexMap<String, Tensor>, seed: u64, open: Opens) -> Result<Side> {
        match self {
            Self::Program(program) => Ok(Side::recorded(*program, fed)),
            Self::Graph(graph) => {
                let graph = Arc::new(ready(graph, &fed)?);
                let graph = random::seeded(&graph, seed).map_or(graph, Arc::new);
                let judge = open(graph.clone())?;
                Side::run(graph, judge, fed)
            }
        }
    }
}

/// # Errors
/// Whatever the files, the inputs or the engine lack.
pub fn opened(
    scenario: &Scenario,
    second: &Second,
    open: Opens,
    watch: &mut dyn Watch,
) -> Result<Opened> {
    let (ours, theirs) = (Source::of(&scenario.model)?, Source::of(&second.model)?);
    if ours.program().is_some() && theirs.program().is_some() {
        return Err(
            Error::usage("neither side is a graph that can be run alone")
                .next("two recordings: parity compare A B"),
        );
    }
    let mapped = second.map.as_deref().map(map::read).transpose()?;
    let named: Vec<(String, String)> = second.rename.clone().into_iter().collect();
    let named = [named, mapped.unwrap_or_default()].concat();
    let (a, b) = (ours.graph(), theirs.graph());
    let named = pairing::turned(a, b, &named)?;
    let declared = pairing::inputs(&a.inputs, &b.inputs, &named)?;
    let fed = fed(scenario, [&ours, &theirs], &declared)?;
    let records = inputs::records(&fed);
    watch.ready()?;
    let other = renamed(&fed, &declared);
    let computed = [ours.computed(&fed), theirs.computed(&other)];
    memory::of_two(scenario, computed.into_iter().flatten(), watch)?;
    let reference = ours.side(fed, scenario.seed, open).at("reference")?;
    let candidate = theirs.side(other, scenario.seed, open).at("candidate")?;
    let outputs = pairing::outputs(&reference.graph.outputs, &candidate.graph.outputs, &named)?;
    let known: Vec<(String, String)> = [declared, outputs, named].concat();
    let pairing = pairing::pair(&reference.viewed(), &candidate.viewed(), &known);
    Ok(Opened {
        reference,
        candidate,
        pairing,
        records,
    })
}

/// What both sides are fed, by the reference's names: what a recording was fed, else what the scenario states.
fn fed(
    scenario: &Scenario,
    [ours, theirs]: [&Source; 2],
    declared: &[(String, String)],
) -> Result<IndexMap<String, Tensor>> {
    let Some(program) = ours.program().or(theirs.program()) else {
        return input::make(scenario, ours.graph());
    };
    let is_reference = ours.program().is_some();
    let own = |pair: &'_ (String, String)| match is_reference {
        true => pair.0.clone(),
        false => pair.1.clone(),
    };
    let held = |pair: &(String, String)| {
        let value = program.inputs.get(&own(pair))?;
        Some((pair.0.clone(), value.clone()))
    };
    let recorded: IndexMap<String, Tensor> = declared.iter().filter_map(held).collect();
    if recorded.len() == declared.len() {
        return Ok(recorded);
    }
    let graph = if is_reference { theirs } else { ours }.graph();
    let made = input::make(scenario, graph)?;
    let other = |pair: &'_ (String, String)| match is_reference {
        true => pair.1.clone(),
        false => pair.0.clone(),
    };
    let mut fed = IndexMap::new();
    for pair in declared {
        let value = &made[&other(pair)];
        let digest = program.digests.get(&own(pair));
        if digest.is_some_and(|d| *d != crate::digest::of_tensor(value)) {
            return Err(Error::usage(format!(
                "input '{}' is not what the recording was fed, and the trace does not hold that",
                pair.0
            ))
            .next("state it: --input NAME=FILE; or record the inputs with their values"));
        }
        fed.insert(pair.0.clone(), value.clone());
    }
    Ok(fed)
}

/// The candidate's inputs: the same bits under its own names.
fn renamed(fed: &IndexMap<String, Tensor>, pairs: &[(String, String)]) -> IndexMap<String, Tensor> {
    let value = |(ours, theirs): &(String, String)| Some((theirs.clone(), fed.get(ours)?.clone()));
    pairs.iter().filter_map(value).collect()
}
