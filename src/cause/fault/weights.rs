//! weights: faults of trained numbers: transposed, swapped, dropped, scaled, narrowed, of another layer.

use super::{Edit, Fault, Reads};
use crate::cause::hypothesis::outputs;
use crate::error::{Error, Result};
use crate::tensor::{DType, Tensor};
use half::{bf16, f16};

/// Operators whose input 1 is a weight.
const WEIGHTED: &[&str] = &["Conv", "ConvTranspose", "MatMul", "Gemm"];

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "transpose-weight",
        summary: "the weight transposed: two equal dimensions exchanged",
        ops: WEIGHTED,
        amount: None,
        inject: transpose,
        reads: Reads::Choices,
        mend: "transpose the weight when it is loaded",
    },
    Fault {
        name: "swap-channels",
        summary: "the weights of the first two output channels exchanged",
        ops: &["Conv"],
        amount: None,
        inject: swap_channels,
        reads: Reads::Output(outputs::permuted),
        mend: "put the output channels of the weight and of the bias into the reference's order",
    },
    Fault {
        name: "drop-bias",
        summary: "the bias left out",
        ops: &["Conv", "ConvTranspose", "Gemm", "BatchNormalization"],
        amount: None,
        inject: drop_bias,
        reads: Reads::Back,
        mend: "load the bias, or build the layer with one",
    },
    Fault {
        name: "scale-channel",
        summary: "the middle output channel, bias included, scaled",
        ops: &["Conv"],
        amount: Some(("factor", 1.05)),
        inject: scale_channel,
        reads: Reads::Output(outputs::scaled_channel),
        mend: "load the weight of this channel again: a scale was folded into it, or left out",
    },
    Fault {
        name: "other-weights",
        summary: "the weight of another layer of the same shape",
        ops: WEIGHTED,
        amount: None,
        inject: other_weights,
        reads: Reads::Choices,
        mend: "load this layer's own weight: names were paired in another order",
    },
    Fault {
        name: "narrow-weight-bf16",
        summary: "the weight rounded to bfloat16",
        ops: WEIGHTED,
        amount: None,
        inject: narrow_bf16,
        reads: Reads::Back,
        mend: "keep the weight in float32: it passed through bfloat16 on its way",
    },
    Fault {
        name: "narrow-weight-f16",
        summary: "the weight rounded to float16",
        ops: WEIGHTED,
        amount: None,
        inject: narrow_f16,
        reads: Reads::Back,
        mend: "keep the weight in float32: it passed through float16 on its way",
    },
    Fault {
        name: "negate-weight",
        summary: "the sign of the weight flipped",
        ops: WEIGHTED,
        amount: None,
        inject: negate,
        reads: Reads::Back,
        mend: "load the weight with its own sign",
    },
    Fault {
        name: "zero-weight",
        summary: "the weight left at zero",
        ops: WEIGHTED,
        amount: None,
        inject: zero,
        reads: Reads::Back,
        mend: "load the weight: it is still at its initial zero",
    },
    Fault {
        name: "flip-kernel",
        summary: "the kernel mirrored: convolution for correlation",
        ops: &["Conv", "ConvTranspose"],
        amount: None,
        inject: flip,
        reads: Reads::Back,
        mend: "do not mirror the kernel: the reference correlates, as ONNX and PyTorch do",
    },
    Fault {
        name: "swap-statistics",
        summary: "running mean and running variance exchanged",
        ops: &["BatchNormalization"],
        amount: None,
        inject: swap_statistics,
        reads: Reads::Back,
        mend: "load running mean and running variance in the order in which the layer takes them",
    },
    Fault {
        name: "constant-ulp",
        summary: "every element of a constant moved by some ulp",
        ops: &["Constant"],
        amount: Some(("ulp", 1.0)),
        inject: constant_ulp,
        reads: Reads::Amounts(&[1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0, 8.0, -8.0]),
        mend: "write the constant with all of its digits (9 for float32)",
    },
];

fn transpose(e: &mut Edit) -> Result<()> {
    let w = e.constant(1)?;
    let s = w.shape().to_vec();
    let n = s.len();
    // The innermost pair that is square and not 1x1: (kh, kw), else (out, in).
    let pairs: Vec<usize> = (0..n.saturating_sub(1))
        .rev()
        .filter(|i| s[*i] == s[i + 1] && s[*i] > 1)
        .collect();
    if pairs.is_empty() {
        let said = format!("no two neighbouring equal dimensions in {s:?}");
        return Err(Error::usage(said));
    }
    let pair = e.pick(pairs)?;
    let (d, inner) = (s[pair], s[pair + 2..].iter().product::<usize>());
    e.change_floats(1, |v, _| {
        let old = v.to_vec();
        for (block, from) in v.chunks_mut(d * d * inner).zip(old.chunks(d * d * inner)) {
            for i in 0..d * d {
                let (r, c) = (i / d, i % d);
                block[i * inner..][..inner].copy_from_slice(&from[(c * d + r) * inner..][..inner]);
            }
        }
        Ok(())
    })
}

fn swap_channels(e: &mut Edit) -> Result<()> {
    e.change_floats(1, |v, s| {
        let per = s[1..].iter().product::<usize>();
        if s[0] < 2 {
            return Err(Error::usage("the node has one output channel"));
        }
        let (first, rest) = v.split_at_mut(per);
        first.swap_with_slice(&mut rest[..per]);
        Ok(())
    })?;
    if e.constant(2).is_ok() {
        e.change_floats(2, |b, _| {
            b.swap(0, 1);
            Ok(())
        })?;
    }
    Ok(())
}

