//! elementwise: arithmetic and functions of one output element from one element of each input, with ONNX's (numpy's) broadcasting.

use super::super::call::Call;
use super::super::convert::torch_error;
use super::common::{Torch, UNDERFLOW, float, is_float, one, scaled};
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Family::{Arithmetic, Transcendental};
use tch::{Kind, Tensor};

/// Integers are divided towards zero. The smallest integer divided by -1 would trap, so -1 is taken out of the divisor.
fn div(call: &Call) -> Result<Vec<Tensor>> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    if is_float(a) {
        return one(a.f_div(b));
    }
    let integers = || {
        let (b, sign) = without_minus_one(b)?;
        a.f_div_tensor_mode(&b, "trunc")?.f_mul(&sign)
    };
    one(integers())
}

/// `b` with -1 replaced by 1, and the factor that was taken out.
fn without_minus_one(b: &Tensor) -> std::result::Result<(Tensor, Tensor), tch::TchError> {
    if !matches!(b.kind(), Kind::Int8 | Kind::Int16 | Kind::Int | Kind::Int64) {
        return Ok((b.shallow_clone(), b.f_ones_like()?));
    }
    let minus_one = b.f_eq(-1)?;
    Ok((
        b.f_masked_fill(&minus_one, 1)?,
        b.f_ones_like()?.f_masked_fill(&minus_one, -1)?,
    ))
}

fn modulo(call: &Call) -> Result<Vec<Tensor>> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    match (call.int("fmod", 0)?, is_float(a)) {
        (0, true) => Err(Error::usage("Mod of floats needs fmod = 1")),
        (0, false) => one(without_minus_one(b).and_then(|(b, _)| a.f_remainder_tensor(&b))),
        (_, true) => one(a.f_fmod_tensor(b)),
        (_, false) => one(without_minus_one(b).and_then(|(b, _)| a.f_fmod_tensor(&b))),
    }
}

/// The result has the dtype of the base, whatever the exponent's.
fn pow(call: &Call) -> Result<Vec<Tensor>> {
    let (base, exponent) = (call.input(0)?, call.input(1)?);
    if is_float(base) {
        return one(exponent.f_to_kind(base.kind()).and_then(|e| base.f_pow(&e)));
    }
    let wide = || {
        base.f_to_kind(Kind::Double)?
            .f_pow(&exponent.f_to_kind(Kind::Double)?)?
            .f_to_kind(base.kind())
    };
    one(wide())
}

fn fold(call: &Call, f: fn(&Tensor, &Tensor) -> Torch) -> Torch {
    let missing = || tch::TchError::Kind("no input".into());
    let mut all = call.inputs().iter().flatten();
    let first = all.next().ok_or_else(missing)?.shallow_clone();
    all.try_fold(first, |sum, t| f(&sum, t))
}

fn sum(call: &Call) -> Torch {
    fold(call, |a, b| a.f_add(b))
}

fn mean(call: &Call) -> Torch {
    sum(call)?.f_div_scalar(call.inputs().len() as f64)
}

/// Opset 6 states the limits as attributes, 11 and later as inputs. A limit that is not stated is the largest number of the dtype, which
/// infinity exceeds: ONNX Runtime makes 3.4e38 of it, where clamp of PyTorch has no limit.
fn clip(call: &Call) -> Result<Vec<Tensor>> {
    let (x, min, max) = (call.input(0)?, call.optional(1), call.optional(2));
    let inside = if min.is_some() || max.is_some() {
        x.f_clamp_tensor(min, max).map_err(torch_error)?
    } else {
        x.shallow_clone()
    };
    if !is_float(x) || (min.is_some() && max.is_some()) {
        return Ok(vec![inside]);
    }
    let most = match x.kind() {
        Kind::Half => f64::from(half::f16::MAX),
        Kind::BFloat16 => f64::from(half::bf16::MAX),
        Kind::Double if !call.precision.is_wide() => f64::MAX,
        _ => f64::from(f32::MAX),
    };
    let most = |limit: Option<&Tensor>, sign: f64| {
        if limit.is_some() {
            sign * f64::INFINITY
        } else {
            sign * most
        }
    };
    one(inside.f_nan_to_num(f64::NAN, most(max, 1.0), most(min, -1.0)))
}

fn clip_6(call: &Call) -> Result<Vec<Tensor>> {
    one(float(call, 0)?.f_clamp(call.float("min", f32::MIN)?, call.float("max", f32::MAX)?))
}

/// |a| + |b| + ...: what is lost when they cancel, once in every step. Two numbers are added with one rounding, and what cancels is exact.
fn sum_of_sizes(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    if call.inputs().len() < 3 {
        return scaled(sum(call).and_then(|y| y.f_abs()), 1);
    }
    let sizes = call
        .inputs()
        .iter()
        .map(|t| t.as_ref().map(|t| t.f_abs()).transpose())
        .collect::<std::result::Result<_, _>>();
    let call = call.with_inputs(sizes.map_err(torch_error)?);
    let steps = (call.inputs().len() as f64 - 1.0) / Arithmetic.allowed(1);
    scaled(
        sum(&call).and_then(|s| {
            if steps > 1.0 {
                s.f_mul_scalar(steps)
            } else {
                Ok(s)
            }
        }),
        call.inputs().len() - 1,
    )
}

