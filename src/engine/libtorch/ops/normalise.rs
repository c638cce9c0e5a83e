//! normalise: layer, instance and group normalisation, softmax, local response.

use super::super::call::Call;
use super::super::convert::torch_error;
use super::common::{Torch, UNDERFLOW, axis, beyond, count, float, one, scaled};
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Family::{Normalisation, Softmax};
use tch::{TchError, Tensor};

/// x moved and scaled to mean 0 and variance 1 over its last `trailing` axes, with the mean and 1/σ.
pub fn standard(
    x: &Tensor,
    trailing: usize,
    eps: f64,
) -> std::result::Result<(Tensor, Tensor, Tensor), TchError> {
    let dims = x.size();
    x.f_native_layer_norm(
        &dims[dims.len() - trailing..],
        None::<&Tensor>,
        None::<&Tensor>,
        eps,
    )
}

/// y·w + b
pub fn affine(y: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Torch {
    let y = y.f_mul(w)?;
    b.map_or_else(|| Ok(y.shallow_clone()), |b| y.f_add(b))
}

fn layer_norm(call: &Call) -> Result<Vec<Tensor>> {
    if call.int("stash_type", 1)? != 1 {
        return Err(Error::failed(
            "LayerNormalization with a stash_type other than f32 is not supported",
        ));
    }
    let (x, eps) = (call.input(0)?, call.float("epsilon", 1e-5)?);
    let trailing = x.dim() - axis(call.int("axis", -1)?, x.dim())?;
    let (y, mean, inverse) = standard(x, trailing, eps).map_err(torch_error)?;
    Ok(vec![
        affine(&y, call.input(1)?, call.optional(2)).map_err(torch_error)?,
        mean,
        inverse,
    ])
}

/// (|x| + mean|x| + |x − mean|·q)·|w|/σ + |b| for y, mean|x| for the mean, (1 + q)/σ for 1/σ, with q = mean(x²)/σ²: how much of the
/// variance is lost where it is computed as mean(x²) − mean(x)², as ONNX Runtime does.
fn layer_scale(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let (x, eps) = (call.input(0)?, call.float("epsilon", 1e-5)?);
    let trailing = x.dim() - axis(call.int("axis", -1)?, x.dim())?;
    let (w, b) = (call.input(1)?, call.optional(2));
    let sizes = || {
        let over: Vec<i64> = (1..=trailing as i64).map(|a| -a).collect();
        let (y, _, inverse) = standard(x, trailing, eps)?;
        let mean = x.f_abs()?.f_mean_dim(&over[..], true, None)?;
        let lost = x
            .f_square()?
            .f_mean_dim(&over[..], true, None)?
            .f_mul(&inverse.f_square()?)?;
        let b = b.map(|b| b.f_abs()).transpose()?;
        let beyond = beyond(x, &over)?;
        let size = x
            .f_abs()?
            .f_add(&mean)?
            .f_mul(&inverse)?
            .f_add(&y.f_abs()?.f_mul(&lost)?)?
            .f_add(&beyond)?;
        Ok((
            affine(&size, &w.f_abs()?, b.as_ref())?,
            mean,
            inverse.f_mul(&lost.f_add_scalar(1)?)?.f_add(&beyond)?,
        ))
    };
    let (y, mean, inverse) = sizes().map_err(torch_error)?;
    let k = count(&x.size()[x.dim() - trailing..])? as usize;
    Ok(vec![(y, k), (mean, k), (inverse, k)])
}

/// How Instance- and GroupNormalization see their input: number of groups, and a shape along which `w` and `b` lie.
struct Groups {
    flat: [i64; 3],
    affine: Vec<i64>,
    /// Shape in which the affine map is applied, where that is not the input's own.
    split: Vec<i64>,
    eps: f64,
}

fn groups(call: &Call) -> Result<Groups> {
    call.known("stash_type");
    let dims = call.input(0)?.size();
    let [n, c, spatial @ ..] = dims.as_slice() else {
        return Err(Error::usage(format!("{dims:?} has no channels")));
    };
    let groups = match call.node.op.as_str() {
        "InstanceNormalization" if *c > 0 => *c,
        _ => call
            .int_if("num_groups")?
            .filter(|g| *g > 0 && c % g == 0)
            .ok_or_else(|| Error::usage(format!("num_groups does not divide {c}")))?,
    };
    // Before opset 21 GroupNormalization has one weight per group.
    let per_group = call.node.op == "GroupNormalization" && call.opset < 21;
    let split = if per_group {
        [&[*n, groups, c / groups], spatial].concat()
    } else {
        dims.clone()
    };
    let lies = [vec![1, -1], vec![1; split.len() - 2]].concat();
    Ok(Groups {
        flat: [*n, groups, count(&[&[c / groups], spatial].concat())?],
        affine: lies,
        split,
        eps: call.float("epsilon", 1e-5)?,
    })
}

fn group_norm(call: &Call) -> Result<Vec<Tensor>> {
    let (x, w, b, g) = (
        call.input(0)?,
        call.input(1)?,
        call.input(2)?,
        groups(call)?,
    );
    let normed = || {
        let (y, _, _) = standard(&x.f_reshape(g.flat)?, 1, g.eps)?;
        affine(
            &y.f_reshape(&g.split)?,
            &w.f_reshape(&g.affine)?,
            Some(&b.f_reshape(&g.affine)?),
        )?
        .f_reshape(x.size())
    };
    one(normed())
}

fn group_scale(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let (x, w, b, g) = (
        call.input(0)?,
        call.input(1)?,
        call.input(2)?,
        groups(call)?,
    );
    let size = || {
        let x = x.f_reshape(g.flat)?;
        let (_, _, inverse) = standard(&x, 1, g.eps)?;
        let y = x
            .f_abs()?
            .f_add(&x.f_abs()?.f_mean_dim(-1, true, None)?)?
            .f_mul(&inverse)?;
        let y = y.f_add(&beyond(&x, &[-1])?)?.f_reshape(&g.split)?;
        affine(
            &y,
            &w.f_abs()?.f_reshape(&g.affine)?,
            Some(&b.f_abs()?.f_reshape(&g.affine)?),
        )?
        .f_reshape(call.input(0).map_or(vec![], |x| x.size()))
    };
    scaled(size(), g.flat[2] as usize)
}

/// The input and the axis over which it is to sum to 1; before opset 13 that is all axes from the stated one on, as one.
pub fn soft_view(call: &Call) -> Result<(Tensor, i64)> {
    let x = call.input(0)?;
    let dims = x.size();
    if call.opset >= 13 {
        return Ok((
            x.shallow_clone(),
            axis(call.int("axis", -1)?, dims.len())? as i64,
        ));
    }
    let at = call.int("axis", 1)?;
    let at = if at == dims.len() as i64 {
        dims.len()
    } else {
        axis(at, dims.len())?
    };
    let flat = [count(&dims[..at])?, count(&dims[at..])?];
    Ok((x.f_reshape(flat).map_err(torch_error)?, 1))
}

fn softmax(call: &Call) -> Result<Vec<Tensor>> {
    let (x, at) = soft_view(call)?;
    one(x
        .f_softmax(at, None)
        .and_then(|y| y.f_reshape(call.input(0).map_or(vec![], |x| x.size()))))
}

fn log_softmax(call: &Call) -> Result<Vec<Tensor>> {
    let (x, at) = soft_view(call)?;
    one(x
        .f_log_softmax(at, None)
        .and_then(|y| y.f_reshape(call.input(0).map_or(vec![], |x| x.size()))))
}

/// The shift x − max rounds, e to its power turns that into a relative error, and the sum averages those errors:
/// |y|·(1 + |x − max| + Σy|x − max|) for softmax; for its logarithm |y| + 1 + |max| + Σy|x − max|. e to the power of −∞ is 0 in every engine.
fn soft_scale(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let (x, at) = soft_view(call)?;
    let dims = call.input(0)?.size();
    let size = || {
        let top = x.f_amax(at, true)?;
        let shift = top.f_sub(&x)?;
        let y = x.f_softmax(at, None)?;
        let mean = y
            .f_mul(&shift)?
            .f_nan_to_num(0.0, None, None)?
            .f_sum_dim_intlist(at, true, None)?;
        let s = match call.node.op.as_str() {
            "LogSoftmax" => x
                .f_log_softmax(at, None)?
                .f_abs()?
                .f_add(&mean)?
                .f_add(&top.f_abs()?)?
                .f_add_scalar(1)?,
            _ => {
                let size = shift
                    .f_add(&mean)?
                    .f_add_scalar(1)?
                    .f_mul(&y)?
                    .f_add_scalar(UNDERFLOW)?;
                size.f_masked_fill(&x.f_isneginf()?, 0)?
            }
        };
        s.f_reshape(&dims)
    };
    scaled(size(), x.size()[at as usize] as usize)
}

/// x / (bias + α/size · Σx²)^β, the sum over `size` neighbouring channels.
fn local_response(call: &Call) -> Result<Vec<Tensor>> {
    let (x, size) = (float(call, 0)?, call.int("size", 1)?);
    let (alpha, beta, bias) = (
        call.float("alpha", 1e-4)?,
        call.float("beta", 0.75)?,
        call.float("bias", 1.0)?,
    );
    if !(1..1 << 20).contains(&size) || x.dim() < 2 {
        return Err(Error::usage(format!(
            "attribute 'size' is {size} for an input of rank {}",
            x.dim()
        )));
    }
    let mut widths = vec![0; 2 * (x.dim() - 1)];
    let last = widths.len() - 1;
    (widths[last - 1], widths[last]) = ((size - 1) / 2, size - 1 - (size - 1) / 2);
    let response = || {
        let sum = x
            .f_square()?
            .f_constant_pad_nd(widths)?
            .f_unfold(1, size, 1)?
            .f_sum_dim_intlist(-1, false, None)?;
        x.f_div(
            &sum.f_mul_scalar(alpha / size as f64)?
                .f_add_scalar(bias)?
                .f_pow_tensor_scalar(beta)?,
        )
    };
    one(response())
}

/// |y|·(1 + β): the power multiplies the relative error of its base.
fn response_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let beta = call.float("beta", 0.75)?.abs();
    scaled(
        outputs[0].f_abs().and_then(|y| y.f_mul_scalar(1.0 + beta)),
        call.int("size", 1)? as usize,
    )
}

