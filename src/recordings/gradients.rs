//! gradients: those that both recordings have, term by term in the order in which the reference recorded them; those of the total are enough.

use super::both::Both;
use super::ledger::summed;
use super::third::{Third, WHO};
use crate::judge::stage::grad::{Gradient, Report, State, TermGradients, norm};
use crate::judge::{Limit, Pair, against};
use crate::scenario::training::PREDICTIONS;
use crate::tensor::Tensor;
use crate::text::number;
use crate::verdict::{Accumulated, Finding, Severity, TensorResult};

/// None where the reference has no gradient.
pub fn report(both: &Both, tensors: &[TensorResult]) -> Option<Report> {
    let names = both.beginning("grad.");
    let mut terms: Vec<TermGradients> = vec![];
    for name in &names {
        let Some((term, by)) = name.strip_prefix("grad.").and_then(|n| n.split_once('.')) else {
            continue;
        };
        let result = tensors.iter().find(|t| t.name == both.ours(name));
        let gradient = gradient(both, name, by, result);
        match terms.iter_mut().find(|t| t.term == term) {
            Some(of) => of.gradients.push(gradient),
            None => terms.push(TermGradients {
                term: term.into(),
                gradients: vec![gradient],
            }),
        }
    }
    let none = terms
        .iter()
        .all(|t| t.gradients.iter().all(|g| !g.state.compared()));
    (!terms.is_empty()).then(|| Report {
        who: WHO[1].into(),
        against: WHO[0].into(),
        terms,
        abstained: none.then(|| {
            "no gradient of the reference could be held against one of the candidate".into()
        }),
    })
}

fn gradient(both: &Both, name: &str, by: &str, result: Option<&TensorResult>) -> Gradient {
    let [ours, theirs] = [0, 1].map(|side| both.tensor(side, name));
    let zero = |t: &Option<Tensor>| {
        t.as_ref()
            .is_some_and(|t| t.to_f64().iter().all(|v| *v == 0.0))
    };
    let (ratio, metrics) = match result.map(|r| &r.accumulated) {
        Some(Accumulated::Compared {
            ratio, comparison, ..
        }) => (*ratio, comparison.metrics()),
        Some(Accumulated::TieFlip { .. } | Accumulated::NotJudged { .. }) | None => {
            (f64::NAN, None)
        }
    };
    // A parameter that the candidate has, and no gradient by it, has none; what it does not list was not recorded.
    let lost = theirs.is_none() && both.lists(both.theirs(by)) && !zero(&ours);
    let state = match (zero(&ours), zero(&theirs)) {
        _ if lost => State::LostHere,
        (true, true) => State::BothAbsent,
        _ if ratio.is_nan() => State::NotJudged,
        _ if ratio <= 1.0 => State::Agrees,
        _ if metrics.is_none() => State::OtherShape,
        (false, true) => State::LostHere,
        (true, false) => State::OnlyHere,
        (false, false) => State::Differs,
    };
    Gradient {
        name: by.into(),
        state,
        norm_reference: ours.as_ref().map(norm),
        norm_candidate: theirs.as_ref().map(norm),
        ratio: if lost { f64::INFINITY } else { ratio },
        max_abs: metrics.map_or(f64::NAN, |m| m.max_abs.value),
        rel_l2: metrics.map_or(f64::NAN, |m| m.rel_l2),
    }
}

