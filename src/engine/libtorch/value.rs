//! value: what passes between nodes: tensors as libtorch has them, tensors whose dtype libtorch lacks, strings, sequences, optionals.
//!
//! A dtype without arithmetic in libtorch is carried in a wider one that holds it exactly and is marked with what it stands for.

use super::convert::{dtype, from_torch, to_torch, torch_error};
use parity::error::{Error, Result};
use parity::tensor::{self, DType, Narrow};
use tch::{Kind, Tensor};

/// A dtype that libtorch does not compute in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    U16,
    U32,
    /// Carried by its bits in a signed integer: right for what wraps, refused for large numbers where the order counts.
    U64,
    Narrow(Narrow),
}

impl Mark {
    /// What the tensor is carried in.
    pub fn kind(self) -> Kind {
        match self {
            Mark::U16 => Kind::Int,
            Mark::U32 | Mark::U64 => Kind::Int64,
            Mark::Narrow(_) => Kind::Float,
        }
    }

    pub fn of(dtype: DType) -> Option<Self> {
        match dtype {
            DType::U16 => Some(Mark::U16),
            DType::U32 => Some(Mark::U32),
            DType::U64 => Some(Mark::U64),
            _ => None,
        }
    }

    /// By the code of ONNX's TensorProto.DataType.
    pub fn from_onnx(code: i64) -> Option<Self> {
        let code = i32::try_from(code).ok()?;
        DType::from_onnx(code)
            .and_then(Mark::of)
            .or_else(|| Narrow::from_onnx(code).map(Mark::Narrow))
    }

    /// `t`, computed in the wide dtype, brought back to the values that this one has.
    pub fn wrapped(self, t: &Tensor) -> Result<Tensor> {
        match self {
            Mark::U16 => t.f_bitwise_and(0xffff).map_err(torch_error),
            Mark::U32 => t.f_bitwise_and(0xffff_ffff).map_err(torch_error),
            Mark::U64 | Mark::Narrow(_) => Ok(t.shallow_clone()),
        }
    }
}

#[derive(Debug)]
pub enum Value {
    Tensor(Tensor),
    Marked(Mark, Tensor),
    Strings(Vec<i64>, Vec<String>),
    Sequence(Vec<Value>),
    Optional(Option<Box<Value>>),
}

impl Clone for Value {
    fn clone(&self) -> Self {
        match self {
            Value::Tensor(t) => Value::Tensor(t.shallow_clone()),
            Value::Marked(m, t) => Value::Marked(*m, t.shallow_clone()),
            Value::Strings(shape, all) => Value::Strings(shape.clone(), all.clone()),
            Value::Sequence(all) => Value::Sequence(all.clone()),
            Value::Optional(v) => Value::Optional(v.clone()),
        }
    }
}

impl Value {
    /// The tensor inside, as libtorch carries it.
    pub fn tensor(&self) -> Option<&Tensor> {
        match self {
            Value::Tensor(t) | Value::Marked(_, t) => Some(t),
            Value::Strings(..) | Value::Sequence(_) | Value::Optional(_) => None,
        }
    }

    pub fn into_tensor(self) -> Result<Tensor> {
        match self {
            Value::Tensor(t) | Value::Marked(_, t) => Ok(t),
            other => Err(Error::failed(format!("{} is no tensor", other.describe()))),
        }
    }

    pub fn mark(&self) -> Option<Mark> {
        match self {
            Value::Marked(m, _) => Some(*m),
            _ => None,
        }
    }

