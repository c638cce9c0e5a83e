//! unexercised: what agreement says nothing of, because the inputs did not try it.

use serde::{Deserialize, Serialize};

/// What the inputs did not exercise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unexercised {
    /// Weights of which no small change moves any declared output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<String>,
    /// Nodes that cut off, and cut nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<String>,
    /// Nodes that decide, and decide the same for every element.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<String>,
}

impl Unexercised {
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty() && self.cuts.is_empty() && self.decisions.is_empty()
    }
}
