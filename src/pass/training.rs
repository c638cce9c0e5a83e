//! training: the stages behind the activations: assignment and loss of both sides against the f64 kernel, gradients against the f64 graph.

use super::Watch;
use super::gradients;
use super::layers::Layers;
use super::noise;
use super::preflight;
use crate::error::{Error, Place, Result};
use crate::floor::noise::{Floor, R};
use crate::golden::{Golden, Value};
use crate::graph::Graph;
use crate::scenario::training::{LOSSES, PREDICTIONS, TERMS, Training};
use crate::scenario::{Scenario, Stage, Subject};
use crate::stage::regions::Regions;
use crate::stage::{Stages, assign, grad, loss};
use crate::subject::kernel::{self, Opinion};
use crate::subject::{Engines, Judge, Options, open};
use crate::tensor::Tensor;
use indexmap::IndexMap;
use std::collections::HashMap;
use std::sync::Arc;

/// What the stages are run on.
pub struct Task<'a> {
    pub scenario: &'a Scenario,
    pub training: &'a Training,
    pub graph: &'a Arc<Graph>,
    pub regions: &'a Regions,
    pub inputs: &'a IndexMap<String, Tensor>,
    pub layers: &'a Layers,
    pub golden: Option<&'a Golden>,
    pub engines: Engines<'a>,
    pub threads: usize,
}

/// One side: its tensors, and what the kernel makes of its predictions.
struct Side<'a> {
    who: &'static str,
    outputs: &'a HashMap<String, Tensor>,
    kernel: Opinion,
}

/// Runs assignment, loss and gradients, as far as the scenario asks for them.
pub fn run(task: &Task, judge: &mut dyn Judge, watch: &mut dyn Watch) -> Result<Stages> {
    let runs = |stage| task.scenario.runs(stage);
    let sides = [("reference", &task.layers.reference_outputs), ("candidate", &task.layers.candidate_outputs)];
    let image = preflight::image(task.graph, task.training, task.inputs)?;
    let side = |(who, outputs)| -> Result<Side> {
        let kernel = kernel::evaluate(task.training, image, &|n| tensor(task, outputs, n)).at(who)?;
        Ok(Side { who, outputs, kernel })
    };
    let sides = sides.map(side).into_iter().collect::<Result<Vec<_>>>()?;
    let floors = floors(task, judge, watch)?;
    let grad = if runs(Stage::Grad) { gradients_of(task, sides[0].kernel.loss.gains, watch)? } else { vec![] };
    Ok(Stages {
        assign: runs(Stage::Assign).then(|| assigned(task, &sides, &floors)),
        loss: runs(Stage::Loss).then(|| losses(task, &sides, &floors, &grad)),
        grad,
        ..Stages::default()
    })
}

/// A tensor of one side by its standard name; ground truth and predictions may be inputs of the graph.
fn tensor(task: &Task, outputs: &HashMap<String, Tensor>, standard: &str) -> Option<Tensor> {
    let name = task.training.name(standard);
    outputs.get(name).or_else(|| task.inputs.get(name)).cloned()
}

/// A tensor that the golden keeps whole, by its standard name.
fn kept(task: &Task, standard: &str) -> Option<Tensor> {
    match &task.golden?.tensors.get(task.training.name(standard))?.value {
        Value::Full(tensor) => Some(tensor.clone()),
        Value::Sketch(_) => None,
    }
}

/// How far rounding inside assigner and loss moves their tensors, from the reference's own predictions on; by standard name.
fn floors(task: &Task, judge: &mut dyn Judge, watch: &mut dyn Watch) -> Result<HashMap<&'static str, Floor>> {
    let mut start = task.inputs.clone();
    for name in PREDICTIONS {
        if let Some(t) = task.layers.reference_outputs.get(task.training.name(name)) {
            start.insert(task.training.name(name).to_string(), t.clone());
        }
    }
    let wanted: Vec<&'static str> = ["assign.metric", "assign.overlap", "assign.target_scores"].into_iter().chain(LOSSES).collect();
    let size = |n: &&'static str| Some((task.training.name(n).to_string(), tensor(task, &task.layers.reference_outputs, n)?.numel()));
    let sizes = wanted.iter().filter_map(size).collect();
    let steps = task.regions.training_steps();
    let noise = noise::Task {
        graph: task.graph,
        inputs: &start,
        replay: &task.layers.replay,
        wanted: &sizes,
        dtypes: &task.layers.dtypes(),
        seed: task.scenario.seed,
    };
    let found = noise::over(&noise, &steps, judge, watch)?;
    Ok(wanted.into_iter().filter_map(|n| Some((n, found.get(task.training.name(n))?.clone()))).collect())
}

