//! rows: losses of a row of logits or of a vector, and the weights of boxes by size.

use super::elementwise::each;
use super::given::Values;
use super::{Answer, Given, Gradient};
use crate::error::{Error, Result};
use crate::kernel::boxes::area;
use crate::kernel::loss::cross_entropy;
use crate::kernel::loss::dfl::{Dfl, Expectation};
use crate::kernel::loss::info_nce::InfoNce;
use crate::kernel::loss::size_weight::weight;
use crate::tensor::Tensor;
use std::collections::BTreeMap;

/// Bins of a side, 0 … 16.
const BINS: usize = 17;
/// The label that cross-entropy leaves out.
const IGNORE: i64 = -1;
const TEMPERATURE: f64 = 0.07;

pub(super) fn dfl(given: &Given) -> Result<Answer> {
    of_bins(given, given.columns("x", 2, BINS)?)
}

pub(super) fn dfl_of_any(given: &Given) -> Result<Answer> {
    let x = given.real("x", 2)?;
    match x.shape[1] {
        0 | 1 => Err(Error::usage(format!(
            "x {:?}: a distribution has two bins at least",
            x.shape
        ))
        .next("give a column for each bin, 0 to R")),
        _ => of_bins(given, x),
    }
}

fn of_bins(given: &Given, x: Values<f64>) -> Result<Answer> {
    let (bins, target) = (x.shape[1], given.real("target", 1)?);
    given.same_rows(&[("x", &x.shape), ("target", &target.shape)])?;
    let mut out = each("loss", ("x", &x), bins, |i| {
        Dfl::new(target.values[i], bins - 1)
    });
    let mean = each("mean", ("x", &x), bins, |_| Expectation);
    out.tensors.extend(mean.tensors);
    out.gradients.extend(mean.gradients);
    Ok(out)
}

pub(super) fn cross_entropy(given: &Given) -> Result<Answer> {
    let (logits, labels) = (given.real("logits", 2)?, given.whole("labels", 1)?);
    given.same_rows(&[("logits", &logits.shape), ("labels", &labels.shape)])?;
    of_pixels(&logits, &labels, IGNORE, None)
}

/// The label that is left out and the weights of the classes are inputs.
pub(super) fn cross_entropy_weighted(given: &Given) -> Result<Answer> {
    let (logits, labels) = (given.real("logits", 2)?, given.whole("labels", 1)?);
    given.same_rows(&[("logits", &logits.shape), ("labels", &labels.shape)])?;
    let (weight, ignore) = (given.real("weight", 1)?, given.whole("ignore", 0)?);
    let ignore = ignore.values.first().copied().unwrap_or(IGNORE);
    of_pixels(&logits, &labels, ignore, Some(&weight.values))
}

fn of_pixels(
    logits: &Values<f64>,
    labels: &Values<i64>,
    ignore: i64,
    weights: Option<&[f64]>,
) -> Result<Answer> {
    let classes = logits.shape[1];
    let out =
        cross_entropy::cross_entropy(&logits.values, classes, &labels.values, ignore, weights)?;
    let (mean, counted) = (
        Tensor::from_vec(&[], vec![out.mean()]),
        Tensor::from_vec(&[], vec![out.counted as i64]),
    );
    Ok(Answer {
        tensors: BTreeMap::from([("loss", mean), ("counted", counted)]),
        gradients: vec![Gradient::smooth(
            "loss",
            "logits",
            Tensor::from_vec(&logits.shape, out.gradient),
        )],
        kinks: vec![f64::INFINITY],
        assignments: vec![],
    })
}

pub(super) fn info_nce(given: &Given) -> Result<Answer> {
    let (query, keys) = (given.real("query", 2)?, given.real("keys", 3)?);
    let n = given.same_rows(&[("query", &query.shape), ("keys", &keys.shape)])?;
    let (width, count) = (query.shape[1], keys.shape[1]);
    if keys.shape[2] != width {
        return Err(Error::usage(format!(
            "keys of {} values, queries of {width}",
            keys.shape[2]
        ))
        .next("give keys of the queries' length"));
    }
    let keys_of = |i: usize| -> Vec<Vec<f64>> {
        keys.values[i * count * width..(i + 1) * count * width]
            .chunks_exact(width.max(1))
            .map(<[f64]>::to_vec)
            .collect()
    };
    let made = (0..n)
        .map(|i| InfoNce::new(&keys_of(i), TEMPERATURE))
        .collect::<Result<Vec<_>>>()?;
    Ok(each("loss", ("query", &query), width, |i| made[i].clone()))
}

pub(super) fn size_weight(given: &Given) -> Result<Answer> {
    let (boxes, foreground) = (given.columns("boxes", 2, 4)?, given.flags("foreground", 1)?);
    let n = given.same_rows(&[("boxes", &boxes.shape), ("foreground", &foreground.shape)])?;
    let weights = |background: f64| -> Vec<f64> {
        boxes
            .boxes()
            .into_iter()
            .zip(&foreground.values)
            .map(|(b, f)| if *f { weight(area(b)) } else { background })
            .collect()
    };
    let (by_size, only) = (
        Tensor::from_vec(&[n], weights(1.0)),
        Tensor::from_vec(&[n], weights(0.0)),
    );
    Ok(Answer {
        tensors: BTreeMap::from([("by_size", by_size), ("foreground_only", only)]),
        ..Answer::default()
    })
}
