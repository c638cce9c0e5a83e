//! gradients: the candidate's gradients and the golden's, each against those of the f64 graph.

use super::Task;
use crate::error::{Error, Place, Result, or_refusal};
use crate::golden::{Golden, Value};
use crate::graph::Graph;
use crate::judge::stage::grad::{self, Exact, Gradient, Report, TermGradients};
use crate::prepare::preflight;
use crate::watch::Watch;

use crate::scenario::training::{PREDICTIONS, TOTAL, Weighted, raw};
use crate::scenario::{Gradients, Subject};
use crate::subject::{Options, Session, kernels, open};
use crate::tensor::Tensor;
use crate::walk::gradients::{self as walk, Reference, Sums};
use std::sync::Arc;

/// By term, then by what it is differentiated by.
type Own = Vec<Vec<Option<Tensor>>>;

/// Whose gradients every opinion is held against.
const AGAINST: &str = "f64 graph";

/// What every opinion is held against: the f64 graph's gradients of the raw terms and of the total, with their standard names.
struct Bar {
    /// The terms with their weights, and the total.
    terms: Vec<Weighted>,
    names: Vec<String>,
    reference: Reference,
}

/// One report per opinion.
pub fn reports(task: &Task, watch: &mut dyn Watch) -> Result<Vec<Report>> {
    let given = task.given;
    let (terms, wrt) = asked(task)?;
    let walked = walk::Task {
        graph: &given.graph,
        inputs: &given.inputs,
        replay: &task.replay,
        dtypes: &task.dtypes,
        terms: &terms,
        wrt: &wrt,
        seed: given.scenario.seed,
    };
    // The total is the sum of the weighted terms.
    let weights = task.terms.iter().map(|t| t.weight).enumerate();
    let sums = Sums::from([(task.terms.len(), weights.collect())]);
    let exact = or_refusal(exact(task, &walked, &sums, watch))?;
    let reference = match exact.map_err(|says| format!("the f64 graph has no gradients: {says}")) {
        Ok(reference) => reference,
        Err(why) => {
            let golden = given.golden.as_ref().is_some_and(keeps);
            let who = std::iter::once("candidate").chain(golden.then_some("golden"));
            return Ok(who
                .map(|who| Report::nothing(who, AGAINST, why.clone()))
                .collect());
        }
    };
    let standard = |n: &String| {
        PREDICTIONS
            .into_iter()
            .find(|p| task.training.name(p) == n)
            .map_or(n.clone(), str::to_string)
    };
    let bar = Bar {
        terms: task
            .terms
            .iter()
            .copied()
            .chain([Weighted {
                name: "total",
                weight: 1.0,
            }])
            .collect(),
        names: wrt.iter().map(standard).collect(),
        reference,
    };
    let candidate = match given.scenario.candidate.abilities().gradients {
        Gradients::Kept => of_recording(task.candidate, &bar)?,
        Gradients::Exact => of_kernel(task, &bar, &walked)?,
        Gradients::Own => match candidate(task, &walked)? {
            Ok(own) => bar.report("candidate", &|i, k, exact| {
                Some(grad::judge(&bar.names[k], exact, own[i][k].as_ref(), 1.0))
            }),
            Err(says) => Report::nothing(
                "candidate",
                AGAINST,
                format!("libtorch gives no gradients: {says}"),
            ),
        },
        Gradients::Nothing => {
            let engine = given.scenario.candidate.engine();
            Report::nothing("candidate", AGAINST, format!("{engine} gives no gradients"))
        }
    };
    let golden = given.golden.as_ref().and_then(|g| of_golden(g, &bar));
    Ok(std::iter::once(candidate).chain(golden).collect())
}

