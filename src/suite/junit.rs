//! junit: a suite as the XML that continuous integration reads: a case for each scenario, a failure where it diverges, an error where it did not run.

use super::{Case, Suite, Verdict};
use crate::error::{Error, Result, printable};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// # Errors
/// The writer refuses it.
pub fn junit(suite: &Suite) -> Result<String> {
    let mut report = Report::new("parity");
    report.set_time(seconds(suite.seconds));
    let mut all = TestSuite::new("parity test");
    all.set_time(seconds(suite.seconds));
    all.add_test_cases(suite.cases.iter().map(case));
    report.add_test_suite(all);
    report
        .to_string()
        .map_err(|e| Error::failed(format!("JUnit: {e}")))
}

fn seconds(time: f64) -> Duration {
    Duration::try_from_secs_f64(time).unwrap_or_default()
}

fn case(case: &Case) -> TestCase {
    let status = match kind(case.verdict) {
        None => TestCaseStatus::success(),
        Some(kind) => {
            let mut status = TestCaseStatus::non_success(kind);
            status
                .set_type(case.verdict.say())
                .set_message(printable(&case.headline))
                .set_description(text(case));
            status
        }
    };
    let mut shown = TestCase::new(printable(&case.name), status);
    shown
        .set_classname("parity")
        .set_time(seconds(case.seconds));
    if !case.log.is_empty() {
        shown.set_system_out(case.log.as_str());
    }
    shown
}

/// A failure is the network's, an error whoever did not judge it.
fn kind(verdict: Verdict) -> Option<NonSuccessKind> {
    match verdict {
        Verdict::Passed => None,
        Verdict::Diverged => Some(NonSuccessKind::Failure),
        Verdict::Refused
        | Verdict::Failed
        | Verdict::Uncovered
        | Verdict::Crashed
        | Verdict::TimedOut
        | Verdict::Lost
        | Verdict::Interrupted => Some(NonSuccessKind::Error),
    }
}

/// The facts of the first finding, and the command that repeats it.
fn text(case: &Case) -> String {
    let first = case.findings.first();
    let lines = first
        .into_iter()
        .flat_map(|f| f.facts.iter().chain(&f.next));
    let lines = lines.map(|line| printable(line) + "\n").collect::<String>();
    format!("{lines}repeat it: {}\n", printable(&case.again))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn counts_and_kinds_are_those_of_the_suite_and_it_is_read_back() {
        let mut suite = sample::suite(&Verdict::ALL);
        suite.cases[1].headline = "DIVERGE at <b>\u{1b}[2J & \"q\"".into();
        suite.cases[1].log = "a\u{0}b ]]> c".into();
        let text = junit(&suite).unwrap();
        let read = Report::deserialize_from_str(&text).unwrap();
        assert_eq!((read.tests, read.failures, read.errors), (9, 1, 7));
        let names: Vec<&str> = read.test_suites[0]
            .test_cases
            .iter()
            .map(|c| c.name.as_str())
            .collect();
        assert_eq!(names, suite.whole);
        assert!(!text.contains('\u{1b}') && !text.contains("<b>"), "{text}");
        let doc = roxmltree::Document::parse(&text).unwrap();
        let failures = doc.descendants().filter(|n| n.has_tag_name("failure"));
        let says = failures.map(|n| n.attribute("message").unwrap().to_string());
        assert_eq!(
            says.collect::<Vec<_>>(),
            ["DIVERGE at <b>\\u{1b}[2J & \"q\""]
        );
    }
}
