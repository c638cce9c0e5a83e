//! falls: whether a training learns: by how much the total and each term have fallen, and whether validation has risen meanwhile.

use super::terms::{FEW, SOME, Term, Terms, drop};
use super::{Held, Log, from_to, percent};
use crate::text::few;
use crate::training_log::Series;
use crate::verdict::{Finding, Severity};

/// More than this share: it learns; at least that one: one image is overfitted.
const LEARNS: f64 = 0.5;
const OVERFITS: f64 = 0.9;
/// A change below this share is none.
const STILL: f64 = 0.01;

#[must_use]
pub fn findings(terms: &Terms) -> Vec<Finding> {
    let mut found: Vec<Finding> = total(terms).into_iter().collect();
    found.extend(terms.trained().filter_map(|t| term(terms, t)));
    found.extend(validation(terms));
    found
}

/// Whether a fall is asked for.
fn is_asked(asked: &Log) -> bool {
    asked.learns || asked.overfit
}

fn total(terms: &Terms) -> Option<Finding> {
    let total = terms.total.as_ref()?;
    let (fell, first, end) = (
        drop(&total.series)?,
        total.series.first?,
        total.series.end()?,
    );
    let moved = format!(
        "the total ('{}') falls by {}: {}",
        total.name,
        percent(fell),
        from_to(first.value, end)
    );
    let finding = |kind, what| {
        let place = terms
            .held
            .at(total.series.last.map_or(first.place, |l| l.place));
        Finding::new(kind, place, what)
            .number("drop", fell)
            .facts(best(&total.series, first.value))
    };
    let asked = terms.asked;
    Some(if asked.overfit && fell < OVERFITS {
        finding("does_not_overfit", format!("{moved}; one image is overfitted at 90 % at least"))
            .next(["look at the terms that do not fall, then compare loss and gradients with a reference: parity run".to_string()])
    } else if asked.learns && fell <= LEARNS {
        finding(
            "does_not_learn",
            format!("{moved}; it learns from more than 50 % on"),
        )
        .next(["look at the terms that do not fall; try one image with --overfit".to_string()])
    } else if fell < -STILL && total.series.count >= FEW {
        finding(
            "rises",
            format!(
                "the total ('{}') rises by {}: {}",
                total.name,
                percent(-fell),
                from_to(first.value, end)
            ),
        )
        .next([
            "lower the learning rate; look whether what is trained is what is judged".to_string(),
        ])
    } else if is_still(&total.series) {
        finding("stagnates", format!("{moved}; it has stayed within {} of itself", percent(spread(&total.series))))
            .next(["look whether gradients reach the weights, and whether the optimiser has them: parity audit freeze".to_string()])
    } else if fell <= 0.0 {
        let what = format!(
            "the total ('{}') does not fall: {}; {} points are too few to judge it",
            total.name,
            from_to(first.value, end),
            total.series.count
        );
        finding("too_short", what).severity(Severity::Note)
    } else {
        finding("falls", moved).severity(Severity::Note)
    })
}

/// The lowest value, where it lies much below the end.
fn best(series: &Series, first: f64) -> Vec<String> {
    let lowest = series
        .lowest
        .map(|l| (percent((first - l.value) / first.abs()), l));
    lowest
        .map(|(fell, l)| {
            format!(
                "the lowest is {} at {}: {fell} below the first",
                crate::text::number(l.value),
                l.place
            )
        })
        .into_iter()
        .collect()
}

fn term(terms: &Terms, term: &Term) -> Option<Finding> {
    let series = term.series;
    let (first, end) = (series.first?, series.end()?);
    // What is dead or constant has been said.
    if series.range() == 0.0 || series.count < 2 || term.may_be_zero {
        return None;
    }
    let fell = (first.value - end) / first.value.abs().max(f64::MIN_POSITIVE);
    let place = terms.held.at(series.last.map_or(first.place, |l| l.place));
    let finding = |kind, what| Finding::new(kind, &place, what).number("drop", fell);
    let next = format!("look at the gradient and the targets of '{}'", term.name);
    let moved = from_to(first.value, end);
    if is_asked(terms.asked) && fell <= 0.0 {
        let what = format!("'{}' does not fall: {moved}; each term must", term.name);
        return Some(finding("term_does_not_fall", what).next([next]));
    }
    if series.count < SOME {
        return None;
    }
    let warned = |kind, what| {
        Some(
            finding(kind, what)
                .severity(Severity::Warning)
                .next([next.clone()]),
        )
    };
    if is_still(series) {
        return warned(
            "term_stagnates",
            format!(
                "'{}' has stayed within {} of itself: {moved}",
                term.name,
                percent(spread(series))
            ),
        );
    }
    if fell < -STILL {
        return warned("term_rises", format!("'{}' rises: {moved}", term.name));
    }
    None
}

/// Highest less lowest, of the mean size.
fn spread(series: &Series) -> f64 {
    let size = series.begin(series.points.len()).map_or(0.0, f64::abs);
    series.range() / size.max(f64::MIN_POSITIVE)
}

fn is_still(series: &Series) -> bool {
    series.count >= SOME && spread(series) < STILL
}

/// Losses of validation that have risen well above their lowest while the training's total fell.
fn validation(terms: &Terms) -> Option<Finding> {
    let falls = terms
        .total
        .as_ref()
        .and_then(|t| drop(&t.series))
        .is_some_and(|d| d > 0.0);
    let risen = |t: &&Term| {
        let (lowest, end) = (t.series.lowest?, t.series.end()?);
        (t.validation
            && t.series.count >= SOME
            && end > 1.1 * lowest.value.abs()
            && lowest.value > 0.0)
            .then_some((lowest, end))
    };
    let all: Vec<_> = terms
        .losses()
        .filter_map(|t| Some((t, risen(&t)?)))
        .collect();
    let (term, (lowest, end)) = all.first().filter(|_| falls)?;
    let what = format!(
        "{} of validation rise while the training's total falls: '{}' is lowest at {} and ends {} higher",
        few(all.iter().map(|a| a.0.name), 4),
        term.name,
        lowest.place,
        percent(end / lowest.value - 1.0)
    );
    let next = "take the checkpoint of its lowest place; more data, augmentation or weight decay";
    Some(
        Finding::new("overfitting", terms.held.at(lowest.place), what)
            .severity(Severity::Warning)
            .next([next.into()]),
    )
}

/// A fall that was asked for and is nowhere to be seen.
#[must_use]
pub fn unused(asked: &Log, all: &[Held]) -> Option<Finding> {
    let judged = |held: &Held| {
        Terms::of(asked, held)
            .total
            .is_some_and(|t| drop(&t.series).is_some())
    };
    if !is_asked(asked) || all.iter().any(judged) {
        return None;
    }
    let what = "whether it learns could not be judged: no log has a total of two points, nor terms of equal length to add up";
    let next = "name the total: --total NAME";
    let place = all.first().map_or("log", |h| h.file.as_str());
    Some(
        Finding::new("does_not_learn", place, what)
            .severity(Severity::Unjudged)
            .next([next.into()]),
    )
}
