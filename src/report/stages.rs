//! stages: what every stage of a training graph found, and the ledger of the loss.

use crate::audit::Table;
use crate::error::printable;
use crate::judge::stage::assign;
use crate::judge::stage::grad::State;
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
        "\n{}{}{}{}{}",
        table(&["stage", "verdict", "found"], &rows),
        training(run),
        printed_if_any(ledger(run)),
        printed_if_any(steps_of_terms(run)),
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

fn printed_if_any(table: Option<Table>) -> String {
    let some = table.filter(|t| !t.rows.is_empty());
    some.map_or(String::new(), |t| printed(&t))
}

/// A table as it is printed.
fn printed(of: &Table) -> String {
    let head: Vec<&str> = of.columns.iter().map(String::as_str).collect();
    let clean = |row: &Vec<String>| row.iter().map(|c| printable(c)).collect();
    let rows: Vec<Vec<String>> = of.rows.iter().map(clean).collect();
    format!("\n{}", table(&head, &rows))
}

fn titled(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Table {
    Table {
        title: title.into(),
        columns: columns.iter().map(|c| (*c).into()).collect(),
        rows,
    }
}

/// What the stages found, in rows.
pub fn tables(run: &Run) -> Vec<Table> {
    let all = [
        found(run),
        ledger(run),
        steps_of_terms(run),
        steps(run),
        assigned(run),
        differences(run),
        gradients(run),
        golden(run),
    ];
    let all = all.into_iter().flatten();
    all.filter(|t| !t.rows.is_empty()).collect()
}

fn found(run: &Run) -> Option<Table> {
    let row = |s: &crate::verdict::StageVerdict| {
        vec![
            s.stage.name().into(),
            outcome(s.outcome).into(),
            s.first.clone().unwrap_or_default(),
            s.says.join("; "),
        ]
    };
    let rows = run.verdict.stages.iter().map(row).collect();
    let columns = ["stage", "verdict", "first", "found"];
    Some(titled("Stages", &columns, rows))
}

/// Every step of training: the losses of both on their own, and what is off most, from the same state and from its own; then what else the stage says.
fn training(run: &Run) -> String {
    let Some(steps) = steps(run) else {
        return String::new();
    };
    let mut stages = run.verdict.stages.iter();
    let stage = stages.find(|s| s.stage == Stage::Train && s.outcome != Outcome::Diverge);
    let says = stage.iter().flat_map(|s| s.says.iter().skip(1));
    let says: String = says
        .map(|l| format!("train       {}\n", printable(l)))
        .collect();
    printed(&steps) + &says
}

fn steps(run: &Run) -> Option<Table> {
    let report = run.stages.train.as_ref()?;
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
        vec![
            (row.step + 1).to_string(),
            values(|l| l.reference),
            values(|l| l.candidate),
            off(&row.exact),
            off(&row.own),
            off(&row.free),
        ]
    };
    let head = [
        "step",
        "losses of the reference",
        "of the candidate, free",
        "lock-step in f64, tolerances",
        "lock-step",
        "free",
    ];
    let rows = report.steps.iter().map(row).collect();
    Some(titled("Steps of training", &head, rows))
}

/// Value, weight, contribution and gradient of every term, by opinion, beside what the kernel makes of that opinion's own inputs.
fn ledger(run: &Run) -> Option<Table> {
    let loss = run.stages.loss.as_ref()?;
    let rows = loss.terms.iter().flat_map(of_term).collect();
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
    Some(titled("Ledger of the loss", &head, rows))
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
        cells.collect::<Vec<String>>()
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
fn steps_of_terms(run: &Run) -> Option<Table> {
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
        cells.to_vec()
    };
    let terms = &run.stages.loss.as_ref()?.terms;
    let off = terms
        .iter()
        .filter(|t| t.steps.iter().any(|s| s.judgement.over()));
    let rows = off
        .flat_map(|t| t.steps.iter().map(|s| row(&t.name, s)))
        .collect();
    let columns = ["term", "step", "reference", "candidate", "tolerances"];
    Some(titled("Steps of the terms that are off", &columns, rows))
}

