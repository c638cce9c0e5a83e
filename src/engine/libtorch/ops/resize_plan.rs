//! resize_plan: what a Resize node asks for: its axes, where each output element lies on them, and what it is made of.
//!
//! Coordinates are computed in f32 exactly as ONNX Runtime does, because the nearest element depends on their last bit;
//! in the shadow the weights of linear and cubic come from f64 coordinates.

use super::super::call::{Call, Precision};
use super::common::{axis, count, fits};
use super::coordinate::{Nearest, Transform, f32_coordinate, f64_coordinate};
use super::taps::{Taps, cubic_taps, keys, smoothed};
use parity::error::{Error, Result};
use parity::graph::Attribute;

/// One axis that changes its length.
pub struct Axis {
    pub at: usize,
    pub from: i64,
    pub to: i64,
    /// As the model states it, or the ratio of the lengths.
    scale: f32,
    /// The ratio that the shadow uses.
    wide: f64,
    /// The part of the axis that is resized, where only a part is: start and end, 1 being the whole length.
    pub part: Option<(f64, f64)>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Mode {
    Nearest(Nearest),
    Linear,
    /// Coefficient a; whether weights outside the input are left out.
    Cubic(f64, bool),
}

pub struct Plan {
    pub axes: Vec<Axis>,
    transform: Transform,
    pub mode: Mode,
    /// Whether an axis that shrinks is smoothed first.
    antialias: bool,
    /// Whether weights outside the input are left out there, too.
    exclude: bool,
    /// What lies outside the input, where only a part is resized.
    pub outside: f64,
}

impl Plan {
    pub fn of(call: &Call) -> Result<Self> {
        let modern = call.node.op == "Resize" && call.opset >= 11;
        let transform = match modern {
            true => Transform::of(&call.text("coordinate_transformation_mode", "half_pixel")?)?,
            false => Transform::Asymmetric,
        };
        let nearest = if modern {
            Nearest::of(&call.text("nearest_mode", "round_prefer_floor")?)?
        } else {
            Nearest::Simple
        };
        let (outside, antialias) = (
            call.float("extrapolation_value", 0.0)?,
            call.int("antialias", 0)? != 0,
        );
        let (a, exclude) = (
            call.float("cubic_coeff_a", -0.75)?,
            call.int("exclude_outside", 0)? != 0,
        );
        let mode = match call.text("mode", "nearest")?.as_str() {
            "nearest" => Mode::Nearest(nearest),
            "linear" | "bilinear" => Mode::Linear,
            "cubic" => Mode::Cubic(a, exclude),
            other => {
                return Err(Error::usage(format!(
                    "attribute 'mode' should be nearest, linear or cubic, is '{other}'"
                )));
            }
        };
        let mut axes = lengths(call, modern)?;
        if transform == Transform::TfCropAndResize {
            parts(call, &mut axes)?;
        }
        let axes = axes
            .into_iter()
            .filter(|a| a.scale != 1.0 || a.from != a.to || a.part.is_some_and(|p| p != (0.0, 1.0)))
            .collect();
        Ok(Self {
            axes,
            transform,
            mode,
            antialias,
            exclude,
            outside,
        })
    }

    fn narrow(&self, a: &Axis) -> Vec<f32> {
        if let Some(part) = a.part {
            return (0..a.to)
                .map(|i| within(part, i as f64, a.from as f64, a.to as f64) as f32)
                .collect();
        }
        (0..a.to)
            .map(|i| {
                f32_coordinate(
                    self.transform,
                    i as f32,
                    a.scale,
                    a.from as f32,
                    a.to as f32,
                )
            })
            .collect()
    }

    pub fn wide(&self, a: &Axis) -> Vec<f64> {
        if let Some(part) = a.part {
            return (0..a.to)
                .map(|i| within(part, i as f64, a.from as f64, a.to as f64))
                .collect();
        }
        (0..a.to)
            .map(|i| f64_coordinate(self.transform, i as f64, a.wide, a.from as f64, a.to as f64))
            .collect()
    }

    /// Size of the numbers that coordinate `x` is computed from.
    pub fn reach(&self, a: &Axis, x: f64) -> f64 {
        let centre = if self.transform == Transform::HalfPixelSymmetric {
            a.from as f64 / 2.0
        } else {
            0.0
        };
        x.abs() + 1.0 + centre
    }

