//! layers: the first walk: both subjects piece by piece, every tensor judged alone and accumulated, then freed.

use super::Watch;
use super::accumulated::{self, Pending};
use super::isolated::{self, Case, Kinship};
use super::noise::reaches_shape;
use super::plan::{Plan, is_random};
use super::values::{Release, Values};
use crate::compare::Tolerance;
use crate::error::{Error, Place, Result};
use crate::floor::Rounding;
use crate::graph::cut::Link;
use crate::graph::{Graph, Step, cost};
use crate::subject::{Judge, Output, Session};
use crate::tensor::Tensor;
use crate::trace::record::Recorder;
use crate::verdict::{Accumulated, Isolated, TensorResult};
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};

/// Everything that takes part in the walk.
pub struct Bench<'a> {
    pub graph: &'a Graph,
    pub inputs: &'a IndexMap<String, Tensor>,
    pub reference: Box<dyn Session>,
    pub candidate: Box<dyn Session>,
    /// None where a stated tolerance makes the shadow unnecessary.
    pub judge: Option<Box<dyn Judge>>,
    pub stated: Option<Tolerance>,
    pub kinship: Kinship,
    /// For every injected fault: its step and the same engine without it.
    pub controls: Vec<Control>,
    pub record: Option<Recorder>,
}

/// An injected fault: its step, the same engine without it, the side that carries it.
pub type Control = (usize, Box<dyn Session>, Faulty);

/// Which side carries an injected fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faulty {
    Reference,
    Candidate,
}

/// What the walk found.
#[derive(Default)]
pub struct Layers {
    pub results: Vec<TensorResult>,
    pub pending: Vec<Pending>,
    /// Reference values that the noise walk replays.
    pub replay: HashMap<String, Tensor>,
    /// Declared outputs of both subjects.
    pub reference_outputs: HashMap<String, Tensor>,
    pub candidate_outputs: HashMap<String, Tensor>,
}

/// Outputs of a piece, per step.
type Piece = Vec<Vec<Output>>;

/// Walks over the whole plan.
pub fn run(bench: &mut Bench, plan: &Plan, watch: &mut dyn Watch) -> Result<Layers> {
    let (mut own_r, mut own_c) = (Values::of(bench.inputs), Values::of(bench.inputs));
    let release = Release::of(bench.graph);
    let mut layers = Layers::default();
    watch.phase("layers", plan.steps());
    for piece in &plan.pieces {
        let (reference, noise_r) = proved(&mut *bench.reference, piece, &own_r).at("reference")?;
        put(bench.graph, piece, &reference, &mut own_r);
        let drawn = piece.iter().any(|i| is_random(&bench.graph.steps[*i]));
        let (candidate, noise_c) =
            if drawn { (reference.clone(), None) } else { proved(&mut *bench.candidate, piece, &own_c).at("candidate")? };
        put(bench.graph, piece, &candidate, &mut own_c);
        check_controls(bench, piece, &own_r)?;
        let alone = if drawn { vec![None; piece.len()] } else { isolated_outputs(bench, piece, &own_r)? };
        for (k, &step) in piece.iter().enumerate() {
            record(bench, step, &reference[k], &candidate[k])?;
            keep(bench.graph, step, &reference[k], &candidate[k], &mut layers);
            let repeat = noise_r.clone().map(|n| format!("reference: {n}")).or(noise_c.clone().map(|n| format!("candidate: {n}")));
            judge_step(bench, plan, step, &reference[k], &candidate[k], alone[k].as_deref(), &own_r, repeat, &mut layers)?;
        }
        for &step in piece {
            own_r.drop_after(step, &release);
            own_c.drop_after(step, &release);
        }
        watch.step(piece.last().map_or(0, |i| i + 1));
    }
    Ok(layers)
}

/// Runs a piece twice; the second value says what did not repeat.
fn proved(session: &mut dyn Session, piece: &[usize], own: &Values) -> Result<(Piece, Option<String>)> {
    let first = session.eval(piece, Link::Connected, &|n| own.get(n))?;
    if !session.can_isolate() {
        return Ok((first, None));
    }
    let second = session.eval(piece, Link::Connected, &|n| own.get(n))?;
    let differ = first.iter().flatten().zip(second.iter().flatten()).filter(|(a, b)| match (a, b) {
        (Ok(a), Ok(b)) => a.bytes() != b.bytes(),
        (a, b) => a.is_ok() != b.is_ok(),
    });
    let count = differ.count();
    let noise = (count > 0).then(|| format!("{count} tensors of this piece did not repeat their bits"));
    Ok((first, noise))
}

fn put(graph: &Graph, piece: &[usize], outputs: &Piece, own: &mut Values) {
    for (step, values) in piece.iter().zip(outputs) {
        for (name, value) in graph.steps[*step].outputs.iter().zip(values) {
            if let Ok(tensor) = value {
                own.put(name, tensor.clone());
            }
        }
    }
}

