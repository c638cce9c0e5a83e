//! checkpoint: what a file of PyTorch's (`torch.save`, Lightning, ultralytics, mmengine, TorchScript) holds, read as data: nothing in it is ever called.

mod archive;
mod arrays;
pub mod optimizer;
mod pickle;
mod tree;

use crate::error::{Place, Result};
use crate::tensor::{DType, Tensor};
use archive::Archive;
use indexmap::IndexMap;
use std::path::Path;

pub use archive::is_one;

/// Tensors by their path in what was saved, and what else there is.
pub struct Checkpoint {
    tensors: IndexMap<String, Stored>,
    /// Numbers and texts by their path: what an optimiser is set to, the epoch, attributes of a module that was pickled whole.
    pub scalars: IndexMap<String, Scalar>,
    /// What is no tensor, number or text, by its path: its class, or why it could not be read.
    pub omitted: IndexMap<String, String>,
    archive: Archive,
}

/// A number or a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

/// A tensor as a view of a storage.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub dtype: DType,
    pub shape: Vec<usize>,
    /// Path of the dict, or of the pickled module, that it belongs to: what its own path begins with.
    pub dict: String,
    /// Of what was saved as a parameter: whether a gradient is asked of it. A `state_dict` does not say.
    pub requires_grad: Option<bool>,
    from: From,
}

#[derive(Clone, Debug, PartialEq)]
enum From {
    /// Elements of a storage, by its key.
    Storage {
        key: String,
        offset: usize,
        strides: Vec<usize>,
    },
    /// Bytes in the pickle itself, row-major, little-endian.
    Inline(Vec<u8>),
}

/// # Errors
/// No such file; one of another kind, cut short, or that contradicts itself.
pub fn open(path: &Path) -> Result<Checkpoint> {
    let (archive, heap, root) = archive::open(path).at(format!("checkpoint {}", path.display()))?;
    let found = tree::walk(&heap, root);
    Ok(Checkpoint {
        tensors: found.tensors,
        scalars: found.scalars,
        omitted: found.omitted,
        archive,
    })
}

impl Checkpoint {
    /// Every tensor by its path, in the order of the file.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Stored)> {
        let all = self.tensors.iter();
        all.map(|(name, held)| (name.as_str(), held))
    }

    /// What a tensor holds; None where there is no such path.
    ///
    /// # Errors
    /// The file does not hold all of it.
    pub fn tensor(&self, path: &str) -> Result<Option<Tensor>> {
        let held = self.tensors.get(path);
        held.map(|held| self.archive.tensor(held).at(format!("'{path}'")))
            .transpose()
    }

    /// Path of the dict that holds the model's parameters: the first of those that hold most elements, optimisers left out.
    #[must_use]
    pub fn model(&self) -> &str {
        let mut sizes: IndexMap<&str, u128> = IndexMap::new();
        let is_model = |dict: &str| !dict.split('.').any(|part| part.starts_with("optimizer"));
        for held in self.tensors.values().filter(|held| is_model(&held.dict)) {
            let elements = held.shape.iter().map(|d| *d as u128).product::<u128>();
            *sizes.entry(&held.dict).or_default() += elements;
        }
        let most = sizes.values().max().copied();
        let found = sizes.iter().find(|s| Some(*s.1) == most);
        found.map_or("", |s| *s.0)
    }
}
