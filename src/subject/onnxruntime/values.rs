//! values: a whole model in ONNX Runtime on whatever it takes: tensors of every dtype, strings, sequences.

use super::session::builder;
use super::{element, from_ort, ort_error, to_ort};
use crate::error::{Error, Place, Result};
use crate::tensor::{Narrow, Tensor, Value};
use ort::memory::Allocator;
use ort::session::{SessionInputValue, SessionInputs};
use ort::value::{
    DynSequence, DynTensor, DynTensorValueType, DynValue, TensorElementType, ValueType,
};
use std::borrow::Cow;

/// The outputs of `model`, in the order in which it declares them.
pub fn values(model: &[u8], inputs: &[(String, Value)], threads: usize) -> Result<Vec<Value>> {
    let mut session = builder(threads, Ok)?
        .commit_from_memory(model)
        .map_err(ort_error)?;
    let fed = inputs.iter().map(|(n, v)| {
        Ok((
            Cow::Borrowed(n.as_str()),
            fed(v).at(format!("input '{n}'"))?,
        ))
    });
    let fed: Vec<(Cow<str>, SessionInputValue)> = fed.collect::<Result<_>>()?;
    let outputs = session
        .run(SessionInputs::<0>::ValueMap(fed))
        .map_err(ort_error)?;
    outputs
        .into_iter()
        .map(|(name, value)| given(value).at(format!("output '{name}'")))
        .collect()
}

fn fed(value: &Value) -> Result<SessionInputValue<'_>> {
    match value {
        Value::Tensor(t) => to_ort(t),
        Value::Optional(Some(v)) => fed(v),
        Value::Optional(None) => Err(Error::failed("the binding cannot feed an empty optional")),
        Value::Sequence(all) => {
            let all = all.iter().map(tensor).collect::<Result<Vec<DynTensor>>>()?;
            let sequence = ort::value::Sequence::new(all).map_err(ort_error)?;
            Ok(SessionInputValue::from(sequence))
        }
        Value::Narrow(..) | Value::Strings(..) => Ok(SessionInputValue::from(tensor(value)?)),
    }
}

/// A tensor that ONNX Runtime owns.
fn tensor(value: &Value) -> Result<DynTensor> {
    match value {
        Value::Tensor(t) => filled(element(t.dtype()), t.shape(), t.bytes()),
        Value::Narrow(dtype, t) => filled(narrow_element(*dtype)?, t.shape(), &packed(*dtype, t)),
        Value::Strings(shape, all) => {
            let shape: Vec<i64> = shape.iter().map(|d| *d as i64).collect();
            ort::value::Tensor::from_string_array((shape, all.as_slice()))
                .map(|t| t.upcast())
                .map_err(ort_error)
        }
        Value::Sequence(_) | Value::Optional(_) => Err(Error::failed(format!(
            "the binding cannot feed {value:?} in a sequence"
        ))),
    }
}

fn filled(element: TensorElementType, shape: &[usize], bytes: &[u8]) -> Result<DynTensor> {
    let shape: Vec<i64> = shape.iter().map(|d| *d as i64).collect();
    let mut tensor = DynTensor::new(&Allocator::default(), element, shape).map_err(ort_error)?;
    if !bytes.is_empty() {
        // SAFETY: the new tensor is on the CPU, contiguous, and takes as many bytes as its shape and dtype need.
        unsafe {
            std::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                tensor.data_ptr_mut() as *mut u8,
                bytes.len(),
            )
        };
    }
    Ok(tensor)
}

fn narrow_element(dtype: Narrow) -> Result<TensorElementType> {
    Ok(match dtype {
        Narrow::F8E4M3FN => TensorElementType::Float8E4M3FN,
        Narrow::F8E4M3FNUZ => TensorElementType::Float8E4M3FNUZ,
        Narrow::F8E5M2 => TensorElementType::Float8E5M2,
        Narrow::F8E5M2FNUZ => TensorElementType::Float8E5M2FNUZ,
        Narrow::U4 => TensorElementType::Uint4,
        Narrow::I4 => TensorElementType::Int4,
        Narrow::F4E2M1 | Narrow::F8E8M0 | Narrow::U2 | Narrow::I2 => {
            return Err(Error::failed(format!(
                "the binding has no dtype {}",
                dtype.name()
            )));
        }
    })
}

/// Several numbers to a byte, the first in the lowest bits.
fn packed(dtype: Narrow, t: &Tensor) -> Vec<u8> {
    let each = 8 / dtype.bits() as usize;
    let codes: Vec<u8> = t
        .values::<f32>()
        .unwrap_or(&[])
        .iter()
        .map(|x| dtype.encode(*x).unwrap_or(0))
        .collect();
    let byte = |part: &[u8]| {
        part.iter().enumerate().fold(0, |byte, (i, code)| {
            byte | code << (i as u32 * dtype.bits())
        })
    };
    codes.chunks(each).map(byte).collect()
}

fn given(value: DynValue) -> Result<Value> {
    match value.dtype() {
        ValueType::Tensor {
            ty: TensorElementType::String,
            ..
        } => {
            let text = value.downcast::<DynTensorValueType>().map_err(ort_error)?;
            let (shape, all) = text.try_extract_strings().map_err(ort_error)?;
            Ok(Value::Strings(
                shape.iter().map(|d| *d as usize).collect(),
                all,
            ))
        }
        ValueType::Tensor { ty, .. } => match Narrow::ALL
            .into_iter()
            .find(|d| narrow_element(*d).is_ok_and(|e| e == *ty))
        {
            Some(dtype) => unpacked(dtype, value),
            None => from_ort(value).map(Value::Tensor),
        },
        ValueType::Sequence(_) => {
            let all = value
                .downcast::<ort::value::DynSequenceValueType>()
                .map_err(ort_error)?;
            sequence(&all)
        }
        other => Err(Error::failed(format!("the binding cannot take {other:?}"))),
    }
}

fn sequence(all: &DynSequence) -> Result<Value> {
    let parts: Vec<DynValue> = all.try_extract_sequence().map_err(ort_error)?;
    parts
        .into_iter()
        .map(given)
        .collect::<Result<_>>()
        .map(Value::Sequence)
}

fn unpacked(dtype: Narrow, value: DynValue) -> Result<Value> {
    let tensor = value.downcast::<DynTensorValueType>().map_err(ort_error)?;
    let shape: Vec<usize> = tensor.shape().iter().map(|d| *d as usize).collect();
    let (numel, each) = (shape.iter().product::<usize>(), 8 / dtype.bits() as usize);
    let bytes = if numel == 0 {
        &[][..]
    } else {
        // SAFETY: a CPU tensor of ONNX Runtime is contiguous and packs `each` elements to a byte.
        unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast::<u8>(), numel.div_ceil(each)) }
    };
    let at = |i: usize| dtype.decode(bytes[i / each] >> (i % each * dtype.bits() as usize));
    Ok(Value::Narrow(
        dtype,
        Tensor::from_vec(&shape, (0..numel).map(at).collect::<Vec<f32>>()),
    ))
}
