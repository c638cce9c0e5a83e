//! headline: what a tired engineer reads first: where, own fault or inherited, which side, with which numbers, and what to do.

use super::findings::UNORDERED;
use super::{Correspondence, Run};
use crate::error::printable;
use crate::exit::Exit;
use crate::scenario::{Scenario, Stage, Subject};
use crate::verdict::{Accumulated, Finding, Outcome, TensorResult, ToleranceBy};

/// Headline, facts, next step.
pub fn headline(run: &Run) -> String {
    let lines = match run.verdict.outcome {
        Outcome::Agree if run.expectation.exit == Exit::Uncovered => {
            vec!["TOO LITTLE COMPARED: what was compared agrees".to_string()]
        }
        Outcome::Agree => vec![agree(run)],
        Outcome::Nothing if run.tensors.iter().any(unjudged) => {
            vec!["NOT JUDGED: the metrics are shown, no tolerance was asked for".to_string()]
        }
        Outcome::Nothing if undecided(run).is_some() => undecided(run).into_iter().collect(),
        Outcome::Nothing => vec!["NOTHING COMPARED: no tensor could be compared".to_string()],
        Outcome::Diverge => run.findings.first().map(diverge).unwrap_or_default(),
    };
    lines.iter().map(|l| printable(l) + "\n").collect()
}

/// What steps leave open that were made and held against each other.
fn undecided(run: &Run) -> Option<String> {
    run.stages.train.as_ref()?;
    let mut stages = run.verdict.stages.iter();
    let stage = stages.find(|s| s.stage == Stage::Train && s.outcome == Outcome::Nothing)?;
    Some(format!(
        "NOT JUDGED in stage train: {}",
        stage.says.first()?
    ))
}

fn unjudged(t: &TensorResult) -> bool {
    matches!(
        &t.accumulated,
        Accumulated::Compared {
            by: ToleranceBy::Unjudged,
            ..
        }
    )
}

fn agree(run: &Run) -> String {
    let flips = match run.verdict.tie_flips {
        0 => String::new(),
        n => format!(", {n} tie flips"),
    };
    let behind = match run.ledger.outputs_behind_ties {
        0 => String::new(),
        n => format!(
            "; {n} of {} outputs judged node by node only (behind ties)",
            run.ledger.outputs
        ),
    };
    let what = match &run.correspondence {
        Some(c) => same_function(run, c),
        None if run.scenario.as_ref().is_some_and(Scenario::of_training_alone) => {
            "both ports train alike, step for step from the same state".into()
        }
        None if of_one_graph(run) => "both engines compute this graph alike, every compared tensor within its tolerance; it says nothing of the network that it was exported from".into(),
        None => "every compared tensor is within its tolerance".into(),
    };
    format!("AGREE: {what}{flips}{behind}")
}

fn live(run: &Run) -> bool {
    run.scenario.as_ref().is_some_and(Scenario::has_port)
}

/// Whether two engines computed one graph, and nothing else speaks of it.
fn of_one_graph(run: &Run) -> bool {
    let engine = |s: &Subject| {
        matches!(
            s,
            Subject::OnnxRuntime { .. } | Subject::Libtorch {} | Subject::Simulated { .. }
        )
    };
    let scenario = run.scenario.as_ref();
    scenario.is_some_and(|s| engine(&s.reference) && engine(&s.candidate) && s.golden.is_none())
}

/// What two programs agree in.
fn same_function(run: &Run, of: &Correspondence) -> String {
    let pairs = of.pairs.len();
    let moved = |t: &&TensorResult| {
        matches!(
            &t.accumulated,
            Accumulated::Compared {
                by: ToleranceBy::Function {
                    constants: true,
                    ..
                },
                ..
            }
        )
    };
    let up_to = match run.tensors.iter().filter(moved).count() {
        0 => String::new(),
        n => format!(", at {n} of them up to what constants that are stored otherwise move"),
    };
    match of.recorded {
        [true, true] => {
            format!("both programs compute the same function at {pairs} pairs of tensors{up_to}")
        }
        [true, false] | [false, true] => format!(
            "the graph computes what {} does, at {pairs} pairs of tensors{up_to}; engines compute it as it says",
            if live(run) {
                "the port"
            } else {
                "the recorded program"
            }
        ),
        [false, false] => format!(
            "the two graphs compute the same function at {pairs} pairs of tensors{up_to}; engines compute each file as it says"
        ),
    }
}

/// A finding of a run that diverges, a line for each fact and each next step.
pub fn diverge(found: &Finding) -> Vec<String> {
    let after = if found.kind == UNORDERED { ":" } else { "" };
    let mut lines = vec![format!("DIVERGE{after} {}", found.what)];
    lines.extend(found.facts.iter().map(|fact| format!("  {fact}")));
    let label = ["next"].into_iter().chain(std::iter::repeat(""));
    let next = label.zip(&found.next);
    lines.extend(next.map(|(label, step)| format!("  {label:<12}{step}")));
    lines
}
