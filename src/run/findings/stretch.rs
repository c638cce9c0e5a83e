//! stretch: what lies between paired tensors of two programs and computes another function on the same values: where, in the user's words, and why.

use super::super::Run;
use super::NODES;
use super::values::{accumulated, isolated};
use super::why;
use crate::text::few;
use crate::verdict::{Blame, Finding, Origin, TensorResult};

/// A stretch that computes another function; `nodes` of either side lie in it.
pub fn of(
    run: &Run,
    (origin, t): (&Origin, &TensorResult),
    nodes: &[Vec<String>; 2],
    blame: Option<&Blame>,
    rank: &str,
) -> Finding {
    let told = Told {
        run,
        tensor: t,
        nodes,
        recorded: run
            .correspondence
            .as_ref()
            .and_then(|c| c.recorded.iter().position(|r| *r)),
    };
    let what = format!("{}{rank}", told.what(origin));
    let mut facts = vec![told.tensor()];
    facts.extend(isolated(t));
    facts.extend(accumulated(t));
    facts.extend(told.code());
    facts.extend(told.places());
    facts.extend(blame.map(because));
    facts.extend(origin.why.iter().flat_map(why::facts));
    let confirmed = origin.why.as_ref().and_then(why::next);
    let next = confirmed.unwrap_or_else(|| told.next(blame));
    let found = Finding::new("origin", &*origin.node, what)
        .facts(facts)
        .next([next]);
    match &origin.why {
        Some(why) => why::numbers(why, found),
        None => found,
    }
}

struct Told<'a> {
    run: &'a Run,
    tensor: &'a TensorResult,
    nodes: &'a [Vec<String>; 2],
    /// Which side is a recording.
    recorded: Option<usize>,
}

impl Told<'_> {
    /// Nodes of the graph beside a recording, else of the candidate.
    fn graph(&self) -> &[String] {
        &self.nodes[1 - self.recorded.unwrap_or(0)]
    }

    fn is_long(&self) -> bool {
        self.recorded.is_some() && self.place().is_none() && self.graph().len() > NODES
    }

    /// Module, class, file and line of the last step of the recording that has one.
    fn place(&self) -> Option<&str> {
        let side = self.recorded?;
        let places = &self.run.correspondence.as_ref()?.places[side];
        let found = self.nodes[side].iter().rev().find_map(|n| places.get(n));
        found.map(String::as_str)
    }

    /// Where the first of the nodes of two graphs that its exporter gave a place stands.
    fn code(&self) -> Option<String> {
        let of = self
            .run
            .correspondence
            .as_ref()
            .filter(|_| self.recorded.is_none())?;
        let mut sides = self.nodes.iter().zip(&of.places);
        let found =
            sides.find_map(|(nodes, places)| nodes.iter().rev().find_map(|n| places.get(n)));
        found.map(|place| format!("where       {place}"))
    }

    fn what(&self, origin: &Origin) -> String {
        let name = &self.tensor.name;
        match (self.recorded, self.place()) {
            (None, _) => format!(
                "at node '{}' ({}): the two graphs compute another function here",
                origin.node, origin.op
            ),
            (Some(_), _) if self.is_long() => format!(
                "somewhere in front of '{name}': one of {} nodes of the graph computes another function",
                self.graph().len()
            ),
            (Some(_), Some(place)) => {
                format!("at {place}: {} another function here", self.whose())
            }
            (Some(_), None) => {
                format!(
                    "in front of '{name}': {} another function here",
                    self.whose()
                )
            }
        }
    }

    fn whose(&self) -> &'static str {
        let recorded = self.run.correspondence.as_ref().map(|c| c.recorded);
        match recorded {
            Some([true, true]) => "the two programs compute",
            Some(_) | None => "the graph computes",
        }
    }

    fn tensor(&self) -> String {
        let pairs = self.run.correspondence.iter().flat_map(|c| &c.pairs);
        let mut partner = pairs
            .filter(|p| p.reference == self.tensor.name)
            .map(|p| p.candidate.as_str());
        format!(
            "tensor      '{}' {:?}, in the candidate '{}'",
            self.tensor.name,
            self.tensor.shape,
            partner.next().unwrap_or("?")
        )
    }

    fn places(&self) -> Vec<String> {
        let line = |(label, names): (&str, &Vec<String>)| {
            format!(
                "{label:<12}{}",
                few(names.iter().map(String::as_str), NODES)
            )
        };
        let sides = ["reference", "candidate"].into_iter().zip(self.nodes);
        sides.map(line).collect()
    }

    fn next(&self, blame: Option<&Blame>) -> String {
        match blame {
            Some(Blame::Weights(names)) => {
                let [own, other] = names.first().cloned().unwrap_or_default();
                format!("load or export the weights again: '{own}' is to hold '{other}' of the other side (parity params A B)")
            }
            Some(Blame::Computation) | None if self.is_long() => {
                "record what lies between: parity_port.record(model, inputs, FILE) records what every module returns (docs/RECORD.md)".into()
            }
            Some(Blame::Computation) => "compare the attributes and inputs of these nodes, not their weights".into(),
            None => "compare the weights, attributes and inputs of these nodes; which side is meant nobody can tell from two files".into(),
        }
    }
}

fn because(blame: &Blame) -> String {
    match blame {
        Blame::Weights(names) => {
            let names = names.iter().map(|[_, other]| other.as_str());
            format!(
                "because of  the weights: with {} of the other side it agrees",
                few(names, NODES)
            )
        }
        Blame::Computation => {
            "because of  the computation: with the other side's weights it still is off, or it holds the same".into()
        }
    }
}
