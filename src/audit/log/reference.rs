//! reference: the scale of each loss beside a run that is right, and terms that only one of both logs.

use super::terms::{Term, Terms};
use super::{Held, Log};
use crate::text::{few, number};
use crate::training_log::name::meant;
use crate::verdict::{Finding, Severity};

/// Points at the beginning whose median is the scale of a loss.
const POINTS: usize = 10;
/// Beyond this factor a scale is another one; beyond that it is to be looked at.
const OTHER: f64 = 2.0;
const NEAR: f64 = 1.25;

#[must_use]
pub fn findings(asked: &Log, all: &[Held], reference: &Held) -> Vec<Finding> {
    let right = Terms::of(asked, reference);
    let all: Vec<Terms> = all
        .iter()
        .map(|h| Terms::of(asked, h))
        .filter(|t| t.losses().next().is_some())
        .collect();
    if all.is_empty() || right.losses().next().is_none() {
        let what =
            "no loss of the run can be held against one of the reference: one of both logs none";
        return vec![
            Finding::new("loss_scale", &reference.file, what).severity(Severity::Unjudged),
        ];
    }
    all.iter().flat_map(|own| of_one(own, &right)).collect()
}

/// A term of both runs, with the factor between its scales.
struct Pair<'a> {
    name: &'a str,
    own: f64,
    right: f64,
}

impl Pair<'_> {
    fn factor(&self) -> f64 {
        self.own / self.right
    }

    fn is_beyond(&self, limit: f64) -> bool {
        let factor = self.factor();
        !(factor <= limit && factor >= 1.0 / limit)
    }

    fn said(&self) -> String {
        format!(
            "'{}' {} of {}: {} times",
            self.name,
            number(self.own),
            number(self.right),
            number(self.factor())
        )
    }
}

fn of_one(own: &Terms, right: &Terms) -> Vec<Finding> {
    let names: Vec<&str> = own.losses().map(|t| t.name).collect();
    let partner = |t: &Term| {
        meant(t.name, &names)
            .first()
            .and_then(|n| own.losses().find(|o| o.name == *n))
    };
    let (mut pairs, mut lost) = (vec![], vec![]);
    for term in right.losses().filter(|t| t.series.count > 0) {
        let Some(found) = partner(term) else {
            lost.push(term.name);
            continue;
        };
        // As many points of both: a curve that falls has a lower scale the longer one looks.
        let n = POINTS
            .min(found.series.points.len())
            .min(term.series.points.len());
        let scales = found.series.begin(n).zip(term.series.begin(n));
        // What is 0 has no scale, and is judged as dead.
        pairs.extend(
            scales
                .filter(|s| s.0 != 0.0 && s.1 != 0.0)
                .map(|(own, right)| Pair {
                    name: term.name,
                    own,
                    right,
                }),
        );
    }
    let mut found = scale(own, right, &pairs);
    if !lost.is_empty() {
        let what = format!(
            "the reference logs {}, and this run does not",
            few(lost.iter().copied(), 9)
        );
        let next = "look at what switches these terms on";
        found.push(
            Finding::new("term_of_the_reference_is_missing", &own.held.file, what)
                .next([next.to_string()]),
        );
    }
    found
}

fn scale(own: &Terms, right: &Terms, pairs: &[Pair]) -> Vec<Finding> {
    let Some(first) = pairs.first() else {
        let what = "no term is logged by both runs under one name";
        let logged = |t: &Terms| {
            few(
                t.losses().map(|t| t.name).collect::<Vec<_>>().into_iter(),
                9,
            )
        };
        let facts = [
            format!("this run: {}", logged(own)),
            format!("reference: {}", logged(right)),
        ];
        return vec![
            Finding::new("loss_scale", &own.held.file, what)
                .facts(facts)
                .severity(Severity::Unjudged),
        ];
    };
    let worst = pairs
        .iter()
        .max_by(|a, b| a.factor().ln().abs().total_cmp(&b.factor().ln().abs()))
        .unwrap_or(first);
    let what = format!(
        "losses at the beginning, beside {}: {}",
        right.held.file,
        worst.said()
    );
    let mut finding = Finding::new("loss_scale", &own.held.file, what)
        .number("factor", worst.factor())
        .facts(pairs.iter().map(Pair::said));
    let alike = pairs
        .iter()
        .all(|p| (p.factor() / first.factor() - 1.0).abs() < 0.05);
    if !worst.is_beyond(NEAR) {
        return vec![finding.severity(Severity::Note)];
    }
    if alike && pairs.len() > 1 {
        finding = finding.facts([format!(
            "all {} terms are off by one factor: {}",
            pairs.len(),
            number(first.factor())
        )]);
    }
    let next = match alike && pairs.len() > 1 {
        true => {
            "look at what multiplies the whole loss: batch size, mean or sum, number of devices, accumulation"
        }
        false => "look at the gain and the normaliser of the term that is furthest off",
    };
    let severity = if worst.is_beyond(OTHER) {
        Severity::Fault
    } else {
        Severity::Warning
    };
    vec![finding.next([next.to_string()]).severity(severity)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training_log;

    fn held(scale: f64, cls: &str) -> Held {
        let mut text = format!("epoch,train/box_loss,train/{cls}\n");
        for i in 1..=20 {
            text += &format!(
                "{i},{},{}\n",
                scale * 4.0 / f64::from(i),
                scale * 2.0 / f64::from(i)
            );
        }
        Held::of("r.csv", training_log::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn another_scale_is_a_fault_with_its_factor_and_the_same_is_found_right() {
        let asked = Log::default();
        let right = held(1.0, "cls_loss");
        let of = |run: Held| findings(&asked, &[run], &right);
        let off = of(held(16.0, "cls_loss"));
        assert_eq!(
            (off[0].severity, off[0].numbers[0].value),
            (Severity::Fault, 16.0)
        );
        assert!(off[0].next[0].contains("batch"), "{:?}", off[0]);
        assert_eq!(of(held(1.5, "cls_loss"))[0].severity, Severity::Warning);
        let same = of(held(1.0, "cls_loss"));
        assert_eq!((same.len(), same[0].severity), (1, Severity::Note));
        let lacks = of(held(1.0, "obj_loss"));
        assert_eq!(lacks[1].kind, "term_of_the_reference_is_missing");
    }
}
