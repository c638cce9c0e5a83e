"""Whether torch computes in f64 in truth: each kind of arithmetic once, against numpy and Python."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

#: How far a function of numbers of the order of one may be off.
LIMIT = 1e-12


def off() -> str | None:
    """The first kind of arithmetic that is not f64, with how far it is off; None where all are."""
    for name, ours, numpy in CASES:
        error = np.max(np.abs(ours().numpy() - numpy()))
        if not error <= LIMIT:
            return f"{name} is off by {error:.1e} in f64"
    return None


def values(*shape: int) -> np.ndarray:
    return np.sin(np.arange(1, 1 + math.prod(shape), dtype=np.float64)).reshape(shape)


def t(*shape: int) -> torch.Tensor:
    return torch.from_numpy(values(*shape))


def conv() -> np.ndarray:
    x, w = values(1, 3, 8, 8), values(4, 3, 3, 3)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    return np.einsum("bchwij,ocij->bohw", windows, w)


def softmax() -> np.ndarray:
    e = np.exp(values(4, 8))
    return e / e.sum(axis=-1, keepdims=True)


def norm() -> np.ndarray:
    x = values(4, 8)
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


CASES = (
    ("conv2d", lambda: F.conv2d(t(1, 3, 8, 8), t(4, 3, 3, 3)), conv),
    ("matmul", lambda: t(8, 8) @ t(8, 8), lambda: values(8, 8) @ values(8, 8)),
    ("exp", lambda: t(64).exp(), lambda: np.exp(values(64))),
    ("erf", lambda: t(64).erf(), lambda: np.array([math.erf(v) for v in values(64)])),
    ("sigmoid", lambda: t(64).sigmoid(), lambda: 1 / (1 + np.exp(-values(64)))),
    ("softmax", lambda: t(4, 8).softmax(-1), softmax),
    ("layer_norm", lambda: F.layer_norm(t(4, 8), (8,)), norm),
)
