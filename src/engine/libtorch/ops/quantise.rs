//! quantise: numbers as integers of few bits with a scale and a zero point, and back.

use super::super::call::Call;
use super::super::value::{Mark, Value};
use super::common::{along, axis, done, range};
use super::retype;
use super::step::further;
use super::{Op, Scale, op, values};
use parity::error::{Error, Result};
use parity::floor::Alone::Rounds;
use parity::floor::Family::Arithmetic;
use parity::floor::family;
use parity::tensor::DType;
use parity::tensor::narrow::{Beyond, PowerMode};
use tch::{Kind, Tensor};

/// The dtype that numbers are quantised to.
#[derive(Clone, Copy)]
pub enum Grid {
    Torch(Kind),
    Marked(Mark),
}

impl Grid {
    pub fn of(v: &Value) -> Result<Self> {
        match v {
            Value::Tensor(t) => Ok(Self::Torch(t.kind())),
            Value::Marked(m, _) => Ok(Self::Marked(*m)),
            other => Err(Error::usage(format!(
                "a zero point is {}",
                other.describe()
            ))),
        }
    }

    fn from_onnx(code: i64) -> Result<Self> {
        let kind = i32::try_from(code)
            .ok()
            .and_then(parity::tensor::DType::from_onnx)
            .and_then(super::super::convert::kind);
        match (Mark::from_onnx(code), kind) {
            (Some(mark), _) => Ok(Self::Marked(mark)),
            (None, Some(kind)) => Ok(Self::Torch(kind)),
            (None, None) => Err(Error::failed(format!(
                "data type {code} is no dtype to quantise to"
            ))),
        }
    }

    /// Smallest and largest integer; None for floats.
    pub fn range(self) -> Option<(i64, i64)> {
        Some(match self {
            Self::Torch(kind) => return range(kind),
            Self::Marked(Mark::U16) => (0, 65535),
            Self::Marked(Mark::Narrow(d)) if d.is_integer() => {
                (d.range().0 as i64, d.range().1 as i64)
            }
            _ => return None,
        })
    }

    /// Whole numbers as values of this dtype.
    pub fn value(self, t: Tensor) -> Result<Value> {
        match self {
            Self::Torch(kind) => done(|| t.f_to_kind(kind)).map(Value::Tensor),
            Self::Marked(mark) => done(|| t.f_to_kind(mark.kind())).map(|t| Value::Marked(mark, t)),
        }
    }
}

/// Scale or zero point so that it lies along the input: one number, one per index of `axis`, or one per block of the axis.
fn laid(call: &Call, t: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (stated, block) = (call.int("axis", 1)?, call.int("block_size", 0)?);
    if t.numel() == 1 && block == 0 {
        return done(|| t.f_reshape([0i64; 0]));
    }
    let at = axis(stated, x.dim())?;
    match block {
        0 => done(|| t.f_reshape(along(x.dim(), at, -1))),
        n if (1..=x.size()[at].max(1)).contains(&n) && t.dim() == x.dim() => done(|| {
            t.f_repeat_interleave_self_int(n, at as i64, None)?
                .f_narrow(at as i64, 0, x.size()[at])
        }),
        n => Err(Error::usage(format!(
            "blocks of {n} of {:?} with scales {:?}",
            x.size(),
            t.size()
        ))),
    }
}

/// x / scale, in the precision that is asked for.
fn ratio(call: &Call) -> Result<Tensor> {
    let (x, scale) = (call.input(0)?, call.input(1)?);
    // Half precision would move the border between two steps: engines divide in single.
    let default = if matches!(x.kind(), Kind::Int | Kind::Half | Kind::BFloat16) {
        Kind::Float
    } else {
        x.kind()
    };
    let precision = retype::kind_or(call, "precision", default)?;
    let scale = laid(call, scale, x)?;
    done(|| x.f_to_kind(precision)?.f_div(&scale.f_to_kind(precision)?))
}

