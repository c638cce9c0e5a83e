//! retype: Cast, CastLike and BitCast between every dtype of ONNX, those that libtorch lacks and strings included.

use super::super::call::Call;
use super::super::convert::{self, from_torch};
use super::super::value::{Mark, Value};
use super::cast::{TRUNCATED, single};
use super::common::done;
use super::{Op, Scale, values};
use parity::error::{Error, Result};
use parity::floor::Family::Arithmetic;
use parity::graph::{Attribute, Node};
use parity::tensor::narrow::{Beyond, PowerMode, power_of_two};
use parity::tensor::{DType, Narrow};
use tch::{Kind, Tensor};

/// The code of strings in ONNX's TensorProto.DataType.
const STRING: i64 = 8;

/// What a value is cast to.
enum Target {
    Torch(Kind),
    Marked(Mark),
    Strings,
}

fn target(call: &Call, code: i64) -> Result<Target> {
    if code == STRING {
        return Ok(Target::Strings);
    }
    if let Some(mark) = Mark::from_onnx(code) {
        return Ok(Target::Marked(mark));
    }
    let dtype = i32::try_from(code).ok().and_then(DType::from_onnx);
    let dtype = dtype
        .ok_or_else(|| Error::failed(format!("data type {code} is no dtype that is supported")))?;
    call.kind(dtype).map(Target::Torch)
}

fn stated(call: &Call) -> Result<Target> {
    let code = call
        .int_if("to")?
        .ok_or_else(|| Error::usage("attribute 'to' is missing"))?;
    target(call, code)
}

fn cast(call: &Call) -> Result<Vec<Value>> {
    Ok(vec![converted(call, call.value(0)?, stated(call)?)?])
}

fn cast_like(call: &Call) -> Result<Vec<Value>> {
    let like = match call.value(1)? {
        Value::Tensor(t) => Target::Torch(t.kind()),
        Value::Marked(mark, _) => Target::Marked(*mark),
        Value::Strings(..) => Target::Strings,
        other => return Err(Error::usage(format!("input 1 is {}", other.describe()))),
    };
    Ok(vec![converted(call, call.value(0)?, like)?])
}

fn converted(call: &Call, from: &Value, to: Target) -> Result<Value> {
    let beyond = if call.int("saturate", 1)? == 0 {
        Beyond::Leave
    } else {
        Beyond::Saturate
    };
    let mode = match call.text("round_mode", "up")?.as_str() {
        "up" => PowerMode::Up,
        "down" => PowerMode::Down,
        "nearest" => PowerMode::Nearest,
        other => {
            return Err(Error::usage(format!(
                "attribute 'round_mode' should be up, down or nearest, is '{other}'"
            )));
        }
    };
    match (from, to) {
        (Value::Marked(Mark::U64, t), Target::Torch(kind)) if is_float(kind) => {
            unsigned(t, kind).map(Value::Tensor)
        }
        (Value::Marked(Mark::U64, t), Target::Marked(mark @ Mark::Narrow(_))) => {
            marked(&unsigned(t, Kind::Float)?, mark, beyond, mode).map(|t| Value::Marked(mark, t))
        }
        (Value::Marked(Mark::U64, t), Target::Strings) => Ok(Value::Strings(
            t.size(),
            numbers(t)?.iter().map(u64::to_string).collect(),
        )),
        (Value::Strings(shape, all), Target::Torch(kind)) => {
            parsed(all, shape, kind).map(Value::Tensor)
        }
        (Value::Strings(..), Target::Strings) => Ok(from.clone()),
        (Value::Tensor(t) | Value::Marked(_, t), Target::Strings) => printed(t),
        // Floats to integers truncate towards zero. In the shadow f32 is f64, every other target is really taken.
        (Value::Tensor(t) | Value::Marked(_, t), Target::Torch(kind)) => {
            done(|| t.f_to_kind(kind)).map(Value::Tensor)
        }
        (Value::Tensor(t) | Value::Marked(_, t), Target::Marked(mark)) => {
            marked(t, mark, beyond, mode).map(|t| Value::Marked(mark, t))
        }
        (other, _) => Err(Error::usage(format!("{} cannot be cast", other.describe()))),
    }
}

fn is_float(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16
    )
}

/// The numbers for which the bits of `t` stand as u64: from 2^63 on they are below zero there.
fn numbers(t: &Tensor) -> Result<Vec<u64>> {
    let bits: Vec<i64> = done(|| Vec::<i64>::try_from(t.f_contiguous()?.f_reshape([-1])?))?;
    Ok(bits.into_iter().map(|b| b as u64).collect())
}

