//! norm: normalisation by a norm: RMSNormalization, LpNormalization, MeanVarianceNormalization.

use super::super::call::Call;
use super::common::{axis, beyond, count, done, flushed, one, signed};
use super::{Op, Scale, alike, op};
use parity::error::{Error, Result};
use parity::floor::Family::Normalisation;
use tch::{Kind, Tensor};

/// x / √(mean(x²) + ε)·w over the trailing axes, half precision in single.
fn rms(call: &Call) -> Result<Vec<Tensor>> {
    call.known("stash_type");
    let (x, w, eps) = (call.input(0)?, call.input(1)?, call.float("epsilon", 1e-5)?);
    let over = trailing(call)?;
    one((|| {
        let wide = if x.kind() == Kind::Double {
            x.shallow_clone()
        } else {
            x.f_to_kind(Kind::Float)?
        };
        let inverse = wide
            .f_square()?
            .f_mean_dim(&over[..], true, None)?
            .f_add_scalar(eps)?
            .f_rsqrt()?;
        wide.f_mul(&inverse)?.f_to_kind(x.kind())?.f_mul(w)
    })())
}

fn trailing(call: &Call) -> Result<Vec<i64>> {
    let rank = call.input(0)?.dim();
    Ok(signed(
        &(axis(call.int("axis", -1)?, rank)?..rank).collect::<Vec<_>>(),
    ))
}

/// 2|y|: the product rounds, and the mean of squares, all positive, moves y by half its relative error.
fn rms_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let (x, over) = (call.input(0)?, trailing(call)?);
    let terms = count(
        &over
            .iter()
            .map(|a| x.size()[*a as usize])
            .collect::<Vec<_>>(),
    )?;
    done(|| {
        Ok(vec![(
            outputs[0]
                .f_abs()?
                .f_mul_scalar(2)?
                .f_add(&beyond(x, &over)?)?,
            terms as usize,
        )])
    })
}

/// x divided by its 1- or 2-norm along an axis; zeros stay zeros.
fn lp(call: &Call) -> Result<Vec<Tensor>> {
    let (x, p) = (super::common::float(call, 0)?, call.int("p", 2)?);
    let at = axis(call.int("axis", -1)?, x.dim())? as i64;
    let norm = match p {
        1 => done(|| x.f_abs()?.f_sum_dim_intlist(at, true, None))?,
        2 => done(|| x.f_square()?.f_sum_dim_intlist(at, true, None)?.f_sqrt())?,
        other => {
            return Err(Error::usage(format!(
                "attribute 'p' should be 1 or 2, is {other}"
            )));
        }
    };
    one(norm
        .f_eq(0)
        .and_then(|zero| x.f_div(&norm.f_masked_fill(&zero, 1)?)))
}

/// 2|y|, and the relative error of a norm whose terms may be flushed to zero.
fn lp_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let (x, p) = (call.input(0)?, call.int("p", 2)?);
    let at = axis(call.int("axis", -1)?, x.dim())?;
    let (k, at) = (x.size()[at] as usize, at as i64);
    let (size, terms) = done(|| {
        let norm = x.f_norm_scalaropt_dim(p, at, true)?;
        let lost = flushed(&norm, k, p as f64)?.f_div(&norm)?;
        Ok((
            outputs[0]
                .f_abs()?
                .f_mul(&lost.f_add_scalar(2)?)?
                .f_nan_to_num(0.0, f64::INFINITY, 0.0)?,
            x.f_abs()?,
        ))
    })?;
    let size = if p == 2 {
        done(|| size.f_add(&beyond(x, &[at])?))?
    } else {
        size
    };
    let sum = |c: &Call| {
        let x = c.input(0)?;
        done(|| x.f_sum_dim_intlist(at, true, None))
    };
    Ok(vec![(
        alike::scaled(
            &call.with_inputs(vec![Some(terms)]),
            (Normalisation, k),
            size,
            &[0],
            &sum,
        )?,
        k,
    )])
}

/// (x − mean) / (σ + 1e-9) over the axes.
fn mean_variance(call: &Call) -> Result<Vec<Tensor>> {
    let x = super::common::float(call, 0)?;
    let over = moments(call)?;
    one((|| {
        let mean = x.f_mean_dim(&over[..], true, None)?;
        x.f_sub(&mean)?.f_div(
            &x.f_var_dim(&over[..], false, true)?
                .f_sqrt()?
                .f_add_scalar(1e-9)?,
        )
    })())
}

fn moments(call: &Call) -> Result<Vec<i64>> {
    Ok(signed(&super::common::axes(
        &call.ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]),
        call.input(0)?.dim(),
    )?))
}

/// (|x| + mean|x|)/σ + |y|·q with q = mean(x²)/σ²: what the variance loses where it is computed as mean(x²) − mean(x)².
fn mean_variance_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let (x, over) = (call.input(0)?, moments(call)?);
    let terms = count(
        &over
            .iter()
            .map(|a| x.size()[*a as usize])
            .collect::<Vec<_>>(),
    )?;
    let size = done(|| {
        let deviation = x
            .f_var_dim(&over[..], false, true)?
            .f_sqrt()?
            .f_add_scalar(1e-9)?;
        let lost = x
            .f_square()?
            .f_mean_dim(&over[..], true, None)?
            .f_div(&deviation.f_square()?)?;
        let mean = x.f_abs()?.f_mean_dim(&over[..], true, None)?;
        x.f_abs()?
            .f_add(&mean)?
            .f_div(&deviation)?
            .f_add(&outputs[0].f_abs()?.f_mul(&lost)?)?
            .f_add(&beyond(x, &over)?)
    })?;
    Ok(vec![(size, terms as usize)])
}

pub const OPS: &[Op] = &[
    op(
        "RMSNormalization",
        23,
        rms,
        Scale::By(Normalisation, rms_scale),
    ),
    op("LpNormalization", 1, lp, Scale::By(Normalisation, lp_scale)),
    op(
        "MeanVarianceNormalization",
        9,
        mean_variance,
        Scale::By(Normalisation, mean_variance_scale),
    ),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, random};
    use proptest::prelude::*;

    #[test]
    fn a_vector_is_divided_by_its_norm_and_zeros_stay() {
        let lp = |p: i64| {
            Case::new("LpNormalization", 1)
                .with(f32s(&[2, 2], &[3.0, -4.0, 0.0, 2.0]))
                .int("p", p)
        };
        lp(2).gives(&[f32s(&[2, 2], &[0.6, -0.8, 0.0, 1.0])]);
        lp(3).refused("1 or 2");
        let zeros = Case::new("LpNormalization", 22)
            .with(f32s(&[2], &[0.0, 0.0]))
            .int("p", 1);
        assert_eq!(zeros.torch().expect("zeros")[0].to_f64(), [0.0, 0.0]);
    }

    proptest! {
        #![proptest_config(cases(48))]
        #[test]
        fn norms_stay_in_their_bound(a in 1usize..6, b in 1usize..60, axis in prop::sample::select(vec![-1i64, 0, 1]), p in 1i64..3, low in prop::sample::select(vec![-1f32, 2.0]), seed: u64) {
            Case::new("LpNormalization", 1).with(random(&[a, b], seed, low, 3.0)).int("axis", axis).int("p", p).check();
            Case::new("RMSNormalization", 23).with(random(&[a, b], seed, low, 3.0)).with(random(&[b], !seed, -1.0, 1.0)).check();
            Case::new("MeanVarianceNormalization", 13).with(random(&[2, 3, a, b + 2], seed, low, 3.0)).check();
        }
    }
}
