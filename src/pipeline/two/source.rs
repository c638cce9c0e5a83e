//! source: what a file of a side is: a graph, a recording, or a port that is started.

use crate::error::{Error, Place, Result};
use crate::graph::{self, Dim, Graph, load, random};
use crate::port::{Ability, Axis, Declared, Forward, Launch, Port, Tensors};
use crate::prepare::prepared::ready;
use crate::program::Program;
use crate::scenario::sides::Kind;
use crate::scenario::{Scenario, Second};
use crate::trace::file;
use crate::walk::function::{Opens, Side};
use std::path::Path;
use std::sync::Arc;

/// What stands on the other side.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    Graph,
    Recording,
}

/// The live ports of both sides, kept for as long as they are asked.
pub struct Ports {
    live: [Option<Port>; 2],
    /// Graphs that were given other weights than their files hold.
    given: [Option<Graph>; 2],
}

impl Ports {
    /// # Errors
    /// A port that does not start.
    pub fn start(scenario: &Scenario, second: &Second) -> Result<Self> {
        let live = |path: &Path| match Kind::of(path)? {
            Kind::Port => started(path, scenario).map(Some),
            Kind::Scenario | Kind::Model | Kind::Trace | Kind::Script => Ok(None),
        };
        let reference = live(&scenario.model).at("reference")?;
        Ok(Self {
            live: [reference, live(&second.model).at("candidate")?],
            given: [None, None],
        })
    }

    /// Both sides.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn sources(&mut self, scenario: &Scenario, second: &Second) -> Result<[Source<'_>; 2]> {
        let [ours, theirs] = &mut self.live;
        let [own, other] = &self.given;
        Ok([
            Source::of(&scenario.model, ours, own.as_ref()).at("reference")?,
            Source::of(&second.model, theirs, other.as_ref()).at("candidate")?,
        ])
    }

    /// The live port of a side.
    pub fn at(&mut self, side: usize) -> Option<&mut Port> {
        self.live[side].as_mut()
    }

    /// From here on the graph of a side is this one.
    pub fn give(&mut self, side: usize, graph: Graph) {
        self.given[side] = Some(graph);
    }

    /// Both, where both are live.
    pub fn both(&mut self) -> Option<[&mut Port; 2]> {
        let [reference, candidate] = &mut self.live;
        reference.as_mut().zip(candidate.as_mut()).map(Into::into)
    }

    /// What the reference declares, where both are live.
    pub fn inputs(&self) -> Option<Vec<graph::Port>> {
        let [Some(reference), Some(_)] = &self.live else {
            return None;
        };
        Some(declares(reference))
    }

    /// The live port that runs its parts alone, and which side it is: the candidate, then the reference.
    pub fn isolating(&mut self) -> Option<(usize, &mut Port)> {
        let sides = self.live.iter_mut().enumerate().rev();
        let mut live = sides.filter_map(|(at, port)| Some((at, port.as_mut()?)));
        live.find(|(_, port)| port.hello.can(Ability::Isolation))
    }

    /// # Errors
    /// One does not answer.
    pub fn shutdown(self) -> Result<()> {
        self.live.into_iter().flatten().try_for_each(Port::shutdown)
    }
}

pub enum Source<'p> {
    Graph(Box<Graph>),
    Recording(Box<Program>),
    Port(&'p mut Port),
}

impl<'p> Source<'p> {
    fn of(path: &Path, port: &'p mut Option<Port>, given: Option<&Graph>) -> Result<Self> {
        if let Some(port) = port {
            return Ok(Self::Port(port));
        }
        if let Some(graph) = given {
            return Ok(Self::Graph(Box::new(graph.clone())));
        }
        Ok(match Kind::of(path)? {
            Kind::Trace => {
                let trace = file::open(path)?;
                Self::Recording(Box::new(Program::of(&trace, &trace)?))
            }
            Kind::Scenario | Kind::Model | Kind::Script | Kind::Port => {
                Self::Graph(Box::new(load::file(path)?))
            }
        })
    }

    /// Whether it is a port that declares this.
    pub fn can(&self, ability: Ability) -> bool {
        match self {
            Self::Port(port) => port.hello.can(ability),
            Self::Graph(_) | Self::Recording(_) => false,
        }
    }

