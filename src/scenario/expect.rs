//! expect: which difference a scenario accepts, and what makes its run a pass.

use super::Side;
use super::Stage;
use serde::{Deserialize, Serialize};

/// Where the accepted difference comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// `floor` (default): derived from the operators and the network; nothing to guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ToleranceKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atol: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtol: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ulp: Option<u64>,
    /// Why a tolerance was chosen by hand; required unless it is `floor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Tolerance {
    /// Whether it is derived, which takes the f64 shadow.
    pub fn is_floor(&self) -> bool {
        self.kind.is_none_or(|k| k == ToleranceKind::Floor)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToleranceKind {
    Floor,
    Flat,
    Ulp,
    Exact,
}

/// What makes the run a pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    #[serde(default)]
    pub verdict: Expected,
    /// The node at which it must diverge first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Further places that diverge by themselves; what descends from an expected place is expected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Outputs that may be all NaN, all zero or all equal on both sides (`*` stands for any text).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dead: Vec<String>,
    /// The side that must be off there: `reference`, `candidate`, or `reference_or_shadow`, `candidate_or_shadow` where the
    /// shadow's word may not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// The stage in which it must diverge first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The loss term that must diverge there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
    /// The cause that must explain the first place (`parity list causes`); of two at once "ONE + OTHER".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Share of the tensors that must have been compared.
    #[serde(default = "full_coverage")]
    pub coverage: f64,
    /// Tensors that need not be compared (`*` stands for any text).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub abstain: Vec<String>,
    /// `allow` (default) or `fail`.
    #[serde(default)]
    pub tie_flips: TieFlips,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            verdict: Expected::Agree,
            first: None,
            also: Vec::new(),
            dead: Vec::new(),
            side: None,
            stage: None,
            term: None,
            cause: None,
            coverage: full_coverage(),
            abstain: Vec::new(),
            tie_flips: TieFlips::Allow,
        }
    }
}

fn full_coverage() -> f64 {
    0.99
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    #[default]
    Agree,
    Diverge,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TieFlips {
    #[default]
    Allow,
    Fail,
}
