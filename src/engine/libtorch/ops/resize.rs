//! resize: Resize and Upsample, axis by axis: an output element is a weighted sum of a few input elements.
//!
//! Coordinates are computed in f32 exactly as ONNX Runtime does, because the nearest element depends on their last bit;
//! in the shadow the weights of linear and cubic come from f64 coordinates.

use super::super::call::{Call, Precision};
use super::super::convert::torch_error;
use super::common::{Torch, along, axis, count, fits, largest_where_different, vector, weights};
use super::coordinate::{Nearest, Transform, f32_coordinate, f64_coordinate};
use super::taps::{Taps, cubic_taps, keys, smoothed};
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
    /// The part of the axis that is resized, where only a part is: start and end, 1 being the whole length.
    part: Option<(f64, f64)>,
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
    /// Whether an axis that shrinks is smoothed first.
    antialias: bool,
    /// Whether weights outside the input are left out there, too.
    exclude: bool,
    /// What lies outside the input, where only a part is resized.
    outside: f64,
}

impl Plan {
    fn of(call: &Call) -> Result<Self> {
        let modern = call.node.op == "Resize" && call.opset >= 11;
        let transform = match modern {
            true => Transform::of(&call.text("coordinate_transformation_mode", "half_pixel")?)?,
            false => Transform::Asymmetric,
        };
        let nearest = if modern { Nearest::of(&call.text("nearest_mode", "round_prefer_floor")?)? } else { Nearest::Simple };
        let (outside, antialias) = (call.float("extrapolation_value", 0.0)?, call.int("antialias", 0)? != 0);
        let (a, exclude) = (call.float("cubic_coeff_a", -0.75)?, call.int("exclude_outside", 0)? != 0);
        let mode = match call.text("mode", "nearest")?.as_str() {
            "nearest" => Mode::Nearest(nearest),
            "linear" | "bilinear" => Mode::Linear,
            "cubic" => Mode::Cubic(a, exclude),
            other => {
                return Err(Error::usage(format!("attribute 'mode' should be nearest, linear or cubic, is '{other}'")));
            }
        };
        let mut axes = lengths(call, modern)?;
        if transform == Transform::TfCropAndResize {
            parts(call, &mut axes)?;
        }
        let axes = axes.into_iter().filter(|a| a.scale != 1.0 || a.from != a.to || a.part.is_some_and(|p| p != (0.0, 1.0))).collect();
        Ok(Self { axes, transform, mode, antialias, exclude, outside })
    }

    fn narrow(&self, a: &Axis) -> Vec<f32> {
        if let Some(part) = a.part {
            return (0..a.to).map(|i| within(part, i as f64, a.from as f64, a.to as f64) as f32).collect();
        }
        (0..a.to).map(|i| f32_coordinate(self.transform, i as f32, a.scale, a.from as f32, a.to as f32)).collect()
    }

    fn wide(&self, a: &Axis) -> Vec<f64> {
        if let Some(part) = a.part {
            return (0..a.to).map(|i| within(part, i as f64, a.from as f64, a.to as f64)).collect();
        }
        (0..a.to).map(|i| f64_coordinate(self.transform, i as f64, a.wide, a.from as f64, a.to as f64)).collect()
    }

    /// Size of the numbers that coordinate `x` is computed from.
    fn reach(&self, a: &Axis, x: f64) -> f64 {
        let centre = if self.transform == Transform::HalfPixelSymmetric { a.from as f64 / 2.0 } else { 0.0 };
        x.abs() + 1.0 + centre
    }

    /// The taps, and what f32 may reach beside them: the neighbours of a coordinate that lies on an element or, where an axis is
    /// smoothed, of every one.
    fn touched(&self, a: &Axis, taps: &Taps) -> Vec<Vec<i64>> {
        let smooth = self.antialias && a.wide < 1.0;
        let near = |x: f64| smooth || (x - x.round()).abs() <= ROUNDING * self.reach(a, x);
        let beside = |by: i64| {
            let one = |(i, x): (usize, f64)| {
                let own = taps.index.iter().map(|index| index[i]);
                let edge = if by < 0 { own.min() } else { own.max() }.unwrap_or(0);
                if near(x) { (edge + by).max(0).min(a.from - 1) } else { edge }
            };
            self.wide(a).into_iter().enumerate().map(one).collect()
        };
        [beside(-1), beside(1)].into_iter().chain(taps.index.iter().cloned()).collect()
    }

