//! resize: Resize and Upsample, axis by axis: an output element is a weighted sum of a few input elements.
//!
//! Coordinates are computed in f32 exactly as ONNX Runtime does, because the nearest element depends on their last bit;
//! in the shadow the weights of linear and cubic come from f64 coordinates.

use super::super::call::{Call, Precision};
use super::super::convert::torch_error;
use super::common::{Torch, along, axis, count, fits, largest_where_different, vector, weights};
use super::coordinate::{Nearest, Transform, cubic, f32_coordinate, f64_coordinate};
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Family::Interpolation;
use parity::graph::{Attribute, Node};
use tch::{Kind, Tensor};

/// One axis that changes its length.
struct Axis {
    at: usize,
    from: i64,
    to: i64,
    /// As the model states it, or the ratio of the lengths.
    scale: f32,
    /// The ratio that the shadow uses.
    wide: f64,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Nearest(Nearest),
    Linear,
    /// Coefficient a; whether weights outside the input are left out.
    Cubic(f64, bool),
}

struct Plan {
    axes: Vec<Axis>,
    transform: Transform,
    mode: Mode,
}

/// Elements that one output position takes from its axis, and their weights.
struct Taps {
    index: Vec<Vec<i64>>,
    weight: Vec<Vec<f64>>,
}

impl Plan {
    fn of(call: &Call) -> Result<Self> {
        let modern = call.node.op == "Resize" && call.opset >= 11;
        let transform = match modern {
            true => Transform::of(&call.text("coordinate_transformation_mode", "half_pixel")?)?,
            false => Transform::Asymmetric,
        };
        let nearest = if modern { Nearest::of(&call.text("nearest_mode", "round_prefer_floor")?)? } else { Nearest::Simple };
        call.known("extrapolation_value");
        if call.int("antialias", 0)? != 0 {
            return Err(Error::failed("Resize with antialias is not supported"));
        }
        let (a, exclude) = (call.float("cubic_coeff_a", -0.75)?, call.int("exclude_outside", 0)? != 0);
        let mode = match call.text("mode", "nearest")?.as_str() {
            "nearest" => Mode::Nearest(nearest),
            "linear" | "bilinear" => Mode::Linear,
            "cubic" => Mode::Cubic(a, exclude),
            other => return Err(Error::usage(format!("attribute 'mode' should be nearest, linear or cubic, is '{other}'"))),
        };
        let axes = lengths(call, modern)?.into_iter().filter(|a| a.scale != 1.0 || a.from != a.to).collect();
        Ok(Self { axes, transform, mode })
    }

    fn narrow(&self, a: &Axis) -> Vec<f32> {
        (0..a.to).map(|i| f32_coordinate(self.transform, i as f32, a.scale, a.from as f32, a.to as f32)).collect()
    }

    fn wide(&self, a: &Axis) -> Vec<f64> {
        (0..a.to).map(|i| f64_coordinate(self.transform, i as f64, a.wide, a.from as f64, a.to as f64)).collect()
    }

    /// Whether f32 knows every coordinate of the axis exactly.
    fn exact(&self, a: &Axis) -> bool {
        self.narrow(a).iter().zip(self.wide(a)).all(|(n, w)| *n as f64 == w)
    }

    fn taps(&self, a: &Axis, precision: Precision) -> Taps {
        let last = a.from - 1;
        let coordinates: Vec<f64> = match precision {
            Precision::Declared => self.narrow(a).iter().map(|x| *x as f64).collect(),
            Precision::Double => self.wide(a),
        };
        match self.mode {
            Mode::Nearest(nearest) => {
                let index = self.narrow(a).iter().map(|x| nearest.index(*x, a.scale < 1.0).max(0).min(last)).collect();
                Taps { index: vec![index], weight: vec![vec![1.0; a.to as usize]] }
            }
            Mode::Linear => {
                let inside: Vec<f64> = coordinates.iter().map(|x| x.max(0.0).min(last as f64)).collect();
                let floor: Vec<i64> = inside.iter().map(|x| *x as i64).collect();
                let rest: Vec<f64> = inside.iter().zip(&floor).map(|(x, f)| x - *f as f64).collect();
                let next = floor.iter().map(|f| (f + 1).min(last)).collect();
                Taps { index: vec![floor, next], weight: vec![rest.iter().map(|r| 1.0 - r).collect(), rest] }
            }
            Mode::Cubic(coefficient, exclude) => cubic_taps(&coordinates, last, coefficient, exclude),
        }
    }
}

