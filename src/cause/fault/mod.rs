//! fault: the negative controls: one table of named faults, each a change to one node of a graph.
//!
//! A fault is a graph rewrite, so it can be injected into any engine and into the f64 shadow alike. The pipeline refuses an
//! injection that changes no output bit, and one of a fault of gradients that changes no gradient.

// A dtype that a fault does not know is refused, whichever it is.
#![allow(clippy::wildcard_enum_match_arm)]

mod activations;
mod attributes;
mod constants;
mod edit;
mod gradients;
mod inside;
mod outputs;
mod stored;
mod training;
mod weights;
mod wiring;

use crate::cause::hypothesis::outputs::Transform;
use crate::error::{Error, Place, Result, hint};
use crate::graph::{Graph, Step};
use crate::scenario::Subject;
use crate::subject::{self, Engines, Session};
pub use edit::Edit;
use std::sync::Arc;

/// One line of `parity list faults`.
pub struct Fault {
    pub name: &'static str,
    pub summary: &'static str,
    /// Operators that it can be injected into; empty: any with a floating-point output.
    pub ops: &'static [&'static str],
    /// What `amount` means and its default; None where the fault takes none.
    pub amount: Option<(&'static str, f64)>,
    pub inject: fn(&mut Edit) -> Result<()>,
    /// As a hypothesis: what a side that differs may have done.
    pub reads: Reads,
    /// What to do about it where it is confirmed.
    pub mend: &'static str,
}

/// How a row is read backwards, as an explanation of what a side gives.
#[derive(Clone, Copy)]
pub enum Reads {
    /// As it is injected.
    Back,
    /// As it is injected, in each of its ways (`Edit::pick`).
    Choices,
    /// With each of these amounts, then with the one that fits best.
    Amounts(&'static [f64]),
    /// Worked out of what the node gives, whatever the node is.
    Output(Transform),
    /// The same where its shape may be another one.
    Turned(Transform),
    /// Not at all, and why.
    Never(&'static str),
}

impl Reads {
    /// For whoever reads the table.
    pub fn says(self) -> String {
        match self {
            Self::Back => "as it is injected".into(),
            Self::Choices => "in each of its ways".into(),
            Self::Amounts(usual) => {
                format!("with {} usual amounts, then the one that fits", usual.len())
            }
            Self::Output(_) | Self::Turned(_) => "worked out of what the node gives".into(),
            Self::Never(why) => format!("not: {why}"),
        }
    }
}

const FAMILIES: &[&[Fault]] = &[
    weights::FAULTS,
    attributes::FAULTS,
    constants::FAULTS,
    stored::FAULTS,
    wiring::FAULTS,
    activations::FAULTS,
    training::FAULTS,
    outputs::FAULTS,
    gradients::FAULTS,
];

/// Every fault.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    FAMILIES.iter().copied().flatten()
}

/// Whether the fault changes gradients and no output.
pub fn only_gradients(name: &str) -> bool {
    gradients::FAULTS.iter().any(|f| f.name == name)
}

/// The graph that `subject` runs: `graph` itself, or with its fault injected.
///
/// # Errors
/// As `inject`.
pub fn graph_of(subject: &Subject, graph: &Arc<Graph>) -> Result<Arc<Graph>> {
    match subject.fault() {
        Some(f) => Ok(Arc::new(inject(graph, &f.fault, &f.node, f.amount)?)),
        None => Ok(graph.clone()),
    }
}

/// Opens `subject` on `graph`, with its fault injected where it has one.
///
/// # Errors
/// As `inject` and `subject::open`.
pub fn open(
    subject: &Subject,
    graph: &Arc<Graph>,
    threads: usize,
    engines: Engines,
) -> Result<Box<dyn Session>> {
    let faulty = graph_of(subject, graph)?;
    subject::open(&subject.clean(), &faulty, threads, engines)
}

/// `graph` with fault `name` injected into the step called `node`.
///
/// # Errors
/// An unknown fault or node, an operator the fault does not fit, an amount it does not take.
pub fn inject(graph: &Graph, name: &str, node: &str, amount: Option<f64>) -> Result<Graph> {
    let fault = all().find(|f| f.name == name).ok_or_else(|| {
        Error::usage(format!("unknown fault '{name}'")).next(format!(
            "{}parity list faults",
            hint(name, all().map(|f| f.name))
        ))
    })?;
    let step = find(graph, node)?;
    let amount = match (amount, fault.amount) {
        (Some(_), None) => return Err(Error::usage(format!("fault '{name}' takes no amount"))),
        (given, Some((_, default))) => given.unwrap_or(default),
        (None, None) => 0.0,
    };
    let place = || format!("fault '{name}' at node '{node}'");
    if let Some((_, inner)) = inside::find(graph, node).filter(|_| graph.steps[step].name != node) {
        return Ok(Graph {
            file: None,
            ..inside::inject(graph, step, inner, fault, amount).at(place())?
        });
    }
    fits(fault, graph.steps[step].op(), node)?;
    let mut edit = Edit::new(graph.clone(), step, amount);
    (fault.inject)(&mut edit).at(place())?;
    Ok(Graph {
        file: None,
        ..edit.finish()
    })
}

/// `graph` with the fault in a step, done in one of its ways.
///
/// # Errors
/// An operator that the fault does not fit, a step to which it cannot be done.
pub fn applied(
    fault: &Fault,
    graph: &Graph,
    step: usize,
    (amount, choice): (f64, usize),
) -> Result<Graph> {
    let the_step = &graph.steps[step];
    fits(fault, the_step.op(), &the_step.name)?;
    let mut edit = Edit::new(graph.clone(), step, amount).choosing(choice);
    (fault.inject)(&mut edit)?;
    Ok(edit.finish())
}

/// An operator that the fault does not fit is refused.
fn fits(fault: &Fault, op: &str, node: &str) -> Result<()> {
    if fault.ops.is_empty() || fault.ops.contains(&op) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "fault '{}' fits {}, node '{node}' is {op}",
        fault.name,
        fault.ops.join(", ")
    )))
}

