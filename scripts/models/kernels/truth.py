"""Padded ground truth of a batch: rows at or after the count may hold anything and read as class 0 with an empty box."""

from __future__ import annotations

import torch
from gold_yolo import static
from gold_yolo.assign import Truth
from torch import Tensor, nn


class Counted(nn.Module):
    """From labels `[B, G]`, boxes `[B, G, 4]` and counts `[B]`."""

    def forward(self, labels: Tensor, boxes: Tensor, count: Tensor) -> Truth:
        counted = static.steps(static.size(labels, 1)) < count.unsqueeze(1)
        rows = counted.unsqueeze(-1)
        return Truth(torch.where(counted, labels, 0), torch.where(rows, boxes, 0.0), rows)
