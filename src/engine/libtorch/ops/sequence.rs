//! sequence: sequences and optionals.

use super::super::call::Call;
use super::super::value::{Mark, Value};
use super::common::{axis, done, vector};
use super::{Op, Scale, values};
use parity::error::{Error, Result};
use tch::Tensor;

fn sequence<'a>(call: &'a Call, i: usize) -> Result<&'a [Value]> {
    match call.value(i)? {
        Value::Sequence(all) => Ok(all),
        Value::Optional(Some(v)) => match &**v {
            Value::Sequence(all) => Ok(all),
            other => Err(Error::usage(format!("input {i} is {}", other.describe()))),
        },
        other => Err(Error::usage(format!(
            "input {i} should be a sequence, is {}",
            other.describe()
        ))),
    }
}

/// The position that input `i` states, counted from the front, where `most` is the last one.
fn position(call: &Call, i: usize, len: usize, most: i64) -> Result<usize> {
    let at = call
        .integers(i)?
        .and_then(|v| v.first().copied())
        .ok_or_else(|| Error::usage(format!("input {i} is missing")))?;
    let front = if at < 0 { at + len as i64 } else { at };
    if (0..=most).contains(&front) {
        Ok(front as usize)
    } else {
        Err(Error::usage(format!(
            "position {at} is outside a sequence of {len}"
        )))
    }
}

fn empty(call: &Call) -> Result<Vec<Value>> {
    call.known("dtype");
    Ok(vec![Value::Sequence(vec![])])
}

fn construct(call: &Call) -> Result<Vec<Value>> {
    let all = call
        .values()
        .iter()
        .map(|v| v.clone().ok_or_else(|| Error::usage("an input is missing")));
    Ok(vec![Value::Sequence(all.collect::<Result<_>>()?)])
}

fn insert(call: &Call) -> Result<Vec<Value>> {
    let mut all = sequence(call, 0)?.to_vec();
    let at = if call.optional_value(2).is_some() {
        position(call, 2, all.len(), all.len() as i64)?
    } else {
        all.len()
    };
    all.insert(at, call.value(1)?.clone());
    Ok(vec![Value::Sequence(all)])
}

fn erase(call: &Call) -> Result<Vec<Value>> {
    let mut all = sequence(call, 0)?.to_vec();
    let last = all.len() as i64 - 1;
    all.remove(if call.optional_value(1).is_some() {
        position(call, 1, all.len(), last)?
    } else {
        last.try_into()
            .map_err(|_| Error::usage("an empty sequence"))?
    });
    Ok(vec![Value::Sequence(all)])
}

fn at(call: &Call) -> Result<Vec<Value>> {
    let all = sequence(call, 0)?;
    Ok(vec![
        all[position(call, 1, all.len(), all.len() as i64 - 1)?].clone(),
    ])
}

fn length(call: &Call) -> Result<Vec<Value>> {
    let n = sequence(call, 0)?.len() as i64;
    Ok(vec![Value::Tensor(done(|| {
        vector(&[n])?.f_reshape([0i64; 0])
    })?)])
}

fn concatenated(call: &Call) -> Result<Vec<Value>> {
    let all = sequence(call, 0)?;
    let mark = all.first().and_then(Value::mark);
    let tensors = all
        .iter()
        .map(|v| v.clone().into_tensor())
        .collect::<Result<Vec<_>>>()?;
    let new = call.int("new_axis", 0)? != 0;
    let rank = tensors
        .first()
        .ok_or_else(|| Error::usage("an empty sequence"))?
        .dim()
        + new as usize;
    let at = axis(
        call.int_if("axis")?
            .ok_or_else(|| Error::usage("attribute 'axis' is missing"))?,
        rank,
    )? as i64;
    let t = done(|| {
        if new {
            Tensor::f_stack(&tensors, at)
        } else {
            Tensor::f_cat(&tensors, at)
        }
    })?;
    Ok(vec![with_mark(t, mark)])
}

fn with_mark(t: Tensor, mark: Option<Mark>) -> Value {
    match mark {
        Some(mark) => Value::Marked(mark, t),
        None => Value::Tensor(t),
    }
}

/// Parts of stated lengths, or equal ones; without lengths single elements, whose axis goes unless it is kept.
fn split(call: &Call) -> Result<Vec<Value>> {
    let (x, mark) = (call.input(0)?, call.value(0)?.mark());
    let at = axis(call.int("axis", 0)?, x.dim())?;
    let keep = call.int("keepdims", 1)? != 0;
    let len = x.size()[at];
    let lengths = match (call.integers(1)?, call.optional(1).map(Tensor::dim)) {
        (None, _) => vec![1; len as usize],
        (Some(list), Some(0)) => {
            let each = list
                .first()
                .copied()
                .filter(|n| *n > 0)
                .ok_or_else(|| Error::usage("parts of no length"))?;
            (0..len)
                .step_by(usize::try_from(each).unwrap_or(usize::MAX))
                .map(|start| each.min(len - start))
                .collect()
        }
        (Some(list), _) => list,
    };
    if lengths.iter().any(|n| *n < 0)
        || lengths.iter().try_fold(0i64, |sum, n| sum.checked_add(*n)) != Some(len)
    {
        return Err(Error::usage(format!(
            "parts {lengths:?} do not add up to {len}"
        )));
    }
    let mut start = 0;
    let part = |n: &i64| {
        start += n;
        let t = done(|| x.f_narrow(at as i64, start - n, *n))?;
        let t = if keep || call.optional(1).is_some() {
            t
        } else {
            done(|| t.f_squeeze_dim(at as i64))?
        };
        Ok(with_mark(t, mark))
    };
    Ok(vec![Value::Sequence(
        lengths.iter().map(part).collect::<Result<_>>()?,
    )])
}

