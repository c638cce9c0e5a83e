"""A port in Paddle: `build()` returns a paddle.nn.Layer."""

from __future__ import annotations

import contextlib
import copy
import functools

import numpy as np
import paddle
import paddle.nn.functional as F

from .. import proof
from . import paddle_training
from .taped import Taped, beside_numbers


class Network(Taped):
    framework, packages, libraries = "paddle", ("paddlepaddle",), ("paddle",)
    training = paddle_training.Steps
    bookkeeping = ("training", "full_name", "built", "init_in_dynamic_mode", "cast_to_low_precision", "customized_attrs", "name")

    @staticmethod
    def takes(model) -> bool:
        return isinstance(model, paddle.nn.Layer)

    def off(self) -> str | None:
        return proof.off(ARITHMETIC)

    def device(self) -> str:
        return paddle.get_device()

    def threads(self) -> int:
        return paddle.get_flags(THREADS)[THREADS]

    def forward(self, model):
        return model.forward

    def modules(self, model) -> dict:
        return dict(model.named_sublayers(include_self=True))

    def tensor_types(self) -> tuple:
        return (paddle.Tensor,)

    def attributes(self, module) -> dict:
        """Paddle's own layers keep what they were told under private names."""
        return {name.lstrip("_"): value for name, value in vars(module).items()}

    def trains(self, module) -> bool:
        return module.training

    def state(self, model) -> dict:
        """What a checkpoint holds, each once."""
        held = model.state_dict()
        kept = {name: value for name, value in model.named_buffers() if name in held}
        return {**dict(model.named_parameters()), **kept}

    def named(self, model) -> list:
        return [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]

    def kinds(self, model) -> dict:
        """Paddle lists running statistics under parameters, which are not trained."""
        named = {name: ("parameter", not value.stop_gradient) for name, value in model.named_parameters()}
        return {name: named.get(name, ("buffer", False)) for name in self.state(model)}

    def put(self, model, values: dict) -> None:
        held = self.state(model)
        for name, value in values.items():
            held[name].set_value(value)

    def copied(self, model, f64: bool):
        again = copy.deepcopy(model)
        return again.to(dtype="float64") if f64 else again

    def in_mode(self, model, training: bool):
        if training and not model.training:
            model.train()
        return model

    def is_tensor(self, value) -> bool:
        return isinstance(value, paddle.Tensor)

    def array(self, value) -> tuple | None:
        if not self.is_tensor(value) or value.is_complex():
            return None
        held = value.detach().numpy()
        return (held.view(np.int16), "bf16") if value.dtype == paddle.bfloat16 else (held, None)

    def tensor(self, value: np.ndarray, dtype: str | None) -> paddle.Tensor:
        if dtype == "bf16":
            return paddle.to_tensor(value).view("bfloat16")
        return paddle.to_tensor(value)

    def leaf(self, value: paddle.Tensor) -> paddle.Tensor:
        value.stop_gradient = False
        return value

    def differs(self, value) -> bool:
        return self.is_float(value) and not value.stop_gradient

    def computing(self, with_gradients: bool):
        return contextlib.nullcontext() if with_gradients else paddle.no_grad()

    def pulled(self, value, by: list) -> list:
        """By hooks and one pass backward: paddle.grad goes no further back than the first of several tensors."""
        found: dict[int, paddle.Tensor] = {}
        leaves = [of for of in by if of.is_leaf]
        for leaf in leaves:
            leaf.clear_gradient(set_to_zero=False)
        handles = [of.register_hook(functools.partial(found.__setitem__, id(of))) for of in by if not of.is_leaf]
        value.backward(retain_graph=True)
        for handle in handles:
            handle.remove()
        found |= {id(leaf): leaf.grad.clone() for leaf in leaves if leaf.grad is not None}
        return [paddle.zeros_like(of) if found.get(id(of)) is None else found[id(of)] for of in by]

    @contextlib.contextmanager
    def as_built(self, f64: bool):
        before = paddle.get_default_dtype()
        with super().as_built(f64):
            paddle.set_default_dtype("float64" if f64 else before)
            try:
                with beside_numbers(paddle.Tensor, beside) if f64 else contextlib.nullcontext():
                    yield
            finally:
                paddle.set_default_dtype(before)


def beside(value: paddle.Tensor, number: float) -> tuple:
    """Paddle makes f32 of integers and a number whatever its default is."""
    return (value.astype("float64") if value.is_integer() else value), number


THREADS = "FLAGS_paddle_num_threads"


def of(function):
    """`function` on arrays."""
    return lambda *given: function(*map(paddle.to_tensor, given)).numpy()


ARITHMETIC = {
    "a number": of(lambda x: x / 0.3),
    "conv2d": of(F.conv2d),
    "matmul": of(paddle.matmul),
    "exp": of(paddle.exp),
    "erf": of(paddle.erf),
    "sigmoid": of(F.sigmoid),
    "softmax": of(F.softmax),
    "layer_norm": of(lambda x: F.layer_norm(x, x.shape[-1:])),
}

#: BN's epsilon is one that f32 holds.
SLOPES = {
    "number": lambda x: x / 0.3 + x * 0.7,
    "mul": lambda x, y: x * y,
    "truediv": lambda x, y: x / y,
    "pow": lambda x: x**2.3,
    "square": paddle.square,
    "sqrt": paddle.sqrt,
    "exp": paddle.exp,
    "log": paddle.log,
    "abs": paddle.abs,
    "relu": F.relu,
    "tanh": paddle.tanh,
    "erf": paddle.erf,
    "gelu": F.gelu,
    "sigmoid": F.sigmoid,
    "silu": F.silu,
    "softmax": F.softmax,
    "logsoftmax": F.log_softmax,
    "crossentropy": lambda x: F.cross_entropy(x, paddle.to_tensor([0, 3, 1])),
    "mean": lambda x: x.mean(-1),
    "sum": lambda x: x.sum(-1),
    "var": lambda x: x.var(-1),
    "matmul": paddle.matmul,
    "linear": lambda x, w, b: F.linear(x, w.T, b),
    "conv": lambda x, w: F.conv2d(x, w, padding=1),
    "batchnorm": lambda x: paddle.nn.BatchNorm2D(x.shape[1], epsilon=2.0**-10)(x),
    "layernorm": lambda x: F.layer_norm(x, x.shape[-1:], epsilon=2.0**-10),
    "avgpool": lambda x: F.avg_pool2d(x, 3, 2, 1, exclusive=False),
    "maxpool": lambda x: F.max_pool2d(x, 2, 2),
}
Network.slopes = SLOPES
