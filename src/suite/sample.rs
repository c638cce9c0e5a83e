//! sample: suites for the tests of whatever shows or merges them.

use super::part::Part;
use super::{Case, FORMAT, Suite, Verdict};

/// A whole suite in which the i-th scenario comes to the i-th verdict.
pub fn suite(verdicts: &[Verdict]) -> Suite {
    let cases: Vec<Case> = verdicts.iter().enumerate().map(case).collect();
    Suite {
        format: FORMAT,
        whole: cases.iter().map(|c| c.name.clone()).collect(),
        part: Part::ALL,
        seconds: 2.5,
        cases,
    }
}

fn case((i, verdict): (usize, &Verdict)) -> Case {
    let name = format!("s{i}.toml");
    Case {
        headline: format!("the headline of {name}"),
        again: format!("parity run {name}"),
        name,
        verdict: *verdict,
        seconds: 0.25 * i as f64,
        findings: vec![],
        log: String::new(),
        before: None,
    }
}

/// The shares of a suite, as its parts report them.
pub fn parts(suite: &Suite, of: usize) -> Vec<Suite> {
    let share = |this| {
        let part = Part::of(this, of);
        let own = |(i, case): (usize, &Case)| part.has(i).then(|| case.clone());
        Suite {
            part,
            cases: suite.cases.iter().enumerate().filter_map(own).collect(),
            ..suite.clone()
        }
    };
    (1..=of).map(share).collect()
}