fn optional(call: &Call) -> Result<Vec<Value>> {
    call.known("type");
    Ok(vec![Value::Optional(
        call.optional_value(0).cloned().map(Box::new),
    )])
}

fn has(call: &Call) -> Result<Vec<Value>> {
    let has = !matches!(call.optional_value(0), None | Some(Value::Optional(None)));
    Ok(vec![Value::Tensor(done(|| {
        Tensor::f_from_slice(&[has])?.f_reshape([0i64; 0])
    })?)])
}

fn get(call: &Call) -> Result<Vec<Value>> {
    match call.value(0)? {
        Value::Optional(Some(v)) => Ok(vec![(**v).clone()]),
        Value::Optional(None) => Err(Error::usage("the optional holds nothing")),
        other => Ok(vec![other.clone()]),
    }
}

pub const OPS: &[Op] = &[
    values("SequenceEmpty", 11, empty, Scale::Exact),
    values("SequenceConstruct", 11, construct, Scale::Exact),
    values("SequenceInsert", 11, insert, Scale::Exact),
    values("SequenceErase", 11, erase, Scale::Exact),
    values("SequenceAt", 11, at, Scale::Exact),
    values("SequenceLength", 11, length, Scale::Exact),
    values("ConcatFromSequence", 11, concatenated, Scale::Exact),
    values("SplitToSequence", 11, split, Scale::Exact),
    values("Optional", 15, optional, Scale::Exact),
    values("OptionalHasElement", 15, has, Scale::Exact),
    values("OptionalGetElement", 15, get, Scale::Exact),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, bits, cases, f32s, i64s, random};
    use parity::tensor::{DType, Tensor, Value};
    use proptest::prelude::*;

    fn vector(values: &[f32]) -> Value {
        Value::Tensor(f32s(&[values.len()], values))
    }

    fn at(i: i64) -> Value {
        Value::Tensor(Tensor::of(&[], &[i]))
    }

    /// Elements of a sequence, or of a tensor as a sequence of one.
    fn read(v: &Value) -> Vec<Vec<f64>> {
        match v {
            Value::Sequence(all) => all.iter().flat_map(read).collect(),
            other => vec![other.tensor().expect("a tensor").to_f64()],
        }
    }

    fn check(op: &str, inputs: &[Value], want: &[&[f64]]) {
        let have = Case::new(op, 17)
            .on(inputs)
            .unwrap_or_else(|e| panic!("{op}: {e}"));
        assert_eq!(read(&have[0]), want, "{op}");
    }

    #[test]
    fn elements_are_put_in_taken_out_and_counted_from_either_end() {
        let two = || Value::Sequence(vec![vector(&[1.0]), vector(&[2.0, 3.0])]);
        check(
            "SequenceConstruct",
            &[vector(&[1.0]), vector(&[4.0])],
            &[&[1.0], &[4.0]],
        );
        check(
            "SequenceInsert",
            &[two(), vector(&[9.0])],
            &[&[1.0], &[2.0, 3.0], &[9.0]],
        );
        check(
            "SequenceInsert",
            &[two(), vector(&[9.0]), at(-2)],
            &[&[9.0], &[1.0], &[2.0, 3.0]],
        );
        check("SequenceErase", &[two(), at(0)], &[&[2.0, 3.0]]);
        check("SequenceErase", &[two()], &[&[1.0]]);
        check("SequenceAt", &[two(), at(-1)], &[&[2.0, 3.0]]);
        check("SequenceLength", &[two()], &[&[2.0]]);
        check(
            "SplitToSequence",
            &[vector(&[1.0, 2.0, 3.0]), at(2)],
            &[&[1.0, 2.0], &[3.0]],
        );
        check(
            "SplitToSequence",
            &[vector(&[1.0, 2.0, 3.0]), Value::Tensor(i64s(&[1, 2]))],
            &[&[1.0], &[2.0, 3.0]],
        );
        let outside = Case::new("SequenceAt", 17).on(&[two(), at(2)]);
        assert!(
            outside
                .unwrap_err()
                .message
                .contains("position 2 is outside a sequence of 2")
        );
        assert!(
            Case::new("SequenceLength", 17)
                .on(&[vector(&[1.0])])
                .unwrap_err()
                .message
                .contains("should be a sequence")
        );
    }

    #[test]
    fn a_sequence_becomes_a_tensor_along_an_old_axis_or_a_new_one() {
        let same = Value::Sequence(vec![vector(&[1.0, 2.0]), vector(&[3.0, 4.0])]);
        let joined = |new: i64| {
            Case::new("ConcatFromSequence", 17)
                .int("axis", 0)
                .int("new_axis", new)
                .on(std::slice::from_ref(&same))
        };
        let shape = |v: Vec<Value>| v[0].tensor().expect("a tensor").shape().to_vec();
        assert_eq!(
            (joined(0).map(shape), joined(1).map(shape)),
            (Ok(vec![4]), Ok(vec![2, 2]))
        );
    }

    #[test]
    fn an_optional_says_whether_it_holds_something() {
        let empty = Value::Optional(None);
        let full = Value::Optional(Some(Box::new(vector(&[5.0]))));
        check(
            "OptionalHasElement",
            std::slice::from_ref(&empty),
            &[&[0.0]],
        );
        check("OptionalHasElement", std::slice::from_ref(&full), &[&[1.0]]);
        check("OptionalGetElement", &[full], &[&[5.0]]);
        assert!(
            Case::new("OptionalGetElement", 18)
                .on(&[empty])
                .unwrap_err()
                .message
                .contains("holds nothing")
        );
    }

    fn dtype() -> impl Strategy<Value = DType> {
        prop::sample::select(vec![
            DType::F32,
            DType::F64,
            DType::F16,
            DType::I64,
            DType::I32,
            DType::U8,
            DType::Bool,
        ])
    }

    proptest! {
        #![proptest_config(cases(48))]
        #[test]
        fn elements_of_every_dtype_and_shape_go_in_and_out_alike(
            dtype in dtype(), shapes in prop::collection::vec(prop::collection::vec(0usize..4, 0..4), 1..5), at: prop::sample::Index, front: bool, seed: u64,
        ) {
            let n = shapes.len();
            let element = |(i, s): (usize, &Vec<usize>)| Value::Tensor(bits(dtype, s, seed ^ i as u64));
            let all: Vec<Value> = shapes.iter().enumerate().map(element).collect();
            let sequence = || Value::Sequence(all.clone());
            // From either end; an insertion may also be behind the last.
            let place = |i: usize| self::at(if front { i as i64 } else { i as i64 - n as i64 });
            Case::new("SequenceConstruct", 17).check_on(&all);
            Case::new("SequenceLength", 17).check_on(&[sequence()]);
            Case::new("SequenceAt", 17).check_on(&[sequence(), place(at.index(n))]);
            Case::new("SequenceErase", 17).check_on(&[sequence(), place(at.index(n))]);
            Case::new("SequenceErase", 17).check_on(&[sequence()]);
            Case::new("SequenceInsert", 17).check_on(&[sequence(), all[0].clone()]);
            Case::new("SequenceInsert", 17).check_on(&[sequence(), all[0].clone(), place(at.index(n))]);
            Case::new("SequenceInsert", 17).check_on(&[sequence(), all[0].clone(), self::at(n as i64)]);
            Case::new("SequenceEmpty", 17).int("dtype", dtype.onnx() as i64).check_on(&[]);
            for v in [all[0].clone(), sequence()] {
                Case::new("OptionalHasElement", 18).check_on(std::slice::from_ref(&v));
                Case::new("OptionalGetElement", 18).check_on(&[v]);
            }
        }

        #[test]
        fn sequences_are_joined_and_split_alike(
            shape in prop::collection::vec(1usize..5, 1..4), lengths in prop::collection::vec(0usize..4, 1..5), axis: prop::sample::Index, back: bool, part in 1i64..5, keep in 0i64..2, seed: u64,
        ) {
            let rank = shape.len();
            let d = axis.index(rank);
            let stated = |d: usize, rank: usize| if back { d as i64 - rank as i64 } else { d as i64 };
            let with = |n: usize| { let mut s = shape.clone(); s[d] = n; s };
            let of = |s: &[usize], i: usize| Value::Tensor(random(s, seed ^ i as u64, -1.0, 1.0));
            let ragged = Value::Sequence(lengths.iter().enumerate().map(|(i, n)| of(&with(*n), i)).collect());
            Case::new("ConcatFromSequence", 17).int("axis", stated(d, rank)).check_on(&[ragged]);
            let same = Value::Sequence((0..lengths.len()).map(|i| of(&shape, i)).collect());
            Case::new("ConcatFromSequence", 17).int("axis", stated(d, rank + 1)).int("new_axis", 1).check_on(&[same]);
            let total = lengths.iter().sum::<usize>();
            let split = || Case::new("SplitToSequence", 17).int("axis", stated(d, rank));
            if total > 0 {
                let list: Vec<i64> = lengths.iter().map(|n| *n as i64).collect();
                split().check_on(&[of(&with(total), 9), Value::Tensor(i64s(&list))]);
            }
            split().check_on(&[of(&shape, 9), self::at(part)]);
            split().int("keepdims", keep).check_on(&[of(&shape, 9)]);
        }
    }
}
