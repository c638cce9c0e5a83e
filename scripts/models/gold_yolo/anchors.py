"""Anchor points: the centre of every cell of every level, in the order level, row, column."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STRIDES = (8, 16, 32)


class Anchors(nn.Module):
    """Points `[A, 2]` (x, y) in cells of their own level, and strides `[A, 1]` in pixels."""

    def forward(self, grids: list[tuple[int, int]], like: Tensor) -> tuple[Tensor, Tensor]:
        points = torch.cat([corners(h, w, like) for h, w in grids]) + 0.5
        strides = [torch.tensor([[float(s)]], dtype=like.dtype).expand(h * w, 1) for (h, w), s in zip(grids, STRIDES)]
        return points, torch.cat(strides)


def corners(h: int, w: int, like: Tensor) -> Tensor:
    """`[h·w, 2]`: (column, row), as the sum of one row and one column of constants."""
    row, column = torch.zeros(1, w, 2, dtype=like.dtype), torch.zeros(h, 1, 2, dtype=like.dtype)
    row[0, :, 0], column[:, 0, 1] = torch.arange(w), torch.arange(h)
    return (given(row) + given(column)).reshape(h * w, 2)


def given(value: Tensor) -> Tensor:
    """The finished value as one constant: what computed it is no part of a traced graph."""
    return torch.tensor(value.tolist(), dtype=value.dtype)


def grids_of(size: tuple[int, int]) -> list[tuple[int, int]]:
    """The three grids of an image of `size`: each stage of the network halves, rounding up."""
    return [(-(-size[0] // s), -(-size[1] // s)) for s in STRIDES]
