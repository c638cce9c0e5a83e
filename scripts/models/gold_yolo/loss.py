"""The loss of Gold-YOLO-N: assignment, three terms, their weights and their common normaliser."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import static
from .anchors import Anchors, Places, levels
from .assign import Assigned, Counted, Truth, one_hot
from .atss import Atss, squares
from .stop_gradient import StopGradient
from .task_aligned import TaskAligned
from .terms import BoxLoss, Distribution, Varifocal

WEIGHTS = dict(iou=2.5, dfl=0.5, cls=1.0)


class Losses(NamedTuple):
    iou: Tensor  # raw terms, before their weights
    dfl: Tensor
    cls: Tensor
    items: Tensor  # [3]: iou · 2.5, dfl · 0.5, cls
    total: Tensor
    normaliser: Tensor  # Σ target scores, or 1 where that is 0


class Loss(nn.Module):
    """Scores `[B, A, classes]`, sides `[B, A, 4·(reg_max + 1)]`, labels int64 `[B, G]`, boxes `[B, G, 4]` in pixels.

    In an export of one image size G is fixed: rows of zeros are padding, so zero, one and many truths run through the same operations.
    The original receives truths as f64 and assigns in f64; here they are f32, like everything else.
    """

    def __init__(self, reg_max: int = 0, assigner: str = "task_aligned", overlap: str = "siou"):
        super().__init__()
        self.reg_max = reg_max
        self.anchors = Anchors()
        self.counted = Counted()
        self.decode = DecodeSides(reg_max)
        self.stop_scores, self.stop_boxes = StopGradient(), StopGradient()
        self.assigner = {"task_aligned": TaskAligned, "atss": Atss}[assigner]()
        self.varifocal = Varifocal()
        self.select = Select()
        self.iou = BoxLoss(overlap)
        self.dfl = Distribution(reg_max) if reg_max else None
        self.combine = Combine()

    def forward(self, scores: Tensor, sides: Tensor, labels: Tensor, truths: Tensor, grids: list) -> tuple[Assigned, Losses]:
        points, strides = self.anchors(grids, scores)
        return self.at(Places(points, strides, levels(grids)), scores, sides, Truth(labels, truths, self.counted(labels, truths)))

    def at(self, places: Places, scores: Tensor, sides: Tensor, truth: Truth) -> tuple[Assigned, Losses]:
        """The same at given places, whatever the image."""
        points, strides, _ = places
        boxes, classes = self.decode(sides, points), static.size(scores, 2)
        assigned = self.assign(scores, boxes, Places(points * strides, strides, places.level), truth)
        hard = one_hot(torch.where(assigned.fg_mask, assigned.target_labels, static.whole(classes)), classes).to(scores.dtype)
        cls = self.varifocal(scores, assigned.target_scores, hard)
        predicted, target = self.select(boxes, assigned.target_boxes / strides, assigned.fg_mask)
        weight = assigned.target_scores.sum(-1, keepdim=True)
        iou = (self.iou(predicted, target) * weight).sum()
        dfl = (self.dfl(bins(sides, self.reg_max), points, target) * weight).sum() if self.dfl else iou * 0.0
        return assigned, self.combine(iou, dfl, cls, assigned.target_scores)

    def assign(self, scores: Tensor, boxes: Tensor, pixels: Places, truth: Truth) -> Assigned:
        boxes = self.stop_boxes(boxes) * pixels.strides
        if isinstance(self.assigner, Atss):
            return self.assigner(static.size(scores, 2), boxes, squares(pixels.points, pixels.strides), pixels.level, truth)
        return self.assigner(self.stop_scores(scores), boxes, pixels.points, truth)


class DecodeSides(nn.Module):
    """Sides to boxes x1, y1, x2, y2 in cells; with distributions the expectation over the bins."""

    def __init__(self, reg_max: int):
        super().__init__()
        self.reg_max = reg_max

    def forward(self, sides: Tensor, points: Tensor) -> Tensor:
        if self.reg_max:
            sides = mean_bin(bins(sides, self.reg_max))
        before, after = sides.split(2, -1)
        return torch.cat([points - before, points + after], -1)


def bins(sides: Tensor, reg_max: int) -> Tensor:
    """`[B, A, 4, reg_max + 1]`."""
    return sides.reshape(static.size(sides, 0), static.size(sides, 1), 4, reg_max + 1)


def mean_bin(logits: Tensor) -> Tensor:
    """The expectation under the softmax of logits `[..., bins]`."""
    values = torch.tensor([float(i) for i in range(int(logits.shape[-1]))], dtype=logits.dtype)
    return logits.softmax(-1).matmul(values)


class Select(nn.Module):
    """Both boxes where an anchor is positive, the unit box elsewhere: a masked anchor can give no NaN to a gradient."""

    def forward(self, predicted: Tensor, target: Tensor, fg_mask: Tensor) -> tuple[Tensor, Tensor]:
        unit, mask = torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=predicted.dtype), fg_mask.unsqueeze(-1)
        return torch.where(mask, predicted, unit), torch.where(mask, target, unit)


class Combine(nn.Module):
    """Each term over the normaliser, times its weight; all that is summed twice anywhere is summed here once."""

    def forward(self, iou: Tensor, dfl: Tensor, cls: Tensor, target_scores: Tensor) -> Losses:
        total = target_scores.sum()
        normaliser = torch.where(total > 0, total, 1.0)
        iou, dfl, cls = iou / normaliser, dfl / normaliser, cls / normaliser
        items = torch.stack([iou * WEIGHTS["iou"], dfl * WEIGHTS["dfl"], cls * WEIGHTS["cls"]])
        return Losses(iou, dfl, cls, items, items.sum(), normaliser)
