"""ATSS assigner, YOLOv6's dialect: nearest 9 anchors per level, IoU strictly above mean + standard deviation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from . import static
from .assign import Assigned, Settle, Targets, chosen
from .geometry import AnchorOverlap, Inside, Overlap, Valid

CELL = 5.0


class Atss(nn.Module):
    """Anchors are squares of 5·stride; scores are softened by the IoU of the predicted boxes `[B, A, 4]` (pixels)."""

    def __init__(self, classes: int, top_k: int = 9):
        super().__init__()
        self.valid = Valid()
        self.anchor_overlap = AnchorOverlap()
        self.nearest = Nearest(top_k)
        self.threshold = Threshold()
        self.in_gt = Inside()
        self.settle = Settle()
        self.targets = Targets(classes)
        self.overlap = Overlap()

    def forward(self, boxes: Tensor, points: Tensor, strides: Tensor, counts: list[int], labels: Tensor, truths: Tensor) -> Assigned:
        half = strides * (CELL / 2)
        overlap = self.anchor_overlap(truths, torch.cat([points - half, points + half], -1).unsqueeze(0))
        candidate, index = self.nearest(points, counts, truths)
        valid = self.valid(truths)
        positive = (overlap > self.threshold(overlap, index)) & candidate & self.in_gt(points, truths) & valid
        positive, fg_mask, owner = self.settle(positive, overlap)
        target_labels, target_boxes, target_scores = self.targets(labels, truths, valid, fg_mask, owner)
        iou = self.overlap(truths, boxes)
        target_scores = target_scores * (iou * positive).amax(1).unsqueeze(-1)
        return Assigned(fg_mask, owner, target_labels, target_boxes, target_scores, overlap, iou)


class Nearest(nn.Module):
    """The anchors of each level whose centres are nearest to each truth's: bool `[B, G, A]` and indices `[B, G, 3·k]`."""

    def __init__(self, k: int):
        super().__init__()
        self.k = k

    def forward(self, points: Tensor, counts: list[int], truths: Tensor) -> tuple[Tensor, Tensor]:
        low, high = truths.unsqueeze(2).split(2, -1)
        distance = ((low + high) / 2 - points).pow(2).sum(-1).sqrt()
        found, begin = [], 0
        for count, level in zip(counts, distance.split(counts, -1)):
            _, index = level.topk(min(self.k, count), -1, largest=False)
            found.append(index + begin)
            begin += count
        index = torch.cat(found, -1)
        return chosen(distance, index), index


class Threshold(nn.Module):
    """`[B, G, 1]`: mean plus unbiased standard deviation of the candidates' overlaps."""

    def forward(self, overlap: Tensor, index: Tensor) -> Tensor:
        own = overlap.gather(-1, index)
        mean = own.mean(-1, keepdim=True)
        variance = (own - mean).pow(2).sum(-1, keepdim=True) / (static.size(index, -1) - 1)
        return mean + variance.sqrt()
