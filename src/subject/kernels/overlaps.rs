//! overlaps: similarities and losses of pairs of boxes, row by row; the first of the pair is what is differentiated by.

use super::elementwise::each;
use super::{Answer, Kernel, Prepared};
use crate::error::Result;
use crate::kernel::iou::{Kind, Overlap, Similarity};
use crate::kernel::loss::box_loss::BoxLoss;

const fn similarity(
    name: &'static str,
    summary: &'static str,
    evaluate: fn(&Prepared) -> Result<Answer>,
) -> Kernel {
    Kernel {
        name,
        of: "iou",
        summary,
        inputs: &["a", "b"],
        outputs: &["similarity"],
        evaluate,
    }
}

const fn loss(
    name: &'static str,
    summary: &'static str,
    evaluate: fn(&Prepared) -> Result<Answer>,
) -> Kernel {
    Kernel {
        name,
        of: "box_loss",
        summary,
        inputs: &["pred", "target"],
        outputs: &["loss"],
        evaluate,
    }
}

pub(super) const ALL: &[Kernel] = &[
    similarity(
        "iou_yolov6",
        "IoU by which YOLOv6 and Gold-YOLO assign",
        |g| alike(g, Overlap::yolov6_assigner()),
    ),
    similarity("giou_yolov6", "GIoU of YOLOv6's loss", |g| {
        alike(g, Overlap::yolov6_loss(Kind::Giou))
    }),
    similarity("siou_yolov6", "SIoU of YOLOv6's loss", |g| {
        alike(g, Overlap::yolov6_loss(Kind::Siou))
    }),
    similarity("iou_mmdet", "IoU of mmdet 3.3", |g| {
        alike(g, Overlap::mmdet(Kind::Iou))
    }),
    similarity("giou_mmdet", "GIoU of mmdet 3.3", |g| {
        alike(g, Overlap::mmdet(Kind::Giou))
    }),
    similarity("diou_mmdet", "DIoU of mmdet 3.3", |g| {
        alike(g, Overlap::mmdet(Kind::Diou))
    }),
    similarity("ciou_mmdet", "CIoU of mmdet 3.3", |g| {
        alike(g, Overlap::mmdet(Kind::Ciou))
    }),
    similarity(
        "siou_mmdet",
        "SIoU of mmdet 3.3, its γ turned round",
        |g| alike(g, Overlap::mmdet(Kind::Siou)),
    ),
    similarity("ciou_ultralytics", "CIoU of ultralytics", |g| {
        alike(g, Overlap::ultralytics())
    }),
    loss("box_loss_siou", "1 − SIoU of YOLOv6", |g| {
        apart(g, Overlap::yolov6_loss(Kind::Siou))
    }),
    loss("box_loss_giou", "1 − GIoU of YOLOv6", |g| {
        apart(g, Overlap::yolov6_loss(Kind::Giou))
    }),
    loss("box_loss_ciou", "1 − CIoU of ultralytics", |g| {
        apart(g, Overlap::ultralytics())
    }),
];

fn alike(given: &Prepared, overlap: Overlap) -> Result<Answer> {
    let (a, b) = (given.columns("a", 2, 4)?, given.columns("b", 2, 4)?);
    given.same_rows(&[("a", &a.shape), ("b", &b.shape)])?;
    let targets = b.boxes();
    Ok(each("similarity", ("a", &a), 4, |i| {
        Similarity::to(targets[i], overlap)
    }))
}

fn apart(given: &Prepared, overlap: Overlap) -> Result<Answer> {
    let (pred, target) = (given.columns("pred", 2, 4)?, given.columns("target", 2, 4)?);
    given.same_rows(&[("pred", &pred.shape), ("target", &target.shape)])?;
    let targets = target.boxes();
    Ok(each("loss", ("pred", &pred), 4, |i| {
        BoxLoss::to(targets[i], overlap)
    }))
}