    /// The taps, and what f32 may reach beside them: the neighbours of a coordinate that lies on an element or, where an axis is
    /// smoothed, of every one.
    pub fn touched(&self, a: &Axis, taps: &Taps) -> Vec<Vec<i64>> {
        let smooth = self.antialias && a.wide < 1.0;
        let near = |x: f64| smooth || (x - x.round()).abs() <= ROUNDING * self.reach(a, x);
        let beside = |by: i64| {
            let one = |(i, x): (usize, f64)| {
                let own = taps.index.iter().map(|index| index[i]);
                let edge = if by < 0 { own.min() } else { own.max() }.unwrap_or(0);
                if near(x) {
                    (edge + by).max(0).min(a.from - 1)
                } else {
                    edge
                }
            };
            self.wide(a).into_iter().enumerate().map(one).collect()
        };
        [beside(-1), beside(1)]
            .into_iter()
            .chain(taps.index.iter().cloned())
            .collect()
    }

    /// Whether f32 knows every coordinate of the axis exactly.
    pub fn exact(&self, a: &Axis) -> bool {
        self.narrow(a)
            .iter()
            .zip(self.wide(a))
            .all(|(n, w)| *n as f64 == w)
    }

    /// The nearest elements if every coordinate is moved.
    pub fn elements(&self, a: &Axis, nearest: Nearest, moved: impl Fn(f64) -> f64) -> Vec<i64> {
        self.wide(a)
            .into_iter()
            .map(|x| {
                nearest
                    .index(moved(x) as f32, a.scale < 1.0)
                    .clamp(0, a.from - 1)
            })
            .collect()
    }

