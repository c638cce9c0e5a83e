//! trace: ordered named tensors of one subject, with where each came from and how far it may be off.

pub mod file;
mod input;
pub mod record;
pub mod write;

pub use input::InputRecord;

use crate::floor::noise::Floor;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that is written. Every older one is read: 1 said nothing of versions, threads and seed.
pub const FORMAT: u32 = 2;

/// What a trace file says besides the tensors, under the key `parity.trace` of its safetensors metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Version of this format: [`FORMAT`], or an older one.
    pub format: u32,
    /// Which subject computed it, with versions.
    pub subject: String,
    /// The command that wrote it.
    pub command: String,
    /// Versions of what computed it, by name (`torch`, `onnxruntime`); since format 2.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, String>,
    /// Threads of the engine; since format 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Seed of what was drawn; since format 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// SHA-256 of each input fed, by input name.
    pub inputs: BTreeMap<String, String>,
    /// Tensors in the order in which they were computed.
    pub tensors: IndexMap<String, Entry>,
}

/// One tensor of a trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Node (or module) that produced it.
    pub node: String,
    pub op: String,
    /// Names of the tensors it was computed from.
    pub inputs: Vec<String>,
    /// Accumulated rounding noise, where the recording run measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Floor>,
}
