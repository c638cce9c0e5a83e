//! subject: who computes in a scenario; each kind has its own keys.

use super::subjects::{Abilities, SubjectKind};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Who computes: `subject` names the kind, beside the keys that it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "subject", rename_all = "lowercase", deny_unknown_fields)]
pub enum Subject {
    OnnxRuntime {
        /// Graph optimisation of the observed run; `disable` where not stated.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        optimisation: Option<Optimisation>,
    },
    Libtorch {},
    TorchScript(TorchScript),
    Recorded(Recorded),
    Kernel {
        /// Its name; the one that the model's metadata name where not stated.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kernel: Option<String>,
    },
    Simulated {
        /// Which of the healthy engines it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seed: Option<u64>,
    },
    Faulty(Faulty),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TorchScript {
    /// The file that torch.jit.save wrote.
    pub script: PathBuf,
    /// The model's inputs that it is given, in the order of its arguments, `NAME` or `NAME[FROM:TO]` of the last axis; all where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<Vec<String>>,
    /// Declared output -> place or key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The trace file.
    pub trace: PathBuf,
    /// Tensors that the trace calls differently: graph name -> trace name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
}

/// An engine with one named fault injected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Faulty {
    /// Where it wraps onnxruntime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimisation: Option<Optimisation>,
    /// The engine that it wraps.
    pub of: SubjectKind,
    /// A name from `parity list faults`.
    pub fault: String,
    /// The node to change.
    pub node: String,
    /// The number that the fault takes (a factor, a channel).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<f64>,
    /// Give the f64 shadow the same fault, to try the judge itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub and_shadow: bool,
}

impl Faulty {
    /// The engine without the fault.
    pub fn clean(&self) -> Subject {
        match self.of {
            SubjectKind::OnnxRuntime => Subject::OnnxRuntime {
                optimisation: self.optimisation,
            },
            // `check` lets nothing else be wrapped.
            _ => Subject::libtorch(),
        }
    }

    fn check(&self) -> Result<()> {
        if !self.of.row().abilities.any_graph {
            let said = "faulty wraps an engine: of = \"onnxruntime\" or \"libtorch\"";
            return Err(Error::usage(said));
        }
        if self.optimisation.is_some() && self.of != SubjectKind::OnnxRuntime {
            return Err(Error::usage("optimisation belongs to onnxruntime"));
        }
        Ok(())
    }
}

impl Subject {
    pub fn onnxruntime() -> Self {
        Self::OnnxRuntime { optimisation: None }
    }

    pub fn libtorch() -> Self {
        Self::Libtorch {}
    }

    pub fn recorded(trace: impl Into<PathBuf>) -> Self {
        Self::Recorded(Recorded {
            trace: trace.into(),
            rename: BTreeMap::new(),
        })
    }

    pub fn kind(&self) -> SubjectKind {
        match self {
            Self::OnnxRuntime { .. } => SubjectKind::OnnxRuntime,
            Self::Libtorch {} => SubjectKind::Libtorch,
            Self::TorchScript(_) => SubjectKind::TorchScript,
            Self::Recorded(_) => SubjectKind::Recorded,
            Self::Kernel { .. } => SubjectKind::Kernel,
            Self::Simulated { .. } => SubjectKind::Simulated,
            Self::Faulty(_) => SubjectKind::Faulty,
        }
    }

    /// Who really computes: what `faulty` wraps, or the subject itself.
    pub fn engine(&self) -> SubjectKind {
        self.fault().map_or(self.kind(), |f| f.of)
    }

    /// What that one is able to do.
    pub fn abilities(&self) -> Abilities {
        self.engine().row().abilities
    }

    /// The same without an injected fault.
    pub fn clean(&self) -> Self {
        self.fault().map_or_else(|| self.clone(), Faulty::clean)
    }

    pub fn fault(&self) -> Option<&Faulty> {
        match self {
            Self::Faulty(faulty) => Some(faulty),
            _ => None,
        }
    }

    pub fn script(&self) -> Option<&TorchScript> {
        match self {
            Self::TorchScript(script) => Some(script),
            _ => None,
        }
    }

    /// The file that it is read from, where there is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::TorchScript(s) => Some(&s.script),
            Self::Recorded(r) => Some(&r.trace),
            _ => None,
        }
    }

    pub fn file_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::TorchScript(s) => Some(&mut s.script),
            Self::Recorded(r) => Some(&mut r.trace),
            _ => None,
        }
    }

    /// What types cannot say.
    pub(super) fn check(&self) -> Result<()> {
        self.fault().map_or(Ok(()), Faulty::check)
    }
}

/// ONNX Runtime's graph optimisation level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Optimisation {
    #[default]
    Disable,
    Basic,
    Extended,
    All,
}
