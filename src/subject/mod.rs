//! subject: whatever can be asked for tensors: one file per engine, one table that lists them all.

pub mod gradients;
pub mod kernels;
#[cfg(feature = "ort")]
mod onnxruntime;
pub mod open;
mod recorded;
mod simulated;

pub use open::{Engines, open};

use crate::error::{Error, Result};
use crate::floor::Rounding;
use crate::graph::Graph;
use crate::graph::cut::Link;
use crate::tensor::{DType, Tensor, Value};
use gradients::{OwnGradients, Wanted};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Looks up the tensor that is to be fed under a name.
pub type Feed<'a> = &'a dyn Fn(&str) -> Option<Tensor>;

/// One output of one step: a tensor, or why there is none.
pub type Output = std::result::Result<Tensor, String>;

/// A tensor that is needed and not fed.
pub fn unfed(name: &str) -> Error {
    Error::failed(format!("tensor '{name}' was not fed"))
}

/// A subject opened on one graph: it gives tensors by name and keeps none between calls.
pub trait Session {
    /// What is called `names`, in that order: tensors that a run of the network makes on the way. A subject that runs a part of it computes the
    /// nodes that make them, of what `feed` has; `link` says whether they feed each other.
    ///
    /// # Errors
    /// A name that the subject does not know, a tensor that it is not fed, whatever it refuses.
    fn tensors(&mut self, names: &[&str], link: Link, feed: Feed) -> Result<Vec<Output>>;

    /// Outputs of each of `steps` (ascending) of `graph`, in the order of `Step::outputs`.
    ///
    /// # Errors
    /// As `tensors`.
    fn eval(
        &mut self,
        graph: &Graph,
        steps: &[usize],
        link: Link,
        feed: Feed,
    ) -> Result<Vec<Vec<Output>>> {
        let of = |i: &usize| graph.steps[*i].outputs.iter().map(String::as_str);
        let names: Vec<&str> = steps.iter().flat_map(of).collect();
        let mut outputs = match names.is_empty() {
            true => vec![],
            false => self.tensors(&names, link, feed)?,
        }
        .into_iter();
        let taken = |i: &usize| outputs.by_ref().take(of(i).count()).collect();
        Ok(steps.iter().map(taken).collect())
    }

    /// The same steps will be asked for again, on other inputs.
    fn keep(&mut self) {}

    /// The declared outputs of one run in which nothing else was observed; None where observing changes nothing.
    fn unobserved(&mut self, _feed: Feed) -> Result<Option<Vec<(String, Tensor)>>> {
        Ok(None)
    }

    /// The same, optimised and observed as `how` says; None where there is nothing to choose.
    fn deployed(&mut self, _feed: Feed, _how: &Deployed) -> Result<Option<Vec<(String, Tensor)>>> {
        Ok(None)
    }

    /// The declared outputs of one run as it is deployed, for its time: nothing observed, and what can be kept between runs is kept; None
    /// where nothing is computed.
    fn forward(&mut self, _feed: Feed) -> Result<Option<Vec<(String, Tensor)>>> {
        Ok(None)
    }

