//! random: draws: every engine has its own generator, so what one drew is given to the others and never compared. Ours starts anew from the
//! seed that the node states, so that a node draws the same however often and in which thread it is asked.

use super::super::call::Call;
use super::common::{count, done, fits, one};
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::graph::Attribute;
use parity::tensor::DType;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use tch::{Kind, Tensor};

/// `one` number of the node's generator for every element, in f64.
fn draw(call: &Call, shape: &[i64], one: fn(&mut ChaCha8Rng) -> f64) -> Result<Tensor> {
    let stated = match call.any("seed") {
        Some(Attribute::Int(seed)) => *seed as u64,
        Some(Attribute::Float(seed)) => u64::from(seed.to_bits()),
        _ => 0,
    };
    let n = fits(Some(count(shape)?))? as usize;
    let mut values: Vec<f64> = Vec::new();
    values
        .try_reserve_exact(n)
        .map_err(|_| Error::failed(format!("{n} numbers do not fit into memory")))?;
    let mut rng = ChaCha8Rng::seed_from_u64(stated);
    values.extend((0..n).map(|_| one(&mut rng)));
    done(|| Tensor::f_from_slice(&values)?.f_reshape(shape))
}

/// Uniform in [0, 1).
pub fn uniform(call: &Call, shape: &[i64]) -> Result<Tensor> {
    draw(call, shape, |rng| rng.random())
}

/// Shape and dtype of the draw: stated, or those of the input.
fn target(call: &Call) -> Result<(Vec<i64>, Kind)> {
    let stated = call.int_if("dtype")?.map(|code| {
        i32::try_from(code)
            .ok()
            .and_then(DType::from_onnx)
            .ok_or(code)
    });
    let stated = stated.transpose().map_err(|code| {
        Error::failed(format!(
            "attribute 'dtype' ({code}) is no dtype that is supported"
        ))
    })?;
    let kind = stated.map(|d| call.kind(d)).transpose()?;
    let shape = match call.ints("shape")? {
        Some(shape) => shape,
        None => call.input(0)?.size(),
    };
    count(&shape)?;
    let own = || {
        if call.inputs().is_empty() {
            call.kind(DType::F32)
        } else {
            Ok(call.input(0)?.kind())
        }
    };
    Ok((shape, kind.map_or_else(own, Ok)?))
}

fn normal(call: &Call) -> Result<Vec<Tensor>> {
    let ((shape, kind), mean, scale) = (
        target(call)?,
        call.float("mean", 0.0)?,
        call.float("scale", 1.0)?,
    );
    let drawn = draw(call, &shape, |rng| StandardNormal.sample(rng))?;
    one(drawn
        .f_mul_scalar(scale)
        .and_then(|t| t.f_add_scalar(mean)?.f_to_kind(kind)))
}

fn between(call: &Call) -> Result<Vec<Tensor>> {
    let ((shape, kind), low, high) = (
        target(call)?,
        call.float("low", 0.0)?,
        call.float("high", 1.0)?,
    );
    let drawn = uniform(call, &shape)?;
    one(drawn
        .f_mul_scalar(high - low)
        .and_then(|t| t.f_add_scalar(low)?.f_to_kind(kind)))
}

fn bernoulli(call: &Call) -> Result<Vec<Tensor>> {
    let ((shape, kind), p) = (target(call)?, call.input(0)?);
    let drawn = uniform(call, &shape)?;
    one(drawn.f_lt_tensor(p).and_then(|t| t.f_to_kind(kind)))
}

