//! resize: Resize and Upsample, axis by axis: an output element is a weighted sum of a few input elements.

use super::super::call::{Call, Precision};
use super::super::convert::torch_error;
use super::common::{Torch, along, cut, is_float, largest_beyond, one, vector, weights};
use super::resize_plan::{Axis, Mode, Plan, ROUNDING};
use super::taps::Taps;
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Alone::Rounds;
use parity::floor::Family::Interpolation;
use parity::floor::family::bound;
use parity::graph::{Attribute, Node};
use parity::tensor::DType;
use tch::{Kind, TchError, Tensor};

/// Weighted sums of integers are taken in f64 and cut towards zero, as ONNX Runtime does; the standard says nothing of it.
fn resize(call: &Call) -> Result<Vec<Tensor>> {
    let plan = Plan::of(call)?;
    let x = call.input(0)?;
    if is_float(x) || matches!(plan.mode, Mode::Nearest(_)) {
        return one_of(x, &plan, call.precision);
    }
    let whole = wide(x).map_err(torch_error)?;
    let sums = one_of(&whole, &plan, call.precision)?;
    one(cut(&sums[0], x.kind()))
}

fn wide(x: &Tensor) -> Torch {
    x.f_to_kind(Kind::Double)
}

fn one_of(x: &Tensor, plan: &Plan, precision: Precision) -> Result<Vec<Tensor>> {
    let over = |y: Tensor, a: &Axis| taken(&y, a.at, &plan.taps(a, precision), plan.mode);
    let y = plan
        .axes
        .iter()
        .try_fold(x.shallow_clone(), over)
        .map_err(torch_error)?;
    let cut = |y: Tensor, a: &Axis| match a.part {
        None => Ok(y),
        Some(_) => {
            let beyond: Vec<bool> = plan
                .wide(a)
                .iter()
                .map(|c| *c < 0.0 || *c > (a.from - 1) as f64)
                .collect();
            y.f_masked_fill(
                &Tensor::f_from_slice(&beyond)?.f_reshape(along(y.dim(), a.at, a.to))?,
                plan.outside,
            )
        }
    };
    Ok(vec![
        plan.axes.iter().try_fold(y, cut).map_err(torch_error)?,
    ])
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
    let x = wide(call.input(0)?)
        .and_then(|x| x.f_abs())
        .map_err(torch_error)?;
    let size = || -> Torch {
        let (mut sum, mut top) = (x.shallow_clone(), x.shallow_clone());
        let (mut moved, mut gain) = (full_like(&outputs[0], 0.0)?, full_like(&outputs[0], 1.0)?);
        for a in &plan.axes {
            let mut taps = plan.taps(a, Precision::Double);
            taps.weight.iter_mut().flatten().for_each(|w| *w = w.abs());
            sum = taken(&sum, a.at, &taps, plan.mode)?;
            let pick = |index: &[i64]| top.f_index_select(a.at as i64, &vector(index)?);
            let touched = plan.touched(a, &taps);
            top = touched[1..]
                .iter()
                .try_fold(pick(&touched[0])?, |m, index| m.f_maximum(&pick(index)?))?;
            let polynomial = if matches!(plan.mode, Mode::Cubic(..)) {
                CUBIC
            } else {
                0.0
            };
            let exact = plan.exact(a);
            let far: Vec<f64> = plan
                .wide(a)
                .iter()
                .map(|c| polynomial + if exact { 0.0 } else { plan.reach(a, *c) })
                .collect();
            moved = moved.f_add(&weights(&far, Kind::Double, x.dim(), a.at)?)?;
            gain = gain.f_mul(&weights(&taps.gain, Kind::Double, x.dim(), a.at)?)?;
        }
        sum.f_add(&top.f_mul(&moved)?.f_mul(&gain)?)
    };
    Ok(vec![(size().map_err(torch_error)?, plan.axes.len().max(1))])
}

const CUBIC: f64 = 4.0;

