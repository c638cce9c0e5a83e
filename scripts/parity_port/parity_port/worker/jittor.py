"""A port in Jittor: `build()` returns a jittor.nn.Module.

What is recorded is fetched as it comes, so that Jittor fuses less than it does where nobody looks.
"""

from __future__ import annotations

import contextlib
import copy
import os

import jittor as jt
import numpy as np
from jittor import nn

from .. import proof
from ..trace import Trace
from . import drawn, jittor_training
from .taped import Taped, beside_numbers
from .training import held_as, recipe

if int(np.__version__.partition(".")[0]) >= 2:
    raise ImportError(f"jittor gives wrong elements with numpy {np.__version__}, and says nothing: install numpy<2")


class Network(Taped):
    framework, packages, libraries, homes = "jittor", ("jittor",), ("jittor",), ("jittor_core",)
    bookkeeping = ("is_train",)

    @staticmethod
    def takes(model) -> bool:
        return isinstance(model, nn.Module)

    def off(self) -> str | None:
        with wide():
            return proof.off(ARITHMETIC)

    def device(self) -> str:
        return "cuda" if jt.flags.use_cuda else "cpu"

    def threads(self) -> int:
        """As many as OpenMP makes."""
        return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))

    def forward(self, model):
        return model.execute

    def modules(self, model) -> dict:
        return dict(model.named_modules())

    def tensor_types(self) -> tuple:
        return (jt.Var,)

    def trains(self, module) -> bool:
        return bool(module.is_training())

    def state(self, model) -> dict:
        return dict(model.named_parameters())

    def named(self, model) -> list:
        held = [(path, vars(module)) for path, module in model.named_modules()]
        return [(f"{path}.{name}".strip("."), value) for path, own in held for name, value in own.items() if self.is_tensor(value)]

    def kinds(self, model) -> dict:
        """Jittor lists running statistics, and any other tensor, under parameters; what it stops is not trained."""
        return {name: ("parameter", not value.is_stop_grad()) for name, value in self.state(model).items()}

    def put(self, model, values: dict) -> None:
        held = self.state(model)
        for name, value in values.items():
            held[name].update(value)

    def copied(self, model, f64: bool):
        again = copy.deepcopy(model)
        if f64:
            again.float64()
        # Neither a copy nor a cast keeps this.
        for before, after in zip(self.state(model).values(), self.state(again).values()):
            if before.is_stop_grad():
                after.stop_grad()
        return again

    def in_mode(self, model, training: bool):
        if training and not model.is_training():
            model.train()
        return model

    def is_tensor(self, value) -> bool:
        return isinstance(value, jt.Var)

    def array(self, value) -> tuple | None:
        if not self.is_tensor(value):
            return None
        return (value.bfloat16().numpy(), "bf16") if str(value.dtype) == "bfloat16" else (value.numpy(), None)

    def tensor(self, value: np.ndarray, dtype: str | None) -> jt.Var:
        if dtype is not None:
            raise ValueError(f"a file of {dtype} cannot be read into Jittor")
        with wide():  # 64 bits stay 64
            return jt.array(value)

    def differs(self, value) -> bool:
        return self.is_float(value) and not value.is_stop_grad()

    def pulled(self, value, by: list) -> list:
        return jt.grad(value, by, retain_graph=True)

    def training_state(self, trace: Trace, optimizer) -> None:
        made = recipe(optimizer(self.in_mode(self.copied(self.model, False), True)))
        jittor_training.kept(self, trace, self.model, made.optimizer, {})

    def step(self, trace: Trace, optimizer, given: dict, inputs: dict, loss, count: int, f64: bool) -> None:
        with self.as_built(f64):
            model = self.in_mode(self.copied(self.model, f64), True)
            self.put(model, held_as(given, "value."))
            args, kwargs = self.called(inputs)
            if f64:
                self.prove(trace, inputs, loss)
            with drawn.watched(trace, self, model):
                jittor_training.step(self, trace, model, recipe(optimizer(model)), given, lambda: loss(model(*args, **kwargs)), count)

    @contextlib.contextmanager
    def as_built(self, f64: bool):
        with super().as_built(f64), wide() if f64 else contextlib.nullcontext():
            yield


@contextlib.contextmanager
def wide():
    """While f64 and i64 stay what they are, numbers in the program's text among them, which Jittor rounds to f32."""
    with jt.flag_scope(auto_convert_64_to_32=0), beside_numbers(jt.Var, beside):
        yield


def beside(value: jt.Var, number: float) -> tuple:
    is_wide = str(value.dtype) == "float64" or value.dtype.is_int()
    return (value.float64(), jt.array(np.array([number], np.float64))) if is_wide else (value, number)


def of(function):
    """`function` on arrays."""
    return lambda *given: function(*map(jt.array, given)).numpy()


ARITHMETIC = {
    "a number": of(lambda x: x / 0.3),
    "conv2d": of(nn.conv2d),
    "matmul": of(jt.matmul),
    "exp": of(jt.exp),
    "erf": of(jt.erf),
    "sigmoid": of(jt.sigmoid),
    "softmax": of(lambda x: nn.softmax(x, dim=-1)),
    "layer_norm": of(lambda x: nn.layer_norm(x, x.shape[-1:])),
}

#: BN's epsilon is one that f32 holds.
SLOPES = {
    "number": lambda x: x / 0.3 + x * 0.7,
    "mul": lambda x, y: x * y,
    "truediv": lambda x, y: x / y,
    "pow": lambda x: x**2.3,
    "square": lambda x: x.sqr(),
    "sqrt": jt.sqrt,
    "exp": jt.exp,
    "log": jt.log,
    "abs": jt.abs,
    "relu": nn.relu,
    "tanh": jt.tanh,
    "erf": jt.erf,
    "gelu": nn.gelu,
    "sigmoid": jt.sigmoid,
    "silu": nn.silu,
    "softmax": lambda x: nn.softmax(x, dim=-1),
    "logsoftmax": lambda x: nn.log_softmax(x, dim=-1),
    "crossentropy": lambda x: nn.cross_entropy_loss(x, jt.array([0, 3, 1])),
    "mean": lambda x: x.mean(-1),
    "sum": lambda x: x.sum(-1),
    "var": lambda x: x.var(dim=-1, unbiased=True),
    "matmul": jt.matmul,
    "linear": lambda x, w, b: nn.linear(x, w, b),
    "conv": lambda x, w: nn.conv2d(x, w, padding=1),
    "batchnorm": lambda x: nn.BatchNorm(x.shape[1], eps=2.0**-10, affine=False)(x),
    "layernorm": lambda x: nn.layer_norm(x, x.shape[-1:], eps=2.0**-10),
    "avgpool": lambda x: nn.AvgPool2d(3, 2, 1)(x),
    "maxpool": lambda x: nn.MaxPool2d(2, 2)(x),
}
Network.slopes = SLOPES
