//! interpret: one step of the graph, node by node, on libtorch tensors.

use super::call::{Call, Precision};
use super::ops::{self, Op};
use parity::error::{Error, Place, Result};
use parity::graph::{Graph, Node, Step};
use std::collections::HashMap;
use tch::Tensor;

/// Looks up a tensor by name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<Tensor>;

/// The registry line for `node`, or an error that names node, operator and opset.
pub fn find(node: &Node, graph: &Graph) -> Result<&'static Op> {
    let opset = graph.opset(&node.domain).unwrap_or(0);
    ops::find(&node.domain, &node.op, opset).ok_or_else(|| {
        let domain = if node.domain.is_empty() { "ai.onnx" } else { &node.domain };
        Error::failed(format!("node '{}': libtorch has no operator {} of {domain} opset {opset}", node.name, node.op))
            .next("parity list operators shows what is supported; CONTRIBUTING.md says how to add one")
    })
}

/// Outputs of `step`, in the order of `Step::outputs`.
pub fn step(step: &Step, graph: &Graph, precision: Precision, lookup: Lookup) -> Result<Vec<Tensor>> {
    let mut own: HashMap<String, Tensor> = HashMap::new();
    for node in &step.nodes {
        let outputs = self::node(node, graph, precision, &own, lookup)?;
        own.extend(node.outputs.iter().cloned().zip(outputs));
    }
    step.outputs.iter().map(|name| own.remove(name).ok_or_else(|| missing(step, name))).collect()
}

/// A call for `node`, its inputs taken from `own` first.
pub fn call<'a>(node: &'a Node, graph: &'a Graph, precision: Precision, own: &HashMap<String, Tensor>, lookup: Lookup) -> Result<Call<'a>> {
    let inputs = node
        .inputs
        .iter()
        .map(|name| match own.get(name) {
            _ if name.is_empty() => Ok(None),
            Some(t) => Ok(Some(t.shallow_clone())),
            None => lookup(name).map(Some),
        })
        .collect::<Result<_>>()?;
    Ok(Call::new(node, graph, precision, inputs))
}

fn node(node: &Node, graph: &Graph, precision: Precision, own: &HashMap<String, Tensor>, lookup: Lookup) -> Result<Vec<Tensor>> {
    let op = find(node, graph)?;
    let call = call(node, graph, precision, own, lookup)?;
    let outputs = (op.kernel)(&call).and_then(|out| call.check_all_read().map(|()| out));
    outputs.at(format_args!("node '{}' ({} opset {}) on {}", node.name, node.op, call.opset, shapes(&call)))
}

/// Dtypes and shapes of a call's inputs, for messages.
fn shapes(call: &Call) -> String {
    let one = |t: &Option<Tensor>| t.as_ref().map_or("-".to_string(), |t| format!("{:?}{:?}", t.kind(), t.size()));
    call.inputs().iter().map(one).collect::<Vec<_>>().join(", ")
}

fn missing(step: &Step, name: &str) -> Error {
    Error::failed(format!("node '{}' ({}): output '{name}' was not computed", step.name, step.op()))
}