fn full_like(t: &Tensor, value: f64) -> Torch {
    super::common::full(&t.size(), value, Kind::Double)
}

/// Distance of the coordinate from where the nearest element changes, by the axis that is nearest to it; a whole element
/// where f32 holds the coordinates exactly, because then nothing but another rule explains a difference. 0 where computing the
/// coordinate in f32 may lead to either element, and both sides have taken one of these.
fn border(call: &Call, _: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let plan = Plan::of(call)?;
    let Mode::Nearest(nearest) = plan.mode else {
        return Err(Error::failed("only nearest decides"));
    };
    let mut distance = full_like(reference, 1.0).map_err(torch_error)?;
    let mut alternatives = vec![call.input(0)?.shallow_clone()];
    for a in &plan.axes {
        let (wide, exact) = (plan.wide(a), plan.exact(a));
        let mut choices = vec![plan.taps(a, Precision::Double).index.remove(0)];
        if !exact {
            let each: Vec<f64> = wide.iter().map(|x| nearest.border(*x)).collect();
            let lies = || {
                distance.f_minimum(&Tensor::f_from_slice(&each)?.f_reshape(along(
                    reference.dim(),
                    a.at,
                    a.to,
                ))?)
            };
            distance = lies().map_err(torch_error)?;
            choices.extend(
                [-1.0, 1.0].map(|sign| {
                    plan.elements(a, nearest, |x| x + sign * ROUNDING * plan.reach(a, x))
                }),
            );
        }
        let pick = |(y, index): (&Tensor, &Vec<i64>)| {
            vector(index)
                .and_then(|i| y.f_index_select(a.at as i64, &i))
                .map_err(torch_error)
        };
        let pairs = alternatives
            .iter()
            .flat_map(|y| choices.iter().map(move |index| (y, index)));
        alternatives = pairs.map(pick).collect::<Result<_>>()?;
    }
    largest_beyond(&alternatives, &distance, reference, candidate)
}

/// Of an integer made of a weighted sum: 0 where either side's is the sum cut, rounded (halves to even or up) or rounded down, within what rounding moves it;
/// else a whole step. What is smoothed axis by axis may be held as integers between them, as in Pillow and ONNX Runtime: half a step for each axis but one.
fn step(call: &Call, _: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let plan = Plan::of(call)?;
    let x = wide(call.input(0)?).map_err(torch_error)?;
    let sum = one_of(&x, &plan, Precision::Double)?.remove(0);
    let (scale, terms) = interpolated(call, &[sum.shallow_clone()])?.remove(0);
    let allowed = bound(Interpolation, terms, DType::F32.unit_roundoff());
    let between = match call.int("antialias", 0)? {
        0 => 0.0,
        _ => 0.5 * plan.axes.len().saturating_sub(1) as f64,
    };
    let ends = || {
        let room = scale.f_mul_scalar(allowed)?.f_add_scalar(between)?;
        let (low, high) = (sum.f_sub(&room)?, sum.f_add(&room)?);
        let all = [&low, &high].into_iter();
        let cut = all.clone().map(Tensor::f_trunc);
        let below = all.clone().map(Tensor::f_floor);
        let near = all.clone().map(Tensor::f_round);
        let half_up = all.map(|t| t.f_add_scalar(0.5)?.f_floor());
        let all: std::result::Result<Vec<Tensor>, TchError> =
            cut.chain(below).chain(near).chain(half_up).collect();
        let all = all?;
        Ok((all, full_like(reference, 1.0)?))
    };
    let (alternatives, distance) = ends().map_err(torch_error)?;
    largest_beyond(&alternatives, &distance, reference, candidate)
}

const NEAREST: Scale = Scale::Selection(Rounds, border);
const WEIGHTED: Scale = Scale::Stepped(Interpolation, interpolated, step);

fn scale(node: &Node) -> &'static Scale {
    match node.attributes.get("mode") {
        Some(Attribute::Str(mode)) if mode != "nearest" => &WEIGHTED,
        _ => &NEAREST,
    }
}

