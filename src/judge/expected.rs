//! expected: the verdict held against what a scenario expects of it: the exit code, and what is not as expected.

use crate::exit::Exit;
use crate::scenario::{Expect, Expected, TieFlips};
use crate::text::reasons;
use crate::verdict::{Expectation, Ledger, Outcome, Verdict, Why};
use std::collections::{BTreeMap, HashSet};

/// The nodes (and their tensors) in front of a node or tensor.
pub type Above<'a> = &'a dyn Fn(&str) -> HashSet<String>;

/// Holds the verdict against what is expected of it.
pub fn expectation(
    expect: &Expect,
    verdict: &Verdict,
    ledger: &Ledger,
    above: Above,
) -> Expectation {
    let mut unmet = Vec::new();
    if verdict.outcome == Outcome::Nothing || ledger.coverage() < expect.coverage {
        let reasons = reasons(
            ledger.abstained.iter().map(|(r, n)| (r, *n as u64)),
            |n, why| format!("{n} x {why}"),
        );
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
            return Expectation {
                exit: Exit::Uncovered,
                unmet,
            };
        }
    }
    if !ledger.unjudged.is_empty() && verdict.outcome != Outcome::Diverge {
        unmet.extend(unjudged(ledger));
        return Expectation {
            exit: Exit::Uncovered,
            unmet,
        };
    }
    if let Some(stage) = verdict
        .stages
        .iter()
        .find(|s| s.outcome == Outcome::Nothing)
        .filter(|_| verdict.outcome != Outcome::Diverge)
    {
        unmet.push(format!(
            "stage {} was asked for: {}",
            stage.stage.name(),
            stage.says.join("; ")
        ));
        return Expectation {
            exit: Exit::Uncovered,
            unmet,
        };
    }
    match (expect.verdict, verdict.outcome) {
        (Expected::Agree, Outcome::Diverge) => unmet.push("diverges".into()),
        (Expected::Diverge, Outcome::Agree) => unmet.push("expected to diverge, and agrees".into()),
        (Expected::Diverge, Outcome::Diverge) => unmet.extend(
            elsewhere(expect, verdict)
                .into_iter()
                .chain(beside(expect, verdict, above)),
        ),
        (Expected::Agree, Outcome::Agree)
        | (Expected::Agree | Expected::Diverge, Outcome::Nothing) => {}
    }
    if expect.tie_flips == TieFlips::Fail && verdict.tie_flips > 0 {
        unmet.push(format!(
            "{} tie flips, and tie_flips = \"fail\"",
            verdict.tie_flips
        ));
    }
    let exit = if unmet.is_empty() {
        Exit::Agree
    } else {
        Exit::Diverge
    };
    Expectation { exit, unmet }
}

/// What had to be judged and was not, one line per reason.
fn unjudged(ledger: &Ledger) -> Vec<String> {
    const NAMED: usize = 3;
    let mut by_why: BTreeMap<&Why, Vec<&str>> = BTreeMap::new();
    ledger
        .unjudged
        .iter()
        .for_each(|u| by_why.entry(&u.why).or_default().push(&u.what));
    let line = |(why, whats): (&Why, Vec<&str>)| {
        let rest = whats.len().saturating_sub(NAMED);
        let more = if rest > 0 {
            format!(" and {rest} more")
        } else {
            String::new()
        };
        format!(
            "{}{more} not judged: {why}",
            whats[..whats.len() - rest].join(", ")
        )
    };
    by_why.into_iter().map(line).collect()
}

/// What is not where it was expected.
fn elsewhere(expect: &Expect, verdict: &Verdict) -> Vec<String> {
    let mut unmet = Vec::new();
    let found = verdict.first().unwrap_or("nowhere");
    if let Some(first) = expect.first.as_deref().filter(|f| *f != found) {
        unmet.push(format!(
            "expected to diverge first at '{first}', diverges first at '{found}'"
        ));
    }
    let stage = verdict.stage();
    if let Some(want) = expect.stage.filter(|s| stage.is_none_or(|v| v.stage != *s)) {
        unmet.push(format!(
            "expected to diverge in stage {}, diverges in {}",
            want.name(),
            stage.map_or("none", |v| v.stage.name())
        ));
    }
    if let Some(want) = expect
        .term
        .as_deref()
        .filter(|t| stage.is_none_or(|v| v.term.as_deref() != Some(*t)))
    {
        let found = stage.and_then(|v| v.term.as_deref()).unwrap_or("none");
        unmet.push(format!("expected term '{want}' to diverge, found {found}"));
    }
    unmet.extend(cause(expect, verdict));
    let side = verdict.origins.first().map(|o| o.side);
    if let Some(want) = expect.side.filter(|s| Some(*s) != side) {
        unmet.push(format!(
            "expected {} to be off, found {}",
            want.say(),
            side.map_or("no origin", |s| s.say())
        ));
    }
    unmet
}

