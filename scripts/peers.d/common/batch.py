"""One case as f64 tensors, and what an assigner or a loss made of it as arrays for the fixture."""

import os
import sys

import numpy as np
import torch

from . import cases, fixture

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)


class Batch:
    """Tensors of one case; `boxes` [B, G, 4] in pixels are padded with zeros, `labels` [B, G] with 0."""

    def __init__(self, case):
        images, anchors = len(case.counts), len(case.points)
        self.kind, self.size, self.counts, self.images, self.anchors = case.kind, case.size, case.counts, images, anchors
        place = torch.tensor(case.points)
        self.points, self.strides = place[:, :2], place[:, 2:]
        self.boxes = torch.tensor(case.boxes, dtype=torch.float64).reshape(images, -1, 4)
        self.labels = torch.tensor(case.labels, dtype=torch.int64).reshape(images, -1)
        shape = lambda values, *more: torch.tensor(values, dtype=torch.float64).reshape(images, anchors, *more)
        self.scores = shape(case.score, cases.CLASSES) / 256
        self.sides = shape(case.side, 4) / 16
        if case.bins:
            self.logits = shape(case.logit, cases.CLASSES) / 8
            self.bins = shape(case.bins, 4, cases.BINS) / 8
        self.grids = [(-(-case.size[0] // s), -(-case.size[1] // s)) for s in cases.STRIDES]

    def predicted(self):
        """[B, A, 4] boxes in pixels that the direct distances mean; exact."""
        low, high = self.sides.split(2, -1)
        cell = self.points / self.strides
        return torch.cat([cell - low, cell + high], -1) * self.strides

    def valid(self):
        """[B, G, 1] rows that the YOLO code bases take for objects."""
        return self.boxes.sum(-1, keepdim=True) > 0

    def rows(self):
        """Targets as (image, class, centre and size over `scale`): what the whole losses read."""
        where = [(b, g) for b in range(self.images) for g in range(self.counts[b])]
        index = torch.tensor([b for b, _ in where])
        own = torch.stack([self.boxes[b, g] for b, g in where]) if where else torch.zeros(0, 4)
        centre = torch.cat([(own[:, :2] + own[:, 2:]) / 2, own[:, 2:] - own[:, :2]], -1)
        return index, torch.tensor([int(self.labels[b, g]) for b, g in where]), centre


def batches(name):
    return [Batch(case) for case in cases.images(name)]


def assigned(batch, prefix, owner, labels, boxes, scores):
    """Bytes: owners (-1 is background), labels, rows whose box is the target box, soft targets of the positives."""
    owner, scores = owner.reshape(-1).numpy(), scores.detach().reshape(-1, cases.CLASSES).numpy()
    labels = labels.reshape(-1).numpy()
    positive = owner >= 0
    rest = scores.copy()
    rest[np.nonzero(positive)[0], labels[positive].astype(int)] = 0
    require(not rest.any(), f"case {prefix}: a soft target away from the label of a positive")
    return {
        f"{prefix}.owner": owner.astype(np.int8),
        f"{prefix}.label": labels.astype(np.int8),
        f"{prefix}.box": row_of(batch, boxes.reshape(batch.images, -1, 4)).astype(np.int8),
        f"{prefix}.score": scores[positive].sum(-1),
    }


def row_of(batch, boxes):
    """The first row whose box each target box is, -1 for the empty box where no row is."""
    out = np.full((batch.images, batch.anchors), -1)
    for b in range(batch.images):
        for g in reversed(range(batch.boxes.shape[1])):
            out[b][(boxes[b] == batch.boxes[b, g]).all(-1).numpy()] = g
        unknown = (out[b] < 0) & boxes[b].any(-1).numpy()
        require(not unknown.any(), f"{batch.kind}: a target box that is no object's")
    return out.reshape(-1)


def gradients(prefix, owner, scores, sides):
    """Gradients at every 41st anchor and the first six positives (scores), at the first three positives (distances)."""
    positive = np.nonzero(owner.reshape(-1).numpy() >= 0)[0]
    at_scores = np.unique(np.concatenate([np.arange(0, owner.numel(), 41), positive[:6]])).astype(np.int32)
    flat = sides.reshape(owner.numel(), -1).numpy()
    elsewhere = np.delete(flat, positive, 0)
    require(not elsewhere.any(), f"case {prefix}: a background anchor has a gradient of its distances")
    return {
        f"{prefix}.score_rows": at_scores,
        f"{prefix}.score_gradient": scores.reshape(owner.numel(), -1).numpy()[at_scores],
        f"{prefix}.side_rows": positive[:3].astype(np.int32),
        f"{prefix}.side_gradient": flat[positive[:3]],
    }


def require(held, what):
    if not held:
        sys.exit(f"peers: {what}; the fixture cannot hold that")


def value_and_gradient(loss, x):
    """`loss` of each row of `x` alone, and its gradient."""
    x = x.detach().clone().requires_grad_(True)
    value = loss(x)
    (gradient,) = torch.autograd.grad(value.sum(), x)
    return value.detach().numpy(), gradient.numpy()


def folder():
    return os.environ.get(fixture.FOLDER_VARIABLE, fixture.FOLDER)


def pairs():
    kinds, a, b = zip(*cases.pairs())
    return list(kinds), torch.tensor(a), torch.tensor(b)


def elements():
    logit, target, positive = zip(*cases.elements())
    return torch.tensor(logit), torch.tensor(target), torch.tensor(positive)


def distributions():
    bins, target = zip(*cases.distributions())
    return torch.tensor(bins), torch.tensor(target)