/// The same in a dtype of floats.
fn unsigned(t: &Tensor, kind: Kind) -> Result<Tensor> {
    let numbers = numbers(t)?.into_iter();
    // Straight to single precision: by way of f64 it would be rounded twice.
    match kind {
        Kind::Double => done(|| {
            Tensor::f_from_slice(&numbers.map(|n| n as f64).collect::<Vec<f64>>())?
                .f_reshape(t.size())
        }),
        kind => done(|| {
            Tensor::f_from_slice(&numbers.map(|n| n as f32).collect::<Vec<f32>>())?
                .f_to_kind(kind)?
                .f_reshape(t.size())
        }),
    }
}

/// `t` as the values of a dtype that libtorch lacks.
pub fn marked(t: &Tensor, mark: Mark, beyond: Beyond, mode: PowerMode) -> Result<Tensor> {
    let Mark::Narrow(narrow) = mark else {
        return mark.wrapped(&done(|| t.f_to_kind(Kind::Int64)?.f_to_kind(mark.kind()))?);
    };
    let round = |x: f32| match narrow {
        Narrow::F8E8M0 => power_of_two(x, mode, beyond),
        other => other.round(x, beyond),
    };
    elementwise(t, round)
}

/// A function of each element, as f32.
pub fn elementwise(t: &Tensor, f: impl Fn(f32) -> f32) -> Result<Tensor> {
    let values: Vec<f32> = done(|| {
        Vec::<f32>::try_from(
            t.f_detach()?
                .f_to_kind(Kind::Float)?
                .f_contiguous()?
                .f_reshape([-1])?,
        )
    })?;
    done(|| {
        Tensor::f_from_slice(&values.into_iter().map(f).collect::<Vec<f32>>())?.f_reshape(t.size())
    })
}

fn parsed(all: &[String], shape: &[i64], kind: Kind) -> Result<Tensor> {
    let number = |s: &String| {
        let text = s.trim();
        text.parse::<f64>()
            .map_err(|_| Error::usage(format!("'{}' is no number", parity::error::printable(text))))
    };
    let integers: Option<Vec<i64>> = all.iter().map(|s| s.trim().parse().ok()).collect();
    match integers.filter(|_| !is_float(kind)) {
        Some(integers) => done(|| {
            Tensor::f_from_slice(&integers)?
                .f_to_kind(kind)?
                .f_reshape(shape)
        }),
        None => {
            let numbers = all.iter().map(number).collect::<Result<Vec<f64>>>()?;
            done(|| {
                Tensor::f_from_slice(&numbers)?
                    .f_to_kind(kind)?
                    .f_reshape(shape)
            })
        }
    }
}

/// Numbers as text: the shortest that reads back as the same number.
fn printed(t: &Tensor) -> Result<Value> {
    let own = from_torch(t)?;
    let text = |x: f64| match x {
        x if x.is_nan() => "NaN".to_string(),
        x if x.is_infinite() => if x > 0.0 { "INF" } else { "-INF" }.to_string(),
        x => x.to_string(),
    };
    let all = match (own.dtype(), own.values::<f32>(), own.to_i64()) {
        (DType::Bool, _, _) => own
            .bytes()
            .iter()
            .map(|b| if *b == 0 { "False" } else { "True" }.to_string())
            .collect(),
        (_, Some(floats), _) => floats
            .iter()
            .map(|x| {
                if x.is_finite() {
                    x.to_string()
                } else {
                    text(*x as f64)
                }
            })
            .collect(),
        (_, _, Some(integers)) => integers.iter().map(i64::to_string).collect(),
        _ => own.to_f64().into_iter().map(text).collect(),
    };
    Ok(Value::Strings(t.size(), all))
}

/// The same bits, read as another dtype of the same size.
fn bit_cast(call: &Call) -> Result<Vec<Value>> {
    let code = call
        .int_if("to")?
        .ok_or_else(|| Error::usage("attribute 'to' is missing"))?;
    let code = i32::try_from(code).map_err(|_| Error::usage(format!("data type {code}")))?;
    if call.precision.is_wide() {
        return Err(Error::failed(
            "the bits of a single-precision float cannot be read in f64",
        ));
    }
    let parity::tensor::Value::Tensor(own) = call.value(0)?.given()? else {
        return Err(Error::failed(format!(
            "the bits of {} cannot be read",
            call.value(0)?.describe()
        )));
    };
    let Some(dtype) = DType::from_onnx(code).filter(|d| d.size() == own.dtype().size()) else {
        return Err(Error::failed(format!(
            "{} cannot be read as data type {code}",
            own.dtype()
        )));
    };
    let read = parity::tensor::Tensor::from_bytes(dtype, own.shape().to_vec(), own.bytes())?;
    Ok(vec![Value::of_tensor(&read)?])
}