pub const OPS: &[Op] = &[
    op("RandomNormal", 1, normal, Scale::Random),
    op("RandomNormalLike", 1, normal, Scale::Random),
    op("RandomUniform", 1, between, Scale::Random),
    op("RandomUniformLike", 1, between, Scale::Random),
    op("Bernoulli", 15, bernoulli, Scale::Random),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, bits, bools, cases, cast, f32s, ones_at, random};
    use parity::tensor::DType;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_draw_has_the_shape_and_the_dtype_that_were_asked_for() {
        Case::new("RandomNormal", 1)
            .ints("shape", &[2, 3])
            .float("seed", 1.0)
            .check();
        Case::new("RandomUniform", 1)
            .ints("shape", &[4])
            .int("dtype", 11)
            .check();
        Case::new("RandomNormalLike", 1)
            .with(f32s(&[2], &[0.0, 1.0]))
            .check();
        Case::new("Bernoulli", 15)
            .with(f32s(&[2], &[0.0, 1.0]))
            .check();
        Case::new("RandomNormal", 1)
            .ints("shape", &[-2])
            .refused("no shape");
    }

    #[test]
    fn the_operators_that_draw_are_those_of_the_table() {
        let drawn: Vec<&str> = super::super::all()
            .filter(|op| matches!(op.scale, super::Scale::Random))
            .map(|op| op.name)
            .collect();
        let table: Vec<&str> = parity::graph::random::DRAWN
            .into_iter()
            .filter(|n| super::super::find("", n, 99).is_some())
            .collect();
        assert_eq!(BTreeSet::from_iter(drawn), BTreeSet::from_iter(table));
    }

    #[test]
    fn equal_seeds_draw_alike_and_others_do_not() {
        for case in [
            Case::new("RandomNormal", 1).ints("shape", &[50]),
            Case::new("RandomUniformLike", 1).with(f32s(&[50], &[0.0; 50])),
            Case::new("Bernoulli", 15).with(f32s(&[50], &[0.5; 50])),
            Case::new("Dropout", 13)
                .with(f32s(&[50], &[1.0; 50]))
                .without()
                .with(bools(&[], &[1])),
        ] {
            let stated = |seed: i64| {
                if case.op() == "Dropout" {
                    case.clone().int("seed", seed)
                } else {
                    case.clone().float("seed", seed as f32)
                }
            };
            let draw = |seed: i64| stated(seed).torch().expect("a draw")[0].to_f64();
            assert!(draw(1) == draw(1) && draw(1) != draw(2), "{case:?}");
        }
    }

    proptest! {
        #![proptest_config(cases(48))]
        #[test]
        fn every_draw_has_the_shape_the_dtype_and_the_range_that_were_asked_for(
            op in prop::sample::select(vec!["RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike"]), shape in prop::collection::vec(1usize..6, 1..4),
            dtype in prop::sample::select(vec![DType::F32, DType::F64]), stated: bool, low in -3.0f32..3.0, wide in 0.01f32..3.0, seed in 0.0f32..100.0,
        ) {
            let dims: Vec<i64> = shape.iter().map(|d| *d as i64).collect();
            let case = Case::new(op, 13).float("seed", seed);
            let case = if op.ends_with("Like") { case.with(cast(&random(&shape, 1, -1.0, 1.0), dtype)) } else { case.ints("shape", &dims) };
            let case = if stated || !op.ends_with("Like") { case.int("dtype", dtype.onnx() as i64) } else { case };
            let uniform = op.starts_with("RandomUniform");
            let case = if uniform { case.float("low", low).float("high", low + wide) } else { case.float("mean", low).float("scale", wide) };
            let drawn = case.check();
            prop_assert_eq!((drawn[0].dtype(), drawn[0].shape()), (dtype, shape.as_slice()));
            let (from, to) = (low as f64 - 1e-6, (low + wide) as f64 + 1e-6);
            prop_assert!(!uniform || drawn[0].to_f64().iter().all(|v| (from..=to).contains(v)), "{:?} outside {}..{}", drawn, low, low + wide);
        }

        #[test]
        fn what_leaves_nothing_to_chance_agrees(shape in prop::collection::vec(1usize..6, 1..4), mask: u8, mean in -3.0f32..3.0, seed: u64) {
            let x = cast(&bits(DType::Bool, &ones_at(&shape, mask), seed), DType::F32);
            let case = Case::new("Bernoulli", 15).with(x.clone());
            prop_assert_eq!(case.torch().expect("a draw")[0].to_f64(), x.to_f64());
            // ONNX Runtime runs the body that the standard gives the operator, whose comparison is the wrong way round: 1 with probability 1 - x.
            let other: Vec<f64> = x.to_f64().iter().map(|p| 1.0 - p).collect();
            prop_assert_eq!(case.ort().expect("a draw")[0].to_f64(), other);
            // ONNX Runtime ends the process over a deviation of 0: it is not asked.
            let drawn = Case::new("RandomNormalLike", 13).with(x).float("mean", mean).float("scale", 0.0).torch().expect("a draw");
            prop_assert!(drawn[0].to_f64().iter().all(|v| *v == mean as f64));
        }
    }
}