fn drop_bias(e: &mut Edit) -> Result<()> {
    if e.node().op == "BatchNormalization" {
        return e.change_floats(2, |v, _| {
            v.fill(0.0);
            Ok(())
        });
    }
    e.input_name(2)?;
    e.node().inputs.truncate(2);
    Ok(())
}

fn scale_channel(e: &mut Edit) -> Result<()> {
    let factor = e.amount as f32;
    let channel = e.constant(1)?.shape()[0] / 2;
    e.change_floats(1, |v, s| {
        let per = s[1..].iter().product::<usize>();
        v[channel * per..][..per]
            .iter_mut()
            .for_each(|w| *w *= factor);
        Ok(())
    })?;
    if e.constant(2).is_ok() {
        e.change_floats(2, |b, _| {
            b[channel] *= factor;
            Ok(())
        })?;
    }
    Ok(())
}

fn other_weights(e: &mut Edit) -> Result<()> {
    let (own, name) = (e.constant(1)?, e.input_name(1)?);
    let same = |t: &Tensor| {
        t.dtype() == own.dtype() && t.shape() == own.shape() && t.bytes() != own.bytes()
    };
    let weights = e.graph().weights.iter();
    let weights = weights.filter(|(n, t)| **n != name && same(t));
    let constants = e.graph().steps.iter().filter(|s| s.op() == "Constant");
    let constants = constants.filter_map(|s| s.nodes[0].attributes.get("value")?.tensor()?.ok());
    let all = weights
        .map(|(_, t)| t.clone())
        .chain(constants.filter(|t| same(t)));
    let none = |_| Error::usage(format!("no other weight has shape {:?}", own.shape()));
    let other = e.pick(all).map_err(none)?;
    e.set_constant(1, other);
    Ok(())
}

fn each(e: &mut Edit, f: impl Fn(f32) -> f32) -> Result<()> {
    e.change_floats(1, |v, _| {
        v.iter_mut().for_each(|w| *w = f(*w));
        Ok(())
    })
}

fn narrow_bf16(e: &mut Edit) -> Result<()> {
    each(e, |w| bf16::from_f32(w).to_f32())
}

fn narrow_f16(e: &mut Edit) -> Result<()> {
    each(e, |w| f16::from_f32(w).to_f32())
}

fn negate(e: &mut Edit) -> Result<()> {
    each(e, |w| -w)
}

fn zero(e: &mut Edit) -> Result<()> {
    each(e, |_| 0.0)
}

fn flip(e: &mut Edit) -> Result<()> {
    e.change_floats(1, |v, s| {
        let kernel = s[2..].iter().product::<usize>();
        v.chunks_mut(kernel.max(1)).for_each(<[f32]>::reverse);
        Ok(())
    })
}

fn swap_statistics(e: &mut Edit) -> Result<()> {
    let (mean, var) = (e.constant(3)?, e.constant(4)?);
    e.set_constant(3, var);
    // A mean is often negative; a variance is not.
    let positive: Vec<f64> = mean.to_f64().into_iter().map(f64::abs).collect();
    let positive = Tensor::from_f64(mean.dtype(), mean.shape(), &positive)?;
    e.set_constant(4, positive);
    Ok(())
}

fn constant_ulp(e: &mut Edit) -> Result<()> {
    let steps = e.whole()? as i32;
    let value = e
        .node()
        .attributes
        .get("value")
        .and_then(|a| a.tensor())
        .ok_or_else(|| Error::usage("the constant states no value"))??;
    let floats = value
        .values::<f32>()
        .ok_or_else(|| Error::usage(format!("the constant is {}, not f32", value.dtype())))?;
    let moved: Vec<f32> = floats.iter().map(|v| moved_by(*v, steps)).collect();
    debug_assert_eq!(value.dtype(), DType::F32);
    e.set(
        "value",
        crate::graph::Attribute::of_tensor("value", &Tensor::of(value.shape(), &moved)),
    );
    Ok(())
}

/// So many ulp further from 0, or nearer to it and beyond; nothing becomes infinite.
fn moved_by(v: f32, steps: i32) -> f32 {
    if !v.is_finite() {
        return v;
    }
    let size = (v.abs().to_bits() as i32).saturating_add(steps);
    let moved = f32::from_bits(size.unsigned_abs()).min(f32::MAX);
    let turns = (size < 0) != v.is_sign_negative();
    if turns { -moved } else { moved }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulps_lead_away_from_zero_or_through_it_and_make_no_nan() {
        let tiny = f32::from_bits(1);
        for (v, steps, want) in [
            (1.0, 1, 1.0f32.next_up()),
            (-1.0, 1, (-1.0f32).next_down()),
            (1.0, -2, 1.0f32.next_down().next_down()),
            (0.0, 1, tiny),
            (-0.0, 1, -tiny),
            (0.0, -1, -tiny),
            (-0.0, -1, tiny),
            (tiny, -3, -2.0 * tiny),
            (f32::MAX, 4, f32::MAX),
            (f32::INFINITY, -1, f32::INFINITY),
        ] {
            assert_eq!(moved_by(v, steps), want, "{v} by {steps}");
        }
        assert!(moved_by(f32::NAN, 1).is_nan());
    }
}
