"""Sizes as plain integers: a traced graph then holds constants instead of Shape and Gather chains."""

from __future__ import annotations

import warnings

from torch import Tensor, jit

warnings.filterwarnings("ignore", category=jit.TracerWarning)


def size(x: Tensor, axis: int) -> int:
    return int(x.shape[axis])


def plane(x: Tensor) -> tuple[int, int]:
    """Height and width of `[B, C, H, W]`."""
    return size(x, 2), size(x, 3)
