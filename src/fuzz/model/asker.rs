//! asker: one case through the pipeline, on engines that stay open from case to case.

use super::wrong_run::{Judged, Kind, WrongRun, of};
use crate::error::{Error, Result};
use crate::fuzz::tally::kind;
use crate::graph::{Graph, hoist};
use crate::pipeline;
use crate::prepare::prepared::{self, Prepared};
use crate::scenario::Scenario;
use crate::subject::Engines;
use crate::tensor::Tensor;
use crate::walk::sessions::Opened;
use crate::watch::Silent;
use indexmap::IndexMap;
use std::sync::Arc;

/// Inputs of a case by name.
pub type Inputs = IndexMap<String, Tensor>;

/// One scenario's model with its engines; every thread has its own.
pub struct Asker<'a> {
    scenario: Scenario,
    graph: Arc<Graph>,
    engines: Engines<'a>,
    /// The graph of the last case, its decided conditions hoisted.
    last: Arc<Graph>,
    opened: Option<Opened>,
}

impl<'a> Asker<'a> {
    pub fn of(scenario: Scenario, graph: Arc<Graph>, engines: Engines<'a>) -> Self {
        Self {
            scenario,
            last: graph.clone(),
            graph,
            engines,
            opened: None,
        }
    }

    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    pub fn engines(&self) -> Engines<'a> {
        self.engines
    }

    /// The graph as it is run on these inputs; the last one again where it is the same.
    ///
    /// # Errors
    /// A body that cannot be read.
    pub fn ready(&mut self, inputs: &Inputs) -> Result<Arc<Graph>> {
        if self
            .graph
            .steps
            .iter()
            .flat_map(|s| &s.nodes)
            .any(hoist::has_body)
        {
            let now = prepared::ready((*self.graph).clone(), inputs)?;
            if now.steps != self.last.steps {
                self.last = Arc::new(now);
            }
        }
        Ok(self.last.clone())
    }

    /// What came of a case, or why nothing was compared; only up to the tensor `until` where one is named.
    ///
    /// # Errors
    /// Why nothing was compared.
    pub fn ask(
        &mut self,
        inputs: &Inputs,
        until: Option<&str>,
    ) -> std::result::Result<Judged, String> {
        let judged = match self.run(inputs, until) {
            Ok(judged) => judged,
            Err(e) => return refused(&e),
        };
        match (judged.compared, judged.wrong.is_some()) {
            (0, false) => {
                let reasons: Vec<String> = judged.abstained.keys().map(|r| kind(r)).collect();
                Err(format!("nothing could be compared: {}", reasons.join("; ")))
            }
            _ => Ok(judged),
        }
    }

    fn run(&mut self, inputs: &Inputs, until: Option<&str>) -> Result<Judged> {
        let mut scenario = self.scenario.clone();
        scenario.limit.until = until.map(str::to_string).or(scenario.limit.until);
        let graph = self.ready(inputs)?;
        let given = Prepared::on(&scenario, graph, inputs.clone())?;
        let (run, mut opened) =
            pipeline::again(given, self.opened.take(), self.engines, &mut Silent)?;
        opened.keep();
        self.opened = Some(opened);
        Ok(of(&run))
    }
}

/// A candidate that refuses what the reference has computed is a finding; whatever else cannot be run is a case that is not compared.
fn refused(e: &Error) -> std::result::Result<Judged, String> {
    if e.message.starts_with("candidate") {
        let wrong = WrongRun {
            kind: Kind::Refused,
            place: kind(&e.message),
            tensor: None,
            suspects: vec![],
            says: e.message.clone(),
        };
        return Ok(Judged {
            wrong: Some(wrong),
            ..Judged::default()
        });
    }
    Err(kind(&e.message))
}
