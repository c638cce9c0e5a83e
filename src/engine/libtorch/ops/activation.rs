//! activation: the non-linear functions between layers.

use super::super::call::Call;
use super::common::{Torch, float, number, one, scaled};
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Alone::Function;
use parity::floor::Family::{Arithmetic, Transcendental};
use tch::Tensor;

/// `x` where it is positive, else `negative`, which must be finite for every x so that the gradient is.
fn above_zero(x: &Tensor, negative: &Tensor) -> Torch {
    x.f_where_self(&x.f_ge(0)?, negative)
}

fn leaky_relu(call: &Call) -> Result<Vec<Tensor>> {
    let (x, alpha) = (float(call, 0)?, call.float("alpha", 0.01)?);
    one(x.f_mul_scalar(alpha).and_then(|low| above_zero(x, &low)))
}

fn prelu(call: &Call) -> Result<Vec<Tensor>> {
    let x = number(call, 0)?;
    one(x.f_mul(call.input(1)?).and_then(|low| above_zero(x, &low)))
}

/// α(eˣ − 1) below zero; e to the power of a positive x is not even computed.
fn exponential(x: &Tensor, alpha: f64) -> Torch {
    above_zero(x, &x.f_clamp_max(0)?.f_expm1()?.f_mul_scalar(alpha)?)
}

fn elu(call: &Call) -> Result<Vec<Tensor>> {
    one(exponential(float(call, 0)?, call.float("alpha", 1.0)?))
}

fn selu(call: &Call) -> Result<Vec<Tensor>> {
    let (alpha, gamma) = (
        call.float("alpha", 1.673_263_2)?,
        call.float("gamma", 1.050_701)?,
    );
    one(exponential(float(call, 0)?, alpha).and_then(|y| y.f_mul_scalar(gamma)))
}

/// As ln(e⁰ + eˣ): neither overflow nor cancellation, and a derivative of ½ at 0, which max(x, 0) + ln(1 + e^−|x|) does not have.
fn softplus(call: &Call) -> Result<Vec<Tensor>> {
    let x = float(call, 0)?;
    one(x.f_zeros_like().and_then(|zero| zero.f_logaddexp(x)))
}

fn softsign(call: &Call) -> Result<Vec<Tensor>> {
    let x = float(call, 0)?;
    one(x.f_abs().and_then(|a| x.f_div(&a.f_add_scalar(1)?)))
}

fn hard(x: &Tensor, alpha: f64, beta: f64) -> Torch {
    x.f_mul_scalar(alpha)?.f_add_scalar(beta)?.f_clamp(0, 1)
}

fn hard_sigmoid(call: &Call) -> Result<Vec<Tensor>> {
    one(hard(
        float(call, 0)?,
        call.float("alpha", 0.2)?,
        call.float("beta", 0.5)?,
    ))
}

fn hard_swish(call: &Call) -> Result<Vec<Tensor>> {
    one(float(call, 0)?.f_hardswish())
}

fn gelu(call: &Call) -> Result<Vec<Tensor>> {
    let approximate = call.text("approximate", "none")?;
    match approximate.as_str() {
        "none" | "tanh" => one(float(call, 0)?.f_gelu(&approximate)),
        other => Err(Error::usage(format!(
            "attribute 'approximate' should be none or tanh, is '{other}'"
        ))),
    }
}

fn celu(call: &Call) -> Result<Vec<Tensor>> {
    let (x, alpha) = (float(call, 0)?, call.float("alpha", 1.0)?);
    one(x
        .f_div_scalar(alpha)
        .and_then(|scaled| above_zero(x, &scaled.f_clamp_max(0)?.f_expm1()?.f_mul_scalar(alpha)?)))
}

/// x·sigmoid(αx)
fn swish(call: &Call) -> Result<Vec<Tensor>> {
    let (x, alpha) = (float(call, 0)?, call.float("alpha", 1.0)?);
    one(x.f_mul_scalar(alpha).and_then(|a| x.f_mul(&a.f_sigmoid()?)))
}

fn threshold(call: &Call) -> Result<Vec<Tensor>> {
    let (x, alpha) = (float(call, 0)?, call.float("alpha", 1.0)?);
    one(x
        .f_gt(alpha)
        .and_then(|above| x.f_where_self(&above, &x.f_zeros_like()?)))
}

/// x + bias below −λ, x − bias above λ, 0 between; integers stay integers.
fn shrink(call: &Call) -> Result<Vec<Tensor>> {
    let (x, bias, lambda) = (
        call.input(0)?,
        call.float("bias", 0.0)?,
        call.float("lambd", 0.5)?,
    );
    let kind = if super::common::is_float(x) {
        x.kind()
    } else {
        tch::Kind::Double
    };
    let shrunk = || {
        let wide = x.f_to_kind(kind)?;
        let (low, high) = (wide.f_lt(-lambda)?, wide.f_gt(lambda)?);
        let outer = wide
            .f_sub_scalar(bias)?
            .f_where_self(&high, &wide.f_zeros_like()?)?;
        wide.f_add_scalar(bias)?
            .f_where_self(&low, &outer)?
            .f_to_kind(x.kind())
    };
    one(shrunk())
}

