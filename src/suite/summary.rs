//! summary: what a suite came to as text: how many of each verdict, every scenario that did not pass with the command that repeats it, the slowest.

use super::part::Part;
use super::{Case, Suite, Verdict};
use crate::error::printable;
use crate::exit::Exit;
use crate::text::few;

/// Of the slowest, so many are named.
const SLOWEST: usize = 3;
/// A summary beyond a screen ends as it begins.
const SCREEN: usize = 20;

/// The whole summary; `verbose` names the scenarios that passed, too.
pub fn summary(suite: &Suite, verbose: bool) -> String {
    let verdict = verdict(suite);
    let mut lines = vec![verdict.clone()];
    let shown = |case: &&Case| verbose || case.verdict != Verdict::Passed;
    for case in suite.cases.iter().filter(shown) {
        lines.push(String::new());
        lines.extend(told(case));
    }
    lines.push(String::new());
    lines.extend(slowest(suite));
    lines.extend(changed(suite));
    if lines.len() > SCREEN {
        lines.push(verdict);
    }
    lines.iter().map(|line| printable(line) + "\n").collect()
}

/// "DIVERGE: 1 diverged, 1 crashed, 98 passed, of 100 scenarios in 12.0 s (exit 1)".
pub fn verdict(suite: &Suite) -> String {
    let counts = Verdict::ALL.map(|v| (suite.count(v), v.say()));
    let counts: Vec<String> = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    let part = match suite.part {
        Part::ALL => String::new(),
        part => format!(" (part {part} of {})", suite.whole.len()),
    };
    let exit = suite.exit();
    let of = match suite.cases.len() {
        1 => "1 scenario".to_string(),
        n => format!("{n} scenarios"),
    };
    format!(
        "{}: {}, of {of}{part} in {:.1} s (exit {})",
        word(exit),
        if counts.is_empty() {
            "none was run".into()
        } else {
            counts.join(", ")
        },
        suite.seconds,
        exit as u8
    )
}

fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Agree => "PASSED",
        Exit::Diverge => "DIVERGE",
        Exit::Usage | Exit::Failed => "NOT RUN",
        Exit::Uncovered => "NOT ALL COMPARED",
        Exit::Interrupted => "INTERRUPTED",
    }
}

/// One scenario: what it came to, its headline, how to repeat it.
fn told(case: &Case) -> Vec<String> {
    let before = match case.before {
        Some(before) if before != case.verdict => format!(", before: {}", before.say()),
        _ => String::new(),
    };
    let mut lines = vec![format!(
        "{}: {} ({:.1} s{before})",
        case.name,
        case.verdict.say(),
        case.seconds
    )];
    lines.push(format!("  {}", case.headline));
    if case.verdict != Verdict::Passed {
        lines.push(format!("  repeat it   {}", case.again));
    }
    lines
}

fn slowest(suite: &Suite) -> Option<String> {
    let mut by_time: Vec<&Case> = suite.cases.iter().collect();
    by_time.sort_by(|a, b| b.seconds.total_cmp(&a.seconds).then(a.name.cmp(&b.name)));
    let named: Vec<String> = by_time
        .iter()
        .take(SLOWEST)
        .map(|case| format!("{} {:.1} s", case.name, case.seconds))
        .collect();
    (!named.is_empty()).then(|| format!("slowest     {}", named.join(", ")))
}

/// What came to something else in the run before.
fn changed(suite: &Suite) -> Vec<String> {
    let passed = |v: Verdict| v == Verdict::Passed;
    let of = |label: &str, is: &dyn Fn(Verdict, Verdict) -> bool| {
        let names = suite
            .cases
            .iter()
            .filter(|c| c.before.is_some_and(|before| is(before, c.verdict)));
        let names: Vec<&str> = names.map(|c| c.name.as_str()).collect();
        (!names.is_empty()).then(|| {
            format!(
                "{label:<12}{} ({})",
                names.len(),
                few(names.iter().copied(), 5)
            )
        })
    };
    let now_off = of("new", &|before, now| passed(before) && !passed(now));
    let mended = of("mended", &|before, now| !passed(before) && passed(now));
    now_off.into_iter().chain(mended).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use Verdict::*;

    #[test]
    fn every_scenario_that_did_not_pass_has_its_headline_and_the_command_that_repeats_it() {
        let suite = sample::suite(&[Passed, Diverged, Crashed, TimedOut, Lost]);
        let text = summary(&suite, false);
        assert!(
            text.starts_with("DIVERGE: 1 passed, 1 diverged, 1 crashed, 1 out of time, 1 lost, of 5 scenarios in 2.5 s (exit 1)\n"),
            "{text}"
        );
        for i in 1..5 {
            assert!(
                text.contains(&format!("the headline of s{i}.toml")),
                "{text}"
            );
            assert!(
                text.contains(&format!("repeat it   parity run s{i}.toml")),
                "{text}"
            );
        }
        assert!(!text.contains("headline of s0"), "{text}");
        assert!(
            text.contains("slowest     s4.toml 1.0 s, s3.toml 0.8 s, s2.toml 0.5 s"),
            "{text}"
        );
    }

    #[test]
    fn a_long_summary_ends_as_it_begins_and_a_short_one_says_it_once() {
        for (verdicts, times) in [(vec![Diverged; 20], 2), (vec![Passed; 20], 1)] {
            let suite = sample::suite(&verdicts);
            let text = summary(&suite, false);
            assert_eq!(text.matches(&verdict(&suite)).count(), times, "{text}");
        }
    }

    #[test]
    fn what_was_otherwise_before_is_said() {
        let mut suite = sample::suite(&[Passed, Diverged, Diverged, Passed]);
        for (case, before) in suite
            .cases
            .iter_mut()
            .zip([Diverged, Passed, Diverged, Passed])
        {
            case.before = Some(before);
        }
        let text = summary(&suite, false);
        for says in [
            "mended      1 ('s0.toml')",
            "new         1 ('s1.toml')",
            "s1.toml: diverged (0.2 s, before: passed)",
        ] {
            assert!(text.contains(says), "{says}\n{text}");
        }
        assert_eq!(text.matches("before").count(), 1, "{text}");
    }

    #[test]
    fn a_suite_that_ran_nothing_has_not_passed() {
        let text = summary(&sample::suite(&[]), false);
        assert!(
            text.contains("none was run") && text.contains("(exit 4)"),
            "{text}"
        );
    }
}
