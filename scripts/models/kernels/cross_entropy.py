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


class WeightedCrossEntropy(nn.Module):
    """Any label may be the ignored one, and every class has a weight: the mean is that of the weighted pixels, over their weights."""

    def forward(self, logits: Tensor, labels: Tensor, weight: Tensor, ignore: Tensor) -> tuple[Tensor, Tensor]:
        counts = labels != ignore
        label = torch.where(counts, labels, 0)
        own = logits.log_softmax(-1).gather(-1, label.unsqueeze(-1)).squeeze(-1)
        share = torch.where(counts, weight.gather(0, label), 0.0)
        whole = share.sum()
        some = whole > 0
        mean = -(own * share).sum() / torch.where(some, whole, 1.0)
        return torch.where(some, mean, math.nan), counts.sum()
