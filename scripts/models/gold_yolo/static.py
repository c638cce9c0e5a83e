"""Sizes as plain integers, so that a traced graph holds constants instead of Shape and Gather chains, unless it is to be dynamic."""

from __future__ import annotations

import contextlib
import warnings
from contextvars import ContextVar

import numpy as np
import torch
from torch import Tensor, jit

warnings.filterwarnings("ignore", category=jit.TracerWarning)


DYNAMIC = ContextVar("dynamic", default=False)


@contextlib.contextmanager
def dynamic():
    """While open, a traced graph reads every size from its inputs."""
    before = DYNAMIC.set(True)
    try:
        yield
    finally:
        DYNAMIC.reset(before)


def size(x: Tensor, axis: int) -> int:
    return x.shape[axis] if DYNAMIC.get() else int(x.shape[axis])


def kept(x: Tensor, axis: int) -> int:
    """The size that `expand` leaves as it is."""
    return -1 if DYNAMIC.get() else int(x.shape[axis])


def spread(x: Tensor, like: Tensor) -> Tensor:
    """`x` expanded to the shape of `like`."""
    return x.expand_as(like) if DYNAMIC.get() else x.expand([int(n) for n in like.shape])


def whole(n: int | Tensor) -> Tensor:
    """A size as a value."""
    return n if isinstance(n, Tensor) else torch.tensor(n)


def steps(n: int | Tensor, shape: tuple[int, ...] = (-1,)) -> Tensor:
    """int64 0, 1 .. n − 1, in the given shape."""
    return torch.arange(n).reshape(shape) if isinstance(n, Tensor) else torch.tensor(np.arange(n).reshape(shape))


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
