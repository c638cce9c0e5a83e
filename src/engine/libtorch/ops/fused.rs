//! fused: com.microsoft's pieces of networks that optimisers and exporters write as one node: gelus, products, convolutions, norms.

use super::super::call::Call;
use super::super::convert::torch_error;
use super::common::{Torch, beyond, count, done, float, one, scaled};
use super::{Kernel, Op, Scale, alike, conv, normalise};
use parity::error::{Error, Result};
use parity::floor::Family::{Convolution, Matmul, Normalisation, Transcendental};
use tch::Tensor;

/// Input 0, and input 1 added where it is given.
fn biased(call: &Call) -> Result<Tensor> {
    let x = float(call, 0)?;
    match call.optional(1) {
        Some(b) => done(|| x.f_add(b)),
        None => Ok(x.shallow_clone()),
    }
}

/// |x| + |b|: the sum is rounded, and the curve is nowhere much steeper than 1.
fn sum_of_sizes(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let bias = call.optional(1).map(|b| done(|| b.f_abs())).transpose()?;
    let x = float(call, 0)?.f_abs();
    scaled(
        x.and_then(|x| bias.map_or_else(|| Ok(x.shallow_clone()), |b| x.f_add(&b))),
        1,
    )
}

/// x·sigmoid(αx)
fn quick_gelu(call: &Call) -> Result<Vec<Tensor>> {
    let (x, alpha) = (float(call, 0)?, call.float("alpha", 1.702)?);
    one(x.f_mul_scalar(alpha).and_then(|a| x.f_mul(&a.f_sigmoid()?)))
}

/// (1 + |α|)·|x|: the slope of the sigmoid's argument.
fn quick_scale(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let alpha = call.float("alpha", 1.702)?.abs();
    scaled(
        float(call, 0)?
            .f_abs()
            .and_then(|x| x.f_mul_scalar(1.0 + alpha)),
        1,
    )
}

/// α·A·B with either turned.
fn product(call: &Call, a: &Tensor, b: &Tensor, alpha: f64) -> Torch {
    let turned = |t: &Tensor, name: &str| match call
        .int(name, 0)
        .map_err(|e| tch::TchError::Kind(e.message))?
    {
        0 => Ok(t.shallow_clone()),
        _ => t.f_transpose(-2, -1),
    };
    turned(a, "transA")?
        .f_matmul(&turned(b, "transB")?)?
        .f_mul_scalar(alpha)
}

fn fused_matmul(call: &Call) -> Result<Vec<Tensor>> {
    for name in ["transBatchA", "transBatchB"] {
        if call.int(name, 0)? != 0 {
            return Err(Error::failed(format!(
                "attribute '{name}' is not supported"
            )));
        }
    }
    one(product(
        call,
        float(call, 0)?,
        float(call, 1)?,
        call.float("alpha", 1.0)?,
    ))
}

/// |α||A|·|B|
fn product_scale(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let back = if call.int("transA", 0)? == 0 { 1 } else { 2 };
    let k = a.size().iter().rev().nth(back - 1).copied().unwrap_or(1) as usize;
    let alpha = call.float("alpha", 1.0)?.abs();
    let size = done(|| product(call, &a.f_abs()?, &b.f_abs()?, alpha))?;
    let sum = |c: &Call| {
        let (a, b) = (c.input(0)?, c.input(1)?);
        done(|| product(c, a, b, 1.0))
    };
    Ok(vec![(
        alike::scaled(call, (Matmul, k), size, &[0, 1], &sum)?,
        k,
    )])
}

/// The function behind a fused convolution.
struct Activation {
    name: String,
    numbers: Vec<f64>,
}

impl Activation {
    fn of(call: &Call) -> Result<Self> {
        let name = call.text("activation", "")?;
        let needed = match name.as_str() {
            "" | "Relu" | "Tanh" | "Sigmoid" => 0,
            "LeakyRelu" => 1,
            "Clip" | "HardSigmoid" => 2,
            other => {
                return Err(Error::failed(format!(
                    "activation '{other}' is not supported"
                )));
            }
        };
        let numbers = call.floats_if("activation_params")?.unwrap_or_default();
        if numbers.len() < needed {
            return Err(Error::usage(format!(
                "activation '{name}' takes {needed} activation_params, has {}",
                numbers.len()
            )));
        }
        Ok(Self { name, numbers })
    }

    fn on(&self, x: &Tensor) -> Torch {
        match (self.name.as_str(), self.numbers.as_slice()) {
            ("Relu", _) => x.f_relu(),
            ("Tanh", _) => x.f_tanh(),
            ("Sigmoid", _) => x.f_sigmoid(),
            ("LeakyRelu", [alpha, ..]) => x.f_where_self(&x.f_ge(0)?, &x.f_mul_scalar(*alpha)?),
            ("Clip", [low, high, ..]) => x.f_clamp(*low, *high),
            ("HardSigmoid", [alpha, beta, ..]) => {
                x.f_mul_scalar(*alpha)?.f_add_scalar(*beta)?.f_clamp(0, 1)
            }
            _ => Ok(x.shallow_clone()),
        }
    }

