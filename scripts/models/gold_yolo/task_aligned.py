"""TaskAligned assigner: the k anchors of each truth that classify and locate it best; what dialects do differently is a rule."""

from __future__ import annotations

from typing import Callable, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import static
from .assign import Assigned, Settle, Targets, Truth, chosen
from .geometry import EPS, Inside, Overlap, Valid


class Rule(NamedTuple):
    """YOLOv6's dialect, where nothing else is said."""

    top_k: int = 13
    alpha: float = 1.0
    beta: float = 6.0
    eps: float = EPS  # added to the highest metric
    overlap: Callable[[], nn.Module] = Overlap
    inside_only: bool = False  # overlaps outside a truth, and negative ones, are 0
    depth: float = EPS
    enlarge: float = 0.0
    inside_first: bool = True  # else points outside use up places, a metric of 0 is excluded and few anchors are enough
    claiming: bool = False  # only truths that claim an anchor compete for it
    all_valid: bool = False  # else a truth mostly left of or above the image is dropped
    background: str = "first_row"


class TaskAligned(nn.Module):
    """`forward` takes scores `[B, A, classes]`, boxes `[B, A, 4]`, points `[A, 2]`, all in pixels, nothing with gradients."""

    def __init__(self, rule: Rule = Rule()):
        super().__init__()
        self.rule = rule
        self.valid = Valid()
        self.overlap = rule.overlap()
        self.metric = Metric(rule.alpha, rule.beta)
        self.in_gt = Inside(rule.depth, rule.enlarge)
        self.top_k = TopK(rule.top_k, rule.inside_first)
        self.settle = Settle(rule.claiming)
        self.targets = Targets(rule.background)
        self.soften = Soften(rule.eps)

    def forward(self, scores: Tensor, boxes: Tensor, points: Tensor, truth: Truth) -> Assigned:
        valid = truth.counted if self.rule.all_valid else self.valid(truth.boxes)
        overlap, metric, inside = self.measure(scores, boxes, points, truth, valid)
        positive = self.top_k(metric, inside) & inside & valid
        positive, fg_mask, index = self.settle(positive, overlap)
        target_labels, target_boxes, target_scores = self.targets(truth, fg_mask, index, static.size(scores, 2))
        target_scores = target_scores * self.soften(metric, overlap, positive)
        return Assigned(fg_mask, index, target_labels, target_boxes, target_scores, metric, overlap)

    def measure(self, scores: Tensor, boxes: Tensor, points: Tensor, truth: Truth, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.rule.inside_only:
            inside = self.in_gt(points, truth.boxes)
            overlap = torch.where(inside & valid, self.overlap(truth.boxes, boxes).clamp(min=0), 0.0)
            return overlap, self.metric(scores, overlap, truth.labels), inside
        overlap = self.overlap(truth.boxes, boxes)
        return overlap, self.metric(scores, overlap, truth.labels), self.in_gt(points, truth.boxes)


class Metric(nn.Module):
    """`[B, G, A]`: score of the truth's class to the power alpha, times overlap to the power beta."""

    def __init__(self, alpha: float, beta: float):
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def forward(self, scores: Tensor, overlap: Tensor, labels: Tensor) -> Tensor:
        wanted = static.spread(labels.unsqueeze(-1), overlap)
        own = scores.transpose(1, 2).gather(1, wanted)
        return own.pow(self.alpha) * overlap.pow(self.beta)


class TopK(nn.Module):
    """Bool `[B, G, A]`: the k anchors with the largest metric inside each truth; anchors outside count 0 and may fill up. Or the k
    largest anywhere that are not 0; fewer anchors are filled up with k of −1."""

    def __init__(self, k: int, inside_first: bool):
        super().__init__()
        self.k, self.inside_first = k, inside_first

    def forward(self, metric: Tensor, inside: Tensor) -> Tensor:
        if self.inside_first:
            _, index = (metric * inside.to(metric.dtype)).topk(self.k, -1)
            return chosen(metric, index)
        filled = F.pad(metric, (0, self.k), value=-1.0)
        _, index = filled.topk(self.k, -1)
        return chosen(filled, index)[..., : -self.k] & (metric > 0)


class Soften(nn.Module):
    """`[B, A, 1]`: metric · highest overlap / (highest metric + eps), the highest of each truth's positives."""

    def __init__(self, eps: float):
        super().__init__()
        self.eps = eps

    def forward(self, metric: Tensor, overlap: Tensor, positive: Tensor) -> Tensor:
        metric = metric * positive
        best = metric.amax(-1, keepdim=True)
        iou = (overlap * positive).amax(-1, keepdim=True)
        return (metric * iou / (best + self.eps)).amax(1).unsqueeze(-1)
