"""Boxes as x1, y1, x2, y2: overlap of every ground truth with every anchor, and which anchors lie inside."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPS = 1e-9


class Overlap(nn.Module):
    """IoU of `[B, G, 4]` with `[B, A, 4]` as `[B, G, A]`: intersection / (union + 1e-9), sides clipped at 0."""

    def forward(self, truths: Tensor, boxes: Tensor) -> Tensor:
        inside, union = intersection_and_union(truths.unsqueeze(2), boxes.unsqueeze(1))
        return inside / (union + EPS)


class AnchorOverlap(nn.Module):
    """IoU of `[B, G, 4]` with anchors `[1, A, 4]` as `[B, G, A]`: union at least 1e-6 (the ATSS assigner's own rule)."""

    def forward(self, truths: Tensor, anchors: Tensor) -> Tensor:
        inside, union = intersection_and_union(truths.unsqueeze(2), anchors.unsqueeze(1))
        return inside / union.clamp(min=1e-6)


def intersection_and_union(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    (a_low, a_high), (b_low, b_high) = a.split(2, -1), b.split(2, -1)
    inside = (torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)).clamp(min=0).prod(-1)
    area_a, area_b = ((high - low).clamp(min=0).prod(-1) for low, high in ((a_low, a_high), (b_low, b_high)))
    return inside, area_a + area_b - inside


class Inside(nn.Module):
    """Whether points `[A, 2]` lie in truths `[B, G, 4]`, as bool `[B, G, A]`: the smallest distance to a side > `depth`, a side
    shorter than `enlarge` being enlarged to it first."""

    def __init__(self, depth: float = EPS, enlarge: float = 0.0):
        super().__init__()
        self.depth, self.enlarge = depth, enlarge

    def forward(self, points: Tensor, truths: Tensor) -> Tensor:
        low, high = truths.unsqueeze(2).split(2, -1)
        if self.enlarge:
            short, centre = high - low < self.enlarge, (low + high) * 0.5
            low = torch.where(short, centre - self.enlarge / 2, low)
            high = torch.where(short, centre + self.enlarge / 2, high)
        return torch.cat([points - low, high - points], -1).amin(-1) > self.depth


class Valid(nn.Module):
    """Which rows of truths `[B, G, 4]` are real, as bool `[B, G, 1]`: x1 + y1 + x2 + y2 > 0 (YOLOv6's rule)."""

    def forward(self, truths: Tensor) -> Tensor:
        return truths.sum(-1, keepdim=True) > 0
