"""The whole loss of YOLOv6 and Gold-YOLO on given anchors and padded ground truth."""

from __future__ import annotations

from gold_yolo.anchors import Places
from gold_yolo.loss import Loss
from torch import Tensor, nn

from .truth import Counted


class GoldYolo(nn.Module):
    """Assignment, then losses; `level` `[A]` is what only ATSS reads."""

    def __init__(self, reg_max: int, assigner: str, overlap: str):
        super().__init__()
        self.truth = Counted()
        self.loss = Loss(reg_max, assigner, overlap)

    def forward(self, pred_scores: Tensor, pred_distri: Tensor, points: Tensor, strides: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        *level, gt_labels, gt_boxes, gt_count = rest
        truth = self.truth(gt_labels, gt_boxes, gt_count)
        places = Places(points, strides.unsqueeze(-1), level[0] if level else None)
        assigned, losses = self.loss.at(places, pred_scores, pred_distri, truth)
        return *assigned, *losses
