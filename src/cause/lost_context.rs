//! lost context: a script that keeps samples of its own before those that it is given, held against a model that is given none: tried, not guessed.
//!
//! Where a TorchScript file and the model are fed the same input whole and disagree, the model is run again with zeros before the last axis, which is
//! what a script without a past puts there. The number of zeros that brings every output that is off within its floor is named if it does so a second
//! time, on the same values in reverse order against a script that was loaded anew. Tried are the powers of two and the multiples of 16 up to the
//! length of the input, 1024 at most; an input of more than three axes (a picture) is no row of samples.

use super::{Cause, Test, fault};
use crate::compare::{Tolerance, compare, judge as judge_stated};
use crate::error::Result;
use crate::floor::noise::{Floor, axis_for};
use crate::graph::cut::Link;
use crate::graph::{Graph, load};
use crate::judge::{Limit, against};
use crate::scenario::{Optimisation, Scenario, Subject, SubjectKind, TorchScript};
use crate::subject::{Deployed, Engines, Session, open};
use crate::tensor::Tensor;
use crate::text::number;
use crate::verdict::Finding;
use indexmap::IndexMap;
use std::collections::HashMap;
use std::sync::Arc;

/// Zeros that are tried at most.
const MOST: usize = 1024;

pub type Inputs = IndexMap<String, Tensor>;
type Outputs = HashMap<String, Tensor>;

/// What an output may differ by.
pub struct Limits<'a> {
    pub floors: &'a HashMap<String, Floor>,
    pub stated: Option<&'a Tolerance>,
}

impl Limits<'_> {
    /// Difference / tolerance of the output that is worst, and the largest difference; None where they are not alike.
    fn worst(&self, a: &Outputs, b: &Outputs, names: &[&str]) -> Option<(f64, f64)> {
        let one = |n: &&str| {
            let (a, b) = (a.get(*n)?, b.get(*n)?);
            let comparison = compare(a.view(), b.view(), axis_for(a.shape()));
            let metrics = comparison.metrics()?;
            let ratio = match (self.stated, self.floors.get(*n)) {
                (Some(tolerance), _) => judge_stated(a.view(), b.view(), tolerance).ratio(),
                (None, floor) => against(metrics, Limit::Spread(floor?)).ratio()?,
            };
            Some((ratio, metrics.max_abs.value))
        };
        names
            .iter()
            .map(one)
            .try_fold((0.0, 0.0), |most: (f64, f64), this| {
                this.map(|t| (most.0.max(t.0), most.1.max(t.1)))
            })
    }
}

pub const CAUSE: Cause = Cause {
    name: "lost_context",
    asks: "with how many zeros before an input does the model give what the script gives?",
    test: Test::Inputs(test),
};

/// Two sides that were fed the same and do not give the same.
pub struct Fed<'a> {
    pub scenario: &'a Scenario,
    pub inputs: &'a Inputs,
    pub threads: usize,
    pub limits: Limits<'a>,
    /// Declared outputs that are over their tolerance.
    pub over: Vec<&'a str>,
    pub engines: Engines<'a>,
}

