"""Whether a framework's gradients are f64 in truth: each kind of operator once, against differences in extended precision of what numpy makes of it.

A gradient may keep a number in f32 on the way though the value does not: Jittor's erf and Paddle's average pool do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np

#: How far a gradient of the order of one may be off.
LIMIT = 1e-12
#: Distance and weights of differences of sixth order: what they leave out is below 1e-18.
STEP, WEIGHTS = np.longdouble("1e-3"), ((1, 45), (2, -9), (3, 1))


def of(kind: str, gradients: Callable) -> float:
    """How far the gradients of an operator are off; infinite where they are none of f64.

    `gradients(given, weights)` are those of the sum of what the framework's own makes of the arrays `given`, each result by its weight, by each of these.
    """
    function, given = CASES[kind]
    given = given()
    weights = waves(np.shape(function(*wide(given))), 0.7)
    found, wanted = gradients(given, weights), differences(function, given, weights)
    if any(np.asarray(f).dtype != np.float64 or np.shape(f) != np.shape(w) for f, w in zip(found, wanted)):
        return math.inf
    return max(float(np.max(np.abs(f - w))) for f, w in zip(found, wanted))


def differences(function: Callable, given: list, weights: np.ndarray) -> list:
    """By each element of each array."""
    given = wide(given)
    total = lambda: np.sum(weights * function(*given))  # noqa: E731
    found = [np.zeros(np.shape(x)) for x in given]
    for x, slope in zip(given, found):
        for place in np.ndindex(x.shape):
            held, sum_of = x[place], np.longdouble(0)
            for far, weight in WEIGHTS:
                for sign in (1, -1):
                    x[place] = held + sign * far * STEP
                    sum_of += sign * weight * total()
            x[place] = held
            slope[place] = sum_of / (60 * STEP)
    return found


def wide(given: list) -> list:
    return [x.astype(np.longdouble) for x in given]


def kind(op: str) -> str:
    """The case that an operator or a class belongs to: `Conv2d`, `Conv` and `conv2d` are one; the name itself where there is none."""
    plain = re.sub(r"(_|\dd$)", "", op.lower().strip("_"))
    return SAME.get(plain, plain)


def waves(shape: tuple, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return shift + scale * np.sin(1.3 * np.arange(1, 1 + math.prod(shape), dtype=np.float64)).reshape(shape)


def windows(x: np.ndarray, size: int, stride: int = 1, pad: int = 0) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]


def sums(x: np.ndarray, w: np.ndarray, names: str) -> np.ndarray:
    return np.einsum(names, x, w)


def erf(x: np.ndarray) -> np.ndarray:
    """Its series, which is exact to the last digits for what is small."""
    term, total = x, x
    for n in range(1, 60):
        term = -term * x * x / n
        total = total + term / (2 * n + 1)
    return 2 * total / np.sqrt(np.longdouble("3.14159265358979323846264338327950288"))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def log_softmax(x: np.ndarray) -> np.ndarray:
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def normed(x: np.ndarray, axes: tuple) -> np.ndarray:
    spread = ((x - x.mean(axes, keepdims=True)) ** 2).mean(axes, keepdims=True)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(spread + np.longdouble(2) ** -10)


def variance(x: np.ndarray) -> np.ndarray:
    return ((x - x.mean(-1, keepdims=True)) ** 2).sum(-1) / (x.shape[-1] - 1)


def one(scale: float = 1.0, shift: float = 0.0) -> Callable:
    return lambda: [waves((3, 4), shift, scale)]


#: Kind -> what numpy makes of arrays, and the arrays. Numbers that f32 rounds, where an operator takes some.
CASES: dict[str, tuple] = {
    "number": (lambda x: x / np.longdouble(0.3) + x * np.longdouble(0.7), one()),
    "mul": (lambda x, y: x * y, lambda: [waves((3, 4)), waves((3, 4), 0.3)]),
    "truediv": (lambda x, y: x / y, lambda: [waves((3, 4)), waves((3, 4), 2.0)]),
    "pow": (lambda x: x ** np.longdouble(2.3), one(0.5, 1.5)),
    "square": (lambda x: x * x, one()),
    "sqrt": (np.sqrt, one(0.5, 1.5)),
    "exp": (np.exp, one()),
    "log": (np.log, one(0.5, 1.5)),
    "abs": (np.abs, one(0.3, 1.0)),
    "relu": (lambda x: np.maximum(x, 0), lambda: [np.sign(waves((3, 4))) + waves((3, 4), 0.0, 0.5)]),
    "tanh": (np.tanh, one()),
    "erf": (erf, one()),
    "gelu": (lambda x: x * (1 + erf(x / np.sqrt(np.longdouble(2)))) / 2, one()),
    "sigmoid": (sigmoid, one()),
    "silu": (lambda x: x * sigmoid(x), one()),
    "softmax": (lambda x: np.exp(log_softmax(x)), one()),
    "logsoftmax": (log_softmax, one()),
    "crossentropy": (lambda x: -log_softmax(x)[np.arange(3), [0, 3, 1]].mean(), one()),
    "mean": (lambda x: x.mean(-1), lambda: [waves((3, 7))]),
    "sum": (lambda x: x.sum(-1), one()),
    "var": (variance, lambda: [waves((3, 7))]),
    "matmul": (np.matmul, lambda: [waves((3, 4)), waves((4, 2), 0.1)]),
    "linear": (lambda x, w, b: x @ w.T + b, lambda: [waves((3, 4)), waves((2, 4), 0.1), waves((2,))]),
    "conv": (lambda x, w: sums(windows(x, 3, 1, 1), w, "nchwij,ocij->nohw"), lambda: [waves((1, 2, 4, 4)), waves((3, 2, 3, 3), 0.1)]),
    "batchnorm": (lambda x: normed(x, (0, 2, 3)), lambda: [waves((3, 2, 2, 2))]),
    "layernorm": (lambda x: normed(x, (-1,)), one()),
    "avgpool": (lambda x: windows(x, 3, 2, 1).mean((4, 5)), lambda: [waves((1, 2, 5, 5))]),
    "maxpool": (lambda x: windows(x, 2, 2).max((4, 5)), lambda: [waves((1, 2, 4, 4))]),
}
#: Other names of a kind.
SAME = {
    "rmul": "mul", "multiply": "mul", "imul": "mul", "rtruediv": "truediv", "divide": "truediv", "rpow": "pow", "power": "pow", "swish": "silu",
    "crossentropyloss": "crossentropy", "nllloss": "crossentropy", "bmm": "matmul", "einsum": "matmul", "rmatmul": "matmul", "std": "var", "pool": "avgpool",
}  # fmt: skip
#: What only moves or adds, whose gradients round nothing.
MOVES = frozenset(
    "add radd iadd sub rsub isub neg reshape transpose swapaxes moveaxis flatten squeeze unsqueeze permute getitem setitem cat concat concatenate stack split "
    "identity upsample array asarray arange ones oneslike zeros zeroslike full astype to float argmax argsort topk round floor dropout takealongaxis "
    "lt le gt ge and or xor invert where onehot smoothlabels expand tile repeat clone detach stopgradient".split()
)
