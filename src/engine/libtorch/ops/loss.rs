//! loss: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss.

use super::super::call::Call;
use super::common::done;
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Family::{Reduction, Softmax};
use tch::{Kind, Tensor};

/// −w·x, both taken at the target, for each target, and the weight that each counts with; both zero where the target is to be ignored.
struct Picked {
    loss: Tensor,
    weight: Tensor,
}

fn picked(call: &Call, log_probability: &Tensor) -> Result<Picked> {
    let (x, target) = (log_probability, call.input(1)?);
    let classes = x
        .size()
        .get(1)
        .copied()
        .ok_or_else(|| Error::usage(format!("{:?} has no classes", x.size())))?;
    let ignored = call.int_if("ignore_index")?;
    let target = done(|| target.f_to_kind(Kind::Int64))?;
    let counts = done(|| match ignored {
        Some(index) => target.f_ne(index),
        None => target.f_ones_like()?.f_to_kind(Kind::Bool),
    })?;
    let class = done(|| target.f_mul(&counts.f_to_kind(Kind::Int64)?))?;
    let outside = done(|| {
        class
            .f_lt(0)?
            .f_logical_or(&class.f_ge(classes)?)?
            .f_any()?
            .f_int64_value(&[])
    })?;
    if outside != 0 {
        return Err(Error::usage(format!("a target is no class of {classes}")));
    }
    done(|| {
        let weight = match call.optional(2) {
            Some(w) => w
                .f_index_select(0, &class.f_reshape([-1])?)?
                .f_reshape(class.size())?,
            None => Tensor::f_ones(class.size(), (x.kind(), x.device()))?,
        };
        let weight = weight.f_mul(&counts.f_to_kind(x.kind())?)?;
        let chosen = x
            .f_gather(1, &class.f_unsqueeze(1)?, false)?
            .f_squeeze_dim(1)?;
        // An ignored element may be infinite: it is taken out, not multiplied by zero.
        let chosen = chosen.f_where_self(&counts, &chosen.f_zeros_like()?)?;
        Ok(Picked {
            loss: chosen.f_neg()?.f_mul(&weight)?,
            weight,
        })
    })
}

fn reduced(call: &Call, p: &Picked) -> Result<Tensor> {
    match call.text("reduction", "mean")?.as_str() {
        "none" => Ok(p.loss.shallow_clone()),
        "sum" => done(|| p.loss.f_sum(p.loss.kind())),
        "mean" => done(|| {
            p.loss
                .f_sum(p.loss.kind())?
                .f_div(&p.weight.f_sum(p.weight.kind())?)
        }),
        other => Err(Error::usage(format!(
            "attribute 'reduction' should be none, sum or mean, is '{other}'"
        ))),
    }
}

fn likelihood(call: &Call) -> Result<Vec<Tensor>> {
    Ok(vec![reduced(call, &picked(call, call.input(0)?)?)?])
}

fn cross_entropy(call: &Call) -> Result<Vec<Tensor>> {
    let log = log_softmax(call)?;
    Ok(vec![reduced(call, &picked(call, &log)?)?, log])
}

fn log_softmax(call: &Call) -> Result<Tensor> {
    let x = call.input(0)?;
    if x.dim() < 2 {
        return Err(Error::usage(format!("{:?} has no classes", x.size())));
    }
    done(|| x.f_log_softmax(1, None))
}

/// What the reduction adds up, absolutely.
fn sum_of_sizes(call: &Call, sizes: &Tensor) -> Result<(Tensor, usize)> {
    let p = picked(call, sizes)?;
    let positive = Picked {
        loss: done(|| p.loss.f_abs())?,
        weight: done(|| p.weight.f_abs())?,
    };
    let terms = if call.text("reduction", "mean")? == "none" {
        1
    } else {
        p.loss.numel()
    };
    Ok((reduced(call, &positive)?, terms))
}

fn likelihood_scale(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let x = call.input(0)?;
    let sizes = done(|| x.f_abs())?;
    Ok(vec![sum_of_sizes(call, &sizes)?])
}

/// The logarithm's S, |y| + 1 + |max|, reduced like the loss itself.
fn entropy_scale(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let x = call.input(0)?;
    let log = log_softmax(call)?;
    let sizes = done(|| {
        log.f_abs()?
            .f_add(&x.f_amax(1, true)?.f_abs()?)?
            .f_add_scalar(1)
    })?;
    let classes = x.size()[1] as usize;
    let (loss, terms) = sum_of_sizes(call, &sizes)?;
    Ok(vec![(loss, terms * classes), (sizes, classes)])
}

pub const OPS: &[Op] = &[
    op(
        "NegativeLogLikelihoodLoss",
        12,
        likelihood,
        Scale::By(Reduction, likelihood_scale),
    ),
    op(
        "SoftmaxCrossEntropyLoss",
        12,
        cross_entropy,
        Scale::By(Softmax, entropy_scale),
    ),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, i64s, random, whole};
    use proptest::prelude::*;

    #[test]
    fn ignored_targets_count_neither_in_the_sum_nor_in_the_mean() {
        let case = |reduction: &str| {
            let case = Case::new("NegativeLogLikelihoodLoss", 13)
                .with(f32s(&[3, 2], &[-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]));
            case.with(i64s(&[1, 0, 9]))
                .with(f32s(&[2], &[1.0, 3.0]))
                .int("ignore_index", 9)
                .text("reduction", reduction)
        };
        case("none").gives(&[f32s(&[3], &[6.0, 3.0, 0.0])]);
        case("sum").gives(&[f32s(&[], &[9.0])]);
        case("mean").gives(&[f32s(&[], &[2.25])]);
        case("most").refused("none, sum or mean");
        Case::new("NegativeLogLikelihoodLoss", 13)
            .with(f32s(&[1, 2], &[0.0; 2]))
            .with(i64s(&[2]))
            .refused("no class of 2");
    }

    proptest! {
        #![proptest_config(cases(48))]
        #[test]
        fn losses_stay_in_their_bound(n in 1usize..5, c in 1usize..9, d in 1usize..20, weighted: bool, wide in prop::sample::select(vec![1f32, 30.0]),
            reduction in prop::sample::select(vec!["none", "sum", "mean"]), seed: u64) {
            for op in ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"] {
                let case = Case::new(op, 13).with(random(&[n, c, d], seed, -wide, wide)).with(whole(&[n, d], !seed, 0, c as i64));
                let case = if weighted { case.with(random(&[c], seed, 0.1, 2.0)) } else { case };
                let case = case.text("reduction", reduction);
                if op == "SoftmaxCrossEntropyLoss" { case.outputs(2).check() } else { case.check() };
            }
        }
    }
}
