"""TaskAligned assigner, YOLOv6's dialect: top-k 13 by score^1 · IoU^6 inside each truth."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from . import static
from .assign import Assigned, Settle, Targets, chosen
from .geometry import EPS, Inside, Overlap, Valid


class TaskAligned(nn.Module):
    """`forward` takes scores `[B, A, classes]`, boxes `[B, A, 4]`, points `[A, 2]`, all in pixels, nothing with gradients."""

    def __init__(self, classes: int, top_k: int = 13, alpha: float = 1.0, beta: float = 6.0):
        super().__init__()
        self.valid = Valid()
        self.overlap = Overlap()
        self.metric = Metric(alpha, beta)
        self.in_gt = Inside()
        self.top_k = TopK(top_k)
        self.settle = Settle()
        self.targets = Targets(classes)
        self.soften = Soften()

    def forward(self, scores: Tensor, boxes: Tensor, points: Tensor, labels: Tensor, truths: Tensor) -> Assigned:
        valid = self.valid(truths)
        overlap = self.overlap(truths, boxes)
        metric = self.metric(scores, overlap, labels)
        inside = self.in_gt(points, truths)
        positive = self.top_k(metric, inside) & inside & valid
        positive, fg_mask, index = self.settle(positive, overlap)
        target_labels, target_boxes, target_scores = self.targets(labels, truths, valid, fg_mask, index)
        target_scores = target_scores * self.soften(metric, overlap, positive)
        return Assigned(fg_mask, index, target_labels, target_boxes, target_scores, metric, overlap)


class Metric(nn.Module):
    """`[B, G, A]`: score of the truth's class to the power alpha, times overlap to the power beta."""

    def __init__(self, alpha: float, beta: float):
        super().__init__()
        self.alpha, self.beta = alpha, beta

    def forward(self, scores: Tensor, overlap: Tensor, labels: Tensor) -> Tensor:
        wanted = labels.unsqueeze(-1).expand(*(static.size(overlap, i) for i in range(3)))
        own = scores.transpose(1, 2).gather(1, wanted)
        return own.pow(self.alpha) * overlap.pow(self.beta)


class TopK(nn.Module):
    """Bool `[B, G, A]`: the k anchors with the largest metric inside each truth; anchors outside count 0 and may fill up."""

    def __init__(self, k: int):
        super().__init__()
        self.k = k

    def forward(self, metric: Tensor, inside: Tensor) -> Tensor:
        _, index = (metric * inside.to(metric.dtype)).topk(self.k, -1)
        return chosen(metric, index)


class Soften(nn.Module):
    """`[B, A, 1]`: metric · highest IoU / (highest metric + 1e-9), the highest of each truth's positives."""

    def forward(self, metric: Tensor, overlap: Tensor, positive: Tensor) -> Tensor:
        metric = metric * positive
        best = metric.amax(-1, keepdim=True)
        iou = (overlap * positive).amax(-1, keepdim=True)
        return (metric * iou / (best + EPS)).amax(1).unsqueeze(-1)
