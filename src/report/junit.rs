//! junit: cases for whoever collects the results of tests: one for each run, each of its samples, each audit. The exit code decides: what the scenario expects
//! passes, what was not judged is an error and never skipped.

use super::told::{Told, lines};
use crate::error::{Error, Result, printable};
use crate::exit::Exit;
use crate::run::{Run, Sample};
use crate::verdict::Severity;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// Findings that a case tells before the rest is counted.
const FINDINGS: usize = 100;

/// One suite of these.
///
/// # Errors
/// What cannot be written as XML.
pub fn junit(suite: &str, all: &[Told]) -> Result<String> {
    written(suite, all.iter().map(case))
}

/// A run with its samples.
pub fn of_run(run: &Run) -> Result<String> {
    let told = Told::of_run(run);
    let samples = run.samples.iter().map(|s| sample(&told.name, s));
    let name = told.name.clone();
    written(&name, std::iter::once(case(&told)).chain(samples))
}

fn written(suite: &str, cases: impl Iterator<Item = TestCase>) -> Result<String> {
    let mut own = TestSuite::new(printable(suite));
    own.add_test_cases(cases);
    let times = own.test_cases.iter().filter_map(|c| c.time);
    own.set_time(times.sum());
    let mut report = Report::new("parity");
    report.add_test_suite(own);
    report
        .to_string()
        .map_err(|e| Error::failed(format!("JUnit: {e}")))
}

fn case(told: &Told) -> TestCase {
    let text = text(told);
    let mut status = status(told.exit);
    if told.exit != Exit::Agree {
        let kind = told.findings.first().map_or("none", |f| &f.kind);
        status.set_message(printable(&told.headline));
        status.set_type(printable(kind));
        status.set_description(&*text);
    }
    let mut case = TestCase::new(printable(&told.name), status);
    case.set_classname(format!("parity.{}", told.what));
    case.set_time(Duration::from_secs_f64(told.seconds.unwrap_or_default()));
    if told.exit == Exit::Agree {
        case.set_system_out(text);
    }
    case
}

fn sample(run: &str, of: &Sample) -> TestCase {
    let mut status = status(of.exit);
    if of.exit != Exit::Agree {
        let first = of.first.as_deref().unwrap_or("nothing is named");
        status.set_message(printable(&format!("first at '{first}'")));
        status.set_type("sample");
    }
    let mut case = TestCase::new(printable(&format!("{run} [{}]", of.name)), status);
    case.set_classname("parity.sample");
    case
}

fn status(exit: Exit) -> TestCaseStatus {
    match exit {
        Exit::Agree => TestCaseStatus::success(),
        Exit::Diverge => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Exit::Usage | Exit::Failed | Exit::Uncovered | Exit::Interrupted => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
    }
}