fn quantise(call: &Call) -> Result<Vec<Value>> {
    let beyond = if call.int("saturate", 1)? == 0 {
        Beyond::Leave
    } else {
        Beyond::Saturate
    };
    let grid = match (call.optional_value(2), call.int("output_dtype", 0)?) {
        (Some(v), _) => Grid::of(v)?,
        (None, 0) => Grid::Torch(Kind::Uint8),
        (None, code) => Grid::from_onnx(code)?,
    };
    let ratio = ratio(call)?;
    let zero = call
        .optional(2)
        .map(|z| laid(call, z, call.input(0)?))
        .transpose()?;
    if let Some((low, high)) = grid.range() {
        return Ok(vec![grid.value(onto(&ratio, zero.as_ref(), low, high)?)?]);
    }
    match grid {
        Grid::Marked(Mark::Narrow(d)) => {
            let rounded = retype::marked(&ratio, Mark::Narrow(d), beyond, PowerMode::Nearest)?;
            Ok(vec![Value::Marked(Mark::Narrow(d), rounded)])
        }
        _ => Err(Error::failed("a zero point of floats is not supported")),
    }
}

/// Rounded to even, moved by the zero point, and kept in the range.
pub fn onto(ratio: &Tensor, zero: Option<&Tensor>, low: i64, high: i64) -> Result<Tensor> {
    done(|| {
        let rounded = ratio.f_to_kind(Kind::Double)?.f_round()?;
        let moved = match zero {
            Some(z) => rounded.f_add(&z.f_to_kind(Kind::Double)?)?,
            None => rounded,
        };
        moved.f_clamp(low, high)
    })
}

fn dequantise(call: &Call) -> Result<Vec<Value>> {
    let (x, scale) = (call.input(0)?, call.input(1)?);
    let to = retype::kind_or(call, "output_dtype", scale.kind())?;
    let (laid_scale, wide) = (
        laid(call, scale, x)?,
        if call.precision.is_wide() {
            Kind::Double
        } else {
            Kind::Float
        },
    );
    let zero = call.optional(2).map(|z| laid(call, z, x)).transpose()?;
    done(|| {
        let x = match &zero {
            // Differences of integers are exact.
            Some(z) => x
                .f_to_kind(Kind::Double)?
                .f_sub(&z.f_to_kind(Kind::Double)?)?,
            None => x.f_to_kind(Kind::Double)?,
        };
        x.f_to_kind(wide)?
            .f_mul(&laid_scale.f_to_kind(wide)?)?
            .f_to_kind(to)
    })
    .map(|t| vec![Value::Tensor(t)])
}

/// Input as u8, with the scale and zero point of its range, which holds 0.
fn dynamic(call: &Call) -> Result<Vec<Tensor>> {
    let x = super::common::float(call, 0)?;
    if x.numel() == 0 {
        return Err(Error::usage("nothing to take the range of"));
    }
    done(|| {
        let (low, high) = (x.f_min()?.f_clamp_max(0)?, x.f_max()?.f_clamp_min(0)?);
        let span = high.f_sub(&low)?.f_div_scalar(255)?;
        let scale = span.f_where_self(&span.f_ne(0)?, &span.f_ones_like()?.f_div_scalar(255)?)?;
        let zero = low.f_neg()?.f_div(&scale)?.f_clamp(0, 255)?.f_round()?;
        let y = x
            .f_div(&scale)?
            .f_round()?
            .f_add(&zero)?
            .f_clamp(0, 255)?
            .f_to_kind(Kind::Uint8)?;
        Ok(vec![y, scale, zero.f_to_kind(Kind::Uint8)?])
    })
}

/// Distance from the number halfway between two steps, in steps, and every whole step more by which the two differ. 0 where rounding
/// reaches it: an engine multiplies and divides by scales in single precision, at most four times (β of the family).
pub fn to_half(
    call: &Call,
    reference: &Tensor,
    candidate: &Tensor,
    exact: fn(&Call) -> Result<Tensor>,
) -> Result<f64> {
    super::common::largest_where_different(
        halves(&exact(call)?, reference, candidate),
        reference,
        candidate,
    )
}

