//! kept: a recording in half precision whose program may have kept f32 between its nodes, as ONNX Runtime, autocast and most compilers do: what a node
//! took is known but for the rounding with which it was recorded, and that is allowed to its output, R spreads of it.

use crate::error::{Result, unless_refused};
use crate::floor::Rounding;
use crate::floor::family::bound;
use crate::floor::noise::{R, RUNS, signs};
use crate::graph::Graph;
use crate::subject::{Feed, Judge};
use crate::tensor::{DType, Tensor};
use rand::Rng;
use std::collections::HashMap;

/// The rounding of output `output` where the tensors of half precision that other nodes made were not rounded before this one took them; None where there
/// are none, or it does not round.
///
/// # Errors
/// What the judge lacks.
pub fn wider(
    graph: &Graph,
    judge: &mut dyn Judge,
    (step, output): (usize, usize),
    feed: Feed,
    (shadow, rounding, dtype): (&Tensor, &Rounding, DType),
) -> Result<Option<Rounding>> {
    let Rounding::Within {
        family,
        scale,
        terms,
    } = rounding
    else {
        return Ok(None);
    };
    let taken = graph.steps[step].inputs.iter();
    let mut taken: HashMap<&str, Tensor> = taken
        .filter_map(|n| Some((n.as_str(), feed(n)?)))
        .filter(|(_, t)| matches!(t.dtype(), DType::F16 | DType::BF16))
        .collect();
    if taken.is_empty() {
        return Ok(None);
    }
    let made = graph.producers();
    taken.retain(|n, _| made.contains_key(n));
    let (Some(exact), Some(scales)) = (shadow.values::<f64>(), scale.values::<f64>()) else {
        return Ok(None);
    };
    if taken.is_empty() || exact.len() != scales.len() {
        return Ok(None);
    }
    let mut squares = vec![0.0; exact.len()];
    for run in 0..RUNS {
        let moved = |n: &str| match taken.get(n) {
            Some(t) => Some(unrounded(t, run)),
            None => feed(n),
        };
        let Some(outputs) = unless_refused(judge.eval(step, &moved))? else {
            return Ok(None);
        };
        let values = outputs.get(output).and_then(|t| t.values::<f64>());
        let Some(values) = values.filter(|v| v.len() == exact.len()) else {
            return Ok(None);
        };
        let off = values.iter().zip(exact).map(|(v, e)| v - e);
        let add =
            |(sum, off): (&mut f64, f64)| *sum += if off.is_finite() { off * off } else { 0.0 };
        squares.iter_mut().zip(off).for_each(add);
    }
    let unit = bound(*family, *terms, dtype.unit_roundoff());
    let spread = |sum: &f64| R * (sum / f64::from(RUNS)).sqrt() / unit;
    let wide = scales.iter().zip(&squares).map(|(s, sum)| s + spread(sum));
    Ok(Some(Rounding::Within {
        family: *family,
        scale: Tensor::from_vec(scale.shape(), wide.collect::<Vec<f64>>()),
        terms: *terms,
    }))
}

/// Every element up or down by half a step of its dtype.
fn unrounded(t: &Tensor, run: u32) -> Tensor {
    let (unit, least) = (t.dtype().unit_roundoff(), t.dtype().tiny() / 2.0);
    let mut rng = signs(0, run, 0);
    let moved = t.to_f64().into_iter().map(|v| {
        let by = (v.abs() * unit).max(least);
        if rng.next_u64() & 1 == 0 {
            v - by
        } else {
            v + by
        }
    });
    Tensor::from_vec(t.shape(), moved.collect::<Vec<f64>>())
}
