//! interpret: one step of the graph, node by node, on libtorch tensors; bodies of control flow and whole graphs the same way.

use super::call::{Call, Precision};
use super::ops::{self, Kernel, Op, dtypes};
use super::perturbed;
use super::value::Value;
use parity::error::{Error, Place, Result};
use parity::graph::{Attribute, Graph, Node, Step, cut, proto};
use std::collections::HashMap;
use tch::Tensor;

/// Looks up a value by name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<Value>;

/// The registry line for `node`, or an error that names node, operator and opset.
pub fn find(node: &Node, graph: &Graph) -> Result<&'static Op> {
    let opset = graph.opset(&node.domain).unwrap_or(0);
    ops::find(&node.domain, &node.op, opset).ok_or_else(|| {
        let domain = if node.domain.is_empty() {
            "ai.onnx"
        } else {
            &node.domain
        };
        Error::failed(format!(
            "node '{}': libtorch has no operator {} of {domain} opset {opset}",
            node.name, node.op
        ))
        .next("parity list operators shows what is supported; CONTRIBUTING.md says how to add one")
    })
}

/// Whether `node` and every node inside its bodies is registered.
pub fn has(node: &Node, graph: &Graph) -> bool {
    let known =
        |domain: &str, op: &str| ops::find(domain, op, graph.opset(domain).unwrap_or(0)).is_some();
    let called = |n: &proto::NodeProto| {
        graph
            .functions
            .iter()
            .any(|f| f.name() == n.op_type() && f.domain() == n.domain())
    };
    let mut open: Vec<&proto::GraphProto> = bodies(node.attributes.values());
    let mut all = known(&node.domain, &node.op);
    while let Some(body) = open.pop() {
        all &= body
            .node
            .iter()
            .all(|n| called(n) || known(n.domain(), n.op_type()));
        open.extend(
            body.node
                .iter()
                .flat_map(|n| &n.attribute)
                .flat_map(|a| a.g.iter().chain(&a.graphs)),
        );
    }
    all
}

fn bodies<'a>(attributes: impl Iterator<Item = &'a Attribute>) -> Vec<&'a proto::GraphProto> {
    let of = |a: &'a Attribute| match a {
        Attribute::Other(a) => Some(a.g.iter().chain(&a.graphs)),
        _ => None,
    };
    attributes.filter_map(of).flatten().collect()
}

/// Outputs of `step`, in the order of `Step::outputs`.
pub fn step(
    step: &Step,
    graph: &Graph,
    precision: Precision,
    lookup: Lookup,
) -> Result<Vec<Value>> {
    let mut own: HashMap<String, Value> = HashMap::new();
    for node in &step.nodes {
        let outputs = {
            let scope = |name: &str| own.get(name).cloned().map_or_else(|| lookup(name), Ok);
            self::node(node, graph, precision, &scope)?
        };
        own.extend(node.outputs.iter().cloned().zip(outputs));
    }
    step.outputs
        .iter()
        .map(|name| own.remove(name).ok_or_else(|| missing(step, name)))
        .collect()
}

/// The same where every input and every output is a tensor.
pub fn tensors(
    step: &Step,
    graph: &Graph,
    precision: Precision,
    lookup: &dyn Fn(&str) -> Result<Tensor>,
) -> Result<Vec<Tensor>> {
    let outputs = self::step(step, graph, precision, &|name| {
        lookup(name).map(Value::Tensor)
    })?;
    outputs
        .into_iter()
        .map(|v| {
            v.into_tensor()
                .at(format_args!("node '{}' ({})", step.name, step.op()))
        })
        .collect()
}

/// The declared outputs of a whole graph; what it does not produce itself comes from `lookup`.
pub fn whole(graph: &Graph, precision: Precision, lookup: Lookup) -> Result<Vec<Value>> {
    let (mut own, last): (HashMap<&str, Value>, _) = (HashMap::new(), graph.last_uses());
    for (i, step) in graph.steps.iter().enumerate() {
        let outputs = {
            let scope = |name: &str| own.get(name).cloned().map_or_else(|| lookup(name), Ok);
            self::step(step, graph, precision, &scope)?
        };
        own.extend(step.outputs.iter().map(String::as_str).zip(outputs));
        let done = |n: &&String| {
            last.get(n.as_str()) == Some(&i) && !graph.outputs.iter().any(|p| p.name == **n)
        };
        for name in step.inputs.iter().chain(&step.outputs).filter(done) {
            own.remove(name.as_str());
        }
    }
    graph
        .outputs
        .iter()
        .map(|p| {
            own.get(p.name.as_str())
                .cloned()
                .map_or_else(|| lookup(&p.name), Ok)
        })
        .collect()
}

/// A call for `node` on what `scope` has.
pub fn call<'a>(
    node: &'a Node,
    graph: &'a Graph,
    precision: Precision,
    scope: Lookup,
) -> Result<Call<'a>> {
    let inputs = node.inputs.iter().map(|name| {
        if name.is_empty() {
            Ok(None)
        } else {
            scope(name).map(Some)
        }
    });
    let call = Call::new(node, graph, precision, inputs.collect::<Result<_>>()?);
    let outer = cut::outer_names(node)
        .into_iter()
        .map(|name| scope(&name).map(|v| (name, v)))
        .collect::<Result<_>>()?;
    Ok(call.within(outer))
}

fn node(node: &Node, graph: &Graph, precision: Precision, scope: Lookup) -> Result<Vec<Value>> {
    let given = |e: Error| {
        let one = |n: &String| scope(n).map_or("-".to_string(), |v| v.describe());
        let all: Vec<String> = node.inputs.iter().map(one).collect();
        Error {
            message: format!("{} on {}", e.message, all.join(", ")),
            ..e
        }
    };
    let op = find(node, graph).map_err(given)?;
    let call = call(node, graph, precision, scope)?;
    let outputs = run(op, &call).and_then(|out| call.check_all_read().map(|()| out));
    let outputs = outputs.and_then(|out| match precision {
        Precision::Noisy(run) => perturbed::shaken(op, &call, out, run),
        Precision::Declared | Precision::Double => Ok(out),
    });
    outputs.map_err(|e| {
        e.at(format_args!(
            "node '{}' ({} opset {}) on {}",
            node.name,
            node.op,
            call.opset,
            shapes(&call)
        ))
    })
}

/// The outputs of `op` on a call.
pub fn run(op: &'static Op, call: &Call) -> Result<Vec<Value>> {
    match op.kernel {
        Kernel::Values(kernel) => kernel(call),
        Kernel::Tensors(kernel) => {
            dtypes::check(call)?;
            dtypes::marked(call, kernel(call)?)
        }
    }
}

/// Dtypes and shapes of a call's inputs, for messages.
fn shapes(call: &Call) -> String {
    let one = |v: &Option<Value>| v.as_ref().map_or("-".to_string(), Value::describe);
    call.values().iter().map(one).collect::<Vec<_>>().join(", ")
}

fn missing(step: &Step, name: &str) -> Error {
    Error::failed(format!(
        "node '{}' ({}): output '{name}' was not computed",
        step.name,
        step.op()
    ))
}
