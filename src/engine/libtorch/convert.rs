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
    let error = Error::failed(format!(
        "libtorch: {}",
        text.lines().next().unwrap_or("unknown error")
    ));
    if error.ran_out() {
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
    DType::ALL
        .into_iter()
        .find(|d| self::kind(*d) == Some(kind))
}

/// A contiguous CPU tensor of libtorch's as storage of ours.
struct Held(tch::Tensor);

// SAFETY: the tensor is contiguous. Others may hold the same storage (what it was made of, and every clone that `to_torch` hands out), but
// nobody writes to it: no call in this engine works in place, which the test below holds; libtorch's own reference count is atomic.
unsafe impl Send for Held {}
// SAFETY: as for Send.
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
    let dtype = dtype(tensor.kind()).ok_or_else(|| {
        Error::failed(format!(
            "libtorch returned the unknown dtype {:?}",
            tensor.kind()
        ))
    })?;
    let shape = tensor.size().iter().map(|d| *d as usize).collect();
    let dense = tensor
        .f_detach()
        .and_then(|t| t.f_contiguous())
        .map_err(torch_error)?;
    Tensor::new(dtype, shape, Arc::new(Held(dense)))
}

/// A tensor of ours as libtorch's: shared if it came from there, copied otherwise.
pub fn to_torch(tensor: &Tensor) -> Result<tch::Tensor> {
    if let Some(held) = tensor.storage().as_any().downcast_ref::<Held>() {
        return Ok(held.0.shallow_clone());
    }
    let kind = kind(tensor.dtype())
        .ok_or_else(|| Error::failed(format!("libtorch has no dtype {}", tensor.dtype())))?;
    let shape: Vec<i64> = tensor.shape().iter().map(|d| *d as i64).collect();
    tch::Tensor::f_from_data_size(tensor.bytes(), &shape, kind).map_err(torch_error)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Methods called in `line` that write into a tensor: libtorch ends their names with `_`, or with `_out`.
    fn in_place(line: &str) -> impl Iterator<Item = &str> {
        let name = |end: usize| {
            line[..end]
                .rsplit(|c: char| !(c.is_alphanumeric() || c == '_'))
                .next()
                .unwrap_or("")
        };
        let method = move |name: &str, end: usize| line[..end - name.len()].ends_with('.');
        let calls = line.match_indices('(').map(|(end, _)| end);
        calls.filter_map(move |end| {
            Some(name(end)).filter(|n| (n.ends_with('_') || n.ends_with("_out")) && method(n, end))
        })
    }

    fn check(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().path())
        {
            if entry.is_dir() {
                check(&entry, found);
                continue;
            }
            let text = std::fs::read_to_string(&entry).unwrap();
            found.extend(
                text.lines()
                    .flat_map(in_place)
                    .map(|call| format!("{}: {call}", entry.display())),
            );
        }
    }

    #[test]
    fn no_call_of_the_engine_writes_into_a_tensor_that_others_hold() {
        assert_eq!(
            in_place("let y = x.f_add_(&z).relu_();").collect::<Vec<_>>(),
            ["f_add_", "relu_"]
        );
        assert_eq!(
            in_place("x.add_out(&y, &z)").collect::<Vec<_>>(),
            ["add_out"]
        );
        assert_eq!(in_place("x.f_add(&y)?.map(|_| (1, _two(3)))").count(), 0);
        let mut found = Vec::new();
        check(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine"),
            &mut found,
        );
        found.retain(|f| !f.contains("convert.rs"));
        assert_eq!(
            found,
            Vec::<String>::new(),
            "`Held` is shared: a result of its own instead"
        );
    }
}