/// What the model was not given that the script has; nothing where that is not what they disagree by.
fn test(of: &Fed) -> Result<Option<Finding>> {
    let sides = [&of.scenario.reference, &of.scenario.candidate];
    let (Some(script), Some(model)) = (
        sides.iter().find_map(|s| s.script()),
        sides.iter().find(|s| s.abilities().any_graph),
    ) else {
        return Ok(None);
    };
    if of.over.is_empty() {
        return Ok(None);
    }
    // Other lengths may take other branches: the graph is the file's.
    let graph = Arc::new(load::file(&of.scenario.model)?);
    let mut trial = Trial {
        model: fault::open(&unoptimised(model), &graph, of.threads, of.engines)?,
        script,
        fed: of,
        graph,
    };
    let rows = of.inputs.iter();
    for (name, x) in rows.filter(|(n, x)| is_row(x) && whole(script, n)) {
        if let Some(found) = trial.of(name, x)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The engine as it is observed, whatever it is asked to optimise.
fn unoptimised(engine: &Subject) -> Subject {
    match engine.engine() == SubjectKind::OnnxRuntime {
        true => Subject::onnxruntime(),
        false => engine.clean(),
    }
}

/// Whether its last axis may be one of samples.
fn is_row(x: &Tensor) -> bool {
    x.dtype().is_float() && x.numel() > 1 && (1..=3).contains(&x.shape().len())
}

/// Whether the script is given all of the input.
fn whole(script: &TorchScript, name: &str) -> bool {
    script
        .takes
        .as_ref()
        .is_none_or(|t| t.iter().any(|a| a == name))
}

struct Trial<'a> {
    model: Box<dyn Session>,
    script: &'a TorchScript,
    fed: &'a Fed<'a>,
    graph: Arc<Graph>,
}

impl Trial<'_> {
    fn of(&mut self, name: &str, x: &Tensor) -> Result<Option<Finding>> {
        let Some(length) = x.shape().last().copied() else {
            return Ok(None);
        };
        let said = self.script_on(self.fed.inputs)?;
        let Some((_, before)) = self
            .model_on(name, x, 0)
            .and_then(|own| self.worst(&own, &said))
        else {
            return Ok(None);
        };
        let Some((zeros, after)) = tried(length)
            .into_iter()
            .find_map(|n| Some((n, self.agrees(name, x, n, &said)?)))
        else {
            return Ok(None);
        };
        let back = reversed(x);
        let mut inputs = self.fed.inputs.clone();
        inputs.insert(name.to_string(), back.clone());
        let Ok(again) = self.script_on(&inputs) else {
            return Ok(None);
        };
        Ok(self
            .agrees(name, &back, zeros, &again)
            .map(|_| self.says(name, x, zeros, (before, after))))
    }

    fn worst(&self, own: &Outputs, said: &Outputs) -> Option<(f64, f64)> {
        self.fed.limits.worst(own, said, &self.fed.over)
    }

    /// The largest difference, where the model with so many zeros before `x` gives what the script said.
    fn agrees(&mut self, name: &str, x: &Tensor, zeros: usize, said: &Outputs) -> Option<f64> {
        let own = self.model_on(name, x, zeros)?;
        self.worst(&own, said)
            .filter(|(ratio, _)| *ratio <= 1.0)
            .map(|(_, difference)| difference)
    }

    /// What the model gives; None where it refuses that length.
    fn model_on(&mut self, name: &str, x: &Tensor, zeros: usize) -> Option<Outputs> {
        let mut inputs = self.fed.inputs.clone();
        inputs.insert(name.to_string(), padded(x, zeros)?);
        let feed = |n: &str| inputs.get(n).cloned();
        let whole = Deployed {
            level: Optimisation::Disable,
            without: &[],
            observed: &[],
        };
        match self.model.deployed(&feed, &whole) {
            Ok(Some(all)) => Some(all.into_iter().collect()),
            // The file may declare the length.
            Ok(None) | Err(_) => outputs(&mut *self.model, &self.graph, &inputs).ok(),
        }
    }

    /// What the script gives, loaded anew: it may keep a state.
    fn script_on(&self, inputs: &Inputs) -> Result<Outputs> {
        let subject = Subject::TorchScript(self.script.clone());
        let mut script = open(&subject, &self.graph, self.fed.threads, self.fed.engines)?;
        outputs(&mut *script, &self.graph, inputs)
    }

    fn says(&self, name: &str, x: &Tensor, zeros: usize, (before, after): (f64, f64)) -> Finding {
        let (shape, length) = (x.shape(), x.shape().last().copied().unwrap_or(0));
        let mut wanted = shape.to_vec();
        wanted
            .iter_mut()
            .last()
            .into_iter()
            .for_each(|d| *d += zeros);
        let all: Vec<String> = self.fed.inputs.keys().cloned().collect();
        let part = |t: &String| {
            if t == name {
                format!("\"{t}[{zeros}:]\"")
            } else {
                format!("\"{t}\"")
            }
        };
        let takes: Vec<String> = self
            .script
            .takes
            .as_ref()
            .unwrap_or(&all)
            .iter()
            .map(part)
            .collect();
        let fact = format!(
            "input '{name}': both sides were given the {length} values of {shape:?}, and the script sees {zeros} of its own before them that the model \
             lacks: with {zeros} zeros before them the model gives what the script gives (|difference| {} without, {} with; so it does on the \
             values in reverse order)",
            number(before),
            number(after),
        );
        let next = format!(
            "feed the model {wanted:?}, {zeros} zeros first, and the script its part: takes = [{}]",
            takes.join(", ")
        );
        Finding::new(CAUSE.name, name, fact)
            .number("zeros", zeros as f64)
            .number("without", before)
            .number("with", after)
            .next([next])
    }
}

