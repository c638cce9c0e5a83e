//! gradients: the candidate's gradients and the golden's, each against those of the f64 graph.

use super::Task;
use crate::error::{Error, Place, Result, or_refusal};
use crate::golden::{Golden, Value};
use crate::judge::stage::grad::{self, Exact, Gradient, Report, TermGradients};
use crate::prepare::preflight;
use crate::scenario::Subject;
use crate::scenario::training::{PREDICTIONS, TOTAL, raw};
use crate::subject::gradients::{Given, Named, OwnGradients, Wanted};
use crate::subject::{Options, open};
use crate::walk::gradients::{self as walk, Reference, Sums};
use crate::watch::Watch;

/// Whose gradients every opinion is held against.
const AGAINST: &str = "f64 graph";

/// What every opinion is held against: the f64 graph's gradients of the raw terms and of the total, with their standard names.
struct Bar {
    /// The terms and the total, with their weights.
    terms: Vec<Named>,
    weights: Vec<f64>,
    by: Vec<Named>,
    reference: Reference,
}

/// One report per opinion.
pub fn reports(task: &mut Task, watch: &mut dyn Watch) -> Result<Vec<Report>> {
    let prepared = task.prepared;
    let (terms, wrt) = asked(task)?;
    let walked = walk::Task {
        graph: &prepared.graph,
        inputs: &prepared.inputs,
        replay: &task.replay,
        dtypes: &task.dtypes,
        terms: &terms,
        wrt: &wrt,
        seed: prepared.scenario.seed,
    };
    // The total is the sum of the weighted terms.
    let weights = task.terms.iter().map(|t| t.weight).enumerate();
    let sums = Sums::from([(task.terms.len(), weights.collect())]);
    let exact = or_refusal(exact(task, &walked, &sums, watch))?;
    let reference = match exact.map_err(|says| format!("the f64 graph has no gradients: {says}")) {
        Ok(reference) => reference,
        Err(why) => {
            let golden = prepared.golden.as_ref().is_some_and(keeps);
            let who = std::iter::once("candidate").chain(golden.then_some("golden"));
            return Ok(who
                .map(|who| Report::nothing(who, AGAINST, why.clone()))
                .collect());
        }
    };
    let standard = |n: &String| {
        let mut predictions = PREDICTIONS.into_iter();
        let found = predictions.find(|p| task.training.name(p) == n);
        found.map_or(n.clone(), str::to_string)
    };
    let names = task.terms.iter().map(|t| t.name).chain(["total"]);
    let named = |(graph, standard): (&String, &str)| Named {
        graph: graph.clone(),
        standard: standard.into(),
    };
    let bar = Bar {
        terms: terms.iter().zip(names).map(named).collect(),
        weights: task.terms.iter().map(|t| t.weight).chain([1.0]).collect(),
        by: wrt.iter().map(|n| named((n, &standard(n)))).collect(),
        reference,
    };
    let candidate = match own(task, &bar)? {
        Ok(own) => Report {
            abstained: own.missing.clone(),
            ..bar.report("candidate", &|i, k, exact| {
                let gradient = match &own.by_term[i][k] {
                    Given::Value(tensor) => Some(tensor),
                    Given::NoPath => None,
                    Given::Unknown => return None,
                };
                let weight = if own.weighted { bar.weights[i] } else { 1.0 };
                Some(grad::judge(bar.name(k), exact, gradient, weight))
            })
        },
        Err(why) => Report::nothing("candidate", AGAINST, why),
    };
    let golden = prepared.golden.as_ref().and_then(|g| of_golden(g, &bar));
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
    wrt.extend(walk::trainable(&task.prepared.graph));
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
        threads: task.prepared.threads,
        optimisation: Default::default(),
    };
    let mut shadow =
        task.engines
            .torch()?
            .differentiator(task.prepared.graph.clone(), &options, true)?;
    walk::reference(walked, sums, &mut *shadow, watch)
}

/// The candidate's own gradients; or why it gives none.
///
/// # Errors
/// An injected fault of gradients that changes none.
fn own(task: &mut Task, bar: &Bar) -> Result<std::result::Result<OwnGradients, String>> {
    let prepared = task.prepared;
    let subject = &prepared.scenario.candidate;
    let wanted = Wanted {
        feed: &|n| prepared.inputs.get(n).cloned(),
        terms: &bar.terms,
        by: &bar.by,
    };
    let none = || format!("{} gives no gradients", subject.engine());
    let own = match or_refusal(task.candidate.gradients(&wanted))? {
        Ok(own) => own.ok_or_else(none),
        Err(says) => Err(format!("{}: {says}", none())),
    };
    if let (Ok(own), Some(_)) = (&own, preflight::gradient_fault(subject)) {
        let mut clean = open(
            &subject.clean(),
            &prepared.graph,
            prepared.threads,
            task.engines,
        )?;
        let clean = clean
            .gradients(&wanted)
            .at("candidate without its fault, gradient")?;
        if clean.is_some_and(|clean| clean.same(own)) {
            return Err(changes_nothing(subject));
        }
    }
    Ok(own)
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
                term: term.standard.clone(),
                gradients: (0..self.by.len())
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

    /// The standard name of what is differentiated by.
    fn name(&self, k: usize) -> &str {
        &self.by[k].standard
    }
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
        let (term, weight, name) = (&bar.terms[i].standard, bar.weights[i], bar.name(k));
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

fn changes_nothing(subject: &Subject) -> Error {
    let node = subject.fault().map_or("", |f| &f.node);
    Error::usage(format!(
        "the injected fault changes no gradient at node '{node}' on these inputs"
    ))
    .next("choose another node or input")
}
