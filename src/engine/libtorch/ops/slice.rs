//! slice: Slice and Pad: ranges of axes, cut or continued.

use super::super::call::Call;
use super::super::convert::torch_error;
use super::common::{axis, fits, vector};
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use tch::Tensor;

fn slice(call: &Call) -> Result<Vec<Tensor>> {
    let need = |i: usize| {
        call.integers(i)?
            .ok_or_else(|| Error::usage(format!("input {i} is missing")))
    };
    sliced(
        call.input(0)?,
        need(1)?,
        need(2)?,
        call.integers(3)?,
        call.integers(4)?,
    )
}

/// Before opset 10 the limits are attributes and there are no steps.
fn slice_1(call: &Call) -> Result<Vec<Tensor>> {
    let need = |name: &str| {
        call.ints(name)?
            .ok_or_else(|| Error::usage(format!("attribute '{name}' is missing")))
    };
    sliced(
        call.input(0)?,
        need("starts")?,
        need("ends")?,
        call.ints("axes")?,
        None,
    )
}

fn sliced(
    x: &Tensor,
    starts: Vec<i64>,
    ends: Vec<i64>,
    axes: Option<Vec<i64>>,
    steps: Option<Vec<i64>>,
) -> Result<Vec<Tensor>> {
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(Error::usage(
            "starts, ends, axes and steps of Slice differ in number",
        ));
    }
    let mut y = x.shallow_clone();
    for (i, at) in axes.iter().enumerate() {
        let at = axis(*at, x.dim())?;
        let (start, n) = extent(y.size()[at], starts[i], ends[i], steps[i])?;
        y = walked(&y, at as i64, start, n, steps[i])?;
    }
    Ok(vec![y])
}

/// First index and number of elements of `start..end` by `step` in a dimension of `len`, clamped as ONNX does.
fn extent(len: i64, start: i64, end: i64, step: i64) -> Result<(i64, i64)> {
    let place = |at: i64| if at < 0 { at.saturating_add(len) } else { at };
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let (start, end) = (
        place(start).max(low.max(0)).min(high),
        place(end).max(low).min(high),
    );
    match step {
        0 => Err(Error::usage("a step of Slice is 0")),
        1.. => Ok((
            start,
            ((end - start).max(0) as u64).div_ceil(step.unsigned_abs()) as i64,
        )),
        _ => Ok((
            start,
            ((start - end).max(0) as u64).div_ceil(step.unsigned_abs()) as i64,
        )),
    }
}

fn walked(x: &Tensor, at: i64, start: i64, n: i64, step: i64) -> Result<Tensor> {
    let y = match step {
        _ if n == 0 => x.f_narrow(at, 0, 0),
        1 => x.f_narrow(at, start, n),
        _ => vector(&(0..n).map(|i| start + i * step).collect::<Vec<_>>())
            .and_then(|index| x.f_index_select(at, &index)),
    };
    y.map_err(torch_error)
}

fn pad(call: &Call) -> Result<Vec<Tensor>> {
    let pads = call
        .integers(1)?
        .ok_or_else(|| Error::usage("input 1 is missing"))?;
    let value = call
        .floats(2)?
        .and_then(|v| v.first().copied())
        .unwrap_or(0.0);
    padded(call, pads, value, call.integers(3)?)
}

/// Before opset 11 the widths and the value are attributes.
fn pad_2(call: &Call) -> Result<Vec<Tensor>> {
    let pads = call
        .ints("pads")?
        .ok_or_else(|| Error::usage("attribute 'pads' is missing"))?;
    padded(call, pads, call.float("value", 0.0)?, None)
}

fn padded(call: &Call, pads: Vec<i64>, value: f64, axes: Option<Vec<i64>>) -> Result<Vec<Tensor>> {
    let (x, mode) = (call.input(0)?, call.text("mode", "constant")?);
    let axes = axes.unwrap_or_else(|| (0..x.dim() as i64).collect());
    if pads.len() != 2 * axes.len() {
        return Err(Error::usage(format!(
            "pads {pads:?} should be {} numbers",
            2 * axes.len()
        )));
    }
    let mut y = x.shallow_clone();
    for (i, at) in axes.iter().enumerate() {
        let (at, before, after) = (
            axis(*at, x.dim())?,
            fits(Some(pads[i]))?,
            fits(Some(pads[i + axes.len()]))?,
        );
        if (before, after) != (0, 0) {
            y = continued(&y, at, before, after, &mode, value)?;
        }
    }
    Ok(vec![y])
}

/// One axis cropped where a width is negative, and continued by `mode` where it is positive.
pub fn continued(
    x: &Tensor,
    at: usize,
    before: i64,
    after: i64,
    mode: &str,
    value: f64,
) -> Result<Tensor> {
    let (start, end) = ((-before).max(0), (-after).max(0));
    let n = x.size()[at] - start - end;
    if n < 0 {
        return Err(Error::usage(format!(
            "pads {before} and {after} crop more than axis {at} of {:?}",
            x.size()
        )));
    }
    let source: fn(i64, i64) -> i64 = match mode {
        "constant" => return constant(x, at, before, after, value).map_err(torch_error),
        "edge" => |i, n| i.max(0).min(n - 1),
        "wrap" => |i, n| i.rem_euclid(n),
        "reflect" => |i, n| {
            let i = i.rem_euclid((2 * (n - 1)).max(1));
            if i < n { i } else { 2 * (n - 1) - i }
        },
        other => {
            return Err(Error::usage(format!(
                "attribute 'mode' should be constant, reflect, edge or wrap, is '{other}'"
            )));
        }
    };
    let all = before.max(0) + n + after.max(0);
    if n == 0 && all > 0 || all > 1 << 32 {
        return Err(Error::usage(format!(
            "axis {at} of {:?} cannot be continued to {all}",
            x.size()
        )));
    }
    let index: Vec<i64> = (0..all)
        .map(|i| start + source(i - before.max(0), n))
        .collect();
    vector(&index)
        .and_then(|index| x.f_index_select(at as i64, &index))
        .map_err(torch_error)
}

