//! loss: what does a detector or segmenter minimise, term by term, and with which gradient?

pub mod bce;
pub mod box_loss;
pub mod cross_entropy;
pub mod detr;
pub mod dfl;
pub mod focal;
pub mod gold_yolo;
pub mod info_nce;
pub mod inputs;
pub mod positives;
pub mod quality_focal;
pub mod size_weight;
pub mod v8_detection;
pub mod varifocal;
pub mod whole;

/// A term of a loss: the kernel's row says which there are, in the order of `loss.items`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighted {
    pub name: &'static str,
    /// What it is multiplied by before the terms are added up.
    pub weight: f64,
}