/// Everything that is said, as text.
fn text(told: &Told) -> String {
    let mut out = vec![told.headline.clone()];
    out.extend(told.unmet.iter().map(|u| format!("not as expected: {u}")));
    for (found, spot) in told.located().take(FINDINGS) {
        let word = match (found.severity, told.as_expected()) {
            (Severity::Fault, true) => "fault, as expected",
            (severity, _) => told.word(severity),
        };
        let at = spot.map_or(String::new(), |s| format!(" ({}:{})", s.file, s.line));
        let mut lines = lines(found).into_iter();
        let first = lines.next().unwrap_or_default();
        out.push(format!("{word}: {first} [{}]{at}", found.kind));
        out.extend(lines.map(|l| format!("  {l}")));
    }
    let rest = told.findings.len().saturating_sub(FINDINGS);
    out.extend((rest > 0).then(|| format!("and {rest} more")));
    let lines = out.iter().map(|l| printable(l) + "\n");
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::sample;
    use roxmltree::{Document, Node};

    const XS: &str = "http://www.w3.org/2001/XMLSchema";

    /// What of `xml` the schema does not allow: elements, their order and number, attributes and their types.
    fn wrong(xml: &str) -> Vec<String> {
        let text = std::fs::read_to_string("tests/fixtures/reports/junit.xsd").unwrap();
        let schema = Document::parse(&text).unwrap();
        let doc = Document::parse(xml).unwrap();
        let mut out = vec![];
        check(schema.root_element(), doc.root_element(), &mut out);
        out
    }

    fn named<'a>(schema: Node<'a, 'a>, tag: &str, name: &str) -> Option<Node<'a, 'a>> {
        let mut all = schema.children();
        all.find(|n| n.has_tag_name((XS, tag)) && n.attribute("name") == Some(name))
    }

    fn check(schema: Node, node: Node, out: &mut Vec<String>) {
        let tag = node.tag_name().name();
        let Some(element) = named(schema, "element", tag) else {
            return out.push(format!("<{tag}> is unknown"));
        };
        let stated = element.attribute("type");
        let of_name = stated.and_then(|t| named(schema, "complexType", t));
        let complex = of_name.or_else(|| {
            element
                .children()
                .find(|n| n.has_tag_name((XS, "complexType")))
        });
        let attributes: Vec<Node> = complex
            .iter()
            .flat_map(|c| c.children())
            .filter(|n| n.has_tag_name((XS, "attribute")))
            .collect();
        for a in node.attributes() {
            let of = attributes
                .iter()
                .find(|n| n.attribute("name") == Some(a.name()));
            match of.and_then(|n| n.attribute("type")) {
                Some("xs:string") => {}
                Some("xs:nonNegativeInteger") if a.value().parse::<u64>().is_ok() => {}
                Some("xs:decimal")
                    if a.value().parse::<f64>().is_ok() && !a.value().contains('e') => {}
                other => out.push(format!("{tag}/@{}={} is no {other:?}", a.name(), a.value())),
            }
        }
        let lacks = attributes
            .iter()
            .filter(|n| n.attribute("use") == Some("required"));
        let lacks = lacks
            .filter_map(|n| n.attribute("name"))
            .filter(|n| node.attribute(*n).is_none());
        out.extend(lacks.map(|n| format!("{tag} lacks @{n}")));
        let order: Vec<(&str, bool)> = complex
            .iter()
            .flat_map(|c| c.descendants())
            .filter_map(|n| {
                Some((
                    n.attribute("ref")?,
                    n.attribute("maxOccurs") == Some("unbounded"),
                ))
            })
            .collect();
        let mut at = 0;
        for child in node.children().filter(Node::is_element) {
            let name = child.tag_name().name();
            match order[at..].iter().position(|(n, _)| *n == name) {
                Some(on) => at += on + usize::from(!order[at + on].1),
                None => out.push(format!("<{name}> is not allowed here in <{tag}>")),
            }
            check(schema, child, out);
        }
    }

    #[test]
    fn a_run_that_fails_one_that_passes_and_one_that_was_not_judged_are_cases_of_their_kind() {
        for (exit, tag) in [
            (Exit::Agree, "system-out"),
            (Exit::Diverge, "failure"),
            (Exit::Uncovered, "error"),
            (Exit::Failed, "error"),
        ] {
            let mut run = sample::diverging();
            run.expectation.exit = exit;
            run.samples = vec![
                Sample {
                    name: "a.jpg".into(),
                    exit: Exit::Agree,
                    first: None,
                },
                Sample {
                    name: "b.jpg".into(),
                    exit,
                    first: Some("conv1".into()),
                },
            ];
            run.timings = [("layers".to_string(), 1.5)].into();
            let xml = of_run(&run).unwrap();
            assert_eq!(wrong(&xml), Vec::<String>::new(), "{xml}");
            let doc = Document::parse(&xml).unwrap();
            let cases: Vec<Node> = doc
                .descendants()
                .filter(|n| n.has_tag_name("testcase"))
                .collect();
            assert_eq!(cases.len(), 3);
            assert!(cases[0].children().any(|n| n.has_tag_name(tag)), "{xml}");
            assert!(!doc.descendants().any(|n| n.has_tag_name("skipped")));
            let fails = doc.root_element().attribute("failures");
            assert_eq!(fails, Some(if exit == Exit::Diverge { "2" } else { "0" }));
        }
    }

    #[test]
    fn the_check_against_the_schema_refuses_what_is_wrong() {
        let xml = of_run(&sample::diverging()).unwrap();
        for (from, to) in [
            ("tests=\"1\"", "tests=\"one\""),
            ("<testcase name=", "<testcase nam="),
            ("<failure ", "<failed "),
            ("classname=", "class="),
        ] {
            assert!(xml.contains(from), "{xml}");
            let damaged = xml.replace(from, to).replace(
                "</failure>",
                if to == "<failed " {
                    "</failed>"
                } else {
                    "</failure>"
                },
            );
            assert!(!wrong(&damaged).is_empty(), "{to}");
        }
    }

    #[test]
    fn a_suite_takes_runs_and_audits_alike_and_counts_what_it_does_not_show() {
        let mut run = sample::diverging();
        run.findings = vec![run.findings[0].clone(); 130];
        let audited = crate::audit::Audited::of("data");
        let xml = junit("suite", &[Told::of_run(&run), Told::of_audit(&audited)]).unwrap();
        assert_eq!(wrong(&xml), Vec::<String>::new(), "{xml}");
        assert!(xml.contains("and 30 more"), "{xml}");
        assert!(
            xml.contains("errors=\"1\""),
            "an audit that looked at nothing is an error: {xml}"
        );
    }
}
