"""Cross-entropy per pixel with an ignored label: logits `[P, C]` and labels `[P]` to the mean over what counts, and how many count."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class PixelCrossEntropy(nn.Module):
    """NaN where all are ignored; the gradient is 0 there."""

    def __init__(self, ignore: int = -1):
        super().__init__()
        self.ignore = ignore

    def forward(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        counts = labels != self.ignore
        label = torch.where(counts, labels, 0)
        own = logits.log_softmax(-1).gather(-1, label.unsqueeze(-1)).squeeze(-1)
        counted = counts.sum()
        some = counted > 0
        mean = -torch.where(counts, own, 0.0).sum() / torch.where(some, counted, 1)
        return torch.where(some, mean, math.nan), counted