/// The candidate's steps on the reference's values; None for a step that cannot be run alone.
fn isolated_outputs(bench: &mut Bench, piece: &[usize], own_r: &Values) -> Result<Vec<Option<Vec<Output>>>> {
    if !bench.candidate.can_isolate() {
        return Ok(vec![None; piece.len()]);
    }
    let graph = bench.graph;
    let ready = |i: &&usize| graph.steps[**i].inputs.iter().all(|n| own_r.has(n) || graph.weights.contains_key(n));
    let runnable: Vec<usize> = piece.iter().filter(ready).copied().collect();
    let mut done = if runnable.is_empty() {
        vec![]
    } else {
        bench.candidate.eval(&runnable, Link::Isolated, &|n| own_r.get(n)).at("candidate, node by node")?
    };
    let mut outputs = vec![None; piece.len()];
    for (step, values) in runnable.iter().zip(done.drain(..)) {
        if let Some(k) = piece.iter().position(|i| i == step) {
            outputs[k] = Some(values);
        }
    }
    Ok(outputs)
}

/// An injected fault must change some bit of its own node's output, or it proves nothing.
fn check_controls(bench: &mut Bench, piece: &[usize], own_r: &Values) -> Result<()> {
    let (graph, feed) = (bench.graph, |n: &str| own_r.get(n));
    for (step, clean, side) in bench.controls.iter_mut().filter(|c| piece.contains(&c.0)) {
        let faulty: &mut dyn Session = match side {
            Faulty::Reference => &mut *bench.reference,
            Faulty::Candidate => &mut *bench.candidate,
        };
        let (a, b) = (clean.eval(&[*step], Link::Isolated, &feed)?, faulty.eval(&[*step], Link::Isolated, &feed)?);
        let same = a.iter().flatten().zip(b.iter().flatten()).all(|(a, b)| match (a, b) {
            (Ok(a), Ok(b)) => a.shape() == b.shape() && a.bytes() == b.bytes(),
            _ => false,
        });
        if same {
            let node = &graph.steps[*step].name;
            return Err(Error::usage(format!("the injected fault changes no output bit of node '{node}' on these inputs"))
                .next("choose another node, amount or input"));
        }
    }
    Ok(())
}

fn record(bench: &mut Bench, step: usize, reference: &[Output], candidate: &[Output]) -> Result<()> {
    let Some(traces) = &mut bench.record else { return Ok(()) };
    for (name, (r, c)) in bench.graph.steps[step].outputs.iter().zip(reference.iter().zip(candidate)) {
        r.iter().try_for_each(|t| traces.reference.add(name, t))?;
        c.iter().try_for_each(|t| traces.candidate.add(name, t))?;
    }
    Ok(())
}

/// Keeps what later walks need: declared outputs, and values that noise must not move.
fn keep(graph: &Graph, step: usize, reference: &[Output], candidate: &[Output], layers: &mut Layers) {
    for (name, (r, c)) in graph.steps[step].outputs.iter().zip(reference.iter().zip(candidate)) {
        let declared = graph.outputs.iter().any(|p| p.name == *name);
        if let (Ok(r), true) = (r, declared) {
            layers.reference_outputs.insert(name.clone(), r.clone());
        }
        if let (Ok(c), true) = (c, declared) {
            layers.candidate_outputs.insert(name.clone(), c.clone());
        }
        if let Ok(r) = r {
            let shape = || graph.steps[step + 1..].iter().any(|s| reaches_shape(s, name));
            if !r.dtype().is_float() || is_random(&graph.steps[step]) || r.numel() <= 8 && shape() {
                layers.replay.insert(name.clone(), r.clone());
            }
        }
    }
}