fn constant(x: &Tensor, at: usize, before: i64, after: i64, value: f64) -> super::common::Torch {
    let mut widths = vec![0; 2 * (x.dim() - at)];
    let last = widths.len() - 1;
    (widths[last - 1], widths[last]) = (before, after);
    if value == 0.0 {
        return x.f_constant_pad_nd(widths);
    }
    x.f_pad(widths, "constant", value)
}

pub const OPS: &[Op] = &[
    op("Slice", 1, slice_1, Scale::Exact),
    op("Slice", 10, slice, Scale::Exact),
    op("Pad", 2, pad_2, Scale::Exact),
    op("Pad", 11, pad, Scale::Exact),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, i64s, random};
    use proptest::prelude::*;

    fn ten() -> parity::tensor::Tensor {
        f32s(&[10], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    }

    #[test]
    fn limits_are_clamped_and_steps_may_be_negative() {
        let cut = |start: i64, end: i64, step: i64, want: &[f32]| {
            let case = Case::new("Slice", 13)
                .with(ten())
                .with(i64s(&[start]))
                .with(i64s(&[end]))
                .with(i64s(&[0]))
                .with(i64s(&[step]));
            case.gives(&[f32s(&[want.len()], want)]);
        };
        cut(2, 5, 1, &[2.0, 3.0, 4.0]);
        cut(-3, i64::MAX, 1, &[7.0, 8.0, 9.0]);
        cut(0, -1, 4, &[0.0, 4.0, 8.0]);
        cut(-1, i64::MIN, -4, &[9.0, 5.0, 1.0]);
        cut(20, 6, -1, &[9.0, 8.0, 7.0]);
        cut(5, 5, 1, &[]);
        cut(7, 3, 1, &[]);
        cut(0, 10, i64::MAX, &[0.0]);
        cut(3, -20, -1, &[3.0, 2.0, 1.0, 0.0]);
    }

    #[test]
    fn the_limits_were_attributes_once() {
        Case::new("Slice", 9)
            .with(ten())
            .ints("starts", &[1])
            .ints("ends", &[3])
            .gives(&[f32s(&[2], &[1.0, 2.0])]);
        Case::new("Slice", 13)
            .with(ten())
            .with(i64s(&[1]))
            .with(i64s(&[3]))
            .with(i64s(&[0]))
            .with(i64s(&[0]))
            .refused("step of Slice is 0");
        Case::new("Pad", 10)
            .with(f32s(&[1], &[5.0]))
            .ints("pads", &[1, 2])
            .float("value", 7.0)
            .gives(&[f32s(&[4], &[7.0, 5.0, 7.0, 7.0])]);
    }

    #[test]
    fn pads_continue_or_crop() {
        let pad = |mode: &str, pads: &[i64], want: &[f32]| {
            let case = Case::new("Pad", 19)
                .with(f32s(&[3], &[1.0, 2.0, 3.0]))
                .with(i64s(pads))
                .text("mode", mode);
            case.gives(&[f32s(&[want.len()], want)]);
        };
        pad("constant", &[1, 1], &[0.0, 1.0, 2.0, 3.0, 0.0]);
        pad("constant", &[-1, 1], &[2.0, 3.0, 0.0]);
        pad("reflect", &[2, 1], &[3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
        pad("edge", &[2, 1], &[1.0, 1.0, 1.0, 2.0, 3.0, 3.0]);
        pad("edge", &[2, -1], &[1.0, 1.0, 1.0, 2.0]);
        pad("wrap", &[1, 2], &[3.0, 1.0, 2.0, 3.0, 1.0, 2.0]);
        Case::new("Pad", 19)
            .with(f32s(&[1], &[1.0]))
            .with(i64s(&[-1, -1]))
            .refused("crop more");
        Case::new("Pad", 19)
            .with(f32s(&[1], &[1.0]))
            .with(i64s(&[1]))
            .refused("should be 2 numbers");
    }

    proptest! {
        #![proptest_config(cases(96))]
        #[test]
        fn slices_agree(n in 1usize..9, m in 1usize..9, start in -12i64..12, end in -12i64..12, step in prop::sample::select(vec![-3i64, -2, -1, 1, 2, 5]), axis in -2i64..2, seed: u64) {
            let case = Case::new("Slice", 13).with(random(&[n, m], seed, -1.0, 1.0)).with(i64s(&[start])).with(i64s(&[end]));
            case.with(i64s(&[axis])).with(i64s(&[step])).check();
        }

        #[test]
        fn pads_agree(mode in prop::sample::select(vec!["constant", "reflect", "edge"]), a in 0i64..3, b in 0i64..3, c in 0i64..3, d in 0i64..3, seed: u64) {
            let case = Case::new("Pad", 18).with(random(&[2, 3, 4], seed, -1.0, 1.0)).with(i64s(&[a, b, c, d])).with(f32s(&[], &[2.5]));
            case.with(i64s(&[1, -1])).text("mode", mode).check();
        }
    }
}
