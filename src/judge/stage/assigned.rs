//! assigned: one opinion on who owns which anchor, as far as its tensors tell, and how many positives that makes.

use super::assign::{Count, Degenerate};
use crate::kernel::assign::Assignment;
use crate::tensor::Tensor;

/// One opinion on who owns which anchor; every vector is over images and anchors, row-major. A target is None where it is not known.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned {
    pub images: usize,
    pub anchors: usize,
    pub owner: Vec<Option<usize>>,
    pub labels: Option<Vec<i64>>,
    /// Four corners each.
    pub boxes: Option<Vec<f64>>,
    /// One soft target per class each.
    pub scores: Option<Vec<f64>>,
    /// Unit roundoff of the boxes.
    pub unit: f64,
}

impl Assigned {
    /// The opinion in tensors of the standard names.
    ///
    /// # Errors
    /// Says which tensor is missing or does not fit, of the two that tell who owns what.
    pub fn read(get: &dyn Fn(&str) -> Option<Tensor>) -> Result<Self, String> {
        let mask = mask(get)?;
        let index = get("assign.gt_index").ok_or("'assign.gt_index' is missing")?;
        let rows = index.to_i64().filter(|i| i.len() == mask.numel());
        let rows = rows.ok_or_else(|| {
            format!(
                "'assign.gt_index' is {} {:?}, not integers like the mask",
                index.dtype(),
                index.shape()
            )
        })?;
        let owner = mask
            .to_f64()
            .iter()
            .zip(&rows)
            .map(|(m, g)| (*m > 0.0).then_some(*g as usize))
            .collect();
        Ok(Self::with(get, &mask, owner))
    }

    /// The same where nobody says which object owns a positive: all are taken for one, and what they own is told by the targets.
    ///
    /// # Errors
    /// Says that the mask is missing or does not fit.
    pub fn without_owners(get: &dyn Fn(&str) -> Option<Tensor>) -> Result<Self, String> {
        let mask = mask(get)?;
        let positive = mask.to_f64().into_iter().map(|m| m > 0.0);
        let owner = positive.map(|p| p.then_some(0)).collect();
        Ok(Self::with(get, &mask, owner))
    }

    /// Who owns what, and the targets as far as they are there and fit the mask.
    fn with(
        get: &dyn Fn(&str) -> Option<Tensor>,
        mask: &Tensor,
        owner: Vec<Option<usize>>,
    ) -> Self {
        let (images, anchors) = (mask.shape()[0], mask.shape()[1]);
        let target =
            |name: &str, width: usize| get(name).filter(|t| t.numel() == width * mask.numel());
        let scores = get("assign.target_scores")
            .filter(|t| t.shape().len() == 3 && t.shape()[..2] == [images, anchors]);
        let boxes = target("assign.target_boxes", 4);
        Self {
            images,
            anchors,
            owner,
            labels: target("assign.target_labels", 1).and_then(|t| t.to_i64()),
            unit: boxes.as_ref().map_or(0.0, |t| t.dtype().unit_roundoff()),
            boxes: boxes.map(|t| t.to_f64()),
            scores: scores.map(|t| t.to_f64()),
        }
    }

    /// The targets that are not known, by their standard names.
    pub fn lacks(&self) -> Vec<&'static str> {
        let all = [
            ("assign.target_labels", self.labels.is_none()),
            ("assign.target_boxes", self.boxes.is_none()),
            ("assign.target_scores", self.scores.is_none()),
        ];
        all.into_iter()
            .filter(|(_, lacks)| *lacks)
            .map(|(name, _)| name)
            .collect()
    }

    /// The same from the f64 reference.
    pub fn of(assignments: &[Assignment]) -> Self {
        Self {
            images: assignments.len(),
            anchors: assignments.first().map_or(0, |a| a.owner.len()),
            owner: assignments.iter().flat_map(|a| a.owner.clone()).collect(),
            labels: Some(assignments.iter().flat_map(|a| a.labels.clone()).collect()),
            boxes: Some(assignments.iter().flat_map(|a| a.boxes.concat()).collect()),
            scores: Some(assignments.iter().flat_map(|a| a.scores.clone()).collect()),
            unit: 0.0,
        }
    }

    /// Counts the positives; `objects` is the number of ground truths of each image.
    pub fn count(&self, who: &str, objects: &[usize]) -> Count {
        let mut per_truth: Vec<Vec<usize>> = objects.iter().map(|n| vec![0; *n]).collect();
        let mut positives = 0;
        for (i, owner) in self.owner.iter().enumerate() {
            positives += usize::from(owner.is_some());
            if let Some(cell) =
                owner.and_then(|g| per_truth.get_mut(i / self.anchors.max(1))?.get_mut(g))
            {
                *cell += 1;
            }
        }
        let objects_in_all: usize = objects.iter().sum();
        let largest = per_truth.iter().flatten().copied().max().unwrap_or(0);
        let degenerate = match positives {
            0 if objects_in_all > 0 => Some(Degenerate::Nothing),
            n if n == self.owner.len() && n > 0 => Some(Degenerate::Everything),
            n if n > 1 && objects_in_all > 1 && n == largest => Some(Degenerate::OneTakesAll),
            _ => None,
        };
        let counted = "elements of assign.fg_mask > 0".into();
        Count {
            who: who.into(),
            positives,
            anchors: self.owner.len(),
            per_truth,
            degenerate,
            counted,
            contradicted: self.contradictions(),
        }
    }

    /// What the soft targets count otherwise than the mask: a row of them is all zero exactly where nothing is positive, or nearly so, since a
    /// positive of no overlap has nothing to aim at.
    fn contradictions(&self) -> Vec<String> {
        let Some(scores) = &self.scores else {
            return vec![];
        };
        let classes = scores.len() / self.owner.len().max(1);
        let rows: Vec<bool> = scores
            .chunks(classes.max(1))
            .map(|r| r.iter().any(|v| *v != 0.0))
            .collect();
        let both = || self.owner.iter().zip(&rows);
        let (behind, empty) = (
            both().filter(|(o, r)| o.is_none() && **r).count(),
            both().filter(|(o, r)| o.is_some() && !**r).count(),
        );
        let all = rows.iter().filter(|r| **r).count();
        let says = format!(
            "assign.target_scores has {all} non-zero rows of {}: {behind} where the mask is not > 0, {empty} fewer where it is",
            rows.len()
        );
        (behind + empty > 0).then_some(says).into_iter().collect()
    }
}

/// The mask, by image and anchor.
fn mask(get: &dyn Fn(&str) -> Option<Tensor>) -> Result<Tensor, String> {
    let mask = get("assign.fg_mask").ok_or("'assign.fg_mask' is missing")?;
    match mask.shape() {
        [_, _] => Ok(mask),
        other => Err(format!("'assign.fg_mask' has shape {other:?}, not [B, A]")),
    }
}