fn assigned(task: &Task, sides: &[Side], floors: &HashMap<&str, Floor>) -> assign::Report {
    let spread = |name: &str| floors.get(name).map_or(vec![], |f| f.max.iter().map(|m| R * m).collect());
    let ties = assign::Ties { metric: spread("assign.metric"), overlap: spread("assign.overlap") };
    let mut report = assign::Report::default();
    let read = |s: &Side| assign::Assigned::read(&|n| tensor(task, s.outputs, n));
    for side in sides {
        let judges = &side.kernel.evaluation.assignments;
        let reference = assign::Assigned::of(judges);
        if let Some(own) = read(side) {
            report.counts.push(own.count(side.who, &side.kernel.counts));
            report.differences.extend(assign::difference(side.who, "kernel", &own, &reference, judges, &ties));
        }
    }
    let others = [("candidate", read(&sides[1])), ("golden", assign::Assigned::read(&|n| kept(task, n)))];
    for (who, own) in others {
        if let (Some(reference), Some(own)) = (read(&sides[0]), own) {
            let kernel = &sides[0].kernel;
            report.differences.extend(assign::difference(who, "reference", &own, &reference, &kernel.evaluation.assignments, &ties));
            if who == "golden" {
                report.counts.push(own.count(who, &kernel.counts));
            }
        }
    }
    report
}

fn losses(task: &Task, sides: &[Side], floors: &HashMap<&str, Floor>, grads: &[grad::Report]) -> loss::Report {
    let spread = |name: &str| floors.get(name).map_or(0.0, |f| f.max.iter().copied().fold(0.0, f64::max));
    let weights = sides[0].kernel.loss.gains;
    let mut report = loss::Report::default();
    let mut opinions = Vec::new();
    for side in sides {
        let expected = values("kernel", &|n| side.kernel.tensors.get(n).cloned());
        let own = values(side.who, &|n| tensor(task, side.outputs, n));
        if let (Some(own), Some(expected)) = (own, expected) {
            report.checks.extend(loss::checks(&own, &expected, &spread));
            report.flags.extend(loss::flags(&own, &expected, weights, &spread));
            if side.who == "reference" {
                opinions.push(expected);
            }
            opinions.push(own);
        }
    }
    opinions.extend(values("golden", &|n| kept(task, n)));
    report.flags.extend(broadcasts(task));
    report.terms = (0..TERMS.len()).map(|i| term(i, weights[i], &opinions, grads)).collect();
    report
}

fn values(who: &str, get: &dyn Fn(&str) -> Option<Tensor>) -> Option<loss::Values> {
    let one = |name: &str| get(name)?.to_f64().first().copied();
    let items: [f64; 3] = get("loss.items")?.to_f64().try_into().ok()?;
    let terms = [one("loss.iou")?, one("loss.dfl")?, one("loss.cls")?];
    Some(loss::Values { who: who.into(), terms, items, total: one("loss.total")?, normaliser: one("loss.normaliser")? })
}

fn term(i: usize, weight: f64, opinions: &[loss::Values], grads: &[grad::Report]) -> loss::Term {
    let value = |v: &loss::Values| loss::TermValue {
        who: v.who.clone(),
        value: v.terms[i],
        normaliser: v.normaliser,
        contribution: v.terms[i] * weight,
    };
    let of_term = |r: &grad::Report| r.terms.iter().find(|t| t.term == TERMS[i]).map_or(vec![], |t| into(r, t, weight));
    loss::Term {
        name: TERMS[i].into(),
        weight,
        opinions: opinions.iter().map(value).collect(),
        into: grads.iter().flat_map(of_term).collect(),
    }
}

/// Norms of the contribution's gradient into the predictions.
fn into(report: &grad::Report, term: &grad::TermGradients, weight: f64) -> Vec<loss::Into> {
    let predictions = term.gradients.iter().filter(|g| PREDICTIONS.contains(&g.name.as_str()));
    let both = |g: &grad::Gradient| {
        let of = |who: &str, norm: Option<f64>| loss::Into { who: who.into(), tensor: g.name.clone(), norm: norm.map(|n| n * weight) };
        [of(&report.against, g.norm_reference), of(&report.who, g.norm_candidate)]
    };
    predictions.flat_map(both).collect()
}

/// Tensors of the loss that are larger than its declared shapes can make them, on the candidate's side.
fn broadcasts(task: &Task) -> Vec<loss::Flag> {
    let shape = |n: &str| tensor(task, &task.layers.reference_outputs, n).map_or(vec![], |t| t.shape().to_vec());
    let (scores, distances, metric) = (shape("pred_scores"), shape("pred_distri"), shape("assign.metric"));
    let largest = [scores, distances, metric].iter().map(|s| s.iter().product::<usize>()).max().unwrap_or(0);
    let own = |r: &crate::verdict::TensorResult| r.candidate_shape().unwrap_or_else(|| r.shape.clone());
    let region = task.layers.results.iter().filter(|r| task.regions.stage(r.step) == Stage::Loss);
    let flag = |r: &crate::verdict::TensorResult| {
        let term = task.regions.terms(r.step).first().copied().unwrap_or("total");
        loss::broadcast("candidate", &r.name, &own(r), largest, term)
    };
    region.filter_map(flag).collect()
}

