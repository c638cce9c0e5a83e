//! stage: what one stage of a port came to.

use super::{Explained, Outcome};
use crate::scenario::Stage;
use serde::{Deserialize, Serialize};

/// What one stage found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// What explains it, where that was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Explained>,
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
            why: None,
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
            why: None,
        }
    }
}
