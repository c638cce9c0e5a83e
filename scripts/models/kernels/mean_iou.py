"""What each public formula makes of one confusion matrix `[C + 1, C + 1]` of counts, the last row and column of which are what is ignored."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from gold_yolo import static
from torch import Tensor, nn


class Scores(NamedTuple):
    by_class: Tensor  # IoU [C], NaN where a class is absent
    mean: Tensor  # ignored [4] × measure [4] × absent [5]
    frequency_weighted: Tensor  # [4], as the next
    pixel_accuracy: Tensor
    pooled: Tensor


class MeanIou(nn.Module):
    """Ignored: out, in rows, in columns, in both. Measure: IoU, Dice, recall, precision. Absent: excluded, unlabelled too, 0, 1, NaN."""

    def forward(self, counts: Tensor) -> Scores:
        inside = counts[:-1, :-1]
        own = static.steps(static.size(counts, 0) - 1)
        correct = torch.where(own.unsqueeze(1) == own, inside, 0).sum(1)
        truth, predicted = inside.sum(1), inside.sum(0)
        truth = torch.stack([truth, counts[:-1, :].sum(1)]).repeat(2, 1)
        predicted = torch.stack([predicted, counts[:, :-1].sum(0)]).repeat_interleave(2, 0)
        correct = correct.expand_as(truth)
        all_of = torch.stack([inside.sum(), truth[1].sum(), predicted[2].sum(), counts.sum()])
        top, bottom = measures(truth, predicted, correct)
        iou = quotient(top[:, 0], bottom[:, 0])
        return Scores(
            iou[0],
            means(top, bottom, truth.unsqueeze(1) > 0),
            quotient(torch.where(truth > 0, truth * iou, 0.0).sum(1), truth.sum(1)),
            quotient(correct.sum(1), all_of),
            quotient(correct[0].sum(), bottom[0, 0].sum()),
        )


def measures(truth: Tensor, predicted: Tensor, correct: Tensor) -> tuple[Tensor, Tensor]:
    """Numerators and denominators `[4, 4, C]`."""
    both = truth + predicted
    return torch.stack([correct, 2 * correct, correct, correct], 1), torch.stack([both - correct, both, truth, predicted], 1)


def means(top: Tensor, bottom: Tensor, labelled: Tensor) -> Tensor:
    """`[4, 4, 5]`: the mean over what counts; NaN over nothing."""
    present = bottom > 0
    value = quotient(top, bottom)
    every = present | ~present
    counted = torch.stack([present, present & labelled, every, every, every], 2)
    filled = torch.stack([torch.where(present, value, absent) for absent in (0.0, 0.0, 0.0, 1.0, math.nan)], 2)
    return quotient(torch.where(counted, filled, 0.0).sum(-1), counted.sum(-1))


def quotient(top: Tensor, bottom: Tensor) -> Tensor:
    """NaN where there is nothing to divide by."""
    some = bottom > 0
    return torch.where(some, top.float() / torch.where(some, bottom, 1).float(), math.nan)
