"""Anchor points: the centre of every cell of every level, in the order level, row, column."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import static

STRIDES = (8, 16, 32)


class Places(NamedTuple):
    """Where the predictions stand."""

    points: Tensor  # [A, 2] in cells
    strides: Tensor  # [A, 1]
    level: Tensor | None  # int64 [A]; only ATSS reads it


class Anchors(nn.Module):
    """Points `[A, 2]` (x, y) in cells of their own level, and strides `[A, 1]` in pixels."""

    def forward(self, grids: list[tuple[int, int]], like: Tensor) -> tuple[Tensor, Tensor]:
        points = torch.cat([corners(h, w, like) for h, w in grids]) + 0.5
        strides = [static.given([[float(s)]], like.dtype).expand(h * w, 1) for (h, w), s in zip(grids, STRIDES)]
        return points, torch.cat(strides)


def corners(h: int, w: int, like: Tensor) -> Tensor:
    """`[h·w, 2]`: (column, row), as the sum of one row and one column of constants."""
    row = static.given([[[float(x), 0.0] for x in range(w)]], like.dtype)
    column = static.given([[[0.0, float(y)]] for y in range(h)], like.dtype)
    return (row + column).reshape(h * w, 2)


def levels(grids: list[tuple[int, int]]) -> Tensor:
    """int64 `[A]`: which grid each anchor belongs to."""
    return torch.tensor([i for i, (h, w) in enumerate(grids) for _ in range(h * w)])


def grids_of(size: tuple[int, int]) -> list[tuple[int, int]]:
    """The three grids of an image of `size`: each stage of the network halves, rounding up."""
    return [(-(-size[0] // s), -(-size[1] // s)) for s in STRIDES]