/// Index of the step that is called `node`, produces a tensor of that name, or runs a body with such a node.
pub fn find(graph: &Graph, node: &str) -> Result<usize> {
    let inner = inside::find(graph, node).map(|(tensor, _)| tensor);
    let named =
        |s: &Step| s.name == node || s.outputs.iter().any(|o| o == node || inner == Some(o));
    graph.steps.iter().position(named).ok_or_else(|| {
        let inner = graph.bodies.seen.values().map(|i| i.node.as_str());
        let hint = hint(
            node,
            graph.steps.iter().map(|s| s.name.as_str()).chain(inner),
        );
        Error::usage(format!("the graph has no node '{node}'"))
            .next(format!("{hint}parity map MODEL lists all nodes"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::path::Path;

    #[test]
    fn every_fault_has_its_own_name_and_a_summary() {
        let names: HashSet<_> = all().map(|f| f.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(all().count() >= 15);
        assert!(all().all(|f| !f.summary.is_empty() && !f.summary.ends_with('.')));
    }

    /// A search tries whatever fits best, and a scenario may state anything.
    #[test]
    fn no_amount_makes_a_fault_panic() {
        let wild = [0.0, -1.0, 3e9, -3e9, 1e300, -1e300, f64::NAN, f64::INFINITY];
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/small");
        let mut applied_to = HashSet::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "onnx") {
                continue;
            }
            let graph = crate::graph::load::file(&path).unwrap();
            for (fault, step) in all().flat_map(|f| (0..graph.steps.len()).map(move |s| (f, s))) {
                let fits = fault.ops.is_empty() || fault.ops.contains(&graph.steps[step].op());
                for amount in wild.iter().filter(|_| fits) {
                    if applied(fault, &graph, step, (*amount, 0)).is_ok() {
                        applied_to.insert(fault.name);
                    }
                }
            }
        }
        assert!(applied_to.len() > 40, "{}", applied_to.len());
    }
}
