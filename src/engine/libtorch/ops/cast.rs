//! cast: dtypes, constants, and what a graph knows about shapes.

use super::super::call::Call;
use super::super::convert::{to_torch, torch_error};
use super::super::value::Value;
use super::common::{
    Torch, count, counted, done, f64_of, largest_where_different, one, scaled, vector,
};
use super::retype::text_constant;
use super::step::{further, to_whole};
use super::{Op, Scale, op, values};
use parity::error::{Error, Result};
use parity::floor::Alone::Function;
use parity::floor::Family::Reduction;
use parity::graph::{Attribute, weights};
use tch::{Device, Kind, Tensor};

fn constant(call: &Call) -> Result<Vec<Value>> {
    let names = [
        "value",
        "value_float",
        "value_floats",
        "value_int",
        "value_ints",
        "value_string",
        "value_strings",
    ];
    let found = names.iter().find_map(|n| call.any(n));
    let tensor = |t: Torch| done(|| t).map(|t| vec![Value::Tensor(t)]);
    match found {
        Some(Attribute::Float(v)) => tensor(
            Tensor::f_from_slice(&[*v])
                .and_then(|t| t.f_reshape([0i64; 0])?.f_to_kind(single(call))),
        ),
        Some(Attribute::Floats(v)) => {
            tensor(Tensor::f_from_slice(v).and_then(|t| t.f_to_kind(single(call))))
        }
        Some(Attribute::Int(v)) => tensor(vector(&[*v]).and_then(|t| t.f_reshape([0i64; 0]))),
        Some(Attribute::Ints(v)) => tensor(vector(v)),
        Some(Attribute::Str(v)) => Ok(vec![text_constant(vec![v.clone()], true)]),
        Some(Attribute::Strs(v)) => Ok(vec![text_constant(v.clone(), false)]),
        Some(Attribute::Other(a)) => {
            let proto =
                a.t.as_ref()
                    .ok_or_else(|| Error::usage("attribute 'value' holds no tensor"))?;
            let value = Value::of(&weights::value(proto)?)?;
            let widened = if call.precision.is_wide() {
                widened_single(value)?
            } else {
                value
            };
            Ok(vec![widened])
        }
        None => Err(Error::failed("a sparse constant is not supported")),
    }
}

/// Single precision as f64; half precision stays what it is declared as.
fn widened_single(value: Value) -> Result<Value> {
    match value {
        Value::Tensor(t) if t.kind() == Kind::Float => {
            done(|| t.f_to_kind(Kind::Double)).map(Value::Tensor)
        }
        other => Ok(other),
    }
}

pub fn single(call: &Call) -> Kind {
    if call.precision.is_wide() {
        Kind::Double
    } else {
        Kind::Float
    }
}

fn constant_of_shape(call: &Call) -> Result<Vec<Tensor>> {
    let shape = call
        .integers(0)?
        .ok_or_else(|| Error::usage("input 0 is missing"))?;
    count(&shape)?;
    let value = match call.tensor("value")? {
        Some(v) => to_torch(&v)?.f_to_kind(call.kind(v.dtype())?),
        None => Tensor::f_zeros([1i64], (single(call), Device::Cpu)),
    };
    one(value.and_then(|v| {
        v.f_reshape([0i64; 0])?
            .f_expand(shape, false)?
            .f_contiguous()
    }))
}

fn shape(call: &Call) -> Result<Vec<Tensor>> {
    let dims = call.input(0)?.size();
    let rank = dims.len() as i64;
    let place = |at: i64| {
        (if at < 0 { at.saturating_add(rank) } else { at })
            .max(0)
            .min(rank) as usize
    };
    let (start, end) = (place(call.int("start", 0)?), place(call.int("end", rank)?));
    one(vector(dims.get(start..end).unwrap_or(&[])))
}

fn size(call: &Call) -> Result<Vec<Tensor>> {
    one(vector(&[call.input(0)?.numel() as i64]).and_then(|t| t.f_reshape([0i64; 0])))
}

/// start + i·delta for as many i as lie before the limit.
fn range(call: &Call) -> Result<Vec<Tensor>> {
    let (start, delta) = (call.input(0)?, call.input(2)?);
    let steps = counted(range_len(call)?)?;
    one((|| {
        let steps = steps.f_to_kind(start.kind())?;
        steps
            .f_mul(&delta.f_reshape([0i64; 0])?)?
            .f_add(&start.f_reshape([0i64; 0])?)?
            .f_to_kind(start.kind())
    })())
}

fn range_len(call: &Call) -> Result<i64> {
    let number = |i| {
        call.floats(i)?
            .and_then(|v| v.first().copied())
            .ok_or_else(|| Error::usage(format!("input {i} is missing or empty")))
    };
    let n = ((number(1)? - number(0)?) / number(2)?).ceil();
    if !n.is_finite() || n > 1e12 {
        return Err(Error::usage("the limit of Range is never reached"));
    }
    Ok(n.max(0.0) as i64)
}

