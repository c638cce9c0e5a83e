"""Padded ground truth of a batch: rows at or after the count may hold anything and read as class 0 with an empty box."""

from __future__ import annotations

import torch
from gold_yolo import static
from torch import Tensor, nn


class Counted(nn.Module):
    """Labels `[B, G]`, boxes `[B, G, 4]` and which rows are no padding, bool `[B, G, 1]`."""

    def forward(self, labels: Tensor, boxes: Tensor, count: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        counted = static.steps(static.size(labels, 1)) < count.unsqueeze(1)
        rows = counted.unsqueeze(-1)
        return torch.where(counted, labels, 0), torch.where(rows, boxes, 0.0), rows