/// |x| + |bias|: what is lost when the two cancel.
fn shrink_scale(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let bias = call.float("bias", 0.0)?.abs();
    scaled(
        call.input(0)?
            .f_to_kind(tch::Kind::Double)
            .and_then(|x| x.f_abs()?.f_add_scalar(bias)),
        1,
    )
}

/// Distance from the threshold.
fn from_threshold(call: &Call, _: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let alpha = call.float("alpha", 1.0)?;
    let distance =
        super::common::f64_of(call.input(0)?).and_then(|x| x.f_sub_scalar(alpha)?.f_abs());
    super::common::largest_where_different(distance, reference, candidate)
}

/// 1 where the largest element of the axis is (the first of equals), 0 elsewhere; before opset 13 over all axes from the stated one on.
fn hardmax(call: &Call) -> Result<Vec<Tensor>> {
    let (x, at) = super::normalise::soft_view(call)?;
    one((|| {
        let best = x.f_argmax(at, true)?;
        x.f_zeros_like()?
            .f_scatter_value(at, &best, 1)?
            .f_reshape(call.input(0).map_or(vec![], |x| x.size()))
    })())
}

/// Distance of each element from the largest of its axis.
fn from_largest(call: &Call, _: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let (x, at) = super::normalise::soft_view(call)?;
    let distance = (|| x.f_amax(at, true)?.f_sub(&x)?.f_reshape(reference.size()))();
    super::common::largest_where_different(distance, reference, candidate)
}

fn mish(call: &Call) -> Result<Vec<Tensor>> {
    one(float(call, 0)?.f_mish())
}

/// |αx| + |β|: before the clip. Nothing where αx + β is so far outside that no rounding brings it back: the clip gives 0 or 1, of ±∞ too.
fn line(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let (alpha, beta) = (call.float("alpha", 0.2)?, call.float("beta", 0.5)?);
    let size = || {
        let slope = float(call, 0)
            .map_err(|e| tch::TchError::Kind(e.message))?
            .f_mul_scalar(alpha)?
            .f_clamp(-1e60, 1e60)?;
        let size = slope.f_abs()?.f_add_scalar(beta.abs())?;
        let outside = slope
            .f_add_scalar(beta - 0.5)?
            .f_abs()?
            .f_sub_scalar(0.5)?
            .f_gt_tensor(&size.f_div_scalar(64)?)?;
        size.f_masked_fill(&outside, 0)
    };
    scaled(size(), 1)
}

fn line_times_x(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    scaled(
        float(call, 0)?
            .f_abs()
            .and_then(|x| x.f_div_scalar(6)?.f_add_scalar(0.5)?.f_mul(&x)),
        1,
    )
}

fn size_of_input(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    scaled(float(call, 0)?.f_abs(), 1)
}

/// |y| + the height of the curve below zero, where engines subtract 1 from eˣ.
fn curve(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let height = match call.node.op.as_str() {
        "Elu" | "Celu" => call.float("alpha", 1.0)?,
        _ => 1.7581,
    };
    let below = || call.input(0).map(|x| x.f_lt(0));
    scaled(
        below()?.and_then(|b| {
            outputs[0]
                .f_abs()?
                .f_add(&b.f_to_kind(tch::Kind::Double)?.f_mul_scalar(height.abs())?)
        }),
        1,
    )
}

/// 1 + |y|: engines compute ln(1 + eˣ) with the sum rounded.
fn one_more(_: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    scaled(outputs[0].f_abs().and_then(|y| y.f_add_scalar(1)), 1)
}

