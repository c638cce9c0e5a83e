"""The whole loss of the ultralytics v8 detectors on given anchors and padded ground truth, and its size-weighted forms."""

from __future__ import annotations

from typing import NamedTuple

import torch
from gold_yolo import static
from gold_yolo.anchors import Places
from gold_yolo.assign import Assigned
from gold_yolo.loss import DecodeSides, Select, bins
from gold_yolo.stop_gradient import StopGradient
from gold_yolo.task_aligned import Rule, TaskAligned
from gold_yolo.terms import BoxLoss, Distribution
from torch import Tensor, nn

from .elementwise import BceLogits
from .overlap import ULTRALYTICS as CIOU
from .size_weight import SizeWeight
from .truth import Counted

GAINS = 7.5, 0.5, 1.5
REG_MAX = 15


class Losses(NamedTuple):
    box: Tensor  # raw terms, before their gains
    cls: Tensor
    dfl: Tensor
    items: Tensor  # [3]: box · 7.5, cls · 0.5, dfl · 1.5
    total: Tensor  # their sum times the batch size
    normaliser: Tensor  # Σ target scores, at least 1


class V8Detection(nn.Module):
    """Scores are logits `[B, A, C]`, sides logits over 16 bins; `weight` multiplies every anchor's part of all three terms."""

    def __init__(self, rule: Rule, weight: SizeWeight | None = None):
        super().__init__()
        self.truth = Counted()
        self.decode = DecodeSides(REG_MAX)
        self.stop_scores, self.stop_boxes = StopGradient(), StopGradient()
        self.assigner = TaskAligned(rule)
        self.weight = weight
        self.bce = BceLogits()
        self.select = Select()
        self.box = BoxLoss(rule=CIOU)
        self.dfl = Distribution(REG_MAX)

    def forward(self, pred_scores: Tensor, pred_distri: Tensor, points: Tensor, strides: Tensor, *truth: Tensor) -> tuple[Tensor, ...]:
        places = Places(points, strides.unsqueeze(-1), None)
        boxes = self.decode(pred_distri, points)
        scores, pixels = self.stop_scores(pred_scores.sigmoid()), self.stop_boxes(boxes) * places.strides
        assigned = self.assigner(scores, pixels, points * places.strides, self.truth(*truth))
        terms = self.terms(places, pred_scores, pred_distri, boxes, assigned)
        return *assigned, *combined(*terms, assigned.target_scores)

    def terms(self, places: Places, scores: Tensor, sides: Tensor, boxes: Tensor, assigned: Assigned) -> tuple[Tensor, Tensor, Tensor]:
        predicted, target = self.select(boxes, assigned.target_boxes / places.strides, assigned.fg_mask)
        cls, share = self.bce(scores, assigned.target_scores), assigned.target_scores.sum(-1, keepdim=True)
        if self.weight:
            weight = self.weight(assigned.target_boxes, assigned.fg_mask).unsqueeze(-1)
            cls, share = cls * weight, share * weight
        box, dfl = self.box(predicted, target), self.dfl(bins(sides, REG_MAX), places.points, target)
        return (box * share).sum(), cls.sum(), (dfl * share).sum()


def combined(box: Tensor, cls: Tensor, dfl: Tensor, target_scores: Tensor) -> Losses:
    normaliser = target_scores.sum().clamp(min=1)
    box, cls, dfl = box / normaliser, cls / normaliser, dfl / normaliser
    items = torch.stack([term * gain for term, gain in zip((box, cls, dfl), GAINS)])
    images = static.whole(static.size(target_scores, 0)).to(items.dtype)
    return Losses(box, cls, dfl, items, items.sum() * images, normaliser)
