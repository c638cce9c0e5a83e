//! stage: the stages of a port behind its activations, judged: assignment, loss, gradients. Pure: named tensors in, findings out.

pub mod assign;
pub mod golden;
pub mod grad;
pub mod loss;
pub mod lost;
pub mod regions;
pub mod unused;
mod verdicts;

pub use verdicts::verdicts;

use crate::scenario::Stage;
use crate::verdict::Outcome;
use serde::{Deserialize, Serialize};

/// What one stage found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageVerdict {
    pub stage: Stage,
    pub outcome: Outcome,
    /// The first thing that diverges: a node, a tensor, a parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// The loss term that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
    /// The facts, one line each; the first is the headline.
    pub says: Vec<String>,
}

/// What the stages behind the activations found; None for one that did not run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stages {
    /// How many of how many inputs are known to be the same on both sides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<(usize, usize)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<crate::params::Difference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub golden: Option<golden::Report>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assign: Option<assign::Report>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<loss::Report>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grad: Vec<grad::Report>,
}

impl StageVerdict {
    /// A stage in which nothing differs.
    pub fn agree(stage: Stage, says: String) -> Self {
        Self {
            stage,
            outcome: Outcome::Agree,
            first: None,
            term: None,
            says: vec![says],
        }
    }

    /// A stage of which nothing could be compared.
    pub fn nothing(stage: Stage, reason: String) -> Self {
        Self {
            stage,
            outcome: Outcome::Nothing,
            first: None,
            term: None,
            says: vec![reason],
        }
    }
}
