"""Losses of single elements: binary cross-entropy, focal, varifocal and quality focal, all `[N]` to `[N]`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from gold_yolo.terms import Varifocal
from torch import Tensor, nn


class BceLogits(nn.Module):
    """softplus(x) − q·x, without the difference of two large numbers and without a kink at 0."""

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        return torch.where(x > 0, F.softplus(-x) + x * (1 - target), F.softplus(x) - x * target)


class Focal(nn.Module):
    """alpha_t · (probability of what is not true)^gamma · BCE of a logit; the weight carries a gradient."""

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0):
        super().__init__()
        self.alpha, self.gamma = alpha, gamma
        self.bce = BceLogits()

    def forward(self, x: Tensor, positive: Tensor) -> Tensor:
        missed = (x * (1 - 2 * positive)).sigmoid()
        share = self.alpha * positive + (1 - self.alpha) * (1 - positive)
        return self.bce(x, positive) * missed.pow(self.gamma) * share


class QualityFocal(nn.Module):
    """|q − sigmoid(x)|^beta · BCE of a logit; beta is even, so no absolute value is needed."""

    def __init__(self, beta: int = 2):
        super().__init__()
        assert beta % 2 == 0
        self.beta = beta
        self.bce = BceLogits()

    def forward(self, x: Tensor, quality: Tensor) -> Tensor:
        return self.bce(x, quality) * (x.sigmoid() - quality).pow(self.beta)


class VarifocalEach(nn.Module):
    """Varifocal before its sum."""

    def __init__(self, detached: bool = False):
        super().__init__()
        self.varifocal = Varifocal(detached=detached)

    def forward(self, p: Tensor, quality: Tensor, positive: Tensor) -> Tensor:
        return self.varifocal.each(p, quality, positive)