#[allow(clippy::too_many_arguments)]
fn judge_step(
    bench: &mut Bench,
    plan: &Plan,
    step: usize,
    reference: &[Output],
    candidate: &[Output],
    alone: Option<&[Output]>,
    own_r: &Values,
    repeat: Option<String>,
    layers: &mut Layers,
) -> Result<()> {
    let graph = bench.graph;
    let the_step = &graph.steps[step];
    if !the_step.outputs.iter().any(|o| plan.judged.contains(o)) {
        return Ok(());
    }
    let feed = |n: &str| own_r.get(n);
    let complete = the_step.inputs.iter().all(|n| own_r.has(n) || graph.weights.contains_key(n));
    let judged = match &mut bench.judge {
        Some(judge) if complete && !is_random(the_step) => {
            let shadow = judge.eval(step, &feed)?;
            let rounding = judge.rounding(step, &feed, &shadow)?;
            Some((shadow, rounding))
        }
        _ => None,
    };
    for (k, name) in the_step.outputs.iter().enumerate().filter(|(_, n)| plan.judged.contains(*n)) {
        let shadow = judged.as_ref().map(|(s, r)| (&s[k], &r[k]));
        if let (Some((_, Rounding::Decision)), Ok(r)) = (shadow, &reference[k]) {
            layers.replay.insert(name.clone(), r.clone());
        }
        let isolated = match (&reference[k], alone.map(|a| &a[k])) {
            (Ok(r), Some(Ok(c))) => isolated_case(bench, step, k, r, c, shadow, &feed)?,
            (Err(reason), _) | (_, Some(Err(reason))) => Isolated::Abstained { reason: reason.clone() },
            (Ok(_), None) => Isolated::Abstained { reason: why_not_alone(bench, the_step, complete) },
        };
        let pending = match (&reference[k], &candidate[k]) {
            (Ok(_), Ok(_)) if is_random(the_step) => {
                Pending::Done(Accumulated::Abstained { reason: "random operator: taken from the reference".into() })
            }
            (Ok(r), Ok(c)) => with_margin(accumulated::compare_own(r, c, bench.stated.as_ref(), shadow), bench, step, k, r, c, &feed)?,
            (Err(reason), _) | (_, Err(reason)) => Pending::Done(Accumulated::Abstained { reason: reason.clone() }),
        };
        layers.results.push(result(graph, step, k, reference[k].as_ref().ok(), isolated, repeat.clone(), own_r));
        layers.pending.push(pending);
    }
    Ok(())
}

fn why_not_alone(bench: &Bench, step: &Step, complete: bool) -> String {
    match (bench.candidate.can_isolate(), complete) {
        _ if is_random(step) => "random operator".into(),
        (false, _) => "own fault not tested (recorded)".into(),
        (true, false) => "own fault not tested: the reference lacks an input".into(),
        (true, true) => "own fault not tested".into(),
    }
}

fn isolated_case(
    bench: &mut Bench,
    step: usize,
    output: usize,
    r: &Tensor,
    c: &Tensor,
    shadow: Option<(&Tensor, &Rounding)>,
    feed: &dyn Fn(&str) -> Option<Tensor>,
) -> Result<Isolated> {
    match (&bench.stated, shadow, &mut bench.judge) {
        (Some(tolerance), _, _) => Ok(isolated::stated(r, c, tolerance)),
        (None, Some((shadow, rounding)), Some(judge)) => isolated::judge(
            &Case { step, output, reference: r, candidate: c, shadow, rounding, feed, kinship: bench.kinship },
            &mut **judge,
        ),
        _ => Ok(Isolated::Abstained { reason: "own fault not tested: no shadow".into() }),
    }
}

/// A differing decision carries its f64 margin on the reference's inputs.
fn with_margin(
    pending: Pending,
    bench: &mut Bench,
    step: usize,
    output: usize,
    r: &Tensor,
    c: &Tensor,
    feed: &dyn Fn(&str) -> Option<Tensor>,
) -> Result<Pending> {
    match (pending, &mut bench.judge) {
        (Pending::Decision { comparison, .. }, Some(judge)) => {
            let margin = if r.shape() == c.shape() { judge.margin(step, feed, output, r, c)? } else { None };
            Ok(Pending::Decision { comparison, margin: margin.unwrap_or(f64::INFINITY) })
        }
        (pending, _) => Ok(pending),
    }
}

fn result(
    graph: &Graph,
    step: usize,
    output: usize,
    reference: Option<&Tensor>,
    isolated: Isolated,
    repeat_noise: Option<String>,
    own_r: &Values,
) -> TensorResult {
    let the_step = &graph.steps[step];
    let node = &the_step.nodes[0];
    let fed: Vec<Option<Tensor>> = node.inputs.iter().map(|n| graph.weights.get(n).cloned().or_else(|| own_r.get(n))).collect();
    let shapes: Vec<Option<&[usize]>> = fed.iter().map(|t| t.as_ref().map(Tensor::shape)).collect();
    let shape = reference.map_or(vec![], |t| t.shape().to_vec());
    TensorResult {
        name: the_step.outputs[output].clone(),
        node: the_step.name.clone(),
        op: the_step.op().to_string(),
        step,
        dtype: reference.map(Tensor::dtype),
        macs: if output == 0 { cost::macs(node, &shapes, &shape).unwrap_or(0) } else { 0 },
        shape,
        // Replaced when the floors are known.
        accumulated: Accumulated::Abstained { reason: "not settled".into() },
        isolated,
        repeat_noise,
    }
}

/// Names of the tensors that wait for a noise floor, or all float tensors where the trace is to carry floors.
pub fn wanted(layers: &Layers, all: bool) -> HashSet<String> {
    let waits = |p: &Pending| matches!(p, Pending::Noise(_));
    let float = |r: &TensorResult| r.dtype.is_some_and(|d| d.is_float());
    layers.results.iter().zip(&layers.pending).filter(|(r, p)| waits(p) || all && float(r)).map(|(r, _)| r.name.clone()).collect()
}
