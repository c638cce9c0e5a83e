"""The three forms that are exported: one whole training step's forward, the network alone, the loss alone."""

from __future__ import annotations

from torch import Tensor, nn

from . import static
from .anchors import grids_of
from .assign import Assigned
from .loss import Loss, Losses
from .network import Network
from .norm import BatchNorm

ASSIGNED = tuple(f"assign.{name}" for name in Assigned._fields)
LOSSES = tuple(f"loss.{name}" for name in Losses._fields)


class Training(nn.Module):
    """Images, labels and boxes to everything that a training step computes before it turns back.

    Its children are the network's own, so that a parameter has the same name here and in the eval form.
    """

    def __init__(self, network: Network, loss: Loss):
        super().__init__()
        self.backbone, self.neck, self.head, self.loss = network.backbone, network.neck, network.head, loss

    def forward(self, images: Tensor, gt_labels: Tensor, gt_boxes: Tensor) -> tuple[Tensor, ...]:
        levels = self.neck(*self.backbone(images))
        grids = [static.plane(x) for x in levels]
        scores, sides, predictions = self.head(levels)
        assigned, losses = self.loss(scores, sides, gt_labels, gt_boxes, grids)
        updated = [statistic for norm in self.norms().values() for statistic in norm.updated]
        return predictions, scores, sides, *assigned, *losses, *updated

    def norms(self) -> dict[str, BatchNorm]:
        return {name: module for name, module in self.named_modules() if isinstance(module, BatchNorm)}

    def outputs(self) -> list[str]:
        updated = [f"{name}.{which}.updated" for name in self.norms() for which in ("running_mean", "running_var")]
        return ["predictions", "pred_scores", "pred_distri", *ASSIGNED, *LOSSES, *updated]


class LossAlone(nn.Module):
    """Scores, sides, labels and boxes to assignment and losses; the image size is fixed."""

    def __init__(self, loss: Loss, size: tuple[int, int]):
        super().__init__()
        self.loss, self.grids = loss, grids_of(size)

    def forward(self, pred_scores: Tensor, pred_distri: Tensor, gt_labels: Tensor, gt_boxes: Tensor) -> tuple[Tensor, ...]:
        assigned, losses = self.loss(pred_scores, pred_distri, gt_labels, gt_boxes, self.grids)
        return *assigned, *losses
