//! golden: what a golden says of the tensors that it keeps.

use crate::compare::json;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A golden beside this run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub folder: String,
    /// Who computed it, how, with which versions.
    pub subject: String,
    pub command: String,
    pub versions: BTreeMap<String, String>,
    /// Set where it was recorded with other versions than those that run here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_versions: Option<String>,
    pub tensors: Vec<Witnessed>,
}

/// One tensor of the golden against the reference's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Witnessed {
    pub name: String,
    /// The step that produces it.
    pub step: usize,
    /// `full` or `sketch`.
    pub stored: String,
    /// Error / (R · spread); over 1 diverges, NaN was not judged.
    #[serde(with = "json")]
    pub ratio: f64,
    /// Relative L2 distance; estimated where a sketch was kept.
    #[serde(with = "json")]
    pub distance: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Witnessed {
    pub fn over(&self) -> bool {
        self.ratio > 1.0
    }
}

impl Report {
    /// How many tensors were judged.
    pub fn compared(&self) -> usize {
        self.tensors.iter().filter(|t| !t.ratio.is_nan()).count()
    }
}