/// The same in units of the input.
fn to_border(call: &Call, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let (exact, scale) = (ratio(call)?, laid(call, call.input(1)?, call.input(0)?)?);
    let distance =
        || halves(&exact, reference, candidate)?.f_mul(&scale.f_to_kind(Kind::Double)?.f_abs()?);
    super::common::largest_where_different(distance(), reference, candidate)
}

fn halves(exact: &Tensor, reference: &Tensor, candidate: &Tensor) -> super::common::Torch {
    near_half(&exact.f_to_kind(Kind::Double)?)?.f_add(&further(reference, candidate)?)
}

/// Distance of a number of steps from the border between two, 0 where rounding reaches it.
fn near_half(steps: &Tensor) -> super::common::Torch {
    let reach =
        steps
            .f_abs()?
            .f_mul_scalar(family::bound(Arithmetic, 1, DType::F32.unit_roundoff()))?;
    let border = steps.f_sub(&steps.f_floor()?)?.f_sub_scalar(0.5)?.f_abs()?;
    border.f_where_self(&border.f_gt_tensor(&reach)?, &border.f_zeros_like()?)
}

/// Distance from the border between two steps in units of the input, 0 where rounding reaches it: range, scale and ratio are each rounded. A
/// zero point at a border, as that of every symmetric range is, moves all numbers by a step.
fn from_border(call: &Call, index: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let x = call.input(0)?;
    let distance = || {
        let (low, high) = (x.f_min()?.f_clamp_max(0)?, x.f_max()?.f_clamp_min(0)?);
        let scale = high.f_sub(&low)?.f_div_scalar(255)?;
        let zero = near_half(&low.f_neg()?.f_div(&scale)?)?;
        let (nearest, most) = if index == 2 {
            (zero, 1)
        } else {
            (near_half(&x.f_div(&scale)?)?.f_minimum(&zero)?, 2)
        };
        let steps = reference
            .f_to_kind(Kind::Double)?
            .f_sub(&candidate.f_to_kind(Kind::Double)?)?
            .f_abs()?;
        nearest
            .f_add(&steps.f_sub_scalar(most)?.f_clamp_min(0)?)?
            .f_mul(&scale)
    };
    super::common::largest_where_different(distance(), reference, candidate)
}

const SCALED: Scale = Scale::Output(Arithmetic);

