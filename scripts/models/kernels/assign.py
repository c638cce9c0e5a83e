"""The assigners alone: predictions and padded ground truth to what every anchor is assigned; nothing carries a gradient."""

from __future__ import annotations

from gold_yolo import static
from gold_yolo.assign import Assigned
from gold_yolo.atss import Atss
from gold_yolo.atss import Rule as AtssRule
from gold_yolo.geometry import AnchorOverlap
from gold_yolo.similarity import Similarity
from gold_yolo.stop_gradient import StopGradient
from gold_yolo.task_aligned import Rule, TaskAligned
from torch import Tensor, nn

from .overlap import ULTRALYTICS as CIOU
from .truth import Counted


class CIoUOfAll(nn.Module):
    """CIoU of truths `[B, G, 4]` with boxes `[B, A, 4]` as `[B, G, A]`."""

    def __init__(self):
        super().__init__()
        self.similarity = Similarity(CIOU)

    def forward(self, truths: Tensor, boxes: Tensor) -> Tensor:
        return self.similarity(truths.unsqueeze(2), boxes.unsqueeze(1)).squeeze(-1)


YOLOV6 = Rule()
ULTRALYTICS_8_3_155 = Rule(top_k=10, alpha=0.5, overlap=CIoUOfAll, inside_only=True)
ULTRALYTICS_8_4 = ULTRALYTICS_8_3_155._replace(enlarge=16.0)
MMDET_3_3 = Rule(
    eps=1e-7, overlap=AnchorOverlap, depth=0.01, inside_first=False, claiming=True, all_valid=True, background="minus_one"
)
ATSS_YOLOV6 = AtssRule()
ATSS_MMDET_3_3 = AtssRule(reaching=True, depth=0.01, soft=False, claiming=True, all_valid=True, background="minus_one")


class ByAlignment(nn.Module):
    """TaskAligned on points `[A, 2]` in pixels."""

    def __init__(self, rule: Rule):
        super().__init__()
        self.truth = Counted()
        self.stop_scores, self.stop_boxes = StopGradient(), StopGradient()
        self.assigner = TaskAligned(rule)

    def forward(self, pred_scores: Tensor, pred_boxes: Tensor, points: Tensor, *truth: Tensor) -> Assigned:
        return self.assigner(self.stop_scores(pred_scores), self.stop_boxes(pred_boxes), points, self.truth(*truth))


class ByDistance(nn.Module):
    """ATSS on anchor boxes `[A, 4]` in pixels and their levels `[A]`. Of the scores only the number of classes is read; hard targets
    do not read the predicted boxes either."""

    def __init__(self, rule: AtssRule):
        super().__init__()
        self.truth = Counted()
        self.stop_boxes = StopGradient()
        self.assigner = Atss(rule)

    def forward(self, pred_scores: Tensor, pred_boxes: Tensor, squares: Tensor, level: Tensor, *truth: Tensor) -> Assigned:
        return self.assigner(static.size(pred_scores, 2), self.stop_boxes(pred_boxes), squares, level, self.truth(*truth))
