"""Similarities and box losses of pairs of boxes x1, y1, x2, y2: `[N, 4]` and `[N, 4]` to `[N]`."""

from __future__ import annotations

from gold_yolo.geometry import AnchorOverlap, Overlap
from gold_yolo.similarity import Rule, Similarity
from gold_yolo.terms import EPS, BoxLoss
from torch import Tensor, nn

YOLOV6_SIOU, YOLOV6_GIOU = Rule("siou", "added", EPS), Rule("giou", "added", EPS)
YOLOV6_PLAIN, YOLOV6_DIOU, YOLOV6_CIOU = (Rule(kind, "added", EPS) for kind in ("iou", "diou", "ciou"))
MMDET_GIOU = Rule("giou", "floor", 1e-6)
MMDET_DIOU = Rule("diou", "apart", 1e-6)
MMDET_CIOU = Rule("ciou", "apart", 1e-6, limited=True)
MMDET_SIOU = Rule("siou", "apart", 1e-6, limited=True, turned=True)
ULTRALYTICS = Rule("ciou", "added", 1e-7)


class PairOverlap(nn.Module):
    """An overlap of every truth with every box, asked for one pair at a time."""

    def __init__(self, overlap: nn.Module):
        super().__init__()
        self.overlap = overlap

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.overlap(a.unsqueeze(1), b.unsqueeze(1)).squeeze(-1).squeeze(-1)


class Flat(nn.Module):
    """A module's answer without its last axis of one."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.module(a, b).squeeze(-1)


def yolov6_iou() -> nn.Module:
    return PairOverlap(Overlap())


def mmdet_iou() -> nn.Module:
    return PairOverlap(AnchorOverlap())


def similarity(rule: Rule) -> nn.Module:
    return Flat(Similarity(rule))


def box_loss(rule: Rule) -> nn.Module:
    return Flat(BoxLoss(rule=rule))
