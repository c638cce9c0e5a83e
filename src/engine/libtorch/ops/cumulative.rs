//! cumulative: running sums and products.

use super::super::call::Call;
use super::common::{Torch, UNDERFLOW, axis, done, one};
use super::{Op, Scale, alike, op};
use parity::error::{Error, Result};
use parity::floor::Family::Reduction;
use tch::Tensor;

fn cum_sum(call: &Call) -> Result<Vec<Tensor>> {
    let (x, at) = (call.input(0)?, cum_axis(call)?);
    let (reverse, exclusive) = (call.int("reverse", 0)? != 0, call.int("exclusive", 0)? != 0);
    let len = x.size()[at as usize];
    let summed = || -> Torch {
        let x = if reverse {
            x.f_flip([at])?
        } else {
            x.shallow_clone()
        };
        let y = if exclusive && len > 0 {
            let zero = x.f_narrow(at, 0, 1)?.f_zeros_like()?;
            Tensor::f_cat(&[zero, x.f_narrow(at, 0, len - 1)?], at)?.f_cumsum(at, x.kind())?
        } else {
            x.f_cumsum(at, x.kind())?
        };
        if reverse { y.f_flip([at]) } else { Ok(y) }
    };
    one(summed())
}

/// Running products; the same axis and directions as CumSum.
fn cum_prod(call: &Call) -> Result<Vec<Tensor>> {
    let (x, at) = (call.input(0)?, cum_axis(call)?);
    let (reverse, exclusive) = (call.int("reverse", 0)? != 0, call.int("exclusive", 0)? != 0);
    let len = x.size()[at as usize];
    one((|| {
        let x = if reverse {
            x.f_flip([at])?
        } else {
            x.shallow_clone()
        };
        let y = match exclusive && len > 0 {
            true => Tensor::f_cat(
                &[
                    x.f_narrow(at, 0, 1)?.f_ones_like()?,
                    x.f_narrow(at, 0, len - 1)?,
                ],
                at,
            )?
            .f_cumprod(at, x.kind())?,
            false => x.f_cumprod(at, x.kind())?,
        };
        if reverse { y.f_flip([at]) } else { Ok(y) }
    })())
}

fn cum_prod_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let (k, size) = (
        cum_terms(call)?,
        done(|| outputs[0].f_abs()?.f_add_scalar(UNDERFLOW))?,
    );
    Ok(vec![(
        alike::scaled(call, (Reduction, k), size, &[0], &|c| {
            Ok(cum_sum(c)?.remove(0))
        })?,
        k,
    )])
}

fn cum_axis(call: &Call) -> Result<i64> {
    let at = call
        .integers(1)?
        .and_then(|a| a.first().copied())
        .ok_or_else(|| Error::usage("input 1 (axis) is missing"))?;
    Ok(axis(at, call.input(0)?.dim())? as i64)
}

fn cum_terms(call: &Call) -> Result<usize> {
    Ok(call.input(0)?.size()[cum_axis(call)? as usize] as usize)
}

pub const OPS: &[Op] = &[
    op(
        "CumSum",
        11,
        cum_sum,
        Scale::Absolute(Reduction, cum_terms, &[0]),
    ),
    op(
        "CumProd",
        26,
        cum_prod,
        Scale::By(Reduction, cum_prod_scale),
    ),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, random};
    use parity::tensor::Tensor;
    use proptest::prelude::*;

    #[test]
    fn what_runs_may_run_backwards_and_leave_out_its_own_element() {
        let sum = || {
            Case::new("CumSum", 14)
                .with(f32s(&[3], &[1.0, 2.0, 3.0]))
                .with(Tensor::of(&[], &[0i64]))
        };
        sum().gives(&[f32s(&[3], &[1.0, 3.0, 6.0])]);
        sum()
            .int("exclusive", 1)
            .gives(&[f32s(&[3], &[0.0, 1.0, 3.0])]);
        sum()
            .int("reverse", 1)
            .gives(&[f32s(&[3], &[6.0, 5.0, 3.0])]);
        sum()
            .int("reverse", 1)
            .int("exclusive", 1)
            .gives(&[f32s(&[3], &[5.0, 3.0, 0.0])]);
        let product = |reverse: i64| {
            let case = Case::new("CumProd", 26)
                .with(f32s(&[3], &[2.0, 3.0, 4.0]))
                .with(Tensor::of(&[], &[0i64]));
            case.int("reverse", reverse)
                .int("exclusive", 1)
                .torch()
                .expect("a product")[0]
                .to_f64()
        };
        assert_eq!(
            (product(0), product(1)),
            (vec![1.0, 2.0, 6.0], vec![12.0, 4.0, 1.0])
        );
    }

    proptest! {
        #![proptest_config(cases(48))]
        #[test]
        fn running_sums_stay_in_their_bound(n in 1usize..40, m in 1usize..6, axis in -2i64..2, reverse in 0i64..2, seed: u64) {
            Case::new("CumSum", 14).with(random(&[n, m], seed, -1.0, 1.0)).with(Tensor::of(&[], &[axis])).int("reverse", reverse).check();
        }
    }
}
