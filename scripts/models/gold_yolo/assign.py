"""What both assigners share: anchors claimed twice are settled, then labels, boxes and one-hot scores are gathered."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import static


class Assigned(NamedTuple):
    fg_mask: Tensor  # bool [B, A]
    gt_index: Tensor  # int64 [B, A]; 0 on background
    target_labels: Tensor  # int64 [B, A]; on background the class of truth 0, without any truth `classes`
    target_boxes: Tensor  # [B, A, 4] in pixels; on background the box of truth 0
    target_scores: Tensor  # [B, A, classes]; 0 on background
    metric: Tensor  # [B, G, A]
    overlap: Tensor  # [B, G, A]


class Settle(nn.Module):
    """An anchor with several truths goes to the truth with the highest overlap, whether that one had claimed it or not."""

    def forward(self, positive: Tensor, overlap: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        positive = positive.to(overlap.dtype)
        contested = positive.sum(1, keepdim=True) > 1
        rows = torch.tensor([[[i] for i in range(static.size(overlap, 1))]])
        nearest = (rows == overlap.argmax(1, keepdim=True)).to(overlap.dtype)
        positive = torch.where(contested, nearest, positive)
        owner, index = positive.max(1)
        return positive, owner > 0, index


class Targets(nn.Module):
    """Labels `[B, A]`, boxes `[B, A, 4]`, one-hot scores `[B, A, classes]` of the owning truth."""

    def __init__(self, classes: int):
        super().__init__()
        self.classes = classes

    def forward(self, labels: Tensor, boxes: Tensor, valid: Tensor, fg_mask: Tensor, index: Tensor):
        batch, count = static.size(index, 0), static.size(index, 1)
        own = labels.gather(1, index)
        target_boxes = boxes.gather(1, index.unsqueeze(-1).expand(batch, count, 4))
        scores = (one_hot(own, self.classes) & fg_mask.unsqueeze(-1)).to(boxes.dtype)
        own = torch.where(valid.any(), own, torch.tensor(self.classes))
        return own, target_boxes, scores


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Bool `[..., classes]`; a label that is no class gives a row of false."""
    return labels.unsqueeze(-1) == torch.tensor(list(range(classes)))


def chosen(like: Tensor, index: Tensor) -> Tensor:
    """Bool of the shape of `like`: true at `index` along the last axis."""
    none = static.given([[[0.0]]], like.dtype).expand([static.size(like, i) for i in range(3)])
    marks = static.given([[[1.0]]], like.dtype).expand([static.size(index, i) for i in range(3)])
    return none.scatter(-1, index, marks) > 0
