//! weights: parameters that a side is given before anything runs: what arrived, read back, is a stage of its own.

use super::source::Ports;
use crate::error::{Error, Place, Result};
use crate::graph::{Graph, load};
use crate::input::parameters;
use crate::params::{Rename, Source};
use crate::scenario::sides::Kind;
use crate::scenario::{Scenario, Second, Stage, Weights};
use crate::transfer::{self, Transferred};
use crate::verdict::{Outcome, StageVerdict};
use std::path::Path;

/// What is shown of many that did not arrive.
const SHOWN: usize = 5;

/// Gives either side what is stated for it; nothing is said where nothing is.
///
/// # Errors
/// A file that cannot be read, a side that holds no parameters of its own, a port that fails.
pub fn put(
    scenario: &Scenario,
    second: &Second,
    ports: &mut Ports,
) -> Result<Option<StageVerdict>> {
    let stated = [&scenario.weights, &second.weights];
    let models = [&scenario.model, &second.model];
    let mut all = vec![];
    for (side, (weights, model)) in stated.into_iter().zip(models).enumerate() {
        if let Some(weights) = weights {
            let place = format!("weights of the {}", ["reference", "candidate"][side]);
            let source = source(weights, &scenario.model, ports).at(&place)?;
            let renames = renames(weights)?;
            let done = match ports.at(side) {
                Some(port) => transfer::into_port(&source, port, &renames),
                None => graph(model).and_then(|mut graph| {
                    let done = transfer::into_graph(&source, &mut graph, &renames);
                    ports.give(side, graph);
                    done
                }),
            };
            let done = done.at(&place)?.except(&weights.except);
            all.push((["reference", "candidate"][side], done));
        }
    }
    Ok((!all.is_empty()).then(|| verdict(&all)))
}

fn graph(path: &Path) -> Result<Graph> {
    match Kind::of(path)? {
        Kind::Model => load::file(path),
        Kind::Scenario | Kind::Trace | Kind::Script | Kind::Port => Err(Error::usage(format!(
            "{} takes no weights: it is no live port and no model",
            path.display()
        ))),
    }
}

fn renames(weights: &Weights) -> Result<Vec<Rename>> {
    weights.rename.iter().map(|r| Rename::parse(r)).collect()
}

/// What is given: of a file, or what the reference holds.
fn source(weights: &Weights, reference: &Path, ports: &mut Ports) -> Result<Source> {
    match (weights.are_the_references(), ports.at(0)) {
        (false, _) => parameters::source(&weights.file),
        (true, Some(port)) => transfer::held(port),
        (true, None) => parameters::source(reference),
    }
}

/// The first that did not arrive.
fn wrong(done: &Transferred) -> Option<&String> {
    let missing = done.missing.first().map(|m| &m.0);
    missing.or(done.ignored.first())
}

fn verdict(all: &[(&str, Transferred)]) -> StageVerdict {
    let says = all
        .iter()
        .flat_map(|(side, done)| says(side, done))
        .collect();
    let first = all.iter().find_map(|(_, t)| wrong(t)).cloned();
    StageVerdict {
        outcome: if first.is_some() {
            Outcome::Diverge
        } else {
            Outcome::Agree
        },
        first,
        says,
        ..StageVerdict::agree(Stage::Params, String::new())
    }
}

/// What arrived, and what did not with its elements.
fn says(side: &str, done: &Transferred) -> Vec<String> {
    let anew = match done.anew.len() {
        0 => String::new(),
        n => format!("; {n} begin anew, as declared"),
    };
    let arrive = done.say();
    let mut all = vec![format!(
        "the {side} was given its parameters: {arrive} arrive{anew}"
    )];
    let laid = done.laid.iter();
    all.extend(laid.map(|(how, n)| format!("{n} of them {how}")));
    let missing = done.missing.iter().take(SHOWN);
    all.extend(missing.map(|(name, n)| format!("'{name}' ({n} elements) did not arrive")));
    let more = done.missing.len().saturating_sub(SHOWN);
    all.extend((more > 0).then(|| format!("nor did {more} more")));
    let ignored = done.ignored.iter().take(SHOWN);
    all.extend(ignored.map(|n| {
        format!("'{n}' was taken over, as the port says, and reads back as something else")
    }));
    let square = done.square.len();
    all.extend((square > 0).then(|| {
        format!("{square} square ones were put in as they are: no shape tells how their axes lie")
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(missing: &[&str], ignored: &[&str]) -> Transferred {
        let own = |all: &[&str]| all.iter().map(|n| n.to_string()).collect::<Vec<_>>();
        Transferred {
            missing: own(missing).into_iter().map(|n| (n, 10)).collect(),
            ignored: own(ignored),
            all: (10, 100),
            ..Transferred::default()
        }
    }

    #[test]
    fn what_did_not_arrive_diverges_and_is_counted_by_items_and_elements() {
        let all = verdict(&[("candidate", done(&["a.weight"], &[]))]);
        assert_eq!(
            (all.outcome, all.first.as_deref()),
            (Outcome::Diverge, Some("a.weight"))
        );
        assert_eq!(
            all.says[0],
            "the candidate was given its parameters: 9 of 10 items; 90.00 % of the elements arrive"
        );
        let ignored = verdict(&[("candidate", done(&[], &["b"]))]);
        assert_eq!(
            (ignored.outcome, ignored.first.as_deref()),
            (Outcome::Diverge, Some("b"))
        );
        assert_eq!(
            verdict(&[("reference", done(&[], &[]))]).outcome,
            Outcome::Agree
        );
    }
}
