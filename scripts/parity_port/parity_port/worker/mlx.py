"""A port in MLX: `build()` returns an mlx.nn.Module.

MLX carries f64 but computes most of it in f32, so that f64 is declared only where the proof says otherwise.
"""

from __future__ import annotations

import copy

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten

from .. import proof
from . import mlx_training
from .functional import Functional


class Network(Functional):
    framework, packages, libraries = "mlx", ("mlx",), ("mlx",)
    training = mlx_training.Steps
    bookkeeping = ("no_grad", "training")

    @staticmethod
    def takes(model) -> bool:
        return isinstance(model, nn.Module)

    def off(self) -> str | None:
        with mx.stream(mx.cpu):
            return proof.off(ARITHMETIC)

    def device(self) -> str:
        return mx.default_device().type.name

    def forward(self, model):
        return model.__call__

    def modules(self, model) -> dict:
        found = dict(model.named_modules())
        return {path: found[path] for path in sorted(found)}

    def tensor_types(self) -> tuple:
        return (mx.array,)

    def attributes(self, module) -> dict:
        """MLX's own modules keep what they were told under private names."""
        return {name.lstrip("_"): value for name, value in [*vars(module).items(), *module.items()]}

    def trains(self, module) -> bool:
        return module.training

    def state(self, model) -> dict:
        """Each once, under the first of its names."""
        first = {id(value): name for name, value in reversed(self.named(model))}
        return {name: value for name, value in self.named(model) if first[id(value)] == name}

    def named(self, model) -> list:
        return tree_flatten(model.parameters())

    def kinds(self, model) -> dict:
        """MLX lists running statistics under parameters, frozen."""
        trained = dict(tree_flatten(model.trainable_parameters()))
        return {name: ("parameter", name in trained) for name in self.state(model)}

    def put(self, model, values: dict) -> None:
        """What has several names is put under each."""
        given = {id(value): values[name] for name, value in self.state(model).items() if name in values}
        model.update(tree_unflatten([(name, given[id(value)]) for name, value in self.named(model) if id(value) in given]))

    def copied(self, model, f64: bool):
        # Layers hold functions of MLX's, which nobody can copy.
        held = [value for module in model.modules() for value in vars(module).values()]
        known = {id(value): value for value in held if self.is_own(value)}
        try:
            again = copy.deepcopy(model, known)
        except TypeError as error:
            raise TypeError(f"each run is one of a copy of the network, which has none ({error}): keep functions that are compiled outside of its modules") from error
        if f64:
            again.set_dtype(mx.float64)
        return again

    def in_mode(self, model, training: bool):
        return model.train() if training and not model.training else model

    def is_tensor(self, value) -> bool:
        return isinstance(value, mx.array)

    def array(self, value) -> tuple | None:
        if not isinstance(value, mx.array) or value.dtype == mx.complex64:
            return None
        is_bf16 = value.dtype == mx.bfloat16
        try:
            return np.array(value.view(mx.int16) if is_bf16 else value), "bf16" if is_bf16 else None
        except ValueError:  # inside of mx.compile or mx.vmap no tensor has elements
            return None

    def tensor(self, value: np.ndarray, dtype: str | None) -> mx.array:
        if dtype == "bf16":
            return mx.array(value).view(mx.bfloat16)
        return mx.array(value, dtype=getattr(mx, "bool_" if value.dtype == bool else value.dtype.name))

    def like(self, value: mx.array, given: np.ndarray) -> mx.array:
        """In the order in which its elements lie, too, for a sum goes by that."""
        axes = sorted(range(given.ndim), key=lambda axis: -np.array(value, copy=False).strides[axis])
        return mx.array(np.ascontiguousarray(given.transpose(axes))).transpose([axes.index(axis) for axis in range(given.ndim)])

    def zeros(self, value: mx.array) -> mx.array:
        return mx.zeros_like(value)

    def pulled(self, function, values: list) -> list[list]:
        count = len(mx.vjp(function, values, self.cotangents(function, values, None))[0])
        return [mx.vjp(function, values, self.cotangents(function, values, i))[1] for i in range(count)]

    def cotangents(self, function, values: list, which: int | None) -> list:
        """One for the result `which`, zeros for the others."""
        results = function(*values)
        return [mx.full(r.shape, float(i == which), r.dtype) for i, r in enumerate(results)]


def of(function):
    """`function` on arrays of f64."""
    return lambda *given: np.array(function(*(mx.array(x, dtype=mx.float64) for x in given)))


ARITHMETIC = {
    "a number": of(lambda x: x / 0.3),
    "conv2d": of(lambda x, w: mx.conv2d(x.transpose(0, 2, 3, 1), w.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)),
    "matmul": of(mx.matmul),
    "exp": of(mx.exp),
    "erf": of(mx.erf),
    "sigmoid": of(mx.sigmoid),
    "softmax": of(lambda x: mx.softmax(x, axis=-1)),
    "layer_norm": of(lambda x: mx.fast.layer_norm(x, None, None, 1e-5)),
}
