//! values: what single values of a term say: NaN and infinity, a term that is 0, one that is constant, one that explodes.

use super::terms::{FEW, SOME, Term, Terms};
use crate::text::{few, number};
use crate::training_log::{Kind, Place};
use crate::verdict::{Finding, Severity};

/// Below it four decimals print 0.0000.
const PRINTED: f64 = 5e-5;

#[must_use]
pub fn findings(terms: &Terms) -> Vec<Finding> {
    let mut found = bad(terms);
    for term in terms.losses() {
        found.extend(dead(terms, term).or_else(|| constant(terms, term)));
        found.extend(exploding(terms, term));
    }
    let zero = terms
        .losses()
        .filter(|t| t.may_be_zero && t.series.highest.is_some_and(|h| h.value == 0.0));
    found.extend(zero.map(|t| {
        let what = format!(
            "'{}' is 0 as declared at all {} points",
            t.name, t.series.count
        );
        Finding::new("zero_by_design", &terms.held.file, what).severity(Severity::Note)
    }));
    if found.iter().all(|f| f.severity == Severity::Note) && terms.losses().next().is_some() {
        found.push(alive(terms));
    }
    found
}

/// What is right of the terms, with its numbers.
fn alive(terms: &Terms) -> Finding {
    let losses: Vec<&str> = terms.losses().map(|t| t.name).collect();
    let what = format!(
        "{} losses ({}) in {} rows: all finite, none dead, none explodes",
        losses.len(),
        few(losses.iter().copied(), 6),
        terms.held.log.rows
    );
    Finding::new("terms_alive", &terms.held.file, what).severity(Severity::Note)
}

/// NaN and infinity: those of losses and of metrics that have had a value are faults; scaled gradients may overflow on their way.
fn bad(terms: &Terms) -> Vec<Finding> {
    let some_metric = terms.metrics().any(|t| t.series.count > 0);
    let judged = terms.all.iter().filter(|t| t.kind != Kind::Gradient);
    judged
        .filter_map(|term| {
            let first = term.series.first_bad?;
            let n = term.series.count + term.series.bad;
            let what = format!(
                "'{}' is {} first here, and at {} of {n} points",
                term.name,
                number(first.value),
                term.series.bad
            );
            let finding = Finding::new("not_finite", terms.held.at(first.place), what);
            // A class that no image has is NaN all along; others have values.
            let never = term.kind == Kind::Metric && term.series.count == 0 && some_metric;
            Some(match never {
                true => finding.severity(Severity::Note).facts([
                    "it never has a value, and other metrics do: what it measures may not occur"
                        .into(),
                ]),
                false => finding
                    .number("points", term.series.bad as f64)
                    .next([around(term, first.place)]),
            })
        })
        .collect()
}

/// What to look at: what was before.
fn around(term: &Term, place: Place) -> String {
    let before = term.series.points.last().map(|p| {
        format!(
            "; the last finite value is {} at {}",
            number(p.mean),
            p.place
        )
    });
    format!(
        "look at the batch, the learning rate and the gradient norm before {place}{}",
        before.unwrap_or_default()
    )
}

fn dead(terms: &Terms, term: &Term) -> Option<Finding> {
    let (lowest, highest) = (term.series.lowest?, term.series.highest?);
    let most = lowest.value.abs().max(highest.value.abs());
    if term.series.count < 3 || most >= PRINTED || term.may_be_zero {
        return None;
    }
    let what = match most == 0.0 {
        true => format!(
            "'{}' is exactly 0 at all {} points",
            term.name, term.series.count
        ),
        false => format!(
            "'{}' stays below 0.00005 at all {} points: it is printed as 0.0000",
            term.name, term.series.count
        ),
    };
    let next = [
        format!(
            "look whether the term has a target at all: no positive sample, a weight of 0, a branch that returns early; `--may-be-zero {}` where it is 0 by design",
            term.name
        ),
        "parity run CASE compares the loss with a reference term by term".into(),
    ];
    Some(
        Finding::new("dead_term", place(terms, term), what)
            .number("highest", most)
            .next(next),
    )
}

fn constant(terms: &Terms, term: &Term) -> Option<Finding> {
    let value = term.series.highest?.value;
    let enough = term.series.count >= if term.validation { SOME } else { FEW };
    if !enough || term.series.range() != 0.0 || term.may_be_zero {
        return None;
    }
    let what = format!(
        "'{}' is {} at all {} points",
        term.name,
        number(value),
        term.series.count
    );
    let next = "look whether it is computed from this batch, and whether a gradient reaches what it judges";
    Some(
        Finding::new("constant_term", place(terms, term), what)
            .number("value", value)
            .next([next.into()]),
    )
}

fn exploding(terms: &Terms, term: &Term) -> Option<Finding> {
    let (begin, highest) = (term.series.first_nonzero?, term.series.highest?);
    // A term that is small beside the total may grow a lot without any harm.
    let total = terms
        .total
        .as_ref()
        .and_then(|t| t.series.first)
        .map_or(0.0, |f| f.value.abs());
    let scale = begin.value.abs().max(0.01 * total);
    let end = term.series.end()?;
    if highest.value < 100.0 * scale || term.series.count < 2 {
        return None;
    }
    let grown = term
        .series
        .points
        .iter()
        .find(|p| p.highest > 10.0 * scale)
        .map_or(highest.place, |p| p.place);
    let stays = end > 10.0 * scale;
    let what = format!(
        "'{}' begins at {} and reaches {} at {}{}",
        term.name,
        number(begin.value),
        number(highest.value),
        highest.place,
        if stays { "" } else { ", and comes back" }
    );
    let finding = Finding::new("exploding_term", terms.held.at(grown), what)
        .number("times", highest.value / scale)
        .next(["lower the learning rate or lengthen the warm-up; look at the gradient norm and clipping here".to_string()]);
    Some(if stays {
        finding
    } else {
        finding.severity(Severity::Warning)
    })
}

/// The file and the line of the first value.
fn place(terms: &Terms, term: &Term) -> String {
    match term.series.first {
        Some(first) => terms.held.at(first.place),
        None => terms.held.file.clone(),
    }
}
