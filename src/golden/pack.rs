//! pack: tensors and sketches to the bytes of a safetensors file, and sketches back; the parts of sketch `x` are called `PART:x`.

use super::sketch::{CHANNELS, NotFinite, PERCENT, Settings, Sketch};
use crate::error::{Error, Result};
use crate::tensor::{DType, Tensor, checked_numel};
use crate::trace::file::{Opened, safetensors_dtype};
use safetensors::tensor::TensorView;

/// The tensors of one sketch: counts (NaN, inf, −inf), statistics (norm, then the quantiles), and what the names say.
pub const PARTS: [&str; 6] = [
    "counts",
    "statistics",
    "sample_at",
    "sample",
    "channels",
    "projection",
];

/// A safetensors file that holds `tensors`.
pub fn bytes<'a>(tensors: impl Iterator<Item = (String, &'a Tensor)>) -> Result<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Error::failed(format!("safetensors: {e}"));
    let views = tensors
        .map(|(name, t)| {
            TensorView::new(safetensors_dtype(t.dtype()), t.shape().to_vec(), t.bytes())
                .map(|v| (name, v))
                .map_err(|e| failed(&e))
        })
        .collect::<Result<Vec<_>>>()?;
    safetensors::serialize(views, None).map_err(|e| failed(&e))
}

/// The parts of the sketch called `name`.
pub fn parts(name: &str, sketch: &Sketch) -> Vec<(String, Tensor)> {
    let f64s = |values: Vec<f64>| Tensor::from_vec(&[values.len()], values);
    let n = sketch.not_finite;
    let tensors = [
        Tensor::from_vec(&[3], vec![n.nan, n.positive, n.negative]),
        f64s([&[sketch.norm], sketch.quantiles.as_slice()].concat()),
        Tensor::from_vec(&[sketch.sample_at.len()], sketch.sample_at.clone()),
        sketch.sample.clone(),
        f64s(sketch.channels.clone()),
        f64s(sketch.projection.clone()),
    ];
    PARTS
        .iter()
        .map(|part| format!("{part}:{name}"))
        .zip(tensors)
        .collect()
}

/// The sketch called `name` out of `file`; every length is checked.
pub fn unpack(
    file: &Opened,
    name: &str,
    dtype: DType,
    shape: &[usize],
    settings: Settings,
) -> Result<Sketch> {
    let numel = checked_numel(shape)?;
    let part = |which: usize, dtype: DType| {
        let called = format!("{}:{name}", PARTS[which]);
        let t = file
            .tensor(&called)?
            .ok_or_else(|| Error::usage(format!("the file of sketches has no '{called}'")))?;
        if t.dtype() != dtype || t.shape().len() != 1 {
            return Err(Error::usage(format!(
                "'{called}' is {} {:?}, expected a list of {dtype}",
                t.dtype(),
                t.shape()
            )));
        }
        Ok(t)
    };
    let f64s = |which: usize| Ok::<_, Error>(part(which, DType::F64)?.to_f64());
    let u64s = |which: usize| {
        Ok::<_, Error>(
            part(which, DType::U64)?
                .values::<u64>()
                .map(<[u64]>::to_vec)
                .unwrap_or_default(),
        )
    };
    let (counts, mut statistics, sample_at) = (u64s(0)?, f64s(1)?, u64s(2)?);
    let (sample, channels, projection) = (part(3, dtype)?, f64s(4)?, f64s(5)?);
    let has_channels = shape.get(1).is_some_and(|c| (2..=CHANNELS).contains(c)) && numel > 0;
    let lengths = [
        ("counts", counts.len(), 3),
        (
            "statistics",
            statistics.len(),
            if statistics.len() == 1 {
                1
            } else {
                1 + PERCENT.len()
            },
        ),
        ("sample_at", sample_at.len(), settings.samples.min(numel)),
        ("sample", sample.numel(), settings.samples.min(numel)),
        (
            "channels",
            channels.len(),
            if has_channels { shape[1] } else { 0 },
        ),
        ("projection", projection.len(), settings.buckets),
    ];
    if let Some((what, has, wants)) = lengths.into_iter().find(|(_, has, wants)| has != wants) {
        return Err(Error::usage(format!(
            "its sketch has {has} numbers of '{what}', expected {wants}"
        )));
    }
    if sample_at.windows(2).any(|w| w[0] >= w[1])
        || sample_at.last().is_some_and(|at| *at >= numel as u64)
    {
        return Err(Error::usage(format!(
            "its sketch samples places that do not rise below {numel}"
        )));
    }
    Ok(Sketch {
        settings,
        dtype,
        shape: shape.to_vec(),
        not_finite: NotFinite {
            nan: counts[0],
            positive: counts[1],
            negative: counts[2],
        },
        norm: statistics.remove(0),
        quantiles: statistics,
        sample_at,
        sample,
        channels,
        projection,
    })
}
