//! targets: whether what was wanted was reached, and what was declared to come next.

use super::declared::{Bound, Declared, METRICS};
use crate::text::number;
use crate::verdict::{Finding, Severity};
use std::collections::BTreeMap;

/// A number and where it is from.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    pub value: f64,
    pub from: String,
}

/// Numbers of one run by the names of `METRICS`.
pub type Numbers = BTreeMap<&'static str, Known>;

/// Points that an other size may lose.
const SIDE_EFFECT: f64 = 0.5;

pub fn called(metric: &str) -> &'static str {
    METRICS
        .iter()
        .find(|row| row.0 == metric)
        .map_or("", |row| row.1)
}

/// One verdict for each target.
pub fn reached(
    targets: &[(&'static str, Bound)],
    declared: &Declared,
    run: &Numbers,
) -> Vec<Finding> {
    let of = |(name, bound): &(&'static str, Bound)| {
        let text = &declared.targets[*name];
        let place = format!("target {name}");
        match run.get(name) {
            None => Finding::new(
                "target",
                place,
                format!(
                    "{} is wanted {text}, and there is no data on it",
                    called(name)
                ),
            )
            .severity(Severity::Unjudged)
            .next([needs(name)]),
            Some(known) => {
                let what = format!("{} is {}, wanted {text}", called(name), number(known.value));
                let found = Finding::new("target", place, what)
                    .number(name, known.value)
                    .facts([format!("from {}", known.from)]);
                found.expected(bound.holds(known.value))
            }
        }
    };
    targets.iter().map(of).collect()
}

fn needs(metric: &str) -> String {
    match metric {
        "fps" | "gflops" => format!("declare it: [measured.run] {metric} = ..."),
        "map50" | "map" | "precision" | "recall" => {
            "give the run's results.csv, or its predictions with --truth".into()
        }
        "parameters" => "keep weights/best.pt in the run's folder, or declare it".into(),
        _ => "give the run's predictions.json with --truth, or declare it: [measured.run]".into(),
    }
}

/// The outcome by the gain of the metric that decides: reached, partly or not, with its next action.
pub fn outcome(declared: &Declared, run: &Numbers, baseline: &Numbers) -> Finding {
    let gain = &declared.gain;
    let name = gain.metric.as_str();
    let place = format!("gain of {name}");
    let (Some(own), Some(base)) = (run.get(name), baseline.get(name)) else {
        let side = if run.contains_key(name) {
            "baseline"
        } else {
            "run"
        };
        let what = format!(
            "{} of the {side} is not known: the outcome cannot be told",
            called(name)
        );
        return Finding::new("outcome", place, what)
            .severity(Severity::Unjudged)
            .next([needs(name)]);
    };
    // Numbers as they are printed: 32.94 - 30.94 is two points.
    let points = ((own.value - base.value) * 1e9).round() / 1e9;
    let (word, severity, next) = match points {
        p if p >= gain.reached => ("reached", Severity::Note, &declared.next.reached),
        p if p >= gain.partly => ("partly reached", Severity::Warning, &declared.next.partly),
        _ => ("not reached", Severity::Fault, &declared.next.not),
    };
    let what = format!(
        "{word}: {} gains {} points, from {} to {}",
        called(name),
        number(points),
        number(base.value),
        number(own.value)
    );
    let next = next.clone().unwrap_or_else(|| {
        format!(
            "declare what follows: [next] {}",
            word.split(' ').next().unwrap_or(word)
        )
    });
    Finding::new("outcome", place, what)
        .number("points", points)
        .facts([
            format!(
                "reached from {} points on, partly from {}",
                number(gain.reached),
                number(gain.partly)
            ),
            format!(
                "the run's from {}; the baseline's from {}",
                own.from, base.from
            ),
        ])
        .severity(severity)
        .next([next])
}

/// What became of the sizes that were not meant.
pub fn side_effects(declared: &Declared, run: &Numbers, baseline: &Numbers) -> Vec<Finding> {
    let meant = declared.gain.metric.as_str();
    let of = |name: &&str| {
        let (own, base) = (run.get(*name)?.value, baseline.get(*name)?.value);
        let points = own - base;
        let what = format!(
            "{} changes by {} points, from {} to {}",
            called(name),
            number(points),
            number(base),
            number(own)
        );
        let found =
            Finding::new("side_effect", format!("gain of {name}"), what).number("points", points);
        Some(match points < -SIDE_EFFECT {
            true => found
                .severity(Severity::Warning)
                .next(["weigh the loss against the gain".into()]),
            false => found.severity(Severity::Note),
        })
    };
    ["small", "medium", "large"]
        .iter()
        .filter(|n| **n != meant)
        .filter_map(of)
        .collect()
}

/// Parameters and FLOPs are to be those of the baseline.
pub fn unchanged(run: &Numbers, baseline: &Numbers) -> Vec<Finding> {
    let of = |name: &&str| {
        let (a, b) = (run.get(*name)?, baseline.get(*name)?);
        let from = [format!("from {} and {}", a.from, b.from)];
        Some(match a.value == b.value {
            true => Finding::new(
                "unchanged",
                *name,
                format!("{} are unchanged: {}", called(name), a.value),
            )
            .facts(from)
            .severity(Severity::Note),
            false => Finding::new(
                "changed",
                *name,
                format!(
                    "{} differ: {}, the baseline {}",
                    called(name),
                    a.value,
                    b.value
                ),
            )
            .facts(from)
            .next(["a gain of a larger network is not one of its loss".into()]),
        })
    };
    ["parameters", "gflops"].iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(all: &[(&'static str, f64)]) -> Numbers {
        let known = |v: f64| Known {
            value: v,
            from: "here".into(),
        };
        all.iter().map(|(n, v)| (*n, known(*v))).collect()
    }

    #[test]
    fn story_3s_outcomes_have_their_next_action() {
        let mut declared = Declared::default();
        declared.next.partly = Some("weight 2.5".into());
        declared.next.not = Some("another strategy".into());
        declared.next.reached = Some("go on".into());
        let base = numbers(&[("small", 30.94)]);
        for (own, severity, next) in [
            (32.94, Severity::Note, "go on"),
            (32.93, Severity::Warning, "weight 2.5"),
            (31.94, Severity::Warning, "weight 2.5"),
            (31.93, Severity::Fault, "another strategy"),
        ] {
            let found = outcome(&declared, &numbers(&[("small", own)]), &base);
            assert_eq!(
                (found.severity, found.next[0].as_str()),
                (severity, next),
                "{own}: {}",
                found.what
            );
        }
        let unknown = outcome(&declared, &numbers(&[]), &base);
        assert_eq!(unknown.severity, Severity::Unjudged);
    }

    #[test]
    fn a_target_is_reached_missed_or_without_data() {
        let mut declared = Declared::default();
        for (name, bound) in [("map50", "> 42"), ("small", "> 33"), ("fps", "> 30")] {
            declared.targets.insert(name.into(), bound.into());
        }
        let all = reached(
            &declared.bounds().unwrap(),
            &declared,
            &numbers(&[("map50", 42.5), ("small", 33.0)]),
        );
        let said: Vec<Severity> = all.iter().map(|f| f.severity).collect();
        assert_eq!(said, [Severity::Note, Severity::Fault, Severity::Unjudged]);
    }

    #[test]
    fn what_others_lose_is_a_risk_and_a_larger_network_a_fault() {
        let declared = Declared::default();
        let base = numbers(&[
            ("medium", 46.24),
            ("large", 36.7),
            ("parameters", 2.7e6),
            ("gflops", 11.95),
        ]);
        let run = numbers(&[
            ("medium", 46.0),
            ("large", 36.1),
            ("parameters", 2.7e6),
            ("gflops", 12.0),
        ]);
        let all = side_effects(&declared, &run, &base);
        assert_eq!(
            all.iter().map(|f| f.severity).collect::<Vec<_>>(),
            [Severity::Note, Severity::Warning]
        );
        let all = unchanged(&run, &base);
        assert_eq!(
            all.iter().map(|f| f.severity).collect::<Vec<_>>(),
            [Severity::Note, Severity::Fault]
        );
    }
}
