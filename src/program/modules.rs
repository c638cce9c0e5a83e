//! modules: what leaf modules compute, as ONNX's operators on their parameters: what tells them by their weights and their neighbours, and runs them alone.
//!
//! Whoever runs one first tries it on what the module itself was fed: where that does not give what it gave, the row does not hold here.

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

/// How a class sets its operator: (hyper-parameter, attribute, what it is there).
type Set = (&'static str, &'static str, As);

/// What a hyper-parameter is as an attribute.
#[derive(Clone, Copy)]
enum As {
    Int,
    Float,
    Str,
    /// One number for every axis where it is a number.
    Ints,
    /// The same at both ends of every axis.
    Pads,
    /// The axis from which on so many are normalised.
    Trailing,
}

/// A class as an operator.
struct Row {
    class: &'static str,
    op: &'static str,
    /// Its parameters in the operator's order.
    own: &'static [&'static str],
    set: &'static [Set],
}

const fn row(
    class: &'static str,
    op: &'static str,
    own: &'static [&'static str],
    set: &'static [Set],
) -> Row {
    Row {
        class,
        op,
        own,
        set,
    }
}

const AFFINE: &[&str] = &["weight", "bias"];
const NORM: &[&str] = &["weight", "bias", "running_mean", "running_var"];
const EPS: &[Set] = &[("eps", "epsilon", As::Float)];
const CONV: &[Set] = &[
    ("stride", "strides", As::Ints),
    ("padding", "pads", As::Pads),
    ("dilation", "dilations", As::Ints),
    ("groups", "group", As::Int),
];
const MODULES: &[Row] = &[
    row("AdaptiveAvgPool2d", "GlobalAveragePool", &[], &[]),
    row(
        "AvgPool2d",
        "AveragePool",
        &[],
        &[
            ("kernel_size", "kernel_shape", As::Ints),
            ("stride", "strides", As::Ints),
            ("padding", "pads", As::Pads),
            ("ceil_mode", "ceil_mode", As::Int),
            ("count_include_pad", "count_include_pad", As::Int),
        ],
    ),
    row("BatchNorm1d", "BatchNormalization", NORM, EPS),
    row("BatchNorm2d", "BatchNormalization", NORM, EPS),
    row("BatchNorm3d", "BatchNormalization", NORM, EPS),
    row("Conv1d", "Conv", AFFINE, CONV),
    row("Conv2d", "Conv", AFFINE, CONV),
    row("Conv3d", "Conv", AFFINE, CONV),
    row("ConvTranspose2d", "ConvTranspose", AFFINE, CONV),
    row("ELU", "Elu", &[], &[("alpha", "alpha", As::Float)]),
    row("Embedding", "Gather", AFFINE, &[]),
    row("Flatten", "Flatten", &[], &[("start_dim", "axis", As::Int)]),
    row(
        "GELU",
        "Gelu",
        &[],
        &[("approximate", "approximate", As::Str)],
    ),
    row(
        "GroupNorm",
        "GroupNormalization",
        AFFINE,
        &[
            ("eps", "epsilon", As::Float),
            ("num_groups", "num_groups", As::Int),
        ],
    ),
    row("Hardsigmoid", "HardSigmoid", &[], &[]),
    row("Hardswish", "HardSwish", &[], &[]),
    row("InstanceNorm2d", "InstanceNormalization", AFFINE, EPS),
    row(
        "LayerNorm",
        "LayerNormalization",
        AFFINE,
        &[
            ("eps", "epsilon", As::Float),
            ("normalized_shape", "axis", As::Trailing),
        ],
    ),
    row(
        "LeakyReLU",
        "LeakyRelu",
        &[],
        &[("negative_slope", "alpha", As::Float)],
    ),
    row(
        "MaxPool2d",
        "MaxPool",
        &[],
        &[
            ("kernel_size", "kernel_shape", As::Ints),
            ("stride", "strides", As::Ints),
            ("padding", "pads", As::Pads),
            ("dilation", "dilations", As::Ints),
            ("ceil_mode", "ceil_mode", As::Int),
        ],
    ),
    row("PReLU", "PRelu", AFFINE, &[]),
    row("ReLU", "Relu", &[], &[]),
    row("ReLU6", "Clip", &[], &[]),
    row("Sigmoid", "Sigmoid", &[], &[]),
    row("Softmax", "Softmax", &[], &[("dim", "axis", As::Int)]),
    row("Softplus", "Softplus", &[], &[]),
    row("Tanh", "Tanh", &[], &[]),
    row("Upsample", "Resize", &[], &[]),
];

/// A hyper-parameter as an attribute of an operator on so many axes.
fn attribute(value: &Value, how: As, axes: usize) -> Option<Attribute> {
    let space = axes.saturating_sub(2);
    let ints = |value: &Value| -> Option<Vec<i64>> {
        match value.as_array() {
            Some(all) => all.iter().map(Value::as_i64).collect(),
            None => Some(vec![value.as_i64()?; space]),
        }
    };
    Some(match how {
        As::Int => Attribute::Int(value.as_i64().or(value.as_bool().map(i64::from))?),
        As::Float => Attribute::Float(value.as_f64()? as f32),
        As::Str => Attribute::Str(value.as_str()?.into()),
        As::Ints => Attribute::Ints(ints(value)?),
        As::Pads => Attribute::Ints(ints(value)?.repeat(2)),
        As::Trailing => Attribute::Int(-(value.as_array()?.len() as i64)),
    })
}

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
        (Some(2), bias) => {
            let mut product = node("Gemm", taken(vec![weight, bias]), y);
            product
                .attributes
                .insert("transB".into(), Attribute::Int(1));
            vec![product]
        }
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
    let row = MODULES.iter().find(|row| row.class == called.class);
    let own: Vec<String> = match row {
        Some(row) => {
            let known = row.own.iter().filter_map(|n| called.own.get(n));
            known.cloned().collect()
        }
        None => {
            let mut all: Vec<String> = called.own.values().cloned().collect();
            all.sort();
            all
        }
    };
    let axes = called.axes.unwrap_or(0);
    let set = row.into_iter().flat_map(|r| r.set);
    let set = set.filter_map(|(hyper, name, how)| {
        let value = called.hyper.get(*hyper)?;
        Some((name.to_string(), attribute(value, *how, axes)?))
    });
    let mut attributes: BTreeMap<String, Attribute> = set.collect();
    if called.training && row.is_some_and(|r| r.op == "BatchNormalization") {
        attributes.insert("training_mode".into(), Attribute::Int(1));
    }
    let mut inputs: Vec<String> = called.inputs.iter().cloned().chain(own).collect();
    if called.class == "Embedding" {
        inputs.reverse();
    }
    Node {
        inputs,
        outputs: called.outputs.clone(),
        attributes,
        ..node(row.map_or(called.class, |r| r.op), vec![], "")
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