/// The candidate's gradients into its predictions against those of the kernel on its own inputs, where the reference's are the kernel's; and where not,
/// what is said of that. A gradient may be of the raw term or of the weighted one, as the reference's is.
pub fn of_kernel(both: &Both, third: &Third) -> (Option<Report>, Vec<Finding>) {
    let (mut terms, mut notes) = (vec![], vec![]);
    let weighted = third.terms.iter().map(|t| (t.name, t.weight));
    for (i, (term, weight)) in weighted.chain([("total", 1.0)]).enumerate() {
        let mut gradients = vec![];
        for (k, by) in PREDICTIONS.into_iter().enumerate() {
            let name = format!("grad.{term}.{by}");
            let held = |side: usize, factor: f64| {
                let kernel = exact(third, side, i, k)?;
                let own = both.tensor(side, &name)?.to_f64();
                let kernel = kernel.into_iter().map(|v| v * factor).collect();
                Some(held(both, &name, kernel, &own))
            };
            let factors = [1.0, 1.0 / weight];
            let all: Vec<_> = factors
                .iter()
                .filter_map(|f| Some((*f, held(0, *f)?)))
                .collect();
            let same = all.iter().find(|(_, g)| g.state == State::Agrees);
            match same.and_then(|(factor, _)| held(1, *factor)) {
                Some(own) => gradients.push(Gradient {
                    name: by.into(),
                    ..own
                }),
                None => notes.extend(
                    all.first()
                        .filter(|_| same.is_none())
                        .map(|(_, g)| other(third, term, by, g)),
                ),
            }
        }
        let term = term.to_string();
        terms.extend((!gradients.is_empty()).then_some(TermGradients { term, gradients }));
    }
    let report = (!terms.is_empty()).then(|| Report {
        who: WHO[1].into(),
        against: "kernel".into(),
        terms,
        abstained: None,
    });
    (report, notes)
}

/// The kernel's gradient of weighted term `i`, or of their sum, by prediction `k`.
fn exact(third: &Third, side: usize, i: usize, k: usize) -> Option<Vec<f64>> {
    let kernel = third.of[side].as_ref().ok()?;
    if i < third.terms.len() {
        return kernel.gradients[i][k].clone();
    }
    let parts = kernel.gradients.iter().filter_map(|of| of[k].as_ref());
    parts.fold(None, |sum: Option<Vec<f64>>, part| match sum {
        None => Some(part.clone()),
        Some(sum) => Some(sum.iter().zip(part).map(|(a, b)| a + b).collect()),
    })
}

/// `own` against the kernel's, element by element, within what was recorded or stated for it, else what f64 sums of such numbers may be off by.
fn held(both: &Both, name: &str, kernel: Vec<f64>, own: &[f64]) -> Gradient {
    let largest = kernel
        .iter()
        .fold(0.0f64, |m, v| if v.abs() > m { v.abs() } else { m });
    let (moves, summed) = (both.moves(name), summed(both) * largest);
    let limit = |v: f64| match &moves {
        Some(moves) => moves(v),
        None => summed,
    };
    let pairs = || kernel.iter().zip(own);
    let ratio = |(k, v): (&f64, &f64)| {
        against(&Pair(*k, *v), Limit::Bound(limit(*k)))
            .ratio()
            .unwrap_or(f64::NAN)
    };
    let worst = pairs()
        .map(ratio)
        .fold(0.0, |m: f64, r| if m.is_nan() || r <= m { m } else { r });
    let off = pairs().map(|(k, v)| (k - v).abs());
    let length = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let all_zero = own.iter().all(|v| *v == 0.0);
    let state = match kernel.len() == own.len() {
        false => State::OtherShape,
        true if worst <= 1.0 => State::Agrees,
        true if all_zero => State::LostHere,
        true => State::Differs,
    };
    let apart = off.clone().map(|d| d * d).sum::<f64>().sqrt();
    Gradient {
        name: name.into(),
        state,
        norm_reference: Some(length(&kernel)),
        norm_candidate: Some(length(own)),
        ratio: worst,
        max_abs: off.fold(0.0, |m, d| if d <= m { m } else { d }),
        rel_l2: apart / length(&kernel),
    }
}

fn other(third: &Third, term: &str, by: &str, g: &Gradient) -> Finding {
    let norm = |n: Option<f64>| n.map_or("none".into(), number);
    let what = format!(
        "no third opinion on the gradient of '{term}' by '{by}': kernel '{}' is of another configuration than the reference, whose norm is {} where it makes {}",
        third.name,
        norm(g.norm_candidate),
        norm(g.norm_reference)
    );
    Finding::new("kernel", format!("grad.{term}.{by}"), what).severity(Severity::Note)
}
