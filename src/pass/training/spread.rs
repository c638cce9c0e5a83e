//! spread: how far rounding inside assigner and loss moves their tensors, from the reference's own predictions on.

use super::Task;
use crate::error::Result;
use crate::floor::noise::Floor;
use crate::pass::{Watch, noise};
use crate::scenario::training::{LOSSES, PREDICTIONS};
use crate::subject::Judge;
use std::collections::HashMap;

/// Floors by standard name.
pub type Floors = HashMap<&'static str, Floor>;

/// Floors of what the assignment was decided by and of every value of the loss, of at most `runs` runs.
pub fn floors(task: &Task, runs: u32, judge: &mut dyn Judge, watch: &mut dyn Watch) -> Result<Floors> {
    let (given, outputs) = (task.given, &task.layers.reference_outputs);
    let mut start = given.inputs.clone();
    for name in PREDICTIONS.map(|p| task.training.name(p)) {
        start.extend(outputs.get(name).map(|t| (name.to_string(), t.clone())));
    }
    let wanted: Vec<&'static str> = ["assign.metric", "assign.overlap", "assign.target_scores"].into_iter().chain(LOSSES).collect();
    let size = |n: &&'static str| Some((task.training.name(n).to_string(), task.tensor(outputs, n)?.numel()));
    let noise = noise::Task {
        graph: &given.graph,
        inputs: &start,
        replay: &task.layers.replay,
        wanted: &wanted.iter().filter_map(size).collect(),
        dtypes: &task.dtypes,
        seed: given.scenario.seed,
    };
    let found = noise::over(&noise, &task.regions.training_steps(), 1..=runs, judge, watch)?;
    Ok(wanted.into_iter().filter_map(|n| Some((n, found.get(task.training.name(n))?.clone()))).collect())
}
