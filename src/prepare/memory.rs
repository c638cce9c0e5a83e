//! memory: what a run will need, said before a large one starts, and refused where the user allows less.

use super::prepared::Prepared;
use crate::error::{Error, Result};
use crate::floor::noise::{MOST_RUNS, RUNS};
use crate::graph::Graph;
use crate::graph::infer;
use crate::graph::memory::{Copies, Estimate, Known, estimate, shown, size};
use crate::machine;
use crate::scenario::{Scenario, Subject, SubjectKind};
use crate::subject::open;
use crate::tensor::Tensor;
use crate::watch::Watch;
use indexmap::IndexMap;
use std::collections::HashMap;

/// A run that needs at least this much says so before it starts.
const LARGE: u64 = 1 << 30;

/// Says what a large run will need.
///
/// # Errors
/// An estimate beyond `limit.memory`; without one, an estimate from known shapes alone that is beyond all that there is.
pub fn check(prepared: &Prepared, record: bool, watch: &mut dyn Watch) -> Result<()> {
    let scenario = prepared.scenario;
    let limit = scenario.limit.memory.as_deref().and_then(size);
    let subjects = [&scenario.reference, &scenario.candidate];
    // Shapes are ONNX Runtime's to tell; a run without it does not load it for that unless there is a limit.
    if prepared.plan.pieces.is_empty()
        || limit.is_none()
            && subjects
                .iter()
                .all(|s| s.engine() != SubjectKind::OnnxRuntime)
    {
        return Ok(());
    }
    let known = infer::known(&prepared.graph, &prepared.inputs, &open::onnxruntime_shapes);
    let found = estimate(&prepared.graph, &known, copies(prepared, record));
    let machine = machine::memory();
    match (limit, machine) {
        (Some(most), _) if found.peak > most => {
            return Err(refused(
                &found,
                &format!("the limit is {}", shown(most)),
                &known,
                prepared,
            ));
        }
        (None, Some(m)) if found.sure > m.total => {
            return Err(refused(
                &found,
                &format!("there are {} for this process", shown(m.total)),
                &known,
                prepared,
            ));
        }
        (Some(_), _) | (None, _) => {}
    }
    let short = machine.filter(|m| found.peak > m.free);
    if found.peak >= LARGE || short.is_some() {
        let free = short.map_or(String::new(), |m| {
            format!("; only {} of {} are free", shown(m.free), shown(m.total))
        });
        watch.note(&format!("memory: {}{free}", says(&found)));
    }
    Ok(())
}

/// Says what two graphs need of which every tensor is kept in f64.
///
/// # Errors
/// As `check`.
pub fn of_two<'a>(
    scenario: &Scenario,
    graphs: impl Iterator<Item = (&'a Graph, &'a IndexMap<String, Tensor>)>,
    watch: &mut dyn Watch,
) -> Result<()> {
    let limit = scenario.limit.memory.as_deref().and_then(size);
    let held = |(graph, inputs): (&Graph, &IndexMap<String, Tensor>)| {
        let known = infer::known(graph, inputs, &open::onnxruntime_shapes);
        let elements = known
            .values()
            .map(|k| k.shape.iter().product::<usize>() as u64);
        let weights = graph.weights.values().map(|t| t.numel() as u64);
        8 * (elements.sum::<u64>() + weights.sum::<u64>())
    };
    let needs: u64 = graphs.map(held).sum();
    let machine = machine::memory();
    let most = limit.or(machine.map(|m| m.total));
    if let Some(most) = most.filter(|most| needs > *most) {
        return Err(Error::usage(format!(
            "graphs whose tensors are kept in f64 need {} at least, and {} are allowed",
            shown(needs),
            shown(most)
        ))
        .next("feed a smaller input (--input NAME=SHAPE), or allow more (--max-memory)"));
    }
    if needs >= LARGE {
        watch.note(&format!("memory: two graphs in f64 keep {}", shown(needs)));
    }
    Ok(())
}

/// docs/MEMORY.md says what each stands for.
fn copies(prepared: &Prepared, record: bool) -> Copies {
    let scenario = prepared.scenario;
    let count = |kind: SubjectKind| {
        let of = |s: &Subject| u64::from(s.engine() == kind) * (1 + u64::from(s.fault().is_some()));
        of(&scenario.reference) + of(&scenario.candidate)
    };
    let shadow = scenario.tolerance.is_floor();
    let runs = if record {
        MOST_RUNS
    } else {
        RUNS.max(MOST_RUNS - RUNS)
    };
    let deployed = count(SubjectKind::OnnxRuntime).min(1);
    let noisy = |runs: u32| if shadow { 4 + u64::from(runs) } else { 4 };
    Copies {
        weights: 1 + count(SubjectKind::Libtorch) + 4 * deployed + 2 * u64::from(shadow),
        alive: noisy(runs),
        least: noisy(RUNS),
        wide: shadow,
    }
}

fn says(e: &Estimate) -> String {
    let assumed = match e.assumed {
        0 => String::new(),
        n => format!("; {n} of {} shapes are not known beforehand", e.tensors),
    };
    format!(
        "about {} at the peak (weights {}{assumed})",
        shown(e.peak),
        shown(e.weights)
    )
}

fn refused(
    e: &Estimate,
    beyond: &str,
    known: &HashMap<String, Known>,
    prepared: &Prepared,
) -> Error {
    let largest = prepared
        .graph
        .steps
        .iter()
        .flat_map(|s| &s.outputs)
        .max_by_key(|n| {
            known
                .get(*n)
                .map_or(0, |k| k.shape.iter().product::<usize>())
        });
    let largest = largest
        .and_then(|n| {
            Some(format!(
                "; the largest tensor is '{n}' {:?}",
                known.get(n)?.shape
            ))
        })
        .unwrap_or_default();
    Error::usage(format!("this run needs {}; {beyond}{largest}", says(e))).next(
        "feed smaller inputs, or state a tolerance of your own: without the f64 shadow a run needs far less; --max-memory SIZE is your own limit, \
         and above the estimate it lets the run go on",
    )
}
