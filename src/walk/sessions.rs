//! sessions: everything that takes part in the walks: both subjects, the f64 shadow, the controls of injected faults.

use super::isolated::Kinship;
use super::third::Third;
use crate::cause::fault;
use crate::compare::Tolerance;
use crate::error::{Place, Result};
use crate::golden::Golden;
use crate::graph::Graph;
use crate::prepare::prepared::Prepared;
use crate::prepare::unsupported::Unsupported;
use crate::scenario::{self, Scenario, ToleranceKind};
use crate::subject::{Engines, Judge, Options, Session, open};
use crate::tensor::Tensor;
use crate::trace::record::Recorder;
use indexmap::IndexMap;
use std::path::Path;
use std::sync::Arc;

/// Everything that takes part in the walk.
pub struct Sessions<'a> {
    pub graph: &'a Arc<Graph>,
    pub inputs: &'a IndexMap<String, Tensor>,
    pub reference: Box<dyn Session>,
    pub candidate: Box<dyn Session>,
    /// None where a stated tolerance makes the shadow unnecessary.
    pub judge: Option<Box<dyn Judge>>,
    pub stated: Option<Tolerance>,
    pub kinship: Kinship,
    /// For every injected fault: its step and the same engine without it.
    pub controls: Vec<Control>,
    /// The graphs of the sides that carry a fault: their steps may take other tensors.
    pub faulty: Vec<Arc<Graph>>,
    /// A further opinion on the reference's tensors.
    pub golden: Option<&'a Golden>,
    pub record: Option<Recorder>,
    /// Steps that a side cannot compute.
    pub unsupported: Unsupported,
    /// Asked where libtorch and its shadow stand against a recording.
    pub third: Third,
    pub threads: usize,
}

/// An injected fault: its step, the same engine without it, the side that carries it.
pub type Control = (usize, Box<dyn Session>, Faulty);

/// Which side carries an injected fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faulty {
    Reference,
    Candidate,
}

/// What is open on one graph, whatever it is fed.
pub struct Opened {
    graph: Arc<Graph>,
    reference: Box<dyn Session>,
    candidate: Box<dyn Session>,
    judge: Option<Box<dyn Judge>>,
    controls: Vec<Control>,
    faulty: Vec<Arc<Graph>>,
}

impl Opened {
    fn open(prepared: &Prepared, engines: Engines) -> Result<Self> {
        let Prepared {
            scenario,
            graph,
            threads,
            ..
        } = prepared;
        Ok(Self {
            graph: graph.clone(),
            reference: fault::open(&scenario.reference, graph, *threads, engines)
                .at("reference")?,
            candidate: fault::open(&scenario.candidate, graph, *threads, engines)
                .at("candidate")?,
            judge: if stated(&scenario.tolerance).is_none() {
                Some(shadow(prepared, engines)?)
            } else {
                None
            },
            controls: controls(scenario, graph, *threads, engines)?,
            faulty: faulty(scenario, graph)?,
        })
    }

    /// What is opened from here on for a piece or the whole stays open, because other inputs will be asked of it.
    pub fn keep(&mut self) {
        [&mut self.reference, &mut self.candidate]
            .into_iter()
            .for_each(|s| s.keep());
    }
}

impl<'a> Sessions<'a> {
    /// Opens everything that the scenario names, unless `opened` has it for the same graph; `record` is the folder that receives both traces.
    pub fn open(
        prepared: &'a Prepared,
        unsupported: Unsupported,
        opened: Option<Opened>,
        engines: Engines,
        record: Option<&Path>,
    ) -> Result<Self> {
        let Prepared {
            scenario, graph, ..
        } = prepared;
        let opened = match opened.filter(|o| Arc::ptr_eq(&o.graph, graph)) {
            Some(opened) => opened,
            None => Opened::open(prepared, engines)?,
        };
        Ok(Self {
            graph,
            inputs: &prepared.inputs,
            reference: opened.reference,
            candidate: opened.candidate,
            judge: opened.judge,
            stated: stated(&scenario.tolerance),
            kinship: Kinship {
                reference: scenario.reference.abilities().shares_shadow,
                candidate: scenario.candidate.abilities().shares_shadow,
            },
            controls: opened.controls,
            faulty: opened.faulty,
            golden: prepared.golden.as_ref(),
            record: record.map(Recorder::create).transpose()?,
            unsupported,
            third: Third::default(),
            threads: prepared.threads,
        })
    }

    /// What can be used again on other inputs.
    pub fn close(self) -> Opened {
        let Self {
            graph,
            reference,
            candidate,
            judge,
            controls,
            faulty,
            ..
        } = self;
        Opened {
            graph: graph.clone(),
            reference,
            candidate,
            judge,
            controls,
            faulty,
        }
    }

    /// Whether both sides compute: nothing of them is recorded.
    pub fn both_live(&self) -> bool {
        self.reference.can_isolate() && self.candidate.can_isolate()
    }

    pub fn both(&self) -> [&dyn Session; 2] {
        [&*self.reference, &*self.candidate]
    }
}

/// The user's own tolerance; None for the floor.
fn stated(t: &scenario::Tolerance) -> Option<Tolerance> {
    match t.kind.unwrap_or(ToleranceKind::Floor) {
        ToleranceKind::Floor => None,
        ToleranceKind::Exact => Some(Tolerance::Exact),
        ToleranceKind::Flat => Some(Tolerance::Flat {
            atol: t.atol.unwrap_or(0.0),
            rtol: t.rtol.unwrap_or(0.0),
        }),
        ToleranceKind::Ulp => Some(Tolerance::Ulp(t.ulp.unwrap_or(0))),
    }
}

/// The f64 shadow; it carries the injected fault only where the scenario says so, to try the judge itself.
fn shadow(prepared: &Prepared, engines: Engines) -> Result<Box<dyn Judge>> {
    let sick = [&prepared.scenario.reference, &prepared.scenario.candidate]
        .into_iter()
        .find(|s| s.fault().is_some_and(|f| f.and_shadow));
    let graph = sick.map_or(Ok(prepared.graph.clone()), |s| {
        fault::graph_of(s, &prepared.graph)
    })?;
    let options = Options {
        threads: prepared.threads,
        optimisation: Default::default(),
    };
    engines.torch()?.judge(graph, &options).at("f64 shadow").map_err(|e| match e.next {
        Some(_) => e,
        None => e.next("or state a tolerance of your own: tolerance = { kind = \"flat\", atol = ..., rtol = ..., why = \"...\" }"),
    })
}

fn faulty(scenario: &Scenario, graph: &Arc<Graph>) -> Result<Vec<Arc<Graph>>> {
    let sides = [&scenario.reference, &scenario.candidate]
        .into_iter()
        .filter(|s| s.fault().is_some());
    sides.map(|s| fault::graph_of(s, graph)).collect()
}

/// For every injected fault of outputs the same engine without it.
fn controls(
    scenario: &Scenario,
    graph: &Arc<Graph>,
    threads: usize,
    engines: Engines,
) -> Result<Vec<Control>> {
    let sides = [
        (&scenario.reference, Faulty::Reference),
        (&scenario.candidate, Faulty::Candidate),
    ];
    sides
        .into_iter()
        .filter_map(|(s, side)| Some((s.fault()?, side)))
        .filter(|(faulty, _)| !fault::only_gradients(&faulty.fault))
        .map(|(faulty, side)| {
            Ok((
                fault::find(graph, &faulty.node)?,
                open(&faulty.clean(), graph, threads, engines)?,
                side,
            ))
        })
        .collect()
}
