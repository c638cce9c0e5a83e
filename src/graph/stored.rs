//! stored: the floats that a file holds, whether as initialisers, in nodes of their own or in attributes.

use super::{Attribute, Graph, Step};
use crate::tensor::Tensor;

impl Graph {
    /// Every float tensor that is stored, by name: weights, and what Constant nodes hold.
    pub fn stored(&self) -> impl Iterator<Item = (&str, Tensor)> {
        let weights = self.weights.iter().map(|(n, t)| (n.as_str(), t.clone()));
        let nodes = self.steps.iter().filter_map(constant);
        weights.chain(nodes).filter(|(_, t)| t.dtype().is_float())
    }

    /// What is stored under a name.
    pub fn held(&self, name: &str) -> Option<Tensor> {
        let node = || {
            self.steps
                .iter()
                .filter_map(constant)
                .find(|(n, _)| *n == name)
        };
        let weight = self.weights.get(name).cloned();
        weight.or_else(|| node().map(|(_, t)| t))
    }

    /// What Constant nodes hold, where no float is stored in another way: paddle2onnx writes weights so.
    pub fn in_nodes_alone(&self) -> impl Iterator<Item = (&str, Tensor)> {
        let elsewhere = self.weights.values().any(|t| t.dtype().is_float());
        let nodes = self.steps.iter().filter_map(constant);
        nodes.filter(move |(_, t)| !elsewhere && t.dtype().is_float())
    }

    /// The same graph with these tensors in the place of those that it stores under their names.
    pub fn storing(&self, tensors: Vec<(String, Tensor)>) -> Graph {
        let mut graph = self.clone();
        let replaced =
            |s: &Step| constant(s).is_some_and(|(n, _)| tensors.iter().any(|t| t.0 == n));
        graph.steps.retain(|s| !replaced(s));
        graph.weights.extend(tensors);
        graph
    }
}

impl Graph {
    /// Every float that an attribute holds, constants excepted: (step, attribute, value).
    pub fn settings(&self) -> impl Iterator<Item = (usize, &str, f32)> {
        let steps = self.steps.iter().enumerate();
        let steps = steps.filter(|(_, s)| s.op() != "Constant");
        steps.flat_map(|(i, step)| {
            let all = step.nodes[0].attributes.iter();
            all.filter_map(move |(name, value)| match value {
                Attribute::Float(v) => Some((i, name.as_str(), *v)),
                Attribute::Int(_)
                | Attribute::Str(_)
                | Attribute::Ints(_)
                | Attribute::Floats(_)
                | Attribute::Strs(_)
                | Attribute::Other(_) => None,
            })
        })
    }

    /// The same graph with this value of an attribute that is a float.
    pub fn setting(&mut self, step: usize, name: &str, value: f32) {
        if let Some(held) = self.steps[step].nodes[0].attributes.get_mut(name) {
            *held = Attribute::Float(value);
        }
    }
}

/// The name and the tensor of a Constant node that holds floats.
fn constant(step: &Step) -> Option<(&str, Tensor)> {
    let node = step.nodes.first().filter(|n| n.op == "Constant")?;
    let (_, value) = node.attributes.first_key_value()?;
    let tensor = match value {
        Attribute::Float(v) => Tensor::of(&[], &[*v]),
        Attribute::Floats(v) => Tensor::of(&[v.len()], v),
        Attribute::Other(_) => value.tensor()?.ok()?,
        Attribute::Int(_) | Attribute::Str(_) | Attribute::Ints(_) | Attribute::Strs(_) => {
            return None;
        }
    };
    Some((step.outputs.first()?, tensor))
}

#[cfg(test)]
mod tests {
    use super::super::{Attribute, paper};
    use super::*;

    #[test]
    fn a_constant_is_stored_like_a_weight_and_replaced_like_one() {
        let mut graph = (*paper::graph(
            &["x"],
            &["c: Constant  -> k", "i: Constant  -> n", "a: Add x k -> y"],
            &["y"],
        ))
        .clone();
        let hold = |step: &mut Step, value| {
            step.nodes[0].attributes.insert("value".into(), value);
        };
        hold(&mut graph.steps[0], Attribute::Float(2.0));
        hold(&mut graph.steps[1], Attribute::Ints(vec![3]));
        graph.weights.insert("w".into(), paper::floats(&[1.0]));
        let names = |g: &Graph| {
            g.stored()
                .map(|(n, t)| format!("{n} {:?}", t.to_f64()))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&graph), ["w [1.0]", "k [2.0]"]);
        let other = graph.storing(vec![("k".into(), Tensor::of(&[], &[2.5f64]))]);
        assert_eq!(names(&other), ["w [1.0]", "k [2.5]"]);
        assert_eq!(other.steps.len(), 2);
    }
}
