//! verdict: what all comparisons together say: where it first diverges, every origin, and what was not compared.

mod decide;
mod ledger;

pub use decide::{Ancestry, decide};
pub use ledger::{Ledger, ledger};

use crate::compare::{Comparison, json};
use crate::floor::bound::{Bounded, DetectionLimit};
use crate::scenario::Optimisation;
use crate::stage::StageVerdict;
use crate::tensor::DType;
use serde::{Deserialize, Serialize};

/// Which side is off at an origin.
///
/// The shadow shares code with libtorch: where libtorch and the shadow agree against ONNX Runtime, one opinion stands against
/// one, and that is what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Reference,
    Candidate,
    /// The reference, or the candidate and the shadow alike (they share code).
    ReferenceOrShadow,
    /// The candidate, or the reference and the shadow alike (they share code).
    CandidateOrShadow,
    /// Neither is within its bound of the shadow.
    Both,
    /// There is no shadow to ask.
    Unknown,
}

impl Side {
    /// As a sentence's subject.
    pub fn say(self) -> &'static str {
        match self {
            Side::Reference => "the reference",
            Side::Candidate => "the candidate",
            Side::ReferenceOrShadow => "the reference, or the candidate and its f64 shadow alike",
            Side::CandidateOrShadow => "the candidate, or the reference and its f64 shadow alike",
            Side::Both => "both sides",
            Side::Unknown => "one side (no shadow to tell which)",
        }
    }
}

/// One tensor of the reference's graph, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorResult {
    pub name: String,
    /// The node that produces it.
    pub node: String,
    pub op: String,
    /// Index of the node in executable order.
    pub step: usize,
    pub dtype: Option<DType>,
    pub shape: Vec<usize>,
    /// Multiply-accumulates of the node that produces it; counted on its first output.
    pub macs: u64,
    /// Candidate against reference, each on its own upstream values.
    pub accumulated: Accumulated,
    /// The node alone, fed the reference's recorded values.
    pub isolated: Isolated,
    /// Set where a subject did not repeat its own bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_noise: Option<String>,
}

/// Outcome of the comparison of both subjects' own values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accumulated {
    /// Compared with a tolerance.
    Compared {
        comparison: Comparison,
        /// Error / tolerance; over 1 diverges.
        #[serde(with = "json")]
        ratio: f64,
        by: ToleranceBy,
    },
    /// Decisions that differ although every input agrees: both sides of a tie.
    TieFlip {
        flips: u64,
        of: u64,
        #[serde(with = "json")]
        margin: f64,
    },
    Abstained {
        reason: String,
    },
}

/// What the accumulated error was held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToleranceBy {
    /// Within one node's own rounding: no noise run was needed.
    Rounding,
    /// The Monte Carlo spread times R.
    Noise { runs: u32 },
    /// Equal bits demanded.
    Exact,
    /// The user's own tolerance.
    Stated,
    /// Nothing: the metrics alone were asked for.
    Unjudged,
}

/// Outcome of the node alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolated {
    /// Held against γ·√K·u·S around the shadow.
    Bounded {
        family: crate::floor::Family,
        terms: usize,
        bounded: Bounded,
        side: Option<Side>,
    },
    /// Every bit is decided by the inputs.
    Exact {
        comparison: Comparison,
        side: Option<Side>,
    },
    /// Held against the user's own tolerance.
    Stated {
        comparison: Comparison,
        #[serde(with = "json")]
        ratio: f64,
    },
    /// A decision that differs where the f64 margin is 0 (or below what rounding of one node can be).
    TieFlip {
        flips: u64,
        of: u64,
        #[serde(with = "json")]
        margin: f64,
    },
    /// A decision that differs although the inputs do not tie.
    RuleDifference {
        comparison: Comparison,
        #[serde(with = "json")]
        margin: f64,
        side: Option<Side>,
    },
    Abstained {
        reason: String,
    },
}

impl Isolated {
    /// Whether the node itself is at fault.
    pub fn over(&self) -> bool {
        match self {
            Isolated::Bounded { bounded, .. } => bounded.failing > 0,
            Isolated::Exact { comparison, .. } => !comparison.identical(),
            Isolated::Stated { ratio, .. } => *ratio > 1.0,
            Isolated::RuleDifference { .. } => true,
            Isolated::TieFlip { .. } | Isolated::Abstained { .. } => false,
        }
    }

    pub fn compared(&self) -> bool {
        !matches!(self, Isolated::Abstained { .. })
    }

    /// Whether something on the way was more than the dtype holds.
    pub fn overflows(&self) -> bool {
        matches!(self, Isolated::Bounded { bounded, .. } if bounded.overflowed > 0)
    }

