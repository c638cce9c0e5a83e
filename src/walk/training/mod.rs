//! training: the stages behind the activations put together: assignment and loss of both sides against the f64 kernel, then gradients.

mod assigned;
mod gradients;
mod ledger;
mod spread;

use super::layers::Layers;
use super::sessions::Sessions;
use crate::error::{Place, Result};
use crate::floor::noise::{MOST_RUNS, RUNS};
use crate::golden::Value;
use crate::judge::stage::golden::Witnessed;
use crate::judge::stage::regions::Regions;
use crate::judge::stage::{Stages, assign, loss};
use crate::kernel::loss::Weighted;
use crate::prepare::preflight;
use crate::prepare::prepared::Prepared;
use crate::scenario::Stage;
use crate::scenario::training::{PREDICTIONS, Training};
use crate::subject::kernels::training::{self as kernel, Evaluated};
use crate::subject::{Engines, Session};
use crate::tensor::{DType, Tensor};
use crate::verdict::{Finding, TensorResult};
use crate::watch::Watch;
use std::collections::HashMap;
use std::rc::Rc;

/// What the stages are run on.
struct Task<'a> {
    prepared: &'a Prepared<'a>,
    training: &'a Training,
    /// The terms of its loss.
    terms: Vec<Weighted>,
    regions: &'a Regions,
    layers: &'a Layers,
    tensors: &'a [TensorResult],
    candidate: &'a mut dyn Session,
    dtypes: HashMap<String, DType>,
    /// Decisions that no noise moves: the reference's, else those of the undisturbed f64 run.
    replay: HashMap<String, Tensor>,
    engines: Engines<'a>,
}

/// One side: its tensors, and what the kernel makes of its predictions.
struct Side<'a> {
    who: &'static str,
    outputs: &'a HashMap<String, Tensor>,
    /// Or why it makes nothing of them.
    kernel: std::result::Result<Rc<Evaluated>, String>,
}

/// Runs assignment, loss and gradients, as far as the scenario asks for them; None without a training side or a shadow.
pub fn run(
    prepared: &Prepared,
    regions: &Regions,
    sessions: &mut Sessions,
    (layers, tensors): (&Layers, &[TensorResult]),
    engines: Engines,
    watch: &mut dyn Watch,
) -> Result<Option<Stages>> {
    let Sessions {
        judge,
        reference,
        candidate,
        ..
    } = sessions;
    let (Some(training), Some(judge)) = (&prepared.scenario.training, judge) else {
        return Ok(None);
    };
    let (dtypes, replay) = (layers.dtypes(), layers.replay.clone());
    let mut task = Task {
        prepared,
        training,
        terms: kernel::find(&training.kernel)?.weighted(training)?,
        regions,
        layers,
        tensors,
        candidate: &mut **candidate,
        dtypes,
        replay,
        engines,
    };
    if !reference.can_isolate() {
        task.replay.extend(spread::decisions(&task, &mut **judge)?);
    }
    let runs = |stage| prepared.scenario.runs(stage);
    let kernel = match task.kernel(&layers.reference_outputs) {
        // What neither side computes leaves nothing that the stages could look at.
        Err(e) if task.lacks_predictions() => return Ok(Some(untested(prepared, &e.message))),
        kernel => kernel.at("reference")?,
    };
    // What a candidate did not record, or no kernel takes, is not tested.
    let own = task
        .kernel(&layers.candidate_outputs)
        .map_err(|e| e.message);
    let sides = [
        Side {
            who: "reference",
            outputs: &layers.reference_outputs,
            kernel: Ok(kernel.clone()),
        },
        Side {
            who: "candidate",
            outputs: &layers.candidate_outputs,
            kernel: own,
        },
    ];
    let grad = if runs(Stage::Grad) {
        gradients::reports(&mut task, watch)?
    } else {
        vec![]
    };
    let mut floors = spread::floors(&task, RUNS, &mut **judge, watch)?;
    let found = |floors: &spread::Floors| {
        let assign = assigned::report(&task, &sides, floors);
        let loss = ledger::report(&task, &sides, floors, &grad, &assign);
        (assign, loss)
    };
    let (mut assign, mut loss) = found(&floors);
    // More runs only widen the largest spread: what passes after a few passes after all.
    if (runs(Stage::Loss) && loss.over())
        || (runs(Stage::Assign) && assign.differences.iter().any(|d| d.over()))
    {
        floors = spread::floors(&task, MOST_RUNS, &mut **judge, watch)?;
        (assign, loss) = found(&floors);
    }
    // A node that is off alone is explained where it stands.
    if !tensors.iter().any(|t| t.isolated.over()) {
        loss.why = ledger::why(&task, &sides, &floors, &loss)?;
    }
    Ok(Some(Stages {
        assign: runs(Stage::Assign).then_some(assign),
        loss: runs(Stage::Loss).then_some(loss),
        grad,
        notes: cut_off(&sides),
        ..Stages::default()
    }))
}

