//! judged: one step that both subjects have computed: isolated against the rounding bound, accumulated as far as it can be told now.

use super::accumulated::{self, Pending};
use super::bench::Bench;
use super::isolated::{self, Case};
use super::lacking;
use super::layers::Layers;
use super::plan::{Plan, is_random};
use super::turns;
use super::values::Values;
use super::witness;
use crate::error::Result;
use crate::floor::Rounding;
use crate::graph::{Graph, Step, cost};
use crate::subject::Output;
use crate::tensor::Tensor;
use crate::verdict::{Accumulated, Inside, Isolated, TensorResult};

/// One step after both subjects have computed it.
pub struct Walked<'a> {
    pub step: usize,
    pub reference: &'a [Output],
    pub candidate: &'a [Output],
    /// The candidate's outputs on the reference's inputs; None where it could not run alone.
    pub alone: Option<&'a [Output]>,
    /// What the reference has computed so far.
    pub own_r: &'a Values,
    /// What did not repeat its bits.
    pub repeat: Option<String>,
}

/// Judges every wanted output of the step and puts the results into `layers`.
pub fn step(bench: &mut Bench, plan: &Plan, walked: &Walked, layers: &mut Layers) -> Result<()> {
    let Walked { step, reference, candidate, alone, own_r, .. } = *walked;
    let graph = bench.graph;
    let the_step = &graph.steps[step];
    if !the_step.outputs.iter().any(|o| plan.judged.contains(o)) {
        return Ok(());
    }
    let feed = |n: &str| own_r.get(n);
    let complete = the_step.inputs.iter().all(|n| own_r.has(n) || graph.weights.contains_key(n));
    let judged = match &mut bench.judge {
        Some(judge) if complete && !is_random(the_step) && !bench.lacking.steps.contains(&step) => {
            let shadow = judge.eval(step, &feed)?;
            let rounding = judge.rounding(step, &feed, &shadow)?;
            Some((shadow, rounding))
        }
        _ => None,
    };
    let lent = bench.lacking.lent(&[step]).then(|| lacking::reason(the_step.op()));
    // What is inside a body comes before what the step gives.
    let mut outputs: Vec<(usize, &String)> = the_step.outputs.iter().enumerate().filter(|(_, n)| plan.judged.contains(*n)).collect();
    outputs.sort_by_key(|(_, n)| !graph.bodies.seen.contains_key(*n));
    for (k, name) in outputs {
        let shadow = judged.as_ref().map(|(s, r)| (&s[k], &r[k]));
        if let (Some((_, Rounding::Decision)), Ok(r)) = (shadow, &reference[k]) {
            layers.replay.insert(name.clone(), r.clone());
        }
        let isolated = match (&reference[k], alone.map(|a| &a[k])) {
            (Ok(r), Some(Ok(c))) => isolated_case(bench, step, k, r, c, shadow, &feed)?,
            (Err(reason), _) | (_, Some(Err(reason))) => Isolated::Abstained { reason: reason.clone() },
            (Ok(_), None) if lent.is_some() => Isolated::Abstained { reason: lent.clone().unwrap_or_default() },
            (Ok(_), None) => Isolated::Abstained { reason: why_not_alone(bench, the_step, complete) },
        };
        let pending = match (&reference[k], &candidate[k]) {
            (Ok(_), Ok(_)) if lent.is_some() => Pending::Done(Accumulated::Abstained { reason: lent.clone().unwrap_or_default() }),
            (Ok(_), Ok(_)) if is_random(the_step) => {
                Pending::Done(Accumulated::Abstained { reason: "random operator: taken from the reference".into() })
            }
            (Ok(r), Ok(c)) => with_margin(accumulated::compare_own(r, c, bench.stated.as_ref(), shadow), bench, step, k, r, c, &feed)?,
            (Err(reason), _) | (_, Err(reason)) => Pending::Done(Accumulated::Abstained { reason: reason.clone() }),
        };
        let mut result = result(graph, step, k, reference[k].as_ref().ok(), isolated, walked.repeat.clone(), own_r);
        if let (true, Some(inside), Ok(r), Some(Ok(c))) = (result.isolated.over(), &mut result.inside, &reference[k], alone.map(|a| &a[k]))
        {
            let (shadow, rounding) = shadow.unwrap_or((r, &Rounding::Exact));
            let case = Case { step, output: k, reference: r, candidate: c, shadow, rounding, feed: &feed, kinship: bench.kinship };
            inside.turn = turns::first(&case, bench.stated.as_ref(), bench.judge.as_deref_mut())?;
        }
        layers.results.push(result);
        layers.pending.push(pending);
        layers.witnessed.extend(bench.golden.zip(reference[k].as_ref().ok()).and_then(|(g, r)| witness::look(g, name, step, r)));
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
    let name = &the_step.outputs[output];
    let inner = graph.bodies.seen.get(name);
    TensorResult {
        name: name.clone(),
        node: inner.map_or(&the_step.name, |i| &i.node).clone(),
        op: inner.map_or(the_step.op(), |i| &i.op).to_string(),
        inside: inner.map(|_| Inside { step: the_step.name.clone(), op: the_step.op().to_string(), turn: None }),
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
