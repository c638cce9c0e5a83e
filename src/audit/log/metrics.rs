//! metrics: whether what is measured moves: 0 all along, constant, or still within a hundredth; and where the best was.

use super::percent;
use super::terms::{FEW, SOME, Term, Terms};
use crate::text::number;
use crate::verdict::{Finding, Severity};

#[must_use]
pub fn findings(terms: &Terms) -> Vec<Finding> {
    let mut found: Vec<Finding> = terms.metrics().filter_map(|t| still(terms, t)).collect();
    let moving = terms.metrics().filter(|t| t.series.range() > 0.0);
    let best = moving.filter_map(|t| {
        let best = t.series.highest?;
        let what = format!(
            "'{}' is highest here: {}; {} points, the last {}",
            t.name,
            number(best.value),
            t.series.count,
            number(t.series.last?.value)
        );
        Some(Finding::new("best", terms.held.at(best.place), what).severity(Severity::Note))
    });
    found.extend(best.take(5));
    found
}

fn still(terms: &Terms, term: &Term) -> Option<Finding> {
    let series = term.series;
    let (highest, end) = (series.highest?, series.end()?);
    if series.count < FEW || is_best(highest.value) || is_absent(term) {
        return None;
    }
    let size = highest.value.abs().max(series.lowest?.value.abs());
    let (kind, what) = if size == 0.0 {
        (
            "dead_metric",
            format!("'{}' is 0 at all {} points", term.name, series.count),
        )
    } else if series.range() == 0.0 {
        (
            "constant_metric",
            format!(
                "'{}' is {} at all {} points",
                term.name,
                number(end),
                series.count
            ),
        )
    } else if series.count >= SOME && series.range() < 0.01 * size {
        let within = percent(series.range() / size);
        (
            "stagnating_metric",
            format!(
                "'{}' stays at {} within {within} at {} points",
                term.name,
                number(end),
                series.count
            ),
        )
    } else {
        return None;
    };
    let place = terms.held.at(series.first?.place);
    let next = [
        "look at how many classes are predicted, at the confusion matrix and at the labels: parity_port.watch, parity audit segmentation".to_string(),
        "look whether the checkpoint arrived and whether gradients do: parity audit weights, parity audit freeze".to_string(),
    ];
    let finding = Finding::new(kind, place, what)
        .number("value", end)
        .next(next);
    // A metric may begin to move late.
    let certain = kind == "constant_metric" || series.count >= SOME && kind == "dead_metric";
    Some(if certain {
        finding
    } else {
        finding.severity(Severity::Warning)
    })
}

/// Nothing is better than all.
fn is_best(value: f64) -> bool {
    value == 1.0 || value == 100.0
}

/// COCO's evaluation says -1 of sizes that do not occur.
fn is_absent(term: &Term) -> bool {
    term.series.highest.is_some_and(|h| h.value == -1.0)
}
