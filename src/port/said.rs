//! said: what a worker answers, as data.

use crate::tensor::DType;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the protocol that is spoken here.
pub const PROTOCOL: u32 = 1;

/// Who answers, and what it can be asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    pub protocol: u32,
    /// Package that computes (`torch`, `numpy`).
    pub framework: String,
    /// Of the framework and whatever else decides numbers, by name.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// Class of the network.
    #[serde(default)]
    pub class: String,
    #[serde(default)]
    pub abilities: Vec<Ability>,
    /// Why an ability is not among them, where that was tried.
    #[serde(default)]
    pub lacks: BTreeMap<Ability, String>,
    /// Names of the exporters that write it as ONNX.
    #[serde(default)]
    pub exporters: Vec<String>,
    /// Inputs of the network, as far as they are known.
    #[serde(default)]
    pub inputs: Vec<Declared>,
}

impl Hello {
    pub fn can(&self, ability: Ability) -> bool {
        self.abilities.contains(&ability)
    }
}

/// What a worker may be able to do besides the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    /// It has example inputs.
    Inputs,
    /// It has example targets for its losses.
    Targets,
    /// It computes in f64, and has proved it.
    F64,
    /// It measures how far a correct port may be off.
    Floors,
    /// It runs a module alone.
    Isolation,
    /// Gradients of the losses, by parameters and activations.
    Gradients,
    Losses,
    Assign,
    /// It has an optimiser.
    Optimizer,
    /// It says what its training starts from.
    State,
    /// It trains for one step from any such state.
    Step,
    Preprocess,
    Postprocess,
    /// It writes the network as ONNX, with the exporters that it names.
    Export,
}

impl Ability {
    /// As the protocol spells it.
    pub fn name(self) -> &'static str {
        match self {
            Ability::Inputs => "inputs",
            Ability::Targets => "targets",
            Ability::F64 => "f64",
            Ability::Floors => "floors",
            Ability::Isolation => "isolation",
            Ability::Gradients => "gradients",
            Ability::Losses => "losses",
            Ability::Assign => "assign",
            Ability::Optimizer => "optimizer",
            Ability::State => "state",
            Ability::Step => "step",
            Ability::Preprocess => "preprocess",
            Ability::Postprocess => "postprocess",
            Ability::Export => "export",
        }
    }
}

/// An input of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    pub name: String,
    pub dtype: Option<DType>,
    pub shape: Option<Vec<Axis>>,
}

/// A size, or the name of an axis whose size is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Axis {
    Size(usize),
    Open(String),
}

/// What became of values that the network was to take over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loaded {
    pub loaded: Vec<String>,
    /// Names that the network does not have.
    pub unknown: Vec<String>,
    /// Of another dtype or shape: left as they were.
    pub unlike: Vec<Unlike>,
}

impl Loaded {
    /// Whether it says what became of `name`.
    pub(super) fn tells(&self, name: &str) -> bool {
        let mut all = self.loaded.iter().chain(&self.unknown);
        all.any(|n| n == name) || self.unlike.iter().any(|u| u.name == name)
    }
}

/// A value that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlike {
    pub name: String,
    pub held: String,
    pub given: String,
}

/// What an ask answers that is told by its file alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Done {}

/// One line of a worker.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub id: u64,
    pub ok: Option<serde_json::Value>,
    pub error: Option<String>,
}
