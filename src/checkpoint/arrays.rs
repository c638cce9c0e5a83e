//! arrays: the constructors of PyTorch and numpy that build tensors, a dozen names; whatever else a pickle names is no array.

use super::pickle::{Heap, Id, Made, Value};
use super::{From, Stored};
use crate::error::{Error, Result};
use crate::tensor::{DType, Tensor, checked_numel};
use std::collections::HashMap;

/// A tensor, None of what is none, or why it is not read.
pub type Found = std::result::Result<Option<Stored>, String>;

/// Bytes that a tensor may have whose elements lie upon each other: such a one may be larger than its file.
const EXPANDED: usize = 1 << 30;

/// The tensor that a value is.
pub fn of(heap: &Heap, id: Id) -> Found {
    let Value::Made(made) = heap.get(id) else {
        return Ok(None);
    };
    let by = heap.global(made.by).unwrap_or_default();
    match by.as_str() {
        "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" => {
            view(heap, &made.args, None)
        }
        "torch._utils._rebuild_tensor_v3" => {
            let dtype = made.args.get(6).and_then(|d| heap.global(*d));
            view(heap, &made.args, dtype.as_deref().map(dtype_named))
        }
        "torch._utils._rebuild_parameter"
        | "torch._utils._rebuild_parameter_with_state"
        | "torch.nn.parameter.Parameter"
        | "torch.nn.parameter.Buffer" => match made.args.first() {
            Some(inner) => {
                let told = made.args.get(1).and_then(|r| heap.bool(*r));
                let requires_grad = told.filter(|_| !by.ends_with("Buffer"));
                Ok(rebuilt(heap, *inner)?.map(|held| Stored {
                    requires_grad,
                    ..held
                }))
            }
            None => Err(format!("{by} of nothing")),
        },
        "torch._tensor._rebuild_from_type_v2" => {
            let function = made.args.first().and_then(|f| heap.global(*f));
            let plain = function.is_some_and(|f| f.starts_with("torch._utils._rebuild_tensor"));
            let args = made.args.get(2).and_then(|a| heap.members(*a));
            match args.filter(|_| plain) {
                Some(args) => view(heap, args, None),
                None => Err("a tensor of a class of its own".into()),
            }
        }
        "numpy.core.multiarray._reconstruct" | "numpy._core.multiarray._reconstruct" => {
            numpy(heap, made)
        }
        _ if by.starts_with("torch._utils._rebuild_") => Err(format!(
            "{by}: quantised, sparse and nested tensors are not read"
        )),
        _ => Ok(None),
    }
}

/// A tensor inside of a parameter, which is no parameter again.
fn rebuilt(heap: &Heap, id: Id) -> Found {
    match heap.get(id) {
        Value::Made(made)
            if heap
                .global(made.by)
                .is_some_and(|by| by.starts_with("torch._utils._rebuild_tensor")) =>
        {
            of(heap, id)
        }
        _ => Err("a parameter that is no plain tensor".into()),
    }
}

/// What a storage is: its dtype, key and number of elements, and where a view of it begins.
struct Storage<'a> {
    dtype: Option<DType>,
    key: &'a str,
    numel: usize,
    begins: usize,
}

fn storage(heap: &Heap, id: Id) -> Option<Storage<'_>> {
    let Value::Persistent(name) = heap.get(id) else {
        return None;
    };
    let [kind, class, key, _, numel, view @ ..] = heap.members(*name)? else {
        return None;
    };
    let begins = view.first().and_then(|v| heap.members(*v));
    let begins = begins.and_then(|v| heap.int(*v.get(1)?)).unwrap_or(0);
    (heap.text(*kind)? == "storage").then_some(())?;
    Some(Storage {
        dtype: dtype_named(&heap.global(*class)?),
        key: heap.text(*key)?,
        numel: usize::try_from(heap.int(*numel)?).ok()?,
        begins: usize::try_from(begins).ok()?,
    })
}

