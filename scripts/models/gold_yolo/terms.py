"""The terms of the loss: varifocal, box overlap (SIoU or GIoU) and distribution focal."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

EPS = 1e-10
TINY = 2.0**-126


class Varifocal(nn.Module):
    """Σ BCE(p, q) · w with w = 0.75·p²·(1 − y) + q·y over `[B, A, classes]`; gradients flow through w too."""

    def __init__(self, alpha: float = 0.75, gamma: float = 2.0):
        super().__init__()
        self.alpha, self.gamma = alpha, gamma
        self.bce = CrossEntropy()

    def forward(self, scores: Tensor, soft: Tensor, hard: Tensor) -> Tensor:
        weight = self.alpha * scores.pow(self.gamma) * (1 - hard) + soft * hard
        return (self.bce(scores, soft) * weight).sum()


class CrossEntropy(nn.Module):
    """−q·log p − (1 − q)·log(1 − p), logarithms at least −100."""

    def forward(self, scores: Tensor, soft: Tensor) -> Tensor:
        return -(soft * clamped_log(scores) + (1 - soft) * clamped_log(1 - scores))


def clamped_log(x: Tensor) -> Tensor:
    """max(log x, −100), as −100 below the normal numbers, whose own logarithms end at −87: its gradient there is 0, not NaN."""
    normal = x >= TINY
    return torch.where(normal, torch.where(normal, x, 1.0).log(), -100.0)


class BoxLoss(nn.Module):
    """`[B, A, 1]`: 1 − SIoU or 1 − GIoU of box pairs `[B, A, 4]` in cells."""

    def __init__(self, kind: str = "siou"):
        super().__init__()
        self.penalty = {"siou": SIoU, "giou": GIoU}[kind]()

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        p, t = predicted.split(1, -1), target.split(1, -1)
        pw, ph, tw, th = p[2] - p[0], p[3] - p[1] + EPS, t[2] - t[0], t[3] - t[1] + EPS
        across = torch.minimum(p[2], t[2]) - torch.maximum(p[0], t[0])
        down = torch.minimum(p[3], t[3]) - torch.maximum(p[1], t[1])
        inside = across.clamp(min=0) * down.clamp(min=0)
        union = pw * ph + tw * th - inside + EPS
        hull = torch.maximum(p[2], t[2]) - torch.minimum(p[0], t[0]), torch.maximum(p[3], t[3]) - torch.minimum(p[1], t[1])
        return 1 - (inside / union - self.penalty(p, t, (pw, ph), (tw, th), hull, union))


class SIoU(nn.Module):
    """0.5 · (distance + shape): distance weighted by the angle between the centres, shape to the power 4."""

    def forward(self, p, t, size_p, size_t, hull, union) -> Tensor:
        x = (t[0] + t[2] - p[0] - p[2]) * 0.5 + EPS
        y = (t[1] + t[3] - p[1] - p[3]) * 0.5 + EPS
        apart = (x.pow(2) + y.pow(2)).sqrt()
        sin_x, sin_y = x.abs() / apart, y.abs() / apart
        sin = torch.where(sin_x > math.sqrt(2) / 2, sin_y, sin_x)
        gamma = (sin.asin() * 2 - math.pi / 2).cos() - 2
        distance = 2 - (gamma * (x / hull[0]).pow(2)).exp() - (gamma * (y / hull[1]).pow(2)).exp()
        shape = sum((1 - (-(a - b).abs() / torch.maximum(a, b)).exp()).pow(4) for a, b in zip(size_p, size_t))
        return 0.5 * (distance + shape)


class GIoU(nn.Module):
    """(hull − union) / hull."""

    def forward(self, p, t, size_p, size_t, hull, union) -> Tensor:
        area = hull[0] * hull[1] + EPS
        return (area - union) / area


class Distribution(nn.Module):
    """`[B, A, 1]`: cross-entropy to the two bins around each target side (cells, 0 .. reg_max − 0.01), mean over the sides."""

    def __init__(self, reg_max: int):
        super().__init__()
        self.reg_max = reg_max

    def forward(self, bins: Tensor, points: Tensor, target: Tensor) -> Tensor:
        low, high = target.split(2, -1)
        sides = torch.cat([points - low, high - points], -1).clamp(0, self.reg_max - 0.01)
        left = sides.floor()
        share = (left + 1) - sides
        log = bins.log_softmax(-1)
        at_left, at_right = (log.gather(-1, i.long().unsqueeze(-1)).squeeze(-1) for i in (left, left + 1))
        return -(at_left * share + at_right * (1 - share)).mean(-1, keepdim=True)
