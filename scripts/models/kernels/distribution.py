"""Distribution focal loss and mean bin of one side: logits `[N, bins]` and a distance `[N]` to `[N]` each."""

from __future__ import annotations

from gold_yolo.loss import mean_bin
from gold_yolo.terms import Distribution
from torch import Tensor, nn


class Dfl(nn.Module):
    def __init__(self, reg_max: int = 16):
        super().__init__()
        self.distribution = Distribution(reg_max)

    def forward(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return -self.distribution.likelihood(x, target), mean_bin(x)
