//! tables: what a run holds in rows, beside the stages: origins, tensors that are off, what only the deployed session shows, samples, coverage, provenance.

use super::cells::{accumulated, isolated};
use crate::audit::Table;
use crate::run::Run;
use crate::text::{number, reasons, shape};
use crate::verdict::{TensorResult, Unobserved};

/// Rows of a table before the rest is counted.
const ROWS: usize = 200;

fn table(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Option<Table> {
    let left = rows.len().saturating_sub(ROWS);
    let mut shown: Vec<Vec<String>> = rows.into_iter().take(ROWS).collect();
    if left > 0 {
        let mut row = vec![String::new(); columns.len()];
        row[0] = format!("and {left} more");
        shown.push(row);
    }
    (!shown.is_empty()).then(|| Table {
        title: title.into(),
        columns: columns.iter().map(|c| (*c).into()).collect(),
        rows: shown,
    })
}

/// Every table that has a row.
pub fn of(run: &Run) -> Vec<Table> {
    let all = [
        origins(run),
        off(run),
        deployed(&run.unobserved),
        samples(run),
        alone(run),
        coverage(run),
    ];
    all.into_iter().flatten().collect()
}

fn origins(run: &Run) -> Option<Table> {
    let find = |name: &str| run.tensors.iter().find(|t| t.name == name);
    let row = |o: &crate::verdict::Origin| {
        vec![
            o.node.clone(),
            o.op.clone(),
            find(&o.tensor).map_or(String::new(), isolated),
            if o.independent { "yes" } else { "no" }.into(),
            o.side.say().into(),
        ]
    };
    let rows = run.verdict.origins.iter().map(row).collect();
    let columns = ["node", "operator", "isolated", "independent", "off"];
    table("Nodes at fault by themselves", &columns, rows)
}

fn off(run: &Run) -> Option<Table> {
    let over = |t: &&TensorResult| t.accumulated.over() || t.isolated.over();
    let row = |t: &TensorResult| {
        vec![
            t.name.clone(),
            t.node.clone(),
            t.op.clone(),
            isolated(t),
            accumulated(t),
        ]
    };
    let rows = run.tensors.iter().filter(over).map(row).collect();
    let columns = ["tensor", "node", "operator", "isolated", "accumulated"];
    table("Tensors that are off", &columns, rows)
}

fn deployed(all: &[Unobserved]) -> Option<Table> {
    let row = |u: &Unobserved| {
        let ratio = u.judgement.ratio();
        let said = u.judgement.why().map(ToString::to_string);
        let cause = u.cause.as_ref();
        vec![
            u.name.clone(),
            u.subject.clone(),
            said.or(ratio.map(|r| format!("{} x tolerance", number(r))))
                .unwrap_or_else(|| "tie flips".into()),
            cause.map_or(String::new(), |c| c.optimisers.join(", ")),
            cause.map_or(String::new(), |c| c.nodes.join(", ")),
        ]
    };
    let rows = all.iter().map(row).collect();
    let columns = ["output", "deployed in", "judged", "optimisers", "nodes"];
    table("As deployed, against observed", &columns, rows)
}

fn samples(run: &Run) -> Option<Table> {
    let row = |s: &crate::run::Sample| {
        let first = s.first.clone().unwrap_or_default();
        vec![s.name.clone(), (s.exit as u8).to_string(), first]
    };
    let rows = run.samples.iter().map(row).collect();
    table("Samples", &["sample", "exit", "first"], rows)
}

fn alone(run: &Run) -> Option<Table> {
    let row = |a: &crate::run::Alone| {
        let said = match (&a.run, &a.refused) {
            (Some(run), _) => crate::run::headline::headline(run),
            (None, refused) => format!("refused: {}", refused.clone().unwrap_or_default()),
        };
        let said = said.lines().next().unwrap_or_default().to_string();
        vec![a.place(), said]
    };
    let rows = run.alone.iter().map(row).collect();
    table("What else was run", &["where", "verdict"], rows)
}

/// How many tensors were compared, and why others were not.
fn coverage(run: &Run) -> Option<Table> {
    let l = &run.ledger;
    let count = |what: &str, n: usize| vec![what.to_string(), n.to_string()];
    let mut rows = vec![
        count("tensors", l.tensors),
        count("compared", l.compared),
        count("compared alone and accumulated", l.both_ways),
    ];
    let abstained = l.abstained.iter().map(|(why, n)| (why, *n as u64));
    let said = reasons(abstained, |n, why| format!("{n} {why}"));
    let parted = said.iter().filter_map(|s| s.split_once(' '));
    rows.extend(parted.map(|(n, why)| vec![format!("not compared: {why}"), n.into()]));
    let more = [
        ("excused by the scenario", l.excused),
        ("constants known, not compared", l.known),
        ("declared outputs", l.outputs),
        ("outputs judged node by node only", l.outputs_behind_ties),
        ("had to be judged and were not", l.unjudged.len()),
        ("recorded tensors that pair with nothing", l.leftovers.len()),
        ("weights that move no output", l.unexercised.weights.len()),
        ("cuts that cut nothing", l.unexercised.cuts.len()),
        (
            "decisions that are the same everywhere",
            l.unexercised.decisions.len(),
        ),
    ];
    let more = more.into_iter().filter(|(_, n)| *n > 0);
    rows.extend(more.map(|(what, n)| count(what, n)));
    let pairs = run.correspondence.as_ref();
    rows.extend(pairs.map(|c| count("pairs of two programs", c.pairs.len())));
    table("Coverage", &["of", "count"], rows)
}

/// What the run depended on.
pub fn subjects(run: &Run) -> Vec<(String, String)> {
    let e = &run.environment;
    let mut all = vec![
        ("reference", e.reference.clone()),
        ("candidate", e.candidate.clone()),
        (
            "shadow",
            e.shadow.clone().unwrap_or_else(|| "none".to_string()),
        ),
        ("threads", e.threads.to_string()),
        ("machine", format!("{}, {}", e.cpu, e.os)),
        ("parity", e.parity.clone()),
    ];
    let model = run.scenario.as_ref().map(|s| s.model.display().to_string());
    all.extend(model.filter(|m| !m.is_empty()).map(|m| ("model", m)));
    if !e.model_digest.is_empty() {
        all.push(("digest", e.model_digest.clone()));
    }
    let input = |i: &crate::trace::InputRecord| {
        let what = format!("{} {} {}", i.name, i.dtype, shape(&i.shape));
        ("input", format!("{what}, SHA-256 {}", i.sha256))
    };
    all.extend(run.inputs.iter().map(input));
    all.into_iter().map(|(a, b)| (a.to_string(), b)).collect()
}