fn mean_of_sizes(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let n = call.inputs().len() as f64;
    sum_of_sizes(call, outputs)?
        .into_iter()
        .map(|(s, k)| Ok((s.f_div_scalar(n).map_err(torch_error)?, k)))
        .collect()
}

/// |y|, and what an engine may flush to zero.
pub fn size_or_flushed(_: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    scaled(
        outputs[0].f_abs().and_then(|y| y.f_add_scalar(UNDERFLOW)),
        1,
    )
}

const ADDED: Scale = Scale::By(Arithmetic, sum_of_sizes);
const ROUNDED: Scale = Scale::Output(Arithmetic);
const FUNCTION: Scale = Scale::By(Transcendental, size_or_flushed);
const BOUNDED: Scale = Scale::One(Transcendental);

pub const OPS: &[Op] = &[
    op("Add", 7, |c| one(c.input(0)?.f_add(c.input(1)?)), ROUNDED),
    op("Sub", 7, |c| one(c.input(0)?.f_sub(c.input(1)?)), ROUNDED),
    op("Mul", 7, |c| one(c.input(0)?.f_mul(c.input(1)?)), ROUNDED),
    op("Div", 7, div, ROUNDED),
    op("Mod", 10, modulo, Scale::Exact),
    op("Pow", 7, pow, FUNCTION),
    op(
        "Max",
        6,
        |c| one(fold(c, |a, b| a.f_maximum(b))),
        Scale::Exact,
    ),
    op(
        "Min",
        6,
        |c| one(fold(c, |a, b| a.f_minimum(b))),
        Scale::Exact,
    ),
    op("Sum", 6, |c| one(sum(c)), ADDED),
    op(
        "Mean",
        6,
        |c| one(mean(c)),
        Scale::By(Arithmetic, mean_of_sizes),
    ),
    op("Clip", 6, clip_6, Scale::Exact),
    op("Clip", 11, clip, Scale::Exact),
    op("Neg", 6, |c| one(c.input(0)?.f_neg()), Scale::Exact),
    op("Abs", 6, |c| one(c.input(0)?.f_abs()), Scale::Exact),
    op("Sqrt", 6, |c| one(c.input(0)?.f_sqrt()), ROUNDED),
    op(
        "Reciprocal",
        6,
        |c| one(c.input(0)?.f_reciprocal()),
        ROUNDED,
    ),
    op("Exp", 6, |c| one(c.input(0)?.f_exp()), FUNCTION),
    op("Log", 6, |c| one(c.input(0)?.f_log()), FUNCTION),
    op(
        "Det",
        11,
        |c| one(Tensor::f_linalg_det(float(c, 0)?)),
        Scale::Perturbed(Arithmetic),
    ),
    op("Erf", 9, |c| one(c.input(0)?.f_erf()), BOUNDED),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, random};
    use parity::tensor::Tensor;
    use proptest::prelude::*;

    fn i32s(values: &[i32]) -> Tensor {
        Tensor::of(&[values.len()], values)
    }

    #[test]
    fn integers_are_divided_towards_zero_and_the_smallest_by_minus_one_does_not_trap() {
        Case::new("Div", 14)
            .with(i32s(&[-7, 7, 7, -8]))
            .with(i32s(&[2, -2, 2, 3]))
            .gives(&[i32s(&[-3, -3, 3, -2])]);
        let trap = Case::new("Div", 14)
            .with(Tensor::of(&[2], &[i64::MIN, 7]))
            .with(Tensor::of(&[1], &[-1i64]));
        assert_eq!(
            trap.torch().expect("no trap")[0].to_i64(),
            Some(vec![i64::MIN, -7])
        );
        Case::new("Div", 14)
            .with(i32s(&[1]))
            .with(i32s(&[0]))
            .refused("ZeroDivision");
    }

    #[test]
    fn modulo_takes_the_sign_of_the_divisor_unless_it_is_fmod() {
        let (a, b) = (i32s(&[-4, 7, 5, 4, -7, 8]), i32s(&[2, -3, 8, -2, 3, 5]));
        Case::new("Mod", 13)
            .with(a.clone())
            .with(b.clone())
            .gives(&[i32s(&[0, -2, 5, 0, 2, 3])]);
        Case::new("Mod", 13)
            .with(a)
            .with(b)
            .int("fmod", 1)
            .gives(&[i32s(&[0, 1, 5, 0, -1, 3])]);
        let floats = (f32s(&[3], &[-4.3, 7.2, 5.0]), f32s(&[3], &[2.1, -3.4, 8.0]));
        Case::new("Mod", 13)
            .with(floats.0)
            .with(floats.1)
            .int("fmod", 1)
            .check();
    }

    #[test]
    fn pow_has_the_dtype_of_its_base() {
        Case::new("Pow", 15)
            .with(i32s(&[1, 2, 3]))
            .with(f32s(&[3], &[4.0, 5.0, 2.0]))
            .gives(&[i32s(&[1, 32, 9])]);
        Case::new("Pow", 15)
            .with(f32s(&[3], &[1.0, 2.0, 3.0]))
            .with(i32s(&[4, -1, 2]))
            .gives(&[f32s(&[3], &[1.0, 0.5, 9.0])]);
    }

    #[test]
    fn clip_takes_its_limits_from_attributes_and_later_from_inputs() {
        let (x, y) = (
            f32s(&[4], &[-3.0, -1.0, 0.5, 9.0]),
            f32s(&[4], &[-1.0, -1.0, 0.5, 6.0]),
        );
        Case::new("Clip", 6)
            .with(x.clone())
            .float("min", -1.0)
            .float("max", 6.0)
            .gives(std::slice::from_ref(&y));
        Case::new("Clip", 13)
            .with(x.clone())
            .with(f32s(&[], &[-1.0]))
            .with(f32s(&[], &[6.0]))
            .gives(&[y]);
        Case::new("Clip", 13)
            .with(x.clone())
            .without()
            .with(f32s(&[], &[0.0]))
            .gives(&[f32s(&[4], &[-3.0, -1.0, 0.0, 0.0])]);
        Case::new("Clip", 13).with(x.clone()).gives(&[x]);
    }

    #[test]
    fn clip_limits_infinity_to_the_largest_number_where_no_limit_is_stated_and_keeps_nan() {
        let (x, most) = (f32s(&[2], &[f32::INFINITY, f32::NEG_INFINITY]), f32::MAX);
        Case::new("Clip", 13)
            .with(x.clone())
            .with(f32s(&[], &[0.0]))
            .gives(&[f32s(&[2], &[most, 0.0])]);
        Case::new("Clip", 13)
            .with(x.clone())
            .without()
            .with(f32s(&[], &[0.0]))
            .gives(&[f32s(&[2], &[0.0, -most])]);
        Case::new("Clip", 13)
            .with(x)
            .gives(&[f32s(&[2], &[most, -most])]);
        Case::new("Clip", 13)
            .with(f32s(&[1], &[f32::NAN]))
            .with(f32s(&[], &[0.0]))
            .check();
    }

    #[test]
    fn variadic_operators_broadcast_over_all_inputs() {
        let all = || {
            [
                f32s(&[2, 1], &[1.0, 4.0]),
                f32s(&[2], &[2.0, 3.0]),
                f32s(&[], &[6.0]),
            ]
        };
        let fold = |op: &str| all().into_iter().fold(Case::new(op, 13), Case::with);
        fold("Sum").gives(&[f32s(&[2, 2], &[9.0, 10.0, 12.0, 13.0])]);
        fold("Mean").gives(&[f32s(&[2, 2], &[3.0, 10.0 / 3.0, 4.0, 13.0 / 3.0])]);
        fold("Max").gives(&[f32s(&[2, 2], &[6.0; 4])]);
        fold("Min").gives(&[f32s(&[2, 2], &[1.0, 1.0, 2.0, 3.0])]);
    }

    proptest! {
        #![proptest_config(cases(64))]
        #[test]
        fn two_operands_round_once(op in prop::sample::select(vec!["Add", "Sub", "Mul", "Div"]), n in 1usize..300, left: bool, seed: u64) {
            let (a, b) = (random(&[n], seed, -8.0, 8.0), random(&[if left { n } else { 1 }], !seed, -3.0, 3.0));
            Case::new(op, 14).with(a).with(b).check();
        }

        #[test]
        fn functions_of_one_operand_stay_in_their_bound(
            (op, low, high) in prop::sample::select(vec![
                ("Neg", -9.0, 9.0), ("Abs", -9.0, 9.0), ("Sqrt", 0.0, 9.0), ("Reciprocal", 0.1, 9.0), ("Exp", -90.0, 60.0), ("Exp", -2.0, 2.0),
                ("Log", 0.0, 9.0), ("Log", 0.999, 1.001), ("Erf", -4.0, 4.0)]),
            n in 1usize..400, seed: u64,
        ) {
            Case::new(op, 13).with(random(&[n], seed, low, high)).check();
        }

        #[test]
        fn powers_stay_in_their_bound(n in 1usize..200, low in prop::sample::select(vec![0.1f32, 0.9]), exponent in prop::sample::select(vec![2.0f32, 3.0, 0.5, -1.0, -2.5, 7.3]), seed: u64) {
            Case::new("Pow", 15).with(random(&[n], seed, low, 3.0)).with(f32s(&[], &[exponent])).check();
        }
    }
}
