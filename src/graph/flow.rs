//! flow: a graph as a report draws it: its nodes in executable order, each with what it takes of others and what it gives; no weights, no constants.

use super::Graph;
use super::known::constant_steps;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vertex {
    pub name: String,
    pub op: String,
    /// Tensors that another node or the input gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
}

impl Graph {
    /// What the inputs decide, as it flows.
    pub fn flow(&self) -> Vec<Vertex> {
        let fixed = constant_steps(self);
        let steps = || self.steps.iter().enumerate();
        let moving = || steps().filter(|(i, _)| !fixed.contains(i)).map(|(_, s)| s);
        let given = self.inputs.iter().map(|p| &p.name);
        let flows: HashSet<&String> = given.chain(moving().flat_map(|s| &s.outputs)).collect();
        let vertex = |s: &super::Step| Vertex {
            name: s.name.clone(),
            op: s.op().into(),
            inputs: s
                .inputs
                .iter()
                .filter(|n| flows.contains(n))
                .cloned()
                .collect(),
            outputs: s.outputs.clone(),
        };
        moving().map(vertex).collect()
    }
}
