//! loss: what does a detector or segmenter minimise, term by term, and with which gradient?

pub mod bce;
pub mod box_loss;
pub mod dfl;
pub mod gold_yolo;
pub mod inputs;
pub mod positives;
pub mod varifocal;