pub const OPS: &[Op] = &[
    values(
        "QuantizeLinear",
        10,
        quantise,
        Scale::Decision(Rounds, |c, _, a, b| to_border(c, a, b)),
    ),
    values("DequantizeLinear", 10, dequantise, SCALED),
    op(
        "DynamicQuantizeLinear",
        11,
        dynamic,
        Scale::Graded(Arithmetic, from_border),
    ),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, cast, f32s, random, whole};
    use parity::tensor::{DType, Narrow, Tensor, Value};
    use proptest::prelude::*;

    #[test]
    fn halves_go_to_the_even_integer_and_the_range_is_kept() {
        let y = Tensor::of(&[5], &[128u8, 130, 130, 255, 0]);
        let case = Case::new("QuantizeLinear", 13)
            .with(f32s(&[5], &[1.0, 3.0, 5.0, 900.0, -900.0]))
            .with(f32s(&[], &[2.0]));
        case.with(Tensor::of(&[], &[128u8]))
            .gives(std::slice::from_ref(&y));
        let near = Case::new("QuantizeLinear", 13)
            .with(f32s(&[2], &[1.0, 3.0]))
            .with(f32s(&[], &[2.0]))
            .with(Tensor::of(&[], &[0u8]));
        assert_eq!(
            near.margin(
                0,
                &Tensor::of(&[2], &[0u8, 2]),
                &Tensor::of(&[2], &[1u8, 2])
            ),
            Some(0.0)
        );
        let back = Case::new("DequantizeLinear", 13)
            .with(y)
            .with(f32s(&[], &[2.0]))
            .with(Tensor::of(&[], &[128u8]));
        back.gives(&[f32s(&[5], &[0.0, 4.0, 4.0, 254.0, -256.0])]);
    }

    #[test]
    fn a_tie_is_one_step_wide_and_as_near_as_single_precision_can_tell() {
        // 0.3/0.2 is 1.5 and a little in f64: single precision rounds it to the number halfway.
        let case = Case::new("QuantizeLinear", 13)
            .with(f32s(&[1], &[0.3]))
            .with(f32s(&[], &[0.2]))
            .with(Tensor::of(&[], &[0u8]));
        let margin = |candidate: u8| {
            case.margin(
                0,
                &Tensor::of(&[1], &[2u8]),
                &Tensor::of(&[1], &[candidate]),
            )
            .expect("a decision")
        };
        assert_eq!(
            (margin(1), margin(0)),
            (0.0, f64::from(0.2f32)),
            "one step more is a scale"
        );
        let far = Case::new("QuantizeLinear", 13)
            .with(f32s(&[1], &[0.3]))
            .with(f32s(&[], &[0.21]))
            .with(Tensor::of(&[], &[0u8]));
        assert!(
            far.margin(0, &Tensor::of(&[1], &[1u8]), &Tensor::of(&[1], &[2u8]))
                .expect("a decision")
                > 0.07 * 0.21
        );
    }

    #[test]
    fn a_zero_point_halfway_between_two_steps_moves_every_number_by_one() {
        let case = Case::new("DynamicQuantizeLinear", 11)
            .with(f32s(&[3], &[-1.0, 1.0, 0.3]))
            .outputs(3);
        let of = |v: [u8; 3]| Tensor::of(&[3], &v);
        assert_eq!(
            case.margin(0, &of([0, 255, 166]), &of([1, 255, 165])),
            Some(0.0)
        );
        assert_eq!(
            case.margin(0, &of([0, 255, 166]), &of([0, 255, 162])),
            Some(2.0 * 2.0 / 255.0),
            "two steps of a range of 2"
        );
        let skewed = Case::new("DynamicQuantizeLinear", 11)
            .with(f32s(&[3], &[-1.0, 1.01, 0.3]))
            .outputs(3);
        assert!(
            skewed
                .margin(0, &of([0, 255, 165]), &of([0, 255, 164]))
                .expect("a decision")
                > 0.01 * 2.01 / 255.0
        );
    }

    /// How a scale lies along the numbers.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Lie {
        One,
        Axis,
        Blocks(usize),
    }

    fn lie() -> impl Strategy<Value = Lie> {
        prop_oneof![
            Just(Lie::One),
            Just(Lie::Axis),
            (1usize..4).prop_map(Lie::Blocks)
        ]
    }

    /// The shape of a scale for numbers of `shape`; a block is no longer than its axis.
    fn scale_shape(lie: Lie, shape: &[usize], d: usize) -> (Vec<usize>, usize) {
        match lie {
            Lie::One => (vec![], 0),
            Lie::Axis => (vec![shape[d]], 0),
            Lie::Blocks(n) => {
                let n = n.min(shape[d]);
                let mut blocked = shape.to_vec();
                blocked[d] = shape[d].div_ceil(n);
                // ONNX Runtime takes no blocks where there is but one.
                if blocked.iter().product::<usize>() == 1 {
                    (vec![], 0)
                } else {
                    (blocked, n)
                }
            }
        }
    }

    fn zeros(dtype: DType, shape: &[usize], seed: u64) -> Tensor {
        let (low, high) = match dtype {
            DType::U8 => (0, 256),
            DType::I8 => (-128, 128),
            DType::U16 => (0, 65536),
            DType::I32 => (0, 1),
            _ => (-32768, 32768),
        };
        cast(&whole(shape, seed, low, high), dtype)
    }

    proptest! {
        #![proptest_config(cases(128))]
        #[test]
        fn numbers_are_quantised_alike(
            dtype in prop::sample::select(vec![DType::U8, DType::I8, DType::U16, DType::I16]), half: bool, lie in lie(),
            shape in prop::collection::vec(1usize..7, 1..4), axis: prop::sample::Index, back: bool, zero: bool, reach in 0.5f32..400.0, seed: u64,
        ) {
            let (d, from) = (axis.index(shape.len()), if half { DType::F16 } else { DType::F32 });
            let (scale, block) = scale_shape(lie, &shape, d);
            let case = Case::new("QuantizeLinear", 21).with(cast(&random(&shape, seed, -reach, reach), from)).with(cast(&random(&scale, !seed, 0.05, 3.0), from));
            let case = if zero { case.with(zeros(dtype, &scale, seed ^ 5)) } else { case.int("output_dtype", dtype.onnx() as i64) };
            case.int("axis", if back { d as i64 - shape.len() as i64 } else { d as i64 }).int("block_size", block as i64).check();
        }

        #[test]
        fn wide_integers_are_quantised_as_in_f64(signed: bool, along: bool, shape in prop::collection::vec(1usize..7, 1..4), axis: prop::sample::Index, seed: u64) {
            let (d, dtype) = (axis.index(shape.len()), if signed { DType::I8 } else { DType::U8 });
            let (scale, _) = scale_shape(if along { Lie::Axis } else { Lie::One }, &shape, d);
            let case = Case::new("QuantizeLinear", 13).with(cast(&whole(&shape, seed, -1000, 1000), DType::I32)).with(random(&scale, !seed, 0.05, 9.0));
            case.with(zeros(dtype, &scale, seed ^ 5)).int("axis", d as i64).check_alone();
        }

        #[test]
        fn integers_are_brought_back_alike(
            dtype in prop::sample::select(vec![DType::U8, DType::I8, DType::U16, DType::I16, DType::I32]), to in prop::sample::select(vec![DType::F32, DType::F16]), lie in lie(),
            shape in prop::collection::vec(1usize..7, 1..4), axis: prop::sample::Index, back: bool, zero: bool, seed: u64,
        ) {
            let d = axis.index(shape.len());
            let (scale, block) = scale_shape(lie, &shape, d);
            let x = if dtype == DType::I32 { cast(&whole(&shape, seed, -100000, 100000), dtype) } else { zeros(dtype, &shape, seed) };
            let case = Case::new("DequantizeLinear", 21).with(x).with(cast(&random(&scale, !seed, 0.001, 0.1), to));
            let case = if zero { case.with(zeros(dtype, &scale, seed ^ 5)) } else { case };
            case.int("axis", if back { d as i64 - shape.len() as i64 } else { d as i64 }).int("block_size", block as i64).check();
        }

        #[test]
        fn eight_and_four_bits_are_quantised_and_brought_back_alike(
            dtype in prop::sample::select(vec![Narrow::F8E4M3FN, Narrow::F8E4M3FNUZ, Narrow::F8E5M2, Narrow::F8E5M2FNUZ, Narrow::I4, Narrow::U4]), saturate in 0i64..2, lie in lie(),
            shape in prop::collection::vec(1usize..7, 1..4), axis: prop::sample::Index, reach in 0.5f32..900.0, seed: u64,
        ) {
            let d = axis.index(shape.len());
            let (scale, block) = scale_shape(lie, &shape, d);
            let scales = Value::Tensor(random(&scale, !seed, 0.05, 3.0));
            let zero = Value::Narrow(dtype, if dtype.is_integer() { cast(&whole(&scale, seed ^ 5, 0, 8), DType::F32) } else { f32s(&scale, &vec![0.0; scale.iter().product()]) });
            // What ONNX Runtime makes of numbers beyond the largest of this one is its own (see the casts).
            let saturate = if dtype.is_integer() || matches!(dtype, Narrow::F8E4M3FN | Narrow::F8E5M2) { 1 } else { saturate };
            let of = |op: &str| Case::new(op, 21).int("axis", d as i64).int("block_size", block as i64);
            let quantised = of("QuantizeLinear").int("saturate", saturate).check_on(&[Value::Tensor(random(&shape, seed, -reach, reach)), scales.clone(), zero.clone()]);
            of("DequantizeLinear").check_on(&[quantised[0].clone(), scales, zero]);
        }

        #[test]
        fn ranges_are_found_and_numbers_quantised_to_them_alike(shape in prop::collection::vec(1usize..9, 0..4), low in -5.0f32..5.0, wide in 0.0f32..10.0, seed: u64) {
            Case::new("DynamicQuantizeLinear", 11).with(random(&shape, seed, low, low + wide)).outputs(3).check();
        }
    }
}
