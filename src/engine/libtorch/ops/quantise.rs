//! quantise: numbers as integers of few bits with a scale and a zero point, and products computed on them.

use super::super::call::Call;
use super::super::value::{Mark, Value};
use super::common::{along, axis, done};
use super::retype;
use super::window::{Window, framed, spatial};
use super::{Op, Scale, op, values};
use parity::error::{Error, Result};
use parity::floor::Family::Arithmetic;
use parity::floor::family;
use parity::tensor::DType;
use parity::tensor::narrow::{Beyond, PowerMode};
use tch::{Kind, Tensor};

/// The dtype that numbers are quantised to.
#[derive(Clone, Copy)]
enum Grid {
    Torch(Kind),
    Marked(Mark),
}

impl Grid {
    fn of(v: &Value) -> Result<Self> {
        match v {
            Value::Tensor(t) => Ok(Self::Torch(t.kind())),
            Value::Marked(m, _) => Ok(Self::Marked(*m)),
            other => Err(Error::usage(format!("a zero point is {}", other.describe()))),
        }
    }

    fn from_onnx(code: i64) -> Result<Self> {
        let kind = i32::try_from(code).ok().and_then(parity::tensor::DType::from_onnx).and_then(super::super::convert::kind);
        match (Mark::from_onnx(code), kind) {
            (Some(mark), _) => Ok(Self::Marked(mark)),
            (None, Some(kind)) => Ok(Self::Torch(kind)),
            (None, None) => Err(Error::failed(format!("data type {code} is no dtype to quantise to"))),
        }
    }

    /// Smallest and largest integer; None for floats.
    fn range(self) -> Option<(i64, i64)> {
        Some(match self {
            Self::Torch(Kind::Uint8) => (0, 255),
            Self::Torch(Kind::Int8) => (-128, 127),
            Self::Torch(Kind::Int16) => (-32768, 32767),
            Self::Torch(Kind::Int) => (i32::MIN as i64, i32::MAX as i64),
            Self::Marked(Mark::U16) => (0, 65535),
            Self::Marked(Mark::Narrow(d)) if d.is_integer() => (d.range().0 as i64, d.range().1 as i64),
            _ => return None,
        })
    }

    /// Whole numbers as values of this dtype.
    fn value(self, t: Tensor) -> Result<Value> {
        match self {
            Self::Torch(kind) => done(|| t.f_to_kind(kind)).map(Value::Tensor),
            Self::Marked(mark) => done(|| t.f_to_kind(mark.kind())).map(|t| Value::Marked(mark, t)),
        }
    }
}

/// Scale or zero point so that it lies along the input: one number, one per index of `axis`, or one per block of the axis.
fn laid(call: &Call, t: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (stated, block) = (call.int("axis", 1)?, call.int("block_size", 0)?);
    if t.numel() == 1 && block == 0 {
        return done(|| t.f_reshape([0i64; 0]));
    }
    let at = axis(stated, x.dim())?;
    match block {
        0 => done(|| t.f_reshape(along(x.dim(), at, -1))),
        n if (1..=x.size()[at].max(1)).contains(&n) && t.dim() == x.dim() => {
            done(|| t.f_repeat_interleave_self_int(n, at as i64, None)?.f_narrow(at as i64, 0, x.size()[at]))
        }
        n => Err(Error::usage(format!("blocks of {n} of {:?} with scales {:?}", x.size(), t.size()))),
    }
}

/// x / scale, in the precision that is asked for.
fn ratio(call: &Call) -> Result<Tensor> {
    let (x, scale) = (call.input(0)?, call.input(1)?);
    let precision = retype::kind_or(call, "precision", if x.kind() == Kind::Int { Kind::Float } else { x.kind() })?;
    let scale = laid(call, scale, x)?;
    done(|| x.f_to_kind(precision)?.f_div(&scale.f_to_kind(precision)?))
}

