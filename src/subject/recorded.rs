//! recorded: a trace file as a subject: it computes nothing and answers what it holds.

use super::gradients::{Given, Named, OwnGradients, Wanted};
use super::{Feed, Output, Session};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::graph::cut::Link;
use crate::scenario;
use crate::scenario::training::PREDICTIONS;
use crate::tensor::Tensor;
use crate::trace::file::{self, Opened};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An opened trace, paired with a graph by exact tensor name and declared renames.
pub struct Recorded {
    graph: Arc<Graph>,
    trace: Opened,
    rename: BTreeMap<String, String>,
}

impl Recorded {
    /// A rename that names no tensor of the graph, or none of the trace, is refused.
    pub fn open(graph: Arc<Graph>, recorded: &scenario::Recorded) -> Result<Self> {
        let (path, rename) = (&recorded.trace, &recorded.rename);
        let trace = file::open(path)?;
        let produced = graph.producers();
        for (ours, theirs) in rename {
            if !produced.contains_key(ours.as_str())
                && !graph.inputs.iter().any(|p| p.name == *ours)
            {
                return Err(Error::usage(format!(
                    "rename: the graph has no tensor '{ours}'"
                )));
            }
            if !trace.names().any(|n| n == theirs) {
                return Err(Error::usage(format!(
                    "rename: trace {} has no tensor '{theirs}'",
                    path.display()
                )));
            }
        }
        drop(produced);
        Ok(Self {
            graph,
            trace,
            rename: rename.clone(),
        })
    }

    fn name<'a>(&'a self, ours: &'a str) -> &'a str {
        self.rename.get(ours).map_or(ours, String::as_str)
    }
}

/// The recorded gradients, `grad.TERM.NAME` of the weighted term. A term of which there is any gradient by a prediction has no other by one, and
/// likewise by parameters; what of a term there is none of was not recorded.
fn paired(wanted: &Wanted, held: Vec<Vec<Option<Tensor>>>) -> OwnGradients {
    let is_prediction = |k: usize| PREDICTIONS.contains(&wanted.by[k].standard.as_str());
    let any = |term: &[Option<Tensor>], predictions: bool| {
        (0..wanted.by.len()).any(|k| is_prediction(k) == predictions && term[k].is_some())
    };
    let missing = |predictions: bool, by: &str| {
        let terms: Vec<&str> = wanted
            .terms
            .iter()
            .zip(&held)
            .filter(|(_, of)| !any(of, predictions))
            .map(|(term, _)| term.standard.as_str())
            .collect();
        let asked = (0..wanted.by.len()).any(|k| is_prediction(k) == predictions);
        (asked && !terms.is_empty()).then(|| format!("no gradient of {} by {by}", terms.join(", ")))
    };
    let missing: Vec<String> = [missing(true, "a prediction"), missing(false, "a parameter")]
        .into_iter()
        .flatten()
        .collect();
    let given = |of: Vec<Option<Tensor>>| {
        let known = [false, true].map(|predictions| any(&of, predictions));
        let one =
            |(k, gradient): (usize, Option<Tensor>)| match known[usize::from(is_prediction(k))] {
                true => Given::from(gradient),
                false => Given::Unknown,
            };
        of.into_iter().enumerate().map(one).collect()
    };
    OwnGradients {
        by_term: held.into_iter().map(given).collect(),
        weighted: true,
        missing: (!missing.is_empty()).then(|| {
            format!(
                "the candidate's trace holds {}: record them as 'grad.TERM.NAME'",
                missing.join(" and ")
            )
        }),
    }
}

impl Session for Recorded {
    fn tensors(&mut self, names: &[&str], _link: Link, _feed: Feed) -> Result<Vec<Output>> {
        let read = |ours: &&str| {
            let found = self.trace.tensor(self.name(ours))?;
            Ok(found.ok_or_else(|| format!("the trace holds no '{}'", self.name(ours))))
        };
        names.iter().map(read).collect()
    }

    fn can_isolate(&self) -> bool {
        false
    }

    fn recorded_inputs(&self) -> BTreeMap<String, String> {
        self.trace
            .header
            .as_ref()
            .map(|h| h.inputs.clone())
            .unwrap_or_default()
    }

    fn gradients(&mut self, wanted: &Wanted) -> Result<Option<OwnGradients>> {
        let held = |term: &Named| {
            let of = |by: &Named| {
                self.trace
                    .tensor(&format!("grad.{}.{}", term.standard, by.standard))
            };
            wanted.by.iter().map(of).collect::<Result<Vec<_>>>()
        };
        let held = wanted.terms.iter().map(held).collect::<Result<_>>()?;
        Ok(Some(paired(wanted, held)))
    }

    fn leftovers(&self) -> Vec<String> {
        let produced = self.graph.producers();
        let inputs = self.graph.inputs.iter().map(|p| p.name.as_str());
        let used: Vec<&str> = produced
            .keys()
            .copied()
            .chain(inputs)
            .map(|n| self.name(n))
            .collect();
        let input = |n: &str| self.graph.inputs.iter().any(|p| p.name == n);
        let of = |n: &str| {
            produced.contains_key(n)
                || input(n)
                || self.graph.weights.contains_key(n)
                || PREDICTIONS.contains(&n)
        };
        // grad.TERM.NAME
        let gradient = |n: &str| {
            n.strip_prefix("grad.")
                .and_then(|n| n.split_once('.'))
                .is_some_and(|(_, name)| of(name))
        };
        self.trace
            .names()
            .filter(|n| !used.contains(n) && !input(n) && !gradient(n))
            .map(str::to_string)
            .collect()
    }
}
