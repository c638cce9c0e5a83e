"""The confusion matrix of a segmentation: logits `[P, C]`, labels `[P]` and a mask `[P]` to counts `[C + 1, C + 1]`."""

from __future__ import annotations

import torch
from gold_yolo import static
from torch import Tensor, nn


class Confusion(nn.Module):
    """Rows are labels, columns predictions, the first of equal logits; what is ignored has the last row, what is unsure the last column."""

    def __init__(self, ignore: int = -1):
        super().__init__()
        self.ignore = ignore

    def forward(self, logits: Tensor, labels: Tensor, unsure: Tensor) -> Tensor:
        classes = static.size(logits, 1)
        predicted = torch.where(unsure, classes, logits.argmax(1))
        truth = torch.where(labels == self.ignore, classes, labels)
        own = static.steps(classes + 1)
        both = (truth.unsqueeze(1) == own).unsqueeze(2) & (predicted.unsqueeze(1) == own).unsqueeze(1)
        return both.sum(0)
