//! params: how many trained numbers a model holds, and in which module.

use super::Graph;
use indexmap::IndexMap;
use serde::Serialize;

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
