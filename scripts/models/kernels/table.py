"""Every kernel that is exported: one row each."""

from __future__ import annotations

from gold_yolo.terms import CrossEntropy

from . import overlap
from .anchors import FromMaps
from .cross_entropy import PixelCrossEntropy
from .distribution import Dfl
from .elementwise import BceLogits, Focal, QualityFocal, VarifocalEach
from .info_nce import InfoNce
from .kernel import Kernel
from .size_weight import BothWeights

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

ROWS = [
    Kernel("dfl", Dfl, {"x": "f32 N 17", "target": NUMBERS}, {"loss": NUMBERS, "mean": NUMBERS}),
    Kernel("cross_entropy", PixelCrossEntropy, {"logits": "f32 P C", "labels": "i64 P"}, {"loss": "f32", "counted": "i64"}),
    Kernel("info_nce", InfoNce, {"query": "f32 N D", "keys": "f32 N K D"}, {"loss": NUMBERS}, stops=1),
    Kernel("size_weight", BothWeights, {"boxes": BOXES, "foreground": "bool N"}, {"by_size": NUMBERS, "foreground_only": NUMBERS}),
    Kernel(
        "anchors",
        FromMaps,
        {"p3": "f32 1 1 h3 w3", "p4": "f32 1 1 h4 w4", "p5": "f32 1 1 h5 w5"},
        {"points": "f32 A 2", "strides": "f32 A", "pixels": "f32 A 2", "squares_yolov6": "f32 A 4", "squares_mmdet": "f32 A 4"},
    ),
]

ALL = [*OVERLAPS, *ELEMENTWISE, *ROWS]
