//! source: one side: which parameters it lists, and the value of each, read when asked for.

use super::Param;
use super::attributes::Attributes;
use crate::error::Result;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Reads the value of a parameter; None where it is not kept.
pub type Read = Box<dyn Fn(&str) -> Result<Option<Tensor>>>;

/// One side of the comparison. Values are never held here: a comparison reads two at a time.
#[derive(Default)]
pub struct Source {
    pub list: Vec<Param>,
    /// What an ONNX file stores that is no weight of any layer.
    pub constants: Constants,
    /// What else its file holds and nobody reads, with the reason.
    pub left_out: Vec<String>,
    /// What modules (or nodes) are set to, by path.
    pub attributes: BTreeMap<String, Attributes>,
    /// None where a list is all there is.
    values: Option<Read>,
}

/// How many constants a file has, apart from its parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    pub tensors: u64,
    pub elements: u64,
}

impl Source {
    /// A list without values.
    pub fn listed(list: Vec<Param>) -> Self {
        Self {
            list,
            ..Self::default()
        }
    }

    /// A list whose values `read` gives.
    pub fn valued(list: Vec<Param>, read: Read) -> Self {
        Self {
            list,
            values: Some(read),
            ..Self::default()
        }
    }

    /// With what its modules are set to.
    pub fn set_to(self, attributes: BTreeMap<String, Attributes>) -> Self {
        Self { attributes, ..self }
    }

    /// With the constants that its file holds.
    pub fn beside(self, constants: Constants) -> Self {
        Self { constants, ..self }
    }

    /// With what its file holds besides and nobody reads.
    pub fn leaving(self, left_out: Vec<String>) -> Self {
        Self { left_out, ..self }
    }

    pub fn has_values(&self) -> bool {
        self.values.is_some()
    }

    /// The value of the parameter called `name`.
    pub fn value(&self, name: &str) -> Result<Option<Tensor>> {
        self.values.as_ref().map_or(Ok(None), |read| read(name))
    }
}
