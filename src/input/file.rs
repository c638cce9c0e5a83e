//! file: an input tensor from a `.npy` or `.safetensors` file.

use crate::error::{Error, Result, hint};
use crate::tensor::Tensor;
use crate::trace::file as trace_file;
use npyz::{DType as NpyType, NpyFile, Order};
use std::path::Path;

/// The tensor at `path`; `name` is looked up in a safetensors file.
pub fn load(path: &Path, name: &str) -> Result<Tensor> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("npy") => npy(path),
        Some("safetensors") => {
            let open = trace_file::open(path)?;
            open.tensor(name)?.ok_or_else(|| {
                let next = format!("{}state tensor = \"...\"", hint(name, open.names()));
                Error::usage(format!("{} holds no tensor '{name}'", path.display())).next(next)
            })
        }
        _ => Err(Error::usage(format!("{}: neither .npy nor .safetensors", path.display()))),
    }
}

fn npy(path: &Path) -> Result<Tensor> {
    let fail = |e: &dyn std::fmt::Display| Error::usage(format!("{}: {e}", path.display()));
    let bytes = std::fs::read(path).map_err(|e| fail(&e))?;
    if is_nested(&bytes) {
        return Err(fail(&"the header nests brackets: a structured dtype, or no array").next("save one array of plain numbers"));
    }
    let file = NpyFile::new(&bytes[..]).map_err(|e| fail(&e))?;
    if file.order() == Order::Fortran && file.shape().len() > 1 {
        return Err(fail(&"column-major array").next("save numpy.ascontiguousarray(x)"));
    }
    let shape: Vec<usize> = file.shape().iter().map(|d| *d as usize).collect();
    let NpyType::Plain(kind) = file.dtype() else { return Err(fail(&"structured dtype")) };
    macro_rules! read {
        ($t:ty) => {
            Tensor::of::<$t>(&shape, &file.into_vec::<$t>().map_err(|e| fail(&e))?)
        };
    }
    Ok(match kind.to_string().trim_start_matches(['<', '|', '=']) {
        "f8" => read!(f64),
        "f4" => read!(f32),
        "i8" => read!(i64),
        "i4" => read!(i32),
        "i2" => read!(i16),
        "i1" => read!(i8),
        "u8" => read!(u64),
        "u4" => read!(u32),
        "u2" => read!(u16),
        "u1" => read!(u8),
        "b1" => {
            let values = file.into_vec::<bool>().map_err(|e| fail(&e))?;
            Tensor::from_bytes(crate::tensor::DType::Bool, shape, &values.iter().map(|b| u8::from(*b)).collect::<Vec<_>>())?
        }
        other => return Err(fail(&format!("dtype {other} is not supported"))),
    })
}

/// Whether the header nests deeper than a dictionary with a shape in it: npyz takes time that doubles with every bracket.
fn is_nested(bytes: &[u8]) -> bool {
    let header = bytes.iter().skip_while(|b| **b != b'{').take_while(|b| **b != b'\n');
    let depths = header.scan(0i64, |depth, b| {
        *depth += i64::from(b"([{".contains(b)) - i64::from(b")]}".contains(b));
        Some(*depth)
    });
    depths.max().is_some_and(|deepest| deepest > 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use npyz::WriterBuilder;

    #[test]
    fn an_npy_file_keeps_dtype_and_shape() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::new().default_dtype().shape(&[2, 1]).writer(&mut bytes).begin_nd().unwrap();
        writer.extend([3i64, -1]).unwrap();
        writer.finish().unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let t = load(&path, "x").unwrap();
        assert_eq!((t.shape(), t.values::<i64>().unwrap()), (&[2, 1][..], &[3, -1][..]));
        std::fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
        assert!(load(&path, "x").is_err());
    }

    #[test]
    fn a_header_of_nested_brackets_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let header = |descr: &str| format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}\n");
        for (descr, refused) in [("'<f4'".to_string(), false), (format!("{}'<f4'{}", "[".repeat(60), "]".repeat(60)), true)] {
            let text = header(&descr);
            let bytes = [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), &1f32.to_le_bytes()].concat();
            std::fs::write(&path, bytes).unwrap();
            match load(&path, "x") {
                Ok(t) => assert!(!refused && t.to_f64() == [1.0], "{descr}: {t:?}"),
                Err(e) => assert!(refused && e.to_string().contains("nests brackets"), "{descr}: {e}"),
            }
        }
    }
}
