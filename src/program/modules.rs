//! modules: what leaf modules compute, as ONNX's operators on their parameters: what tells them by their weights and their neighbours.

use crate::graph::{Attribute, Node};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// One call of a module.
pub struct Called<'a> {
    /// Its class, without the module of Python that it stands in.
    pub class: &'a str,
    pub hyper: &'a BTreeMap<String, Value>,
    pub training: bool,
    /// Its own parameters and buffers: `weight` -> name in the graph.
    pub own: HashMap<&'a str, String>,
    pub inputs: Vec<String>,
    /// Axes of the first input, where that is recorded.
    pub axes: Option<usize>,
    pub outputs: Vec<String>,
}

/// (class, operator, parameters in the operator's order).
const MODULES: &[(&str, &str, &[&str])] = &[
    ("AdaptiveAvgPool2d", "GlobalAveragePool", &[]),
    ("AvgPool2d", "AveragePool", &[]),
    ("BatchNorm1d", "BatchNormalization", NORM),
    ("BatchNorm2d", "BatchNormalization", NORM),
    ("BatchNorm3d", "BatchNormalization", NORM),
    ("Conv1d", "Conv", AFFINE),
    ("Conv2d", "Conv", AFFINE),
    ("Conv3d", "Conv", AFFINE),
    ("ConvTranspose2d", "ConvTranspose", AFFINE),
    ("ELU", "Elu", &[]),
    ("Embedding", "Gather", AFFINE),
    ("Flatten", "Flatten", &[]),
    ("GELU", "Gelu", &[]),
    ("GroupNorm", "GroupNormalization", AFFINE),
    ("Hardsigmoid", "HardSigmoid", &[]),
    ("Hardswish", "HardSwish", &[]),
    ("InstanceNorm2d", "InstanceNormalization", AFFINE),
    ("LayerNorm", "LayerNormalization", AFFINE),
    ("LeakyReLU", "LeakyRelu", &[]),
    ("MaxPool2d", "MaxPool", &[]),
    ("PReLU", "PRelu", AFFINE),
    ("ReLU", "Relu", &[]),
    ("ReLU6", "Clip", &[]),
    ("Sigmoid", "Sigmoid", &[]),
    ("Softmax", "Softmax", &[]),
    ("Softplus", "Softplus", &[]),
    ("Tanh", "Tanh", &[]),
    ("Upsample", "Resize", &[]),
];

const AFFINE: &[&str] = &["weight", "bias"];
const NORM: &[&str] = &["weight", "bias", "running_mean", "running_var"];

/// The nodes of a call; a class that is not known is one operator of its own, on all that it holds.
pub fn nodes(called: &Called) -> Vec<Node> {
    match (called.class, called.inputs.first(), called.outputs.first()) {
        ("Linear", Some(x), Some(y)) => linear(called, x, y),
        ("SiLU", Some(x), Some(y)) => {
            let gate = inner(y, "gate");
            vec![
                node("Sigmoid", vec![x.clone()], &gate),
                node("Mul", vec![x.clone(), gate], y),
            ]
        }
        _ => vec![one(called)],
    }
}

/// What a tensor between two nodes of one module is called, which nobody recorded.
fn inner(output: &str, what: &str) -> String {
    format!("{output} ({what})")
}

fn node(op: &str, inputs: Vec<String>, output: &str) -> Node {
    Node {
        name: String::new(),
        op: op.into(),
        domain: String::new(),
        inputs,
        outputs: vec![output.into()],
        attributes: BTreeMap::new(),
    }
}

/// Exporters write a product and a sum where there are more than two axes, and one operator where there are two.
fn linear(called: &Called, x: &str, y: &str) -> Vec<Node> {
    let weight = called.own.get("weight").cloned();
    let bias = called.own.get("bias").cloned();
    let taken = |rest: Vec<Option<String>>| {
        let rest = rest.into_iter().flatten();
        std::iter::once(x.to_string()).chain(rest).collect()
    };
    match (called.axes, bias) {
        (Some(2), bias) => vec![node("Gemm", taken(vec![weight, bias]), y)],
        (_, None) => vec![node("MatMul", taken(vec![weight]), y)],
        (_, Some(bias)) => {
            let product = inner(y, "product");
            vec![
                node("MatMul", taken(vec![weight]), &product),
                node("Add", vec![product, bias], y),
            ]
        }
    }
}

fn one(called: &Called) -> Node {
    let row = MODULES.iter().find(|row| row.0 == called.class);
    let own: Vec<String> = match row {
        Some((_, _, names)) => {
            let known = names.iter().filter_map(|n| called.own.get(n));
            known.cloned().collect()
        }
        None => {
            let mut all: Vec<String> = called.own.values().cloned().collect();
            all.sort();
            all
        }
    };
    let epsilon = called.hyper.get("eps").and_then(Value::as_f64);
    let mut attributes = BTreeMap::new();
    attributes.extend(epsilon.map(|e| ("epsilon".to_string(), Attribute::Float(e as f32))));
    if called.training && row.is_some_and(|r| r.1 == "BatchNormalization") {
        attributes.insert("training_mode".into(), Attribute::Int(1));
    }
    Node {
        inputs: called.inputs.iter().cloned().chain(own).collect(),
        outputs: called.outputs.clone(),
        attributes,
        ..node(row.map_or(called.class, |r| r.1), vec![], "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called<'a>(class: &'a str, hyper: &'a BTreeMap<String, Value>, axes: usize) -> Called<'a> {
        let own = ["running_var", "weight", "bias", "running_mean"];
        Called {
            class,
            hyper,
            training: false,
            own: own.map(|n| (n, format!("m.{n}"))).into_iter().collect(),
            inputs: vec!["x".into()],
            axes: Some(axes),
            outputs: vec!["y".into()],
        }
    }

    fn told(nodes: &[Node]) -> Vec<String> {
        let one = |n: &Node| format!("{} {} -> {}", n.op, n.inputs.join(" "), n.outputs.join(" "));
        nodes.iter().map(one).collect()
    }

    #[test]
    fn a_module_is_the_operators_that_exporters_make_of_it() {
        let hyper = BTreeMap::from([("eps".to_string(), Value::from(1e-3))]);
        let of = |class: &str, axes: usize| told(&nodes(&called(class, &hyper, axes)));
        assert_eq!(of("Conv2d", 4), ["Conv x m.weight m.bias -> y"]);
        assert_eq!(of("Linear", 2), ["Gemm x m.weight m.bias -> y"]);
        assert_eq!(
            of("Linear", 3),
            [
                "MatMul x m.weight -> y (product)",
                "Add y (product) m.bias -> y"
            ]
        );
        assert_eq!(
            of("BatchNorm2d", 4),
            ["BatchNormalization x m.weight m.bias m.running_mean m.running_var -> y"]
        );
        let norm = nodes(&called("BatchNorm2d", &hyper, 4));
        assert_eq!(norm[0].attributes["epsilon"], Attribute::Float(1e-3));
        assert_eq!(
            of("Scaled", 2),
            ["Scaled x m.bias m.running_mean m.running_var m.weight -> y"]
        );
    }
}
