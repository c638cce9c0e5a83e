//! live set: the tensors that are alive at one moment of a walk; each is dropped after its last use.

use crate::graph::Graph;
use crate::tensor::Tensor;
use indexmap::IndexMap;
use std::collections::HashMap;

/// Live tensors of one subject, by name.
#[derive(Clone, Default)]
pub struct LiveSet(HashMap<String, Tensor>);

impl LiveSet {
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
    /// Of graphs with the same steps: one that carries a fault may need a tensor for longer.
    pub fn of(graphs: &[&Graph]) -> Self {
        let mut last: HashMap<&str, usize> = HashMap::new();
        for (name, step) in graphs.iter().flat_map(|g| g.last_uses()) {
            last.entry(name)
                .and_modify(|l| *l = step.max(*l))
                .or_insert(step);
        }
        let mut after = vec![Vec::new(); graphs.iter().map(|g| g.steps.len()).max().unwrap_or(0)];
        for (name, step) in last {
            after[step].push(name.to_string());
        }
        Self(after)
    }
}
