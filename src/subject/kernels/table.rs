//! table: every kernel that has an ONNX form, one row each, and all there is to know of it; a dialect says how it differs from another row.

use super::draw::{boxes, numbers, queries, scenes};
use super::elementwise::{bce, bce_logits, focal, quality_focal, varifocal};
use super::losses::{LEVELLED, PREDICTED, whole};
use super::matched::detr;
use super::overlaps::{alike, apart};
use super::relations::{self as owes, Relation};
use super::rows::{cross_entropy, cross_entropy_weighted, dfl, dfl_of_any, info_nce, size_weight};
use super::{Kernel, Rows, anchors, assigners};
use crate::kernel::assign::{atss, task_aligned};
use crate::kernel::iou::{self, Kind, Overlap};
use crate::kernel::loss;
use crate::kernel::loss::gold_yolo::GoldYolo;
use crate::kernel::loss::size_weight::SizeWeight;
use crate::kernel::loss::v8_detection::V8Detection;
use crate::kernel::loss::varifocal::Varifocal;
use crate::kernel::loss::whole::Whole;
use crate::scenario::training::{ASSIGNED, ITEMS, NORMALISER, TOTAL};

use assigners::{adaptive, aligned};
use atss::Atss;
use task_aligned::TaskAligned;

/// Every kernel.
pub const ALL: &[Kernel] = &[
    IOU,
    Kernel {
        name: "giou_yolov6",
        summary: "GIoU of YOLOv6's loss",
        evaluate: |g| alike(g, Overlap::yolov6_loss(Kind::Giou)),
        ..IOU
    },
    Kernel {
        name: "diou_yolov6",
        summary: "DIoU of YOLOv6's loss",
        evaluate: |g| alike(g, Overlap::yolov6_loss(Kind::Diou)),
        relations: OF_EITHER,
        ..IOU
    },
    Kernel {
        name: "ciou_yolov6",
        summary: "CIoU of YOLOv6's loss",
        evaluate: |g| alike(g, Overlap::yolov6_loss(Kind::Ciou)),
        relations: OF_A_PAIR,
        ..IOU
    },
    Kernel {
        name: "iou_yolov6_loss",
        summary: "plain IoU of YOLOv6's loss",
        evaluate: |g| alike(g, Overlap::yolov6_loss(Kind::Iou)),
        ..IOU
    },
    Kernel {
        name: "siou_yolov6",
        summary: "SIoU of YOLOv6's loss",
        evaluate: |g| alike(g, Overlap::yolov6_loss(Kind::Siou)),
        relations: OF_A_PAIR,
        ..IOU
    },
    Kernel {
        name: "iou_mmdet",
        summary: "IoU of mmdet 3.3",
        evaluate: |g| alike(g, Overlap::mmdet(Kind::Iou)),
        ..IOU
    },
    Kernel {
        name: "giou_mmdet",
        summary: "GIoU of mmdet 3.3",
        evaluate: |g| alike(g, Overlap::mmdet(Kind::Giou)),
        ..IOU
    },
    Kernel {
        name: "diou_mmdet",
        summary: "DIoU of mmdet 3.3",
        evaluate: |g| alike(g, Overlap::mmdet(Kind::Diou)),
        relations: OF_EITHER,
        ..IOU
    },
    Kernel {
        name: "ciou_mmdet",
        summary: "CIoU of mmdet 3.3",
        evaluate: |g| alike(g, Overlap::mmdet(Kind::Ciou)),
        relations: OF_A_PAIR,
        ..IOU
    },
    Kernel {
        name: "siou_mmdet",
        summary: "SIoU of mmdet 3.3, its γ turned round",
        evaluate: |g| alike(g, Overlap::mmdet(Kind::Siou)),
        relations: OF_A_PAIR,
        ..IOU
    },
    Kernel {
        name: "ciou_ultralytics",
        summary: "CIoU of ultralytics",
        evaluate: |g| alike(g, Overlap::ultralytics()),
        relations: OF_A_PAIR,
        ..IOU
    },
    BOX_LOSS,
    Kernel {
        name: "box_loss_giou",
        summary: "1 − GIoU of YOLOv6",
        evaluate: |g| apart(g, Overlap::yolov6_loss(Kind::Giou)),
        relations: &[
            &owes::ROWS_TURNED,
            &owes::PART_ALONE,
            &owes::BOXES_MOVED,
            &owes::BOXES_SCALED,
            &owes::EXACT,
            &owes::NO_LESS_LOST,
        ],
        ..BOX_LOSS
    },
    Kernel {
        name: "box_loss_ciou",
        summary: "1 − CIoU of ultralytics",
        evaluate: |g| apart(g, Overlap::ultralytics()),
        ..BOX_LOSS
    },
    BCE,
    Kernel {
        name: "bce_logits",
        summary: "binary cross-entropy of logits",
        inputs: &["x", "target"],
        evaluate: bce_logits,
        relations: &[&owes::ROWS_TURNED, &owes::PART_ALONE, &owes::NEARER],
        ..BCE
    },
    FOCAL,
    VARIFOCAL,
    Kernel {
        name: "varifocal_detached",
        summary: "the same with the weight detached",
        evaluate: |g| {
            let rule = Varifocal {
                weight_detached: true,
                ..Varifocal::gold_yolo()
            };
            varifocal(g, rule)
        },
        ..VARIFOCAL
    },
    QUALITY_FOCAL,
    DFL,
    Kernel {
        name: "dfl_any",
        summary: "distribution focal loss over as many bins as there are columns, and the mean bin",
        evaluate: dfl_of_any,
        draw: |_| numbers::distributions(2..=33),
        ..DFL
    },
    CROSS_ENTROPY,
    Kernel {
        name: "cross_entropy_weighted",
        summary: "weighted mean over the pixels whose label is not the ignored one, whichever it is",
        inputs: &["logits", "labels", "weight", "ignore"],
        evaluate: cross_entropy_weighted,
        draw: |_| numbers::weighted_pixels(),
        ..CROSS_ENTROPY
    },
    INFO_NCE,
    DETR,
    SIZE_WEIGHT,
    ANCHORS,
    TASK_ALIGNED,
    Kernel {
        name: "task_aligned_ultralytics_8_3_155",
        summary: "TaskAligned of ultralytics 8.3.155",
        evaluate: |g| aligned(g, TaskAligned::ultralytics_8_3_155()),
        ..TASK_ALIGNED
    },
    Kernel {
        name: "task_aligned_ultralytics_8_4",
        summary: "TaskAligned of ultralytics 8.4",
        evaluate: |g| aligned(g, TaskAligned::ultralytics_8_4()),
        ..TASK_ALIGNED
    },
    Kernel {
        name: "task_aligned_mmdet_3_3",
        summary: "TaskAligned of mmdet 3.3",
        evaluate: |g| aligned(g, TaskAligned::mmdet_3_3()),
        ..TASK_ALIGNED
    },
    ATSS,
    Kernel {
        name: "atss_mmdet_3_3",
        summary: "ATSS of mmdet 3.3",
        evaluate: |g| adaptive(g, Atss::mmdet_3_3()),
        draw: |_| scenes::assigned(Some((8.0, 0.0))),
        ..ATSS
    },
    GOLD_YOLO,
    Kernel {
        name: "gold_yolo_sml",
        summary: "TaskAligned, varifocal, GIoU, DFL over 17 bins",
        bins: 17,
        trains: Some(|| Whole::GoldYolo(GoldYolo::sml())),
        ..GOLD_YOLO
    },
    Kernel {
        name: "gold_yolo_giou",
        summary: "TaskAligned, varifocal, GIoU, no distribution",
        trains: Some(|| Whole::GoldYolo(GoldYolo::giou())),
        ..GOLD_YOLO
    },
    WARM_UP,
    Kernel {
        name: "gold_yolo_sml_warm_up",
        summary: "ATSS, varifocal, GIoU, DFL over 17 bins",
        bins: 17,
        trains: Some(|| Whole::GoldYolo(GoldYolo::sml().warm_up())),
        ..WARM_UP
    },
    V8_DETECTION,
    Kernel {
        name: "v8_detection_8_4",
        summary: "the v8 loss of ultralytics 8.4",
        trains: Some(|| v8(V8Detection::ultralytics_8_4())),
        ..V8_DETECTION
    },
    Kernel {
        name: "v8_detection_by_size",
        summary: "the v8 loss, small and medium objects weighted",
        trains: Some(|| v8(V8Detection::ultralytics_8_3_155().weighted(SizeWeight::BySize))),
        ..V8_DETECTION
    },
    Kernel {
        name: "v8_detection_naive",
        summary: "the faulty control: weights times foreground, the background removed",
        trains: Some(
            || v8(V8Detection::ultralytics_8_3_155().weighted(SizeWeight::ForegroundOnly)),
        ),
        ..V8_DETECTION
    },
];

