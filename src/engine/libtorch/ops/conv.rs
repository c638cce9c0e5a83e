//! conv: Conv and ConvTranspose over 1 to 3 spatial axes.

use super::super::call::Call;
use super::common::{Torch, one, per_axis};
use super::window::{Window, framed, spatial};
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Family::Convolution;
use tch::Tensor;

fn weight_shape(call: &Call, spatial: &[i64]) -> Result<(i64, Vec<i64>)> {
    let dims = call.input(1)?.size();
    let stated = call.ints("kernel_shape")?;
    match dims.as_slice() {
        [_, channels, kernel @ ..] if kernel.len() == spatial.len() && stated.as_deref().is_none_or(|s| s == kernel) => Ok((*channels, kernel.to_vec())),
        _ => Err(Error::usage(format!("weight {dims:?} does not fit the input or kernel_shape {stated:?}"))),
    }
}

fn groups(call: &Call) -> Result<i64> {
    let groups = call.int("group", 1)?;
    if groups < 1 {
        return Err(Error::usage(format!("attribute 'group' is {groups}")));
    }
    Ok(groups)
}

fn conv(call: &Call) -> Result<Vec<Tensor>> {
    let (x, weight, groups) = (call.input(0)?, call.input(1)?, groups(call)?);
    let spatial = spatial(x)?;
    let w = Window::of(call, &spatial, weight_shape(call, &spatial)?.1)?;
    let convolved = |x: &Tensor, pads: &[i64]| {
        let none = vec![0; spatial.len()];
        x.f_convolution(weight, call.optional(2), &w.stride, pads, &w.dilation, false, none, groups)
    };
    // libtorch pads both ends alike.
    if w.before == w.after {
        return one(convolved(x, &w.before));
    }
    one(framed(x, &w.before, &w.after, 0.0).and_then(|x| convolved(&x, &vec![0; spatial.len()])))
}

/// The convolution without pads, cropped by the pads, grown by the output padding, then biased.
fn conv_transpose(call: &Call) -> Result<Vec<Tensor>> {
    let (x, weight, groups) = (call.input(0)?, call.input(1)?, groups(call)?);
    let spatial = spatial(x)?;
    let w = Window::of(call, &spatial, weight_shape(call, &spatial)?.1)?;
    let (before, after) = crops(call, &w, &spatial)?;
    let grown = || -> Torch {
        let none = vec![0; spatial.len()];
        let y = x.f_convolution(weight, None::<&Tensor>, &w.stride, &none, &w.dilation, true, &none, groups)?;
        let y = framed(&y, &before, &after, 0.0)?;
        match call.optional(2) {
            None => Ok(y),
            Some(bias) => y.f_add(&bias.f_reshape([vec![1, -1], vec![1; spatial.len()]].concat())?),
        }
    };
    one(grown())
}

/// What is added (negative: cropped) before and after the unpadded result.
fn crops(call: &Call, w: &Window, spatial: &[i64]) -> Result<(Vec<i64>, Vec<i64>)> {
    let n = spatial.len();
    let extra = per_axis(call.ints("output_padding")?, n, 0, "output_padding")?;
    let full: Vec<i64> = (0..n).map(|d| (spatial[d] - 1) * w.stride[d] + w.reach(d) + extra[d]).collect();
    let auto = call.text("auto_pad", "NOTSET")?;
    let shape = match call.ints("output_shape")? {
        Some(shape) => Some(per_axis(Some(shape[shape.len().saturating_sub(n)..].to_vec()), n, 0, "output_shape")?),
        None if auto.starts_with("SAME") => Some((0..n).map(|d| spatial[d] * w.stride[d]).collect()),
        None => None,
    };
    let Some(shape) = shape else {
        return Ok((w.before.iter().map(|p| -p).collect(), (0..n).map(|d| extra[d] - w.after[d]).collect()));
    };
    let total: Vec<i64> = (0..n).map(|d| full[d] - shape[d]).collect();
    if total.iter().any(|t| *t < 0) {
        return Err(Error::failed(format!("output_shape {shape:?} is larger than what the kernel reaches ({full:?})")));
    }
    let small = |d: usize| total[d] / 2;
    let before: Vec<i64> = (0..n).map(|d| if auto == "SAME_UPPER" { small(d) } else { total[d] - small(d) }).collect();
    let after = (0..n).map(|d| extra[d] - (total[d] - before[d])).collect();
    Ok((before.iter().map(|p| -p).collect(), after))
}

/// Products that one output element sums, and the bias.
fn terms(call: &Call) -> Result<usize> {
    let dims = call.input(1)?.size();
    Ok(dims.iter().skip(1).product::<i64>() as usize + call.optional(2).is_some() as usize)
}

/// At most every stride-th element of the kernel meets the same output element.
fn transposed_terms(call: &Call) -> Result<usize> {
    let dims = call.input(1)?.size();
    let strides = per_axis(call.ints("strides")?, dims.len().saturating_sub(2), 1, "strides")?;
    let met: i64 = dims.iter().skip(2).zip(&strides).map(|(k, s)| (k + s - 1) / s.max(&1)).product();
    Ok((met * dims.first().unwrap_or(&1) / groups(call)?) as usize + call.optional(2).is_some() as usize)
}

pub const OPS: &[Op] = &[
    op("Conv", 1, conv, Scale::Absolute(Convolution, terms)),
    op("ConvTranspose", 1, conv_transpose, Scale::Absolute(Convolution, transposed_terms)),
];