pub const OPS: &[Op] = &[
    op("Relu", 6, |c| one(number(c, 0)?.f_relu()), Scale::Exact),
    op("LeakyRelu", 6, leaky_relu, Scale::Output(Arithmetic)),
    op("PRelu", 7, prelu, Scale::Output(Arithmetic)),
    op(
        "Sigmoid",
        6,
        |c| one(float(c, 0)?.f_sigmoid()),
        Scale::One(Transcendental),
    ),
    op(
        "Tanh",
        6,
        |c| one(float(c, 0)?.f_tanh()),
        Scale::One(Transcendental),
    ),
    op("HardSigmoid", 6, hard_sigmoid, Scale::By(Arithmetic, line)),
    op(
        "HardSwish",
        14,
        hard_swish,
        Scale::By(Arithmetic, line_times_x),
    ),
    op("Elu", 6, elu, Scale::By(Transcendental, curve)),
    op("Selu", 6, selu, Scale::By(Transcendental, curve)),
    op("Softplus", 1, softplus, Scale::By(Transcendental, one_more)),
    op("Softsign", 1, softsign, Scale::Output(Arithmetic)),
    op("Gelu", 20, gelu, Scale::By(Transcendental, size_of_input)),
    op("Celu", 12, celu, Scale::By(Transcendental, curve)),
    op("Swish", 24, swish, Scale::By(Transcendental, size_of_input)),
    op(
        "ThresholdedRelu",
        10,
        threshold,
        Scale::Selection(Function, from_threshold),
    ),
    op("Shrink", 9, shrink, Scale::By(Arithmetic, shrink_scale)),
    op(
        "Hardmax",
        1,
        hardmax,
        Scale::Selection(Function, from_largest),
    ),
    op("Mish", 18, mish, Scale::By(Transcendental, size_of_input)),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, bools, cases, cast, f32s, random};
    use parity::tensor::DType;
    use proptest::prelude::*;

    #[test]
    fn the_corners_are_where_the_attributes_put_them() {
        let x = || f32s(&[5], &[-8.0, -1.0, 0.0, 1.0, 8.0]);
        Case::new("Relu", 14)
            .with(x())
            .gives(&[f32s(&[5], &[0.0, 0.0, 0.0, 1.0, 8.0])]);
        Case::new("LeakyRelu", 16)
            .with(x())
            .float("alpha", 0.5)
            .gives(&[f32s(&[5], &[-4.0, -0.5, 0.0, 1.0, 8.0])]);
        Case::new("PRelu", 16)
            .with(x())
            .with(f32s(&[1], &[0.25]))
            .gives(&[f32s(&[5], &[-2.0, -0.25, 0.0, 1.0, 8.0])]);
        Case::new("HardSigmoid", 6)
            .with(x())
            .float("alpha", 0.25)
            .gives(&[f32s(&[5], &[0.0, 0.25, 0.5, 0.75, 1.0])]);
        Case::new("HardSwish", 14)
            .with(f32s(&[3], &[-3.0, 0.0, 3.0]))
            .gives(&[f32s(&[3], &[0.0, 0.0, 3.0])]);
        Case::new("Softsign", 1)
            .with(x())
            .gives(&[f32s(&[5], &[-8.0 / 9.0, -0.5, 0.0, 0.5, 8.0 / 9.0])]);
    }

    #[test]
    fn integers_have_the_corners_that_floats_have() {
        let x = |dtype| cast(&f32s(&[4], &[-8.0, -1.0, 0.0, 7.0]), dtype);
        for dtype in [DType::I8, DType::I32] {
            let want = cast(&f32s(&[4], &[0.0, 0.0, 0.0, 7.0]), dtype);
            Case::new("Relu", 14).with(x(dtype)).gives(&[want]);
        }
        for dtype in [DType::I32, DType::I64] {
            let slope = cast(&f32s(&[1], &[3.0]), dtype);
            let want = cast(&f32s(&[4], &[-24.0, -3.0, 0.0, 7.0]), dtype);
            Case::new("PRelu", 16)
                .with(x(dtype))
                .with(slope)
                .gives(&[want]);
        }
        Case::new("Relu", 14)
            .with(bools(&[2], &[0, 1]))
            .refused("should be numbers");
    }

    #[test]
    fn an_unknown_approximation_is_refused() {
        Case::new("Gelu", 20)
            .with(f32s(&[1], &[1.0]))
            .text("approximate", "erf")
            .refused("none or tanh");
        Case::new("Relu", 14)
            .with(f32s(&[1], &[1.0]))
            .float("alpha", 1.0)
            .refused("'alpha' is not understood");
    }

    proptest! {
        #![proptest_config(cases(96))]
        #[test]
        fn activations_stay_in_their_bound(
            op in prop::sample::select(vec!["Relu", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Elu", "Selu", "Softplus", "Softsign", "Gelu", "Mish"]),
            n in 1usize..400, wide in prop::sample::select(vec![0.01f32, 3.0, 30.0]), seed: u64,
        ) {
            Case::new(op, 20).with(random(&[n], seed, -wide, wide)).check();
        }

        #[test]
        fn the_tanh_gelu_and_prelu_stay_in_their_bound(n in 1usize..100, wide in prop::sample::select(vec![0.01f32, 6.0]), seed: u64) {
            Case::new("Gelu", 20).with(random(&[n], seed, -wide, wide)).text("approximate", "tanh").check();
            Case::new("PRelu", 16).with(random(&[2, n, 3], seed, -wide, wide)).with(random(&[n, 1], !seed, -1.0, 1.0)).check();
        }
    }
}
