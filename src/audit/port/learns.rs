//! learns: whether a port can learn one image by heart, then all of its batch, and at which learning rates it is stable.

use super::beside::Beside;
use super::terms::best;
use super::train::{Run, drop, end};
use crate::audit::{Table, counted};
use crate::text::number;
use crate::verdict::{Finding, Severity};

/// More than this share: it learns; at least that one: one image is learned by heart.
const LEARNS: f64 = 0.5;
const OVERFITS: f64 = 0.9;

pub fn findings(runs: &[Run], other: Option<&Beside>) -> Vec<Finding> {
    let mut found: Vec<Finding> = runs
        .iter()
        .filter(|r| r.times == 1.0)
        .filter_map(|r| unstable(r, other))
        .collect();
    let mut sizes: Vec<usize> = runs.iter().map(|r| r.images).collect();
    sizes.dedup();
    for (at, images) in sizes.iter().enumerate() {
        let of = |all: &[Run]| -> Vec<Run> {
            let own = all.iter().filter(|r| r.images == *images);
            own.cloned().collect()
        };
        let theirs = other.map(|o| of(&o.runs));
        found.push(falls(&of(runs), theirs.as_deref(), at == 0));
    }
    found
}

/// A training at the port's own rate that breaks.
fn unstable(run: &Run, other: Option<&Beside>) -> Option<Finding> {
    if run.is_stable() {
        return None;
    }
    let totals = run.totals();
    let at = run.losses.len();
    let what = match (&run.failed, totals.first(), totals.last()) {
        (Some(said), _, _) => format!("step {at} of a training fails: {said}"),
        (None, Some(first), Some(last)) => format!(
            "the total explodes at the port's own learning rate: {} at first, {} in step {}",
            number(*first),
            number(*last),
            at - 1
        ),
        (None, _, _) => return None,
    };
    let also = other.is_some_and(|o| {
        o.runs
            .iter()
            .any(|r| r.images == run.images && r.times == 1.0 && !r.is_stable())
    });
    let next = "lower the rate, warm up, clip gradients; where the original trains at this rate, hold gradients against it: parity run ORIGINAL PORT";
    let finding = match run.failed {
        Some(_) => Finding::new("step_fails", place(run.images), what),
        None => Finding::new("explodes", place(run.images), what).next([next.to_string()]),
    };
    Some(match also {
        true => finding
            .facts(["so does the reference".to_string()])
            .severity(Severity::Note),
        false => finding,
    })
}

fn place(images: usize) -> String {
    format!("training on {}", counted(images, "image"))
}

/// How far the total falls in the best of the trainings on so many images.
fn falls(runs: &[Run], theirs: Option<&[Run]>, is_least: bool) -> Finding {
    let images = runs.first().map_or(1, |r| r.images);
    let Some(best) = best(runs) else {
        let what = "no training is stable, or the total is 0 at first: nothing can be said of what it learns";
        return Finding::new("does_not_learn", place(images), what);
    };
    let (fell, said) = (best.drop().unwrap_or(0.0), told(best));
    let reference = theirs.and_then(self::best);
    let theirs = reference.and_then(Run::drop);
    let facts = reference.map(|r| format!("the reference: {}", told(r)));
    let class = |drop: f64| u8::from(drop > LEARNS) + u8::from(drop >= OVERFITS);
    let finding =
        |kind: &str, what: String| Finding::new(kind, place(images), what).number("drop", fell);
    let many = "look at the terms that do not fall, then hold loss and gradients against the original's: parity run ORIGINAL PORT";
    let found = match theirs {
        Some(theirs) if class(fell) < class(theirs) => Finding::new("behind_reference", place(images), format!("{said}; the reference falls by {}", percent(theirs)))
            .number("drop", fell)
            .number("reference", theirs)
            .next([many.to_string()]),
        Some(_) => Finding::new("as_reference", place(images), said).number("drop", fell).severity(Severity::Note),
        None if fell <= LEARNS => Finding::new("does_not_learn", place(images), format!("{said}; it learns from more than 50 % on"))
            .number("drop", fell)
            .next([many.to_string()])
            .severity(if is_least { Severity::Fault } else { Severity::Warning }),
        None if fell < OVERFITS && is_least => Finding::new("does_not_overfit", place(images), format!("{said}; it learns, and one image is learned by heart at 90 % at least"))
            .number("drop", fell)
            .next(["give it more steps (--steps), or other rates (--rate); --reference PORT says how far the original gets".to_string()])
            .severity(Severity::Warning),
        None if fell < OVERFITS => finding("learns", said).severity(Severity::Note),
        None => finding("overfits", said).severity(Severity::Note),
    };
    found.facts(facts)
}

