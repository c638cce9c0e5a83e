//! model: do the engines of a scenario agree on inputs that it does not feed?
//!
//! A case is the scenario's model on drawn inputs, judged by the pipeline as any run is. A find is its first divergence: shrunk to smaller
//! and simpler inputs, and to the smallest part of the model that fails on what the reference computed for it.

mod asker;
pub mod draw;
pub mod part;
pub mod saved;
mod shrink;
pub mod wrong_run;

use super::run::{TallyOf, Target};
use super::tally::Came;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::scenario::{Expect, Expected, Scenario, Stage};
use crate::subject::Engines;
use crate::subject::kernels::draw::Case;
use asker::Asker;
use draw::InputSpec;
use part::Part;
use std::sync::Arc;
use wrong_run::WrongRun;

/// A scenario, as [`fuzzed`] makes it, whose two sides are held against each other.
pub struct Fuzzed<'a> {
    pub scenario: &'a Scenario,
    pub graph: Arc<Graph>,
    pub spec: &'a InputSpec,
    pub engines: Engines<'a>,
}

/// What came of a model's cases.
pub type Tally<'a> = TallyOf<Fuzzed<'a>>;

impl<'a> Target for Fuzzed<'a> {
    type Wrong = WrongRun;
    type Asker = Asker<'a>;
    /// The smallest failing part of the model, or why there is none.
    type Part = std::result::Result<Part, String>;

    fn chunk(&self, _: u64) -> u64 {
        1
    }

    fn open(&self) -> Result<Asker<'a>> {
        let (scenario, graph) = (self.scenario.clone(), self.graph.clone());
        Ok(Asker::of(scenario, graph, self.engines))
    }

    fn ask(
        &self,
        asker: &mut Asker<'a>,
        seed: u64,
        numbers: &[u64],
    ) -> Result<Vec<Came<WrongRun>>> {
        let one = |number: &u64| match self.spec.case(seed, *number) {
            Ok(case) => Came {
                judged: asker.ask(&case.inputs, None),
                edges: case.edges,
            },
            Err(e) => Came {
                judged: Err(e.message),
                edges: Default::default(),
            },
        };
        Ok(numbers.iter().map(one).collect())
    }

    fn again(
        &self,
        asker: &mut Asker<'a>,
        case: &Case,
    ) -> std::result::Result<Option<WrongRun>, String> {
        asker.ask(&case.inputs, None).map(|j| j.wrong)
    }

    fn shrunk(
        &self,
        asker: &mut Asker<'a>,
        (seed, number): (u64, u64),
        wrong: WrongRun,
        hurry: &dyn Fn() -> bool,
    ) -> Result<(Case, WrongRun, Self::Part)> {
        let first = (self.spec.case(seed, number)?, wrong);
        let (case, wrong) = shrink::shrunk(asker, self.spec, first, hurry);
        let part = part::smallest(asker, &case.inputs, &wrong, hurry);
        Ok((case, wrong, part))
    }
}

/// The scenario as its cases are run: inputs and activations, on a thread of its own, without what belongs to its own inputs (a golden,
/// what is expected of them) or to no input at all (parameters).
///
/// # Errors
/// A side that is a recording: it answers one input only.
pub fn fuzzed(scenario: &Scenario) -> Result<Scenario> {
    if [&scenario.reference, &scenario.candidate]
        .iter()
        .any(|s| !s.abilities().answers)
    {
        return Err(Error::usage("a recorded trace answers the one input that it was recorded with, and a kernel its own form's")
            .next("name engines as reference and candidate: onnxruntime, libtorch or torchscript"));
    }
    let expect = Expect {
        verdict: Expected::Agree,
        first: None,
        side: None,
        stage: None,
        term: None,
        ..scenario.expect.clone()
    };
    Ok(Scenario {
        stages: vec![Stage::Inputs, Stage::Activations],
        threads: scenario.threads.or(Some(1)),
        training: None,
        golden: None,
        parameters: None,
        find: None,
        expect,
        ..scenario.clone()
    })
}