fn quantise(call: &Call) -> Result<Vec<Value>> {
    let beyond = if call.int("saturate", 1)? == 0 { Beyond::Leave } else { Beyond::Saturate };
    let grid = match (call.optional_value(2), call.int("output_dtype", 0)?) {
        (Some(v), _) => Grid::of(v)?,
        (None, 0) => Grid::Torch(Kind::Uint8),
        (None, code) => Grid::from_onnx(code)?,
    };
    let ratio = ratio(call)?;
    let zero = call.optional(2).map(|z| laid(call, z, call.input(0)?)).transpose()?;
    if let Some((low, high)) = grid.range() {
        return Ok(vec![grid.value(onto(&ratio, zero.as_ref(), low, high)?)?]);
    }
    match grid {
        Grid::Marked(Mark::Narrow(d)) => {
            let rounded = retype::marked(&ratio, Mark::Narrow(d), beyond, PowerMode::Nearest)?;
            Ok(vec![Value::Marked(Mark::Narrow(d), rounded)])
        }
        _ => Err(Error::failed("a zero point of floats is not supported")),
    }
}

/// Rounded to even, moved by the zero point, and kept in the range.
fn onto(ratio: &Tensor, zero: Option<&Tensor>, low: i64, high: i64) -> Result<Tensor> {
    done(|| {
        let rounded = ratio.f_to_kind(Kind::Double)?.f_round()?;
        let moved = match zero {
            Some(z) => rounded.f_add(&z.f_to_kind(Kind::Double)?)?,
            None => rounded,
        };
        moved.f_clamp(low, high)
    })
}

fn dequantise(call: &Call) -> Result<Vec<Value>> {
    let (x, scale) = (call.input(0)?, call.input(1)?);
    let to = retype::kind_or(call, "output_dtype", scale.kind())?;
    let (laid_scale, wide) = (laid(call, scale, x)?, if call.precision.is_wide() { Kind::Double } else { Kind::Float });
    let zero = call.optional(2).map(|z| laid(call, z, x)).transpose()?;
    done(|| {
        let x = match &zero {
            // Differences of integers are exact.
            Some(z) => x.f_to_kind(Kind::Double)?.f_sub(&z.f_to_kind(Kind::Double)?)?,
            None => x.f_to_kind(Kind::Double)?,
        };
        x.f_to_kind(wide)?.f_mul(&laid_scale.f_to_kind(wide)?)?.f_to_kind(to)
    })
    .map(|t| vec![Value::Tensor(t)])
}

/// Input as u8, with the scale and zero point of its range, which holds 0.
fn dynamic(call: &Call) -> Result<Vec<Tensor>> {
    let x = super::common::float(call, 0)?;
    if x.numel() == 0 {
        return Err(Error::usage("nothing to take the range of"));
    }
    done(|| {
        let (low, high) = (x.f_min()?.f_clamp_max(0)?, x.f_max()?.f_clamp_min(0)?);
        let span = high.f_sub(&low)?.f_div_scalar(255)?;
        let scale = span.f_where_self(&span.f_ne(0)?, &span.f_ones_like()?.f_div_scalar(255)?)?;
        let zero = low.f_neg()?.f_div(&scale)?.f_clamp(0, 255)?.f_round()?;
        let y = x.f_div(&scale)?.f_round()?.f_add(&zero)?.f_clamp(0, 255)?.f_to_kind(Kind::Uint8)?;
        Ok(vec![y, scale, zero.f_to_kind(Kind::Uint8)?])
    })
}

/// Integers with the zero point taken off, as f64, which holds every product and sum of them exactly.
fn centred(x: &Tensor, zero: Option<&Tensor>, at: Option<usize>) -> Result<Tensor> {
    done(|| {
        let wide = x.f_to_kind(Kind::Double)?;
        match (zero, at) {
            (None, _) => Ok(wide),
            (Some(z), Some(at)) if z.numel() > 1 && z.dim() == 1 => {
                wide.f_sub(&z.f_to_kind(Kind::Double)?.f_reshape(along(x.dim(), at, -1))?)
            }
            (Some(z), _) if z.numel() == 1 => wide.f_sub(&z.f_to_kind(Kind::Double)?.f_reshape([0i64; 0])?),
            (Some(z), _) => wide.f_sub(&z.f_to_kind(Kind::Double)?),
        }
    })
}