    /// Whether f32 knows every coordinate of the axis exactly.
    fn exact(&self, a: &Axis) -> bool {
        self.narrow(a).iter().zip(self.wide(a)).all(|(n, w)| *n as f64 == w)
    }

    fn taps(&self, a: &Axis, precision: Precision) -> Taps {
        let last = a.from - 1;
        let coordinates: Vec<f64> = match precision {
            Precision::Declared => self.narrow(a).iter().map(|x| *x as f64).collect(),
            Precision::Double | Precision::Noisy(_) => self.wide(a),
        };
        let gain = vec![1.0; a.to as usize];
        if self.antialias && a.wide < 1.0 {
            let scale = if precision.is_wide() { a.wide } else { a.scale as f64 };
            match self.mode {
                Mode::Linear => return smoothed(&coordinates, last, scale, 1.0, &|t| (1.0 - t).max(0.0), self.exclude),
                Mode::Cubic(c, exclude) => return smoothed(&coordinates, last, scale, 2.0, &|t| keys(t, c), exclude),
                Mode::Nearest(_) => {}
            }
        }
        match self.mode {
            Mode::Nearest(nearest) => {
                let index = self.narrow(a).iter().map(|x| nearest.index(*x, a.scale < 1.0).max(0).min(last)).collect();
                Taps { index: vec![index], weight: vec![vec![1.0; a.to as usize]], gain }
            }
            Mode::Linear => {
                let inside: Vec<f64> = coordinates.iter().map(|x| x.max(0.0).min(last as f64)).collect();
                let floor: Vec<i64> = inside.iter().map(|x| *x as i64).collect();
                let rest: Vec<f64> = inside.iter().zip(&floor).map(|(x, f)| x - *f as f64).collect();
                let next = floor.iter().map(|f| (f + 1).min(last)).collect();
                Taps { index: vec![floor, next], weight: vec![rest.iter().map(|r| 1.0 - r).collect(), rest], gain }
            }
            Mode::Cubic(coefficient, exclude) => cubic_taps(&coordinates, last, coefficient, exclude),
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
        return Err(Error::usage(format!("roi {roi:?} should be {} numbers", 2 * axes.len())));
    }
    let n = axes.len();
    axes.iter_mut().enumerate().for_each(|(i, a)| a.part = Some((roi[i], roi[n + i])));
    Ok(())
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
        (Some(scales), _) if scales.len() == from.len() => {
            (from.iter().zip(&scales).map(|(n, s)| (*s as f32 * *n as f32) as i64).collect(), Some(scales))
        }
        (None, Some(sizes)) if sizes.len() == from.len() => kept(&policy, &from, sizes)?,
        (scales, sizes) => {
            return Err(Error::usage(format!("scales {scales:?} or sizes {sizes:?} should be {} numbers", from.len())));
        }
    };
    let one = |(i, at): (usize, &usize)| {
        let wide = scales.as_ref().map_or(to[i] as f64 / from[i] as f64, |s| s[i]);
        let scale = scales.as_ref().map_or(to[i] as f32 / from[i] as f32, |s| s[i] as f32);
        match wide > 0.0 && wide.is_finite() || to[i] == from[i] {
            true => Ok(Axis { at: *at, from: from[i], to: fits(Some(to[i]).filter(|n| *n < 1 << 24))?, scale, wide, part: None }),
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
    let y = plan.axes.iter().try_fold(x.shallow_clone(), over).map_err(torch_error)?;
    let cut = |y: Tensor, a: &Axis| match a.part {
        None => Ok(y),
        Some(_) => {
            let beyond: Vec<bool> = plan.wide(a).iter().map(|c| *c < 0.0 || *c > (a.from - 1) as f64).collect();
            y.f_masked_fill(&Tensor::f_from_slice(&beyond)?.f_reshape(along(y.dim(), a.at, a.to))?, plan.outside)
        }
    };
    Ok(vec![plan.axes.iter().try_fold(y, cut).map_err(torch_error)?])
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

/// Σ|w||x|, and the largest neighbour times how far its weight may move: by the rounding of the coordinate, where f32 cannot
/// hold it, and by that of the cubic polynomial, whose terms are of size CUBIC; both grow with what normalises the weights.
fn interpolated(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let plan = Plan::of(call)?;
    let x = call.input(0)?.f_abs().map_err(torch_error)?;
    let bound = || -> Torch {
        let (mut sum, mut top) = (x.shallow_clone(), x.shallow_clone());
        let (mut moved, mut gain) = (full_like(&outputs[0], 0.0)?, full_like(&outputs[0], 1.0)?);
        for a in &plan.axes {
            let mut taps = plan.taps(a, Precision::Double);
            taps.weight.iter_mut().flatten().for_each(|w| *w = w.abs());
            sum = taken(&sum, a.at, &taps, plan.mode)?;
            let pick = |index: &[i64]| top.f_index_select(a.at as i64, &vector(index)?);
            let touched = plan.touched(a, &taps);
            top = touched[1..].iter().try_fold(pick(&touched[0])?, |m, index| m.f_maximum(&pick(index)?))?;
            let polynomial = if matches!(plan.mode, Mode::Cubic(..)) { CUBIC } else { 0.0 };
            let exact = plan.exact(a);
            let far: Vec<f64> = plan.wide(a).iter().map(|c| polynomial + if exact { 0.0 } else { plan.reach(a, *c) }).collect();
            moved = moved.f_add(&weights(&far, Kind::Double, x.dim(), a.at)?)?;
            gain = gain.f_mul(&weights(&taps.gain, Kind::Double, x.dim(), a.at)?)?;
        }
        sum.f_add(&top.f_mul(&moved)?.f_mul(&gain)?)
    };
    Ok(vec![(bound().map_err(torch_error)?, plan.axes.len().max(1))])
}

const CUBIC: f64 = 4.0;

/// Relative rounding of a coordinate: half a dozen operations in f32 (ONNX Runtime showed up to 5 u).
const ROUNDING: f64 = 8.0 * (f32::EPSILON as f64 / 2.0);

fn full_like(t: &Tensor, value: f64) -> Torch {
    super::common::full(&t.size(), value, Kind::Double)
}

/// Distance of the coordinate from where the nearest element changes, by the axis that is nearest to it; a whole element
/// where f32 holds the coordinates exactly, because then nothing but another rule explains a difference. 0 where it is less
/// than what computing the coordinate in f32 may round.
fn border(call: &Call, _: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let plan = Plan::of(call)?;
    let Mode::Nearest(nearest) = plan.mode else {
        return Err(Error::failed("only nearest decides"));
    };
    let mut distance = full_like(reference, 1.0).map_err(torch_error)?;
    for a in plan.axes.iter().filter(|a| !plan.exact(a)) {
        let beyond = |x: &f64| Some(nearest.border(*x)).filter(|d| *d > ROUNDING * plan.reach(a, *x)).unwrap_or(0.0);
        let each: Vec<f64> = plan.wide(a).iter().map(beyond).collect();
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

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, i64s, random};
    use parity::graph::Attribute;
    use proptest::prelude::*;

    fn four() -> parity::tensor::Tensor {
        f32s(&[1, 1, 4], &[1.0, 2.0, 3.0, 4.0])
    }

    #[test]
    fn a_part_is_resized_and_what_lies_beyond_the_input_is_stated() {
        let case = |start: f32, end: f32| {
            let roi = f32s(&[8], &[0.0, 0.0, 0.0, start, 1.0, 1.0, 1.0, end]);
            let case = Case::new("Resize", 19).with(f32s(&[1, 1, 1, 3], &[1.0, 3.0, 5.0])).with(roi).without().with(i64s(&[1, 1, 1, 2]));
            case.text("mode", "linear").text("coordinate_transformation_mode", "tf_crop_and_resize").float("extrapolation_value", 9.0)
        };
        case(0.0, 0.25).gives(&[f32s(&[1, 1, 1, 2], &[1.0, 2.0])]);
        case(0.5, 1.5).gives(&[f32s(&[1, 1, 1, 2], &[3.0, 9.0])]);
        let short = Case::new("Resize", 19).with(f32s(&[3], &[0.0; 3])).with(f32s(&[1], &[0.0])).without().with(i64s(&[3]));
        short.text("coordinate_transformation_mode", "tf_crop_and_resize").refused("should be 2 numbers");
    }

    #[test]
    fn a_row_is_enlarged_by_every_mode() {
        let to = |mode: &str, transform: &str, want: &[f32]| {
            let case = Case::new("Resize", 13).with(four()).without().with(f32s(&[3], &[1.0, 1.0, 2.0])).text("mode", mode);
            case.text("coordinate_transformation_mode", transform).gives(&[f32s(&[1, 1, 8], want)]);
        };
        to("nearest", "half_pixel", &[1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]);
        to("nearest", "asymmetric", &[1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]);
        to("linear", "half_pixel", &[1.0, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4.0]);
        to("linear", "asymmetric", &[1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.0]);
    }

    #[test]
    fn a_scale_that_changes_no_length_still_moves_the_elements() {
        // ONNX Runtime copies the input then; the standard computes the coordinates from the scale.
        let case = Case::new("Resize", 13)
            .with(f32s(&[1, 1, 2], &[0.0, 1.0]))
            .without()
            .with(f32s(&[3], &[1.0, 1.0, 1.25]))
            .text("mode", "linear");
        assert_eq!(case.ort().expect("it runs")[0].to_f64(), [0.0, 1.0]);
        assert!((case.torch().expect("it runs")[0].to_f64()[1] - 0.7).abs() < 1e-6);
    }

    #[test]
    fn a_coordinate_that_f32_misses_reaches_the_neighbour_beyond() {
        // Output element 7 lies on input element 4 exactly; computed in f32 it lies a little before or behind.
        for beyond in [3, 5] {
            let mut x = [0.0; 9];
            x[beyond] = 1.0;
            let case = Case::new("Resize", 19).with(f32s(&[1, 1, 9], &x)).without().with(f32s(&[3], &[1.0, 1.0, 1.7]));
            case.text("mode", "linear").text("coordinate_transformation_mode", "half_pixel_symmetric").check();
        }
    }

    #[test]
    fn older_versions_have_other_inputs() {
        let scales = Attribute::Floats(vec![1.0, 1.0, 2.0, 2.0]);
        let x = || f32s(&[1, 1, 1, 2], &[1.0, 2.0]);
        let twice = [f32s(&[1, 1, 2, 4], &[1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0])];
        Case::new("Upsample", 7).with(x()).attribute("scales", scales).gives(&twice);
        Case::new("Upsample", 9).with(x()).with(f32s(&[4], &[1.0, 1.0, 2.0, 2.0])).gives(&twice);
        Case::new("Resize", 10).with(x()).with(f32s(&[4], &[1.0, 1.0, 2.0, 2.0])).gives(&twice);
        Case::new("Resize", 19).with(x()).without().without().with(i64s(&[2, 4])).ints("axes", &[2, 3]).gives(&twice);
        Case::new("Resize", 19)
            .with(x())
            .without()
            .without()
            .with(i64s(&[3, 4]))
            .ints("axes", &[2, 3])
            .text("keep_aspect_ratio_policy", "not_larger")
            .gives(&twice);
        Case::new("Resize", 19).with(x()).without().without().with(i64s(&[2])).refused("should be 4 numbers");
        Case::new("Resize", 19).with(x()).without().with(f32s(&[4], &[1.0, 1.0, f32::NAN, 2.0])).refused("cannot be resized");
    }

    #[test]
    fn another_rule_is_no_tie_where_the_coordinates_are_exact() {
        let case = |to: i64| {
            Case::new("Resize", 13)
                .with(four())
                .without()
                .without()
                .with(i64s(&[1, 1, to]))
                .text("coordinate_transformation_mode", "asymmetric")
                .text("nearest_mode", "floor")
        };
        let (a, b) = (f32s(&[1, 1, 8], &[1.0; 8]), f32s(&[1, 1, 8], &[1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]));
        assert_eq!(case(8).margin(0, &a, &b), Some(1.0));
        let (a, b) = (f32s(&[1, 1, 3], &[1.0; 3]), f32s(&[1, 1, 3], &[1.0, 2.0, 1.0]));
        assert!(case(3).margin(0, &a, &b).is_some_and(|m| (m - 1.0 / 3.0).abs() < 1e-6));
    }

    const TRANSFORMS: [&str; 5] = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"];

    proptest! {
        #![proptest_config(cases(48))]
        #[test]
        fn smoothed_axes_stay_in_their_bound(from in 2usize..12, to in 1i64..12, mode in prop::sample::select(vec!["linear", "cubic"]), exclude in 0i64..2, seed: u64) {
            let case = Case::new("Resize", 19).with(random(&[1, 1, from, 5], seed, -1.0, 1.0)).without().without().with(i64s(&[1, 1, to, 3]));
            case.text("mode", mode).int("antialias", 1).int("exclude_outside", exclude).check();
        }
    }

    proptest! {
        #![proptest_config(cases(256))]
        #[test]
        fn the_nearest_element_is_the_same(
            transform in prop::sample::select(TRANSFORMS.to_vec()), nearest in prop::sample::select(vec!["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
            h in 1usize..30, w in 1usize..30, to in (1i64..60, 1i64..60), scale in 0.3f32..3.0, by_size: bool, seed: u64,
        ) {
            let case = Case::new("Resize", 19).with(random(&[1, 2, h, w], seed, -1.0, 1.0)).text("nearest_mode", nearest).text("coordinate_transformation_mode", transform);
            if by_size {
                case.without().without().with(i64s(&[1, 2, to.0, to.1])).check();
                } else if (h as f32 * scale) as usize > 0 && [(h as f32 * scale) as usize, (w as f32 * 1.7) as usize] != [h, w] {
                case.without().with(f32s(&[4], &[1.0, 1.0, scale, 1.7])).check();
            }
        }

        #[test]
        fn weighted_sums_stay_in_their_bound(
            transform in prop::sample::select(TRANSFORMS.to_vec()), mode in prop::sample::select(vec!["linear", "cubic"]), exclude in 0i64..2,
            h in 1usize..40, w in 1usize..40, to in (1i64..90, 1i64..90), scale in 0.3f32..3.0, by_size: bool, seed: u64,
        ) {
            let case = Case::new("Resize", 19).with(random(&[1, 2, h, w], seed, -1.0, 1.0)).text("mode", mode).text("coordinate_transformation_mode", transform);
            let case = if mode == "cubic" { case.int("exclude_outside", exclude).float("cubic_coeff_a", [-0.75, -0.5][seed as usize % 2]) } else { case };
            if by_size {
                case.without().without().with(i64s(&[1, 2, to.0, to.1])).check();
                } else if (h as f32 * scale) as usize > 0 && [(h as f32 * scale) as usize, (w as f32 * 1.7) as usize] != [h, w] {
                case.without().with(f32s(&[4], &[1.0, 1.0, scale, 1.7])).check();
            }
        }

        #[test]
        fn upsample_agrees(mode in prop::sample::select(vec!["nearest", "linear"]), h in 1usize..9, w in 1usize..9, scale in 1f32..4.0, seed: u64) {
            let x = random(&[1, 2, h, w], seed, -1.0, 1.0);
            Case::new("Upsample", 9).with(x).with(f32s(&[4], &[1.0, 1.0, scale, 2.0])).text("mode", mode).check();
        }

        #[test]
        fn resize_10_agrees(mode in prop::sample::select(vec!["nearest", "linear"]), h in 4usize..9, w in 4usize..9, scale in 0.3f32..4.0, seed: u64) {
            let x = random(&[1, 2, h, w], seed, -1.0, 1.0);
            Case::new("Resize", 10).with(x).with(f32s(&[4], &[1.0, 1.0, scale, 0.5])).text("mode", mode).check();
        }

        #[test]
        fn a_volume_is_resized_along_every_axis(d in 1usize..6, h in 1usize..6, w in 1usize..6, to in (1i64..9, 1i64..9, 1i64..9), mode in prop::sample::select(vec!["nearest", "linear"]), seed: u64) {
            let case = Case::new("Resize", 13).with(random(&[1, 2, d, h, w], seed, -1.0, 1.0)).text("mode", mode);
            case.without().without().with(i64s(&[1, 2, to.0, to.1, to.2])).check();
        }
    }
}
