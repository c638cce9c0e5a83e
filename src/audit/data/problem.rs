//! problem: one thing wrong at one place; thousands alike become one finding with their number and the first places.

use super::kinds::Kind;
use crate::verdict::Finding;
use std::path::Path;

/// Places that a finding shows.
const SHOWN: usize = 10;

#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub kind: &'static Kind,
    pub place: String,
    pub what: String,
    pub facts: Vec<String>,
}

impl Problem {
    pub fn new(kind: &'static Kind, place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            kind,
            place: place.into(),
            what: what.into(),
            facts: vec![],
        }
    }

    pub fn fact(mut self, fact: impl Into<String>) -> Self {
        self.facts.push(fact.into());
        self
    }
}

/// A path as it is said: below `root` without it.
pub fn shown(root: &Path, path: &Path) -> String {
    let short = path.strip_prefix(root).ok();
    let short = short.filter(|p| !p.as_os_str().is_empty());
    short.unwrap_or(path).display().to_string()
}

/// A finding for each kind, in the order in which the kinds were met.
pub fn findings(problems: Vec<Problem>) -> Vec<Finding> {
    let mut kinds: Vec<(&'static Kind, Vec<Problem>)> = vec![];
    for problem in problems {
        match kinds.iter_mut().find(|(kind, _)| *kind == problem.kind) {
            Some((_, all)) => all.push(problem),
            None => kinds.push((problem.kind, vec![problem])),
        }
    }
    kinds
        .into_iter()
        .map(|(kind, all)| finding(kind, &all))
        .collect()
}

fn finding(kind: &Kind, all: &[Problem]) -> Finding {
    let first = &all[0];
    let what = match all.len() {
        1 => first.what.clone(),
        n => format!("{}; {n} such places", first.what),
    };
    let places = all.iter().skip(1).take(SHOWN - 1);
    let places = places.flat_map(|p| {
        let itself = format!("{}: {}", p.place, p.what);
        std::iter::once(itself).chain(p.facts.clone())
    });
    let rest = all.len().saturating_sub(SHOWN);
    let rest = (rest > 0).then(|| format!("and {rest} more"));
    let next = (!kind.next.is_empty()).then(|| kind.next.to_string());
    Finding::new(kind.name, &first.place, what)
        .facts(first.facts.iter().cloned().chain(places).chain(rest))
        .number("places", all.len() as f64)
        .next(next)
        .severity(kind.severity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::data::kinds;

    #[test]
    fn thousands_alike_are_one_finding_with_the_first_places() {
        let many = (0..1000).map(|i| Problem::new(&kinds::TRUNCATED, format!("{i}.jpg"), "cut"));
        let other = Problem::new(&kinds::EMPTY_FILE, "x", "nothing");
        let all = findings(many.chain([other]).collect());
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].place.as_str(), all[0].facts.len()), ("0.jpg", 10));
        assert_eq!(all[0].numbers[0].value, 1000.0);
        assert!(all[0].facts[9].contains("990"), "{:?}", all[0].facts);
        assert_eq!(all[1].what, "nothing");
    }
}
