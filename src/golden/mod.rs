//! golden: what a subject computed once, reviewed and kept: small tensors whole, large ones as a sketch, with everything needed to
//! make it again. docs/GOLDEN.md has the format.

pub mod difference;
pub mod estimate;
pub mod find;
pub mod manifest;
pub mod pack;
pub mod propose;
pub mod record;
pub mod sketch;
pub mod store;

use crate::graph::param::Param;
use crate::tensor::{DType, Tensor};
use crate::trace::Entry;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sketch::{Settings, Sketch};
use std::collections::BTreeMap;

/// Tensors of at most this many elements are kept whole unless the user says otherwise.
pub const FULL: usize = 4096;

/// A golden in memory; [`store`] reads and writes it.
#[derive(Clone, Debug)]
pub struct Golden {
    pub facts: Facts,
    pub settings: Settings,
    /// In the order in which they were recorded.
    pub tensors: IndexMap<String, Held>,
    /// None where the recording did not list them.
    pub parameters: Option<Vec<Param>>,
}

/// Where a golden comes from: what must be equal for it to be made again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The scenario it belongs to.
    pub scenario: String,
    /// Which subject computed it, with versions.
    pub subject: String,
    /// The command that made it.
    pub command: String,
    /// Version of each framework, by name.
    pub versions: BTreeMap<String, String>,
    pub threads: Option<usize>,
    pub seed: Option<u64>,
    /// SHA-256 of each input fed, by input name.
    pub inputs: BTreeMap<String, String>,
    pub model: Option<Model>,
}

/// Which weights were used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// Digest of the model file.
    Sha256(String),
    /// The rule that generates the weights, in words.
    Weights(String),
}

/// One tensor of a golden.
#[derive(Clone, Debug)]
pub struct Held {
    /// SHA-256 of the whole tensor's bytes (row-major, little-endian), however it is kept.
    pub sha256: String,
    pub value: Value,
    /// Producer, inputs and floor, where the recording says.
    pub entry: Option<Entry>,
}

/// How a tensor is kept.
#[derive(Clone, Debug)]
pub enum Value {
    Full(Tensor),
    Sketch(Sketch),
}

impl Value {
    pub fn dtype(&self) -> DType {
        match self {
            Value::Full(t) => t.dtype(),
            Value::Sketch(s) => s.dtype,
        }
    }

    pub fn shape(&self) -> &[usize] {
        match self {
            Value::Full(t) => t.shape(),
            Value::Sketch(s) => &s.shape,
        }
    }

    /// The word of the manifest.
    pub fn stored(&self) -> &'static str {
        match self {
            Value::Full(_) => "full",
            Value::Sketch(_) => "sketch",
        }
    }
}