    pub fn taps(&self, a: &Axis, precision: Precision) -> Taps {
        let last = a.from - 1;
        let coordinates: Vec<f64> = match precision {
            Precision::Declared => self.narrow(a).iter().map(|x| *x as f64).collect(),
            Precision::Double | Precision::Noisy(_) => self.wide(a),
        };
        let gain = vec![1.0; a.to as usize];
        if self.antialias && a.wide < 1.0 {
            let scale = if precision.is_wide() {
                a.wide
            } else {
                a.scale as f64
            };
            match self.mode {
                Mode::Linear => {
                    return smoothed(
                        &coordinates,
                        last,
                        scale,
                        1.0,
                        &|t| (1.0 - t).max(0.0),
                        self.exclude,
                    );
                }
                Mode::Cubic(c, exclude) => {
                    return smoothed(&coordinates, last, scale, 2.0, &|t| keys(t, c), exclude);
                }
                Mode::Nearest(_) => {}
            }
        }
        match self.mode {
            Mode::Nearest(nearest) => {
                let index = self
                    .narrow(a)
                    .iter()
                    .map(|x| nearest.index(*x, a.scale < 1.0).max(0).min(last))
                    .collect();
                Taps {
                    index: vec![index],
                    weight: vec![vec![1.0; a.to as usize]],
                    gain,
                }
            }
            Mode::Linear => {
                let inside: Vec<f64> = coordinates
                    .iter()
                    .map(|x| x.max(0.0).min(last as f64))
                    .collect();
                let floor: Vec<i64> = inside.iter().map(|x| *x as i64).collect();
                let rest: Vec<f64> = inside
                    .iter()
                    .zip(&floor)
                    .map(|(x, f)| x - *f as f64)
                    .collect();
                let next = floor.iter().map(|f| (f + 1).min(last)).collect();
                Taps {
                    index: vec![floor, next],
                    weight: vec![rest.iter().map(|r| 1.0 - r).collect(), rest],
                    gain,
                }
            }
            Mode::Cubic(coefficient, exclude) => {
                cubic_taps(&coordinates, last, coefficient, exclude)
            }
        }
    }
}

/// Where output position `x` lies in the part of an axis that is resized.
fn within(part: (f64, f64), x: f64, from: f64, to: f64) -> f64 {
    let (start, end) = part;
    match to > 1.0 {
        true => start * (from - 1.0) + x * (end - start) * (from - 1.0) / (to - 1.0),
        false => 0.5 * (start + end) * (from - 1.0),
    }
}

/// The parts that input 1 states: all starts, then all ends.
fn parts(call: &Call, axes: &mut [Axis]) -> Result<()> {
    let roi = call.floats(1)?.unwrap_or_default();
    if roi.len() != 2 * axes.len() || roi.iter().any(|v| !v.is_finite() || v.abs() > 1e6) {
        return Err(Error::usage(format!(
            "roi {roi:?} should be {} numbers",
            2 * axes.len()
        )));
    }
    let n = axes.len();
    axes.iter_mut()
        .enumerate()
        .for_each(|(i, a)| a.part = Some((roi[i], roi[n + i])));
    Ok(())
}

/// Every axis that the operator names, with its lengths before and after.
fn lengths(call: &Call, modern: bool) -> Result<Vec<Axis>> {
    let dims = call.input(0)?.size();
    let named = match call.ints("axes")? {
        Some(list) => list
            .iter()
            .map(|a| axis(*a, dims.len()))
            .collect::<Result<Vec<_>>>()?,
        None => (0..dims.len()).collect(),
    };
    let from: Vec<i64> = named.iter().map(|a| dims[*a]).collect();
    let scales = match call.any("scales") {
        Some(Attribute::Floats(v)) => Some(v.iter().map(|s| *s as f64).collect()),
        _ => call.floats(if modern { 2 } else { 1 })?,
    };
    let policy = call.text("keep_aspect_ratio_policy", "stretch")?;
    let (to, scales) = match (
        scales.filter(|s| !s.is_empty()),
        if modern { call.integers(3)? } else { None },
    ) {
        (Some(scales), _) if scales.len() == from.len() => (
            from.iter()
                .zip(&scales)
                .map(|(n, s)| (*s as f32 * *n as f32) as i64)
                .collect(),
            Some(scales),
        ),
        (None, Some(sizes)) if sizes.len() == from.len() => kept(&policy, &from, sizes)?,
        (scales, sizes) => {
            return Err(Error::usage(format!(
                "scales {scales:?} or sizes {sizes:?} should be {} numbers",
                from.len()
            )));
        }
    };
    let one = |(i, at): (usize, &usize)| {
        let wide = scales
            .as_ref()
            .map_or(to[i] as f64 / from[i] as f64, |s| s[i]);
        let scale = scales
            .as_ref()
            .map_or(to[i] as f32 / from[i] as f32, |s| s[i] as f32);
        match wide > 0.0 && wide.is_finite() || to[i] == from[i] {
            true => Ok(Axis {
                at: *at,
                from: from[i],
                to: fits(Some(to[i]).filter(|n| *n < 1 << 24))?,
                scale,
                wide,
                part: None,
            }),
            false => Err(Error::usage(format!(
                "axis {at} of {dims:?} cannot be resized by {wide}"
            ))),
        }
    };
    let axes = named
        .iter()
        .enumerate()
        .map(one)
        .collect::<Result<Vec<_>>>()?;
    count(&axes.iter().map(|a| a.to).collect::<Vec<_>>())?;
    Ok(axes)
}

/// Lengths after the resize, and the common scale if the aspect ratio is to be kept.
fn kept(policy: &str, from: &[i64], sizes: Vec<i64>) -> Result<(Vec<i64>, Option<Vec<f64>>)> {
    let ratios = sizes
        .iter()
        .zip(from)
        .map(|(to, from)| *to as f32 / *from as f32);
    let scale = match policy {
        "stretch" => return Ok((sizes, None)),
        "not_larger" => ratios.fold(f32::INFINITY, f32::min),
        "not_smaller" => ratios.fold(0.0, f32::max),
        other => {
            return Err(Error::usage(format!(
                "attribute 'keep_aspect_ratio_policy' is '{other}'"
            )));
        }
    };
    Ok((
        from.iter()
            .map(|n| (scale * *n as f32).round() as i64)
            .collect(),
        Some(vec![scale as f64; from.len()]),
    ))
}

/// Relative rounding of a coordinate: half a dozen operations in f32 (ONNX Runtime showed up to 5 u).
pub const ROUNDING: f64 = 8.0 * (f32::EPSILON as f64 / 2.0);
