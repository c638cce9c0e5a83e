//! perturbed: S of an operator that has no formula for it: how far its f64 result moves when its inputs move by one unit roundoff.
//!
//! Every float input is multiplied by 1 ± u with random signs, sixteen times; the largest change of a channel (axis 1, or all of the
//! output where a channel is small), in units of u, is S of all its elements, and the size of the result, which is rounded once, is added.
//! Inside a body every node is followed by its own rounding noise, ± B/R as in the Monte Carlo runs: the operator's family allows R of it.

use super::call::{Call, Precision};
use super::convert::{from_torch, to_torch};
use super::interpret;
use super::ops::Op;
use super::scales;
use super::value::Value;
use parity::error::Result;
use parity::floor::Family;
use parity::floor::noise::{Amplitude, axis_for, disturbed as rounded, signs};
use parity::graph::{hoist, observe};
use parity::tensor::DType;
use rand::RngExt;
use tch::{Kind, TchError, Tensor};

/// How often the inputs are perturbed.
const RUNS: u32 = 16;

/// The inputs' last bit in single precision.
const UNIT: f64 = DType::F32.unit_roundoff();

/// S and K of each output.
pub fn scales(op: &'static Op, call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let scale = |(y, most): (&Tensor, Option<Tensor>)| match most {
        Some(change) => {
            super::ops::done(|| change.f_div_scalar(UNIT)?.f_add(&y.f_abs()?)).map(|s| (s, 1))
        }
        None => Ok((y.shallow_clone(), 1)),
    };
    outputs
        .iter()
        .zip(changes(call, outputs, &|call, _| interpret::run(op, call))?)
        .map(scale)
        .collect()
}

/// S of a sum of K terms of sizes `size` at places that rounding moves: B of the sum, and what `kernel` makes of moved inputs times β.
pub fn moved(
    call: &Call,
    output: &Tensor,
    size: &Tensor,
    (family, terms): (Family, usize),
    kernel: fn(&Call) -> Result<Vec<Tensor>>,
) -> Result<Vec<(Tensor, usize)>> {
    let again = |call: &Call, _| Ok(kernel(call)?.into_iter().map(Value::Tensor).collect());
    let change = changes(call, std::slice::from_ref(output), &again)?.remove(0);
    let share = family.allowed(1) / family.allowed(terms) / UNIT;
    let scale = super::ops::done(|| match change {
        Some(change) => change.f_mul_scalar(share)?.f_add(size),
        None => Ok(size.shallow_clone()),
    })?;
    Ok(vec![(scale, terms)])
}

/// What a node makes of disturbed inputs, in one of the runs.
type Again<'a> = &'a dyn Fn(&Call, u32) -> Result<Vec<Value>>;

/// The largest change of each output, pooled per channel; None where it is no float.
pub fn changes(call: &Call, outputs: &[Tensor], again: Again) -> Result<Vec<Option<Tensor>>> {
    let mut largest: Vec<Option<Tensor>> = outputs.iter().map(|_| None).collect();
    for run in 0..RUNS {
        let moved = again(&disturbed(call, run)?, run)?;
        for ((most, y), moved) in largest.iter_mut().zip(outputs).zip(&moved) {
            let Some(moved) = moved
                .tensor()
                .filter(|m| m.size() == y.size() && y.is_floating_point())
            else {
                continue;
            };
            let change = super::ops::done(|| y.f_sub(moved)?.f_abs()?.f_nan_to_num(0.0, 0.0, 0.0))?;
            *most = Some(match most.take() {
                None => change,
                Some(before) => super::ops::done(|| before.f_maximum(&change))?,
            });
        }
    }
    // Every turn of a tensor inside a body is judged by what that turn moves.
    let turns = outputs.len() - observe::added(call.node).min(outputs.len());
    let pool = |(i, most): (usize, Option<Tensor>)| {
        most.map(|change| super::ops::done(|| pooled(&change, i >= turns)))
            .transpose()
    };
    largest.into_iter().enumerate().map(pool).collect()
}

