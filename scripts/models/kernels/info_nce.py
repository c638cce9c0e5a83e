"""InfoNCE: query `[N, D]` and keys `[N, K, D]`, the positive first, to `[N]`; keys carry no gradient."""

from __future__ import annotations

import torch
from gold_yolo.stop_gradient import StopGradient
from torch import Tensor, nn

SHORTEST = 1e-12


class InfoNce(nn.Module):
    def __init__(self, temperature: float = 0.07):
        super().__init__()
        self.temperature = temperature
        self.stop_keys = StopGradient()

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        cosine = self.stop_keys(unit(keys)).matmul(unit(query).unsqueeze(-1)).squeeze(-1)
        return -(cosine / self.temperature).log_softmax(-1)[:, 0]


def unit(x: Tensor) -> Tensor:
    """`x` over its length, at least 1e-12; the root is never taken of 0, where its gradient is infinite."""
    square = x.pow(2).sum(-1, keepdim=True)
    length = torch.where(square > 0, torch.where(square > 0, square, 1.0).sqrt(), 0.0)
    return x / length.clamp(min=SHORTEST)
