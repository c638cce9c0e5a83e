//! quantised_product: products of matrices and convolutions on integers that stand for numbers.

use super::super::call::Call;
use super::super::value::Value;
use super::common::{along, done};
use super::quantise::{Grid, onto, to_half};
use super::window::{Window, framed, spatial};
use super::{Op, Scale, op, values};
use parity::error::{Error, Result};
use parity::floor::Alone::Rounds;
use tch::{Kind, Tensor};

/// Integers with the zero point taken off, as f64, which holds every product and sum of them exactly.
fn centred(x: &Tensor, zero: Option<&Tensor>, at: Option<usize>) -> Result<Tensor> {
    done(|| {
        let wide = x.f_to_kind(Kind::Double)?;
        match (zero, at) {
            (None, _) => Ok(wide),
            (Some(z), Some(at)) if z.numel() > 1 && z.dim() == 1 => wide.f_sub(
                &z.f_to_kind(Kind::Double)?
                    .f_reshape(along(x.dim(), at, -1))?,
            ),
            (Some(z), _) if z.numel() == 1 => {
                wide.f_sub(&z.f_to_kind(Kind::Double)?.f_reshape([0i64; 0])?)
            }
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
    let (a, b) = (
        centred(a, call.optional(2), last_but(a, 2))?,
        centred(b, call.optional(3), last_but(b, 1))?,
    );
    done(|| Ok(vec![a.f_matmul(&b)?.f_to_kind(Kind::Int)?]))
}

/// y = saturate(round(product·(scales)) + zero point).
fn requantised(call: &Call, scaled: &Tensor) -> Result<Vec<Value>> {
    let grid = Grid::of(call.value(7)?)?;
    let (low, high) = grid
        .range()
        .ok_or_else(|| Error::failed("a zero point of floats is not supported"))?;
    Ok(vec![grid.value(onto(
        scaled,
        call.optional(7),
        low,
        high,
    )?)?])
}

/// The product of matrices before it is rounded.
fn matmul_scaled(call: &Call) -> Result<Tensor> {
    let (a, b) = (call.input(0)?, call.input(3)?);
    let (wa, wb) = (
        centred(a, call.optional(2), last_but(a, 2))?,
        centred(b, call.optional(5), last_but(b, 1))?,
    );
    done(|| {
        let factor = call_scale(call, 1)?
            .f_mul(&call_scale(call, 4)?)?
            .f_div(&call_scale(call, 6)?)?;
        wa.f_matmul(&wb)?.f_mul(&factor)
    })
}

/// Scale input `i` as f64.
fn call_scale(call: &Call, i: usize) -> std::result::Result<Tensor, tch::TchError> {
    let t = call
        .input(i)
        .map_err(|e| tch::TchError::Kind(e.message))?
        .f_to_kind(Kind::Double)?;
    if t.numel() == 1 {
        t.f_reshape([0i64; 0])
    } else {
        Ok(t)
    }
}

/// The convolution of centred integers, exact.
fn integer_conv(call: &Call, x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let dims = spatial(x)?;
    let window = Window::of(call, &dims, super::conv::weight_kernel(call, w, &dims)?)?;
    let groups = call.int("group", 1)?.max(1);
    let bias = bias
        .map(|b| done(|| b.f_to_kind(Kind::Double)))
        .transpose()?;
    done(|| {
        let x = framed(x, &window.before, &window.after, 0.0)?;
        let none = vec![0; dims.len()];
        x.f_convolution(
            w,
            bias.as_ref(),
            &window.stride,
            &none,
            &window.dilation,
            false,
            &none,
            groups,
        )
    })
}

fn conv_integer(call: &Call) -> Result<Vec<Tensor>> {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let (x, w) = (
        centred(x, call.optional(2), None)?,
        centred(w, call.optional(3), Some(0))?,
    );
    let y = integer_conv(call, &x, &w, None)?;
    done(|| Ok(vec![y.f_to_kind(Kind::Int)?]))
}

/// The convolution before it is rounded.
fn conv_scaled(call: &Call) -> Result<Tensor> {
    let (x, w) = (call.input(0)?, call.input(3)?);
    let (cx, cw) = (
        centred(x, call.optional(2), None)?,
        centred(w, call.optional(5), Some(0))?,
    );
    let y = integer_conv(call, &cx, &cw, call.optional(8))?;
    done(|| {
        let own = call_scale(call, 4)?;
        let own = if own.numel() > 1 {
            own.f_reshape(along(y.dim(), 1, -1))?
        } else {
            own
        };
        y.f_mul(
            &call_scale(call, 1)?
                .f_mul(&own)?
                .f_div(&call_scale(call, 6)?)?,
        )
    })
}

pub const OPS: &[Op] = &[
    op("MatMulInteger", 10, matmul_integer, Scale::Exact),
    values(
        "QLinearMatMul",
        10,
        |c| requantised(c, &matmul_scaled(c)?),
        Scale::Decision(Rounds, |c, _, a, b| to_half(c, a, b, matmul_scaled)),
    ),
    op("ConvInteger", 10, conv_integer, Scale::Exact),
    values(
        "QLinearConv",
        10,
        |c| requantised(c, &conv_scaled(c)?),
        Scale::Decision(Rounds, |c, _, a, b| to_half(c, a, b, conv_scaled)),
    ),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, bits, cases, cast, random, whole};
    use parity::tensor::{DType, Tensor};
    use proptest::prelude::*;

    #[test]
    fn products_of_integers_are_exact() {
        let (a, b) = (
            Tensor::of(&[1, 2], &[255u8, 3]),
            Tensor::of(&[2, 1], &[-128i8, 7]),
        );
        Case::new("MatMulInteger", 10)
            .with(a)
            .with(b)
            .with(Tensor::of(&[], &[5u8]))
            .gives(&[Tensor::of(&[1, 1], &[-32014i32])]);
        let x = Tensor::of(&[1, 1, 3], &[2u8, 3, 4]);
        let conv = Case::new("ConvInteger", 10)
            .with(x)
            .with(Tensor::of(&[1, 1, 2], &[1u8, 1]))
            .with(Tensor::of(&[], &[1u8]));
        conv.gives(&[Tensor::of(&[1, 1, 2], &[3i32, 5])]);
    }

    fn byte() -> impl Strategy<Value = DType> {
        prop::sample::select(vec![DType::U8, DType::I8])
    }

    fn scale(shape: &[usize], seed: u64) -> Tensor {
        random(shape, seed, 0.01, 0.1)
    }

    /// A zero point, one or along an axis, near the middle of its range.
    fn zero(dtype: DType, shape: &[usize], seed: u64) -> Tensor {
        let middle = if dtype == DType::U8 { 128 } else { 0 };
        cast(&whole(shape, seed, middle - 9, middle + 9), dtype)
    }

    proptest! {
        #![proptest_config(cases(96))]
        #[test]
        fn integer_products_agree(batch in prop::option::of(1usize..3), m in 1usize..6, k in 1usize..40, n in 1usize..6, a in byte(), b in byte(), zeros in 0usize..4, column: bool, seed: u64) {
            let lead = |rest: [usize; 2]| batch.into_iter().chain(rest).collect::<Vec<_>>();
            let case = Case::new("MatMulInteger", 10).with(bits(a, &lead([m, k]), seed)).with(bits(b, &lead([k, n]), !seed));
            let case = if zeros > 0 { case.with(zero(a, &[], seed ^ 1)) } else { case };
            let columns: &[usize] = if column && batch.is_none() { &[n] } else { &[] };
            if zeros > 1 { case.with(zero(b, columns, seed ^ 2)).check() } else { case.check() };
        }

        #[test]
        fn quantised_products_agree(batch in prop::option::of(1usize..3), m in 1usize..6, k in 1usize..40, n in 1usize..6, a in byte(), b in byte(), column: bool, seed: u64) {
            let lead = |rest: [usize; 2]| batch.into_iter().chain(rest).collect::<Vec<_>>();
            // ONNX Runtime has no kernel for signed times unsigned.
            let b = if a == DType::I8 { a } else { b };
            let columns: &[usize] = if column && batch.is_none() { &[n] } else { &[] };
            let case = Case::new("QLinearMatMul", 10).with(bits(a, &lead([m, k]), seed)).with(scale(&[], seed ^ 1)).with(zero(a, &[], seed ^ 2));
            let case = case.with(bits(b, &lead([k, n]), !seed)).with(scale(columns, seed ^ 3)).with(zero(b, columns, seed ^ 4));
            case.with(random(&[], seed ^ 5, 0.2, 2.0)).with(zero(a, &[], seed ^ 6)).check();
        }

        #[test]
        fn convolutions_of_integers_agree(
            quantised: bool, rank in 1usize..3, group in 1usize..3, channels in 1usize..5, out in 1usize..4, kernel in 1usize..4, stride in 1i64..3, dilation in 1i64..3, pads in (0i64..3, 0i64..3),
            bias: bool, own: bool, signed: bool, seed: u64,
        ) {
            let (x, w) = ([&[2, group * channels][..], &[7, 8][..rank]].concat(), [&[group * out, channels][..], &[kernel, kernel][..rank]].concat());
            // ONNX Runtime has signed inputs only with signed weights.
            let (a, b) = if signed { (DType::I8, DType::I8) } else { (DType::U8, if seed % 2 == 0 { DType::U8 } else { DType::I8 }) };
            let placed = |case: Case| case.int("group", group as i64).ints("strides", &vec![stride; rank]).ints("dilations", &vec![dilation; rank]).ints("pads", &[vec![pads.0; rank], vec![pads.1; rank]].concat());
            let along: &[usize] = if own { &[group * out] } else { &[] };
            if quantised {
                let case = Case::new("QLinearConv", 10).with(bits(a, &x, seed)).with(scale(&[], seed ^ 1)).with(zero(a, &[], seed ^ 2));
                let case = case.with(bits(b, &w, !seed)).with(scale(along, seed ^ 3)).with(zero(b, &[], seed ^ 4));
                let case = case.with(random(&[], seed ^ 5, 0.2, 2.0)).with(zero(a, &[], seed ^ 6));
                let case = if bias { case.with(cast(&whole(&[group * out], seed ^ 7, -5000, 5000), DType::I32)) } else { case };
                placed(case).check();
            } else {
                // ONNX Runtime takes no signed input here.
                let case = Case::new("ConvInteger", 10).with(bits(DType::U8, &x, seed)).with(bits(DType::U8, &w, !seed));
                placed(case.with(zero(DType::U8, &[], seed ^ 2)).with(zero(DType::U8, &[], seed ^ 4))).check();
            }
        }
    }
}