/// Targets of either side that its bins cut off.
fn cut_off(sides: &[Side; 2]) -> Vec<Finding> {
    let cut = |side: &Side| side.kernel.as_ref().ok()?.cut_off(side.who);
    sides.iter().filter_map(cut).collect()
}

/// The stages of which nothing could be looked at, and why.
fn untested(prepared: &Prepared, why: &str) -> Stages {
    let runs = |stage| prepared.scenario.runs(stage);
    let untested = vec![format!("reference: {why}")];
    let assign = assign::Report {
        untested: untested.clone(),
        ..Default::default()
    };
    let loss = loss::Report {
        untested,
        ..Default::default()
    };
    Stages {
        assign: runs(Stage::Assign).then_some(assign),
        loss: runs(Stage::Loss).then_some(loss),
        ..Stages::default()
    }
}

/// Lets the pairs of the assignment settle what the tensors of its targets differ by.
pub fn settle(
    prepared: &Prepared,
    found: Option<&Stages>,
    tensors: &mut [TensorResult],
    golden: &mut [Witnessed],
) {
    if let Some((training, report)) = prepared
        .scenario
        .training
        .as_ref()
        .zip(found.and_then(|f| f.assign.as_ref()))
    {
        assigned::settle(training, report, tensors, golden);
    }
}

impl Task<'_> {
    /// What the kernel makes of one side's predictions. Those that are fed are the same on both sides: it has seen them.
    fn kernel(&self, outputs: &HashMap<String, Tensor>) -> Result<Rc<Evaluated>> {
        if let Some(kernel) = self.prepared.fed.clone() {
            return Ok(kernel);
        }
        let image = self.image()?;
        Ok(Rc::new(kernel::evaluate(self.training, image, &|n| {
            self.tensor(outputs, n)
        })?))
    }

    /// Height and width of the images.
    fn image(&self) -> Result<[usize; 2]> {
        preflight::image(&self.prepared.graph, self.training, &self.prepared.inputs)
    }

    /// Whether the reference has no predictions of its own, nor was fed any.
    fn lacks_predictions(&self) -> bool {
        PREDICTIONS
            .iter()
            .any(|p| self.tensor(&self.layers.reference_outputs, p).is_none())
    }

    /// A tensor of one side by its standard name; ground truth and predictions may be inputs of the graph.
    fn tensor(&self, outputs: &HashMap<String, Tensor>, standard: &str) -> Option<Tensor> {
        let name = self.training.name(standard);
        outputs
            .get(name)
            .or_else(|| self.prepared.inputs.get(name))
            .cloned()
    }

    /// A tensor that the golden keeps whole, by its standard name.
    fn kept(&self, standard: &str) -> Option<Tensor> {
        match &self
            .prepared
            .golden
            .as_ref()?
            .tensors
            .get(self.training.name(standard))?
            .value
        {
            Value::Full(tensor) => Some(tensor.clone()),
            Value::Sketch(_) => None,
        }
    }
}