/// Row and column zero points and scales of a matrix product.
fn last_but(x: &Tensor, n: usize) -> Option<usize> {
    x.dim().checked_sub(n)
}

fn matmul_integer(call: &Call) -> Result<Vec<Tensor>> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let (a, b) = (centred(a, call.optional(2), last_but(a, 2))?, centred(b, call.optional(3), last_but(b, 1))?);
    done(|| Ok(vec![a.f_matmul(&b)?.f_to_kind(Kind::Int)?]))
}

/// y = saturate(round(product·(scales)) + zero point).
fn requantised(call: &Call, scaled: &Tensor) -> Result<Vec<Value>> {
    let grid = Grid::of(call.value(7)?)?;
    let (low, high) = grid.range().ok_or_else(|| Error::failed("a zero point of floats is not supported"))?;
    Ok(vec![grid.value(onto(scaled, call.optional(7), low, high)?)?])
}

/// The product of matrices before it is rounded.
fn matmul_scaled(call: &Call) -> Result<Tensor> {
    let (a, b) = (call.input(0)?, call.input(3)?);
    let (wa, wb) = (centred(a, call.optional(2), last_but(a, 2))?, centred(b, call.optional(5), last_but(b, 1))?);
    done(|| {
        let factor = call_scale(call, 1)?.f_mul(&call_scale(call, 4)?)?.f_div(&call_scale(call, 6)?)?;
        wa.f_matmul(&wb)?.f_mul(&factor)
    })
}

/// Scale input `i` as f64.
fn call_scale(call: &Call, i: usize) -> std::result::Result<Tensor, tch::TchError> {
    let t = call.input(i).map_err(|e| tch::TchError::Kind(e.message))?.f_to_kind(Kind::Double)?;
    if t.numel() == 1 { t.f_reshape([0i64; 0]) } else { Ok(t) }
}

/// The convolution of centred integers, exact.
fn integer_conv(call: &Call, x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let dims = spatial(x)?;
    let window = Window::of(call, &dims, super::conv::weight_kernel(call, w, &dims)?)?;
    let groups = call.int("group", 1)?.max(1);
    let bias = bias.map(|b| done(|| b.f_to_kind(Kind::Double))).transpose()?;
    done(|| {
        let x = framed(x, &window.before, &window.after, 0.0)?;
        let none = vec![0; dims.len()];
        x.f_convolution(w, bias.as_ref(), &window.stride, &none, &window.dilation, false, &none, groups)
    })
}

fn conv_integer(call: &Call) -> Result<Vec<Tensor>> {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let (x, w) = (centred(x, call.optional(2), None)?, centred(w, call.optional(3), Some(0))?);
    let y = integer_conv(call, &x, &w, None)?;
    done(|| Ok(vec![y.f_to_kind(Kind::Int)?]))
}

/// The convolution before it is rounded.
fn conv_scaled(call: &Call) -> Result<Tensor> {
    let (x, w) = (call.input(0)?, call.input(3)?);
    let (cx, cw) = (centred(x, call.optional(2), None)?, centred(w, call.optional(5), Some(0))?);
    let y = integer_conv(call, &cx, &cw, call.optional(8))?;
    done(|| {
        let own = call_scale(call, 4)?;
        let own = if own.numel() > 1 { own.f_reshape(along(y.dim(), 1, -1))? } else { own };
        y.f_mul(&call_scale(call, 1)?.f_mul(&own)?.f_div(&call_scale(call, 6)?)?)
    })
}

/// Distance from the number halfway between two steps, in steps.
fn to_half(call: &Call, reference: &Tensor, candidate: &Tensor, exact: fn(&Call) -> Result<Tensor>) -> Result<f64> {
    let exact = exact(call)?;
    let distance = (|| {
        let exact = exact.f_to_kind(Kind::Double)?;
        exact.f_sub(&exact.f_floor()?)?.f_sub_scalar(0.5)?.f_abs()
    })();
    super::common::largest_where_different(distance, reference, candidate)
}

