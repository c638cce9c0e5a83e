"""A port in JAX: `build()` returns a flax.nnx.Module.

What jax.jit compiles is one step here: inside of it nothing has elements to record.
"""

from __future__ import annotations

import contextlib
import functools
import os
import types

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from flax import nnx

from .. import proof
from . import flax_training
from .functional import Functional
from .modular import METHODS

#: Attributes by which a module says that it does not train.
FROZEN = ("deterministic", "use_running_average")

#: Attributes by which a module says what it computes in.
DTYPES = ("dtype", "param_dtype")


class Network(Functional):
    framework, packages, libraries = "jax", ("jax", "jaxlib", "flax"), ("jax", "flax")
    training = flax_training.Steps

    @staticmethod
    def takes(model) -> bool:
        return isinstance(model, nnx.Module)

    def off(self) -> str | None:
        with jax.enable_x64(True):
            return proof.off(ARITHMETIC)

    def device(self) -> str:
        return jax.default_backend()

    def threads(self) -> int:
        """As many as XLA makes: NPROC, else one for each core that it may run on."""
        return int(os.environ.get("NPROC") or len(os.sched_getaffinity(0)))

    def forward(self, model):
        return model.__call__

    def modules(self, model) -> dict:
        return {".".join(map(str, path)): module for path, module in sorted(nnx.iter_modules(model), key=lambda found: [*map(str, found[0])])}

    def tensor_types(self) -> tuple:
        return type(jnp.zeros(())), jax.core.Tracer

    def methods(self) -> list:
        """Methods of what is traced are looked up by its shape."""
        names = [name for name in METHODS if name[0] != "_" and hasattr(jax.core.ShapedArray, name)]
        return [*super().methods(), *((jax.core.Tracer, name, functools.partial(traced, name)) for name in names)]

    def trains(self, module) -> bool:
        flags = [getattr(part, name) for _, part in nnx.iter_modules(module) for name in FROZEN if hasattr(part, name)]
        return any(flag is False for flag in flags)

    def variables(self, model) -> dict:
        return {".".join(map(str, path)): variable for path, variable in nnx.to_flat_state(nnx.state(model))}

    def state(self, model) -> dict:
        return {name: variable.get_value() for name, variable in self.variables(model).items()}

    def named(self, model) -> list:
        is_variable = lambda value: isinstance(value, nnx.Variable)  # noqa: E731
        found, _ = jax.tree_util.tree_flatten_with_path(model, is_leaf=is_variable)
        return [(jax.tree_util.keystr(path, simple=True, separator="."), value) for path, value in found if is_variable(value)]

    def kinds(self, model) -> dict:
        """Flax has a class for each: Param, BatchStat, RngState."""
        is_param = {name: isinstance(variable, nnx.Param) for name, variable in self.variables(model).items()}
        return {name: ("parameter" if param else "buffer", param) for name, param in is_param.items()}

    def put(self, model, values: dict) -> None:
        for path, _ in nnx.to_flat_state(nnx.state(model)):
            name = ".".join(map(str, path))
            if name in values:
                held = functools.reduce(lambda node, key: node[key] if isinstance(key, int) else getattr(node, key), path, model)
                held.set_value(values[name])

    def copied(self, model, f64: bool):
        again = nnx.clone(model)
        if f64:
            for _, module in nnx.iter_modules(again):
                for name in DTYPES:
                    if getattr(module, name, None) is not None and jnp.issubdtype(getattr(module, name), jnp.floating):
                        setattr(module, name, jnp.float64)
            self.put(again, {name: value.astype(jnp.float64) for name, value in self.state(again).items() if self.is_float(value)})
        return again

    def in_mode(self, model, training: bool):
        if training and not self.trains(model):
            model.train()
        return model

    def is_tensor(self, value) -> bool:
        return isinstance(value, jax.Array) and not jnp.issubdtype(value.dtype, jax.dtypes.prng_key)

    def array(self, value) -> tuple | None:
        if not self.is_tensor(value) or isinstance(value, jax.core.Tracer) or jnp.issubdtype(value.dtype, jnp.complexfloating):
            return None
        held = np.asarray(value)
        return (held.view(np.int16), "bf16") if held.dtype == ml_dtypes.bfloat16 else (held, None)

    def tensor(self, value: np.ndarray, dtype: str | None) -> jax.Array:
        with jax.enable_x64(True):  # 64 bits stay 64
            return jnp.asarray(value.view(ml_dtypes.bfloat16) if dtype == "bf16" else value)

    def zeros(self, value: jax.Array) -> jax.Array:
        return jnp.zeros_like(value)

    def pulled(self, function, values: list) -> list[list]:
        results, back = jax.vjp(function, *values)
        return [back([jnp.full(r.shape, float(i == which), r.dtype) for i, r in enumerate(results)]) for which in range(len(results))]

    @contextlib.contextmanager
    def as_built(self, f64: bool):
        with super().as_built(f64), jax.enable_x64(True) if f64 else contextlib.nullcontext():
            yield


def traced(name: str, value, *args, **kwargs):
    """A method of a traced array, as its shape has it."""
    return types.MethodType(getattr(value.aval, name).fun, value)(*args, **kwargs)


def of(function):
    """`function` on arrays of f64."""
    return lambda *given: np.asarray(function(*map(jnp.asarray, given)))


ARITHMETIC = {
    "a number": of(lambda x: x / 0.3),
    "conv2d": of(lambda x, w: jax.lax.conv(x, w, (1, 1), "VALID")),
    "matmul": of(jnp.matmul),
    "exp": of(jnp.exp),
    "erf": of(jax.scipy.special.erf),
    "sigmoid": of(jax.nn.sigmoid),
    "softmax": of(jax.nn.softmax),
    "layer_norm": of(lambda x: jax.nn.standardize(x, epsilon=1e-5)),
}

SLOPES = {
    "number": lambda x: x / 0.3 + x * 0.7,
    "mul": jnp.multiply,
    "truediv": jnp.divide,
    "pow": lambda x: x**2.3,
    "square": jnp.square,
    "sqrt": jnp.sqrt,
    "exp": jnp.exp,
    "log": jnp.log,
    "abs": jnp.abs,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "erf": jax.scipy.special.erf,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "sigmoid": jax.nn.sigmoid,
    "silu": jax.nn.silu,
    "softmax": jax.nn.softmax,
    "logsoftmax": jax.nn.log_softmax,
    "crossentropy": lambda x: -jax.nn.log_softmax(x)[jnp.arange(3), jnp.array([0, 3, 1])].mean(),
    "mean": lambda x: x.mean(-1),
    "sum": lambda x: x.sum(-1),
    "var": lambda x: x.var(-1, ddof=1),
    "matmul": jnp.matmul,
    "linear": lambda x, w, b: jax.lax.dot_general(x, w.T, (((1,), (0,)), ((), ()))) + b,
    "conv": lambda x, w: jax.lax.conv(x, w, (1, 1), "SAME"),
    "batchnorm": lambda x: jax.nn.standardize(x, axis=(0, 2, 3), epsilon=2.0**-10),
    "layernorm": lambda x: jax.nn.standardize(x, epsilon=2.0**-10),
    "avgpool": lambda x: nnx.avg_pool(x.transpose(0, 2, 3, 1), (3, 3), (2, 2), ((1, 1), (1, 1))).transpose(0, 3, 1, 2),
    "maxpool": lambda x: nnx.max_pool(x.transpose(0, 2, 3, 1), (2, 2), (2, 2)).transpose(0, 3, 1, 2),
}
Network.slopes = SLOPES
