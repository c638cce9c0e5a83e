//! file: an input tensor from a `.npy` or `.safetensors` file.

use super::npy;
use crate::error::{Error, Result, hint};
use crate::tensor::Tensor;
use crate::trace::file as trace_file;
use std::path::Path;

/// The tensor at `path`; `name` is looked up in a safetensors file.
pub fn load(path: &Path, name: &str) -> Result<Tensor> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("npy") => npy::load(path),
        Some("safetensors") => {
            let open = trace_file::open(path)?;
            open.tensor(name)?.ok_or_else(|| {
                let next = format!("{}state tensor = \"...\"", hint(name, open.names()));
                Error::usage(format!("{} holds no tensor '{name}'", path.display())).next(next)
            })
        }
        Some("npz") => Err(
            Error::usage(format!("{}: .npz is a folder of arrays", path.display()))
                .next("save the one array by numpy.save"),
        ),
        _ => Err(Error::usage(format!(
            "{}: neither .npy nor .safetensors",
            path.display()
        ))),
    }
}
