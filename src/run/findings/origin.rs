//! origin: a node that is at fault by itself: what was run alone, with which numbers, which side is off, which of its inputs still agreed.

use super::super::Run;
use super::stretch;
use super::values::{accumulated, isolated};
use super::why;
use crate::scenario::{Scenario, Stage, Subject};
use crate::verdict::{Finding, Inside, Isolated, Origin, Side};

/// A node that is at fault by itself.
pub fn of(run: &Run, origin: &Origin) -> Finding {
    let independent = run.verdict.origins.iter().filter(|o| o.independent).count();
    let is_first = run.verdict.origins.first() == Some(origin);
    let rank = match is_first && independent > 1 {
        true => format!(", first of {independent} independent origins"),
        false => String::new(),
    };
    if let Some(t) = run.tensors.iter().find(|t| t.name == origin.tensor)
        && let Isolated::Stretch { nodes, blame, .. } = &t.isolated
    {
        return stretch::of(run, (origin, t), nodes, blame.as_ref(), &rank);
    }
    let what = format!(
        "at node '{}' ({}){}: {} itself is at fault{rank}",
        origin.node,
        origin.op,
        place(run, origin),
        whole(origin)
    );
    let mut facts = Vec::from_iter(origin.inside.as_ref().map(body));
    if let Some(t) = run.tensors.iter().find(|t| t.name == origin.tensor) {
        facts.push(format!(
            "tensor      '{}' {} {:?}",
            t.name,
            t.dtype.map_or("?", |d| d.name()),
            t.shape
        ));
        facts.extend(isolated(t));
        facts.extend(accumulated(t));
    }
    facts.extend(
        run.places
            .get(&origin.node)
            .map(|p| format!("where       {p}")),
    );
    facts.push(format!("off         {}", off(run, origin)));
    facts.push(inputs(run, origin));
    facts.extend(origin.why.iter().flat_map(why::facts));
    let next = origin.why.as_ref().and_then(why::next).unwrap_or_else(|| {
        format!(
            "check weights, attributes and input order of '{}' on the side that is off",
            origin.node
        )
    });
    let take = "or take it out, to replay or to report it: the same command with --extract FOLDER";
    let found = Finding::new("origin", &*origin.node, what)
        .facts(facts)
        .next([next, take.into()]);
    match &origin.why {
        Some(why) => why::numbers(why, found),
        None => found,
    }
}

/// ", stage loss, term 'iou'" for an origin behind the network.
fn place(run: &Run, origin: &Origin) -> String {
    let found = run
        .verdict
        .stages
        .iter()
        .find(|s| s.first.as_deref() == Some(origin.node.as_str()));
    match found.filter(|s| s.stage != Stage::Activations) {
        Some(s) => format!(
            ", stage {}{}",
            s.stage.name(),
            s.term
                .as_ref()
                .map_or(String::new(), |t| format!(", term '{t}'"))
        ),
        None => String::new(),
    }
}

/// What was run alone.
fn whole(origin: &Origin) -> String {
    origin
        .inside
        .as_ref()
        .map_or("the node".into(), |i| format!("'{}' ({})", i.step, i.op))
}

/// How the tensor inside the body was found.
fn body(inside: &Inside) -> String {
    let turn = inside.turn.map_or(String::new(), |t| {
        format!(", in the first turn that is: {t}")
    });
    format!(
        "body        '{}' was run as a whole: this is the first tensor of its body that is over{turn}",
        inside.step
    )
}

/// Which side is off. A recording may be of the original: then nothing says that it is wrong, only that this graph gives something else.
fn off(run: &Run, origin: &Origin) -> String {
    let recorded = |pick: fn(&Scenario) -> &Subject| {
        run.scenario
            .as_ref()
            .is_some_and(|s| matches!(pick(s), Subject::Recorded(_)))
    };
    let recording = match origin.side {
        Side::Reference => recorded(|s| &s.reference),
        Side::Candidate => recorded(|s| &s.candidate),
        Side::ReferenceOrShadow | Side::CandidateOrShadow | Side::Both | Side::Unknown => false,
    };
    match recording {
        true => format!(
            "{} (recorded): the engine and f64 agree that this graph gives something else on its inputs",
            origin.side.say()
        ),
        false => origin.side.say().to_string(),
    }
}

/// Which inputs of the origin still agreed.
fn inputs(run: &Run, origin: &Origin) -> String {
    let step_inputs = run
        .graph_inputs
        .get(&origin.node)
        .cloned()
        .unwrap_or_default();
    let state = |name: &String| match run.tensors.iter().find(|t| t.name == *name) {
        Some(t) if t.accumulated.over() => format!("'{name}' differs"),
        Some(t) if t.accumulated.compared() => format!("'{name}' agrees"),
        Some(_) => format!("'{name}' not compared"),
        None if run.inputs.iter().any(|i| i.name == *name) => {
            format!("'{name}' identical (graph input)")
        }
        None => format!("'{name}' (weight)"),
    };
    format!(
        "inputs      {}",
        step_inputs.iter().map(state).collect::<Vec<_>>().join(", ")
    )
}
