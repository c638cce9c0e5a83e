//! deployed: what only the deployed session shows, what an optimised session does otherwise, and how to do without.

use super::NODES;
use crate::scenario::Optimisation;
use crate::text::{few, number};
use crate::verdict::{Finding, Rewrite, Unobserved};

pub fn of(u: &Unobserved) -> Finding {
    let ratio = u.judgement.ratio().unwrap_or(f64::INFINITY);
    let (what, fact) = match (&u.refused, &u.comparison) {
        (Some(says), _) => {
            // The engine without the options of the observed run.
            let engine = u.subject.split(", ").next().unwrap_or_default();
            let what = format!(
                "only when not observed: the deployed session of {engine} refuses what runs node by node"
            );
            (what, says.clone())
        }
        (None, comparison) => {
            let metrics = comparison.as_ref().and_then(|c| c.metrics());
            let diff = metrics.map_or("another shape or dtype".into(), |m| {
                let (value, index) = (number(m.max_abs.value), m.max_abs.index);
                format!("|un-observed - observed| {value} at {index}")
            });
            let what = format!(
                "only when not observed: output '{}' of {} moves beyond its floor when the graph is optimised as deployed",
                u.name, u.subject
            );
            (what, format!("{diff}, {} x tolerance", number(ratio)))
        }
    };
    let found = Finding::new("deployed", &*u.name, what)
        .of(&u.subject)
        .facts([fact])
        .number("ratio", ratio);
    match &u.cause {
        None => found.next([
            "lower the deployed session's graph optimisation level and run again".into(),
        ]),
        Some(cause) if cause.level == Optimisation::Disable && u.refused.is_some() => found.next([
            "it refuses at every optimisation level: check the file itself, such as by onnx.checker"
                .into(),
        ]),
        Some(cause) => found
            .facts(because(cause, u.refused.is_some()))
            .next([without(cause)]),
    }
}

fn quoted(list: &[String]) -> String {
    few(list.iter().map(String::as_str), NODES)
}

/// What an optimised session does otherwise.
fn because(cause: &Rewrite, refuses: bool) -> Vec<String> {
    let level = format!("{:?}", cause.level).to_lowercase();
    let by = match cause.optimisers.as_slice() {
        [] => format!("optimisation level {level}"),
        [one] => format!("optimiser {one}"),
        list => format!("optimisers {}", list.join(" and ")),
    };
    let between = match (cause.from.is_empty(), cause.to.is_empty()) {
        (false, false) => {
            let (from, to) = (quoted(&cause.from), quoted(&cause.to));
            format!(" between tensors {from} and {to}")
        }
        _ => String::new(),
    };
    let what = match refuses {
        true => "it refuses",
        false => "the un-observed run differs",
    };
    let mut lines = vec![format!(
        "{what} because of {by}{between}, from level {level} on"
    )];
    if !cause.nodes.is_empty() {
        lines.push(format!("treated as one: {}", quoted(&cause.nodes)));
    }
    lines
}

fn without(cause: &Rewrite) -> String {
    match cause.optimisers.as_slice() {
        [] => "deploy at a lower graph optimisation level, or report these nodes to the engine's authors".into(),
        list => format!(
            "leave it out: session config optimization.disable_specified_optimizers = \"{}\"",
            list.join(";")
        ),
    }
}
