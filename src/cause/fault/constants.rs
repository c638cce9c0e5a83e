//! constants: faults of numbers that the graph states: another one, two exchanged, fewer of the best, another pooling window.

use super::edit::node_with;
use super::{Edit, Fault, Reads};
use crate::error::{Error, Result};
use crate::tensor::{DType, Tensor};

/// Operators that take a number beside a tensor.
const TAKING: &[&str] = &[
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "Max",
    "Min",
    "Clip",
    "Where",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "Equal",
    "Cast",
];

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "other-constant",
        summary: "another number as the last constant input",
        ops: TAKING,
        amount: Some(("value", 0.0)),
        inject: other,
        reads: Reads::Amounts(&[
            0.0, 1.0, -1.0, 0.5, 2.0, 6.0, 1e-6, 1e-5, 1e-8, 1e-7, 1e-12, 1e-3,
        ]),
        mend: "set the constant to the reference's",
    },
    Fault {
        name: "swap-constants",
        summary: "the node's constant and that of the node before it exchanged",
        ops: &["Add", "Sub", "Mul", "Div", "Pow"],
        amount: None,
        inject: swap,
        reads: Reads::Back,
        mend: "exchange the two constants",
    },
    Fault {
        name: "fewer-top-k",
        summary: "fewer are taken; the best stands in for the rest, so that shapes fit",
        ops: &["TopK"],
        amount: Some(("how many fewer", 1.0)),
        inject: fewer,
        reads: Reads::Amounts(&[1.0, 2.0, 3.0, 4.0, 5.0]),
        mend: "take as many as the reference does",
    },
    Fault {
        name: "fixed-window",
        summary: "adaptive average pooling with windows of one size: for matrices that average along an axis",
        ops: &["MatMul"],
        amount: None,
        inject: fixed_window,
        reads: Reads::Back,
        mend: "average over adaptive windows, whose sizes differ by one",
    },
];

/// The last input whose value the graph states.
fn stated(e: &mut Edit) -> Result<(usize, Tensor)> {
    let inputs = 0..e.node().inputs.len();
    let found = inputs.rev().find_map(|i| Some((i, e.constant(i).ok()?)));
    found.ok_or_else(|| Error::usage("the node takes no constant"))
}

fn other(e: &mut Edit) -> Result<()> {
    let ((i, now), value) = (stated(e)?, e.amount);
    let filled = match now.dtype() {
        DType::F32 => Tensor::from_vec(now.shape(), vec![value as f32; now.numel()]),
        DType::F64 => Tensor::from_vec(now.shape(), vec![value; now.numel()]),
        DType::I64 => Tensor::from_vec(now.shape(), vec![value as i64; now.numel()]),
        other => {
            let said = format!("input {i} is {other}, neither f32, f64 nor i64");
            return Err(Error::usage(said));
        }
    };
    e.set_constant(i, filled);
    Ok(())
}

fn swap(e: &mut Edit) -> Result<()> {
    let (i, own) = stated(e)?;
    let through = e.input_name(1 - i.min(1))?;
    let mut before = match e.producer(&through).map(|s| s.nodes.as_slice()) {
        Some([one]) => one.clone(),
        _ => return Err(Error::usage(format!("no single node gives '{through}'"))),
    };
    let theirs = before.inputs.iter().rposition(|n| {
        e.resolve(n)
            .is_some_and(|t| t.dtype() == own.dtype() && t.shape() == own.shape())
    });
    let theirs = theirs.ok_or_else(|| {
        Error::usage(format!(
            "the node before, '{}', takes no such constant",
            before.name
        ))
    })?;
    let exchanged = e
        .resolve(&before.inputs[theirs])
        .unwrap_or_else(|| own.clone());
    e.set_constant(i, exchanged);
    before.inputs[theirs] = e.add_weight(own);
    e.prepend(1 - i.min(1), |_, taken| {
        before.name = format!("parity/fault/{taken}");
        before.outputs = vec![taken.into()];
        vec![before]
    })
}

fn fewer(e: &mut Edit) -> Result<()> {
    let k = e
        .constant(1)?
        .to_i64()
        .and_then(|v| v.first().copied())
        .unwrap_or(0);
    let left = k.saturating_sub(e.whole()?);
    if left > k {
        return Err(Error::usage(format!(
            "the node takes {k}: {left} are no fewer"
        )));
    }
    if left < 1 {
        return Err(Error::usage(format!(
            "the node takes {k}: {left} are too few"
        )));
    }
    let axis = match e.node().attributes.get("axis") {
        Some(crate::graph::Attribute::Int(axis)) => *axis,
        _ => -1,
    };
    e.set_constant(1, Tensor::of(&[1], &[left]));
    let places: Vec<i64> = (0..k).map(|i| if i < left { i } else { 0 }).collect();
    let places = e.add_weight(Tensor::of(&[places.len()], &places));
    for output in 0..2 {
        e.append_to(output, |before, after| {
            vec![node_with("Gather", &[before, &places], after, "axis", axis)]
        });
    }
    Ok(())
}

fn fixed_window(e: &mut Edit) -> Result<()> {
    let i = usize::from(e.constant(0).is_err());
    e.change_floats(i, |v, shape| {
        let &[rows, columns] = shape else {
            return Err(Error::usage(format!(
                "input {i} has shape {shape:?}: no matrix"
            )));
        };
        // Averages lie in rows on the left and in columns on the right.
        let (out, from) = if i == 0 {
            (rows, columns)
        } else {
            (columns, rows)
        };
        let at = |o: usize, k: usize| {
            if i == 0 {
                o * columns + k
            } else {
                k * columns + o
            }
        };
        let averages = (0..out)
            .all(|o| ((0..from).map(|k| f64::from(v[at(o, k)])).sum::<f64>() - 1.0).abs() < 1e-5);
        if !averages || out > from {
            return Err(Error::usage(format!("input {i} is no matrix of averages")));
        }
        let stride = from / out;
        let size = from - (out - 1) * stride;
        for (o, k) in (0..out).flat_map(|o| (0..from).map(move |k| (o, k))) {
            let inside = (o * stride..o * stride + size).contains(&k);
            v[at(o, k)] = if inside { 1.0 / size as f32 } else { 0.0 };
        }
        Ok(())
    })
}
