//! activations: faults of which function stands there: each of the usual ones in the place of another, and none at all.

use super::edit::node;
use super::{Edit, Fault, Reads};
use crate::error::{Error, Result};
use crate::graph::{Attribute, Node};
use crate::tensor::Tensor;

/// Operators that are activations; of Mul what is x*sigmoid(x).
const OPS: &[&str] = &[
    "Relu",
    "LeakyRelu",
    "Elu",
    "Sigmoid",
    "HardSigmoid",
    "HardSwish",
    "Tanh",
    "Erf",
    "Gelu",
    "Mish",
    "Softplus",
    "Softsign",
    "Clip",
    "Mul",
];

const MEND: &str = "use the reference's activation here";

/// A row without an amount.
const fn instead(
    name: &'static str,
    summary: &'static str,
    inject: fn(&mut Edit) -> Result<()>,
) -> Fault {
    Fault {
        name,
        summary,
        ops: OPS,
        amount: None,
        inject,
        reads: Reads::Back,
        mend: MEND,
    }
}

pub const FAULTS: &[Fault] = &[
    instead(
        "relu-instead",
        "ReLU where another activation stands",
        |e| single(e, "Relu"),
    ),
    instead(
        "relu6-instead",
        "ReLU6 where another activation stands",
        relu6,
    ),
    Fault {
        amount: Some(("slope", 0.01)),
        reads: Reads::Amounts(&[0.01, 0.1, 0.2, 0.25, 0.3]),
        ..instead(
            "leaky-relu-instead",
            "leaky ReLU where another activation stands",
            |e| {
                let slope = e.amount as f32;
                with_alpha(e, "LeakyRelu", slope)
            },
        )
    },
    instead("elu-instead", "ELU where another activation stands", |e| {
        with_alpha(e, "Elu", 1.0)
    }),
    instead(
        "silu-instead",
        "SiLU where another activation stands",
        |e| gated(e, &[node("Sigmoid", &["x"], "gate")]),
    ),
    instead(
        "hard-swish-instead",
        "hard swish where another activation stands",
        |e| {
            let mut gate = node("HardSigmoid", &["x"], "gate");
            let alpha = Attribute::Float(1.0 / 6.0);
            gate.attributes.insert("alpha".into(), alpha);
            gated(e, &[gate])
        },
    ),
    instead(
        "mish-instead",
        "Mish where another activation stands",
        |e| {
            let soft = node("Softplus", &["x"], "soft");
            gated(e, &[soft, node("Tanh", &["soft"], "gate")])
        },
    ),
    instead("gelu-instead", "GELU where another activation stands", gelu),
    instead(
        "tanh-gelu-instead",
        "GELU by its tanh formula where another activation stands",
        tanh_gelu,
    ),
    instead(
        "sigmoid-instead",
        "sigmoid where another activation stands",
        |e| single(e, "Sigmoid"),
    ),
    Fault {
        amount: Some(("slope", 0.2)),
        reads: Reads::Amounts(&[0.2, 1.0 / 6.0]),
        ..instead(
            "hard-sigmoid-instead",
            "hard sigmoid where another activation stands",
            |e| {
                let slope = e.amount as f32;
                with_alpha(e, "HardSigmoid", slope)
            },
        )
    },
    instead(
        "tanh-instead",
        "tanh where another activation stands",
        |e| single(e, "Tanh"),
    ),
    instead(
        "softplus-instead",
        "softplus where another activation stands",
        |e| single(e, "Softplus"),
    ),
    instead(
        "softsign-instead",
        "softsign where another activation stands",
        |e| single(e, "Softsign"),
    ),
    instead("no-activation", "the activation left out", |e| {
        single(e, "Identity")
    }),
];

/// What the activation takes: its input; of x*sigmoid(x) x.
fn taken(e: &mut Edit) -> Result<String> {
    if e.node().op != "Mul" {
        return e.input_name(0);
    }
    silu(e).ok_or_else(|| Error::usage("the node is not x*sigmoid(x)"))
}

/// x where the node is x*sigmoid(x).
pub fn silu(e: &mut Edit) -> Option<String> {
    let inputs = e.node().inputs.clone();
    let sigmoid_of = |e: &Edit, name: &str| {
        let made = e.producer(name).filter(|s| s.op() == "Sigmoid")?;
        Some(made.nodes[0].inputs[0].clone())
    };
    (0..2).find_map(|i| sigmoid_of(e, &inputs[1 - i]).filter(|x| *x == inputs[i]))
}

/// These nodes in the place of the activation: they call what it takes "x" and what it gives "y", and anything else by names of their own.
fn put(e: &mut Edit, nodes: &[Node]) -> Result<()> {
    let (x, y) = (taken(e)?, e.node().outputs[0].clone());
    let own = |name: &String| match name.as_str() {
        "x" => x.clone(),
        "y" => y.clone(),
        weight if weight.starts_with("parity/fault/") => weight.to_string(),
        private => format!("parity/fault/{private}/{y}"),
    };
    let named = |n: &Node| Node {
        name: format!("parity/fault/{}/{}", n.op, own(&n.outputs[0])),
        inputs: n.inputs.iter().map(own).collect(),
        outputs: n.outputs.iter().map(own).collect(),
        ..n.clone()
    };
    e.replace(nodes.iter().map(named).collect());
    Ok(())
}

fn single(e: &mut Edit, op: &str) -> Result<()> {
    put(e, &[node(op, &["x"], "y")])
}

fn with_alpha(e: &mut Edit, op: &str, alpha: f32) -> Result<()> {
    let mut one = node(op, &["x"], "y");
    one.attributes
        .insert("alpha".into(), Attribute::Float(alpha));
    put(e, &[one])
}

/// x times what `gate` makes of it.
fn gated(e: &mut Edit, gate: &[Node]) -> Result<()> {
    let times = node("Mul", &["x", "gate"], "y");
    put(e, &[gate, &[times]].concat())
}

fn number(e: &mut Edit, value: f64) -> String {
    e.add_weight(Tensor::of(&[], &[value as f32]))
}

fn relu6(e: &mut Edit) -> Result<()> {
    let six = number(e, 6.0);
    let positive = node("Relu", &["x"], "positive");
    put(e, &[positive, node("Min", &["positive", &six], "y")])
}

/// x/2 · (1 + erf(x/√2)).
fn gelu(e: &mut Edit) -> Result<()> {
    let [root, one, half] = [2f64.sqrt(), 1.0, 0.5].map(|v| number(e, v));
    put(
        e,
        &[
            node("Div", &["x", &root], "narrow"),
            node("Erf", &["narrow"], "erf"),
            node("Add", &["erf", &one], "raised"),
            node("Mul", &["x", "raised"], "double"),
            node("Mul", &["double", &half], "y"),
        ],
    )
}

/// x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))).
fn tanh_gelu(e: &mut Edit) -> Result<()> {
    let root = (2.0 / std::f64::consts::PI).sqrt();
    let [root, cube, one, half] = [root, 0.044_715, 1.0, 0.5].map(|v| number(e, v));
    put(
        e,
        &[
            node("Mul", &["x", "x"], "square"),
            node("Mul", &["square", "x"], "third"),
            node("Mul", &["third", &cube], "bend"),
            node("Add", &["x", "bend"], "bent"),
            node("Mul", &["bent", &root], "scaled"),
            node("Tanh", &["scaled"], "tanh"),
            node("Add", &["tanh", &one], "raised"),
            node("Mul", &["x", "raised"], "double"),
            node("Mul", &["double", &half], "y"),
        ],
    )
}
