//! stored: faults of what is loaded into a layer: a bias twice, channels reversed, eight bits, statistics and scales that were never loaded.

use super::edit::{node, node_with};
use super::{Edit, Fault, Reads};
use crate::error::{Error, Result};
use crate::graph::Attribute;
use crate::tensor::{DType, Tensor};

const PRODUCTS: &[&str] = &["Conv", "ConvTranspose", "MatMul", "Gemm"];

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "double-bias",
        summary: "the bias added twice",
        ops: &["Conv", "ConvTranspose", "Gemm", "BatchNormalization"],
        amount: None,
        inject: double_bias,
        reads: Reads::Back,
        mend: "add the bias once: it is in the layer and again behind it",
    },
    Fault {
        name: "reverse-input-channels",
        summary: "input channels read in reversed order: BGR for RGB",
        ops: &["Conv"],
        amount: None,
        inject: reverse_inputs,
        reads: Reads::Back,
        mend: "feed the channels in the reference's order (RGB or BGR)",
    },
    Fault {
        name: "int8-weight",
        summary: "the weight rounded to eight bits, one scale for all of it",
        ops: PRODUCTS,
        amount: None,
        inject: int8,
        reads: Reads::Back,
        mend: "load the weight as it was trained, not as it was quantised",
    },
    Fault {
        name: "narrow-inputs-bf16",
        summary: "both factors rounded to bfloat16 before they are multiplied",
        ops: PRODUCTS,
        amount: None,
        inject: |e| narrow(e, DType::BF16),
        reads: Reads::Back,
        mend: "multiply in float32: turn bfloat16 and reduced precision off (autocast, allow_bf16_reduced_precision)",
    },
    Fault {
        name: "narrow-inputs-f16",
        summary: "both factors rounded to float16 before they are multiplied",
        ops: PRODUCTS,
        amount: None,
        inject: |e| narrow(e, DType::F16),
        reads: Reads::Back,
        mend: "multiply in float32: turn float16 and reduced precision off (autocast, TF32)",
    },
    Fault {
        name: "fresh-scale",
        summary: "scale 1 and shift 0, as a layer has them that was never loaded",
        ops: &[
            "BatchNormalization",
            "InstanceNormalization",
            "LayerNormalization",
        ],
        amount: None,
        inject: fresh_scale,
        reads: Reads::Back,
        mend: "load scale and shift of the normalisation",
    },
    Fault {
        name: "fresh-statistics",
        summary: "running mean 0 and running variance 1, as a layer has them that was never loaded",
        ops: &["BatchNormalization"],
        amount: None,
        inject: fresh_statistics,
        reads: Reads::Back,
        mend: "load the buffers too: running_mean and running_var are no parameters",
    },
    Fault {
        name: "deviation-for-variance",
        summary: "the root of the running variance where the variance stands, and the other way round",
        ops: &["BatchNormalization"],
        amount: None,
        inject: deviation,
        reads: Reads::Choices,
        mend: "store the variance, not its root",
    },
    Fault {
        name: "batch-statistics",
        summary: "normalised by the statistics of the batch: left in training mode",
        ops: &["BatchNormalization"],
        amount: None,
        inject: batch_statistics,
        reads: Reads::Back,
        mend: "put the network into evaluation mode (model.eval())",
    },
];

fn double_bias(e: &mut Edit) -> Result<()> {
    e.change_floats(2, |b, _| {
        b.iter_mut().for_each(|v| *v *= 2.0);
        Ok(())
    })
}

fn reverse_inputs(e: &mut Edit) -> Result<()> {
    e.change_floats(1, |w, s| {
        let (channels, kernel) = (s[1], s[2..].iter().product::<usize>());
        if channels < 2 {
            return Err(Error::usage("the node has one input channel"));
        }
        for filter in w.chunks_mut(channels * kernel) {
            let old = filter.to_vec();
            let reversed = old.chunks(kernel).rev().flatten();
            filter
                .iter_mut()
                .zip(reversed)
                .for_each(|(new, old)| *new = *old);
        }
        Ok(())
    })
}

fn int8(e: &mut Edit) -> Result<()> {
    e.change_floats(1, |w, _| {
        let scale = w.iter().fold(0f32, |m, v| m.max(v.abs())) / 127.0;
        if scale > 0.0 {
            w.iter_mut().for_each(|v| *v = (*v / scale).round() * scale);
        }
        Ok(())
    })
}

fn narrow(e: &mut Edit, to: DType) -> Result<()> {
    e.prepend_each(&[0, 1], |fed, taken| {
        let half = format!("{taken}/narrow");
        let cast = |from: &str, into: &str, d: DType| {
            node_with("Cast", &[from], into, "to", d.onnx() as i64)
        };
        vec![cast(fed, &half, to), cast(&half, taken, DType::F32)]
    })
}

fn fill(e: &mut Edit, input: usize, value: f32) -> Result<()> {
    e.change_floats(input, |v, _| {
        v.fill(value);
        Ok(())
    })
}

fn fresh_scale(e: &mut Edit) -> Result<()> {
    fill(e, 1, 1.0)?;
    match e.input_name(2) {
        Ok(_) => fill(e, 2, 0.0),
        Err(_) => Ok(()),
    }
}

fn fresh_statistics(e: &mut Edit) -> Result<()> {
    fill(e, 3, 0.0)?;
    fill(e, 4, 1.0)
}

fn deviation(e: &mut Edit) -> Result<()> {
    let ways: [fn(f32) -> f32; 2] = [f32::sqrt, |v| v * v];
    let way = e.pick(ways)?;
    e.change_floats(4, |v, _| {
        v.iter_mut().for_each(|v| *v = way(*v));
        Ok(())
    })
}

/// Instance normalisation of the batch laid side by side: the channels in front, the images behind them.
fn batch_statistics(e: &mut Edit) -> Result<()> {
    let inputs: Vec<String> = (0..3).map(|i| e.input_name(i)).collect::<Result<_>>()?;
    if e.node().outputs.len() > 1 {
        return Err(Error::usage("the node is in training mode already"));
    }
    let channels = e.constant(1)?.numel() as i64;
    let (name, y) = (e.node().name.clone(), e.node().outputs[0].clone());
    let epsilon = e.node().attributes.get("epsilon").cloned();
    let rank4 = |at: &str, from: &str, to: &str, perm: [i64; 4]| {
        let mut turned = node("Transpose", &[from], to);
        turned.name = format!("parity/fault/{at}/{name}");
        turned
            .attributes
            .insert("perm".into(), Attribute::Ints(perm.to_vec()));
        turned
    };
    let flat = e.add_weight(Tensor::of(&[3], &[1i64, channels, -1]));
    let part = |s: &str| format!("parity/fault/{s}/{y}");
    let [front, shape, wide, normal, back] = ["front", "shape", "wide", "normal", "back"].map(part);
    let mut norm = node(
        "InstanceNormalization",
        &[&wide, &inputs[1], &inputs[2]],
        &normal,
    );
    norm.attributes
        .extend(epsilon.map(|v| ("epsilon".to_string(), v)));
    e.replace(vec![
        rank4("front", &inputs[0], &front, [1, 0, 2, 3]),
        node("Shape", &[&front], &shape),
        node("Reshape", &[&front, &flat], &wide),
        norm,
        node("Reshape", &[&normal, &shape], &back),
        rank4("back", &back, &y, [1, 0, 2, 3]),
    ]);
    Ok(())
}
