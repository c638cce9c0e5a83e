"""Distribution focal loss and mean bin of one side: logits `[N, bins]` and a distance `[N]` to `[N]` each."""

from __future__ import annotations

import torch
from gold_yolo.loss import mean_bin
from gold_yolo.terms import Distribution
from torch import Tensor, nn


class Dfl(nn.Module):
    def __init__(self, reg_max: int = 16):
        super().__init__()
        self.distribution = Distribution(reg_max)

    def forward(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return -self.distribution.likelihood(x, target), mean_bin(x)


class DflOfAny(nn.Module):
    """The same over as many bins as `x` has."""

    def forward(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        one = torch.ones_like(x[0])
        last = one.sum() - 1
        sides = torch.minimum(target.clamp(min=0), last - 0.01)
        left = sides.floor()
        log = x.log_softmax(-1)
        at_left, at_right = (log.gather(-1, i.long().unsqueeze(-1)).squeeze(-1) for i in (left, left + 1))
        share = (left + 1) - sides
        steps = torch.nonzero(one).squeeze(-1).to(x.dtype)
        return -(at_left * share + at_right * (1 - share)), (x.softmax(-1) * steps).sum(-1)