    /// Optimisers that [`Deployed`] can leave out.
    fn optimisers(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether a step can be run alone on given inputs.
    fn can_isolate(&self) -> bool {
        true
    }

    /// Digests of the inputs that a recording was made with, by input name; empty where nothing was recorded.
    fn recorded_inputs(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// The subject's own gradients; None where it gives none.
    ///
    /// # Errors
    /// Whatever it refuses.
    fn gradients(&mut self, _wanted: &Wanted) -> Result<Option<OwnGradients>> {
        Ok(None)
    }

    /// Recorded tensors that pair with nothing in the graph.
    fn leftovers(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A graph as users run it, opened once for many runs: every optimisation, nothing observed but the declared outputs.
pub trait Whole {
    /// The declared outputs.
    ///
    /// # Errors
    /// An input that is not fed, whatever the engine refuses.
    fn run(&mut self, feed: Feed) -> Result<Vec<(String, Tensor)>>;
}

/// How the whole model is run: at which level, without which optimisers, with which tensors observed besides the declared outputs.
#[derive(Clone, Copy, Debug)]
pub struct Deployed<'a> {
    pub level: crate::scenario::Optimisation,
    pub without: &'a [&'a str],
    pub observed: &'a [String],
}

/// Evaluates steps in f64 and says how far a correct engine may be from that.
pub trait Judge {
    /// The graph that it evaluates: where it carries a fault, a step may take tensors that the clean one does not.
    fn graph(&self) -> &Graph;

    /// Outputs of one step, floats as f64; discrete dtypes as declared.
    fn eval(&mut self, step: usize, feed: Feed) -> Result<Vec<Tensor>>;

    /// Whether the step decides: whether some output of it may be another one by more than rounding where an input is off by rounding.
    fn decides(&self, step: usize) -> bool;

    /// Whether the floats that the step gives are elements of its input, chosen by an operator that rounds before it decides.
    fn selects(&self, step: usize) -> bool;

    /// For each output of the step, the rounding that a correct engine may show on these inputs.
    fn rounding(&mut self, step: usize, feed: Feed, outputs: &[Tensor]) -> Result<Vec<Rounding>>;

    /// How far the inputs are from the border between two different decisions, for each element of output `index` that
    /// differs between `reference` and `candidate`: 0 is an exact tie. None where the operator decides nothing.
    fn margin(
        &mut self,
        step: usize,
        feed: Feed,
        index: usize,
        reference: &Tensor,
        candidate: &Tensor,
    ) -> Result<Option<f64>>;
}

/// Runs a graph forward and backward.
pub trait Differentiator {
    /// # Errors
    /// A term that holds no floats, a tensor that does not exist, whatever the engine refuses.
    fn run(&mut self, ask: &Ask) -> Result<Gradients>;
}

/// A TorchScript file by itself, forward and backward.
pub trait Scripted {
    /// Its arguments in order, as it declares them.
    fn takes(&self) -> &[Argument];

    /// What it gives on these tensors, one for each argument that is not optional.
    ///
    /// # Errors
    /// Whatever the script refuses.
    fn run(&mut self, given: &[Tensor]) -> Result<Answered>;
}

/// An argument of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    pub name: String,
    /// As the script writes it: `Tensor`, `int`, `float`.
    pub of: String,
}

/// What a script gives: tensors by place or key, and for each float among them the gradient of its sum by each float that it was given;
/// none where no path leads there.
#[derive(Debug, Default)]
pub struct Answered {
    pub values: Vec<(String, Tensor)>,
    /// By the name of the output and the place of the argument.
    pub gradients: Vec<(String, usize, Option<Tensor>)>,
}

/// What a backward run gives.
#[derive(Default)]
pub struct Gradients {
    /// For each term, for each tensor asked for: the gradient, or None where no path leads from it to the term.
    pub by_term: Vec<Vec<Option<Tensor>>>,
    /// For each term, for each of `Ask::slopes`.
    pub slopes: Vec<Vec<Option<Slope>>>,
    /// The value of each of `Ask::keep`.
    pub kept: Vec<Tensor>,
}

/// The mean |gradient| of a tensor per channel (axis 1), and how many elements a channel has.
#[derive(Clone, Debug, PartialEq)]
pub struct Slope {
    pub mean: Vec<f64>,
    pub terms: usize,
}

/// What a backward run is asked for.
pub struct Ask<'a> {
    /// The graph's inputs.
    pub feed: Feed<'a>,
    /// Tensors whose sums are differentiated.
    pub terms: &'a [String],
    /// Whether the terms are differentiated as one sum, so that there is one entry by term.
    pub jointly: bool,
    /// Weights and tensors to differentiate them by.
    pub wrt: &'a [String],
    /// Values that are not computed but taken: decisions.
    pub replay: &'a HashMap<String, Tensor>,
    pub noise: Option<Noise<'a>>,
    /// Tensors of the graph whose mean |gradient| is asked for.
    pub slopes: &'a [String],
    /// Tensors of the graph whose value is asked for.
    pub keep: &'a [String],
}

/// Rounding noise behind every node, forward and backward (f64 only).
pub struct Noise<'a> {
    pub seed: u64,
    pub run: u32,
    /// The dtype that an engine computes a tensor in; f32 where it was not seen.
    pub dtypes: &'a HashMap<String, DType>,
    /// Noise that is the same for a whole channel of a gradient.
    pub coherent: &'a [Coherent],
    /// Whether a value that f32 holds exactly stays behind a correctly rounded operation: nothing was rounded, so no tie is shaken.
    pub exact_stays: bool,
}

/// What is added to the gradient of a tensor: per term one number per channel (axis 1), or nothing.
pub struct Coherent {
    pub name: String,
    pub by_term: Vec<Option<Vec<f64>>>,
}

/// How the engines are asked to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub threads: usize,
    pub optimisation: crate::scenario::Optimisation,
}

/// Opens libtorch; implemented by the executable that links it. Every thread opens sessions of its own.
pub trait Torch: Sync {
    fn session(&self, graph: Arc<Graph>, options: &Options) -> Result<Box<dyn Session>>;
    /// Steps of the graph with an operator that the interpreter does not have, at any depth.
    fn lacks(&self, graph: &Graph) -> Vec<usize>;
    /// The TorchScript file that `script` names, in the place of `graph`.
    fn script(
        &self,
        graph: Arc<Graph>,
        script: &crate::scenario::TorchScript,
        options: &Options,
    ) -> Result<Box<dyn Session>>;
    /// The TorchScript file at `path` with floats in f64 where `double`, else as they are.
    fn scripted(&self, path: &std::path::Path, double: bool) -> Result<Box<dyn Scripted>>;
    fn judge(&self, graph: Arc<Graph>, options: &Options) -> Result<Box<dyn Judge>>;
    /// In f64 where `double`, else in the declared dtypes.
    fn differentiator(
        &self,
        graph: Arc<Graph>,
        options: &Options,
        double: bool,
    ) -> Result<Box<dyn Differentiator>>;
    /// The declared outputs of one run in the declared dtypes, whatever they are.
    fn values(
        &self,
        graph: &Graph,
        inputs: &HashMap<String, Value>,
        options: &Options,
    ) -> Result<Vec<Value>>;
    /// Version of the loaded library.
    fn version(&self) -> String;
}
