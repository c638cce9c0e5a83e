"""ATSS assigner: of the anchors nearest to a truth, those whose IoU exceeds mean + deviation; what dialects do differently is a rule."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .assign import Assigned, Settle, Targets, Truth, chosen
from .geometry import EPS, AnchorOverlap, Inside, Overlap, Valid

LEVELS = 3


class Rule(NamedTuple):
    """YOLOv6's dialect, where nothing else is said."""

    top_k: int = 9  # per level; a smaller level gives all it has
    reaching: bool = False  # an IoU equal to the threshold is enough
    depth: float = EPS
    soft: bool = True  # scores are softened by the IoU of the predicted boxes
    claiming: bool = False  # only truths that claim an anchor compete for it
    all_valid: bool = False  # else a truth mostly left of or above the image is dropped
    background: str = "first_box"


class Atss(nn.Module):
    """`forward` takes predicted boxes `[B, A, 4]` and anchor boxes `[A, 4]` in pixels, and each anchor's level `[A]`: 0, 1 or 2."""

    def __init__(self, rule: Rule = Rule()):
        super().__init__()
        self.rule = rule
        self.valid = Valid()
        self.anchor_overlap = AnchorOverlap()
        self.distance = Distance()
        self.nearest = Nearest(rule.top_k)
        self.threshold = Threshold()
        self.in_gt = Inside(rule.depth)
        self.settle = Settle(rule.claiming)
        self.targets = Targets(rule.background)
        self.overlap = Overlap() if rule.soft else None

    def forward(self, classes: int | Tensor, boxes: Tensor, anchors: Tensor, level: Tensor, truth: Truth) -> Assigned:
        valid = truth.counted if self.rule.all_valid else self.valid(truth.boxes)
        overlap = self.anchor_overlap(truth.boxes, anchors.unsqueeze(0))
        centres = centre(anchors)
        distance = self.distance(truth.boxes, centres)
        candidate = self.nearest(distance, level)
        limit = self.threshold(overlap, candidate)
        above = overlap >= limit if self.rule.reaching else overlap > limit
        positive = above & candidate & self.in_gt(centres, truth.boxes) & valid
        positive, fg_mask, owner = self.settle(positive, overlap)
        target_labels, target_boxes, target_scores = self.targets(truth, fg_mask, owner, classes)
        if self.overlap:
            target_scores = target_scores * (self.overlap(truth.boxes, boxes) * positive).amax(1).unsqueeze(-1)
        return Assigned(fg_mask, owner, target_labels, target_boxes, target_scores, distance, overlap)


def squares(points: Tensor, strides: Tensor, cells: float = 5.0) -> Tensor:
    """Anchor boxes `[A, 4]`: squares of 5 strides around points in pixels."""
    half = strides * (cells / 2)
    return torch.cat([points - half, points + half], -1)


def centre(boxes: Tensor) -> Tensor:
    low, high = boxes.split(2, -1)
    return (low + high) * 0.5


class Distance(nn.Module):
    """`[B, G, A]`: from the centre of each truth to each anchor's."""

    def forward(self, truths: Tensor, centres: Tensor) -> Tensor:
        return (centre(truths).unsqueeze(2) - centres).pow(2).sum(-1).sqrt()


class Nearest(nn.Module):
    """Bool `[B, G, A]`: the k anchors of each level whose centres are nearest to each truth's; k of ∞ fill up a smaller level."""

    def __init__(self, k: int):
        super().__init__()
        self.k = k

    def forward(self, distance: Tensor, level: Tensor) -> Tensor:
        found = [self.on_level(distance, level == number) for number in range(LEVELS)]
        return found[0] | found[1] | found[2]

    def on_level(self, distance: Tensor, own: Tensor) -> Tensor:
        filled = F.pad(torch.where(own, distance, math.inf), (0, self.k), value=math.inf)
        _, index = filled.topk(self.k, -1, largest=False)
        return chosen(filled, index)[..., : -self.k] & own


class Threshold(nn.Module):
    """`[B, G, 1]`: mean plus unbiased standard deviation of the candidates' overlaps; NaN for one candidate."""

    def forward(self, overlap: Tensor, candidate: Tensor) -> Tensor:
        candidate = candidate.to(overlap.dtype)
        count = candidate.sum(-1, keepdim=True)
        mean = (overlap * candidate).sum(-1, keepdim=True) / count
        variance = ((overlap - mean).pow(2) * candidate).sum(-1, keepdim=True) / (count - 1)
        return mean + variance.sqrt()
