//! ledger: the loss of two recordings, term by term and step by step, and what a kernel makes of each side's own inputs.

use super::both::Both;
use super::steps;
use super::third::{Third, WHO, image};
use crate::cause::form;
use crate::floor::Family;
use crate::judge::stage::grad::norm;
use crate::judge::stage::loss::{Check, Into, Report, Term, TermValue};
use crate::judge::{Limit, Pair, against};
use crate::scenario::training::{ITEMS, NORMALISER, PREDICTIONS, TOTAL, raw};
use crate::subject::kernels::training::Evaluated;
use crate::text::number;
use crate::verdict::{Explained, Finding, Severity, TensorResult};

/// What was found, and what is said beside it.
#[derive(Default)]
pub struct Found {
    pub report: Report,
    pub notes: Vec<Finding>,
    /// Whether the candidate's items are the reference's in another order.
    pub reordered: bool,
}

/// None where the reference has no loss.
pub fn found(both: &Both, third: Option<&Third>, tensors: &[TensorResult]) -> Option<Found> {
    let names = steps::terms(both);
    if names.is_empty() && both.tensor(0, TOTAL).is_none() {
        return None;
    }
    let mut found = Found::default();
    for name in &names {
        let term = term(both, third, tensors, name);
        found.hold(both, third, &term);
        found.report.terms.push(term);
    }
    found.items(both, third);
    found.report.why = why(both, &found.report);
    Some(found)
}

fn term(both: &Both, third: Option<&Third>, tensors: &[TensorResult], name: &str) -> Term {
    let weight = weight(third, name);
    let batch = |side: usize| {
        third
            .and_then(|t| Some(t.of[side].as_ref().ok()?.batch))
            .unwrap_or(1.0)
    };
    let opinion = |side: usize| {
        let value = both.number(side, &raw(name))?;
        Some(TermValue {
            who: WHO[side].into(),
            value,
            normaliser: both
                .number(side, &format!("{}.normaliser", raw(name)))
                .or_else(|| both.number(side, NORMALISER)),
            contribution: value * weight * batch(side),
            kernel: third.and_then(|t| t.term(side, name)),
        })
    };
    let into = |side: usize| {
        let of = move |tensor: &'static str| {
            let gradient = both.tensor(side, &format!("grad.{name}.{tensor}"))?;
            Some(Into {
                who: WHO[side].into(),
                tensor: tensor.into(),
                norm: Some(norm(&gradient)),
            })
        };
        PREDICTIONS.into_iter().filter_map(of)
    };
    Term {
        name: name.into(),
        weight,
        opinions: (0..2).filter_map(opinion).collect(),
        into: (0..2).flat_map(into).collect(),
        steps: steps::of(both, name, tensors),
    }
}

/// In which form the kernel gives the candidate's terms, where these are not what it makes of the candidate's own inputs.
fn why(both: &Both, report: &Report) -> Option<Explained> {
    let training = both.training?;
    let mut own = report.checks.iter().filter(|c| c.who == WHO[1]);
    if !own.any(|c| c.judgement.over()) {
        return None;
    }
    let values = report.terms.iter().filter_map(|t| {
        let name = raw(&t.name);
        both.number(1, &name).map(|value| (name, value))
    });
    let values: Vec<(String, f64)> = values.collect();
    let held = |kernel: &Evaluated| {
        let judged = |(name, value): &(String, f64)| {
            let said = kernel.tensors.get(name).map(|t| t.to_f64());
            let expected = said.and_then(|v| v.first().copied()).unwrap_or(f64::NAN);
            against(
                &Pair(expected, *value),
                Limit::Bound(limit(both, name, expected)),
            )
        };
        values.iter().map(judged).collect()
    };
    let off = form::Off {
        training,
        image: image(both, training, 1).ok()?,
        get: &|name| both.tensor(1, name),
        held: &held,
    };
    form::explain(&off).ok()?
}

