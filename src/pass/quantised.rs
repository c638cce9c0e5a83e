//! quantised: what the deployed session of a quantised model may differ by, in quantisation steps.
//!
//! Where a number lies within R spreads of the border between two steps, an optimiser may move it across, and what lies behind goes along. So the
//! f64 graph is walked again with its quantisers free: each takes inputs that are moved by R spreads, up in one run and down in the next, so that
//! every number that rounding can bring across its border is across it in one of two runs.

use super::bench::Bench;
use super::layers::Layers;
use super::noise::{self, Free};
use super::{Watch, plan};
use crate::error::Result;
use crate::floor::noise::{Floor, MOST_RUNS};
use crate::graph::Graph;
use crate::subject::Judge;
use crate::tensor::DType;
use std::collections::{HashMap, HashSet};

/// Floors of un-observed outputs, and of what decides them, with the quantisers in front of them free.
#[derive(Default)]
pub struct Stepped {
    pub floors: HashMap<String, Floor>,
    /// The steps that were free: a flip there is accounted for.
    pub steps: HashSet<usize>,
}

fn quantises(op: &str) -> bool {
    ["QuantizeLinear", "DynamicQuantizeLinear"].contains(&op) || op.starts_with("QLinear")
}

/// Quantisers, and what moves or sums the integers that they give.
fn free(graph: &Graph, judge: &dyn Judge, dtypes: &HashMap<String, DType>, lacking: &HashSet<usize>) -> HashSet<usize> {
    let (mut steps, mut integers): (HashSet<usize>, HashSet<&str>) = Default::default();
    for (i, step) in graph.steps.iter().enumerate().filter(|(i, _)| !lacking.contains(i)) {
        let along = step.inputs.iter().any(|n| integers.contains(n.as_str())) && !judge.decides(i);
        if quantises(step.op()) || along {
            steps.insert(i);
            let discrete = |n: &&String| dtypes.get(*n).is_some_and(|d| !d.is_float());
            integers.extend(step.outputs.iter().filter(discrete).map(String::as_str));
        }
    }
    steps
}

/// The floors of `wanted` (with sizes), which are over those that hold the quantisers; nothing where none lies in front.
pub fn stepped(bench: &mut Bench, layers: &Layers, wanted: &HashMap<String, usize>, seed: u64, watch: &mut dyn Watch) -> Result<Stepped> {
    let Some(judge) = bench.judge.as_mut().filter(|_| !wanted.is_empty()) else { return Ok(Stepped::default()) };
    let (graph, dtypes) = (bench.graph, layers.dtypes());
    let names: Vec<String> = wanted.keys().cloned().collect();
    let front = graph.ancestors(&names).unwrap_or_default();
    let mut steps = free(graph, &**judge, &dtypes, &bench.lacking.steps);
    steps.retain(|i| front.contains(i));
    let known = plan::known(graph);
    let sizes: HashMap<&str, usize> = layers.results.iter().map(|r| (r.name.as_str(), r.shape.iter().product())).collect();
    let moved = steps.iter().filter_map(|i| graph.steps[*i].inputs.first()).filter(|n| !known.contains(n.as_str()));
    let moved: HashMap<String, usize> = moved.map(|n| (n.clone(), sizes.get(n.as_str()).copied().unwrap_or(usize::MAX))).collect();
    if moved.is_empty() {
        return Ok(Stepped::default());
    }
    let replay = &layers.replay;
    let (inputs, by_row) = (bench.inputs, &HashSet::new());
    let mut task = noise::Task { graph, inputs, replay, wanted: &moved, by_row, dtypes: &dtypes, seed, free: None };
    let spreads = noise::run(&task, 1..=MOST_RUNS, &mut **judge, watch)?;
    (task.wanted, task.free) = (wanted, Some(Free { steps: &steps, spreads: &spreads }));
    let floors = noise::run(&task, 1..=MOST_RUNS, &mut **judge, watch)?;
    Ok(Stepped { floors, steps })
}