fn cubic_taps(coordinates: &[f64], last: i64, a: f64, exclude: bool) -> Taps {
    let mut taps = Taps { index: vec![vec![]; 4], weight: vec![vec![]; 4] };
    for x in coordinates {
        let floor = x.floor();
        let mut w = cubic(x - floor, a);
        let at = [-1, 0, 1, 2].map(|k| floor as i64 + k);
        if exclude {
            for (w, at) in w.iter_mut().zip(at) {
                *w = if (0..=last).contains(&at) { *w } else { 0.0 };
            }
            let sum: f64 = w.iter().sum();
            w = w.map(|w| w / sum);
        }
        for k in 0..4 {
            taps.index[k].push(at[k].max(0).min(last));
            taps.weight[k].push(w[k]);
        }
    }
    taps
}

/// Every axis that the operator names, with its lengths before and after.
fn lengths(call: &Call, modern: bool) -> Result<Vec<Axis>> {
    let dims = call.input(0)?.size();
    let named = match call.ints("axes")? {
        Some(list) => list.iter().map(|a| axis(*a, dims.len())).collect::<Result<Vec<_>>>()?,
        None => (0..dims.len()).collect(),
    };
    let from: Vec<i64> = named.iter().map(|a| dims[*a]).collect();
    let scales = match call.any("scales") {
        Some(Attribute::Floats(v)) => Some(v.iter().map(|s| *s as f64).collect()),
        _ => call.floats(if modern { 2 } else { 1 })?,
    };
    let policy = call.text("keep_aspect_ratio_policy", "stretch")?;
    let (to, scales) = match (scales.filter(|s| !s.is_empty()), if modern { call.integers(3)? } else { None }) {
        (Some(scales), _) if scales.len() == from.len() => (from.iter().zip(&scales).map(|(n, s)| (*s as f32 * *n as f32) as i64).collect(), Some(scales)),
        (None, Some(sizes)) if sizes.len() == from.len() => kept(&policy, &from, sizes)?,
        (scales, sizes) => return Err(Error::usage(format!("scales {scales:?} or sizes {sizes:?} should be {} numbers", from.len()))),
    };
    let one = |(i, at): (usize, &usize)| {
        let wide = scales.as_ref().map_or(to[i] as f64 / from[i] as f64, |s| s[i]);
        let scale = scales.as_ref().map_or(to[i] as f32 / from[i] as f32, |s| s[i] as f32);
        match wide > 0.0 && wide.is_finite() || to[i] == from[i] {
            true => Ok(Axis { at: *at, from: from[i], to: fits(Some(to[i]))?, scale, wide }),
            false => Err(Error::usage(format!("axis {at} of {dims:?} cannot be resized by {wide}"))),
        }
    };
    let axes = named.iter().enumerate().map(one).collect::<Result<Vec<_>>>()?;
    count(&axes.iter().map(|a| a.to).collect::<Vec<_>>())?;
    Ok(axes)
}

/// Lengths after the resize, and the common scale if the aspect ratio is to be kept.
fn kept(policy: &str, from: &[i64], sizes: Vec<i64>) -> Result<(Vec<i64>, Option<Vec<f64>>)> {
    let ratios = sizes.iter().zip(from).map(|(to, from)| *to as f32 / *from as f32);
    let scale = match policy {
        "stretch" => return Ok((sizes, None)),
        "not_larger" => ratios.fold(f32::INFINITY, f32::min),
        "not_smaller" => ratios.fold(0.0, f32::max),
        other => return Err(Error::usage(format!("attribute 'keep_aspect_ratio_policy' is '{other}'"))),
    };
    Ok((from.iter().map(|n| (scale * *n as f32).round() as i64).collect(), Some(vec![scale as f64; from.len()])))
}

