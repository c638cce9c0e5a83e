//! outputs: faults behind any node: scaled, shifted, negated, narrowed, one NaN, one outlier.

use super::edit::{node, node_with};
use super::{Edit, Fault, Reads};
use crate::cause::hypothesis::outputs;
use crate::error::{Error, Result};
use crate::graph::{Attribute, Node};
use crate::tensor::{DType, Tensor};

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "scale-output",
        summary: "the output scaled",
        ops: &[],
        amount: Some(("factor", 1.01)),
        inject: scale,
        reads: Reads::Output(outputs::scaled),
        mend: "look for a factor that one side has and the other lacks",
    },
    Fault {
        name: "shift-output",
        summary: "the output shifted",
        ops: &[],
        amount: Some(("summand", 1e-3)),
        inject: shift,
        reads: Reads::Output(outputs::shifted),
        mend: "look for a summand that one side has and the other lacks",
    },
    Fault {
        name: "negate-output",
        summary: "the sign of the output flipped",
        ops: &[],
        amount: None,
        inject: negate,
        reads: Reads::Output(outputs::negated),
        mend: "look for a sign that one side has and the other lacks",
    },
    Fault {
        name: "narrow-output-bf16",
        summary: "the output rounded to bfloat16",
        ops: &[],
        amount: None,
        inject: narrow_bf16,
        reads: Reads::Output(outputs::narrowed_bf16),
        mend: "compute this node in float32: its output passed through bfloat16 (autocast)",
    },
    Fault {
        name: "narrow-output-f16",
        summary: "the output rounded to float16",
        ops: &[],
        amount: None,
        inject: narrow_f16,
        reads: Reads::Output(outputs::narrowed_f16),
        mend: "compute this node in float32: its output passed through float16 (autocast)",
    },
    Fault {
        name: "transpose-output",
        summary: "the last two axes of the output exchanged",
        ops: &[],
        amount: Some(("rank", 4.0)),
        inject: transpose,
        reads: Reads::Turned(outputs::transposed),
        mend: "exchange the two axes where the output is made or read",
    },
    Fault {
        name: "mirror-output",
        summary: "the last axis of the output reversed",
        ops: &[],
        amount: None,
        inject: mirror,
        reads: Reads::Output(outputs::mirrored),
        mend: "look for a flip that one side has and the other lacks",
    },
    Fault {
        name: "saturate-output",
        summary: "the output stops at a limit",
        ops: &[],
        amount: Some(("limit", 1.0)),
        inject: saturate,
        reads: Reads::Output(outputs::saturated),
        mend: "look for a clip that one side has and the other lacks",
    },
    Fault {
        name: "dropout",
        summary: "dropout left on: every second element 0 and every other one doubled",
        ops: &[],
        amount: None,
        inject: dropout,
        reads: Reads::Output(outputs::dropped),
        mend: "turn dropout off (model.eval())",
    },
    Fault {
        name: "one-nan",
        summary: "one element NaN",
        ops: &[],
        amount: Some(("flat index", 0.0)),
        inject: one_nan,
        reads: Reads::Output(outputs::one_nan),
        mend: "look at what this element is made of: a division by zero, a root or logarithm of a negative number",
    },
    Fault {
        name: "one-inf",
        summary: "one element +inf",
        ops: &[],
        amount: Some(("flat index", 0.0)),
        inject: one_inf,
        reads: Reads::Output(outputs::one_infinity),
        mend: "look at what this element is made of: a division by zero, an overflow",
    },
    Fault {
        name: "one-outlier",
        summary: "one element replaced",
        ops: &[],
        amount: Some(("value", 100.0)),
        inject: one_outlier,
        reads: Reads::Output(outputs::one_outlier),
        mend: "look at what this element is made of: an index that is written, a border",
    },
];

fn with_scalar(e: &mut Edit, op: &str) -> Result<()> {
    let name = e.add_weight(Tensor::of(&[], &[e.amount as f32]));
    e.append(|before, after| vec![node(op, &[before, &name], after)]);
    Ok(())
}

fn scale(e: &mut Edit) -> Result<()> {
    with_scalar(e, "Mul")
}

