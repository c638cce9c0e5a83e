//! decision: two sides that decide otherwise: is each decision what the node gives on that side's own inputs?
//!
//! A differing decision is a tie only where that is proved: each side's output is the node's own answer to that side's own inputs, and those
//! inputs were compared and are within. No margin and no floor is asked then. Where the inputs of a side are not at hand, the f64 margin on
//! the reference's inputs stands in for them.

use crate::error::Result;
use crate::floor::{Alone, Rounding};
use crate::subject::{Feed, Judge};
use crate::tensor::{DType, Tensor};

/// What is known of an output on which the sides decide otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Whether both decisions are the node's own on their own inputs; None where some of these are not at hand.
    pub own: Option<bool>,
    /// Distance from the border on the reference's inputs, at the differing element where it is largest; infinite where nobody can tell.
    pub margin: f64,
}

/// Whether `value`, which a side has for output `index` of a step, is what the node gives on that side's inputs `feed`. An error where the node
/// refuses them.
pub fn is_own(judge: &mut dyn Judge, step: usize, index: usize, value: &Tensor, feed: Feed) -> Result<bool> {
    let shadow = judge.eval(step, feed)?;
    let Some(alone) = decides(&judge.rounding(step, feed, &shadow)?[index]) else { return Ok(same(value, &shadow[index])) };
    if same(value, &shadow[index]) {
        return Ok(true);
    }
    match alone {
        Alone::Function => Ok(false),
        Alone::Order | Alone::Rounds => near(judge, step, index, value, &shadow[index], feed),
    }
}

/// Whether the border is nearer than what the node itself rounds.
fn near(judge: &mut dyn Judge, step: usize, index: usize, value: &Tensor, shadow: &Tensor, feed: Feed) -> Result<bool> {
    if value.shape() != shadow.shape() {
        return Ok(false);
    }
    Ok(match narrowed(shadow, value.dtype()).ok() {
        Some(shadow) => judge.margin(step, feed, index, &shadow, value)? == Some(0.0),
        None => false,
    })
}

/// The shadow in the dtype of a side.
pub fn narrowed(shadow: &Tensor, dtype: DType) -> Result<Tensor> {
    if shadow.dtype() == dtype { Ok(shadow.clone()) } else { Tensor::from_f64(dtype, shadow.shape(), &shadow.to_f64()) }
}

/// How an output decides; None where it rounds or moves data.
pub fn decides(rounding: &Rounding) -> Option<Alone> {
    match rounding {
        Rounding::Decision(alone) | Rounding::Selection(alone) => Some(*alone),
        Rounding::Exact | Rounding::Within { .. } | Rounding::Random => None,
    }
}

/// Whether `side` is the shadow's value, widened.
pub fn same(side: &Tensor, shadow: &Tensor) -> bool {
    let equal = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan();
    if side.shape() != shadow.shape() || side.dtype().is_float() != shadow.dtype().is_float() {
        return false;
    }
    match (side.to_i64(), shadow.to_i64()) {
        (Some(a), Some(b)) => a == b,
        _ => side.to_f64().iter().zip(&shadow.to_f64()).all(equal),
    }
}
