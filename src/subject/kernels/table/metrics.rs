//! metrics: the rows of what is counted and no loss: nothing of them is differentiated.

use crate::kernel::metric::{average_precision as precision, mean_iou, pixel_confusion};
use crate::subject::kernels::draw::metrics as drawn;
use crate::subject::kernels::relations as owes;
use crate::subject::kernels::{Kernel, Rows, metrics};

pub const CONFUSION: Kernel = Kernel {
    name: "pixel_confusion",
    of: &pixel_confusion::FAMILY,
    summary: "counts of labels (rows) by predictions, behind the classes what is ignored or unsure",
    inputs: &["logits", "labels", "unsure"],
    outputs: &["counts"],
    evaluate: metrics::confused,
    draw: |_| drawn::pixels(),
    relations: &[&owes::PIXELS_TURNED],
    rows: Rows::Together,
    bins: 0,
    trains: None,
};

pub const MEAN_IOU: Kernel = Kernel {
    name: "mean_iou",
    of: &mean_iou::FAMILY,
    summary: "IoU, Dice, recall, precision of a confusion matrix; absent and ignored each public way",
    inputs: &["counts"],
    outputs: &[
        "by_class",
        "mean",
        "frequency_weighted",
        "pixel_accuracy",
        "pooled",
    ],
    evaluate: metrics::means,
    draw: |_| drawn::matrices(),
    relations: &[&owes::CLASSES_TURNED, &owes::ROLES_EXCHANGED],
    rows: Rows::Whole,
    bins: 0,
    trains: None,
};

/// Six detections, because the form has its matching unrolled.
pub const AVERAGE_PRECISION: Kernel = Kernel {
    name: "average_precision",
    of: &precision::FAMILY,
    summary: "AP of six detections of a class by size and overlap, as COCO counts it",
    inputs: &[
        "objects",
        "object_image",
        "crowd",
        "boxes",
        "image",
        "scores",
        "overlaps",
    ],
    outputs: &["ap", "recall", "counted"],
    evaluate: metrics::averaged,
    draw: |_| drawn::detections(),
    relations: &[&owes::SCORES_HALVED, &owes::PLACES_MOVED],
    rows: Rows::Whole,
    bins: 0,
    trains: None,
};
