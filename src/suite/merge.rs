//! merge: the parts of one suite, run on several machines, as the whole: each scenario once, and what no part reports is lost, never passed.

use super::part::Part;
use super::{Case, Suite, Verdict};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// The whole of which each of `parts` is a share.
///
/// # Errors
/// There is none; they are not of one suite; one is there twice.
pub fn merge(parts: &[Suite]) -> Result<Suite> {
    let Some(first) = parts.first() else {
        return Err(Error::usage("there is no part to merge"));
    };
    parts.iter().try_for_each(|part| belongs(part, first))?;
    let mut shares: BTreeMap<Part, &Suite> = BTreeMap::new();
    for part in parts {
        if shares.insert(part.part, part).is_some() {
            let twice = format!("part {} is there twice", part.part);
            return Err(Error::usage(twice).next("name each part once"));
        }
    }
    let names = first.whole.iter().enumerate();
    let all = names.map(|(i, name)| case(i, name, first.part.of, &shares));
    Ok(Suite {
        part: Part::ALL,
        cases: all.collect(),
        // The parts ran side by side.
        seconds: parts.iter().map(|p| p.seconds).fold(0.0, f64::max),
        ..first.clone()
    })
}

/// A part of the same suite, shared out in the same way, with nothing that is not its own.
fn belongs(part: &Suite, first: &Suite) -> Result<()> {
    let next = "run every part with the same files, the same -k and the same number of parts";
    let wrong = |what: String| Err(Error::usage(what).next(next));
    if !part.part.is_one() {
        return wrong(format!("{} is no part", part.part));
    }
    if part.part.of != first.part.of {
        return wrong(format!(
            "part {} and part {} are not of one suite",
            first.part, part.part
        ));
    }
    if part.whole != first.whole {
        let [ours, theirs] = [first, part].map(|s| s.whole.len());
        return wrong(format!(
            "parts {} and {} are of suites with other scenarios ({ours} and {theirs})",
            first.part, part.part
        ));
    }
    let own = part.part.share(&part.whole);
    let twice = |name: &String| part.cases.iter().filter(|c| c.name == *name).count() > 1;
    let foreign = |case: &&Case| !own.contains(&case.name) || twice(&case.name);
    match part.cases.iter().find(foreign) {
        Some(case) => wrong(format!(
            "part {} reports '{}', which is not its own, or twice",
            part.part, case.name
        )),
        None => Ok(()),
    }
}

/// What the part that had this scenario says of it.
fn case(place: usize, name: &str, of: usize, shares: &BTreeMap<Part, &Suite>) -> Case {
    let part = Part::of(place % of + 1, of);
    let lost = |why: String| Case {
        name: name.into(),
        verdict: Verdict::Lost,
        seconds: 0.0,
        headline: why,
        findings: vec![],
        log: String::new(),
        again: format!("parity run {name}"),
        before: None,
    };
    let Some(suite) = shares.get(&part) else {
        return lost(format!("part {part} is not there"));
    };
    let found = suite.cases.iter().find(|case| case.name == name);
    let silent = || lost(format!("part {part} says nothing of it"));
    found.cloned().unwrap_or_else(silent)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::exit::Exit;
    use Verdict::{Diverged, Lost, Passed};

    fn whole() -> Suite {
        sample::suite(&[Passed, Passed, Diverged, Passed, Passed, Passed, Passed])
    }

    #[test]
    fn the_union_of_all_parts_is_exactly_the_whole_in_any_order() {
        for of in [1, 2, 3, 7, 9] {
            let mut parts = sample::parts(&whole(), of);
            parts.reverse();
            assert_eq!(merge(&parts).unwrap(), whole(), "{of}");
        }
    }

    #[test]
    fn a_lost_part_is_said_and_is_never_passed() {
        let agreeing = sample::suite(&[Passed; 7]);
        let mut parts = sample::parts(&agreeing, 3);
        parts.remove(1);
        let merged = merge(&parts).unwrap();
        let lost: Vec<&str> = merged
            .cases
            .iter()
            .filter(|c| c.verdict == Lost)
            .map(|c| c.name.as_str())
            .collect();
        assert_eq!(lost, ["s1.toml", "s4.toml"]);
        assert_eq!((merged.cases.len(), merged.exit()), (7, Exit::Uncovered));
        assert!(merged.cases[1].headline.contains("part 2/3 is not there"));
    }

    #[test]
    fn a_scenario_of_which_its_part_says_nothing_is_lost() {
        let mut parts = sample::parts(&sample::suite(&[Passed; 4]), 2);
        parts[1].cases.pop();
        let merged = merge(&parts).unwrap();
        assert_eq!((merged.count(Lost), merged.cases[3].verdict), (1, Lost));
        assert_eq!(merged.exit(), Exit::Uncovered);
    }

    #[test]
    fn what_are_no_parts_of_one_suite_is_refused() {
        let refused = |parts: &[Suite], word: &str| {
            let says = merge(parts).unwrap_err().to_string();
            assert!(says.contains(word), "{says}");
        };
        let parts = sample::parts(&whole(), 2);
        refused(&[], "no part");
        refused(&[parts[0].clone(), parts[0].clone()], "twice");
        refused(
            &[parts[0].clone(), sample::parts(&whole(), 3)[1].clone()],
            "not of one suite",
        );
        let other = sample::parts(&sample::suite(&[Passed; 6]), 2);
        refused(
            &[parts[0].clone(), other[1].clone()],
            "other scenarios (7 and 6)",
        );
        let mut foreign = parts.clone();
        let case = foreign[0].cases[0].clone();
        foreign[1].cases.push(case);
        refused(&foreign, "not its own");
        let mut none = parts[1].clone();
        none.part = Part::of(0, 2);
        refused(&[none], "no part");
    }
}
