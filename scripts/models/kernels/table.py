"""Every kernel that is exported: one row each."""

from __future__ import annotations

from gold_yolo.terms import CrossEntropy

from . import overlap
from .elementwise import BceLogits, Focal, QualityFocal, VarifocalEach
from .kernel import Kernel

BOXES, NUMBERS = "f32 N 4", "f32 N"


def similarity(name: str, module, stops: int = 0) -> Kernel:
    return Kernel(name, module, {"a": BOXES, "b": BOXES}, {"similarity": NUMBERS}, stops)


def box_loss(kind: str, rule, stops: int = 0) -> Kernel:
    return Kernel(f"box_loss_{kind}", lambda: overlap.box_loss(rule), {"pred": BOXES, "target": BOXES}, {"loss": NUMBERS}, stops)


def elementwise(name: str, module, *inputs: str, stops: int = 0) -> Kernel:
    return Kernel(name, module, {i: NUMBERS for i in inputs}, {"loss": NUMBERS}, stops)


OVERLAPS = [
    similarity("iou_yolov6", overlap.yolov6_iou),
    similarity("giou_yolov6", lambda: overlap.similarity(overlap.YOLOV6_GIOU)),
    similarity("siou_yolov6", lambda: overlap.similarity(overlap.YOLOV6_SIOU)),
    similarity("iou_mmdet", overlap.mmdet_iou),
    similarity("giou_mmdet", lambda: overlap.similarity(overlap.MMDET_GIOU)),
    similarity("diou_mmdet", lambda: overlap.similarity(overlap.MMDET_DIOU)),
    similarity("ciou_mmdet", lambda: overlap.similarity(overlap.MMDET_CIOU), stops=1),
    similarity("siou_mmdet", lambda: overlap.similarity(overlap.MMDET_SIOU)),
    similarity("ciou_ultralytics", lambda: overlap.similarity(overlap.ULTRALYTICS), stops=1),
    box_loss("siou", overlap.YOLOV6_SIOU),
    box_loss("giou", overlap.YOLOV6_GIOU),
    box_loss("ciou", overlap.ULTRALYTICS, stops=1),
]

ELEMENTWISE = [
    elementwise("bce", CrossEntropy, "p", "target"),
    elementwise("bce_logits", BceLogits, "x", "target"),
    elementwise("focal", Focal, "x", "positive"),
    elementwise("varifocal", VarifocalEach, "p", "quality", "positive"),
    elementwise("varifocal_detached", lambda: VarifocalEach(detached=True), "p", "quality", "positive", stops=1),
    elementwise("quality_focal", QualityFocal, "x", "quality"),
]

ALL = [*OVERLAPS, *ELEMENTWISE]
