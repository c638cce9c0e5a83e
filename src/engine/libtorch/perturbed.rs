//! perturbed: S of an operator that has no formula for it: how far its f64 result moves when its inputs move by one unit roundoff.
//!
//! Every float input is multiplied by 1 ± u with random signs, sixteen times; the largest change of a channel (axis 1, or all of the
//! output where a channel is small), in units of u, is S of all its elements, and the size of the result, which is rounded once, is added.

use super::call::Call;
use super::interpret;
use super::ops::Op;
use super::value::Value;
use parity::error::Result;
use parity::floor::noise::{axis_for, signs};
use parity::tensor::DType;
use rand::RngExt;
use tch::{Kind, TchError, Tensor};

/// How often the inputs are perturbed.
const RUNS: u32 = 16;

/// The inputs' last bit in single precision.
const UNIT: f64 = DType::F32.unit_roundoff();

/// S and K of each output.
pub fn scales(op: &Op, call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let mut largest: Vec<Option<Tensor>> = outputs.iter().map(|_| None).collect();
    for run in 0..RUNS {
        let moved = interpret::run(op, &disturbed(call, run)?)?;
        for ((most, y), moved) in largest.iter_mut().zip(outputs).zip(&moved) {
            let Some(moved) = moved.tensor().filter(|m| m.size() == y.size() && y.is_floating_point()) else { continue };
            let change = super::ops::done(|| y.f_sub(moved)?.f_abs()?.f_nan_to_num(0.0, 0.0, 0.0))?;
            *most = Some(match most.take() {
                None => change,
                Some(before) => super::ops::done(|| before.f_maximum(&change))?,
            });
        }
    }
    let scale = |(y, most): (&Tensor, Option<Tensor>)| match most {
        Some(change) => super::ops::done(|| pooled(&change)?.f_div_scalar(UNIT)?.f_add(&y.f_abs()?)).map(|s| (s, 1)),
        None => Ok((y.shallow_clone(), 1)),
    };
    outputs.iter().zip(largest).map(scale).collect()
}

/// The same call on inputs × (1 ± u).
fn disturbed<'a>(call: &Call<'a>, run: u32) -> Result<Call<'a>> {
    let moved = |(i, v): (usize, &Option<Value>)| match v {
        Some(Value::Tensor(t)) if t.is_floating_point() => {
            let mut rng = signs(0, run, i);
            let factors: Vec<f64> = (0..t.numel()).map(|_| if rng.random::<bool>() { 1.0 + UNIT } else { 1.0 - UNIT }).collect();
            super::ops::done(|| t.f_mul(&Tensor::f_from_slice(&factors)?.f_reshape(t.size())?.f_to_kind(t.kind())?))
                .map(|t| Some(Value::Tensor(t)))
        }
        other => Ok(other.clone()),
    };
    Ok(call.with_values(call.values().iter().enumerate().map(moved).collect::<Result<_>>()?))
}

/// The largest of each channel, for all its elements.
fn pooled(change: &Tensor) -> std::result::Result<Tensor, TchError> {
    let shape: Vec<usize> = change.size().iter().map(|d| *d as usize).collect();
    if change.numel() == 0 {
        return change.f_to_kind(Kind::Double);
    }
    let over: Vec<i64> = (0..shape.len()).filter(|d| Some(*d) != axis_for(&shape)).map(|d| d as i64).collect();
    change.f_amax(&over[..], true)?.f_broadcast_to(change.size())?.f_to_kind(Kind::Double)
}