/// Into half precision every engine rounds alike, and so does the shadow; into single precision the shadow does not round at all.
fn cast_scale(node: &Node) -> &'static Scale {
    let to = match node.attributes.get("to") {
        Some(Attribute::Int(code)) => i32::try_from(*code).ok().and_then(DType::from_onnx),
        _ => None,
    };
    match to {
        Some(DType::F32 | DType::F64) => &Scale::By(Arithmetic, cast_size),
        Some(DType::F16 | DType::BF16) => &Scale::Exact,
        _ => &TRUNCATED,
    }
}

/// |y|; nothing of an integer or a truth value that single precision holds: no engine rounds it, and a mask that is made of it is exact.
fn cast_size(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let y = &outputs[0];
    let whole = matches!(call.optional_value(0), Some(Value::Tensor(t)) if !is_float(t.kind()));
    let size = done(|| {
        let size = y.f_abs()?;
        match whole {
            true => size.f_masked_fill(
                &y.f_to_kind(Kind::Float)?
                    .f_to_kind(y.kind())?
                    .f_eq_tensor(y)?,
                0,
            ),
            false => Ok(size),
        }
    })?;
    Ok(vec![(size, 1)])
}

/// A constant of strings.
pub fn text_constant(all: Vec<String>, scalar: bool) -> Value {
    let shape = if scalar {
        vec![]
    } else {
        vec![all.len() as i64]
    };
    Value::Strings(shape, all)
}

/// The kind that a stated dtype is computed in; `default` where none is stated.
pub fn kind_or(call: &Call, name: &str, default: Kind) -> Result<Kind> {
    match call.int_if(name)?.filter(|code| *code != 0) {
        None => Ok(default),
        Some(code) => {
            let dtype = i32::try_from(code).ok().and_then(DType::from_onnx);
            let kind = dtype.and_then(convert::kind).ok_or_else(|| {
                Error::failed(format!(
                    "attribute '{name}' ({code}) is no dtype that is supported"
                ))
            })?;
            Ok(if kind == Kind::Float {
                single(call)
            } else {
                kind
            })
        }
    }
}