/// In training mode with a ratio above 0 elements are drawn at random and the rest scaled (`parity::graph::random` knows).
fn dropout(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let stated = call.float("ratio", 0.5)?;
    let ratio = call
        .floats(1)?
        .and_then(|v| v.first().copied())
        .unwrap_or(stated);
    let training = call.integers(2)?.is_some_and(|v| v.iter().any(|t| *t != 0));
    if training && !(0.0..1.0).contains(&ratio) {
        return Err(Error::usage(format!(
            "the ratio {ratio} of Dropout is not in [0, 1)"
        )));
    }
    let kind = if call.opset < 10 {
        x.kind()
    } else {
        Kind::Bool
    };
    if training && ratio > 0.0 {
        let drawn = super::random::uniform(call, &x.size())?;
        return done(|| {
            let kept = drawn.f_ge(ratio)?.f_to_kind(x.kind())?;
            Ok(vec![
                x.f_mul(&kept)?.f_div_scalar(1.0 - ratio)?,
                kept.f_to_kind(kind)?,
            ])
        });
    }
    call.known("seed");
    done(|| Ok(vec![x.shallow_clone(), x.f_ones_like()?.f_to_kind(kind)?]))
}

/// Distance from where the truncated number changes: whole numbers but 0, which is no border; for a boolean only 0 is one.
fn to_border(call: &Call, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let x = f64_of(call.input(0)?).map_err(torch_error)?;
    let distance = || -> Torch {
        let size = x.f_abs()?;
        if reference.kind() == Kind::Bool {
            return Ok(size);
        }
        to_whole(&x)?
            .f_where_self(&size.f_ge(0.5)?, &size.f_neg()?.f_add_scalar(1)?)?
            .f_add(&further(reference, candidate)?)
    };
    largest_where_different(distance(), reference, candidate)
}

pub const TRUNCATED: Scale = Scale::Decision(Function, |c, _, a, b| to_border(c, a, b));

/// Engines may add delta again and again; equal steps round alike, so the errors add up: √K = n.
fn range_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let n = (outputs[0].numel()).max(1);
    let end = || {
        call.input(0)
            .map(|s| s.f_abs())
            .and_then(|s| Ok((s, call.input(2)?.f_abs())))
    };
    let (start, delta) = end()?;
    let bound = start.and_then(|s| {
        delta?
            .f_mul_scalar(n as f64)?
            .f_add(&s)?
            .f_reshape([0i64; 0])?
            .f_broadcast_to(outputs[0].size())
    });
    scaled(bound, n.saturating_mul(n))
}

