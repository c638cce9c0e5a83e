//! ledger: the loss of both sides and of the golden, term by term, against the f64 kernel.

use super::spread::Floors;
use super::{Side, Task};
use crate::scenario::Stage;
use crate::scenario::training::{PREDICTIONS, TERMS};
use crate::stage::{grad, loss, lost, unused};
use crate::tensor::Tensor;
use crate::verdict::TensorResult;

pub fn report(task: &Task, sides: &[Side; 2], floors: &Floors, grads: &[grad::Report]) -> loss::Report {
    let spread = |name: &str| floors.get(name).map_or(0.0, |f| f.max.iter().copied().fold(0.0, f64::max));
    let weights = sides[0].kernel.loss.gains;
    let mut report = loss::Report::default();
    let mut opinions = Vec::new();
    for side in sides {
        let expected = values("kernel", &|n| side.kernel.tensors.get(n).cloned());
        let own = values(side.who, &|n| task.tensor(side.outputs, n));
        if let (Some(own), Some(expected)) = (own, expected) {
            report.checks.extend(loss::checks(&own, &expected, &spread));
            report.flags.extend(loss::flags(&own, &expected, weights, &spread));
            if side.who == "reference" {
                opinions.push(expected);
            }
            opinions.push(own);
        }
    }
    if let Some(golden) = values("golden", &|n| task.kept(n)) {
        report.flags.extend(opinions.iter().find(|v| v.who == "kernel").map_or(vec![], |kernel| unused::flags(&golden, kernel, weights)));
        opinions.push(golden);
    }
    report.flags.extend(broadcasts(task));
    report.terms = (0..TERMS.len()).map(|i| term(i, weights[i], &opinions, grads)).collect();
    if let Some(right) = grads.first() {
        report.flags.extend(lost::flags(&report.terms, &right.against));
    }
    report
}

fn values(who: &str, get: &dyn Fn(&str) -> Option<Tensor>) -> Option<loss::Values> {
    let one = |name: &str| get(name)?.to_f64().first().copied();
    let items: [f64; 3] = get("loss.items")?.to_f64().try_into().ok()?;
    let terms = [one("loss.iou")?, one("loss.dfl")?, one("loss.cls")?];
    let unit = get("loss.items")?.dtype().unit_roundoff();
    Some(loss::Values { who: who.into(), terms, items, total: one("loss.total")?, normaliser: one("loss.normaliser")?, unit })
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
    let numel = |n: &str| task.tensor(&task.layers.reference_outputs, n).map_or(1, |t| t.numel());
    let largest = ["pred_scores", "pred_distri", "assign.metric"].map(numel).into_iter().max().unwrap_or(0);
    let own = |r: &TensorResult| r.candidate_shape().unwrap_or_else(|| r.shape.clone());
    let region = task.layers.results.iter().filter(|r| task.regions.stage(r.step) == Stage::Loss);
    let flag = |r: &TensorResult| {
        let term = task.regions.terms(r.step).first().copied().unwrap_or("total");
        loss::broadcast("candidate", &r.name, &own(r), largest, term)
    };
    region.filter_map(flag).collect()
}
