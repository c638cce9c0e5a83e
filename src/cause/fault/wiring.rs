//! wiring: faults of which tensor goes where and of which operator stands there.

use super::activations::silu;
use super::edit::node;
use super::{Edit, Fault, Reads};
use crate::error::{Error, Result};
use crate::graph::Attribute;

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "swap-inputs",
        summary: "the first two inputs exchanged",
        ops: &[
            "Concat", "Sub", "Div", "MatMul", "Pow", "Where", "Less", "Greater",
        ],
        amount: None,
        inject: swap,
        reads: Reads::Choices,
        mend: "exchange the two inputs",
    },
    Fault {
        name: "relu-for-silu",
        summary: "ReLU where x*sigmoid(x) stands",
        ops: &["Mul"],
        amount: None,
        inject: relu_for_silu,
        reads: Reads::Never("relu-instead tries the same"),
        mend: "use SiLU, x * sigmoid(x), here",
    },
    Fault {
        name: "other-activation",
        summary: "a neighbouring activation: Sigmoid/HardSigmoid, Relu/LeakyRelu, Tanh/Softsign, Erf/Tanh",
        ops: &["Sigmoid", "HardSigmoid", "Relu", "LeakyRelu", "Tanh", "Erf"],
        amount: None,
        inject: activation,
        reads: Reads::Never("its kinds are rows of their own: NAME-instead"),
        mend: "use the reference's activation here",
    },
    Fault {
        name: "sum-for-mean",
        summary: "sum where the mean stands, and the other way round",
        ops: &["ReduceMean", "ReduceSum"],
        amount: None,
        inject: sum_for_mean,
        reads: Reads::Back,
        mend: "reduce as the reference does: a mean divides by how many there are",
    },
    Fault {
        name: "average-for-max",
        summary: "average pooling where maximum pooling stands, and the other way round",
        ops: &["MaxPool", "GlobalMaxPool", "GlobalAveragePool"],
        amount: None,
        inject: average_for_max,
        reads: Reads::Back,
        mend: "pool as the reference does",
    },
    Fault {
        name: "max-for-min",
        summary: "maximum where the minimum stands, and the other way round",
        ops: &["Max", "Min", "ReduceMax", "ReduceMin", "ArgMax", "ArgMin"],
        amount: None,
        inject: max_for_min,
        reads: Reads::Back,
        mend: "exchange maximum and minimum",
    },
    Fault {
        name: "bypass",
        summary: "the operator left out: one input passes on",
        ops: &[
            "Add", "Sub", "Mul", "Div", "Pow", "Clip", "Sqrt", "Exp", "Log",
        ],
        amount: Some(("input", 0.0)),
        inject: bypass,
        reads: Reads::Amounts(&[0.0, 1.0]),
        mend: "put the operator back",
    },
    Fault {
        name: "twice",
        summary: "the operator applied twice",
        ops: &["Add", "Sub", "Mul", "Div", "Pow"],
        amount: None,
        inject: twice,
        reads: Reads::Back,
        mend: "apply the operator once",
    },
    Fault {
        name: "opposite-operator",
        summary: "subtracted for added, divided for multiplied, and the other way round",
        ops: &["Add", "Sub", "Mul", "Div"],
        amount: None,
        inject: |e| replace(e, &[("Add", "Sub"), ("Mul", "Div")]),
        reads: Reads::Back,
        mend: "use the reference's operator here",
    },
    Fault {
        name: "swap-outputs",
        summary: "two outputs exchanged",
        ops: &["Split"],
        amount: None,
        inject: swap_outputs,
        reads: Reads::Choices,
        mend: "take the parts of the split in the reference's order",
    },
    Fault {
        name: "other-layout",
        summary: "flattened in another order of axes: channels last for channels first",
        ops: &["Reshape", "Flatten"],
        amount: None,
        inject: layout,
        reads: Reads::Choices,
        mend: "bring the axes into the reference's order before they are flattened",
    },
    Fault {
        name: "all-true",
        summary: "the test skipped: every element true",
        ops: &[
            "Greater",
            "GreaterOrEqual",
            "Less",
            "LessOrEqual",
            "Equal",
            "And",
            "Or",
        ],
        amount: None,
        inject: all_true,
        reads: Reads::Back,
        mend: "make the test that the reference makes here",
    },
];

fn swap(e: &mut Edit) -> Result<()> {
    let is_where = e.node().op == "Where";
    let many = e.node().inputs.len();
    if many < 2 {
        return Err(Error::usage("the node has one input"));
    }
    // Where's condition stays where it is.
    let first = usize::from(is_where);
    let pairs = (first..many).flat_map(|i| (i + 1..many).map(move |j| (i, j)));
    let (one, other) = e.pick(pairs)?;
    e.node().inputs.swap(one, other);
    Ok(())
}