/// Elements of every storage that is named, and bytes of one, by key.
pub fn storages(heap: &Heap) -> HashMap<String, (usize, usize)> {
    let named = (0..heap.len()).filter_map(|id| storage(heap, id));
    let sized = named.map(|s| (s.key.to_string(), (s.numel, s.dtype.map_or(1, DType::size))));
    sized.collect()
}

/// (storage, offset, size, stride, …); `dtype` where it is not that of the storage.
fn view(heap: &Heap, args: &[Id], dtype: Option<Option<DType>>) -> Found {
    let [held, offset, shape, strides, ..] = args else {
        return Err("a tensor without storage, offset, size and stride".into());
    };
    let storage = storage(heap, *held).ok_or("a tensor whose storage is none")?;
    let dtype = dtype
        .unwrap_or(storage.dtype)
        .ok_or("a dtype that parity does not know")?;
    let numbers = |id: &Id| -> Option<Vec<usize>> {
        let all = heap.members(sizes(heap, *id))?.iter();
        all.map(|i| usize::try_from(heap.int(*i)?).ok()).collect()
    };
    let offset = heap.int(*offset).and_then(|o| usize::try_from(o).ok());
    let (Some(shape), Some(strides), Some(offset)) = (numbers(shape), numbers(strides), offset)
    else {
        return Err("a size, stride or offset that is no number from 0".into());
    };
    if shape.len() != strides.len() {
        return Err(format!(
            "{} sizes and {} strides",
            shape.len(),
            strides.len()
        ));
    }
    Ok(Some(Stored {
        dtype,
        shape,
        dict: String::new(),
        requires_grad: None,
        from: From::Storage {
            key: storage.key.into(),
            offset: offset.saturating_add(storage.begins),
            strides,
        },
    }))
}

/// The tuple that a torch.Size is made of.
fn sizes(heap: &Heap, id: Id) -> Id {
    match heap.get(id) {
        Value::Made(made) if heap.global(made.by).as_deref() == Some("torch.Size") => {
            made.args.first().copied().unwrap_or(id)
        }
        _ => id,
    }
}

/// (version, shape, dtype, in Fortran's order, elements).
fn numpy(heap: &Heap, made: &Made) -> Found {
    let state = made.state.and_then(|s| heap.members(s));
    let Some([_, shape, dtype, fortran, elements]) = state else {
        return Err("a numpy array without its state".into());
    };
    let shape = heap.members(*shape).map(|all| {
        let all = all.iter();
        all.map(|i| usize::try_from(heap.int(*i)?).ok())
            .collect::<Option<Vec<usize>>>()
    });
    let dtype = numpy_dtype(heap, *dtype)
        .ok_or("a numpy dtype that parity does not know, or big-endian")?;
    let (Some(Some(shape)), Some(bytes), Value::Bool(false)) =
        (shape, raw(heap, *elements), heap.get(*fortran))
    else {
        return Err("a numpy array in Fortran's order, or of objects".into());
    };
    match checked_numel(&shape)
        .ok()
        .and_then(|n| n.checked_mul(dtype.size()))
        == Some(bytes.len())
    {
        true => Ok(Some(Stored {
            dtype,
            shape,
            dict: String::new(),
            requires_grad: None,
            from: From::Inline(bytes),
        })),
        false => Err(format!(
            "a numpy array of {} bytes, which are not those of {shape:?}",
            bytes.len()
        )),
    }
}

fn numpy_dtype(heap: &Heap, id: Id) -> Option<DType> {
    let Value::Made(made) = heap.get(id) else {
        return None;
    };
    (heap.global(made.by)? == "numpy.dtype").then_some(())?;
    let state = made.state.and_then(|s| heap.members(s));
    let order = state.and_then(|s| heap.text(*s.get(1)?)).unwrap_or("|");
    Some(match (heap.text(*made.args.first()?)?, order) {
        (_, ">") => return None,
        ("f2", _) => DType::F16,
        ("f4", _) => DType::F32,
        ("f8", _) => DType::F64,
        ("i1", _) => DType::I8,
        ("i2", _) => DType::I16,
        ("i4", _) => DType::I32,
        ("i8", _) => DType::I64,
        ("u1", _) => DType::U8,
        ("b1", _) => DType::Bool,
        _ => return None,
    })
}

