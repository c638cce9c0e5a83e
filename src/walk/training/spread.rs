//! spread: how far rounding inside assigner and loss moves their tensors, from the reference's own predictions on.

use super::Task;
use crate::error::Result;
use crate::floor::noise::Floor;
use crate::walk::noise;
use crate::watch::Watch;

use crate::scenario::training::{PREDICTIONS, losses};
use crate::subject::Judge;
use crate::tensor::Tensor;
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};

/// Floors by standard name.
pub type Floors = HashMap<String, Floor>;

/// What an assignment is decided by, `[B, G, A]`, and its soft targets, `[B, A, C]`: their spread is asked for by image and row.
const BY_ROW: [&str; 3] = ["assign.metric", "assign.overlap", "assign.target_scores"];

/// Floors of what the assignment was decided by and of every value of the loss, of at most `runs` runs.
pub fn floors(
    task: &Task,
    runs: u32,
    judge: &mut dyn Judge,
    watch: &mut dyn Watch,
) -> Result<Floors> {
    let outputs = &task.layers.reference_outputs;
    let losses = losses(task.regions.all_terms());
    let wanted: Vec<String> = BY_ROW.map(String::from).into_iter().chain(losses).collect();
    let size = |n: &String| {
        Some((
            task.training.name(n).to_string(),
            task.tensor(outputs, n)?.numel(),
        ))
    };
    let (sizes, start) = (wanted.iter().filter_map(size).collect(), start(task));
    let by_row = BY_ROW.map(|n| task.training.name(n).to_string()).into();
    let walk = noise::Task {
        wanted: &sizes,
        by_row: &by_row,
        ..walk(task, &start)
    };
    let found = noise::over(
        &walk,
        &task.regions.training_steps(),
        1..=runs,
        judge,
        watch,
    )?;
    Ok(wanted
        .into_iter()
        .filter_map(|n| {
            let floor = found.get(task.training.name(&n))?.clone();
            Some((n, floor))
        })
        .collect())
}

/// What the f64 graph decides in assigner and loss where the reference decides nothing.
pub fn decisions(task: &Task, judge: &mut dyn Judge) -> Result<HashMap<String, Tensor>> {
    noise::decisions(
        &walk(task, &start(task)),
        &task.regions.training_steps(),
        judge,
    )
}

/// Inputs, and the reference's predictions.
fn start(task: &Task) -> IndexMap<String, Tensor> {
    let mut start = task.prepared.inputs.clone();
    for name in PREDICTIONS.map(|p| task.training.name(p)) {
        start.extend(
            task.layers
                .reference_outputs
                .get(name)
                .map(|t| (name.to_string(), t.clone())),
        );
    }
    start
}

/// The walk from `start` on that wants nothing yet.
fn walk<'a>(task: &'a Task, start: &'a IndexMap<String, Tensor>) -> noise::Task<'a> {
    static NOTHING: std::sync::LazyLock<(HashMap<String, usize>, HashSet<String>)> =
        std::sync::LazyLock::new(Default::default);
    noise::Task {
        graph: &task.prepared.graph,
        inputs: start,
        replay: &task.replay,
        wanted: &NOTHING.0,
        by_row: &NOTHING.1,
        dtypes: &task.dtypes,
        seed: task.prepared.scenario.seed,
        times: 1.0,
        free: None,
    }
}
