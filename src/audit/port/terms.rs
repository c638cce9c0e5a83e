//! terms: each term of the loss over the trainings: whether it is there, whether it moves, and whether it falls.

use super::beside::Beside;
use super::train::{Run, drop, end};
use crate::text::number;
use crate::verdict::{Finding, Severity};
use wildmatch::WildMatch;

pub fn findings(runs: &[Run], may_be_zero: &[String], other: Option<&Beside>) -> Vec<Finding> {
    let Some(first) = runs.iter().find(|r| !r.losses.is_empty()) else {
        return vec![];
    };
    let names = first.terms();
    let zero = |name: &str| may_be_zero.iter().any(|p| WildMatch::new(p).matches(name));
    let mut found: Vec<Finding> = names
        .iter()
        .filter_map(|name| match one(name, runs) {
            Some(f) if f.kind == "term_zero" && zero(name) => Some(f.severity(Severity::Note)),
            Some(f) if other.is_some_and(|o| o.has(&f)) => Some(alike(f)),
            other => other,
        })
        .collect();
    let known = |p: &&String| names.iter().any(|n| WildMatch::new(p).matches(n));
    if let Some(odd) = may_be_zero.iter().find(|p| !known(p)) {
        let what = format!(
            "it may be 0, and the loss has no such term: {}",
            names.join(", ")
        );
        found.push(Finding::new("no_term", odd, what).severity(Severity::Unjudged));
    }
    found
}

/// What is no fault where the reference does it too.
fn alike(finding: Finding) -> Finding {
    let said = "so it is with the reference".to_string();
    finding.facts([said]).severity(Severity::Note)
}

/// What one term does; nothing of one of which no step is known.
pub fn one(name: &str, runs: &[Run]) -> Option<Finding> {
    let curves: Vec<Vec<f64>> = runs.iter().map(|r| r.term(name)).collect();
    let all = || curves.iter().flatten();
    let first = *all().next()?;
    let several = curves.iter().any(|c| c.len() > 1);
    let steps = all().count();
    if all().all(|v| *v == 0.0) {
        let what = format!("it is exactly 0 in all of {steps} steps");
        let next = "look whether its targets are there and its weight is not 0; where the network has no such term: --may-be-zero";
        return Some(Finding::new("term_zero", name, what).next([next.to_string()]));
    }
    let still = curves.iter().all(|c| c.iter().all(|v| *v == c[0]));
    if still && several {
        let what = format!(
            "it stays at {} to the last digit in all of {steps} steps",
            number(first)
        );
        let next =
            "look for a detach() or an argmax between the network and it: no parameter decides it";
        return Some(Finding::new("term_still", name, what).next([next.to_string()]));
    }
    falls(name, runs)
}

/// In the training that falls furthest.
fn falls(name: &str, runs: &[Run]) -> Option<Finding> {
    let best = best(runs)?;
    let curve = best.term(name);
    let (first, last) = (*curve.first()?, end(&curve));
    let fell = drop(&curve);
    let moved = format!(
        "from {} to {} in {} steps on {}, at {} x its rate",
        number(first),
        number(last),
        curve.len(),
        super::super::counted(best.images, "image"),
        best.times
    );
    // A term that begins at 0 cannot fall.
    let down = fell.map_or(last <= first, |f| f > 0.0);
    let next = format!(
        "look at the gradient and the targets of '{name}', and at the sign of what it is made of"
    );
    Some(match down {
        false => Finding::new(
            "term_does_not_fall",
            name,
            format!("it does not fall: {moved}"),
        )
        .next([next]),
        true => {
            Finding::new("term_falls", name, format!("it falls {moved}")).severity(Severity::Note)
        }
    })
}

/// The stable training whose total falls furthest.
pub fn best(runs: &[Run]) -> Option<&Run> {
    let stable = runs.iter().filter(|r| r.drop().is_some());
    stable.max_by(|a, b| {
        let both = a.drop().partial_cmp(&b.drop());
        both.unwrap_or(std::cmp::Ordering::Equal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(terms: &[(&str, &[f64])]) -> Run {
        let steps = terms.iter().map(|t| t.1.len()).max().unwrap_or(0);
        let step = |i: usize| terms.iter().map(|(n, c)| (n.to_string(), c[i])).collect();
        Run {
            images: 1,
            times: 1.0,
            losses: (0..steps).map(step).collect(),
            ..Run::default()
        }
    }

    fn faults(runs: &[Run], may_be_zero: &[&str]) -> Vec<String> {
        let allowed: Vec<String> = may_be_zero.iter().map(|t| t.to_string()).collect();
        let found = findings(runs, &allowed, None).into_iter();
        found
            .filter(|f| f.severity != Severity::Note)
            .map(|f| format!("{} {}", f.kind, f.place))
            .collect()
    }

    #[test]
    fn a_term_that_is_not_there_stands_still_or_rises_is_found_beside_one_that_falls() {
        let iou: (&str, &[f64]) = ("iou", &[4.0, 2.0, 1.0]);
        let of = |cls: &[f64]| faults(&[run(&[iou, ("cls", cls)])], &[]);
        assert!(of(&[3.0, 2.0, 1.0]).is_empty());
        assert_eq!(of(&[0.0; 3]), ["term_zero cls"]);
        assert_eq!(of(&[0.7; 3]), ["term_still cls"]);
        assert_eq!(of(&[0.1, 0.2, 0.3]), ["term_does_not_fall cls"]);
        let total: (&str, &[f64]) = ("total", &[4.0, 2.0, 1.0]);
        assert!(faults(&[run(&[iou, total])], &[]).is_empty());
    }

    #[test]
    fn a_term_that_may_be_zero_is_none_and_an_unknown_one_is_said() {
        let runs = [run(&[("iou", &[4.0, 1.0]), ("dfl", &[0.0, 0.0])])];
        assert!(faults(&runs, &["dfl"]).is_empty());
        assert_eq!(faults(&runs, &["d*", "box"]), ["no_term box"]);
    }
}