/// What explains the first origin, where that is not what was expected to.
fn cause(expect: &Expect, verdict: &Verdict) -> Option<String> {
    let want = expect.cause.as_deref()?;
    let of_stage = || verdict.stage()?.why.as_ref();
    let why = verdict.origins.first().and_then(|o| o.why.as_ref());
    let why = why.or_else(of_stage);
    if why.is_some_and(|why| why.names(want)) {
        return None;
    }
    let found = match why.map(|why| &why.confirmed) {
        None => "no cause was looked for there".to_string(),
        Some(none) if none.is_empty() => "no cause explains it".into(),
        Some(all) => {
            let names = all.iter().map(|c| c.cause.as_str());
            format!("it is explained by {}", Vec::from_iter(names).join(", "))
        }
    };
    Some(format!("expected cause '{want}', and {found}"))
}

/// What diverges besides: every place that is off is expected, or one that is expected lies among its ancestors.
fn beside(expect: &Expect, verdict: &Verdict, above: Above) -> Vec<String> {
    let places: HashSet<&str> = expect
        .first
        .iter()
        .chain(&expect.also)
        .map(String::as_str)
        .collect();
    if places.is_empty() {
        return vec![];
    }
    let covered = |names: &[&str]| {
        names
            .iter()
            .any(|n| places.contains(n) || above(n).iter().any(|a| places.contains(a.as_str())))
    };
    let mut unmet = Vec::new();
    let mut check = |what: &str, names: &[&str]| {
        if !covered(names) {
            unmet.push(format!(
                "{what} '{}' diverges too, and nothing that was expected lies in front of it",
                names[0]
            ));
        }
    };
    verdict
        .origins
        .iter()
        .for_each(|o| check("node", &[&o.node, &o.tensor]));
    verdict
        .untested
        .iter()
        .for_each(|name| check("tensor", &[name]));
    verdict
        .drift
        .iter()
        .for_each(|d| check("node", &[&d.first]));
    verdict
        .only_unobserved
        .iter()
        .for_each(|u| check("un-observed output", &[&u.name]));
    // A stage behind the place is what comes of it; one before it is not.
    let of_place = verdict.stages.iter().position(|s| {
        expect.stage == Some(s.stage) || s.first.as_deref().is_some_and(|f| places.contains(f))
    });
    let before = verdict
        .stages
        .iter()
        .take(of_place.unwrap_or(0))
        .filter(|s| s.outcome == Outcome::Diverge);
    unmet.extend(before.map(|s| {
        format!(
            "stage {} diverges too, which lies before what was expected",
            s.stage.name()
        )
    }));
    unmet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Stage;
    use crate::scenario::load::parse;
    use crate::verdict::StageVerdict;
    use crate::verdict::{Drift, Judgement, Side, Unjudged, sample};

    /// What a scenario expects, what was found, and what follows: the exit code, and a piece of each line of what is unmet.
    struct Case<'a>(&'a str, Verdict, Ledger, Exit, &'a [&'a str]);

    fn check(above: &[(&str, &str)], cases: &[Case]) {
        let above = |of: &str| {
            above
                .iter()
                .filter(|(n, _)| *n == of)
                .map(|(_, a)| a.to_string())
                .collect()
        };
        for Case(text, verdict, ledger, exit, pieces) in cases {
            let expect = parse(&format!("format = 1\nmodel = \"m.onnx\"\n[expect]\n{text}"))
                .unwrap()
                .expect;
            let got = expectation(&expect, verdict, ledger, &above);
            let met = got.unmet.len() == pieces.len()
                && got
                    .unmet
                    .iter()
                    .zip(*pieces)
                    .all(|(line, piece)| line.contains(piece));
            assert!(
                got.exit == *exit && met,
                "{text}\n{verdict:?}\n{ledger:?}: {:?} {:#?}, expected {exit:?} {pieces:?}",
                got.exit,
                got.unmet
            );
        }
    }

    fn agree() -> Verdict {
        sample::verdict(Outcome::Agree)
    }

    /// Diverges at these nodes.
    fn at(nodes: &[&str]) -> Verdict {
        Verdict {
            origins: nodes.iter().map(|n| sample::origin(n)).collect(),
            ..sample::verdict(Outcome::Diverge)
        }
    }

    /// Diverges in a stage at a place and a term of the loss.
    fn stage(stage: Stage, first: &str, term: Option<&str>) -> StageVerdict {
        StageVerdict {
            outcome: Outcome::Diverge,
            first: Some(first.into()),
            term: term.map(str::to_string),
            ..StageVerdict::agree(stage, String::new())
        }
    }

    fn covered(compared: usize) -> Ledger {
        Ledger {
            tensors: 100,
            compared,
            ..Default::default()
        }
    }

    fn all() -> Ledger {
        covered(100)
    }

    #[test]
    fn the_exit_code_follows_the_expectation() {
        let nothing = || sample::verdict(Outcome::Nothing);
        let diverge = "verdict = \"diverge\"";
        let both = "verdict = \"diverge\"\ncoverage = 0.5";
        check(
            &[],
            &[
                Case("", agree(), all(), Exit::Agree, &[]),
                Case("", at(&["a"]), all(), Exit::Diverge, &["diverges"]),
                Case(
                    "",
                    agree(),
                    covered(98),
                    Exit::Uncovered,
                    &["98 of 100 required tensors compared (98.0 %, required 99.0 %)"],
                ),
                Case("", agree(), covered(99), Exit::Agree, &[]),
                Case(
                    "",
                    at(&["a"]),
                    covered(98),
                    Exit::Diverge,
                    &["98 of 100", "diverges"],
                ),
                Case("", nothing(), covered(0), Exit::Uncovered, &["0 of 100"]),
                Case("coverage = 0.5", agree(), covered(50), Exit::Agree, &[]),
                Case(
                    "coverage = 0.5",
                    agree(),
                    covered(49),
                    Exit::Uncovered,
                    &["required 50.0 %"],
                ),
                Case(
                    "coverage = 0.0",
                    nothing(),
                    covered(0),
                    Exit::Uncovered,
                    &["0 of 100"],
                ),
                Case(diverge, at(&["a"]), all(), Exit::Agree, &[]),
                Case(
                    diverge,
                    agree(),
                    all(),
                    Exit::Diverge,
                    &["expected to diverge, and agrees"],
                ),
                Case(
                    diverge,
                    at(&["a"]),
                    covered(98),
                    Exit::Uncovered,
                    &["98 of 100"],
                ),
                Case(both, at(&["a"]), covered(50), Exit::Agree, &[]),
            ],
        );
    }

    #[test]
    fn too_little_compared_is_said_with_the_reasons() {
        let abstained =
            |reasons: &[(&str, usize)]| reasons.iter().map(|(r, n)| (r.to_string(), *n)).collect();
        let some = Ledger {
            abstained: abstained(&[("random", 40), ("lent", 10)]),
            ..covered(50)
        };
        let none = covered(50);
        check(
            &[],
            &[
                Case(
                    "",
                    agree(),
                    some,
                    Exit::Uncovered,
                    &["required 99.0 %): 40 x random; 10 x lent"],
                ),
                Case(
                    "",
                    agree(),
                    none,
                    Exit::Uncovered,
                    &["50 of 100 required tensors compared (50.0 %, required 99.0 %)"],
                ),
            ],
        );
    }

    #[test]
    fn what_had_to_be_judged_and_was_not_is_said_by_reason_unless_something_diverges() {
        let not = |whats: &[&str], why: Why| {
            whats
                .iter()
                .map(|w| Unjudged {
                    what: w.to_string(),
                    why: why.clone(),
                })
                .collect::<Vec<_>>()
        };
        let with = |unjudged: Vec<Unjudged>| Ledger { unjudged, ..all() };
        let open = |whats: &[&str]| with(not(whats, Why::OpenFloor));
        let two = with(
            [
                not(&["a", "b"], Why::Random),
                not(&["c"], Why::Missing("it is lost".into())),
            ]
            .concat(),
        );
        let few = Ledger {
            unjudged: not(&["a"], Why::Random),
            ..covered(1)
        };
        let line = |names: &str| format!("{names} not judged: no noise floor");
        check(
            &[],
            &[
                Case("", agree(), open(&["a"]), Exit::Uncovered, &[&line("a")]),
                Case(
                    "",
                    agree(),
                    open(&["a", "b", "c"]),
                    Exit::Uncovered,
                    &[&line("a, b, c")],
                ),
                Case(
                    "",
                    agree(),
                    open(&["a", "b", "c", "d"]),
                    Exit::Uncovered,
                    &[&line("a, b, c and 1 more")],
                ),
                Case(
                    "",
                    agree(),
                    open(&["a", "b", "c", "d", "e"]),
                    Exit::Uncovered,
                    &[&line("a, b, c and 2 more")],
                ),
                Case(
                    "",
                    agree(),
                    two,
                    Exit::Uncovered,
                    &[
                        "a, b not judged: random operator",
                        "c not judged: it is lost",
                    ],
                ),
                Case(
                    "",
                    agree(),
                    few,
                    Exit::Uncovered,
                    &["1 of 100", "a not judged"],
                ),
                Case("", at(&["n"]), open(&["a"]), Exit::Diverge, &["diverges"]),
                Case(
                    "verdict = \"diverge\"",
                    at(&["n"]),
                    open(&["a"]),
                    Exit::Agree,
                    &[],
                ),
                Case(
                    "verdict = \"diverge\"",
                    agree(),
                    open(&["a"]),
                    Exit::Uncovered,
                    &["a not judged"],
                ),
            ],
        );
    }

    #[test]
    fn a_stage_that_was_asked_for_and_found_nothing_is_not_passed() {
        let with = |v: Verdict, s: StageVerdict| Verdict {
            stages: vec![StageVerdict::agree(Stage::Params, String::new()), s],
            ..v
        };
        let silent = || StageVerdict::nothing(Stage::Loss, "no loss was recorded".into());
        check(
            &[],
            &[
                Case(
                    "",
                    with(agree(), StageVerdict::agree(Stage::Loss, String::new())),
                    all(),
                    Exit::Agree,
                    &[],
                ),
                Case(
                    "",
                    with(agree(), silent()),
                    all(),
                    Exit::Uncovered,
                    &["stage loss was asked for: no loss was recorded"],
                ),
                Case(
                    "",
                    with(at(&["a"]), silent()),
                    all(),
                    Exit::Diverge,
                    &["diverges"],
                ),
            ],
        );
    }

    #[test]
    fn tie_flips_fail_only_when_asked_and_only_where_there_are_some() {
        let ties = |tie_flips| Verdict {
            tie_flips,
            ..agree()
        };
        let fail = "tie_flips = \"fail\"";
        check(
            &[],
            &[
                Case("", ties(3), all(), Exit::Agree, &[]),
                Case(fail, ties(3), all(), Exit::Diverge, &["3 tie flips"]),
                Case(fail, ties(0), all(), Exit::Agree, &[]),
            ],
        );
    }

    #[test]
    fn a_divergence_must_be_where_it_was_expected() {
        let text = |rest: &str| format!("verdict = \"diverge\"\n{rest}");
        let (first_a, first_b) = (text("first = \"a\""), text("first = \"b\""));
        let nowhere = || sample::verdict(Outcome::Diverge);
        let staged = |term| Verdict {
            stages: vec![stage(Stage::Loss, "a", term)],
            ..at(&["a"])
        };
        let (loss, grad) = (text("stage = \"loss\""), text("stage = \"grad\""));
        let (dfl, iou) = (
            text("stage = \"loss\"\nterm = \"dfl\""),
            text("stage = \"loss\"\nterm = \"iou\""),
        );
        let (candidate, reference) = (text("side = \"candidate\""), text("side = \"reference\""));
        let reversed = || {
            let mut v = at(&["a"]);
            v.origins[0].side = Side::Reference;
            v
        };
        check(
            &[("a", "b")],
            &[
                Case(&first_a, at(&["a"]), all(), Exit::Agree, &[]),
                Case(
                    &first_b,
                    at(&["a"]),
                    all(),
                    Exit::Diverge,
                    &["expected to diverge first at 'b', diverges first at 'a'"],
                ),
                Case(
                    &first_b,
                    nowhere(),
                    all(),
                    Exit::Diverge,
                    &["diverges first at 'nowhere'"],
                ),
                Case(&candidate, at(&["a"]), all(), Exit::Agree, &[]),
                Case(
                    &reference,
                    at(&["a"]),
                    all(),
                    Exit::Diverge,
                    &["expected the reference to be off, found the candidate"],
                ),
                Case(&reference, reversed(), all(), Exit::Agree, &[]),
                Case(
                    &reference,
                    nowhere(),
                    all(),
                    Exit::Diverge,
                    &["found no origin"],
                ),
                Case(&loss, staged(None), all(), Exit::Agree, &[]),
                Case(
                    &grad,
                    staged(None),
                    all(),
                    Exit::Diverge,
                    &["expected to diverge in stage grad, diverges in loss"],
                ),
                Case(
                    &loss,
                    at(&["a"]),
                    all(),
                    Exit::Diverge,
                    &["expected to diverge in stage loss, diverges in none"],
                ),
                Case(&dfl, staged(Some("dfl")), all(), Exit::Agree, &[]),
                Case(
                    &iou,
                    staged(Some("dfl")),
                    all(),
                    Exit::Diverge,
                    &["expected term 'iou' to diverge, found dfl"],
                ),
                Case(
                    &dfl,
                    staged(None),
                    all(),
                    Exit::Diverge,
                    &["expected term 'dfl' to diverge, found none"],
                ),
            ],
        );
    }

    #[test]
    fn what_diverges_beside_the_expected_place_and_not_behind_it_is_unmet() {
        let a = "verdict = \"diverge\"\nfirst = \"a\"";
        let also = &format!("{a}\nalso = [\"b\"]");
        let b = &["node 'b' diverges too"];
        let drift = |first: &str| {
            Some(Drift {
                first: first.into(),
                tensors: 1,
                amplifier: "d".into(),
                amplification: 2.0,
            })
        };
        let deployed = |name: &str| sample::unobserved(name, Judgement::Over(2.0));
        let beside = |change: &dyn Fn(&mut Verdict)| {
            let mut v = at(&["a"]);
            change(&mut v);
            v
        };
        check(
            &[("behind", "x"), ("behind", "a")],
            &[
                Case(a, at(&["a", "b"]), all(), Exit::Diverge, b),
                Case(a, at(&["a", "behind"]), all(), Exit::Agree, &[]),
                Case(
                    a,
                    beside(&|v| v.origins[0].node = "inside".into()),
                    all(),
                    Exit::Diverge,
                    &["diverges first at 'inside'"],
                ),
                Case(also, at(&["a", "b"]), all(), Exit::Agree, &[]),
                Case(
                    also,
                    at(&["a", "c"]),
                    all(),
                    Exit::Diverge,
                    &["node 'c' diverges too"],
                ),
                Case(
                    "verdict = \"diverge\"",
                    at(&["a", "b"]),
                    all(),
                    Exit::Agree,
                    &[],
                ),
                Case(
                    a,
                    beside(&|v| v.untested = vec!["t".into()]),
                    all(),
                    Exit::Diverge,
                    &["tensor 't' diverges too"],
                ),
                Case(
                    a,
                    beside(&|v| v.untested = vec!["behind".into()]),
                    all(),
                    Exit::Agree,
                    &[],
                ),
                Case(
                    a,
                    beside(&|v| v.drift = drift("d")),
                    all(),
                    Exit::Diverge,
                    &["node 'd' diverges too"],
                ),
                Case(
                    a,
                    beside(&|v| v.drift = drift("behind")),
                    all(),
                    Exit::Agree,
                    &[],
                ),
                Case(
                    a,
                    beside(&|v| v.only_unobserved = vec![deployed("y")]),
                    all(),
                    Exit::Diverge,
                    &["un-observed output 'y' diverges too"],
                ),
                Case(
                    a,
                    beside(&|v| v.only_unobserved = vec![deployed("behind")]),
                    all(),
                    Exit::Agree,
                    &[],
                ),
            ],
        );
    }

    #[test]
    fn a_stage_that_diverges_before_the_expected_one_is_unmet_and_one_behind_it_is_not() {
        let with = |stages: Vec<StageVerdict>| Verdict {
            stages,
            ..at(&["a"])
        };
        let fine = |of| StageVerdict::agree(of, String::new());
        let (assign, loss, grad) = (
            || stage(Stage::Assign, "s", None),
            || stage(Stage::Loss, "a", None),
            || stage(Stage::Grad, "g", None),
        );
        let at_loss = "verdict = \"diverge\"\nstage = \"loss\"\nfirst = \"a\"";
        let at_a = "verdict = \"diverge\"\nfirst = \"a\"";
        let before = &["stage assign diverges too, which lies before what was expected"];
        let elsewhere = &[
            "expected to diverge in stage loss, diverges in assign",
            before[0],
        ];
        check(
            &[],
            &[
                Case(at_loss, with(vec![loss(), grad()]), all(), Exit::Agree, &[]),
                Case(
                    at_loss,
                    with(vec![fine(Stage::Assign), loss()]),
                    all(),
                    Exit::Agree,
                    &[],
                ),
                Case(
                    at_loss,
                    with(vec![assign(), loss()]),
                    all(),
                    Exit::Diverge,
                    elsewhere,
                ),
                Case(
                    at_a,
                    with(vec![assign(), loss()]),
                    all(),
                    Exit::Diverge,
                    before,
                ),
                Case(
                    at_a,
                    with(vec![fine(Stage::Assign), loss(), grad()]),
                    all(),
                    Exit::Agree,
                    &[],
                ),
            ],
        );
    }
}
