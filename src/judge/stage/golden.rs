//! golden: what a golden says of the tensors that it keeps.

use crate::compare::json;
use crate::floor::noise::{Floor, R};
use crate::golden::estimate::Seen;
use crate::judge::{Differs, Row};
use crate::verdict::Judgement;
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
    pub judgement: Judgement,
    /// Relative L2 distance; estimated where a sketch was kept.
    #[serde(with = "json")]
    pub distance: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Witnessed {
    pub fn over(&self) -> bool {
        self.judgement.over()
    }
}

impl Report {
    /// How many tensors were judged.
    pub fn compared(&self) -> usize {
        self.tensors
            .iter()
            .filter(|t| t.judgement.why().is_none())
            .count()
    }
}

/// A sketch beside the tensor that it was made of, or should have been; `numel` is the tensor's.
pub struct Sketched<'a> {
    pub seen: &'a Seen,
    pub numel: usize,
}

impl Differs for Sketched<'_> {
    fn row(&self) -> Row {
        match self.seen {
            Seen::Values(e) if !e.differs => Row::Equal,
            Seen::Values(e) if e.sample.specials.conflicts > 0 => Row::NotFinite,
            Seen::Values(_) => Row::Finite,
            Seen::Attributes(_) => Row::Attributes,
            Seen::NotFinite { .. } => Row::NotFinite,
        }
    }

    /// The larger of the smallest distance that the estimate allows (three standard errors) over the spread's norm, and the largest sampled
    /// error over the largest spread.
    fn ratio(&self, floor: &Floor) -> Option<f64> {
        let Seen::Values(e) = self.seen else {
            return None;
        };
        if floor.max.iter().chain(&floor.rms).any(|f| !f.is_finite()) {
            return None;
        }
        let per_channel = self.numel as f64 / floor.rms.len().max(1) as f64;
        let spread = floor
            .rms
            .iter()
            .map(|r| r * r * per_channel)
            .sum::<f64>()
            .sqrt();
        let least = (e.distance - e.resolution).max(0.0) / (1.0 + 1.5 * e.error);
        let over = |error: f64, floor: f64| if error == 0.0 { 0.0 } else { error / floor };
        let sampled = over(
            e.sample.max_abs.value,
            floor.max.iter().copied().fold(0.0, f64::max),
        );
        match e.distance.is_nan() {
            // The projections left the range of f64: the samples alone can say that it is over.
            true => Some(sampled).filter(|s| *s > R),
            false => Some(over(least, spread).max(sampled)),
        }
    }

    /// Of the samples.
    fn size(&self) -> f64 {
        match self.seen {
            Seen::Values(e) => e.sample.max_abs.value,
            Seen::Attributes(_) | Seen::NotFinite { .. } => f64::INFINITY,
        }
    }
}