fn shift(e: &mut Edit) -> Result<()> {
    with_scalar(e, "Add")
}

fn negate(e: &mut Edit) -> Result<()> {
    e.append(|before, after| vec![node("Neg", &[before], after)]);
    Ok(())
}

fn narrow(e: &mut Edit, to: DType) -> Result<()> {
    let cast = |from: &str, to_name: &str, d: DType| {
        node_with("Cast", &[from], to_name, "to", d.onnx() as i64)
    };
    e.append(|before, after| {
        let half = format!("{before}/narrow");
        vec![cast(before, &half, to), cast(&half, after, DType::F32)]
    });
    Ok(())
}

fn narrow_bf16(e: &mut Edit) -> Result<()> {
    narrow(e, DType::BF16)
}

fn narrow_f16(e: &mut Edit) -> Result<()> {
    narrow(e, DType::F16)
}

fn transpose(e: &mut Edit) -> Result<()> {
    let rank = e.whole()?;
    if !(2..=64).contains(&rank) {
        return Err(Error::usage(format!(
            "the last two of {rank} axes: an output has 2 to 64 here"
        )));
    }
    let mut order: Vec<i64> = (0..rank).collect();
    order.swap(rank as usize - 2, rank as usize - 1);
    e.append(|before, after| {
        let mut turned = node("Transpose", &[before], after);
        let order = Attribute::Ints(order);
        turned.attributes.insert("perm".into(), order);
        vec![turned]
    });
    Ok(())
}

fn mirror(e: &mut Edit) -> Result<()> {
    let [last, first] = [-1i64, i64::MIN + 1].map(|v| e.add_weight(Tensor::of(&[1], &[v])));
    e.append(|before, after| {
        let inputs: [&str; 5] = [before, &last, &first, &last, &last];
        vec![node("Slice", &inputs, after)]
    });
    Ok(())
}

fn saturate(e: &mut Edit) -> Result<()> {
    with_scalar(e, "Min")
}

fn dropout(e: &mut Edit) -> Result<()> {
    let [zero, one, two] = [0i64, 1, 2].map(|v| e.add_weight(Tensor::of(&[], &[v])));
    let double = e.add_weight(Tensor::of(&[], &[2f32]));
    e.append(|before, after| {
        let part = |s: &str| format!("{before}/{s}");
        let [size, places, odd, shape] = ["size", "places", "odd", "shape"].map(part);
        let [mask, shaped, kept] = ["mask", "shaped", "kept"].map(part);
        vec![
            node("Size", &[before], &size),
            node("Range", &[&zero, &size, &one], &places),
            node("Mod", &[&places, &two], &odd),
            node_with("Cast", &[&odd], &mask, "to", DType::F32.onnx() as i64),
            node("Shape", &[before], &shape),
            node("Reshape", &[&mask, &shape], &shaped),
            node("Mul", &[before, &shaped], &kept),
            node("Mul", &[&kept, &double], after),
        ]
    });
    Ok(())
}

/// Writes `value` at flat position `at`, whatever the shape.
fn put(e: &mut Edit, at: i64, value: f32) -> Result<()> {
    let flat = e.add_weight(Tensor::of(&[1], &[-1i64]));
    let index = e.add_weight(Tensor::of(&[1], &[at]));
    let update = e.add_weight(Tensor::of(&[1], &[value]));
    e.append(|before, after| {
        let part = |s: &str| format!("{before}/{s}");
        let (shape, row, changed) = (part("shape"), part("row"), part("changed"));
        let nodes: Vec<Node> = vec![
            node("Shape", &[before], &shape),
            node("Reshape", &[before, &flat], &row),
            node_with(
                "ScatterElements",
                &[&row, &index, &update],
                &changed,
                "axis",
                0,
            ),
            node("Reshape", &[&changed, &shape], after),
        ];
        nodes
    });
    Ok(())
}

fn one_nan(e: &mut Edit) -> Result<()> {
    put(e, e.whole()?, f32::NAN)
}

fn one_inf(e: &mut Edit) -> Result<()> {
    put(e, e.whole()?, f32::INFINITY)
}

fn one_outlier(e: &mut Edit) -> Result<()> {
    put(e, 0, e.amount as f32)
}
