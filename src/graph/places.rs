//! places: which step makes a tensor, and as which of its outputs.

use super::Graph;
use crate::error::{Error, Result};
use std::collections::HashMap;

/// Tensors of a graph by name.
pub struct Places(HashMap<String, (usize, usize)>);

impl Places {
    pub fn of(graph: &Graph) -> Self {
        let outputs = |(i, step): (usize, &super::Step)| {
            let named = step.outputs.iter().enumerate();
            named
                .map(|(o, name)| (name.clone(), (i, o)))
                .collect::<Vec<_>>()
        };
        Self(graph.steps.iter().enumerate().flat_map(outputs).collect())
    }

    /// The steps that make `names`, ascending.
    ///
    /// # Errors
    /// A name that no step makes.
    pub fn steps(&self, names: &[&str]) -> Result<Vec<usize>> {
        let of = |name: &&str| Ok(self.find(name)?.0);
        let mut steps = names.iter().map(of).collect::<Result<Vec<_>>>()?;
        steps.sort_unstable();
        steps.dedup();
        Ok(steps)
    }

    /// What is called `names` among the outputs of `steps`, which are ascending and make all of them.
    ///
    /// # Errors
    /// A name that none of them makes.
    pub fn pick<T>(&self, names: &[&str], steps: &[usize], outputs: Vec<Vec<T>>) -> Result<Vec<T>> {
        let mut held: Vec<Vec<Option<T>>> = outputs
            .into_iter()
            .map(|step| step.into_iter().map(Some).collect())
            .collect();
        let mut of = |name: &&str| {
            let (step, output) = self.find(name)?;
            let at = steps.binary_search(&step).ok();
            let found = at.and_then(|at| held.get_mut(at)?.get_mut(output)?.take());
            found.ok_or_else(|| Error::failed(format!("tensor '{name}' was not computed")))
        };
        names.iter().map(&mut of).collect()
    }

    fn find(&self, name: &str) -> Result<(usize, usize)> {
        let unknown = || Error::failed(format!("no node of the graph makes a tensor '{name}'"));
        self.0.get(name).copied().ok_or_else(unknown)
    }
}