pub const OPS: &[Op] = &[
    op("Resize", 10, resize, Scale::Node(scale)),
    op("Upsample", 7, resize, Scale::Node(scale)),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, cast, f32s, i64s, random, whole};
    use parity::graph::Attribute;
    use parity::tensor::DType;
    use proptest::prelude::*;

    fn four() -> parity::tensor::Tensor {
        f32s(&[1, 1, 4], &[1.0, 2.0, 3.0, 4.0])
    }

    const WHOLE: [DType; 3] = [DType::U8, DType::I8, DType::I32];

    #[test]
    fn weighted_sums_of_integers_are_cut_to_integers_and_a_step_aside_may_be_rounding() {
        let case = |dtype, mode: &str| {
            Case::new("Resize", 18)
                .with(cast(&f32s(&[1, 1, 1, 3], &[10.0, 20.0, 100.0]), dtype))
                .without()
                .without()
                .with(i64s(&[1, 1, 1, 6]))
                .text("mode", mode)
        };
        for dtype in WHOLE {
            let of = |values: &[f32]| cast(&f32s(&[1, 1, 1, 6], values), dtype);
            let linear = case(dtype, "linear");
            let cut = of(&[10.0, 12.0, 17.0, 40.0, 80.0, 100.0]);
            linear.gives(std::slice::from_ref(&cut));
            // 12.5 and 17.5 are rounded up, and to the even one.
            let rounded = of(&[10.0, 12.0, 18.0, 40.0, 80.0, 100.0]);
            assert_eq!(linear.margin(0, &cut, &rounded), Some(0.0));
            let wrong = of(&[10.0, 12.0, 19.0, 40.0, 80.0, 100.0]);
            assert!(linear.margin(0, &cut, &wrong) > Some(0.5));
            let next = of(&[10.0, 12.0, 17.0, 41.0, 80.0, 100.0]);
            assert!(linear.margin(0, &cut, &next) > Some(0.5), "40 is exact");
        }
        // What a cubic reaches beyond is held at the ends of the dtype.
        let edge = Case::new("Resize", 18)
            .with(cast(
                &f32s(&[1, 1, 4], &[0.0, 0.0, 255.0, 255.0]),
                DType::U8,
            ))
            .without()
            .without()
            .with(i64s(&[1, 1, 8]));
        let y = edge.text("mode", "cubic").torch().unwrap().remove(0);
        assert_eq!(y.to_f64()[2], 0.0);
        assert_eq!(y.to_f64()[5], 255.0);
    }

    #[test]
    fn a_part_is_resized_and_what_lies_beyond_the_input_is_stated() {
        let case = |start: f32, end: f32| {
            let roi = f32s(&[8], &[0.0, 0.0, 0.0, start, 1.0, 1.0, 1.0, end]);
            let case = Case::new("Resize", 19)
                .with(f32s(&[1, 1, 1, 3], &[1.0, 3.0, 5.0]))
                .with(roi)
                .without()
                .with(i64s(&[1, 1, 1, 2]));
            case.text("mode", "linear")
                .text("coordinate_transformation_mode", "tf_crop_and_resize")
                .float("extrapolation_value", 9.0)
        };
        case(0.0, 0.25).gives(&[f32s(&[1, 1, 1, 2], &[1.0, 2.0])]);
        case(0.5, 1.5).gives(&[f32s(&[1, 1, 1, 2], &[3.0, 9.0])]);
        let short = Case::new("Resize", 19)
            .with(f32s(&[3], &[0.0; 3]))
            .with(f32s(&[1], &[0.0]))
            .without()
            .with(i64s(&[3]));
        short
            .text("coordinate_transformation_mode", "tf_crop_and_resize")
            .refused("should be 2 numbers");
    }

    #[test]
    fn a_row_is_enlarged_by_every_mode() {
        let to = |mode: &str, transform: &str, want: &[f32]| {
            let case = Case::new("Resize", 13)
                .with(four())
                .without()
                .with(f32s(&[3], &[1.0, 1.0, 2.0]))
                .text("mode", mode);
            case.text("coordinate_transformation_mode", transform)
                .gives(&[f32s(&[1, 1, 8], want)]);
        };
        to(
            "nearest",
            "half_pixel",
            &[1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0],
        );
        to(
            "nearest",
            "asymmetric",
            &[1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0],
        );
        to(
            "linear",
            "half_pixel",
            &[1.0, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4.0],
        );
        to(
            "linear",
            "asymmetric",
            &[1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.0],
        );
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
            let case = Case::new("Resize", 19)
                .with(f32s(&[1, 1, 9], &x))
                .without()
                .with(f32s(&[3], &[1.0, 1.0, 1.7]));
            case.text("mode", "linear")
                .text("coordinate_transformation_mode", "half_pixel_symmetric")
                .check();
        }
    }

    #[test]
    fn older_versions_have_other_inputs() {
        let scales = Attribute::Floats(vec![1.0, 1.0, 2.0, 2.0]);
        let x = || f32s(&[1, 1, 1, 2], &[1.0, 2.0]);
        let twice = [f32s(
            &[1, 1, 2, 4],
            &[1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0],
        )];
        Case::new("Upsample", 7)
            .with(x())
            .attribute("scales", scales)
            .gives(&twice);
        Case::new("Upsample", 9)
            .with(x())
            .with(f32s(&[4], &[1.0, 1.0, 2.0, 2.0]))
            .gives(&twice);
        Case::new("Resize", 10)
            .with(x())
            .with(f32s(&[4], &[1.0, 1.0, 2.0, 2.0]))
            .gives(&twice);
        Case::new("Resize", 19)
            .with(x())
            .without()
            .without()
            .with(i64s(&[2, 4]))
            .ints("axes", &[2, 3])
            .gives(&twice);
        Case::new("Resize", 19)
            .with(x())
            .without()
            .without()
            .with(i64s(&[3, 4]))
            .ints("axes", &[2, 3])
            .text("keep_aspect_ratio_policy", "not_larger")
            .gives(&twice);
        Case::new("Resize", 19)
            .with(x())
            .without()
            .without()
            .with(i64s(&[2]))
            .refused("should be 4 numbers");
        Case::new("Resize", 19)
            .with(x())
            .without()
            .with(f32s(&[4], &[1.0, 1.0, f32::NAN, 2.0]))
            .refused("cannot be resized");
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
        let (a, b) = (
            f32s(&[1, 1, 8], &[1.0; 8]),
            f32s(&[1, 1, 8], &[1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        );
        assert_eq!(case(8).margin(0, &a, &b), Some(1.0));
        let (a, b) = (
            f32s(&[1, 1, 3], &[1.0; 3]),
            f32s(&[1, 1, 3], &[1.0, 2.0, 1.0]),
        );
        assert!(
            case(3)
                .margin(0, &a, &b)
                .is_some_and(|m| (m - 1.0 / 3.0).abs() < 1e-6)
        );
    }

    const TRANSFORMS: [&str; 5] = [
        "half_pixel",
        "pytorch_half_pixel",
        "align_corners",
        "asymmetric",
        "half_pixel_symmetric",
    ];

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
        fn integers_are_resized_within_a_step(
            dtype in prop::sample::select(WHOLE.to_vec()), antialias in 0i64..2, h in 1usize..20, w in 1usize..20, to in (1i64..30, 1i64..30), seed: u64,
        ) {
            // ONNX Runtime smooths i8 as if it were u8.
            let antialias = if dtype == DType::I8 { 0 } else { antialias };
            let x = cast(&whole(&[1, 2, h, w], seed, 0, 120), dtype);
            let case = Case::new("Resize", 18).with(x).without().without().with(i64s(&[1, 2, to.0, to.1]));
            case.text("mode", "linear").int("antialias", antialias).check();
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