pub const OPS: &[Op] = &[
    values("Constant", 1, constant, Scale::Exact),
    op("ConstantOfShape", 9, constant_of_shape, Scale::Exact),
    values(
        "Identity",
        1,
        |c| Ok(vec![c.value(0)?.clone()]),
        Scale::Exact,
    ),
    op("Shape", 1, shape, Scale::Exact),
    op("Size", 1, size, Scale::Exact),
    op("Range", 11, range, Scale::By(Reduction, range_scale)),
    op("Dropout", 7, dropout, Scale::Exact),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, bools, cases, f32s, i64s, random};
    use super::*;
    use parity::tensor::{DType, Tensor};
    use proptest::prelude::*;

    #[test]
    fn a_cast_truncates_towards_zero_and_half_precision_is_really_taken() {
        let x = || f32s(&[5], &[-1.9, -0.5, 0.5, 1.9, 3.0]);
        let to = |d: DType| Case::new("Cast", 13).with(x()).int("to", d.onnx() as i64);
        to(DType::I32).gives(&[Tensor::of(&[5], &[-1i32, 0, 0, 1, 3])]);
        to(DType::I64).gives(&[i64s(&[-1, 0, 0, 1, 3])]);
        to(DType::Bool).gives(&[bools(&[5], &[1, 1, 1, 1, 1])]);
        to(DType::F16).check();
        to(DType::BF16).check();
        to(DType::F64).check();
        to(DType::F32).gives(&[x()]);
        to(DType::U32).check();
        Case::new("CastLike", 15)
            .with(x())
            .with(i64s(&[0]))
            .gives(&[i64s(&[-1, 0, 0, 1, 3])]);
    }

    #[test]
    fn the_margin_of_a_cast_knows_that_zero_is_no_border() {
        let cast = |to: DType| {
            Case::new("Cast", 13)
                .with(f32s(&[3], &[0.25, 1.125, -0.75]))
                .int("to", to.onnx() as i64)
        };
        let of = |v: [i64; 3]| Tensor::of(&[3], &v);
        assert_eq!(
            cast(DType::I64).margin(0, &of([0, 1, 0]), &of([0, 2, 0])),
            Some(0.125)
        );
        assert_eq!(
            cast(DType::I64).margin(0, &of([0, 1, 0]), &of([0, 1, -1])),
            Some(0.25)
        );
        assert_eq!(
            cast(DType::Bool).margin(0, &bools(&[3], &[1, 1, 1]), &bools(&[3], &[0, 1, 1])),
            Some(0.25)
        );
    }

    #[test]
    fn a_constant_may_be_stated_in_five_ways() {
        let of = |name: &str, a: Attribute| Case::new("Constant", 13).attribute(name, a);
        let t = f32s(&[1, 2], &[1.5, -2.0]);
        of("value", Attribute::of_tensor("value", &t)).gives(&[t]);
        of("value_float", Attribute::Float(0.1)).gives(&[f32s(&[], &[0.1])]);
        of("value_floats", Attribute::Floats(vec![0.1, 3.0])).gives(&[f32s(&[2], &[0.1, 3.0])]);
        of("value_int", Attribute::Int(i64::MIN)).gives(&[Tensor::of(&[], &[i64::MIN])]);
        of("value_ints", Attribute::Ints(vec![7, -7])).gives(&[i64s(&[7, -7])]);
    }

    #[test]
    fn shapes_are_known() {
        let x = || f32s(&[2, 3, 1], &[0.0; 6]);
        Case::new("Shape", 13).with(x()).gives(&[i64s(&[2, 3, 1])]);
        Case::new("Shape", 15)
            .with(x())
            .int("start", -2)
            .gives(&[i64s(&[3, 1])]);
        Case::new("Shape", 15)
            .with(x())
            .int("start", 1)
            .int("end", -1)
            .gives(&[i64s(&[3])]);
        Case::new("Shape", 15)
            .with(x())
            .int("start", 2)
            .int("end", 1)
            .gives(&[i64s(&[])]);
        Case::new("Size", 13)
            .with(x())
            .gives(&[Tensor::of(&[], &[6i64])]);
        Case::new("Identity", 13).with(x()).gives(&[x()]);
        Case::new("ConstantOfShape", 9)
            .with(i64s(&[2, 0]))
            .gives(&[f32s(&[2, 0], &[])]);
        let seven = Attribute::of_tensor("value", &i64s(&[7]));
        Case::new("ConstantOfShape", 9)
            .with(i64s(&[2]))
            .attribute("value", seven.clone())
            .gives(&[i64s(&[7, 7])]);
        Case::new("ConstantOfShape", 9)
            .with(i64s(&[-2]))
            .attribute("value", seven)
            .refused("no shape");
    }

    #[test]
    fn a_range_stops_before_its_limit() {
        let of = |a: i64, b: i64, c: i64| {
            [a, b, c]
                .into_iter()
                .fold(Case::new("Range", 11), |r, v| r.with(Tensor::of(&[], &[v])))
        };
        of(3, 9, 3).gives(&[i64s(&[3, 6])]);
        of(10, 4, -2).gives(&[i64s(&[10, 8, 6])]);
        of(1, 1, 1).gives(&[i64s(&[])]);
        of(0, 9, 0).refused("never reached");
    }

    #[test]
    fn dropout_passes_its_input_on() {
        let x = || f32s(&[2], &[1.0, 2.0]);
        Case::new("Dropout", 13)
            .with(x())
            .outputs(2)
            .gives(&[x(), bools(&[2], &[1, 1])]);
        Case::new("Dropout", 7)
            .with(x())
            .float("ratio", 0.3)
            .gives(&[x()]);
        let drawn = Case::new("Dropout", 13)
            .with(x())
            .without()
            .with(bools(&[], &[1]))
            .check();
        assert!(
            drawn[0]
                .to_f64()
                .iter()
                .zip([1.0, 2.0])
                .all(|(y, x)| *y == 0.0 || *y == 2.0 * x)
        );
    }

    proptest! {
        #![proptest_config(cases(64))]
        #[test]
        fn casts_agree(to in prop::sample::select(vec![DType::F16, DType::BF16, DType::I32, DType::I8, DType::F64, DType::Bool]), n in 1usize..50, seed: u64) {
            Case::new("Cast", 13).with(random(&[n], seed, -100.0, 100.0)).int("to", to.onnx() as i64).check();
        }

        #[test]
        fn ranges_of_floats_stay_in_their_bound(n in 1usize..2000, start in -5f32..5.0, delta in 0.001f32..2.0) {
            let limit = start + delta * (n as f32 - 0.5);
            [start, limit, delta].into_iter().fold(Case::new("Range", 11), |r, v| r.with(f32s(&[], &[v]))).check();
        }
    }
}