fn relu_for_silu(e: &mut Edit) -> Result<()> {
    let x = silu(e).ok_or_else(|| Error::usage("the node is not x*sigmoid(x)"))?;
    let old = e.node().clone();
    *e.node() = crate::graph::Node {
        name: old.name,
        outputs: old.outputs,
        ..node("Relu", &[&x], "")
    };
    Ok(())
}

/// Same inputs, another operator, its attributes at their defaults.
fn replace(e: &mut Edit, pairs: &[(&str, &str)]) -> Result<()> {
    let op = e.node().op.clone();
    let to = pairs
        .iter()
        .find_map(|(a, b)| (*a == op).then_some(*b).or((*b == op).then_some(*a)));
    e.node().op = to
        .ok_or_else(|| Error::usage(format!("{op} has no counterpart")))?
        .to_string();
    Ok(())
}

fn activation(e: &mut Edit) -> Result<()> {
    if e.node().op == "Erf" {
        e.node().op = "Tanh".into();
        return Ok(());
    }
    e.node().attributes.clear();
    replace(
        e,
        &[
            ("Sigmoid", "HardSigmoid"),
            ("Relu", "LeakyRelu"),
            ("Tanh", "Softsign"),
        ],
    )
}

fn sum_for_mean(e: &mut Edit) -> Result<()> {
    // From opset 13 (ReduceSum) and 18 (ReduceMean) the axes are an input; they exchange only where both agree.
    let opset = e.graph().opset("").unwrap_or(0);
    if (13..18).contains(&opset) {
        return constant_axes(e);
    }
    replace(e, &[("ReduceMean", "ReduceSum")])
}

/// In opsets 13 to 17 ReduceSum takes axes as input 1 and ReduceMean as an attribute.
fn constant_axes(e: &mut Edit) -> Result<()> {
    if e.node().op == "ReduceSum" && e.node().inputs.len() == 1 {
        e.node().attributes.remove("noop_with_empty_axes");
    } else if e.node().op == "ReduceSum" {
        let axes = e
            .constant(1)?
            .to_i64()
            .ok_or_else(|| Error::usage("axes are no integers"))?;
        e.node().inputs.truncate(1);
        e.node().attributes.remove("noop_with_empty_axes");
        e.set("axes", Attribute::Ints(axes));
    } else {
        let axes = e
            .ints("axes")
            .ok_or_else(|| Error::usage("the node states no axes"))?;
        e.node().attributes.remove("axes");
        e.set_constant(1, crate::tensor::Tensor::of(&[axes.len()], &axes));
    }
    replace(e, &[("ReduceMean", "ReduceSum")])
}

fn average_for_max(e: &mut Edit) -> Result<()> {
    e.node().attributes.remove("storage_order");
    e.node().attributes.remove("dilations");
    replace(
        e,
        &[
            ("MaxPool", "AveragePool"),
            ("GlobalMaxPool", "GlobalAveragePool"),
        ],
    )
}

fn max_for_min(e: &mut Edit) -> Result<()> {
    replace(
        e,
        &[
            ("Max", "Min"),
            ("ReduceMax", "ReduceMin"),
            ("ArgMax", "ArgMin"),
        ],
    )
}

fn bypass(e: &mut Edit) -> Result<()> {
    let passes = e.input_name(usize::try_from(e.whole()?).unwrap_or(usize::MAX))?;
    let node = e.node();
    (node.op, node.inputs) = ("Identity".into(), vec![passes]);
    node.attributes.clear();
    Ok(())
}

fn twice(e: &mut Edit) -> Result<()> {
    let (op, by) = (e.node().op.clone(), e.input_name(1)?);
    e.append(|before, after| vec![node(&op, &[before, &by], after)]);
    Ok(())
}

fn swap_outputs(e: &mut Edit) -> Result<()> {
    let many = e.node().outputs.len();
    let pairs = (0..many).flat_map(|i| (i + 1..many).map(move |j| (i, j)));
    let (one, other) = e.pick(pairs)?;
    e.node().outputs.swap(one, other);
    Ok(())
}

fn layout(e: &mut Edit) -> Result<()> {
    let orders: [&[i64]; 5] = [
        &[0, 2, 3, 1],
        &[0, 3, 1, 2],
        &[0, 1, 3, 2],
        &[0, 2, 1],
        &[1, 0],
    ];
    let order = e.pick(orders)?.to_vec();
    e.prepend(0, |fed, taken| {
        let mut turned = node("Transpose", &[fed], taken);
        turned
            .attributes
            .insert("perm".into(), Attribute::Ints(order));
        vec![turned]
    })
}

fn all_true(e: &mut Edit) -> Result<()> {
    e.append(|before, after| {
        let not = format!("{before}/not");
        vec![
            node("Not", &[before], &not),
            node("Or", &[before, &not], after),
        ]
    });
    Ok(())
}
