"""Anchor points, strides and squares from the sizes of three feature maps; their values are not read."""

from __future__ import annotations

import torch
from gold_yolo import static
from gold_yolo.anchors import STRIDES
from gold_yolo.atss import squares
from torch import Tensor, nn


class FromMaps(nn.Module):
    """points `[A, 2]` in cells, strides `[A]`, pixels `[A, 2]`, squares of 5 cells around the points and of 8 around their corners."""

    def forward(self, p3: Tensor, p4: Tensor, p5: Tensor) -> tuple[Tensor, ...]:
        grids = [static.plane(p) for p in (p3, p4, p5)]
        levels = [centres(*grid, p3.dtype) for grid in grids]
        strides = torch.cat([torch.full_like(points[:, 0], stride) for points, stride in zip(levels, STRIDES)])
        points, sides = torch.cat(levels), strides.unsqueeze(-1)
        pixels = points * sides
        return points, strides, pixels, squares(pixels, sides), squares(pixels - sides * 0.5, sides, cells=8.0)


def centres(height: int | Tensor, width: int | Tensor, dtype: torch.dtype) -> Tensor:
    """`[height·width, 2]`: (column, row) + ½, row by row."""
    row = static.steps(width, (1, -1, 1)).to(dtype) * torch.tensor([1.0, 0.0], dtype=dtype)
    column = static.steps(height, (-1, 1, 1)).to(dtype) * torch.tensor([0.0, 1.0], dtype=dtype)
    return (row + column).reshape(-1, 2) + 0.5
