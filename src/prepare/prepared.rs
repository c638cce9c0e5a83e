//! prepared: what a scenario gives a run before anything computes: graph, plan, inputs, golden, parameters; refused here where it cannot be run.

use super::{Plan, params, preflight};
use crate::error::Result;
use crate::golden::{Golden, store};
use crate::graph::{Graph, hoist, load, observe, random};
use crate::input;
use crate::judge::stage::regions::Regions;
use crate::params::Difference;
use crate::scenario::{Scenario, Stage};
use crate::subject::kernels::training::{self as kernel, Evaluated};
use crate::subject::open;
use crate::tensor::Tensor;
use crate::trace::InputRecord;
use indexmap::IndexMap;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

/// What is run, and on what.
pub struct Prepared<'a> {
    pub scenario: &'a Scenario,
    pub graph: Arc<Graph>,
    pub plan: Plan,
    pub inputs: IndexMap<String, Tensor>,
    pub records: Vec<InputRecord>,
    pub golden: Option<Golden>,
    pub params: Option<Difference>,
    /// What the kernel makes of the predictions, where they are fed.
    pub fed: Option<Rc<Evaluated>>,
    pub threads: usize,
}

impl<'a> Prepared<'a> {
    /// # Errors
    /// Whatever a scenario, its model, its inputs or its golden lack.
    pub fn read(scenario: &'a Scenario) -> Result<Self> {
        let graph = load::file(&scenario.model)?;
        scenario
            .training
            .iter()
            .try_for_each(|t| preflight::tensors(&graph, t))?;
        preflight::faults(scenario)?;
        let inputs = input::make(scenario, &graph)?;
        let graph = Arc::new(ready(graph, &inputs)?);
        Self::on(scenario, graph, inputs)
    }

    /// The scenario on a graph and inputs that are at hand; the graph is [`ready`] for them.
    ///
    /// # Errors
    /// Whatever the scenario, the graph or its golden lack.
    pub fn on(
        scenario: &'a Scenario,
        graph: Arc<Graph>,
        inputs: IndexMap<String, Tensor>,
    ) -> Result<Self> {
        let graph = random::seeded(&graph, scenario.seed).map_or(graph, Arc::new);
        let plan = Plan::of(&graph, scenario)?;
        let name = scenario.name.as_deref().unwrap_or("");
        let golden = scenario
            .golden
            .as_deref()
            .map(|folder| store::open_for(folder, name))
            .transpose()?;
        let params = scenario
            .runs(Stage::Params)
            .then(|| params::run(scenario, &graph, golden.as_ref()))
            .transpose()?;
        let fed = scenario
            .training
            .as_ref()
            .map(|t| preflight::inputs(&graph, t, &inputs))
            .transpose()?
            .flatten();
        let threads = scenario.cores();
        let records = super::inputs::records(&inputs);
        Ok(Self {
            scenario,
            graph,
            plan,
            inputs,
            records,
            golden,
            params,
            fed: fed.map(Rc::new),
            threads,
        })
    }

    /// Names of the nodes and tensors in front of a node or tensor.
    pub fn above(&self, place: &str) -> HashSet<String> {
        let steps = &self.graph.steps;
        let named = steps
            .iter()
            .filter(|s| s.name == place)
            .flat_map(|s| s.outputs.iter().take(1).cloned());
        let inner = self
            .graph
            .bodies
            .seen
            .iter()
            .filter(|(_, i)| i.node == place)
            .map(|(name, _)| name.clone());
        let tensor = named
            .chain(inner)
            .next()
            .unwrap_or_else(|| place.to_string());
        let found = self.graph.ancestors(&[tensor]).unwrap_or_default();
        found
            .into_iter()
            .flat_map(|i| std::iter::once(&steps[i].name).chain(&steps[i].outputs))
            .cloned()
            .collect()
    }

    /// Which stage every node belongs to.
    pub fn regions(&self) -> Result<Regions> {
        self.scenario
            .training
            .as_ref()
            .map_or(Ok(Regions::default()), |t| {
                Regions::of(&self.graph, t, &kernel::find(&t.kernel)?.terms())
            })
    }
}

/// The graph as both sides run it on these inputs: decided conditions are hoisted, what repeats shows what is inside.
///
/// # Errors
/// A body that cannot be read.
pub fn ready(graph: Graph, inputs: &IndexMap<String, Tensor>) -> Result<Graph> {
    let graph = hoist::decided(&graph, inputs, &open::onnxruntime_shapes)?.unwrap_or(graph);
    observe::observed(graph, inputs, &open::onnxruntime_shapes)
}
