//! gradients: norms that vanish, explode or are NaN, of a whole model (mmengine's grad_norm) or by module (watch).

use super::Held;
use crate::text::number;
use crate::training_log::{Kind, Point, Series};
use crate::verdict::{Finding, Severity};

const VANISHING: f64 = 1e-7;
const EXPLODING: f64 = 1000.0;

#[must_use]
pub fn findings(held: &Held) -> Vec<Finding> {
    let whole = held
        .log
        .series
        .iter()
        .filter(|(name, _)| Kind::of(name) == Kind::Gradient);
    let modules = held.log.watched.iter().flat_map(|w| &w.gradients);
    let all: Vec<(&String, &Series)> = whole.chain(modules).collect();
    let mut found: Vec<Finding> = all
        .iter()
        .flat_map(|(name, series)| one(held, name, series))
        .collect();
    if found.is_empty() && !all.is_empty() {
        let lowest = all
            .iter()
            .filter_map(|(_, s)| s.lowest)
            .fold(f64::INFINITY, |least, l| least.min(l.value));
        let highest = all
            .iter()
            .filter_map(|(_, s)| s.highest)
            .fold(0.0, |most: f64, h| most.max(h.value));
        let what = format!(
            "{} gradient norms lie between {} and {}",
            all.len(),
            number(lowest),
            number(highest)
        );
        found.push(Finding::new("gradient_norms", &held.file, what).severity(Severity::Note));
    }
    found
}

fn one(held: &Held, name: &str, series: &Series) -> Vec<Finding> {
    [
        overflowed(held, name, series),
        vanishing(held, name, series),
        exploding(held, name, series),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Scaled gradients overflow now and then, and the step is left out: all is well where the norm is finite again.
fn overflowed(held: &Held, name: &str, series: &Series) -> Option<Finding> {
    let first = series.first_bad?;
    let n = series.count + series.bad;
    let what = format!(
        "the gradient norm '{name}' is {} first here, and at {} of {n} points",
        number(first.value),
        series.bad
    );
    let finding = Finding::new("gradient_not_finite", held.at(first.place), what);
    let later = series
        .points
        .last()
        .is_some_and(|p| p.place != first.place && series.bad * 20 <= n);
    let scaled = held.log.series.keys().any(|k| k.contains("loss_scale"));
    Some(match (later, scaled) {
        (true, true) => finding
            .severity(Severity::Note)
            .facts(["it is finite again, as with a loss scale that adapts itself".into()]),
        (true, false) => finding.severity(Severity::Warning).next([
            "with mixed precision such steps are left out; without it, look at the batch here"
                .to_string(),
        ]),
        (false, _) => finding
            .next(["look at the loss and the learning rate before it; clip gradients".to_string()]),
    })
}

/// At the first point a gradient may be 0 that is not later: last layers that begin at 0 let none through.
fn vanishing(held: &Held, name: &str, series: &Series) -> Option<Finding> {
    let small = |p: &&Point| p.highest < VANISHING;
    let points = if series.points.len() > 1 {
        &series.points[1..]
    } else {
        &series.points[..]
    };
    let n = points.iter().filter(small).count();
    let first = points.iter().find(small)?;
    let what = match first.highest == 0.0 {
        true => format!(
            "no gradient reaches '{name}' at {n} of {} points",
            points.len()
        ),
        false => format!(
            "the gradient norm '{name}' is below 1e-7 at {n} of {} points, first {}",
            points.len(),
            number(first.highest)
        ),
    };
    let finding = Finding::new("vanishing_gradient", held.at(first.place), what)
        .number("norm", first.highest)
        .next(["look whether it is frozen, detached or unused: parity audit freeze".to_string()]);
    let mostly = n * 2 > points.len();
    Some(if mostly {
        finding
    } else {
        finding.severity(Severity::Warning)
    })
}

fn exploding(held: &Held, name: &str, series: &Series) -> Option<Finding> {
    let large = |p: &&Point| p.highest > EXPLODING;
    let n = series.points.iter().filter(large).count();
    let first = series.points.iter().find(large)?;
    let highest = series.highest?;
    let what = format!(
        "the gradient norm '{name}' is above 1000 at {n} of {} points, {} at {}",
        series.points.len(),
        number(highest.value),
        highest.place
    );
    let finding = Finding::new("exploding_gradient", held.at(first.place), what)
        .number("norm", highest.value)
        .next([
            "clip gradients, lower the learning rate, or look at the normaliser of the loss"
                .to_string(),
        ]);
    let mostly = n * 10 > series.points.len() || series.points.last().is_some_and(|p| large(&p));
    Some(if mostly {
        finding
    } else {
        finding.severity(Severity::Warning)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training_log;

    fn of(norms: &[&str]) -> Vec<(String, Severity)> {
        let rows = norms.iter().enumerate().map(|(i, n)| {
            format!("{{\"iter\": {i}, \"lr\": 0.1, \"loss\": 1, \"grad_norm\": {n}}}\n")
        });
        let text: String = rows.collect();
        let held = Held::of("s.json", training_log::parse(text.as_bytes()).unwrap());
        findings(&held)
            .into_iter()
            .map(|f| (f.kind, f.severity))
            .collect()
    }

    fn is(norms: &[&str], kind: &str, severity: Severity) {
        assert_eq!(of(norms), [(kind.to_string(), severity)], "{norms:?}");
    }

    #[test]
    fn norms_are_faults_where_they_stay_and_risks_where_they_pass() {
        use Severity::{Fault, Note, Warning};
        is(&["1", "2", "1.5"], "gradient_norms", Note);
        is(&["1", "NaN", "NaN"], "gradient_not_finite", Fault);
        is(&["1", "1e-9", "1e-9"], "vanishing_gradient", Fault);
        is(&["0", "1", "1"], "gradient_norms", Note);
        is(&["1", "1e-9", "1", "1", "1"], "vanishing_gradient", Warning);
        is(&["1", "5000", "9000"], "exploding_gradient", Fault);
        let mut spike = vec!["1"; 30];
        spike[3] = "5000";
        is(&spike, "exploding_gradient", Warning);
        spike[3] = "Infinity";
        is(&spike, "gradient_not_finite", Warning);
    }
}