    pub fn side(&self) -> Option<Side> {
        match self {
            Isolated::Bounded { side, .. } | Isolated::Exact { side, .. } | Isolated::RuleDifference { side, .. } => *side,
            Isolated::Stated { .. } => Some(Side::Unknown),
            Isolated::TieFlip { .. } | Isolated::Abstained { .. } => None,
        }
    }

    pub fn limit(&self) -> Option<DetectionLimit> {
        match self {
            Isolated::Bounded { bounded, .. } => bounded.limit,
            Isolated::Exact { .. }
            | Isolated::Stated { .. }
            | Isolated::TieFlip { .. }
            | Isolated::RuleDifference { .. }
            | Isolated::Abstained { .. } => None,
        }
    }
}

impl Accumulated {
    pub fn over(&self) -> bool {
        match self {
            Accumulated::Compared { ratio, .. } => *ratio > 1.0 || ratio.is_nan(),
            Accumulated::TieFlip { .. } | Accumulated::Abstained { .. } => false,
        }
    }

    pub fn compared(&self) -> bool {
        !matches!(self, Accumulated::Abstained { .. } | Accumulated::Compared { by: ToleranceBy::Unjudged, .. })
    }

    /// Error / tolerance, where there is one.
    pub fn ratio(&self) -> Option<f64> {
        match self {
            Accumulated::Compared { ratio, .. } => Some(*ratio),
            Accumulated::TieFlip { .. } | Accumulated::Abstained { .. } => None,
        }
    }
}

/// A declared output of the un-observed run against the same subject's observed one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unobserved {
    pub subject: String,
    pub name: String,
    pub comparison: Comparison,
    #[serde(with = "json")]
    pub ratio: f64,
    /// None where the tensor was not judged.
    pub abstained: Option<String>,
    /// What in the optimised session makes it differ, where that could be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// What an optimised session does otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The lowest level of optimisation at which it differs.
    pub level: Optimisation,
    /// The fewest optimisers that must be left out for it to agree; empty where leaving them out does not help.
    pub optimisers: Vec<String>,
    /// The smallest region that is treated as one: observing a tensor inside it ends the difference.
    pub nodes: Vec<String>,
    /// Tensors that go into the region, and those that come out of it.
    pub from: Vec<String>,
    pub to: Vec<String>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub outcome: Outcome,
    /// Every place that is at fault by itself, in the order of the reference's file.
    pub origins: Vec<Origin>,
    /// Tensors whose accumulated error is over although no node is at fault: first, and the node that amplifies most.
    pub drift: Option<Drift>,
    /// Tensors over their tolerance whose own fault could not be tested.
    pub untested: Vec<String>,
    /// Outputs that diverge only when nothing is observed.
    pub only_unobserved: Vec<Unobserved>,
    /// Inputs that differ between the recording and this run.
    pub input_mismatch: Vec<String>,
    pub tie_flips: u64,
    /// One verdict per stage that was asked for, in the order a port breaks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageVerdict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Agree,
    Diverge,
    /// Nothing was compared.
    Nothing,
}

/// A node at fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    pub node: String,
    pub op: String,
    pub tensor: String,
    pub step: usize,
    /// No other origin among its ancestors.
    pub independent: bool,
    pub side: Side,
}

/// Accumulated error without an origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    pub first: String,
    pub tensors: usize,
    /// The node with the largest growth of error / floor from its inputs to its output.
    pub amplifier: String,
    #[serde(with = "json")]
    pub amplification: f64,
}

impl TensorResult {
    /// The candidate's shape, where it is not the reference's.
    pub fn candidate_shape(&self) -> Option<Vec<usize>> {
        match &self.accumulated {
            Accumulated::Compared { comparison: Comparison::Attributes(a), .. } => a.shape.as_ref().map(|(_, c)| c.clone()),
            Accumulated::Compared { .. } | Accumulated::TieFlip { .. } | Accumulated::Abstained { .. } => None,
        }
    }
}

impl Verdict {
    /// Takes over what the stages found: one that diverges makes the whole diverge.
    pub fn conclude(&mut self, stages: Vec<StageVerdict>) {
        if stages.iter().any(|s| s.outcome == Outcome::Diverge) {
            self.outcome = Outcome::Diverge;
        }
        self.stages = stages;
    }

    /// The first stage that diverges.
    pub fn stage(&self) -> Option<&StageVerdict> {
        self.stages.iter().find(|s| s.outcome == Outcome::Diverge)
    }

    /// The first place that diverges: an origin, else what is untested, else drift, else an un-observed output.
    pub fn first(&self) -> Option<&str> {
        let origin = self.origins.first().map(|o| o.node.as_str());
        origin
            .or(self.untested.first().map(String::as_str))
            .or(self.drift.as_ref().map(|d| d.first.as_str()))
            .or(self.only_unobserved.first().map(|u| u.name.as_str()))
            .or(self.stage().and_then(|s| s.first.as_deref()))
    }
}