    /// How much steeper than 1 it can be, and what its own rounding is measured by.
    fn slope(&self) -> (f64, f64) {
        match (self.name.as_str(), self.numbers.as_slice()) {
            ("Tanh" | "Sigmoid", _) => (1.0, 1.0),
            ("LeakyRelu", [alpha, ..]) => (alpha.abs().max(1.0), 0.0),
            ("HardSigmoid", [alpha, beta, ..]) => (alpha.abs(), beta.abs()),
            _ => (1.0, 0.0),
        }
    }
}

/// The convolution with what is added behind it.
fn summed(call: &Call) -> Result<Tensor> {
    let y = conv::conv(call)?.remove(0);
    match call.optional(3) {
        Some(z) => done(|| y.f_add(z)),
        None => Ok(y),
    }
}

fn fused_conv(call: &Call) -> Result<Vec<Tensor>> {
    let activation = Activation::of(call)?;
    one(activation.on(&summed(call)?))
}

/// The sum on absolute values, as steep as the activation makes it.
fn conv_scale(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let size = |t: &Option<Tensor>| t.as_ref().map(|t| done(|| t.f_abs())).transpose();
    let sizes = call.with_inputs(call.inputs().iter().map(size).collect::<Result<_>>()?);
    let (steep, own) = Activation::of(call)?.slope();
    let k = conv::terms(call)? + call.optional(3).is_some() as usize;
    let size = alike::scaled(call, (Convolution, k), summed(&sizes)?, &[0, 1], &summed)?;
    scaled(
        size.f_mul_scalar(steep).and_then(|s| s.f_add_scalar(own)),
        k,
    )
}

/// Input, skip and bias as one sum, of their sizes where `sizes`.
fn residual(call: &Call, sizes: bool) -> Result<Tensor> {
    let own = |t: &Tensor| {
        if sizes {
            t.f_abs()
        } else {
            Ok(t.shallow_clone())
        }
    };
    let (x, skip) = (float(call, 0)?, call.input(1)?);
    let sum = done(|| own(x)?.f_add(&own(skip)?))?;
    match call.optional(4) {
        Some(b) => done(|| sum.f_add(&own(b)?)),
        None => Ok(sum),
    }
}

fn skip_layer_norm(call: &Call) -> Result<Vec<Tensor>> {
    let (sum, eps) = (residual(call, false)?, call.float("epsilon", 1e-12)?);
    let (y, mean, inverse) = normalise::standard(&sum, 1, eps).map_err(torch_error)?;
    Ok(vec![
        normalise::affine(&y, call.input(2)?, call.optional(3)).map_err(torch_error)?,
        mean,
        inverse,
        sum,
    ])
}

/// As for LayerNormalization, of the sizes that are summed.
fn skip_scale(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let (sum, size, eps) = (
        residual(call, false)?,
        residual(call, true)?,
        call.float("epsilon", 1e-12)?,
    );
    let shift = call.optional(3).map(|b| done(|| b.f_abs())).transpose()?;
    let k = count(&sum.size()[sum.dim().saturating_sub(1)..])? as usize;
    let (y, mean, inverse) = done(|| {
        let (y, _, inverse) = normalise::standard(&sum, 1, eps)?;
        let mean = size.f_mean_dim(-1, true, None)?;
        let lost = size
            .f_square()?
            .f_mean_dim(-1, true, None)?
            .f_mul(&inverse.f_square()?)?;
        let beyond = beyond(&sum, &[-1])?;
        let own = size
            .f_add(&mean)?
            .f_mul(&inverse)?
            .f_add(&y.f_abs()?.f_mul(&lost)?)?
            .f_add(&beyond)?;
        Ok((
            own,
            mean,
            inverse.f_mul(&lost.f_add_scalar(1)?)?.f_add(&beyond)?,
        ))
    })?;
    let gain = call.input(2)?;
    let y = done(|| normalise::affine(&y, &gain.f_abs()?, shift.as_ref()))?;
    Ok(vec![(y, k), (mean, k), (inverse, k), (size, 3)])
}

/// A registry line of com.microsoft.
pub const fn microsoft(
    name: &'static str,
    kernel: fn(&Call) -> Result<Vec<Tensor>>,
    scale: Scale,
) -> Op {
    Op {
        domain: "com.microsoft",
        name,
        since: 1,
        kernel: Kernel::Tensors(kernel),
        scale,
    }
}