/// "the total falls by 93.1 %: 154 to 10.6 in 50 steps at 1 x its rate (0.01)".
fn told(run: &Run) -> String {
    let totals = run.totals();
    let rate = run
        .rate
        .map_or(String::new(), |r| format!(" ({})", number(r * run.times)));
    format!(
        "the total falls by {}: {} to {} in {} steps at {} x its rate{rate}",
        percent(run.drop().unwrap_or(f64::NAN)),
        totals.first().map_or("?".into(), |v| number(*v)),
        number(end(&totals)),
        totals.len(),
        run.times,
    )
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A row for each training: rate, whether it is stable, how far the total and each term fall.
pub fn table(runs: &[Run], other: Option<&Beside>) -> Table {
    let first = runs.iter().find(|r| !r.losses.is_empty());
    let terms: Vec<String> = first.map_or(vec![], |r| {
        r.terms().iter().map(|t| t.to_string()).collect()
    });
    let fixed = ["images", "rate", "stable", "total", "drop"].map(String::from);
    let reference = other.map(|_| "drop of the reference".to_string());
    let columns = fixed
        .into_iter()
        .chain(terms.iter().map(|t| format!("drop of '{t}'")))
        .chain(reference);
    Table {
        title: "training".into(),
        columns: columns.collect(),
        rows: runs.iter().map(|run| row(run, &terms, other)).collect(),
    }
}

fn row(run: &Run, terms: &[String], other: Option<&Beside>) -> Vec<String> {
    let totals = run.totals();
    let total = match (totals.first(), run.is_stable()) {
        (Some(first), true) => format!("{} to {}", number(*first), number(end(&totals))),
        (Some(first), false) => format!(
            "{} to {} in step {}",
            number(*first),
            number(totals[totals.len() - 1]),
            totals.len() - 1
        ),
        (None, _) => "-".into(),
    };
    let shown = |drop: Option<f64>| drop.map_or("-".into(), percent);
    let rate = match run.rate {
        Some(rate) => format!("{} x {}", run.times, number(rate)),
        None => format!("{} x its own", run.times),
    };
    let stable = match (&run.failed, run.is_stable()) {
        (Some(_), _) => "fails",
        (None, true) => "yes",
        (None, false) => "explodes",
    };
    let of_terms = terms.iter().map(|t| {
        let curve = run.term(t);
        shown(drop(&curve).filter(|_| run.is_stable()))
    });
    let theirs = other.map(|o| {
        let same = o
            .runs
            .iter()
            .find(|r| (r.images, r.times) == (run.images, run.times));
        shown(same.and_then(Run::drop))
    });
    let fixed = [
        run.images.to_string(),
        rate,
        stable.into(),
        total,
        shown(run.drop()),
    ];
    fixed.into_iter().chain(of_terms).chain(theirs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(times: f64, totals: &[f64]) -> Run {
        let step = |v: &f64| [("total".to_string(), *v)].into_iter().collect();
        Run {
            images: 1,
            times,
            losses: totals.iter().map(step).collect(),
            ..Run::default()
        }
    }

    fn said(runs: &[Run], reference: Option<&[f64]>) -> Vec<(String, Severity)> {
        let beside = reference.map(|totals| Beside {
            tried: vec![],
            runs: vec![run(1.0, totals)],
        });
        let found = findings(runs, beside.as_ref()).into_iter();
        found.map(|f| (f.kind, f.severity)).collect()
    }

    #[test]
    fn a_fall_of_half_is_learning_and_one_of_nine_tenths_is_by_heart() {
        for (end, kind, severity) in [
            (10.0, "overfits", Severity::Note),
            (30.0, "does_not_overfit", Severity::Warning),
            (141.5, "does_not_learn", Severity::Fault),
        ] {
            let best = run(0.1, &[180.0, end]);
            let weak = run(1.0, &[180.0, 170.0]);
            assert_eq!(said(&[best, weak], None), [(kind.to_string(), severity)]);
        }
    }

    #[test]
    fn a_rate_that_explodes_is_a_fault_where_it_is_the_ports_own() {
        let fine = |times: f64| run(times, &[180.0, 1.0]);
        let bad = |times: f64| run(times, &[180.0, 8e12]);
        let kinds =
            |runs: &[Run]| -> Vec<String> { said(runs, None).into_iter().map(|s| s.0).collect() };
        assert_eq!(kinds(&[fine(1.0), bad(10.0)]), ["overfits"]);
        assert_eq!(kinds(&[bad(1.0), fine(0.1)]), ["explodes", "overfits"]);
        assert_eq!(kinds(&[bad(1.0)]), ["explodes", "does_not_learn"]);
        let nan = run(1.0, &[180.0, f64::NAN]);
        assert_eq!(kinds(&[nan]), ["explodes", "does_not_learn"]);
    }

    #[test]
    fn beside_a_reference_its_own_fall_is_what_is_wanted() {
        let story = run(1.0, &[180.0, 141.5]);
        let kinds =
            |reference: &[f64]| said(std::slice::from_ref(&story), Some(reference))[0].clone();
        assert_eq!(
            kinds(&[180.0, 9.0]),
            ("behind_reference".to_string(), Severity::Fault)
        );
        assert_eq!(
            kinds(&[180.0, 120.0]),
            ("as_reference".to_string(), Severity::Note)
        );
    }

    #[test]
    fn the_table_has_a_row_for_each_training_and_a_column_for_each_term() {
        let step = |iou: f64, cls: f64| {
            [("iou".to_string(), iou), ("cls".to_string(), cls)]
                .into_iter()
                .collect()
        };
        let trained = Run {
            losses: vec![step(4.0, 2.0), step(1.0, 2.0)],
            rate: Some(0.01),
            ..run(1.0, &[])
        };
        let made = table(&[trained, run(10.0, &[6.0, f64::INFINITY])], None);
        assert_eq!(made.columns[5..], ["drop of 'iou'", "drop of 'cls'"]);
        let [rate, total] = [
            format!("1 x {}", number(0.01)),
            format!("{} to {}", number(6.0), number(3.0)),
        ];
        let wanted = ["1", &rate, "yes", &total, "50.0 %", "75.0 %", "0.0 %"];
        assert_eq!(made.rows[0], wanted);
        let exploded = format!("{} to {} in step 1", number(6.0), number(f64::INFINITY));
        assert_eq!(made.rows[1][2..], ["explodes", &exploded, "-", "-", "-"]);
    }
}