fn resize(call: &Call) -> Result<Vec<Tensor>> {
    let plan = Plan::of(call)?;
    let x = call.input(0)?;
    let over = |y: Tensor, a: &Axis| taken(&y, a.at, &plan.taps(a, call.precision), plan.mode);
    Ok(vec![plan.axes.iter().try_fold(x.shallow_clone(), over).map_err(torch_error)?])
}

/// Weighted sum of the taps along one axis.
fn taken(x: &Tensor, at: usize, taps: &Taps, mode: Mode) -> Torch {
    let pick = |k: usize| x.f_index_select(at as i64, &vector(&taps.index[k])?);
    if matches!(mode, Mode::Nearest(_)) {
        return pick(0);
    }
    let part = |k: usize| pick(k)?.f_mul(&weights(&taps.weight[k], x.kind(), x.dim(), at)?);
    (1..taps.index.len()).try_fold(part(0)?, |sum, k| sum.f_add(&part(k)?))
}

/// Σ|w||x|, and where f32 cannot hold the coordinates, the largest neighbour times the coordinate, whose rounding moves the weights.
fn interpolated(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let plan = Plan::of(call)?;
    let x = call.input(0)?.f_abs().map_err(torch_error)?;
    let bound = || -> Torch {
        let (mut sum, mut top) = (x.shallow_clone(), x.shallow_clone());
        let mut moved = full_like(&outputs[0], if matches!(plan.mode, Mode::Cubic(..)) { CUBIC } else { 0.0 })?;
        for a in &plan.axes {
            let mut taps = plan.taps(a, Precision::Double);
            taps.weight.iter_mut().flatten().for_each(|w| *w = w.abs());
            sum = taken(&sum, a.at, &taps, plan.mode)?;
            let pick = |t: &Tensor, k: usize| t.f_index_select(a.at as i64, &vector(&taps.index[k])?);
            top = (1..taps.index.len()).try_fold(pick(&top, 0)?, |m, k| m.f_maximum(&pick(&top, k)?))?;
            if !plan.exact(a) {
                let far: Vec<f64> = plan.wide(a).iter().map(|c| c.abs() + 1.0).collect();
                moved = moved.f_add(&weights(&far, Kind::Double, x.dim(), a.at)?)?;
            }
        }
        sum.f_add(&top.f_mul(&moved)?)
    };
    Ok(vec![(bound().map_err(torch_error)?, plan.axes.len().max(1))])
}

/// The polynomials of the cubic weights go through numbers of about this size.
const CUBIC: f64 = 4.0;

fn full_like(t: &Tensor, value: f64) -> Torch {
    super::common::full(&t.size(), value, Kind::Double)
}

/// Distance of the coordinate from where the nearest element changes, by the axis that is nearest to it; a whole element
/// where f32 holds the coordinates exactly, because then nothing but another rule explains a difference.
fn border(call: &Call, _: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let plan = Plan::of(call)?;
    let Mode::Nearest(nearest) = plan.mode else { return Err(Error::failed("only nearest decides")) };
    let mut distance = full_like(reference, 1.0).map_err(torch_error)?;
    for a in plan.axes.iter().filter(|a| !plan.exact(a)) {
        let each: Vec<f64> = plan.wide(a).iter().map(|x| nearest.border(*x)).collect();
        let lies = || distance.f_minimum(&Tensor::f_from_slice(&each)?.f_reshape(along(reference.dim(), a.at, a.to))?);
        distance = lies().map_err(torch_error)?;
    }
    largest_where_different(Ok(distance), reference, candidate)
}

const NEAREST: Scale = Scale::Selection(border);
const WEIGHTED: Scale = Scale::By(Interpolation, interpolated);

fn scale(node: &Node) -> &'static Scale {
    match node.attributes.get("mode") {
        Some(Attribute::Str(mode)) if mode != "nearest" => &WEIGHTED,
        _ => &NEAREST,
    }
}

pub const OPS: &[Op] = &[op("Resize", 10, resize, Scale::Node(scale)), op("Upsample", 7, resize, Scale::Node(scale))];
