//! kernel: what do published assigners and losses compute, in f64, with exact gradients?

pub mod anchors;
pub mod assign;
pub mod boxes;
pub mod iou;
pub mod loss;
pub mod number;