/// Names in the graph of what is differentiated, and of what by.
///
/// # Errors
/// A term that is not one number: the gradient of its sum would pass for its own.
fn asked(task: &Task) -> Result<(Vec<String>, Vec<String>)> {
    let terms = task
        .terms
        .iter()
        .map(|t| raw(t.name))
        .chain([TOTAL.to_string()]);
    let terms: Vec<String> = terms.map(|t| task.training.name(&t).to_string()).collect();
    let values = |name: &String| {
        task.layers
            .reference_outputs
            .get(name)
            .filter(|t| t.numel() != 1)
            .map(|t| (name.clone(), t))
    };
    if let Some((name, t)) = terms.iter().find_map(values) {
        return Err(Error::usage(format!(
            "term '{name}' has shape {:?}, not one number",
            t.shape()
        )));
    }
    let mut wrt: Vec<String> = PREDICTIONS
        .iter()
        .map(|p| task.training.name(p).to_string())
        .collect();
    wrt.extend(walk::trainable(&task.given.graph));
    walk::check(&wrt)?;
    Ok((terms, wrt))
}

/// The f64 graph's gradients, with their floors.
fn exact(
    task: &Task,
    walked: &walk::Task,
    sums: &Sums,
    watch: &mut dyn Watch,
) -> Result<Reference> {
    let options = Options {
        threads: task.given.threads,
        optimisation: Default::default(),
    };
    let mut shadow =
        task.engines
            .torch()?
            .differentiator(task.given.graph.clone(), &options, true)?;
    walk::reference(walked, sums, &mut *shadow, watch)
}

/// The gradients of a candidate that computes: by libtorch in the declared dtypes; or why it refuses them.
///
/// # Errors
/// An injected fault of gradients that changes none.
fn candidate(task: &Task, walked: &walk::Task) -> Result<std::result::Result<Own, String>> {
    let (graph, subject) = (&task.given.graph, &task.given.scenario.candidate);
    let options = Options {
        threads: task.given.threads,
        optimisation: Default::default(),
    };
    let declared = |graph: &Arc<Graph>| {
        walk::own(
            walked,
            &mut *task
                .engines
                .torch()?
                .differentiator(graph.clone(), &options, false)?,
        )
    };
    let own = match or_refusal(declared(&open::graph_of(subject, graph)?))? {
        Ok(own) => own,
        refused @ Err(_) => return Ok(refused),
    };
    if preflight::gradient_fault(subject).is_some()
        && same(
            &own,
            &declared(graph).at("candidate without its fault, gradient")?,
        )
    {
        return Err(changes_nothing(subject));
    }
    Ok(Ok(own))
}

impl Bar {
    /// The report of one opinion; `one` judges gradient (term, name), or says None where the opinion has none to be judged.
    fn report(&self, who: &str, one: &dyn Fn(usize, usize, Exact) -> Option<Gradient>) -> Report {
        let exact = |i: usize, k: usize| Exact {
            gradient: self.reference.exact[i][k].as_ref(),
            floor: self.reference.floors[i][k].as_ref(),
        };
        let terms = self
            .terms
            .iter()
            .enumerate()
            .map(|(i, term)| TermGradients {
                term: term.name.into(),
                gradients: (0..self.names.len())
                    .filter_map(|k| one(i, k, exact(i, k)))
                    .collect(),
            });
        Report {
            who: who.into(),
            against: AGAINST.into(),
            terms: terms.collect(),
            abstained: None,
        }
    }

    /// Whether name `k` is a prediction, not a parameter.
    fn is_prediction(&self, k: usize) -> bool {
        PREDICTIONS.contains(&self.names[k].as_str())
    }
}

/// The exact gradients of a kernel: of its terms and their sum by the predictions, as it knows no parameter.
fn of_kernel(task: &Task, bar: &Bar, walked: &walk::Task) -> Result<Report> {
    let given = task.given;
    let name = match &given.scenario.candidate {
        Subject::Kernel { kernel } => kernel.as_deref(),
        _ => None,
    };
    let answer = kernels::of(&given.graph, name)?.evaluate(&|n| given.inputs.get(n).cloned())?;
    let of = |i: usize, k: usize| {
        answer
            .gradients
            .iter()
            .find(|g| (g.of, g.by) == (walked.terms[i].as_str(), walked.wrt[k].as_str()))
    };
    let report = bar.report("candidate", &|i, k, exact| {
        Some(grad::judge(
            &bar.names[k],
            exact,
            Some(&of(i, k)?.value),
            1.0,
        ))
    });
    let parameters = (0..bar.names.len())
        .filter(|k| !bar.is_prediction(*k))
        .count();
    Ok(Report {
        abstained: (parameters > 0)
            .then(|| format!("a kernel gives no gradients by {parameters} parameters")),
        ..report
    })
}

