//! run: the one value that a run produces: reports, exit code and recorded traces all start from it.

use crate::exit::Exit;
use crate::scenario::{Expect, Expected, Scenario, TieFlips};
use crate::stage::Stages;
use crate::tensor::DType;
use crate::verdict::{Ledger, Outcome, TensorResult, Unobserved, Verdict, Why};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything about one run. Equal scenario, seed, machine, versions and threads give equal bits, `timings` aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Version of this format.
    pub format: u32,
    /// None where two recorded traces were compared.
    pub scenario: Option<Scenario>,
    pub environment: Environment,
    pub inputs: Vec<InputRecord>,
    pub verdict: Verdict,
    pub expectation: Expectation,
    pub ledger: Ledger,
    pub tensors: Vec<TensorResult>,
    /// Names of the tensors that each node takes.
    pub graph_inputs: BTreeMap<String, Vec<String>>,
    pub unobserved: Vec<Unobserved>,
    /// Assignment, loss and gradients, where the graph has a training side.
    #[serde(default)]
    pub stages: Stages,
    /// Seconds per phase; the only part that differs between equal runs.
    pub timings: BTreeMap<String, f64>,
}

/// What the run depended on besides the scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub parity: String,
    pub reference: String,
    pub candidate: String,
    /// What the f64 shadow is computed by; None where a stated tolerance made it unnecessary.
    pub shadow: Option<String>,
    pub threads: usize,
    pub os: String,
    pub cpu: String,
    pub model_digest: String,
}

/// One input as it was fed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRecord {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub sha256: String,
}

/// Whether the verdict is the one that the scenario expects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    pub exit: Exit,
    /// What is not as expected; empty where everything is.
    pub unmet: Vec<String>,
}

/// Holds the verdict against what is expected of it.
pub fn expectation(expect: &Expect, verdict: &Verdict, ledger: &Ledger) -> Expectation {
    let mut unmet = Vec::new();
    if verdict.outcome == Outcome::Nothing || ledger.coverage() < expect.coverage {
        let reasons: Vec<String> = ledger.abstained.iter().map(|(r, n)| format!("{n} x {r}")).collect();
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
        (Expected::Diverge, Outcome::Diverge) => unmet.extend(elsewhere(expect, verdict)),
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
            assert_eq!(expectation(&expect(text), &verdict(outcome, "a"), &covered(compared)).exit, exit, "{text} {outcome:?} {compared}");
        }
    }

    #[test]
    fn tie_flips_fail_only_when_asked() {
        let mut v = verdict(Outcome::Agree, "");
        v.tie_flips = 3;
        assert_eq!(expectation(&expect(""), &v, &covered(100)).exit, Exit::Agree);
        assert_eq!(expectation(&expect("tie_flips = \"fail\""), &v, &covered(100)).exit, Exit::Diverge);
    }
}
