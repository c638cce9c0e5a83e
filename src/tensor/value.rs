//! value: what an ONNX graph may take and give besides tensors: dtypes of a few bits, strings, sequences, optionals.

use super::Tensor;
use super::narrow::Narrow;
use std::fmt;

/// A graph's input or output.
#[derive(Clone)]
pub enum Value {
    Tensor(Tensor),
    /// A tensor of a narrow dtype, its elements as f32.
    Narrow(Narrow, Tensor),
    /// Shape and elements.
    Strings(Vec<usize>, Vec<String>),
    Sequence(Vec<Value>),
    Optional(Option<Box<Value>>),
}

impl Value {
    /// The tensor, if it is one of a dtype that `Tensor` has.
    pub fn tensor(&self) -> Option<&Tensor> {
        match self {
            Value::Tensor(t) => Some(t),
            Value::Narrow(..) | Value::Strings(..) | Value::Sequence(_) | Value::Optional(_) => {
                None
            }
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Tensor(t) => write!(f, "{t:?}"),
            Value::Narrow(d, t) => write!(f, "{} {:?}", d.name(), t.shape()),
            Value::Strings(shape, _) => write!(f, "strings {shape:?}"),
            Value::Sequence(all) => write!(f, "sequence {all:?}"),
            Value::Optional(None) => write!(f, "an empty optional"),
            Value::Optional(Some(v)) => write!(f, "optional {v:?}"),
        }
    }
}