pub const OPS: &[Op] = &[
    op(
        "LayerNormalization",
        17,
        layer_norm,
        Scale::By(Normalisation, layer_scale),
    ),
    op(
        "InstanceNormalization",
        6,
        group_norm,
        Scale::By(Normalisation, group_scale),
    ),
    op(
        "GroupNormalization",
        18,
        group_norm,
        Scale::By(Normalisation, group_scale),
    ),
    op("Softmax", 1, softmax, Scale::By(Softmax, soft_scale)),
    op("LogSoftmax", 1, log_softmax, Scale::By(Softmax, soft_scale)),
    op(
        "LRN",
        1,
        local_response,
        Scale::By(Normalisation, response_scale),
    ),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, random};
    use proptest::prelude::*;

    #[test]
    fn channels_are_moved_by_their_own_statistics() {
        let c = |v: &[f32]| f32s(&[2], v);
        let case = Case::new("BatchNormalization", 15)
            .with(f32s(&[1, 2, 1], &[3.0, 5.0]))
            .with(c(&[2.0, 1.0]))
            .with(c(&[1.0, 0.0]));
        let case = case
            .with(c(&[1.0, 1.0]))
            .with(c(&[4.0, 16.0]))
            .float("epsilon", 0.0);
        case.gives(&[f32s(&[1, 2, 1], &[3.0, 1.0])]);
    }

    #[test]
    fn softmax_flattened_its_axes_before_opset_13() {
        let x = || f32s(&[1, 2, 2], &[0.0, 0.0, 0.0, 0.0]);
        Case::new("Softmax", 11)
            .with(x())
            .gives(&[f32s(&[1, 2, 2], &[0.25; 4])]);
        Case::new("Softmax", 13)
            .with(x())
            .gives(&[f32s(&[1, 2, 2], &[0.5; 4])]);
        Case::new("Softmax", 13)
            .with(f32s(&[2], &[-1000.0, 1000.0]))
            .gives(&[f32s(&[2], &[0.0, 1.0])]);
    }

    #[test]
    fn squares_that_leave_single_precision_have_no_bound() {
        let c = |v: &[f32]| f32s(&[2], v);
        let x = |size: f32| f32s(&[1, 2, 2], &[size, 3.0 * size, 1.0, 2.0]);
        let case = |size| {
            Case::new("InstanceNormalization", 6)
                .with(x(size))
                .with(c(&[2.0, 1.0]))
                .with(c(&[1.0, 0.0]))
        };
        let scale = case(1e20).scale().unwrap();
        assert!(scale[0] == f64::INFINITY && scale[2] < 100.0, "{scale:?}");
        assert!(case(1e18).scale().unwrap()[0] < 100.0);
        case(1e20).check();
        let rows = |op: &str, size: f32| {
            Case::new(op, 23).with(f32s(&[2, 2], &[size, 3.0 * size, 1.0, 2.0]))
        };
        let scales = |size: f32| {
            [
                rows("LayerNormalization", size)
                    .with(c(&[2.0, 1.0]))
                    .with(c(&[1.0, 0.0])),
                rows("RMSNormalization", size).with(c(&[2.0, 1.0])),
                rows("LpNormalization", size),
                rows("MeanVarianceNormalization", size).ints("axes", &[1]),
                rows("SkipLayerNormalization", size)
                    .of("com.microsoft")
                    .with(f32s(&[2, 2], &[0.0; 4]))
                    .with(c(&[1.0, 2.0])),
            ]
            .map(|case| case.scale().unwrap())
        };
        for (beyond, within) in scales(1e20).iter().zip(scales(1e18)) {
            assert!(
                beyond[..2].iter().all(|s| *s == f64::INFINITY)
                    && beyond[2..].iter().all(|s| *s < 100.0),
                "{beyond:?}"
            );
            assert!(within.iter().all(|s| *s < 100.0), "{within:?}");
        }
    }

    #[test]
    fn groups_have_one_weight_each_before_opset_21() {
        let x = || random(&[2, 4, 3, 2], 5, -1.0, 3.0);
        let of = |opset: i64, n: usize| {
            Case::new("GroupNormalization", opset)
                .with(x())
                .with(random(&[n], 6, 0.5, 2.0))
                .with(random(&[n], 7, -1.0, 1.0))
        };
        of(18, 2).int("num_groups", 2).check();
        of(21, 4).int("num_groups", 2).check();
        of(21, 4).int("num_groups", 3).refused("does not divide");
    }

    proptest! {
        #![proptest_config(cases(64))]
        #[test]
        fn normalisations_stay_in_their_bound(n in 1usize..3, c in 1usize..9, h in 1usize..20, w in 2usize..20, offset in prop::sample::select(vec![0f32, 2.0, 10.0]), seed: u64) {
            let x = || random(&[n, c, h, w], seed, offset - 1.0, offset + 1.0);
            let each = |i: u64, low: f32, high: f32| random(&[c], seed ^ i, low, high);
            Case::new("InstanceNormalization", 6).with(x()).with(each(1, -2.0, 2.0)).with(each(2, -1.0, 1.0)).check();
            for axis in [-1i64, 1, 2] {
                let last = &[n, c, h, w][axis.rem_euclid(4) as usize..];
                let case = Case::new("LayerNormalization", 17).with(x()).with(random(last, seed ^ 5, -2.0, 2.0)).with(random(last, seed ^ 6, -1.0, 1.0));
                case.int("axis", axis).outputs(3).check();
            }
            Case::new("LRN", 13).with(x()).int("size", [1, 3, 5][seed as usize % 3]).float("alpha", 0.5).check();
        }

        #[test]
        fn softmax_stays_in_its_bound(op in prop::sample::select(vec!["Softmax", "LogSoftmax"]), opset in prop::sample::select(vec![11i64, 13]), a in 1usize..4, b in 1usize..2000, axis in -2i64..2, wide in prop::sample::select(vec![0.1f32, 5.0, 60.0]), seed: u64) {
            Case::new(op, opset).with(random(&[a, b], seed, -wide, wide)).int("axis", axis).check();
            Case::new(op, opset).with(random(&[2, b, a], seed, -wide, wide)).int("axis", axis).check();
        }
    }
}
