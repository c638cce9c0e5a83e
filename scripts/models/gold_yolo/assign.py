"""What both assigners share: anchors claimed twice are settled, then labels, boxes and one-hot scores are gathered."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import static


class Truth(NamedTuple):
    """The ground truth of a batch in pixels, padded."""

    labels: Tensor  # int64 [B, G]
    boxes: Tensor  # [B, G, 4]
    counted: Tensor  # bool [B, G, 1]: the rows that are no padding, dropped ones among them


class Assigned(NamedTuple):
    fg_mask: Tensor  # bool [B, A]
    gt_index: Tensor  # int64 [B, A]; 0 on background
    target_labels: Tensor  # int64 [B, A]; on background as `Targets` says
    target_boxes: Tensor  # [B, A, 4] in pixels; the same
    target_scores: Tensor  # [B, A, classes]; 0 on background
    metric: Tensor  # [B, G, A]; TaskAligned: the alignment; ATSS: the distance of the centres in pixels
    overlap: Tensor  # [B, G, A]; with the predicted boxes; ATSS: with the anchors


class Counted(nn.Module):
    """Bool `[B, G, 1]`: the rows that are not all zero, where nothing else says how many there are."""

    def forward(self, labels: Tensor, boxes: Tensor) -> Tensor:
        return (labels.unsqueeze(-1) != 0) | (boxes != 0).any(-1, keepdim=True)


class Settle(nn.Module):
    """An anchor with several truths goes to the truth with the highest overlap, whether that one had claimed it or not; or, if so
    wanted, to the highest of those that claim it."""

    def __init__(self, claiming: bool = False):
        super().__init__()
        self.claiming = claiming

    def forward(self, positive: Tensor, overlap: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        positive = positive.to(overlap.dtype)
        contested = positive.sum(1, keepdim=True) > 1
        rows = static.steps(static.size(overlap, 1), (1, -1, 1))
        if self.claiming:
            overlap = torch.where(positive > 0, overlap, -1.0)
        nearest = (rows == overlap.argmax(1, keepdim=True)).to(overlap.dtype)
        positive = torch.where(contested, nearest, positive)
        owner, index = positive.max(1)
        return positive, owner > 0, index


class Targets(nn.Module):
    """Labels `[B, A]`, boxes `[B, A, 4]`, one-hot scores `[B, A, classes]` of the owning truth.

    Background has, by kind: first_row: class and box of truth 0, without any truth the class `classes`; first_box: the class
    `classes` and the box of truth 0; minus_one: the class −1 and an empty box.
    """

    def __init__(self, background: str = "first_row"):
        super().__init__()
        self.background = background

    def forward(self, truth: Truth, fg_mask: Tensor, index: Tensor, classes: int | Tensor):
        own = truth.labels.gather(1, index)
        target_boxes = truth.boxes.gather(1, index.unsqueeze(-1).expand(static.kept(index, 0), static.kept(index, 1), 4))
        scores = (one_hot(own, classes) & fg_mask.unsqueeze(-1)).to(target_boxes.dtype)
        if self.background == "minus_one":
            return torch.where(fg_mask, own, -1), torch.where(fg_mask.unsqueeze(-1), target_boxes, 0.0), scores
        kept = fg_mask if self.background == "first_box" else truth.counted.any()
        return torch.where(kept, own, static.whole(classes)), target_boxes, scores


def one_hot(labels: Tensor, classes: int | Tensor) -> Tensor:
    """Bool `[..., classes]`; a label that is no class gives a row of false."""
    return labels.unsqueeze(-1) == static.steps(classes)


def chosen(like: Tensor, index: Tensor) -> Tensor:
    """Bool of the shape of `like`: true at `index` along the last axis."""
    none = static.spread(static.given([[[0.0]]], like.dtype), like)
    marks = static.spread(static.given([[[1.0]]], like.dtype), index)
    return none.scatter(-1, index, marks) > 0
