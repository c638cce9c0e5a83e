"""Weights of anchors by the area of their object in pixels: below 32² twice, below 96² one and a half times, else once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LIMITS = 32.0**2, 96.0**2


class SizeWeight(nn.Module):
    """`[...]` from boxes `[..., 4]` and a mask `[...]`: background counts `background` times; 0 is the faulty control."""

    def __init__(self, background: float = 1.0):
        super().__init__()
        self.background = background

    def forward(self, boxes: Tensor, foreground: Tensor) -> Tensor:
        low, high = boxes.split(2, -1)
        area = (high - low).prod(-1)
        weight = torch.where(area < LIMITS[0], 2.0, torch.where(area < LIMITS[1], 1.5, 1.0))
        return torch.where(foreground, weight, self.background)


class BothWeights(nn.Module):
    def __init__(self):
        super().__init__()
        self.by_size, self.foreground_only = SizeWeight(), SizeWeight(background=0.0)

    def forward(self, boxes: Tensor, foreground: Tensor) -> tuple[Tensor, Tensor]:
        return self.by_size(boxes, foreground), self.foreground_only(boxes, foreground)