fn assigned(run: &Run) -> Option<Table> {
    let row = |c: &assign::Count| {
        let cells = [
            c.who.clone(),
            c.positives.to_string(),
            c.anchors.to_string(),
            c.degenerate.map_or("", degenerate).into(),
            c.counted.clone(),
        ];
        cells.to_vec()
    };
    let rows = run.stages.assign.as_ref()?.counts.iter().map(row).collect();
    let columns = ["opinion", "positives", "of", "degenerate", "counted"];
    Some(titled("Positives", &columns, rows))
}

fn differences(run: &Run) -> Option<Table> {
    let row = |d: &assign::Difference| {
        let first = d.first.as_ref().map_or(String::new(), |f| {
            format!("image {}, anchor {}: {}", f.image, f.anchor, f.decision)
        });
        let counts = [d.extra, d.missing, d.moved, d.tie_flips, d.labels, d.boxes];
        let mut cells = vec![d.who.clone(), d.against.clone()];
        cells.extend(counts.map(|n| n.to_string()));
        cells.push(d.unlike.clone().unwrap_or(first));
        cells
    };
    let report = run.stages.assign.as_ref()?;
    let rows = report.differences.iter().map(row).collect();
    let columns = [
        "opinion",
        "against",
        "extra",
        "missing",
        "moved",
        "of these ties",
        "labels",
        "boxes",
        "first",
    ];
    Some(titled("Assignment", &columns, rows))
}

/// Gradients that differ, or that nobody judged.
fn gradients(run: &Run) -> Option<Table> {
    let mut rows = vec![];
    for report in &run.stages.grad {
        for term in &report.terms {
            let off = term.gradients.iter();
            let off = off.filter(|g| g.state.over() || g.state == State::NotJudged);
            rows.extend(off.map(|g| {
                vec![
                    report.who.clone(),
                    term.term.clone(),
                    g.name.clone(),
                    g.state.say().into(),
                    number(g.ratio),
                    number(g.rel_l2),
                ]
            }));
        }
    }
    let columns = [
        "opinion",
        "term",
        "gradient of",
        "state",
        "x tolerance",
        "relative L2",
    ];
    Some(titled("Gradients that are off", &columns, rows))
}

fn golden(run: &Run) -> Option<Table> {
    let row = |t: &crate::judge::stage::golden::Witnessed| {
        let said = t.judgement.why().map(ToString::to_string);
        let ratio = t.judgement.ratio().map(|r| format!("{} x", number(r)));
        vec![
            t.name.clone(),
            t.stored.clone(),
            ratio.or(said).unwrap_or_else(|| "tie flips".into()),
            number(t.distance),
            t.note.clone().unwrap_or_default(),
        ]
    };
    let rows = run
        .stages
        .golden
        .as_ref()?
        .tensors
        .iter()
        .map(row)
        .collect();
    let columns = ["tensor", "kept", "judged", "relative L2", "note"];
    Some(titled("Golden", &columns, rows))
}

fn degenerate(of: assign::Degenerate) -> &'static str {
    match of {
        assign::Degenerate::Nothing => "nothing is positive although there is ground truth",
        assign::Degenerate::Everything => "every anchor is positive: no assignment at all",
        assign::Degenerate::OneTakesAll => "one ground truth owns every positive",
    }
}

/// Degenerate assignments and dead terms, expected or not; what a kernel was not asked for.
fn warnings(run: &Run) -> String {
    let counts = run.stages.assign.iter().flat_map(|a| &a.counts);
    let degenerate = counts.filter_map(|c| {
        let what = degenerate(c.degenerate?);
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
    // A convention is said with all others, behind the coverage.
    let notes = run.stages.notes.iter().filter(|n| n.kind != "convention");
    let notes = notes.map(|n| {
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
