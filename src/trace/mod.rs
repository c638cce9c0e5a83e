//! trace: ordered named tensors of one subject, with where each came from and how far it may be off.

pub mod file;
mod input;
pub mod program;
pub mod record;
pub mod write;

pub use input::InputRecord;

use crate::floor::noise::Floor;
use indexmap::IndexMap;
use program::{Call, Loss, Module};
use serde::{Deserialize, Serialize};
use serde_json::Value;
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
    /// Modules of the program, by path; the root's is empty. This and what follows: since format 2, where a recorder can tell.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub modules: IndexMap<String, Module>,
    /// Calls of modules, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
    /// Switches of the framework that decide numbers, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, Value>,
    /// Other names of a parameter, each with the one under which it is listed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tied: BTreeMap<String, String>,
    /// Tensors that were handed on as they were given, not as they were computed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replayed: Vec<String>,
    /// Tensors that were drawn at random, as far as the recorder can tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drawn: Vec<String>,
    /// Tensors that could not be recorded, with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<String, String>,
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
    /// File and line of the call that made it; since format 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Accumulated rounding noise, where the recording run measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Floor>,
    /// Why it has no floor although the recording run was to measure one; since format 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_floor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `parity_port` writes of a module, its call and a loss.
    const RECORDED: &str = r#"{
        "format": 2, "subject": "pytorch 2.13.0", "command": "python step.py", "inputs": {},
        "tensors": {"x": {"node": "x", "op": "Input", "inputs": []},
            "stem.add()": {"node": "stem.add()", "op": "add", "inputs": ["x"], "at": "net.py:12", "no_floor": "not finite in a run"}},
        "modules": {"stem": {"class": "net.Stem", "hyper": {"eps": 1e-5, "kernel_size": [3, 3], "act": "silu", "bound": "inf"},
            "source": "net.py:10", "training": true}},
        "calls": [{"module": "stem", "inputs": ["x", null], "kwargs": {"mask": null}, "outputs": ["stem"], "at": "net.py:30"}],
        "losses": [{"term": "iou", "steps": [{"step": "per_element", "tensor": "loss.iou.per_element"}, {"step": "value", "tensor": "loss.iou"}]}],
        "flags": {"deterministic_algorithms": false, "float32_matmul_precision": "highest"},
        "tied": {"head.weight": "stem.weight"},
        "missing": {"fft": "complex64 has no place in a trace"}
    }"#;

    #[test]
    fn what_a_recorder_says_of_its_program_comes_back_as_it_was() {
        let header: Header = serde_json::from_str(RECORDED).unwrap();
        let (written, read) = (
            serde_json::to_value(&header),
            serde_json::from_str::<Value>(RECORDED),
        );
        assert_eq!(written.unwrap(), read.unwrap(), "a key is lost or added");
    }

    #[test]
    fn a_step_of_a_loss_that_is_none_is_refused() {
        let other = RECORDED.replace("per_element\"", "per_pixel\"");
        let e = serde_json::from_str::<Header>(&other)
            .unwrap_err()
            .to_string();
        assert!(e.contains("per_pixel") && e.contains("normaliser"), "{e}");
    }

    /// Written by the snippets of docs/RECORD.md.
    #[test]
    fn what_parity_port_writes_is_understood() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/recorder/network.safetensors"
        );
        let opened = file::open(std::path::Path::new(path)).unwrap();
        assert_eq!(opened.ordered(), ["input", "0", "1", "2", "output"]);
        let weight = opened.parameter_value("2.weight").unwrap().unwrap();
        assert_eq!(weight.shape(), [2, 8]);
        let header = opened.header.as_ref().unwrap();
        let paths: Vec<&str> = header.calls.iter().map(|c| c.module.as_str()).collect();
        assert_eq!(paths, ["", "0", "1", "2"]);
        assert_eq!(
            header.modules["1"].class,
            "torch.nn.modules.activation.GELU"
        );
        assert_eq!(header.modules["2"].hyper["in_features"], 8);
        for (name, entry) in &header.tensors {
            let tensor = opened.tensor(name).unwrap().unwrap();
            assert!(entry.floor.as_ref().unwrap().fits(&tensor), "{name}");
        }
    }
}
