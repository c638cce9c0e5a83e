//! metric: what does a published score make of predictions and labels?

pub mod average_precision;
pub mod confusion;
pub mod mean_iou;
