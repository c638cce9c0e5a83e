"""How alike two boxes are: IoU, GIoU, DIoU, CIoU and SIoU, with the small number eps where each code base puts it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .stop_gradient import StopGradient

TINY = 2.0**-126
NARROW = 2.0**-60


class Rule(NamedTuple):
    """Where eps stands. added: in both heights, union and enclosure; apart: there too, but areas do not see it and SIoU's
    enclosure has sides of at least eps; floor: union and enclosure are at least eps."""

    kind: str
    place: str
    eps: float
    limited: bool = False  # CIoU's alpha is 0 up to an IoU of 1/2 and has no eps; the similarity stays within -1 and 1
    turned: bool = False  # SIoU rewards distance


class Similarity(nn.Module):
    """`[..., 1]`: IoU less the penalty of the kind, of box pairs `[..., 4]`."""

    def __init__(self, rule: Rule):
        super().__init__()
        self.rule = rule
        kinds = {"giou": GIoU, "diou": DIoU, "ciou": CIoU, "siou": SIoU}
        self.penalty = None if rule.kind == "iou" else kinds[rule.kind](rule)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.of(a, b)

    def of(self, a: Tensor, b: Tensor) -> Tensor:
        a, b = a.split(1, -1), b.split(1, -1)
        sizes = self.size(a), self.size(b)
        across = torch.minimum(a[2], b[2]) - torch.maximum(a[0], b[0])
        down = torch.minimum(a[3], b[3]) - torch.maximum(a[1], b[1])
        inside = across.clamp(min=0) * down.clamp(min=0)
        union = guarded(self.rule, self.area(a, sizes[0]) + self.area(b, sizes[1]) - inside)
        hull = [torch.maximum(a[i + 2], b[i + 2]) - torch.minimum(a[i], b[i]) for i in (0, 1)]
        if self.rule.place != "added":  # negative around two inverted boxes
            hull = [side.clamp(min=self.rule.eps if self.rule.kind == "siou" else 0) for side in hull]
        iou = inside / union
        similarity = iou - self.penalty(Pair(a, b, *sizes, hull, union, iou)) if self.penalty else iou
        return similarity.clamp(-1, 1) if self.rule.limited else similarity

    def size(self, box: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        width, height = box[2] - box[0], box[3] - box[1]
        return width, height if self.rule.place == "floor" else height + self.rule.eps

    def area(self, box: tuple[Tensor, ...], size: tuple[Tensor, Tensor]) -> Tensor:
        return size[0] * (box[3] - box[1] if self.rule.place == "apart" else size[1])


class Pair(NamedTuple):
    a: tuple[Tensor, ...]  # four columns
    b: tuple[Tensor, ...]
    size_a: tuple[Tensor, Tensor]  # width and height as aspects and shapes see them
    size_b: tuple[Tensor, Tensor]
    hull: list[Tensor]  # width and height of the smallest box around both
    union: Tensor
    iou: Tensor


def guarded(rule: Rule, x: Tensor) -> Tensor:
    return x.clamp(min=rule.eps) if rule.place == "floor" else x + rule.eps


class Penalty(nn.Module):
    def __init__(self, rule: Rule):
        super().__init__()
        self.rule = rule


class GIoU(Penalty):
    """(hull − union) / hull."""

    def forward(self, pair: Pair) -> Tensor:
        area = guarded(self.rule, pair.hull[0] * pair.hull[1])
        return (area - pair.union) / area


class DIoU(Penalty):
    """Squared distance of the centres over the squared diagonal of the hull."""

    def forward(self, pair: Pair) -> Tensor:
        x, y = ((pair.b[i] + pair.b[i + 2] - pair.a[i] - pair.a[i + 2]) * 0.5 for i in (0, 1))
        return (x * x + y * y) / guarded(self.rule, pair.hull[0] * pair.hull[0] + pair.hull[1] * pair.hull[1])


class CIoU(DIoU):
    """DIoU's and v · alpha: v from the difference of the aspects' angles, alpha without a gradient."""

    def __init__(self, rule: Rule):
        super().__init__(rule)
        self.stop_alpha = StopGradient()

    def forward(self, pair: Pair) -> Tensor:
        gap = (pair.size_b[0] / pair.size_b[1]).atan() - (pair.size_a[0] / pair.size_a[1]).atan()
        v = gap * gap * (4 / math.pi**2)
        return super().forward(pair) + v * self.stop_alpha(self.alpha(v, pair.iou))

    def alpha(self, v: Tensor, iou: Tensor) -> Tensor:
        """An IoU that rounding lifts to 1 or above must not make the divisor 0: the limits below hold for every true IoU."""
        if not self.rule.limited:
            return v / (v - iou + (1 + self.rule.eps)).clamp(min=self.rule.eps)
        return torch.where(iou > 0.5, v / ((1 - iou).clamp(min=TINY) + v), 0.0)


class SIoU(Penalty):
    """0.5 · (distance + shape): distance weighted by the angle between the centres, shape to the power 4."""

    def forward(self, pair: Pair) -> Tensor:
        p, t, hull = pair.a, pair.b, pair.hull
        x = (t[0] + t[2] - p[0] - p[2]) * 0.5 + self.rule.eps
        y = (t[1] + t[3] - p[1] - p[3]) * 0.5 + self.rule.eps
        apart = (x.pow(2) + y.pow(2)).sqrt()
        sin_x, sin_y = x.abs() / apart, y.abs() / apart
        sin = torch.where(sin_x > math.sqrt(2) / 2, sin_y, sin_x)
        gamma = (sin.asin() * 2 - math.pi / 2).cos() - 2
        gamma = -gamma if self.rule.turned else gamma
        distance = 2 - self.near(gamma * (x / hull[0]).pow(2)) - self.near(gamma * (y / hull[1]).pow(2))
        shape = sum((1 - (-(a - b).abs() / self.larger(a, b)).exp()).pow(4) for a, b in zip(pair.size_a, pair.size_b))
        return 0.5 * (distance + shape)

    def near(self, x: Tensor) -> Tensor:
        """e^x. Turned, x is positive and large around a prediction turned inside out: infinite, the gradient behind the limit would be NaN."""
        return (x.clamp(max=88) if self.rule.turned else x).exp()

    def larger(self, a: Tensor, b: Tensor) -> Tensor:
        """A target without width and a prediction turned inside out: the share is infinite, its cost 1, and 1 / 0 in its gradient NaN."""
        larger = torch.maximum(a, b)
        return torch.where((larger == 0) & (a != b), NARROW, larger) if self.rule.limited else larger