pub const OPS: &[Op] = &[
    microsoft(
        "Gelu",
        |c| one(float(c, 0)?.f_gelu("none")),
        Scale::By(Transcendental, sum_of_sizes),
    ),
    microsoft(
        "BiasGelu",
        |c| one(biased(c)?.f_gelu("none")),
        Scale::By(Transcendental, sum_of_sizes),
    ),
    microsoft(
        "FastGelu",
        |c| one(biased(c)?.f_gelu("tanh")),
        Scale::By(Transcendental, sum_of_sizes),
    ),
    microsoft(
        "QuickGelu",
        quick_gelu,
        Scale::By(Transcendental, quick_scale),
    ),
    microsoft(
        "FusedMatMul",
        fused_matmul,
        Scale::By(Matmul, product_scale),
    ),
    microsoft("FusedConv", fused_conv, Scale::By(Convolution, conv_scale)),
    microsoft(
        "SkipLayerNormalization",
        skip_layer_norm,
        Scale::By(Normalisation, skip_scale),
    ),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, random};
    use parity::graph::Attribute;
    use proptest::prelude::*;

    fn case(op: &str) -> Case {
        Case::new(op, 1).of("com.microsoft")
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let conv = || {
            case("FusedConv")
                .with(random(&[1, 1, 3, 3], 1, -1.0, 1.0))
                .with(random(&[1, 1, 1, 1], 2, -1.0, 1.0))
        };
        conv()
            .text("activation", "Softplus")
            .refused("'Softplus' is not supported");
        conv()
            .text("activation", "Clip")
            .refused("takes 2 activation_params, has 0");
        let product = case("FusedMatMul")
            .with(random(&[1, 2, 3], 1, -1.0, 1.0))
            .with(random(&[1, 3, 2], 2, -1.0, 1.0));
        product
            .int("transBatchA", 1)
            .refused("'transBatchA' is not supported");
    }

    #[test]
    fn a_skip_is_added_before_the_norm() {
        let x = || f32s(&[1, 1, 2], &[1.0, 2.0]);
        let case = case("SkipLayerNormalization")
            .with(x())
            .with(f32s(&[1, 1, 2], &[1.0, 4.0]))
            .with(f32s(&[2], &[1.0, 1.0]));
        let y = case.with(f32s(&[2], &[0.0, 0.5])).check().remove(0);
        assert_eq!(y.to_f64(), [-1.0, 1.5]);
    }

    proptest! {
        #![proptest_config(cases(48))]
        #[test]
        fn gelus_stay_in_their_bound(n in 1usize..200, wide in prop::sample::select(vec![0.01f32, 3.0, 30.0]), bias: bool, seed: u64) {
            let x = || random(&[3, n], seed, -wide, wide);
            let b = || random(&[n], !seed, -1.0, 1.0);
            case("Gelu").with(x()).check();
            case("BiasGelu").with(x()).with(b()).check();
            case("QuickGelu").with(x()).check();
            let fast = case("FastGelu").with(x());
            if bias { fast.with(b()) } else { fast }.check();
        }

        #[test]
        fn fused_products_stay_in_their_bound(m in 1usize..12, k in 1usize..300, n in 1usize..12, a: bool, b: bool, alpha in -2f32..2.0, seed: u64) {
            let turned = |turn: bool, r, c| if turn { [2, c, r] } else { [2, r, c] };
            let x = random(&turned(a, m, k), seed, -1.0, 1.0);
            let case = case("FusedMatMul").with(x).with(random(&turned(b, k, n), !seed, -1.0, 1.0));
            case.int("transA", a as i64).int("transB", b as i64).float("alpha", alpha).check();
        }

        #[test]
        fn fused_convolutions_stay_in_their_bound(
            channels in 1usize..8, out in 1usize..6, kernel in 1usize..4, sum: bool,
            activation in prop::sample::select(vec![("Relu", vec![]), ("Tanh", vec![]), ("Sigmoid", vec![]), ("LeakyRelu", vec![0.1f32]), ("Clip", vec![-0.2, 0.4]), ("HardSigmoid", vec![0.2, 0.5])]),
            seed: u64,
        ) {
            let case = case("FusedConv").with(random(&[1, channels, 7, 6], seed, -1.0, 1.0)).with(random(&[out, channels, kernel, kernel], !seed, -1.0, 1.0));
            let case = case.with(random(&[out], seed ^ 1, -1.0, 1.0));
            let case = if sum { case.with(random(&[1, out, 8 - kernel, 7 - kernel], seed ^ 2, -1.0, 1.0)) } else { case };
            case.text("activation", activation.0).attribute("activation_params", Attribute::Floats(activation.1)).check();
        }

        #[test]
        fn norms_of_a_sum_stay_in_their_bound(rows in 1usize..5, n in 1usize..200, shift: bool, bias: bool, moved in prop::sample::select(vec![0f32, 5.0]), seed: u64) {
            let part = |i: u64, shape: &[usize]| random(shape, seed ^ i, moved - 1.0, moved + 1.0);
            let case = case("SkipLayerNormalization").with(part(0, &[2, rows, n])).with(part(1, &[2, rows, n])).with(part(2, &[n]));
            let case = if shift { case.with(part(3, &[n])) } else { case.without() };
            let case = if bias { case.with(part(4, &[n])) } else { case };
            case.float("epsilon", 1e-5).check();
        }
    }
}