    /// `tensor` as libtorch is given it.
    pub fn of_tensor(tensor: &tensor::Tensor) -> Result<Self> {
        let shape: Vec<i64> = tensor.shape().iter().map(|d| *d as i64).collect();
        let Some(mark) = Mark::of(tensor.dtype()) else {
            return to_torch(tensor).map(Value::Tensor);
        };
        let wide = match mark {
            Mark::U16 => Tensor::f_from_slice(
                &tensor
                    .values::<u16>()
                    .unwrap_or(&[])
                    .iter()
                    .map(|v| *v as i32)
                    .collect::<Vec<_>>(),
            ),
            Mark::U32 => Tensor::f_from_slice(
                &tensor
                    .values::<u32>()
                    .unwrap_or(&[])
                    .iter()
                    .map(|v| *v as i64)
                    .collect::<Vec<_>>(),
            ),
            _ => Tensor::f_from_slice(
                &tensor
                    .values::<u64>()
                    .unwrap_or(&[])
                    .iter()
                    .map(|v| *v as i64)
                    .collect::<Vec<_>>(),
            ),
        };
        Ok(Value::Marked(
            mark,
            wide.and_then(|t| t.f_reshape(shape)).map_err(torch_error)?,
        ))
    }

    pub fn of(value: &tensor::Value) -> Result<Self> {
        Ok(match value {
            tensor::Value::Tensor(t) => Self::of_tensor(t)?,
            tensor::Value::Narrow(d, t) => Value::Marked(Mark::Narrow(*d), to_torch(t)?),
            tensor::Value::Strings(shape, all) => {
                Value::Strings(shape.iter().map(|d| *d as i64).collect(), all.clone())
            }
            tensor::Value::Sequence(all) => {
                Value::Sequence(all.iter().map(Self::of).collect::<Result<_>>()?)
            }
            tensor::Value::Optional(v) => {
                Value::Optional(v.as_deref().map(Self::of).transpose()?.map(Box::new))
            }
        })
    }

    /// As the rest of the program sees it.
    pub fn given(&self) -> Result<tensor::Value> {
        Ok(match self {
            Value::Tensor(t) => tensor::Value::Tensor(from_torch(t)?),
            Value::Marked(Mark::Narrow(d), t) => tensor::Value::Narrow(
                *d,
                from_torch(&t.f_to_kind(Kind::Float).map_err(torch_error)?)?,
            ),
            Value::Marked(mark, t) => tensor::Value::Tensor(narrowed(*mark, &from_torch(t)?)?),
            Value::Strings(shape, all) => {
                tensor::Value::Strings(shape.iter().map(|d| *d as usize).collect(), all.clone())
            }
            Value::Sequence(all) => {
                tensor::Value::Sequence(all.iter().map(Self::given).collect::<Result<_>>()?)
            }
            Value::Optional(v) => {
                tensor::Value::Optional(v.as_deref().map(Self::given).transpose()?.map(Box::new))
            }
        })
    }

    /// Dtype and shape, for messages.
    pub fn describe(&self) -> String {
        match self {
            Value::Tensor(t) => {
                let name = dtype(t.kind())
                    .map_or_else(|| format!("{:?}", t.kind()), |d| d.name().to_string());
                format!("{name} {:?}", t.size())
            }
            Value::Marked(Mark::Narrow(d), t) => format!("{}{:?}", d.name(), t.size()),
            Value::Marked(m, t) => format!("{m:?}{:?}", t.size()),
            Value::Strings(shape, _) => format!("strings{shape:?}"),
            Value::Sequence(all) => format!("a sequence of {}", all.len()),
            Value::Optional(None) => "an empty optional".into(),
            Value::Optional(Some(v)) => format!("an optional {}", v.describe()),
        }
    }
}

/// The unsigned integers that a wide tensor stands for.
fn narrowed(mark: Mark, wide: &tensor::Tensor) -> Result<tensor::Tensor> {
    let values = wide
        .to_i64()
        .ok_or_else(|| Error::failed(format!("{mark:?} is carried in {}", wide.dtype())))?;
    Ok(match mark {
        Mark::U16 => tensor::Tensor::from_vec(
            wide.shape(),
            values.iter().map(|v| *v as u16).collect::<Vec<_>>(),
        ),
        Mark::U32 => tensor::Tensor::from_vec(
            wide.shape(),
            values.iter().map(|v| *v as u32).collect::<Vec<_>>(),
        ),
        _ => tensor::Tensor::from_vec(
            wide.shape(),
            values.iter().map(|v| *v as u64).collect::<Vec<_>>(),
        ),
    })
}