fn is_gradient(name: &str) -> bool {
    name.starts_with("grad.")
}

/// Whether the golden keeps any gradient.
fn keeps(golden: &Golden) -> bool {
    golden.tensors.keys().any(|n| is_gradient(n))
}

/// What the golden keeps, `grad.TERM.NAME` of the weighted term; a gradient that it does not keep is not judged. None where it keeps none at all.
fn of_golden(golden: &Golden, bar: &Bar) -> Option<Report> {
    let kept_ones = golden.tensors.keys().filter(|n| is_gradient(n)).count();
    let report = bar.report("golden", &|i, k, exact| {
        let (Weighted { name: term, weight }, name) = (bar.terms[i], &bar.names[k]);
        Some(
            match &golden.tensors.get(&format!("grad.{term}.{name}"))?.value {
                Value::Full(tensor) => grad::judge(name, exact, Some(tensor), weight),
                Value::Sketch(sketch) => grad::judge_sketch(name, exact, sketch, weight),
            },
        )
    });
    let pairs = report.terms.iter().any(|t| !t.gradients.is_empty());
    let nothing = || {
        format!(
            "none of its {kept_ones} gradients pairs with a prediction or a parameter of the graph"
        )
    };
    (kept_ones > 0).then(|| Report {
        abstained: (!pairs).then(nothing),
        ..report
    })
}

/// What the candidate's trace holds. A term of which it holds any gradient by a prediction has no other by one, and likewise by parameters; what
/// of a term it holds none of was not recorded, and is not judged.
fn of_recording(trace: &dyn Session, bar: &Bar) -> Result<Report> {
    let of_term = |i: usize| {
        bar.names
            .iter()
            .map(|n| trace.kept(&format!("grad.{}.{n}", bar.terms[i].name)))
            .collect::<Result<Vec<_>>>()
    };
    let held: Own = (0..bar.terms.len()).map(of_term).collect::<Result<_>>()?;
    let any = |i: usize, predictions: bool| {
        (0..bar.names.len()).any(|k| bar.is_prediction(k) == predictions && held[i][k].is_some())
    };
    let report = bar.report("candidate", &|i, k, exact| {
        any(i, bar.is_prediction(k)).then(|| {
            grad::judge(
                &bar.names[k],
                exact,
                held[i][k].as_ref(),
                bar.terms[i].weight,
            )
        })
    });
    let has = |predictions: bool| (0..bar.names.len()).any(|k| bar.is_prediction(k) == predictions);
    let missing = |predictions: bool, by: &str| {
        let terms: Vec<&str> = (0..held.len())
            .filter(|i| !any(*i, predictions))
            .map(|i| bar.terms[i].name)
            .collect();
        (has(predictions) && !terms.is_empty())
            .then(|| format!("no gradient of {} by {by}", terms.join(", ")))
    };
    let missing: Vec<String> = [missing(true, "a prediction"), missing(false, "a parameter")]
        .into_iter()
        .flatten()
        .collect();
    let reason = || {
        format!(
            "the candidate's trace holds {}: record them as 'grad.TERM.NAME'",
            missing.join(" and ")
        )
    };
    Ok(Report {
        abstained: (!missing.is_empty()).then(reason),
        ..report
    })
}

fn same(a: &Own, b: &Own) -> bool {
    let bytes = |g: &Option<Tensor>| g.as_ref().map(|t| t.bytes().to_vec());
    a.iter()
        .flatten()
        .map(bytes)
        .eq(b.iter().flatten().map(bytes))
}

fn changes_nothing(subject: &Subject) -> Error {
    let node = subject.fault().map_or("", |f| &f.node);
    Error::usage(format!(
        "the injected fault changes no gradient at node '{node}' on these inputs"
    ))
    .next("choose another node or input")
}
