//! paper: graphs that tests write as text, and tensors that they can work out by hand.

use super::{Attribute, Graph, Node, Port, Step};
use crate::tensor::Tensor;
use std::sync::Arc;

/// A graph of nodes such as "n: Add a b -> c", whose declared inputs are `inputs` and outputs `outputs`.
pub fn graph(inputs: &[&str], nodes: &[&str], outputs: &[&str]) -> Arc<Graph> {
    let ports = |names: &[&str]| {
        names
            .iter()
            .map(|n| Port {
                name: n.to_string(),
                dtype: None,
                shape: None,
            })
            .collect()
    };
    Arc::new(Graph {
        ir_version: 8,
        inputs: ports(inputs),
        outputs: ports(outputs),
        steps: nodes.iter().map(|n| step(n, None)).collect(),
        ..Graph::default()
    })
}

/// One node; `perm` is its attribute of that name.
pub fn step(node: &str, perm: Option<Vec<i64>>) -> Step {
    let (name, rest) = node.split_once(": ").expect("name: Op inputs -> outputs");
    let (from, to) = rest.split_once(" -> ").expect("name: Op inputs -> outputs");
    let names = |text: &str| text.split(' ').map(str::to_string).collect::<Vec<String>>();
    let (mut inputs, outputs) = (names(from), names(to));
    let attributes = perm
        .map(|p| ("perm".to_string(), Attribute::Ints(p)))
        .into_iter()
        .collect();
    Step::of(Node {
        name: name.into(),
        op: inputs.remove(0),
        domain: String::new(),
        inputs,
        outputs,
        attributes,
    })
}

/// One f32 for each number.
pub fn floats(values: &[f32]) -> Tensor {
    Tensor::of(&[values.len()], values)
}

pub fn integers(values: &[i64]) -> Tensor {
    Tensor::of(&[values.len()], values)
}
