//! cells: what was found of one tensor, in the few words of a cell.

use crate::run::findings::provenance;
use crate::text::number;
use crate::verdict::{Accumulated, Isolated, TensorResult, ToleranceBy};

/// The node alone.
pub fn isolated(t: &TensorResult) -> String {
    match &t.isolated {
        Isolated::Bounded { bounded, .. } => format!(
            "{} / {} x bound",
            number(bounded.reference),
            number(bounded.candidate)
        ),
        Isolated::Exact { comparison, .. } if comparison.identical() => "identical".into(),
        Isolated::Exact { .. } => "differs, exact expected".into(),
        Isolated::Stated { ratio, .. } | Isolated::Stretch { ratio, .. } => {
            format!("{} x tolerance", number(*ratio))
        }
        Isolated::TieFlip { flips, .. } => format!("{flips} tie flips"),
        Isolated::RuleDifference { margin, .. } => {
            format!("rule difference, margin {}", number(*margin))
        }
        Isolated::NotJudged { why } => why.to_string(),
    }
}

/// On both sides' own values.
pub fn accumulated(t: &TensorResult) -> String {
    match &t.accumulated {
        Accumulated::Compared {
            by: ToleranceBy::Unjudged,
            ..
        } => "not judged: the metrics alone were asked for".into(),
        Accumulated::Compared { ratio, by, .. } => {
            format!("{} x ({})", number(*ratio), provenance(by))
        }
        Accumulated::TieFlip { flips, margin, .. } => {
            format!("{flips} tie flips, margin {}", number(*margin))
        }
        Accumulated::NotJudged { why } => why.to_string(),
    }
}

/// The node alone as a number that sorts: error / tolerance; None where nothing judged.
pub fn ratio_alone(t: &TensorResult) -> Option<f64> {
    match &t.isolated {
        Isolated::Bounded { bounded, .. } => Some(bounded.reference.max(bounded.candidate)),
        Isolated::Stated { ratio, .. } | Isolated::Stretch { ratio, .. } => Some(*ratio),
        Isolated::Exact { comparison, .. } if comparison.identical() => Some(0.0),
        Isolated::Exact { .. } | Isolated::RuleDifference { .. } => Some(f64::INFINITY),
        Isolated::TieFlip { .. } => Some(0.0),
        Isolated::NotJudged { .. } => None,
    }
}