pub const OPS: &[Op] = &[
    values("Cast", 6, cast, Scale::Node(cast_scale)),
    values("CastLike", 15, cast_like, Scale::Output(Arithmetic)),
    values("BitCast", 26, bit_cast, Scale::Exact),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, bits, cases, cast, f32s, i64s, random, whole};
    use parity::tensor::{DType, Narrow, Tensor, Value};
    use proptest::prelude::*;

    fn to(code: i32, v: Value) -> Value {
        Case::new("Cast", 25)
            .int("to", code as i64)
            .on(&[v])
            .unwrap_or_else(|e| panic!("{e}"))
            .remove(0)
    }

    #[test]
    fn an_integer_that_single_precision_holds_is_cast_without_rounding() {
        let scale = |x| Case::new("Cast", 13).with(x).int("to", 1).scale();
        let integers = i64s(&[0, 1, -7, 1 << 24, (1 << 24) + 1]);
        let odd = f64::from(1 << 24) + 1.0;
        assert_eq!(scale(integers), Some(vec![0.0, 0.0, 0.0, 0.0, odd]));
        assert_eq!(
            scale(Tensor::of(&[2], &[0.5f64, -3.0])),
            Some(vec![0.5, 3.0])
        );
    }

    #[test]
    fn numbers_go_to_text_and_back() {
        let words = |list: &[&str]| {
            Value::Strings(
                vec![list.len()],
                list.iter().map(|s| s.to_string()).collect(),
            )
        };
        let Value::Strings(_, text) = to(8, Value::Tensor(f32s(&[3], &[0.1, -2.0, f32::NAN])))
        else {
            panic!("strings")
        };
        assert_eq!(text, ["0.1", "-2", "NaN"]);
        let back = to(DType::F32.onnx(), words(&["0.1", "-2", "1e3", "INF"]));
        assert_eq!(
            back.tensor().expect("a tensor").values::<f32>(),
            Some(&[0.1, -2.0, 1000.0, f32::INFINITY][..])
        );
        let integers = to(DType::I64.onnx(), words(&["9007199254740993"]));
        assert_eq!(
            integers.tensor().expect("a tensor").to_i64(),
            Some(vec![9007199254740993])
        );
        let bad = Case::new("Cast", 25).int("to", 1).on(&[words(&["a"])]);
        assert!(bad.unwrap_err().message.contains("'a' is no number"));
    }

    #[test]
    fn dtypes_of_a_few_bits_round_and_saturate_as_they_are_told() {
        let x = || Value::Tensor(f32s(&[3], &[1.0625, 1e6, -500.0]));
        let of = |saturate: i64| {
            let case = Case::new("Cast", 25)
                .int("to", Narrow::F8E4M3FN.onnx() as i64)
                .int("saturate", saturate);
            match case.on(&[x()]).unwrap_or_else(|e| panic!("{e}")).remove(0) {
                Value::Narrow(Narrow::F8E4M3FN, t) => t.to_f64(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(of(1), [1.0, 448.0, -448.0]);
        assert!(of(0)[1].is_nan() && of(0)[0] == 1.0);
        let wide = to(
            DType::F32.onnx(),
            Value::Narrow(Narrow::I4, f32s(&[2], &[-8.0, 7.0])),
        );
        assert_eq!(wide.tensor().expect("a tensor").to_f64(), [-8.0, 7.0]);
    }

    #[test]
    fn bits_are_read_as_another_dtype_of_the_same_size() {
        let case = |code: i32| {
            Case::new("BitCast", 26)
                .int("to", code as i64)
                .on(&[Value::Tensor(f32s(&[1], &[1.0]))])
        };
        assert_eq!(
            case(DType::I32.onnx()).expect("the same size")[0]
                .tensor()
                .and_then(Tensor::to_i64),
            Some(vec![0x3f80_0000])
        );
        assert!(
            case(DType::I64.onnx())
                .unwrap_err()
                .message
                .contains("cannot be read as data type 7")
        );
    }

    /// The dtypes of a few bits that the binding to ONNX Runtime knows.
    const FLOAT8: [Narrow; 4] = [
        Narrow::F8E4M3FN,
        Narrow::F8E4M3FNUZ,
        Narrow::F8E5M2,
        Narrow::F8E5M2FNUZ,
    ];

    #[test]
    fn where_onnx_runtime_rounds_otherwise_is_known() {
        let both = |narrow: Narrow, opset: i64, x: f32| {
            let case = Case::new("Cast", opset)
                .int("to", narrow.onnx() as i64)
                .int("saturate", if narrow.is_integer() { 1 } else { 0 });
            let of = |v: Vec<Value>| match &v[0] {
                Value::Narrow(_, t) => t.to_f64()[0],
                other => panic!("{other:?}"),
            };
            let x = [Value::Tensor(f32s(&[1], &[x]))];
            (
                of(case.on(&x).expect("it runs")),
                of(case.ort_on(&x).expect("it runs")),
            )
        };
        // Between 480 and 496 ONNX Runtime 1.31 gives the largest number where it was not to saturate; below and above it gives NaN.
        let (own, other) = both(Narrow::F8E4M3FN, 19, 488.0);
        assert!(own.is_nan() && other == 448.0, "{own} {other}");
        // What rounds up to infinity becomes NaN there.
        let (own, other) = both(Narrow::F8E5M2, 19, 62000.0);
        assert!(own == f64::INFINITY && other.is_nan(), "{own} {other}");
        // A float on its way to an integer of four bits is rounded there; the standard, and every wider integer, truncates.
        assert_eq!(both(Narrow::I4, 21, 2.75), (2.0, 3.0));
    }

    /// Numbers in `from` that `to` can hold: beyond that C++ and the standard say nothing.
    fn held_by(from: DType, to: DType, shape: &[usize], seed: u64) -> Tensor {
        let unsigned = |d: DType| {
            matches!(
                d,
                DType::Bool | DType::U8 | DType::U16 | DType::U32 | DType::U64
            )
        };
        let low = if unsigned(from) || unsigned(to) {
            0.0
        } else {
            -100.0
        };
        let x = random(shape, seed, low, 100.0);
        if from == DType::Bool {
            bits(DType::Bool, shape, seed)
        } else {
            cast(&x, from)
        }
    }

    fn any_dtype() -> impl Strategy<Value = DType> {
        prop::sample::select(DType::ALL.to_vec())
    }

    proptest! {
        #![proptest_config(cases(192))]
        #[test]
        fn every_dtype_goes_to_every_other_alike(from in any_dtype(), to in any_dtype(), shape in prop::collection::vec(0usize..6, 0..4), seed: u64) {
            Case::new("Cast", 19).with(held_by(from, to, &shape, seed)).int("to", to.onnx() as i64).check();
            Case::new("CastLike", 19).with(held_by(from, to, &shape, seed)).with(cast(&i64s(&[1]), to)).check();
        }

        #[test]
        fn whatever_bits_a_float_has_narrower_floats_agree(from in prop::sample::select(vec![DType::F32, DType::F16, DType::BF16, DType::F64]), to in prop::sample::select(vec![DType::F32, DType::F16, DType::BF16, DType::F64]), n in 1usize..40, seed: u64) {
            Case::new("Cast", 19).int("to", to.onnx() as i64).check_on(&[Value::Tensor(bits(from, &[n], seed))]);
        }

        #[test]
        fn unsigned_numbers_beyond_the_signed_ones_are_floats_and_text_alike(to in prop::sample::select(vec![DType::F32, DType::F64]), n in 1usize..40, seed: u64) {
            let x = Value::Tensor(bits(DType::U64, &[n], seed));
            Case::new("Cast", 19).int("to", to.onnx() as i64).check_on(std::slice::from_ref(&x));
            Case::new("Cast", 19).int("to", 8).check_on(&[x]);
        }

        #[test]
        fn eight_bits_round_saturate_and_widen_alike(narrow in prop::sample::select(FLOAT8.to_vec()), from in prop::sample::select(vec![DType::F32, DType::F16, DType::BF16]), saturate in 0i64..2, any: bool, n in 1usize..40, seed: u64) {
            let x = if any { bits(from, &[n], seed) } else { cast(&random(&[n], seed, -600.0, 600.0), from) };
            let misread = |v: &f64| match narrow {
                Narrow::F8E4M3FN => (480.0..=496.0).contains(&v.abs()),
                Narrow::F8E5M2 => (61440.0..65536.0).contains(&v.abs()),
                _ => false,
            };
            prop_assume!(saturate == 1 || !x.to_f64().iter().any(misread));
            let to = Case::new("Cast", 19).int("to", narrow.onnx() as i64).int("saturate", saturate);
            let narrowed = to.check_on(&[Value::Tensor(x)]).remove(0);
            Case::new("Cast", 19).int("to", from.onnx() as i64).check_on(&[narrowed]);
        }

        #[test]
        fn four_bits_widen_and_narrow_alike(narrow in prop::sample::select(vec![Narrow::I4, Narrow::U4]), other in prop::sample::select(vec![DType::F32, DType::F16, DType::I8, DType::U8, DType::I32, DType::I64]), n in 1usize..40, seed: u64) {
            let (low, high) = narrow.range();
            let low = if other == DType::U8 { 0.0 } else { low };
            let x = cast(&whole(&[n], seed, low as i64, high as i64 + 1), other);
            let narrowed = Case::new("Cast", 21).int("to", narrow.onnx() as i64).check_on(&[Value::Tensor(x)]).remove(0);
            Case::new("Cast", 21).int("to", other.onnx() as i64).check_on(&[narrowed]);
        }

        #[test]
        fn integers_go_to_text_and_numbers_come_back_alike(dtype in prop::sample::select(vec![DType::I64, DType::I32, DType::I8, DType::U8, DType::F32, DType::F64]), n in 1usize..20, seed: u64) {
            let x = if dtype.is_float() { cast(&random(&[n], seed, -1e6, 1e6), dtype) } else { bits(dtype, &[n], seed) };
            let text = if dtype.is_float() {
                // How many digits a float is printed with is each engine's own; what is read is not.
                Value::Strings(vec![n], x.to_f64().iter().map(|v| format!("{v:e}")).collect())
            } else {
                Case::new("Cast", 19).int("to", 8).check_on(&[Value::Tensor(x.clone())]).remove(0)
            };
            let back = Case::new("Cast", 19).int("to", dtype.onnx() as i64).check_on(&[text]).remove(0);
            prop_assert_eq!(back.tensor().map(|t| t.bytes().to_vec()), Some(x.bytes().to_vec()));
        }

        #[test]
        fn bits_are_read_alike(
            (from, to) in prop::sample::select(vec![(DType::F32, DType::I32), (DType::I32, DType::F32), (DType::F64, DType::I64), (DType::U64, DType::F64), (DType::F16, DType::I16), (DType::BF16, DType::U16), (DType::I8, DType::U8), (DType::U32, DType::I32)]),
            shape in prop::collection::vec(0usize..6, 0..4), seed: u64,
        ) {
            Case::new("BitCast", 26).int("to", to.onnx() as i64).check_on(&[Value::Tensor(bits(from, &shape, seed))]);
        }
    }
}
