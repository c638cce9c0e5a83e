//! freed: the noise walk with some decisions free: each takes inputs that are moved by R spreads, up in one run and down in the next, so that every
//! number that rounding can bring across its border is across it in one of two runs.

use super::layers::Layers;
use super::noise::{self, Free};
use super::sessions::Sessions;
use crate::watch::Watch;

use crate::error::Result;
use crate::floor::noise::{Floor, MOST_RUNS};
use crate::graph::known::known;
use std::collections::{HashMap, HashSet};

/// The floors of `wanted` (with sizes) with `steps` free; nothing where these decide on nothing that rounding moves.
pub fn floors(
    sessions: &mut Sessions,
    layers: &Layers,
    (steps, wanted): (&HashSet<usize>, &HashMap<String, usize>),
    seed: u64,
    watch: &mut dyn Watch,
) -> Result<HashMap<String, Floor>> {
    let (graph, dtypes, known) = (sessions.graph, layers.dtypes(), known(sessions.graph));
    let sizes: HashMap<&str, usize> = layers
        .tensors
        .iter()
        .map(|r| (r.name.as_str(), r.shape.iter().product()))
        .collect();
    let moved = steps
        .iter()
        .filter_map(|i| graph.steps[*i].inputs.first())
        .filter(|n| !known.contains(n.as_str()));
    let moved: HashMap<String, usize> = moved
        .map(|n| {
            (
                n.clone(),
                sizes.get(n.as_str()).copied().unwrap_or(usize::MAX),
            )
        })
        .collect();
    let Some(judge) = sessions.judge.as_mut().filter(|_| !moved.is_empty()) else {
        return Ok(HashMap::new());
    };
    let (inputs, replay, by_row) = (sessions.inputs, &layers.replay, &HashSet::new());
    let mut task = noise::Task {
        graph,
        inputs,
        replay,
        wanted: &moved,
        by_row,
        dtypes: &dtypes,
        seed,
        times: 1.0,
        free: None,
    };
    let spreads = noise::run(&task, 1..=MOST_RUNS, &mut **judge, watch)?;
    (task.wanted, task.free) = (
        wanted,
        Some(Free {
            steps,
            spreads: &spreads,
        }),
    );
    noise::run(&task, 1..=MOST_RUNS, &mut **judge, watch)
}
