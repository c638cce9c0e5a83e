"""Every kernel that is exported: one row each."""

from __future__ import annotations

from gold_yolo.assign import Assigned
from gold_yolo.loss import Losses
from gold_yolo.terms import CrossEntropy

from . import assign, overlap
from .anchors import FromMaps
from .cross_entropy import PixelCrossEntropy, WeightedCrossEntropy
from .detr import Criterion
from .distribution import Dfl, DflOfAny
from .elementwise import BceLogits, Focal, QualityFocal, VarifocalEach
from .gold_yolo_loss import GoldYolo
from .info_nce import InfoNce
from .kernel import Kernel
from .size_weight import BothWeights, SizeWeight
from .v8_detection import Losses as V8Losses
from .v8_detection import V8Detection

BOXES, NUMBERS = "f32 N 4", "f32 N"
TRUTH = {"gt_labels": "i64 B G", "gt_boxes": "f32 B G 4", "gt_count": "i64 B"}
PREDICTED = {"pred_scores": "f32 B A C", "pred_boxes": "f32 B A 4"}
ASSIGNED = dict(zip(Assigned._fields, ["bool B A", "i64 B A", "i64 B A", "f32 B A 4", "f32 B A C", "f32 B G A", "f32 B G A"]))


def similarity(name: str, module, stops: int = 0) -> Kernel:
    return Kernel(name, module, {"a": BOXES, "b": BOXES}, {"similarity": NUMBERS}, stops)


def box_loss(kind: str, rule, stops: int = 0) -> Kernel:
    return Kernel(f"box_loss_{kind}", lambda: overlap.box_loss(rule), {"pred": BOXES, "target": BOXES}, {"loss": NUMBERS}, stops)


def elementwise(name: str, module, *inputs: str, stops: int = 0) -> Kernel:
    return Kernel(name, module, {i: NUMBERS for i in inputs}, {"loss": NUMBERS}, stops)


def aligned(dialect: str, rule, stops: int = 2) -> Kernel:
    inputs = PREDICTED | {"points": "f32 A 2"} | TRUTH
    return Kernel(f"task_aligned_{dialect}", lambda: assign.ByAlignment(rule), inputs, ASSIGNED, stops)


def atss(dialect: str, rule) -> Kernel:
    inputs = PREDICTED | {"squares": "f32 A 4", "level": "i64 A"} | TRUTH
    return Kernel(f"atss_{dialect}", lambda: assign.ByDistance(rule), inputs, ASSIGNED, stops=int(rule.soft))


def loss(name: str, module, losses: list[str], sides: int, stops: int, level: bool = False) -> Kernel:
    inputs = {"pred_scores": "f32 B A C", "pred_distri": f"f32 B A {sides}", "points": "f32 A 2", "strides": "f32 A"}
    inputs |= ({"level": "i64 A"} if level else {}) | TRUTH
    outputs = {f"assign.{field}": port for field, port in ASSIGNED.items()} | {f"loss.{field}": "f32" for field in losses}
    return Kernel(name, module, inputs, outputs | {"loss.items": "f32 3"}, stops)


def gold_yolo(size: str, reg_max: int, overlap: str, warm_up: bool = False) -> Kernel:
    assigner, name = ("atss", f"gold_yolo_{size}_warm_up") if warm_up else ("task_aligned", f"gold_yolo_{size}")
    sides, stops = 4 * (reg_max + 1), 1 if warm_up else 2
    return loss(name, lambda: GoldYolo(reg_max, assigner, overlap), Losses._fields, sides, stops, level=warm_up)


def v8_detection(name: str, rule, weight=lambda: None) -> Kernel:
    return loss(f"v8_detection_{name}", lambda: V8Detection(rule, weight()), V8Losses._fields, 64, stops=4)


OVERLAPS = [
    similarity("iou_yolov6", overlap.yolov6_iou),
    similarity("giou_yolov6", lambda: overlap.similarity(overlap.YOLOV6_GIOU)),
    similarity("diou_yolov6", lambda: overlap.similarity(overlap.YOLOV6_DIOU)),
    similarity("ciou_yolov6", lambda: overlap.similarity(overlap.YOLOV6_CIOU), stops=1),
    similarity("iou_yolov6_loss", lambda: overlap.similarity(overlap.YOLOV6_PLAIN)),
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
    Kernel("dfl_any", DflOfAny, {"x": "f32 N R", "target": NUMBERS}, {"loss": NUMBERS, "mean": NUMBERS}),
    Kernel("cross_entropy", PixelCrossEntropy, {"logits": "f32 P C", "labels": "i64 P"}, {"loss": "f32", "counted": "i64"}),
    Kernel(
        "cross_entropy_weighted",
        WeightedCrossEntropy,
        {"logits": "f32 P C", "labels": "i64 P", "weight": "f32 C", "ignore": "i64"},
        {"loss": "f32", "counted": "i64"},
    ),
    Kernel("info_nce", InfoNce, {"query": "f32 N D", "keys": "f32 N K D"}, {"loss": NUMBERS}, stops=1),
    Kernel(
        "detr_criterion",
        Criterion,
        {"logits": "f32 Q C", "boxes": "f32 Q 4", "gt_labels": "i64 G", "gt_boxes": "f32 G 4", "query": "i64 G"},
        {"loss.ce": "f32", "loss.bbox": "f32", "loss.giou": "f32", "loss.total": "f32", "cost": "f32"},
    ),
    Kernel("size_weight", BothWeights, {"boxes": BOXES, "foreground": "bool N"}, {"by_size": NUMBERS, "foreground_only": NUMBERS}),
    Kernel(
        "anchors",
        FromMaps,
        {"p3": "f32 1 1 h3 w3", "p4": "f32 1 1 h4 w4", "p5": "f32 1 1 h5 w5"},
        {"points": "f32 A 2", "strides": "f32 A", "pixels": "f32 A 2", "squares_yolov6": "f32 A 4", "squares_mmdet": "f32 A 4"},
    ),
]

ASSIGNERS = [
    aligned("yolov6", assign.YOLOV6),
    aligned("ultralytics_8_3_155", assign.ULTRALYTICS_8_3_155, stops=3),
    aligned("ultralytics_8_4", assign.ULTRALYTICS_8_4, stops=3),
    aligned("mmdet_3_3", assign.MMDET_3_3),
    atss("yolov6", assign.ATSS_YOLOV6),
    atss("mmdet_3_3", assign.ATSS_MMDET_3_3),
]

LOSSES = [
    gold_yolo("n", 0, "siou"),
    gold_yolo("sml", 16, "giou"),
    gold_yolo("giou", 0, "giou"),
    gold_yolo("n", 0, "siou", warm_up=True),
    gold_yolo("sml", 16, "giou", warm_up=True),
    v8_detection("8_3_155", assign.ULTRALYTICS_8_3_155),
    v8_detection("8_4", assign.ULTRALYTICS_8_4),
    v8_detection("by_size", assign.ULTRALYTICS_8_3_155, SizeWeight),
    v8_detection("naive", assign.ULTRALYTICS_8_3_155, lambda: SizeWeight(background=0.0)),
]

ALL = [*OVERLAPS, *ELEMENTWISE, *ROWS, *ASSIGNERS, *LOSSES]
