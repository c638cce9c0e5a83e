//! training: the stages behind the activations put together: assignment and loss of both sides against the f64 kernel, then gradients.

mod assigned;
mod gradients;
mod ledger;
mod spread;

use super::Watch;
use super::bench::Bench;
use super::given::Given;
use super::layers::Layers;
use super::preflight;
use crate::error::{Place, Result};
use crate::floor::noise::{MOST_RUNS, RUNS};
use crate::golden::Value;
use crate::scenario::Stage;
use crate::scenario::training::Training;
use crate::stage::Stages;
use crate::stage::regions::Regions;
use crate::subject::kernels::training::{self as kernel, Opinion};
use crate::subject::{Engines, Session};
use crate::tensor::{DType, Tensor};
use std::collections::HashMap;
use std::rc::Rc;

/// What the stages are run on.
struct Task<'a> {
    given: &'a Given<'a>,
    training: &'a Training,
    regions: &'a Regions,
    layers: &'a Layers,
    candidate: &'a dyn Session,
    dtypes: HashMap<String, DType>,
    engines: Engines<'a>,
}

/// One side: its tensors, and what the kernel makes of its predictions.
struct Side<'a> {
    who: &'static str,
    outputs: &'a HashMap<String, Tensor>,
    kernel: Rc<Opinion>,
}

/// Runs assignment, loss and gradients, as far as the scenario asks for them; None without a training side or a shadow.
pub fn run(
    given: &Given,
    regions: &Regions,
    bench: &mut Bench,
    layers: &Layers,
    engines: Engines,
    watch: &mut dyn Watch,
) -> Result<Option<Stages>> {
    let Bench { judge, candidate, .. } = bench;
    let (Some(training), Some(judge)) = (&given.scenario.training, judge) else { return Ok(None) };
    let task = Task { given, training, regions, layers, candidate: &**candidate, dtypes: layers.dtypes(), engines };
    let runs = |stage| given.scenario.runs(stage);
    let sides = [task.side("reference", &layers.reference_outputs)?, task.side("candidate", &layers.candidate_outputs)?];
    let grad = if runs(Stage::Grad) { gradients::reports(&task, sides[0].kernel.loss.gains, watch)? } else { vec![] };
    let mut floors = spread::floors(&task, RUNS, &mut **judge, watch)?;
    let mut loss = ledger::report(&task, &sides, &floors, &grad);
    // More runs only widen the largest spread: what passes after a few passes after all.
    if runs(Stage::Loss) && loss.over() {
        floors = spread::floors(&task, MOST_RUNS, &mut **judge, watch)?;
        loss = ledger::report(&task, &sides, &floors, &grad);
    }
    Ok(Some(Stages {
        assign: runs(Stage::Assign).then(|| assigned::report(&task, &sides, &floors)),
        loss: runs(Stage::Loss).then_some(loss),
        grad,
        ..Stages::default()
    }))
}

impl Task<'_> {
    /// Predictions that are fed are the same on both sides: the kernel has seen them.
    fn side<'s>(&self, who: &'static str, outputs: &'s HashMap<String, Tensor>) -> Result<Side<'s>> {
        if let Some(kernel) = self.given.fed.clone() {
            return Ok(Side { who, outputs, kernel });
        }
        let image = preflight::image(&self.given.graph, self.training, &self.given.inputs)?;
        let kernel = kernel::evaluate(self.training, image, &|n| self.tensor(outputs, n)).at(who)?;
        Ok(Side { who, outputs, kernel: Rc::new(kernel) })
    }

    /// A tensor of one side by its standard name; ground truth and predictions may be inputs of the graph.
    fn tensor(&self, outputs: &HashMap<String, Tensor>, standard: &str) -> Option<Tensor> {
        let name = self.training.name(standard);
        outputs.get(name).or_else(|| self.given.inputs.get(name)).cloned()
    }

    /// A tensor that the golden keeps whole, by its standard name.
    fn kept(&self, standard: &str) -> Option<Tensor> {
        match &self.given.golden.as_ref()?.tensors.get(self.training.name(standard))?.value {
            Value::Full(tensor) => Some(tensor.clone()),
            Value::Sketch(_) => None,
        }
    }
}
