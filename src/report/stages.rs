//! stages: what every stage of a training graph found, and the ledger of the loss.

use crate::error::printable;
use crate::judge::stage::loss::{Size, Step, Term, TermValue};
use crate::judge::stage::train::{Loss, Off, Row};
use crate::run::Run;
use crate::scenario::Stage;
use crate::scenario::training::PREDICTIONS;
use crate::text::{number, table};
use crate::verdict::Outcome;
use std::collections::BTreeSet;

/// One line per stage, then the ledger; nothing where the activations, and inputs that both sides take as they are, are all there is.
pub fn stages(run: &Run) -> String {
    let own = |s: &Stage| match s {
        Stage::Inputs => run.correspondence.is_some(),
        Stage::Activations => false,
        Stage::Preprocess
        | Stage::Params
        | Stage::Postprocess
        | Stage::Assign
        | Stage::Loss
        | Stage::Grad
        | Stage::Train => true,
    };
    if !run.verdict.stages.iter().any(|s| own(&s.stage)) {
        return warnings(run);
    }
    let rows: Vec<Vec<String>> = run
        .verdict
        .stages
        .iter()
        .map(|s| {
            vec![
                s.stage.name().into(),
                outcome(s.outcome).into(),
                s.says.first().cloned().unwrap_or_default(),
            ]
        })
        .map(|r| r.iter().map(|c| printable(c)).collect())
        .collect();
    format!(
        "\n{}{}{}{}",
        table(&["stage", "verdict", "found"], &rows),
        training(run),
        ledger(run),
        warnings(run)
    )
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Agree => "agree",
        Outcome::Diverge => "DIVERGE",
        Outcome::Nothing => "not compared",
    }
}

/// Every step of training: the losses of both on their own, and what is off most, from the same state and from its own; then what else the stage says.
fn training(run: &Run) -> String {
    let Some(report) = &run.stages.train else {
        return String::new();
    };
    let off = |off: &Option<Off>| match off {
        Some(off) => format!("{} '{}'", number(off.ratio), off.name),
        None => "-".into(),
    };
    let row = |row: &Row| {
        let values = |of: fn(&Loss) -> f64| -> String {
            let each = row
                .losses
                .iter()
                .map(|l| format!("{} {}", l.term, number(of(l))));
            each.collect::<Vec<_>>().join(", ")
        };
        let cells = [
            (row.step + 1).to_string(),
            values(|l| l.reference),
            values(|l| l.candidate),
            off(&row.exact),
            off(&row.own),
            off(&row.free),
        ];
        cells.map(|c| printable(&c)).to_vec()
    };
    let rows: Vec<Vec<String>> = report.steps.iter().map(row).collect();
    let head = [
        "step",
        "losses of the reference",
        "of the candidate, free",
        "lock-step in f64, tolerances",
        "lock-step",
        "free",
    ];
    let mut stages = run.verdict.stages.iter();
    let stage = stages.find(|s| s.stage == Stage::Train && s.outcome != Outcome::Diverge);
    let says = stage.iter().flat_map(|s| s.says.iter().skip(1));
    let says: String = says
        .map(|l| format!("train       {}\n", printable(l)))
        .collect();
    format!("\n{}{says}", table(&head, &rows))
}

/// Value, weight, contribution and gradient of every term, by opinion, beside what the kernel makes of that opinion's own inputs.
fn ledger(run: &Run) -> String {
    let Some(loss) = &run.stages.loss else {
        return String::new();
    };
    let rows: Vec<Vec<String>> = loss.terms.iter().flat_map(of_term).collect();
    let head = [
        "term",
        "opinion",
        "value",
        "kernel, own inputs",
        "ratio",
        "weight",
        "normaliser",
        "contribution",
        "|gradient| scores",
        "|gradient| distances",
    ];
    format!("\n{}{}", table(&head, &rows), steps(&loss.terms))
}

