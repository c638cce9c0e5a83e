"""Whether a framework computes in f64 in truth: each kind of arithmetic once, against numpy and Python."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

#: How far a function of numbers of the order of one may be off.
LIMIT = 1e-12


def off(ours: dict[str, Callable]) -> str | None:
    """The first kind of arithmetic that is not f64 or is not done, with how far it is off; None where all are within the limit.

    `ours` computes each of CASES by its name, on arrays: an image is [N, C, H, W], a kernel [O, I, H, W]. What it returns is widened by nobody.
    """
    for name, (shapes, numpy) in CASES.items():
        given = [values(*shape) for shape in shapes]
        try:
            found = np.asarray(ours[name](*given))
        except Exception as error:
            return f"{name} is not computed in f64: {error}"
        if found.dtype != np.float64:
            return f"{name} of f64 is {found.dtype}"
        error = np.max(np.abs(found - numpy(*given)))
        if not error <= LIMIT:
            return f"{name} is off by {error:.1e} in f64"
    return None


def values(*shape: int) -> np.ndarray:
    return np.sin(np.arange(1, 1 + math.prod(shape), dtype=np.float64)).reshape(shape)


def conv(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    return np.einsum("bchwij,ocij->bohw", windows, w)


def erf(x: np.ndarray) -> np.ndarray:
    return np.array([math.erf(v) for v in x])


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x)
    return e / e.sum(axis=-1, keepdims=True)


def norm(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


#: Shapes of what each kind of arithmetic is given, and what it gives.
CASES = {
    "a number": (((64,),), lambda x: x / 0.3),
    "conv2d": (((1, 3, 8, 8), (4, 3, 3, 3)), conv),
    "matmul": (((8, 8), (8, 8)), np.matmul),
    "exp": (((64,),), np.exp),
    "erf": (((64,),), erf),
    "sigmoid": (((64,),), lambda x: 1 / (1 + np.exp(-x))),
    "softmax": (((4, 8),), softmax),
    "layer_norm": (((4, 8),), norm),
}
