//! expected: the verdict held against what a scenario expects of it: the exit code, and what is not as expected.

use crate::exit::Exit;
use crate::report::reasons;
use crate::run::Expectation;
use crate::scenario::{Expect, Expected, TieFlips};
use crate::verdict::{Ledger, Outcome, Verdict, Why};
use std::collections::{BTreeMap, HashSet};

/// The nodes (and their tensors) in front of a node or tensor.
pub type Above<'a> = &'a dyn Fn(&str) -> HashSet<String>;

/// Holds the verdict against what is expected of it.
pub fn expectation(expect: &Expect, verdict: &Verdict, ledger: &Ledger, above: Above) -> Expectation {
    let mut unmet = Vec::new();
    if verdict.outcome == Outcome::Nothing || ledger.coverage() < expect.coverage {
        let reasons = reasons(ledger.abstained.iter().map(|(r, n)| (r, *n as u64)), |n, why| format!("{n} x {why}"));
        unmet.push(format!(
            "{} of {} required tensors compared ({:.1} %, required {:.1} %){}{}",
            ledger.compared,
            ledger.required(),
            100.0 * ledger.coverage(),
            100.0 * expect.coverage,
            if reasons.is_empty() { "" } else { ": " },
            reasons.join("; ")
        ));
        // A divergence that was found stays one, however little was compared.
        if verdict.outcome != Outcome::Diverge || expect.verdict == Expected::Diverge {
            unmet.extend(unjudged(ledger));
            return Expectation { exit: Exit::Uncovered, unmet };
        }
    }
    if !ledger.unjudged.is_empty() && verdict.outcome != Outcome::Diverge {
        unmet.extend(unjudged(ledger));
        return Expectation { exit: Exit::Uncovered, unmet };
    }
    if let Some(stage) = verdict.stages.iter().find(|s| s.outcome == Outcome::Nothing).filter(|_| verdict.outcome != Outcome::Diverge) {
        unmet.push(format!("stage {} was asked for: {}", stage.stage.name(), stage.says.join("; ")));
        return Expectation { exit: Exit::Uncovered, unmet };
    }
    match (expect.verdict, verdict.outcome) {
        (Expected::Agree, Outcome::Diverge) => unmet.push("diverges".into()),
        (Expected::Diverge, Outcome::Agree) => unmet.push("expected to diverge, and agrees".into()),
        (Expected::Diverge, Outcome::Diverge) => unmet.extend(elsewhere(expect, verdict).into_iter().chain(beside(expect, verdict, above))),
        (Expected::Agree, Outcome::Agree) | (Expected::Agree | Expected::Diverge, Outcome::Nothing) => {}
    }
    if expect.tie_flips == TieFlips::Fail && verdict.tie_flips > 0 {
        unmet.push(format!("{} tie flips, and tie_flips = \"fail\"", verdict.tie_flips));
    }
    let exit = if unmet.is_empty() { Exit::Agree } else { Exit::Diverge };
    Expectation { exit, unmet }
}

/// What had to be judged and was not, one line per reason.
fn unjudged(ledger: &Ledger) -> Vec<String> {
    const NAMED: usize = 3;
    let mut by_why: BTreeMap<&Why, Vec<&str>> = BTreeMap::new();
    ledger.unjudged.iter().for_each(|u| by_why.entry(&u.why).or_default().push(&u.what));
    let line = |(why, whats): (&Why, Vec<&str>)| {
        let rest = whats.len().saturating_sub(NAMED);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        format!("{}{more} not judged: {why}", whats[..whats.len() - rest].join(", "))
    };
    by_why.into_iter().map(line).collect()
}

/// What is not where it was expected.
fn elsewhere(expect: &Expect, verdict: &Verdict) -> Vec<String> {
    let mut unmet = Vec::new();
    let found = verdict.first().unwrap_or("nowhere");
    if let Some(first) = expect.first.as_deref().filter(|f| *f != found) {
        unmet.push(format!("expected to diverge first at '{first}', diverges first at '{found}'"));
    }
    let stage = verdict.stage();
    if let Some(want) = expect.stage.filter(|s| stage.is_none_or(|v| v.stage != *s)) {
        unmet.push(format!("expected to diverge in stage {}, diverges in {}", want.name(), stage.map_or("none", |v| v.stage.name())));
    }
    if let Some(want) = expect.term.as_deref().filter(|t| stage.is_none_or(|v| v.term.as_deref() != Some(*t))) {
        let found = stage.and_then(|v| v.term.as_deref()).unwrap_or("none");
        unmet.push(format!("expected term '{want}' to diverge, found {found}"));
    }
    let side = verdict.origins.first().map(|o| o.side);
    if let Some(want) = expect.side.filter(|s| Some(*s) != side) {
        unmet.push(format!("expected {} to be off, found {}", want.say(), side.map_or("no origin", |s| s.say())));
    }
    unmet
}

