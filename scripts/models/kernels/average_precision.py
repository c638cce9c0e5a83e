"""AP of one class as COCO counts it: objects `[G, 4]` and six detections `[6, 4]` (left, top, width, height) at overlaps `[T]`, by size.

Six, because the matching is greedy and an exported graph has it unrolled, one detection after the other. An image of -1 is no detection.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import torch
from gold_yolo import static
from torch import Tensor, nn

DETECTIONS, RECALLS = 6, 101
# all, small, medium, large
FROM, TO = (0.0, 0.0, 1024.0, 9216.0), (1e10, 1024.0, 9216.0, 1e10)


class Evaluated(NamedTuple):
    ap: Tensor  # [4, T], NaN where nothing of the size is there
    recall: Tensor
    counted: Tensor  # [4] objects


class AveragePrecision(nn.Module):
    def forward(self, objects: Tensor, object_image: Tensor, crowd: Tensor, boxes: Tensor, image: Tensor, scores: Tensor, overlaps: Tensor):
        # A crowd in no image stands before all objects: no runtime is asked for an empty axis.
        objects, object_image = torch.cat([torch.zeros(1, 4), objects]), torch.cat([torch.tensor([-2]), object_image])
        crowd = torch.cat([torch.tensor([True]), crowd])
        order = image.topk(DETECTIONS, largest=False).indices
        order = order[scores[order].topk(DETECTIONS).indices]
        boxes, image = boxes[order], image[order]
        low, high = (torch.tensor(ends).unsqueeze(1) for ends in (FROM, TO))
        overlap = torch.where(image.unsqueeze(1) == object_image, overlap_of(boxes, objects, crowd), -1.0)
        outside = crowd | beyond(objects, low, high)
        counted = (~outside).sum(1)
        nothing = torch.zeros_like(overlaps, dtype=torch.bool).expand(len(FROM), -1)
        taken, right, seen, reached = nothing.unsqueeze(2) & crowd, nothing.long(), nothing.long(), []
        for d in range(DETECTIONS):
            can = (crowd | ~taken) & (overlap[d] >= overlaps.unsqueeze(1))
            wanted = can & ~outside.unsqueeze(1)
            hit = exists(wanted)
            pool = can & (wanted | ~hit.unsqueeze(2))
            taken = taken | last_of_best(pool, overlap[d])
            judged = (image[d] >= 0) & (hit | ~(exists(pool) | beyond(boxes[d : d + 1], low, high)))
            right, seen = right + hit.long(), seen + judged.long()
            reached.append((judged, part(right, counted.unsqueeze(1)), part(right, seen)))
        some = counted.unsqueeze(1) > 0
        recall = torch.where(some, part(right, counted.unsqueeze(1)), math.nan)
        return Evaluated(torch.where(some, averaged(reached), math.nan), recall, counted)


def overlap_of(boxes: Tensor, objects: Tensor, crowd: Tensor) -> Tensor:
    """`[6, G]`; of a crowd the part of the box inside it."""
    boxes = boxes.unsqueeze(1)
    corner = torch.minimum(boxes[..., :2] + boxes[..., 2:], objects[:, :2] + objects[:, 2:])
    sides = corner - torch.maximum(boxes[..., :2], objects[:, :2])
    meet = exists(sides <= 0).logical_not()
    both = sides.prod(-1)
    own = boxes[..., 2:].prod(-1)
    union = torch.where(crowd, own, own + objects[:, 2:].prod(-1) - both)
    return torch.where(meet, both / torch.where(meet, union, 1.0), 0.0)


def beyond(boxes: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Whether an area lies outside of each range of sizes: `[4, N]`."""
    area = boxes[:, 2:].prod(-1)
    return (area < low) | (area > high)


def exists(x: Tensor) -> Tensor:
    return x.long().sum(-1) > 0


def part(of: Tensor, all_of: Tensor) -> Tensor:
    return of.float() / all_of.clamp(min=1).float()


def last_of_best(pool: Tensor, overlap: Tensor) -> Tensor:
    """Of those in the pool the one of the largest overlap, the last of equals: none in the pool is larger, or as large and behind it."""
    place = static.steps(static.size(overlap, 0))
    own, other = overlap.unsqueeze(1), overlap.unsqueeze(0)
    before = (other > own) | ((other == own) & (place > place.unsqueeze(1)))
    return pool & ~exists(pool.unsqueeze(2) & before)


def averaged(reached: list) -> Tensor:
    """The best precision at each recall or beyond, 0 where it is never reached, and the mean of these."""
    wanted = static.given(range(RECALLS), torch.float32).reshape(-1, 1, 1) * 0.01
    at = [torch.where(judged & (recall >= wanted), precision, 0.0) for judged, recall, precision in reached]
    return functools.reduce(torch.maximum, at).mean(0)