/// Distance from the border between two steps, 0 where rounding reaches it: range, scale and ratio are each rounded.
fn from_border(call: &Call, index: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let x = call.input(0)?;
    let distance = || {
        let (low, high) = (x.f_min()?.f_clamp_max(0)?, x.f_max()?.f_clamp_min(0)?);
        let scale = high.f_sub(&low)?.f_div_scalar(255)?;
        let ratio = if index == 2 { low.f_neg()? } else { x.shallow_clone() }.f_div(&scale)?;
        let reach = ratio.f_abs()?.f_mul_scalar(family::bound(Arithmetic, 1, DType::F32.unit_roundoff()))?;
        let border = ratio.f_sub(&ratio.f_floor()?)?.f_sub_scalar(0.5)?.f_abs()?;
        border.f_where_self(&border.f_gt_tensor(&reach)?, &border.f_zeros_like()?)
    };
    super::common::largest_where_different(distance(), reference, candidate)
}

const SCALED: Scale = Scale::Output(Arithmetic);

pub const OPS: &[Op] = &[
    values("QuantizeLinear", 10, quantise, Scale::Decision(|c, _, a, b| to_half(c, a, b, ratio))),
    values("DequantizeLinear", 10, dequantise, SCALED),
    op("DynamicQuantizeLinear", 11, dynamic, Scale::Graded(Arithmetic, from_border)),
    op("MatMulInteger", 10, matmul_integer, Scale::Exact),
    values("QLinearMatMul", 10, |c| requantised(c, &matmul_scaled(c)?), Scale::Decision(|c, _, a, b| to_half(c, a, b, matmul_scaled))),
    op("ConvInteger", 10, conv_integer, Scale::Exact),
    values("QLinearConv", 10, |c| requantised(c, &conv_scaled(c)?), Scale::Decision(|c, _, a, b| to_half(c, a, b, conv_scaled))),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, f32s};
    use parity::tensor::Tensor;

    #[test]
    fn halves_go_to_the_even_integer_and_the_range_is_kept() {
        let y = Tensor::of(&[5], &[128u8, 130, 130, 255, 0]);
        let case = Case::new("QuantizeLinear", 13).with(f32s(&[5], &[1.0, 3.0, 5.0, 900.0, -900.0])).with(f32s(&[], &[2.0]));
        case.with(Tensor::of(&[], &[128u8])).gives(std::slice::from_ref(&y));
        let near = Case::new("QuantizeLinear", 13).with(f32s(&[2], &[1.0, 3.0])).with(f32s(&[], &[2.0])).with(Tensor::of(&[], &[0u8]));
        assert_eq!(near.margin(0, &Tensor::of(&[2], &[0u8, 2]), &Tensor::of(&[2], &[1u8, 2])), Some(0.0));
        let back = Case::new("DequantizeLinear", 13).with(y).with(f32s(&[], &[2.0])).with(Tensor::of(&[], &[128u8]));
        back.gives(&[f32s(&[5], &[0.0, 4.0, 4.0, 254.0, -256.0])]);
    }

    #[test]
    fn products_of_integers_are_exact() {
        let (a, b) = (Tensor::of(&[1, 2], &[255u8, 3]), Tensor::of(&[2, 1], &[-128i8, 7]));
        Case::new("MatMulInteger", 10).with(a).with(b).with(Tensor::of(&[], &[5u8])).gives(&[Tensor::of(&[1, 1], &[-32014i32])]);
        let x = Tensor::of(&[1, 1, 3], &[2u8, 3, 4]);
        let conv = Case::new("ConvInteger", 10).with(x).with(Tensor::of(&[1, 1, 2], &[1u8, 1])).with(Tensor::of(&[], &[1u8]));
        conv.gives(&[Tensor::of(&[1, 1, 2], &[3i32, 5])]);
    }
}
