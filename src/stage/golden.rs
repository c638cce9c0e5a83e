//! golden: what a golden says of the tensors that it keeps.

use crate::compare::json;
use crate::floor::noise::{Floor, R};
use crate::golden::estimate::{Estimate, Seen};
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

/// What a sketch tells of a tensor beside a floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sketched {
    /// Error / (R · spread); over 1 diverges.
    pub ratio: f64,
    pub distance: f64,
    /// `distance` over the reference's norm.
    pub relative: f64,
}

/// What a sketch tells of a tensor of `numel` elements; infinite where no distance is stated.
pub fn sketched(seen: &Seen, floor: &Floor, numel: usize) -> Sketched {
    match seen {
        Seen::Values(e) => Sketched { ratio: estimate_ratio(e, floor, numel), distance: e.distance, relative: e.relative },
        Seen::Attributes(_) | Seen::NotFinite { .. } => Sketched { ratio: f64::INFINITY, distance: f64::INFINITY, relative: f64::INFINITY },
    }
}

/// How an estimated distance stands to a floor: the larger of the smallest distance that the estimate allows (three standard errors)
/// over the spread's norm, and the largest sampled error over the largest spread.
fn estimate_ratio(e: &Estimate, floor: &Floor, numel: usize) -> f64 {
    let per_channel = numel as f64 / floor.rms.len().max(1) as f64;
    let spread = floor.rms.iter().map(|r| r * r * per_channel).sum::<f64>().sqrt();
    let least = (e.distance - e.resolution).max(0.0) / (1.0 + 1.5 * e.error);
    let over = |error: f64, floor: f64| if error == 0.0 { 0.0 } else { error / (R * floor) };
    let sampled = over(e.sample.max_abs.value, floor.max.iter().copied().fold(0.0, f64::max));
    over(least, spread).max(sampled)
}