/// What a similarity owes to itself, and one that does not ask which of the two is which.
const OF_A_PAIR: &[&Relation] = &[
    &owes::ROWS_TURNED,
    &owes::PART_ALONE,
    &owes::BOXES_MOVED,
    &owes::BOXES_SCALED,
    &owes::ITSELF,
];
const OF_EITHER: &[&Relation] = &[
    &owes::ROWS_TURNED,
    &owes::PART_ALONE,
    &owes::BOXES_MOVED,
    &owes::BOXES_SCALED,
    &owes::EXCHANGED,
    &owes::ITSELF,
];

/// What a loss of three terms gives, in the order of its form.
const fn outputs([x, y, z]: [&'static str; 3]) -> [&'static str; 13] {
    let [a, b, c, d, e, f, g] = ASSIGNED;
    [a, b, c, d, e, f, g, x, y, z, ITEMS, TOTAL, NORMALISER]
}

/// The first of a pair of boxes is what is differentiated by.
const IOU: Kernel = Kernel {
    name: "iou_yolov6",
    of: &iou::FAMILY,
    summary: "IoU by which YOLOv6 and Gold-YOLO assign",
    inputs: &["a", "b"],
    outputs: &["similarity"],
    evaluate: |g| alike(g, Overlap::yolov6_assigner()),
    draw: |_| boxes::pairs("a", "b"),
    relations: &[
        &owes::ROWS_TURNED,
        &owes::PART_ALONE,
        &owes::BOXES_MOVED,
        &owes::BOXES_SCALED,
        &owes::EXCHANGED,
        &owes::ITSELF,
        &owes::NO_MORE_ALIKE,
    ],
    rows: Rows::Apart,
    bins: 0,
    trains: None,
};

const BOX_LOSS: Kernel = Kernel {
    name: "box_loss_siou",
    of: &loss::box_loss::FAMILY,
    summary: "1 − SIoU of YOLOv6",
    inputs: &["pred", "target"],
    outputs: &["loss"],
    evaluate: |g| apart(g, Overlap::yolov6_loss(Kind::Siou)),
    draw: |_| boxes::pairs("pred", "target"),
    relations: &[
        &owes::ROWS_TURNED,
        &owes::PART_ALONE,
        &owes::BOXES_MOVED,
        &owes::BOXES_SCALED,
        &owes::EXACT,
    ],
    rows: Rows::Apart,
    bins: 0,
    trains: None,
};

const BCE: Kernel = Kernel {
    name: "bce",
    of: &loss::bce::FAMILY,
    summary: "binary cross-entropy of probabilities",
    inputs: &["p", "target"],
    outputs: &["loss"],
    evaluate: bce,
    draw: numbers::elements,
    relations: &[
        &owes::ROWS_TURNED,
        &owes::PART_ALONE,
        &owes::EXACT,
        &owes::NEARER,
    ],
    rows: Rows::Apart,
    bins: 0,
    trains: None,
};

const FOCAL: Kernel = Kernel {
    name: "focal",
    of: &loss::focal::FAMILY,
    summary: "focal loss of logits, α ¼, γ 2",
    inputs: &["x", "positive"],
    outputs: &["loss"],
    evaluate: focal,
    draw: numbers::elements,
    relations: &[&owes::ROWS_TURNED, &owes::PART_ALONE, &owes::NEARER],
    rows: Rows::Apart,
    bins: 0,
    trains: None,
};

const VARIFOCAL: Kernel = Kernel {
    name: "varifocal",
    of: &loss::varifocal::FAMILY,
    summary: "varifocal loss of Gold-YOLO, its weight differentiated",
    inputs: &["p", "quality", "positive"],
    outputs: &["loss"],
    evaluate: |g| varifocal(g, Varifocal::gold_yolo()),
    draw: numbers::elements,
    relations: &[&owes::ROWS_TURNED, &owes::PART_ALONE, &owes::EXACT],
    rows: Rows::Apart,
    bins: 0,
    trains: None,
};

const QUALITY_FOCAL: Kernel = Kernel {
    name: "quality_focal",
    of: &loss::quality_focal::FAMILY,
    summary: "quality focal loss of logits, β 2",
    inputs: &["x", "quality"],
    outputs: &["loss"],
    evaluate: quality_focal,
    draw: numbers::elements,
    relations: &[&owes::ROWS_TURNED, &owes::PART_ALONE, &owes::EXACT],
    rows: Rows::Apart,
    bins: 0,
    trains: None,
};

const DFL: Kernel = Kernel {
    name: "dfl",
    of: &loss::dfl::FAMILY,
    summary: "distribution focal loss over 17 bins, and the mean bin",
    inputs: &["x", "target"],
    outputs: &["loss", "mean"],
    evaluate: dfl,
    draw: |_| numbers::distributions(17..=17),
    relations: &[&owes::ROWS_TURNED, &owes::PART_ALONE],
    rows: Rows::Apart,
    bins: 0,
    trains: None,
};

const CROSS_ENTROPY: Kernel = Kernel {
    name: "cross_entropy",
    of: &loss::cross_entropy::FAMILY,
    summary: "mean over the pixels whose label is not −1",
    inputs: &["logits", "labels"],
    outputs: &["loss", "counted"],
    evaluate: cross_entropy,
    draw: |_| numbers::pixels(),
    relations: &[&owes::LABEL_RAISED],
    rows: Rows::Together,
    bins: 0,
    trains: None,
};

const INFO_NCE: Kernel = Kernel {
    name: "info_nce",
    of: &loss::info_nce::FAMILY,
    summary: "contrastive loss of queries, the positive key first, temperature 0.07",
    inputs: &["query", "keys"],
    outputs: &["loss"],
    evaluate: info_nce,
    draw: |_| numbers::queries(),
    relations: &[&owes::ROWS_TURNED, &owes::PART_ALONE, &owes::KEY_MATCHED],
    rows: Rows::Apart,
    bins: 0,
    trains: None,
};

/// Its matching is an input: which of several cheapest ones it is nobody says, and `cost` tells whether it is one.
const DETR: Kernel = Kernel {
    name: "detr_criterion",
    of: &loss::detr::FAMILY,
    summary: "class, L1 and GIoU of matched queries of one image, and the cost of the cheapest matching",
    inputs: &["logits", "boxes", "gt_labels", "gt_boxes", "query"],
    outputs: &["loss.ce", "loss.bbox", "loss.giou", "loss.total", "cost"],
    evaluate: detr,
    draw: |_| queries::queries(),
    relations: &[&owes::QUERIES_TURNED, &owes::OBJECTS_EXCHANGED],
    rows: Rows::Queries,
    bins: 0,
    trains: None,
};

const SIZE_WEIGHT: Kernel = Kernel {
    name: "size_weight",
    of: &loss::size_weight::FAMILY,
    summary: "weights of anchors by the area of their box, and the naive patch",
    inputs: &["boxes", "foreground"],
    outputs: &["by_size", "foreground_only"],
    evaluate: size_weight,
    draw: |_| boxes::weighted(),
    relations: &[&owes::ROWS_TURNED, &owes::PART_ALONE],
    rows: Rows::Apart,
    bins: 0,
    trains: None,
};

const ANCHORS: Kernel = Kernel {
    name: "anchors",
    of: &crate::kernel::anchors::FAMILY,
    summary: "points, strides and squares of three feature maps at strides 8, 16, 32",
    inputs: &["p3", "p4", "p5"],
    outputs: &[
        "points",
        "strides",
        "pixels",
        "squares_yolov6",
        "squares_mmdet",
    ],
    evaluate: anchors::anchors,
    draw: |_| numbers::planes(),
    relations: &[&owes::MAPS_TURNED],
    rows: Rows::Whole,
    bins: 0,
    trains: None,
};

const TASK_ALIGNED: Kernel = Kernel {
    name: "task_aligned_yolov6",
    of: &task_aligned::FAMILY,
    summary: "TaskAligned of YOLOv6 and Gold-YOLO",
    inputs: &[
        "pred_scores",
        "pred_boxes",
        "points",
        "gt_labels",
        "gt_boxes",
        "gt_count",
    ],
    outputs: &assigners::OUTPUTS,
    evaluate: |g| aligned(g, TaskAligned::yolov6()),
    draw: |_| scenes::assigned(None),
    relations: &[
        &owes::FIRST_IMAGE,
        &owes::IMAGES_TURNED,
        &owes::OBJECTS_TURNED,
        &owes::ANCHORS_TURNED,
    ],
    rows: Rows::Images,
    bins: 0,
    trains: None,
};

/// Its anchors have an order: of equally distant ones, which a grid is full of, it takes the first.
const ATSS: Kernel = Kernel {
    name: "atss_yolov6",
    of: &atss::FAMILY,
    summary: "ATSS of YOLOv6 and Gold-YOLO",
    inputs: &[
        "pred_scores",
        "pred_boxes",
        "squares",
        "level",
        "gt_labels",
        "gt_boxes",
        "gt_count",
    ],
    outputs: &assigners::OUTPUTS,
    evaluate: |g| adaptive(g, Atss::yolov6()),
    draw: |_| scenes::assigned(Some((5.0, 0.5))),
    relations: &[
        &owes::FIRST_IMAGE,
        &owes::IMAGES_TURNED,
        &owes::OBJECTS_TURNED,
    ],
    rows: Rows::Images,
    bins: 0,
    trains: None,
};

const GOLD_YOLO: Kernel = Kernel {
    name: "gold_yolo_n",
    of: &loss::gold_yolo::FAMILY,
    summary: "TaskAligned, varifocal, SIoU, no distribution",
    inputs: PREDICTED,
    outputs: &outputs(["loss.iou", "loss.dfl", "loss.cls"]),
    evaluate: whole,
    draw: scenes::of_probabilities,
    relations: &[
        &owes::IMAGES_TURNED,
        &owes::OBJECTS_TURNED,
        &owes::ANCHORS_TURNED,
    ],
    rows: Rows::Images,
    bins: 1,
    trains: Some(|| Whole::GoldYolo(GoldYolo::n())),
};

/// By ATSS.
const WARM_UP: Kernel = Kernel {
    name: "gold_yolo_n_warm_up",
    summary: "ATSS, varifocal, SIoU, no distribution",
    inputs: LEVELLED,
    relations: &[&owes::IMAGES_TURNED, &owes::OBJECTS_TURNED],
    trains: Some(|| Whole::GoldYolo(GoldYolo::n().warm_up())),
    ..GOLD_YOLO
};

const V8_DETECTION: Kernel = Kernel {
    name: "v8_detection_8_3_155",
    of: &loss::v8_detection::FAMILY,
    summary: "the v8 loss of ultralytics 8.3.155",
    inputs: PREDICTED,
    outputs: &outputs(["loss.box", "loss.cls", "loss.dfl"]),
    evaluate: whole,
    draw: scenes::of_logits,
    relations: &[
        &owes::IMAGES_TURNED,
        &owes::OBJECTS_TURNED,
        &owes::ANCHORS_TURNED,
    ],
    rows: Rows::Images,
    bins: 16,
    trains: Some(|| v8(V8Detection::ultralytics_8_3_155())),
};

/// Over the 16 bins of the published networks.
const fn v8(loss: V8Detection) -> Whole {
    Whole::V8(loss, 15)
}
