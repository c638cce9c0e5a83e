"""This project's PyTorch: the YOLOv6 dialect of scripts/models/gold_yolo in f64."""

import sys
from importlib.metadata import version
from pathlib import Path

import torch

from common import fixture
from common.batch import assigned, batches, folder, gradients, pairs, value_and_gradient

sys.path.append(str(Path(__file__).resolve().parents[1] / "models"))

from gold_yolo.loss import Loss  # noqa: E402
from gold_yolo.terms import BoxLoss  # noqa: E402


def main():
    versions = {name: version(name) for name in ("torch", "numpy")}
    stubs = ["a batch without any object gets one row of padding: the network has a fixed number of rows"]
    out = fixture.Fixture("this-project", folder(), versions, stubs, "everything in f64; torch's default dtype is f64")
    whole(out, "gold_yolo_n", "fine", 0, "task_aligned", "siou")
    whole(out, "gold_yolo_sml", "fine", 16, "task_aligned", "giou")
    whole(out, "gold_yolo_warm_up", "wide", 0, "atss", "siou")
    kinds, a, b = pairs()
    for name in ("giou", "siou"):
        value, gradient = value_and_gradient(lambda x: BoxLoss(name)(x, b).squeeze(-1), a)
        out.write(name, dict(value=value, gradient=gradient), kinds, eps=1e-10)
    out.close()


def whole(out, kernel, name, reg_max, assigner, overlap):
    """A batch without any row gets one of zeros, which is padding."""
    tensors, kinds = {}, []
    for i, batch in enumerate(batches(name)):
        loss = Loss(reg_max, assigner, overlap)
        scores = batch.scores.clone().requires_grad_(True)
        sides = (batch.bins.flatten(2) if reg_max else batch.sides).clone().requires_grad_(True)
        empty = batch.boxes.shape[1] == 0
        labels = torch.zeros(batch.images, 1, dtype=torch.int64) if empty else batch.labels
        boxes = torch.zeros(batch.images, 1, 4) if empty else batch.boxes
        found, losses = loss(scores, sides, labels, boxes, batch.grids)
        losses.total.backward()
        own = torch.where(found.fg_mask, found.gt_index, -1)
        tensors |= assigned(batch, f"{i:02}", own, found.target_labels, found.target_boxes, found.target_scores)
        items = losses.items.detach().numpy()
        tensors |= {f"{i:02}.items": items, f"{i:02}.total": losses.total.detach().numpy().reshape(1)}
        tensors |= gradients(f"{i:02}", own, scores.grad, sides.grad)
        kinds.append(batch.kind)
    out.write(kernel, tensors, kinds)


main()