/// Bytes, or those that Python 2 knew as text: `_codecs.encode(text, "latin1")`.
fn raw(heap: &Heap, id: Id) -> Option<Vec<u8>> {
    match heap.get(id) {
        Value::Bytes(bytes) => Some(bytes.clone()),
        Value::Made(made) if heap.global(made.by)? == "_codecs.encode" => {
            let text = heap.text(*made.args.first()?)?;
            text.chars()
                .map(|c| u8::try_from(u32::from(c)).ok())
                .collect()
        }
        _ => None,
    }
}

/// Of a class of storages, or of a dtype, of torch's.
fn dtype_named(name: &str) -> Option<DType> {
    Some(match name.rsplit('.').next()? {
        "FloatStorage" | "float32" => DType::F32,
        "DoubleStorage" | "float64" => DType::F64,
        "HalfStorage" | "float16" => DType::F16,
        "BFloat16Storage" | "bfloat16" => DType::BF16,
        "LongStorage" | "int64" => DType::I64,
        "IntStorage" | "int32" => DType::I32,
        "ShortStorage" | "int16" => DType::I16,
        "CharStorage" | "int8" => DType::I8,
        "ByteStorage" | "UntypedStorage" | "uint8" => DType::U8,
        "BoolStorage" | "bool" => DType::Bool,
        "uint16" => DType::U16,
        "uint32" => DType::U32,
        "uint64" => DType::U64,
        _ => return None,
    })
}

/// First byte and number of bytes of a storage of `size` bytes that a tensor reaches.
pub fn span(held: &Stored, offset: usize, strides: &[usize], size: u64) -> Result<(u64, u64)> {
    let width = held.dtype.size() as u64;
    let lies = || {
        let (shape, size) = (&held.shape, size / width);
        Error::usage(format!(
            "{shape:?} with strides {strides:?} from {offset} on reach beyond the {size} elements that are stored"
        ))
    };
    if held.shape.contains(&0) {
        return Ok((0, 0));
    }
    let steps = held.shape.iter().zip(strides);
    let mut reach = steps.map(|(d, s)| (*d as u64 - 1).checked_mul(*s as u64));
    let reach = reach
        .try_fold(1u64, |sum, step| sum.checked_add(step?))
        .ok_or_else(lies)?;
    let ends = reach
        .checked_add(offset as u64)
        .and_then(|end| end.checked_mul(width));
    match ends.is_some_and(|end| end <= size) {
        true => Ok((offset as u64 * width, reach * width)),
        false => Err(lies()),
    }
}

/// A tensor of the bytes from its first element on.
pub fn gathered(held: &Stored, strides: &[usize], bytes: &[u8]) -> Result<Tensor> {
    let width = held.dtype.size();
    let numel = checked_numel(&held.shape)?;
    let size = numel
        .checked_mul(width)
        .filter(|size| *size <= bytes.len().max(EXPANDED));
    let size = size.ok_or_else(|| {
        Error::usage(format!(
            "{:?} is one element many times, and would not fit into memory",
            held.shape
        ))
    })?;
    let mut all = Vec::with_capacity(size);
    let mut at = vec![0usize; held.shape.len()];
    for _ in 0..numel {
        let place: usize = at.iter().zip(strides).map(|(i, s)| i * s).sum();
        all.extend_from_slice(&bytes[place * width..(place + 1) * width]);
        for (i, size) in at.iter_mut().zip(&held.shape).rev() {
            *i += 1;
            if *i < *size {
                break;
            }
            *i = 0;
        }
    }
    Tensor::from_bytes(held.dtype, held.shape.clone(), &all)
}
