//! subject: who computes in a scenario.

use super::subjects::{Abilities, SubjectKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Who computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// A name from `parity list subjects`.
    pub subject: SubjectKind,
    /// ONNX Runtime's graph optimisation of the observed run; `disable` where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimisation: Option<Optimisation>,
    /// `recorded`: the trace file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<PathBuf>,
    /// `torchscript`: the file that torch.jit.save wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<PathBuf>,
    /// `torchscript`: the model's inputs that it is given, in the order of its arguments, `NAME` or `NAME[FROM:TO]` of the last axis; all where
    /// not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<Vec<String>>,
    /// `recorded`: tensors that the trace calls differently: graph name -> trace name. `torchscript`: declared output -> place or key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// `kernel`: its name; the one that the model's metadata name where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// `simulated`: which of the healthy engines it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// `faulty`: the subject that it wraps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<SubjectKind>,
    /// `faulty`: a name from `parity list faults`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// `faulty`: the node to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `faulty`: the number that the fault takes (a factor, a channel).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<f64>,
    /// `faulty`: give the f64 shadow the same fault, to try the judge itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub and_shadow: bool,
}

impl Subject {
    pub fn of(subject: SubjectKind) -> Self {
        Self {
            subject,
            optimisation: None,
            trace: None,
            script: None,
            takes: None,
            rename: BTreeMap::new(),
            kernel: None,
            seed: None,
            of: None,
            fault: None,
            node: None,
            amount: None,
            and_shadow: false,
        }
    }

    /// Who really computes: what `faulty` wraps, or the subject itself.
    pub fn engine(&self) -> SubjectKind {
        self.of.unwrap_or(self.subject)
    }

    /// What that one is able to do.
    pub fn abilities(&self) -> Abilities {
        self.engine().row().abilities
    }
}

/// ONNX Runtime's graph optimisation level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimisation {
    #[default]
    Disable,
    Basic,
    Extended,
    All,
}
