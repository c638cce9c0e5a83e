//! change: what became of each finding between an earlier preflight and this one.

use super::Preflight;
use crate::verdict::{Finding, Severity};
use serde::Serialize;

/// A finding that is not found right, before and now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    pub audit: String,
    pub place: String,
    pub before: Option<Finding>,
    pub now: Option<Finding>,
}

/// Every finding of either that is not found right: those of now first, then what is gone.
#[must_use]
pub fn changes(earlier: &Preflight, now: &Preflight) -> Vec<Change> {
    let (old, new) = (wrong(earlier), wrong(now));
    let same = |(audit, f): &(&str, &Finding), other: &(&str, &Finding)| {
        (*audit, &f.kind, &f.place) == (other.0, &other.1.kind, &other.1.place)
    };
    let change = |audit: &str, before: Option<&Finding>, now: Option<&Finding>| Change {
        audit: audit.into(),
        place: now.or(before).map_or(String::new(), |f| f.place.clone()),
        before: before.cloned(),
        now: now.cloned(),
    };
    let here = new.iter().map(|n| {
        let before = old.iter().find(|o| same(o, n));
        change(n.0, before.map(|b| b.1), Some(n.1))
    });
    let gone = old.iter().filter(|o| !new.iter().any(|n| same(o, n)));
    here.chain(gone.map(|o| change(o.0, Some(o.1), None)))
        .collect()
}

fn wrong(of: &Preflight) -> Vec<(&str, &Finding)> {
    let all = of.findings().into_iter();
    all.filter(|(_, f)| f.severity != Severity::Note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Audited;

    #[test]
    fn what_was_mended_what_stays_and_what_is_new_are_told() {
        let flown = |kinds: &[&str]| Preflight {
            format: super::super::FORMAT,
            target: "t".into(),
            audits: vec![
                Audited::of("data")
                    .found(kinds.iter().map(|k| Finding::new(k, "a.txt", "is wrong"))),
            ],
            expected: None,
        };
        let all = changes(&flown(&["gone", "stays"]), &flown(&["stays", "new"]));
        let told = |c: &Change| (c.before.is_some(), c.now.is_some());
        let told: Vec<_> = all.iter().map(told).collect();
        assert_eq!(told, [(true, true), (false, true), (true, false)]);
    }
}
