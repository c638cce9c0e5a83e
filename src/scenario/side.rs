//! side: which side is off, as a verdict says it and a scenario expects it.

use serde::{Deserialize, Serialize};

/// Which side is off at an origin.
///
/// The shadow shares code with libtorch: where libtorch and the shadow agree against ONNX Runtime, one opinion stands against
/// one, and that is what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