/// A row of each opinion on a term, and of who gives gradients and no value: the f64 graph.
fn of_term(term: &Term) -> Vec<Vec<String>> {
    let or_dash = |v: Option<f64>| v.filter(|v| !v.is_nan()).map_or("-".to_string(), number);
    let norm = |who: &str, tensor: &str| {
        let mut into = term.into.iter();
        let found = into.find(|i| i.who == who && i.tensor == tensor);
        found.map_or("-".into(), |i| i.norm.map_or("none".into(), number))
    };
    let row = |who: &str, own: Option<&TermValue>| {
        let cells = [
            term.name.clone(),
            who.into(),
            own.map_or("-".into(), |v| number(v.value)),
            or_dash(own.and_then(|v| v.kernel)),
            or_dash(own.and_then(TermValue::ratio)),
            or_dash(Some(term.weight)),
            or_dash(own.and_then(|v| v.normaliser)),
            or_dash(own.map(|v| v.contribution)),
        ];
        let cells = cells.into_iter().chain(PREDICTIONS.map(|t| norm(who, t)));
        cells.map(|c| printable(&c)).collect::<Vec<String>>()
    };
    let spoken = |who: &str| term.opinions.iter().any(|v| v.who == who);
    let others = term.into.iter().map(|i| i.who.as_str());
    let others: BTreeSet<&str> = others.filter(|who| !spoken(who)).collect();
    let valued = term.opinions.iter().map(|v| row(&v.who, Some(v)));
    valued
        .chain(others.into_iter().map(|who| row(who, None)))
        .collect()
}

/// The steps of the terms of which one is off.
fn steps(terms: &[Term]) -> String {
    let size = |s: &Option<Size>| match s {
        Some(s) => format!(
            "{} elements, sum {}, norm {}",
            s.elements,
            number(s.sum),
            number(s.norm)
        ),
        None => "-".into(),
    };
    let row = |term: &str, step: &Step| {
        let ratio = step.judgement.ratio().map_or("not judged".into(), number);
        let cells = [
            term.into(),
            step.step.clone(),
            size(&step.reference),
            size(&step.candidate),
            ratio,
        ];
        cells.map(|c: String| printable(&c)).to_vec()
    };
    let off = terms
        .iter()
        .filter(|t| t.steps.iter().any(|s| s.judgement.over()));
    let rows: Vec<Vec<String>> = off
        .flat_map(|t| t.steps.iter().map(|s| row(&t.name, s)))
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "\n{}",
        table(
            &["term", "step", "reference", "candidate", "tolerances"],
            &rows
        )
    )
}

/// Degenerate assignments and dead terms, expected or not; conventions, and what a kernel was not asked for.
fn warnings(run: &Run) -> String {
    let counts = run.stages.assign.iter().flat_map(|a| &a.counts);
    let degenerate = counts.filter_map(|c| {
        let what = match c.degenerate? {
            crate::judge::stage::assign::Degenerate::Nothing => {
                "nothing is positive although there is ground truth"
            }
            crate::judge::stage::assign::Degenerate::Everything => {
                "every anchor is positive: no assignment at all"
            }
            crate::judge::stage::assign::Degenerate::OneTakesAll => {
                "one ground truth owns every positive"
            }
        };
        Some(format!(
            "degenerate  {}: {what} ({} of {}; counted: {})",
            c.who, c.positives, c.anchors, c.counted
        ))
    });
    let flags = run.stages.loss.iter().flat_map(|l| &l.flags).map(|f| {
        let kind = if f.is_fault() {
            "FAULT"
        } else {
            "as the reference: no fault"
        };
        format!("term        {} ({kind})", f.what)
    });
    let notes = run.stages.notes.iter().map(|n| {
        let label = n.kind.replace('_', " ");
        let next = n.next.iter().map(|step| format!("; next: {step}"));
        format!("{label:<12}{}{}", n.what, next.collect::<String>())
    });
    degenerate
        .chain(flags)
        .chain(notes)
        .map(|l| printable(&l) + "\n")
        .collect()
}
