//! dtypes: kernels compute in what libtorch has; this says which of their outputs stand for a dtype that it lacks.

use super::super::call::Call;
use super::super::value::{Mark, Value};
use parity::error::{Error, Result};
use parity::tensor::Narrow;
use tch::{Kind, Tensor};

/// Operators whose outputs have the dtype of this input; all others take it from the first input that is marked.
const LIKE: [(&str, usize); 3] = [("Where", 1), ("OneHot", 2), ("Pow", 0)];

/// Outputs that count or point, whatever the dtype of the inputs; the first that does.
const INDICES: [(&str, usize); 8] = [
    ("Shape", 0),
    ("Size", 0),
    ("ArgMax", 0),
    ("ArgMin", 0),
    ("NonZero", 0),
    ("TopK", 1),
    ("Unique", 1),
    ("MaxPool", 1),
];

/// Operators that are right on the bits of a u64 beyond 2⁶³ − 1.
const BITS: [&str; 27] = [
    "Add",
    "Sub",
    "Mul",
    "Sum",
    "BitwiseAnd",
    "BitwiseOr",
    "BitwiseXor",
    "BitwiseNot",
    "Identity",
    "Reshape",
    "Flatten",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Expand",
    "Concat",
    "Tile",
    "Split",
    "Slice",
    "Gather",
    "GatherElements",
    "GatherND",
    "ScatterND",
    "ScatterElements",
    "Where",
    "Equal",
    "Shape",
];

/// Operators that only move elements: the only ones with a kernel here that may see numbers of a few bits.
const MOVES: [&str; 18] = [
    "Identity",
    "Reshape",
    "Flatten",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Expand",
    "Concat",
    "Tile",
    "Split",
    "Slice",
    "Gather",
    "GatherElements",
    "GatherND",
    "ScatterND",
    "Where",
    "Shape",
    "Size",
];

/// Refuses what the widened arithmetic would get wrong.
pub fn check(call: &Call) -> Result<()> {
    let op = call.node.op.as_str();
    for (i, value) in call.values().iter().enumerate() {
        match value {
            Some(Value::Marked(Mark::U64, t)) if !BITS.contains(&op) && below_zero(t) => {
                return Err(Error::failed(format!(
                    "input {i} holds a u64 beyond 2^63 - 1, which libtorch cannot order"
                )));
            }
            Some(Value::Marked(Mark::Narrow(d), _)) if !MOVES.contains(&op) => {
                return Err(Error::failed(format!(
                    "input {i} is {}, in which libtorch has no arithmetic",
                    d.name()
                )));
            }
            Some(Value::Strings(..) | Value::Sequence(_) | Value::Optional(_)) => {
                return Err(Error::failed(format!(
                    "input {i} is {}, the operator takes tensors here",
                    value.as_ref().map_or(String::new(), Value::describe)
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

fn below_zero(t: &Tensor) -> bool {
    t.numel() > 0 && t.min().int64_value(&[]) < 0
}

/// The outputs of a kernel, marked where they stand for another dtype.
pub fn marked(call: &Call, outputs: Vec<Tensor>) -> Result<Vec<Value>> {
    let op = call.node.op.as_str();
    let of = |i: usize| call.values().get(i).and_then(|v| v.as_ref()?.mark());
    let mark = match LIKE.iter().find(|row| row.0 == op) {
        Some((_, i)) => of(*i),
        None => (0..call.values().len()).find_map(of),
    };
    let first = INDICES
        .iter()
        .find(|row| row.0 == op)
        .map_or(usize::MAX, |row| row.1);
    let one = |(i, t): (usize, Tensor)| match mark {
        Some(mark) if i < first && stands(mark, t.kind()) => {
            Ok(Value::Marked(mark, mark.wrapped(&t)?))
        }
        _ => Ok(Value::Tensor(t)),
    };
    outputs.into_iter().enumerate().map(one).collect()
}

/// Whether a result in `kind` stands for the marked dtype.
fn stands(mark: Mark, kind: Kind) -> bool {
    kind == mark.kind() || matches!(mark, Mark::Narrow(Narrow::F8E8M0)) && kind == Kind::Double
}