    pub fn graph(&self) -> Option<&Graph> {
        match self {
            Self::Graph(graph) => Some(graph),
            Self::Recording(_) | Self::Port(_) => None,
        }
    }

    pub fn as_other(&self) -> Beside {
        match self {
            Self::Graph(_) => Beside::Graph,
            Self::Recording(_) | Self::Port(_) => Beside::Recording,
        }
    }

    /// The inputs that it declares.
    pub fn inputs(&self) -> Vec<graph::Port> {
        match self {
            Self::Graph(graph) => graph.inputs.clone(),
            Self::Recording(program) => program.graph.inputs.clone(),
            Self::Port(port) => declares(port),
        }
    }

    /// What it was fed, or would feed itself, by its own names.
    ///
    /// # Errors
    /// A port that fails.
    pub fn fed(&mut self) -> Result<Tensors> {
        Ok(match self {
            Self::Graph(_) => Tensors::new(),
            Self::Recording(program) => program.inputs.clone(),
            Self::Port(port) => port.inputs()?.unwrap_or_default(),
        })
    }

    /// What of the bits that it is to be fed contradicts what it says that it was fed.
    pub fn contradicts(&self, name: &str, sha256: &str) -> bool {
        match self {
            Self::Graph(_) | Self::Port(_) => false,
            Self::Recording(program) => program.digests.get(name).is_some_and(|d| d != sha256),
        }
    }

    /// What it makes of `fed`; of a port that computes in f64 what its own dtype gives, too.
    ///
    /// # Errors
    /// Whatever the engine or the port refuses.
    pub fn side(
        self,
        fed: Tensors,
        beside: Beside,
        seed: u64,
        open: Opens,
    ) -> Result<(Side, Option<Program>)> {
        // A graph runs every stretch; where there is none, what is rebuilt of a recording does.
        let rebuilds = (beside == Beside::Recording).then_some(open);
        match self {
            Self::Recording(program) => Ok((Side::recorded(*program, fed, rebuilds)?, None)),
            Self::Port(port) => {
                let f64 = port.hello.can(Ability::F64);
                let floors = beside == Beside::Recording && port.hello.can(Ability::Floors);
                let own = run(port, &fed, (false, floors))?;
                let exact = f64.then(|| run(port, &fed, (true, false))).transpose()?;
                let (judged, beside) = match exact {
                    Some(mut exact) => {
                        exact.floors.clone_from(&own.floors);
                        (exact, Some(own))
                    }
                    None => (own, None),
                };
                Ok((Side::recorded(judged, fed, rebuilds)?, beside))
            }
            Self::Graph(graph) => {
                let graph = Arc::new(ready(*graph, &fed)?);
                let graph = random::seeded(&graph, seed).map_or(graph, Arc::new);
                let judge = open(graph.clone())?;
                Side::run(graph, judge, fed).map(|side| (side, None))
            }
        }
    }
}

fn started(path: &Path, scenario: &Scenario) -> Result<Port> {
    let live = scenario.port.clone().unwrap_or_default();
    let mut launch = Launch::file(path, &live.python)?;
    launch.seed = scenario.seed;
    let port = Port::start(&launch, live.answer())?;
    if port.hello.inputs.is_empty() {
        return Err(Error::usage(format!(
            "port {}: it declares no inputs, so that nobody can feed it what the other side is fed",
            path.display()
        ))
        .next("have `inputs()` return example inputs by name (docs/PORT.md)"));
    }
    Ok(port)
}

fn run(port: &mut Port, fed: &Tensors, (f64, floors): (bool, bool)) -> Result<Program> {
    let how = Forward {
        f64,
        floors,
        ..Forward::default()
    };
    let trace = port.forward(fed, how)?;
    match trace.holds_values() {
        true => Program::of(&trace, &trace),
        false => Program::of(&trace, &port.parameters()?),
    }
}

fn declares(port: &Port) -> Vec<graph::Port> {
    port.hello.inputs.iter().map(declared).collect()
}

fn declared(input: &Declared) -> graph::Port {
    let axis = |a: &Axis| match a {
        Axis::Size(n) => Dim::Known(*n),
        Axis::Open(name) => Dim::Named(name.clone()),
    };
    let shape = input.shape.as_ref();
    graph::Port {
        name: input.name.clone(),
        dtype: input.dtype,
        shape: shape.map(|s| s.iter().map(axis).collect()),
    }
}
