//! params: how many trained numbers a model holds, and in which module.

use super::Graph;
use crate::params::{Kind, Param};
use indexmap::IndexMap;
use serde::Serialize;
use std::collections::HashSet;

/// Floating-point weights of one module (everything before the last '.' or '/' of a weight's name).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ModuleParams {
    pub tensors: usize,
    pub elements: usize,
}

/// Weights per module, in file order. Integer tensors (shapes, indices, axes) are no parameters.
pub fn per_module(graph: &Graph) -> IndexMap<String, ModuleParams> {
    let mut modules: IndexMap<String, ModuleParams> = IndexMap::new();
    for (name, tensor) in graph.weights.iter().filter(|(_, t)| t.dtype().is_float()) {
        let module = name.rfind(['.', '/']).map_or("", |at| &name[..at]);
        let entry = modules.entry(module.to_string()).or_default();
        entry.tensors += 1;
        entry.elements += tensor.numel();
    }
    for step in graph.steps.iter().filter(|s| s.op() == "Constant") {
        if let Some(Ok(t)) =
            step.nodes[0].attributes.get("value").and_then(|a| a.tensor()).filter(|t| t.as_ref().is_ok_and(|t| t.dtype().is_float()))
        {
            let entry = modules.entry("(constants)".to_string()).or_default();
            entry.tensors += 1;
            entry.elements += t.numel();
        }
    }
    modules
}

/// Number of floating-point weight elements, constants of the graph included.
pub fn total(graph: &Graph) -> usize {
    per_module(graph).values().map(|m| m.elements).sum()
}

/// The floating-point initialisers as a list of parameters. A graph does not say what was trained; the mean and variance of a
/// BatchNormalization are buffers.
pub fn list(graph: &Graph) -> Vec<Param> {
    let norms = graph.steps.iter().flat_map(|s| &s.nodes).filter(|n| n.op == "BatchNormalization");
    let statistics: HashSet<&str> = norms.flat_map(|n| n.inputs.iter().skip(3).take(2)).map(String::as_str).collect();
    let kind = |name: &str| if statistics.contains(name) { Kind::Buffer } else { Kind::Parameter };
    let floats = graph.weights.iter().filter(|(_, t)| t.dtype().is_float());
    floats
        .map(|(name, t)| Param { name: name.clone(), shape: t.shape().to_vec(), dtype: t.dtype(), kind: kind(name), trainable: None })
        .collect()
}
