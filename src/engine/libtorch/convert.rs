//! convert: tensors into libtorch and out again; out of libtorch nothing is copied.

use parity::error::{Error, Result};
use parity::tensor::{DType, Storage, Tensor};
use std::any::Any;
use std::sync::Arc;
use tch::Kind;

/// What a libtorch error means to the user.
pub fn torch_error(e: tch::TchError) -> Error {
    // libtorch appends its C++ stack; the first line is the message.
    let text = e.to_string();
    let error = Error::failed(format!("libtorch: {}", text.lines().next().unwrap_or("unknown error")));
    if text.contains("allocate memory") || text.contains("not enough memory") || text.contains("bad_alloc") {
        return error.next("feed smaller inputs, or state a tolerance of your own: without the f64 shadow a run needs far less memory");
    }
    error
}

/// The libtorch kind of a dtype; None where libtorch has no arithmetic for it.
pub fn kind(dtype: DType) -> Option<Kind> {
    Some(match dtype {
        DType::F64 => Kind::Double,
        DType::F32 => Kind::Float,
        DType::F16 => Kind::Half,
        DType::BF16 => Kind::BFloat16,
        DType::I64 => Kind::Int64,
        DType::I32 => Kind::Int,
        DType::I16 => Kind::Int16,
        DType::I8 => Kind::Int8,
        DType::U8 => Kind::Uint8,
        DType::Bool => Kind::Bool,
        DType::U64 | DType::U32 | DType::U16 => return None,
    })
}

/// The dtype of a libtorch kind; None where we have none.
pub fn dtype(kind: Kind) -> Option<DType> {
    DType::ALL.into_iter().find(|d| self::kind(*d) == Some(kind))
}

/// A contiguous CPU tensor of libtorch's as storage of ours.
struct Held(tch::Tensor);

// SAFETY: the tensor is contiguous, owned by this value alone and never written again; libtorch's own reference count is atomic.
unsafe impl Send for Held {}
unsafe impl Sync for Held {}

impl Storage for Held {
    fn bytes(&self) -> &[u8] {
        let len = self.0.numel() * self.0.kind().elt_size_in_bytes();
        if len == 0 {
            // An empty slice, too, must be aligned for its dtype.
            return bytemuck::cast_slice::<u128, u8>(&[]);
        }
        // SAFETY: a contiguous CPU tensor's data pointer addresses numel × element size bytes, alive as long as the tensor.
        unsafe { std::slice::from_raw_parts(self.0.data_ptr() as *const u8, len) }
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A libtorch result as a tensor of ours; copies only what is not contiguous.
pub fn from_torch(tensor: &tch::Tensor) -> Result<Tensor> {
    let dtype = dtype(tensor.kind()).ok_or_else(|| Error::failed(format!("libtorch returned the unknown dtype {:?}", tensor.kind())))?;
    let shape = tensor.size().iter().map(|d| *d as usize).collect();
    let dense = tensor.f_detach().and_then(|t| t.f_contiguous()).map_err(torch_error)?;
    Tensor::new(dtype, shape, Arc::new(Held(dense)))
}

/// A tensor of ours as libtorch's: shared if it came from there, copied otherwise.
pub fn to_torch(tensor: &Tensor) -> Result<tch::Tensor> {
    if let Some(held) = tensor.storage().as_any().downcast_ref::<Held>() {
        return Ok(held.0.shallow_clone());
    }
    let kind = kind(tensor.dtype()).ok_or_else(|| Error::failed(format!("libtorch has no dtype {}", tensor.dtype())))?;
    let shape: Vec<i64> = tensor.shape().iter().map(|d| *d as i64).collect();
    tch::Tensor::f_from_data_size(tensor.bytes(), &shape, kind).map_err(torch_error)
}