/// The candidate's gradients, by libtorch in the declared dtypes, against the f64 graph's.
fn gradients_of(task: &Task, weights: [f64; 3], watch: &mut dyn Watch) -> Result<Vec<grad::Report>> {
    let name = |standard: &&str| task.training.name(standard).to_string();
    let terms: Vec<String> = TERMS.iter().map(|t| name(&format!("loss.{t}").as_str())).chain([name(&"loss.total")]).collect();
    let mut wrt: Vec<String> = PREDICTIONS.iter().map(name).collect();
    wrt.extend(gradients::trainable(task.graph));
    gradients::check(&wrt)?;
    let (options, torch) = (Options { threads: task.threads, optimisation: Default::default() }, task.engines.torch()?);
    let dtypes = task.layers.dtypes();
    let walk = gradients::Task {
        graph: task.graph,
        inputs: task.inputs,
        replay: &task.layers.replay,
        dtypes: &dtypes,
        terms: &terms,
        wrt: &wrt,
        seed: task.scenario.seed,
    };
    // The total is the sum of the weighted terms.
    let sums = gradients::Sums::from([(TERMS.len(), weights.into_iter().enumerate().collect())]);
    let reference = {
        let mut shadow = torch.differentiator(task.graph.clone(), &options, true).at("f64 gradient")?;
        gradients::reference(&walk, &sums, &mut *shadow, watch).at("f64 gradient")?
    };
    let declared = |graph: &Arc<Graph>| {
        let mut session = torch.differentiator(graph.clone(), &options, false)?;
        gradients::own(&walk, &mut *session)
    };
    let candidate = &task.scenario.candidate;
    let own = declared(&open::graph_of(candidate, task.graph)?).at("candidate, gradient")?;
    if preflight::gradient_fault(candidate).is_some() && same(&own, &declared(task.graph).at("candidate without its fault, gradient")?) {
        return Err(changes_nothing(candidate));
    }
    let standard = |n: &String| PREDICTIONS.into_iter().find(|p| task.training.name(p) == n).map_or(n.clone(), str::to_string);
    let names: Vec<String> = wrt.iter().map(standard).collect();
    let judged = TERMS.into_iter().chain(["total"]).enumerate().map(|(i, term)| grad::TermGradients {
        term: term.into(),
        gradients: (0..names.len())
            .map(|k| grad::judge(&names[k], reference.exact[i][k].as_ref(), own[i][k].as_ref(), reference.floors[i][k].as_ref()))
            .collect(),
    });
    let candidate = grad::Report { who: "candidate".into(), against: "f64 graph".into(), terms: judged.collect() };
    let golden = task.golden.and_then(|g| golden_gradients(g, &names, &reference, weights));
    Ok(std::iter::once(candidate).chain(golden).collect())
}

/// The golden's gradients `grad.TERM.NAME` (of the weighted terms) against the f64 graph's; None where it keeps none.
fn golden_gradients(golden: &Golden, names: &[String], reference: &gradients::Reference, weights: [f64; 3]) -> Option<grad::Report> {
    let weights = weights.into_iter().chain([1.0]);
    let term = |(i, (term, weight)): (usize, (&str, f64))| {
        let held = |name: &String| golden.tensors.get(&format!("grad.{term}.{name}"));
        let one = |(k, name): (usize, &String)| {
            let exact = reference.exact[i][k].as_ref().map(|t| scaled(t, weight));
            let floor = Floor::sum(reference.floors[i][k].iter().map(|f| (f, weight)));
            let judged = match &held(name)?.value {
                Value::Full(tensor) => grad::judge(name, exact.as_ref(), Some(tensor), floor.as_ref()),
                Value::Sketch(sketch) => grad::judge_sketch(name, exact.as_ref(), sketch, floor.as_ref()),
            };
            // Norms are those of the raw term, as everywhere.
            let raw = |n: Option<f64>| n.map(|n| n / weight);
            Some(grad::Gradient { norm_reference: raw(judged.norm_reference), norm_candidate: raw(judged.norm_candidate), ..judged })
        };
        grad::TermGradients { term: term.into(), gradients: names.iter().enumerate().filter_map(one).collect() }
    };
    let terms: Vec<_> = TERMS.into_iter().chain(["total"]).zip(weights).enumerate().map(term).collect();
    let kept = terms.iter().any(|t| !t.gradients.is_empty());
    kept.then(|| grad::Report { who: "golden".into(), against: "f64 graph".into(), terms })
}

fn scaled(t: &Tensor, by: f64) -> Tensor {
    Tensor::from_vec(t.shape(), t.to_f64().iter().map(|v| v * by).collect::<Vec<f64>>())
}

fn same(a: &[Vec<Option<Tensor>>], b: &[Vec<Option<Tensor>>]) -> bool {
    let bytes = |g: &Option<Tensor>| g.as_ref().map(|t| t.bytes().to_vec());
    a.iter().flatten().map(bytes).eq(b.iter().flatten().map(bytes))
}

fn changes_nothing(subject: &Subject) -> Error {
    let node = subject.node.as_deref().unwrap_or_default();
    Error::usage(format!("the injected fault changes no gradient at node '{node}' on these inputs")).next("choose another node or input")
}
