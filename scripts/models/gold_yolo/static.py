"""Sizes as plain integers: a traced graph then holds constants instead of Shape and Gather chains."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, jit

warnings.filterwarnings("ignore", category=jit.TracerWarning)


def size(x: Tensor, axis: int) -> int:
    return int(x.shape[axis])


def given(values, dtype: torch.dtype) -> Tensor:
    """A constant that a traced graph keeps as a value of its own, so that what is computed from it is computed there."""
    value = torch.tensor(values, dtype=dtype)
    return Given.apply(value) if torch.onnx.is_in_onnx_export() else value


class Given(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        return value.clone()

    @staticmethod
    def symbolic(g, value):
        return g.op("parity::Given", value).setType(value.type())  # the exporter would fold a plain constant


def plane(x: Tensor) -> tuple[int, int]:
    """Height and width of `[B, C, H, W]`."""
    return size(x, 2), size(x, 3)
