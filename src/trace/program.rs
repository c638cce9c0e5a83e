//! program: what a recorder says of the program behind a trace: its modules, their calls, its losses.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A module of the recorded program: enough to build it anew with its parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// Full name of its class (`torch.nn.modules.conv.Conv2d`).
    pub class: String,
    /// Its attributes that are plain data, such as `kernel_size`, `eps` or `momentum`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hyper: BTreeMap<String, Value>,
    /// File and line of its class's `forward`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether it was in training mode.
    pub training: bool,
}

/// One call of a module. What is no tensor, or could not be recorded, is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Path of the module.
    pub module: String,
    /// Tensors of its positional arguments, as they were before it ran.
    pub inputs: Vec<Option<String>>,
    /// Tensors of its arguments by keyword.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub kwargs: IndexMap<String, Option<String>>,
    pub outputs: Vec<Option<String>>,
    /// File and line of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// How one term of a loss was computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    pub term: String,
    /// In the order in which they were computed.
    pub steps: Vec<LossStep>,
}

/// One step of a term.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossStep {
    pub step: StepOfLoss,
    pub tensor: String,
}

/// What a step of a loss computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOfLoss {
    PerElement,
    Weight,
    Product,
    Sum,
    Normaliser,
    /// The term itself.
    Value,
}
