//! metric: what does a published score make of predictions and labels?

pub mod average_precision;
pub mod mean_iou;
pub mod pixel_confusion;
