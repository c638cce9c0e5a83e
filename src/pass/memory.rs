//! memory: what a run will need, said before a large one starts, and refused where the user allows less.

use super::Watch;
use super::given::Given;
use crate::error::{Error, Result};
use crate::floor::noise::{MOST_RUNS, RUNS};
use crate::graph::infer;
use crate::graph::memory::{Engines, Estimate, Known, estimate, shown, size};
use crate::scenario::Subject;
use crate::subject::open;
use std::collections::HashMap;

/// A run that needs at least this much says so before it starts.
const LARGE: u64 = 1 << 30;

/// Says what a large run will need.
///
/// # Errors
/// An estimate beyond `limit.memory`.
pub fn check(given: &Given, record: bool, watch: &mut dyn Watch) -> Result<()> {
    let scenario = given.scenario;
    let limit = scenario.limit.memory.as_deref().and_then(size);
    let subjects = [&scenario.reference, &scenario.candidate];
    // Shapes are ONNX Runtime's to tell; a run without it does not load it for that unless there is a limit.
    if given.plan.pieces.is_empty() || limit.is_none() && subjects.iter().all(|s| s.engine() != "onnxruntime") {
        return Ok(());
    }
    let known = infer::known(&given.graph, &given.inputs, &open::onnxruntime_shapes);
    let found = estimate(&given.graph, &given.plan.pieces, &known, engines(given, record));
    match limit.filter(|most| found.peak > *most) {
        Some(most) => Err(refused(&found, most, &known, given)),
        None => {
            if found.peak >= LARGE {
                watch.note(&format!("memory: {}", says(&found)));
            }
            Ok(())
        }
    }
}

fn engines(given: &Given, record: bool) -> Engines {
    let scenario = given.scenario;
    let count = |name: &str| {
        let of = |s: &Subject| u64::from(s.engine() == name) * (1 + u64::from(s.fault.is_some()));
        of(&scenario.reference) + of(&scenario.candidate)
    };
    let shadow = scenario.tolerance.is_floor();
    let runs = if record { MOST_RUNS } else { RUNS.max(MOST_RUNS - RUNS) };
    Engines { onnxruntime: count("onnxruntime"), libtorch: count("libtorch"), shadow, sets: 1 + u64::from(runs) }
}

fn says(e: &Estimate) -> String {
    let assumed = match e.assumed {
        0 => String::new(),
        n => format!("; {n} of {} shapes are not known beforehand", e.tensors),
    };
    format!("about {} at the peak, in {} (weights {}{assumed})", shown(e.peak), e.phase, shown(e.weights))
}

fn refused(e: &Estimate, most: u64, known: &HashMap<String, Known>, given: &Given) -> Error {
    let largest =
        given.graph.steps.iter().flat_map(|s| &s.outputs).max_by_key(|n| known.get(*n).map_or(0, |k| k.shape.iter().product::<usize>()));
    let largest = largest.and_then(|n| Some(format!("; the largest tensor is '{n}' {:?}", known.get(n)?.shape))).unwrap_or_default();
    Error::usage(format!("this run needs {}; the limit is {}{largest}", says(e), shown(most)))
        .next("raise --max-memory, feed smaller inputs, or state a tolerance of your own: without the f64 shadow a run needs far less")
}
