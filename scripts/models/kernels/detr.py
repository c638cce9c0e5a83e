"""The criterion of DETR on one image under a given matching: `query` `[G]` is the query of each object; `cost` is what that matching costs."""

from __future__ import annotations

import torch
from gold_yolo.similarity import Rule, Similarity
from torch import Tensor, nn

NO_OBJECT, CLASS, L1, GIOU = 0.1, 1.0, 5.0, 2.0


class Criterion(nn.Module):
    """Logits `[Q, classes + 1]`, the last of no object; boxes cx, cy, w, h as shares of the image."""

    def __init__(self):
        super().__init__()
        self.similarity = Similarity(Rule("giou", "added", 0.0))

    def forward(self, logits: Tensor, boxes: Tensor, gt_labels: Tensor, gt_boxes: Tensor, query: Tensor) -> tuple[Tensor, ...]:
        some, none = torch.ones_like(logits[0, 1:]), torch.ones_like(logits[0, :1]) * NO_OBJECT
        background = torch.zeros_like(boxes[:, 0]).long() + some.sum().long()
        label = background.scatter(0, query, gt_labels)
        share = torch.cat([some, none]).gather(0, label)
        own = logits.log_softmax(-1).gather(-1, label.unsqueeze(-1)).squeeze(-1)
        ce = -(own * share).sum() / share.sum()
        count = torch.ones_like(gt_boxes[:, 0]).sum().clamp(min=1)
        matched = boxes.index_select(0, query)
        apart = (matched - gt_boxes).abs()
        alike = self.similarity.of(corners(matched), corners(gt_boxes)).squeeze(-1)
        bbox, giou = apart.sum() / count, (1 - alike).sum() / count
        chance = logits.softmax(-1).index_select(0, query).gather(-1, gt_labels.unsqueeze(-1)).squeeze(-1)
        # ONNX Runtime keeps the last axis of a sum over it where there is no object.
        a, b, c, d = apart.split(1, -1)
        cost = (L1 * (a + b + c + d).squeeze(-1) - CLASS * chance - GIOU * alike).sum()
        return ce, bbox, giou, CLASS * ce + L1 * bbox + GIOU * giou, cost


def corners(boxes: Tensor) -> Tensor:
    centre, size = boxes.split(2, -1)
    return torch.cat([centre - size * 0.5, centre + size * 0.5], -1)
