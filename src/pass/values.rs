//! values: the tensors that are alive at one moment of a walk; each is dropped after its last use.

use crate::graph::Graph;
use crate::tensor::Tensor;
use indexmap::IndexMap;
use std::collections::HashMap;

/// Live tensors of one subject, by name.
#[derive(Clone, Default)]
pub struct Values(HashMap<String, Tensor>);

impl Values {
    pub fn of(inputs: &IndexMap<String, Tensor>) -> Self {
        Self(inputs.iter().map(|(n, t)| (n.clone(), t.clone())).collect())
    }

    pub fn put(&mut self, name: &str, tensor: Tensor) {
        self.0.insert(name.to_string(), tensor);
    }

    pub fn get(&self, name: &str) -> Option<Tensor> {
        self.0.get(name).cloned()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Drops what `release` says is dead after `step`.
    pub fn drop_after(&mut self, step: usize, release: &Release) {
        for name in release.0.get(step).into_iter().flatten() {
            self.0.remove(name);
        }
    }
}

/// Names that nobody needs after each step.
pub struct Release(Vec<Vec<String>>);

impl Release {
    pub fn of(graph: &Graph) -> Self {
        let mut after = vec![Vec::new(); graph.steps.len()];
        for (name, last) in graph.last_uses() {
            after[last].push(name.to_string());
        }
        Self(after)
    }
}