/// 0 where disturbed inputs, and rounding inside the body, flip every element in which both sides differ; else there is no tie to flip.
pub fn margin(
    op: &'static Op,
    call: &Call,
    index: usize,
    reference: &Tensor,
    candidate: &Tensor,
) -> Result<f64> {
    let output = |call: &Call| {
        interpret::run(op, call).map(|all| {
            all.into_iter()
                .nth(index)
                .and_then(|v| v.into_tensor().ok())
        })
    };
    let Some(clean) = output(call)? else {
        return Ok(f64::INFINITY);
    };
    let mut differ = super::ops::done(|| reference.f_ne_tensor(candidate))?;
    for run in 0..RUNS {
        if let Some(moved) = output(&disturbed(call, run)?)?
            .filter(|m| m.size() == differ.size() && m.size() == clean.size())
        {
            differ = super::ops::done(|| differ.f_logical_and(&moved.f_eq_tensor(&clean)?))?;
        }
    }
    let left = super::ops::done(|| differ.f_any()?.f_to_kind(Kind::Int64)?.f_int64_value(&[]))?;
    Ok(if left == 0 { 0.0 } else { f64::INFINITY })
}

/// `outputs` of a call inside a body, each with the noise of one rounding; what has a body of its own is noisy already.
pub fn shaken(op: &'static Op, call: &Call, outputs: Vec<Value>, run: u32) -> Result<Vec<Value>> {
    let plain: Option<Vec<Tensor>> = outputs
        .iter()
        .map(|v| v.tensor().map(Tensor::shallow_clone))
        .collect();
    let Some(plain) = plain.filter(|_| !hoist::has_body(call.node)) else {
        return Ok(outputs);
    };
    let scales = scales::of(
        op,
        op.scale(call.node),
        &|| Ok(call.at(Precision::Double)),
        &plain,
    )?;
    let Some((family, scales)) = scales else {
        return Ok(outputs);
    };
    let seed = call
        .node
        .name
        .bytes()
        .fold(0u64, |seed, b| seed.wrapping_mul(31).wrapping_add(b as u64));
    let noisy = |(i, v): (usize, Value)| match (v, scales.get(i)) {
        (Value::Tensor(y), Some((scale, terms))) if y.is_floating_point() => {
            let (kind, scale) = (
                y.kind(),
                super::ops::done(|| scale.f_broadcast_to(y.size())?.f_to_kind(Kind::Double))?,
            );
            let (plain, scale) = (
                from_torch(&super::ops::done(|| y.f_to_kind(Kind::Double))?)?,
                from_torch(&scale)?,
            );
            let moved = rounded(
                &plain,
                &scale,
                Amplitude::of(family, *terms, DType::F32),
                &mut signs(seed, run, i),
            );
            let moved = moved.map_or(Ok(y), |moved| to_torch(&moved))?;
            super::ops::done(|| moved.f_to_kind(kind)).map(Value::Tensor)
        }
        (other, _) => Ok(other),
    };
    outputs.into_iter().enumerate().map(noisy).collect()
}

/// The same call on inputs × (1 ± u).
fn disturbed<'a>(call: &Call<'a>, run: u32) -> Result<Call<'a>> {
    let moved = |(i, v): (usize, &Option<Value>)| match v {
        Some(Value::Tensor(t)) if t.is_floating_point() => {
            let mut rng = signs(0, run, i);
            let factors: Vec<f64> = (0..t.numel())
                .map(|_| {
                    if rng.random::<bool>() {
                        1.0 + UNIT
                    } else {
                        1.0 - UNIT
                    }
                })
                .collect();
            super::ops::done(|| {
                t.f_mul(
                    &Tensor::f_from_slice(&factors)?
                        .f_reshape(t.size())?
                        .f_to_kind(t.kind())?,
                )
            })
            .map(|t| Some(Value::Tensor(t)))
        }
        other => Ok(other.clone()),
    };
    Ok(call
        .with_values(
            call.values()
                .iter()
                .enumerate()
                .map(moved)
                .collect::<Result<_>>()?,
        )
        .at(Precision::Noisy(run)))
}

/// The largest of each channel, for all its elements; of each turn (axis 0) by itself where there are `turns`.
fn pooled(change: &Tensor, turns: bool) -> std::result::Result<Tensor, TchError> {
    let shape: Vec<usize> = change.size().iter().map(|d| *d as usize).collect();
    if change.numel() == 0 {
        return change.f_to_kind(Kind::Double);
    }
    let first = usize::from(turns && !shape.is_empty());
    let channel = axis_for(&shape[first..]).map(|a| a + first);
    let over: Vec<i64> = (first..shape.len())
        .filter(|d| Some(*d) != channel)
        .map(|d| d as i64)
        .collect();
    if over.is_empty() && first > 0 {
        return change.f_to_kind(Kind::Double);
    }
    change
        .f_amax(&over[..], true)?
        .f_broadcast_to(change.size())?
        .f_to_kind(Kind::Double)
}