/// Numbers of zeros in the order in which they are tried.
fn tried(length: usize) -> Vec<usize> {
    let powers = (0..)
        .map(|i| 1usize << i)
        .take_while(|n| *n <= length.min(MOST));
    let steps = (1..=length.min(MOST) / 16)
        .map(|i| 16 * i)
        .filter(|n| !n.is_power_of_two());
    powers.chain(steps).collect()
}

fn outputs(session: &mut dyn Session, graph: &Graph, inputs: &Inputs) -> Result<Outputs> {
    let feed = |n: &str| inputs.get(n).cloned();
    let all: Vec<usize> = (0..graph.steps.len()).collect();
    let values = session.eval(graph, &all, Link::Connected, &feed)?;
    let names = graph.steps.iter().flat_map(|s| &s.outputs);
    let fed = names
        .zip(values.into_iter().flatten())
        .filter_map(|(n, v)| Some((n.clone(), v.ok()?)));
    Ok(fed
        .filter(|(n, _)| graph.outputs.iter().any(|p| p.name == *n))
        .collect())
}

/// `x` with zeros before its last axis.
fn padded(x: &Tensor, zeros: usize) -> Option<Tensor> {
    let mut shape = x.shape().to_vec();
    let row = *shape.last()? * x.dtype().size();
    *shape.last_mut()? += zeros;
    let gap = vec![0u8; zeros * x.dtype().size()];
    let bytes: Vec<u8> = x
        .bytes()
        .chunks(row.max(1))
        .flat_map(|r| gap.iter().chain(r))
        .copied()
        .collect();
    Tensor::from_bytes(x.dtype(), shape, &bytes).ok()
}

/// `x` with its last axis turned round.
fn reversed(x: &Tensor) -> Tensor {
    let (size, row) = (
        x.dtype().size(),
        x.shape().last().copied().unwrap_or(1) * x.dtype().size(),
    );
    let bytes: Vec<u8> = x
        .bytes()
        .chunks(row.max(1))
        .flat_map(|r| r.chunks(size).rev().flatten())
        .copied()
        .collect();
    Tensor::from_bytes(x.dtype(), x.shape().to_vec(), &bytes).expect("as many bytes as before")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_go_before_every_row_and_a_row_is_turned_round_by_itself() {
        let x = Tensor::of(&[2, 2], &[1f32, 2.0, 3.0, 4.0]);
        let wide = padded(&x, 1).unwrap();
        assert_eq!(
            (wide.shape(), wide.to_f64()),
            (&[2, 3][..], vec![0.0, 1.0, 2.0, 0.0, 3.0, 4.0])
        );
        assert_eq!(reversed(&x).to_f64(), [2.0, 1.0, 4.0, 3.0]);
        assert_eq!(padded(&x, 0).unwrap().bytes(), x.bytes());
    }

    #[test]
    fn powers_of_two_are_tried_first_and_nothing_longer_than_the_input() {
        assert_eq!(tried(50), [1, 2, 4, 8, 16, 32, 48]);
        assert_eq!(tried(1 << 20).iter().max(), Some(&MOST));
    }
}
