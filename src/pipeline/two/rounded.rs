//! rounded: how far rounding may move a port that measures no floors itself: by what its own dtype gives beside its f64.
//!
//! That is one draw, and small by chance in one place or another; nowhere is less allowed than where the whole run is off most, as a share.

use crate::floor::noise::{Floor, axis_for, deviation};
use crate::program::Program;
use crate::tensor::Tensor;
use crate::walk::function::Side;
use std::collections::HashMap;

/// What rounding may be at most, as a share of a tensor: where it is more, a decision went otherwise.
const MOST: f64 = 1e-3;

/// Floors in the dtype of `own`, of what a port computed in f64 and in that.
pub fn floors(exact: &Side, own: &Program) -> HashMap<String, Floor> {
    let floats = exact.values.iter().filter(|(_, t)| t.dtype().is_float());
    let both: Vec<(&String, &Tensor, &Tensor)> = floats
        .filter_map(|(name, t)| Some((name, t, own.values.get(name)?)))
        .collect();
    let shares = both.iter().filter_map(|(_, t, o)| share(t, o));
    let share = shares.fold(own.dtype.unit_roundoff(), f64::max).min(MOST);
    let floor = |(name, t, own): &(&String, &Tensor, &Tensor)| {
        let axis = axis_for(t.shape());
        let moved = deviation(t, own, axis)?;
        let size = deviation(t, &nothing(t), axis)?;
        let [mut floor, mut least] = [(); 2].map(|()| Floor::along(axis));
        floor.add(&moved);
        least.add(&size);
        floor.merge(&Floor::sum(std::iter::once((&least, share)))?);
        Some(((*name).clone(), floor.capped(t, MOST)))
    };
    both.iter().filter_map(floor).collect()
}

/// How far the whole tensor is off, as a share of it; None where it is 0 or not finite.
fn share(exact: &Tensor, own: &Tensor) -> Option<f64> {
    let (moved, size) = (
        deviation(exact, own, None)?,
        deviation(exact, &nothing(exact), None)?,
    );
    let share = (moved.sum_sq.first()? / size.sum_sq.first()?).sqrt();
    share.is_finite().then_some(share)
}

fn nothing(like: &Tensor) -> Tensor {
    Tensor::from_vec(like.shape(), vec![0.0; like.numel()])
}
