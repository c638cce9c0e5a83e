//! training: faults that porting a training step invites: boxes in another format, a weight that broadcasts, a count for a sum, a lost summand, a bound unseen, frozen norms.

use super::edit::{node, node_with};
use super::{Edit, Fault, Reads};
use crate::error::{Error, Result};
use crate::graph::Attribute;
use crate::tensor::{DType, Tensor};

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "corners-as-centre",
        summary: "boxes of two corners, in the last axis, read as centre and size",
        ops: &[
            "Identity",
            "Unsqueeze",
            "GatherElements",
            "Gather",
            "Reshape",
            "Concat",
            "Mul",
            "Div",
        ],
        amount: None,
        inject: corners,
        reads: Reads::Back,
        mend: "convert the boxes once: these hold two corners",
    },
    Fault {
        name: "broadcast-weight",
        summary: "the second factor without its last axis: each element times all weights",
        ops: &["Mul"],
        amount: None,
        inject: broadcast,
        reads: Reads::Back,
        mend: "keep the last axis of the factor (keepdim, unsqueeze): it broadcasts along another one",
    },
    Fault {
        name: "count-for-sum",
        summary: "how many are positive where their sum stands",
        ops: &["ReduceSum"],
        amount: None,
        inject: count,
        reads: Reads::Back,
        mend: "divide by the sum, not by how many are positive",
    },
    Fault {
        name: "lost-summand",
        summary: "one element of a vector left out of its sum",
        ops: &["ReduceSum"],
        amount: Some(("which", 0.0)),
        inject: lost,
        reads: Reads::Amounts(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]),
        mend: "sum all elements",
    },
    Fault {
        name: "unclipped",
        summary: "an input read from before the Clip that gives it",
        ops: &["Add", "Sub", "Mul", "Div"],
        amount: None,
        inject: unclipped,
        reads: Reads::Back,
        mend: "read the tensor behind its clip",
    },
    Fault {
        name: "frozen-norm",
        summary: "normalised by the stored statistics, which stay as they are, where training mode stands",
        ops: &["BatchNormalization"],
        amount: None,
        inject: frozen,
        reads: Reads::Back,
        mend: "normalise by the statistics of the batch: put the layer into training mode",
    },
];

fn corners(e: &mut Edit) -> Result<()> {
    // Rows: what centre x, centre y, width and height add to the two corners.
    let rows = [
        1.0f32, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, -0.5, 0.0, 0.5, 0.0, 0.0, -0.5, 0.0, 0.5,
    ];
    let matrix = e.add_weight(Tensor::of(&[4, 4], &rows));
    e.append(|before, after| vec![node("MatMul", &[before, &matrix], after)]);
    Ok(())
}

fn broadcast(e: &mut Edit) -> Result<()> {
    let flat = e.add_weight(Tensor::of(&[1], &[-1i64]));
    e.prepend(1, |fed, taken| vec![node("Reshape", &[fed, &flat], taken)])
}

fn count(e: &mut Edit) -> Result<()> {
    let zero = e.add_weight(Tensor::of(&[], &[0f32]));
    e.prepend(0, |fed, taken| {
        let positive = format!("{taken}/positive");
        vec![
            node("Greater", &[fed, &zero], &positive),
            node_with("Cast", &[&positive], taken, "to", DType::F32.onnx() as i64),
        ]
    })
}

fn lost(e: &mut Edit) -> Result<()> {
    let which = e.add_weight(Tensor::of(&[1], &[e.whole()?]));
    let zero = e.add_weight(Tensor::of(&[1], &[0f32]));
    e.prepend(0, |fed, taken| {
        vec![node_with(
            "ScatterElements",
            &[fed, &which, &zero],
            taken,
            "axis",
            0,
        )]
    })
}

fn unclipped(e: &mut Edit) -> Result<()> {
    let inputs = e.node().inputs.clone();
    let before = |name: &String| {
        e.producer(name)
            .filter(|s| s.op() == "Clip")
            .map(|s| s.nodes[0].inputs[0].clone())
    };
    let clipped = inputs
        .iter()
        .enumerate()
        .find_map(|(i, name)| Some((i, before(name)?)));
    let (i, raw) = clipped.ok_or_else(|| Error::usage("no input of the node is clipped"))?;
    e.node().inputs[i] = raw;
    Ok(())
}

fn frozen(e: &mut Edit) -> Result<()> {
    let (stored, updated) = (
        [e.input_name(3)?, e.input_name(4)?],
        e.node().outputs.split_off(1),
    );
    e.set("training_mode", Attribute::Int(0));
    e.extend(
        stored
            .iter()
            .zip(&updated)
            .map(|(from, to)| node("Identity", &[from], to))
            .collect(),
    );
    Ok(())
}