/// What diverges besides: every place that is off is expected, or one that is expected lies among its ancestors.
fn beside(expect: &Expect, verdict: &Verdict, above: Above) -> Vec<String> {
    let places: HashSet<&str> = expect.first.iter().chain(&expect.also).map(String::as_str).collect();
    if places.is_empty() {
        return vec![];
    }
    let covered = |names: &[&str]| names.iter().any(|n| places.contains(n) || above(n).iter().any(|a| places.contains(a.as_str())));
    let mut unmet = Vec::new();
    let mut check = |what: &str, names: &[&str]| {
        if !covered(names) {
            unmet.push(format!("{what} '{}' diverges too, and nothing that was expected lies in front of it", names[0]));
        }
    };
    verdict.origins.iter().for_each(|o| check("node", &[&o.node, &o.tensor]));
    verdict.untested.iter().for_each(|name| check("tensor", &[name]));
    verdict.drift.iter().for_each(|d| check("node", &[&d.first]));
    verdict.only_unobserved.iter().for_each(|u| check("un-observed output", &[&u.name]));
    // A stage behind the place is what comes of it; one before it is not.
    let of_place =
        verdict.stages.iter().position(|s| expect.stage == Some(s.stage) || s.first.as_deref().is_some_and(|f| places.contains(f)));
    let before = verdict.stages.iter().take(of_place.unwrap_or(0)).filter(|s| s.outcome == Outcome::Diverge);
    unmet.extend(before.map(|s| format!("stage {} diverges too, which lies before what was expected", s.stage.name())));
    unmet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load::parse;
    use crate::verdict::{Origin, Side};

    fn expect(text: &str) -> Expect {
        parse(&format!("format = 1\nmodel = \"m.onnx\"\n[expect]\n{text}")).unwrap().expect
    }

    fn verdict(outcome: Outcome, first: &str) -> Verdict {
        let origin = Origin {
            node: first.into(),
            op: "Op".into(),
            tensor: first.into(),
            step: 0,
            independent: true,
            side: Side::Candidate,
            inside: None,
        };
        let origins = if outcome == Outcome::Diverge { vec![origin] } else { vec![] };
        Verdict {
            outcome,
            origins,
            drift: None,
            untested: vec![],
            only_unobserved: vec![],
            input_mismatch: vec![],
            tie_flips: 0,
            born: vec![],
            ordered: true,
            stages: vec![],
        }
    }

    fn covered(compared: usize) -> Ledger {
        Ledger { tensors: 100, compared, ..Default::default() }
    }

    #[test]
    fn the_exit_code_follows_the_expectation() {
        let cases = [
            ("", Outcome::Agree, 100, Exit::Agree),
            ("", Outcome::Diverge, 100, Exit::Diverge),
            ("", Outcome::Agree, 98, Exit::Uncovered),
            ("", Outcome::Diverge, 98, Exit::Diverge),
            ("", Outcome::Nothing, 0, Exit::Uncovered),
            ("coverage = 0.5", Outcome::Agree, 50, Exit::Agree),
            ("coverage = 0.0", Outcome::Nothing, 0, Exit::Uncovered),
            ("verdict = \"diverge\"", Outcome::Diverge, 100, Exit::Agree),
            ("verdict = \"diverge\"", Outcome::Agree, 100, Exit::Diverge),
            ("verdict = \"diverge\"\nfirst = \"a\"", Outcome::Diverge, 100, Exit::Agree),
            ("verdict = \"diverge\"\nfirst = \"b\"", Outcome::Diverge, 100, Exit::Diverge),
            ("verdict = \"diverge\"\nside = \"candidate\"", Outcome::Diverge, 100, Exit::Agree),
            ("verdict = \"diverge\"\nside = \"reference\"", Outcome::Diverge, 100, Exit::Diverge),
        ];
        for (text, outcome, compared, exit) in cases {
            assert_eq!(
                expectation(&expect(text), &verdict(outcome, "a"), &covered(compared), &|_| HashSet::new()).exit,
                exit,
                "{text} {outcome:?} {compared}"
            );
        }
    }

    #[test]
    fn tie_flips_fail_only_when_asked() {
        let mut v = verdict(Outcome::Agree, "");
        v.tie_flips = 3;
        assert_eq!(expectation(&expect(""), &v, &covered(100), &|_| HashSet::new()).exit, Exit::Agree);
        assert_eq!(expectation(&expect("tie_flips = \"fail\""), &v, &covered(100), &|_| HashSet::new()).exit, Exit::Diverge);
    }

    #[test]
    fn an_origin_beside_the_expected_one_is_unmet_and_one_behind_it_is_not() {
        let mut v = verdict(Outcome::Diverge, "a");
        let second = |node: &str| Origin { node: node.into(), tensor: node.into(), ..verdict(Outcome::Diverge, node).origins.remove(0) };
        v.origins.push(second("b"));
        let above = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<HashSet<String>>();
        let exit = |text: &str, above: &dyn Fn(&str) -> HashSet<String>| expectation(&expect(text), &v, &covered(100), above).exit;
        let expected = "verdict = \"diverge\"\nfirst = \"a\"";
        assert_eq!(exit(expected, &|_| HashSet::new()), Exit::Diverge);
        assert_eq!(exit(expected, &|n| if n == "b" { above(&["x", "a"]) } else { HashSet::new() }), Exit::Agree);
        assert_eq!(exit(&format!("{expected}\nalso = [\"b\"]"), &|_| HashSet::new()), Exit::Agree);
        assert_eq!(exit("verdict = \"diverge\"", &|_| HashSet::new()), Exit::Agree, "no place is named: any divergence is expected");
    }

    #[test]
    fn drift_what_is_untested_and_what_only_deployment_shows_beside_the_expected_place_are_unmet() {
        let exit = |v: &Verdict| expectation(&expect("verdict = \"diverge\"\nfirst = \"a\""), v, &covered(100), &|_| HashSet::new()).exit;
        let v = verdict(Outcome::Diverge, "a");
        assert_eq!(exit(&v), Exit::Agree);
        assert_eq!(exit(&Verdict { untested: vec!["t".into()], ..v.clone() }), Exit::Diverge);
        let drift = crate::verdict::Drift { first: "d".into(), tensors: 1, amplifier: "d".into(), amplification: 2.0 };
        assert_eq!(exit(&Verdict { drift: Some(drift), ..v }), Exit::Diverge);
    }
}
