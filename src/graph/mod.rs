//! graph: an ONNX model as plain data: steps in executable order, weights, inputs and outputs.

mod code;
pub mod cost;
pub mod cut;
pub mod flops;
pub mod hoist;
pub mod infer;
mod inline;
pub mod known;
pub mod load;
pub mod memory;
pub mod observe;
#[rustfmt::skip]
mod onnx;
pub mod order;
#[cfg(test)]
pub mod paper;
pub mod param;
pub mod params;
pub mod places;
pub mod proto;
pub mod random;
pub mod seeded;
mod stored;
pub mod weights;

use crate::error::{Error, Result, hint};
use crate::tensor::{DType, Tensor};
use indexmap::IndexMap;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// An attribute's value, as the model states it.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    Int(i64),
    Float(f32),
    Str(String),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Strs(Vec<String>),
    /// Tensors, graphs and types stay as the protobuf has them.
    Other(Box<proto::AttributeProto>),
}

impl Attribute {
    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Attribute::Int(_) => "int",
            Attribute::Float(_) => "float",
            Attribute::Str(_) => "string",
            Attribute::Ints(_) => "ints",
            Attribute::Floats(_) => "floats",
            Attribute::Strs(_) => "strings",
            Attribute::Other(_) => "tensor or graph",
        }
    }
}

/// One operator application. An absent optional input or output is "".
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub name: String,
    pub op: String,
    pub domain: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub attributes: BTreeMap<String, Attribute>,
}

/// What the reference calls one node: it produces `outputs` from `inputs`.
///
/// A freshly loaded graph has one node per step; an injected fault may need two to say what it does, and
/// what passes between those two is nobody's to observe.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub name: String,
    pub nodes: Vec<Node>,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
}

impl Step {
    /// The operator that gives the step its name.
    pub fn op(&self) -> &str {
        &self.nodes[0].op
    }

    pub fn of(node: Node) -> Self {
        let present = |names: &[String]| {
            names
                .iter()
                .filter(|n| !n.is_empty())
                .cloned()
                .collect::<Vec<_>>()
        };
        let mut inputs = present(&node.inputs);
        inputs.extend(cut::outer_names(&node));
        inputs.sort_by_key(|n| node.inputs.iter().position(|i| i == n));
        inputs.dedup();
        Self {
            name: node.name.clone(),
            inputs,
            outputs: present(&node.outputs),
            nodes: vec![node],
        }
    }
}

/// One dimension of a declared shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    Known(usize),
    Named(String),
    Unknown,
}

/// A declared graph input or output.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    pub name: String,
    /// None where the model declares no type or one that is no tensor.
    pub dtype: Option<DType>,
    /// None where the model declares no shape.
    pub shape: Option<Vec<Dim>>,
}

/// An ONNX model.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// SHA-256 of the model file.
    pub digest: String,
    /// The file, where it says the same: nothing was cut out of it, put into it or drawn for it.
    pub file: Option<Arc<Path>>,
    pub name: String,
    pub producer: String,
    pub ir_version: i64,
    /// Operator-set version by domain; the default domain is "".
    pub opsets: BTreeMap<String, i64>,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    pub weights: IndexMap<String, Tensor>,
    /// In executable order (Kahn, smallest file index first), which is the file's own order where that is executable.
    pub steps: Vec<Step>,
    pub functions: Vec<proto::FunctionProto>,
    /// Weights that the model left to the rule of its metadata: its parameters and buffers.
    pub drawn: HashSet<String>,
    /// What the model says of itself, by key.
    pub metadata: BTreeMap<String, String>,
    /// Which tensors inside bodies are outputs of a step.
    pub bodies: observe::Bodies,
    /// Where in the user's code a step comes from, by its first output, as far as the exporter says it.
    pub code: BTreeMap<String, String>,
}

impl Graph {
    /// Where in the user's code each step comes from, as far as the exporter says it.
    pub fn places(&self) -> BTreeMap<String, String> {
        let place = |s: &Step| Some((s.name.clone(), self.code.get(s.outputs.first()?)?.clone()));
        self.steps.iter().filter_map(place).collect()
    }

    /// Which step produces each tensor.
    pub fn producers(&self) -> HashMap<&str, usize> {
        self.steps
            .iter()
            .enumerate()
            .flat_map(|(i, s)| s.outputs.iter().map(move |o| (o.as_str(), i)))
            .collect()
    }

    /// What every node takes, those inside bodies that are observed too.
    pub fn taken(&self) -> BTreeMap<String, Vec<String>> {
        let inner = self
            .bodies
            .seen
            .values()
            .map(|i| (i.node.clone(), i.inputs.clone()));
        self.steps
            .iter()
            .map(|s| (s.name.clone(), s.inputs.clone()))
            .chain(inner)
            .collect()
    }

    /// The operator-set version that a node of `domain` is to be read by.
    pub fn opset(&self, domain: &str) -> Option<i64> {
        self.opsets
            .get(if domain == "ai.onnx" { "" } else { domain })
            .copied()
    }

    /// Indices of the steps that `tensors` depend on.
    ///
    /// # Errors
    /// A tensor that no step produces.
    pub fn ancestors(&self, tensors: &[String]) -> Result<HashSet<usize>> {
        let producers = self.producers();
        let mut found = HashSet::new();
        let mut open: Vec<&str> = tensors.iter().map(String::as_str).collect();
        if let Some(name) = open.iter().find(|n| !producers.contains_key(**n)) {
            return Err(Error::usage(format!("the graph has no tensor '{name}'"))
                .next(hint(name, producers.keys().copied())));
        }
        while let Some(step) = open.pop().and_then(|n| producers.get(n)) {
            if found.insert(*step) {
                open.extend(
                    self.steps[*step]
                        .inputs
                        .iter()
                        .map(String::as_str)
                        .filter(|n| producers.contains_key(n)),
                );
            }
        }
        Ok(found)
    }

    /// Index after which nobody needs the tensor any more; declared outputs count as used by their producer only,
    /// because they have been compared by then.
    pub fn last_uses(&self) -> HashMap<&str, usize> {
        let mut last = HashMap::new();
        for (i, step) in self.steps.iter().enumerate() {
            for name in step.outputs.iter().chain(&step.inputs) {
                last.insert(name.as_str(), i);
            }
        }
        last
    }
}

/// Everything that a graph calls by name.
pub fn names(graph: &Graph) -> impl Iterator<Item = &str> {
    let steps = graph
        .steps
        .iter()
        .flat_map(|s| &s.outputs)
        .map(String::as_str);
    graph.inputs.iter().map(|p| p.name.as_str()).chain(steps)
}
