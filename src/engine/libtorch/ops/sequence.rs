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
        other => Err(Error::usage(format!("input {i} should be a sequence, is {}", other.describe()))),
    }
}

/// The position that input `i` states, counted from the front, where `most` is the last one.
fn position(call: &Call, i: usize, len: usize, most: i64) -> Result<usize> {
    let at = call.integers(i)?.and_then(|v| v.first().copied()).ok_or_else(|| Error::usage(format!("input {i} is missing")))?;
    let front = if at < 0 { at + len as i64 } else { at };
    if (0..=most).contains(&front) {
        Ok(front as usize)
    } else {
        Err(Error::usage(format!("position {at} is outside a sequence of {len}")))
    }
}

fn empty(call: &Call) -> Result<Vec<Value>> {
    call.known("dtype");
    Ok(vec![Value::Sequence(vec![])])
}

fn construct(call: &Call) -> Result<Vec<Value>> {
    let all = call.values().iter().map(|v| v.clone().ok_or_else(|| Error::usage("an input is missing")));
    Ok(vec![Value::Sequence(all.collect::<Result<_>>()?)])
}

fn insert(call: &Call) -> Result<Vec<Value>> {
    let mut all = sequence(call, 0)?.to_vec();
    let at = if call.optional_value(2).is_some() { position(call, 2, all.len(), all.len() as i64)? } else { all.len() };
    all.insert(at, call.value(1)?.clone());
    Ok(vec![Value::Sequence(all)])
}

fn erase(call: &Call) -> Result<Vec<Value>> {
    let mut all = sequence(call, 0)?.to_vec();
    let last = all.len() as i64 - 1;
    all.remove(if call.optional_value(1).is_some() {
        position(call, 1, all.len(), last)?
    } else {
        last.try_into().map_err(|_| Error::usage("an empty sequence"))?
    });
    Ok(vec![Value::Sequence(all)])
}

fn at(call: &Call) -> Result<Vec<Value>> {
    let all = sequence(call, 0)?;
    Ok(vec![all[position(call, 1, all.len(), all.len() as i64 - 1)?].clone()])
}

fn length(call: &Call) -> Result<Vec<Value>> {
    let n = sequence(call, 0)?.len() as i64;
    Ok(vec![Value::Tensor(done(|| vector(&[n])?.f_reshape([0i64; 0]))?)])
}

fn concatenated(call: &Call) -> Result<Vec<Value>> {
    let all = sequence(call, 0)?;
    let mark = all.first().and_then(Value::mark);
    let tensors = all.iter().map(|v| v.clone().into_tensor()).collect::<Result<Vec<_>>>()?;
    let new = call.int("new_axis", 0)? != 0;
    let rank = tensors.first().ok_or_else(|| Error::usage("an empty sequence"))?.dim() + new as usize;
    let at = axis(call.int_if("axis")?.ok_or_else(|| Error::usage("attribute 'axis' is missing"))?, rank)? as i64;
    let t = done(|| if new { Tensor::f_stack(&tensors, at) } else { Tensor::f_cat(&tensors, at) })?;
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
            let each = list.first().copied().filter(|n| *n > 0).ok_or_else(|| Error::usage("parts of no length"))?;
            (0..len).step_by(usize::try_from(each).unwrap_or(usize::MAX)).map(|start| each.min(len - start)).collect()
        }
        (Some(list), _) => list,
    };
    if lengths.iter().any(|n| *n < 0) || lengths.iter().try_fold(0i64, |sum, n| sum.checked_add(*n)) != Some(len) {
        return Err(Error::usage(format!("parts {lengths:?} do not add up to {len}")));
    }
    let mut start = 0;
    let part = |n: &i64| {
        start += n;
        let t = done(|| x.f_narrow(at as i64, start - n, *n))?;
        let t = if keep || call.optional(1).is_some() { t } else { done(|| t.f_squeeze_dim(at as i64))? };
        Ok(with_mark(t, mark))
    };
    Ok(vec![Value::Sequence(lengths.iter().map(part).collect::<Result<_>>()?)])
}

fn optional(call: &Call) -> Result<Vec<Value>> {
    call.known("type");
    Ok(vec![Value::Optional(call.optional_value(0).cloned().map(Box::new))])
}

fn has(call: &Call) -> Result<Vec<Value>> {
    let has = !matches!(call.optional_value(0), None | Some(Value::Optional(None)));
    Ok(vec![Value::Tensor(done(|| Tensor::f_from_slice(&[has])?.f_reshape([0i64; 0]))?)])
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
