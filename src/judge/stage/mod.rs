//! stage: the stages of a port behind its activations, judged: assignment, loss, gradients. Pure: named tensors in, findings out.

pub mod assign;
mod assigned;
pub mod golden;
pub mod grad;
pub mod loss;
pub mod regions;
pub mod swaps;
pub mod train;
mod verdicts;

pub use verdicts::{lost_or_other, other_assignment, verdicts};

use serde::{Deserialize, Serialize};

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<train::Report>,
    /// What is another convention and no fault, and what a kernel could not be asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<crate::verdict::Finding>,
}
