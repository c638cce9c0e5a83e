"""The terms of the loss: varifocal, box overlap (SIoU or GIoU) and distribution focal."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .similarity import TINY, Rule, Similarity
from .stop_gradient import StopGradient

EPS = 1e-10


class Varifocal(nn.Module):
    """Σ BCE(p, q) · w with w = 0.75·p²·(1 − y) + q·y over `[B, A, classes]`; gradients flow through w too unless it is detached."""

    def __init__(self, alpha: float = 0.75, gamma: float = 2.0, detached: bool = False):
        super().__init__()
        self.alpha, self.gamma = alpha, gamma
        self.bce = CrossEntropy()
        self.stop_weight = StopGradient() if detached else None

    def forward(self, scores: Tensor, soft: Tensor, hard: Tensor) -> Tensor:
        return self.each(scores, soft, hard).sum()

    def each(self, scores: Tensor, soft: Tensor, hard: Tensor) -> Tensor:
        weight = self.alpha * scores.pow(self.gamma) * (1 - hard) + soft * hard
        return self.bce(scores, soft) * (self.stop_weight(weight) if self.stop_weight else weight)


class CrossEntropy(nn.Module):
    """−q·log p − (1 − q)·log(1 − p), logarithms at least −100."""

    def forward(self, scores: Tensor, soft: Tensor) -> Tensor:
        return -(soft * clamped_log(scores) + (1 - soft) * clamped_log(1 - scores))


def clamped_log(x: Tensor) -> Tensor:
    """max(log x, −100), as −100 below the normal numbers, whose own logarithms end at −87: its gradient there is 0, not NaN."""
    normal = x >= TINY
    return torch.where(normal, torch.where(normal, x, 1.0).log(), -100.0)


class BoxLoss(Similarity):
    """`[..., 1]`: 1 − SIoU or 1 − GIoU of box pairs `[..., 4]` in cells."""

    def __init__(self, kind: str = "siou", rule: Rule | None = None):
        super().__init__(rule or Rule(kind, "added", EPS))

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        return 1 - self.of(predicted, target)


class Distribution(nn.Module):
    """`[B, A, 1]`: cross-entropy to the two bins around each target side (cells, 0 .. reg_max − 0.01), mean over the sides."""

    def __init__(self, reg_max: int):
        super().__init__()
        self.reg_max = reg_max

    def forward(self, bins: Tensor, points: Tensor, target: Tensor) -> Tensor:
        low, high = target.split(2, -1)
        return -self.likelihood(bins, torch.cat([points - low, high - points], -1)).mean(-1, keepdim=True)

    def likelihood(self, bins: Tensor, sides: Tensor) -> Tensor:
        """Logarithms of the shares of `bins` `[..., reg_max + 1]` that the two bins around each of `sides` `[...]` get."""
        sides = sides.clamp(0, self.reg_max - 0.01)
        left = sides.floor()
        share = (left + 1) - sides
        log = bins.log_softmax(-1)
        at_left, at_right = (log.gather(-1, i.long().unsqueeze(-1)).squeeze(-1) for i in (left, left + 1))
        return at_left * share + at_right * (1 - share)