/// By how much a value of this name may be off.
fn limit(both: &Both, name: &str, expected: f64) -> f64 {
    match both.moves(name) {
        Some(moves) => moves(expected),
        None => summed(both) * expected.abs(),
    }
}

/// The kernel's; NaN where none is asked.
fn weight(third: Option<&Third>, name: &str) -> f64 {
    let stated = third.and_then(|t| t.terms.iter().find(|t| t.name == name));
    stated.map_or(f64::NAN, |t| t.weight)
}

impl Found {
    /// Holds the candidate's term against the kernel of its own inputs, where the reference's is what the kernel says of its.
    fn hold(&mut self, both: &Both, third: Option<&Third>, term: &Term) {
        let name = raw(&term.name);
        let Some(third) = third else { return };
        let check = |v: &TermValue| {
            let expected = v.kernel?;
            Some(Check {
                who: v.who.clone(),
                tensor: name.clone(),
                value: v.value,
                expected,
                judgement: against(
                    &Pair(expected, v.value),
                    Limit::Bound(limit(both, &name, expected)),
                ),
            })
        };
        let checks: Vec<Check> = term.opinions.iter().filter_map(check).collect();
        let Some(own) = checks.iter().find(|c| c.who == WHO[0]) else {
            return;
        };
        if own.judgement.over() {
            self.notes.push(other(third, &term.name, own));
        } else {
            self.report.checks.extend(checks);
        }
    }

    /// Items that are the reference's in another order: they are reported, and nothing is trained by them.
    fn items(&mut self, both: &Both, third: Option<&Third>) {
        let read = |side| both.tensor(side, ITEMS).map(|t| t.to_f64());
        let (Some(ours), Some(theirs), Some(moves)) = (read(0), read(1), both.moves(ITEMS)) else {
            return;
        };
        let near = |a: f64, b: f64| !against(&Pair(a, b), Limit::Bound(moves(a))).over();
        let alike = ours.len() == theirs.len();
        let as_declared = alike && ours.iter().zip(&theirs).all(|(a, b)| near(*a, *b));
        let mut order: Vec<usize> = vec![];
        for item in &theirs {
            let free = |i: &usize| !order.contains(i) && near(ours[*i], *item);
            order.extend((0..ours.len()).find(free));
        }
        if !alike || as_declared || order.len() != ours.len() {
            return;
        }
        self.reordered = true;
        // A kernel of as many terms names them; else they have their places in the reference.
        let terms = third.map(|t| &t.terms).filter(|t| t.len() == ours.len());
        let name = |i: usize| terms.map_or(i.to_string(), |t| t[i].name.to_string());
        let declared: Vec<String> = (0..ours.len()).map(name).collect();
        let held: Vec<String> = order.into_iter().map(name).collect();
        let what = format!(
            "'{ITEMS}' holds [{}] in the reference and [{}] in the candidate",
            declared.join(", "),
            held.join(", ")
        );
        let said = Finding::new("convention", ITEMS, what).severity(Severity::Note);
        self.notes.push(said);
    }
}

/// What the sum of as many numbers as there are predictions may be off by, as a share.
pub fn summed(both: &Both) -> f64 {
    let scores = both.tensor(0, PREDICTIONS[0]);
    scores.map_or(0.0, |t| {
        Family::Arithmetic.allowed(t.numel()) * t.dtype().unit_roundoff()
    })
}

fn other(third: &Third, term: &str, own: &Check) -> Finding {
    let what = format!(
        "no third opinion on term '{term}': kernel '{}' is of another configuration than the reference, which has {} where it makes {} of the same inputs \
         ({} times that)",
        third.name,
        number(own.value),
        number(own.expected),
        number(own.value / own.expected)
    );
    let said = Finding::new("kernel", raw(term), what).severity(Severity::Note);
    said.next([
        "state the reference's overlap, bins and gains beside kernel, or leave it".to_string(),
    ])
}
