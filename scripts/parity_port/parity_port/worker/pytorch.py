"""A port in PyTorch: `build()` returns a torch.nn.Module.

Each run is one of a copy, with the random numbers that there were when the network was built, so that nothing a run does stays.
"""

from __future__ import annotations

import contextlib
import tempfile
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import chance, described, proof
from ..copies import copied
from ..floors import new_in
from ..gradients import gradients
from ..recorder import Recorder
from ..run import record_call
from ..trace import Trace
from ..values import as_array, unwritable
from . import drawn, proved, torch_training
from .modular import Modular
from .training import held_as, recipe


class Network(Modular):
    framework, libraries = "torch", ("torch",)
    abilities = ("f64", "floors", "isolation", "gradients", "state", "step", "export")
    #: Exporter -> whether it is the one that traces by torch.export.
    exporters = {"legacy": False, "dynamo": True}

    @staticmethod
    def takes(model) -> bool:
        return isinstance(model, nn.Module)

    def versions(self) -> dict:
        return described.versions(self.model)

    def subject(self) -> str:
        return described.subject(self.model)

    def off(self) -> str | None:
        """Why torch is none that computes in f64."""
        return proof.off(ARITHMETIC)

    def modules(self, model: nn.Module) -> dict:
        return dict(model.named_modules())

    def trains(self, module: nn.Module) -> bool:
        return module.training

    def forward(self, model: nn.Module):
        return model.forward

    def listed(self, model: nn.Module) -> list[dict]:
        return described.parameters(model)

    def state(self, model: nn.Module) -> dict[str, Tensor]:
        return described.state(model)

    def put(self, model: nn.Module, values: dict[str, Tensor]) -> None:
        held = described.state(model)
        with torch.no_grad():
            for name, value in values.items():
                held[name].copy_(value)

    def array(self, value) -> tuple | None:
        return as_array(value) if isinstance(value, Tensor) and unwritable(value) is None else None

    def tensor(self, value: np.ndarray, dtype: str | None) -> Tensor:
        found = torch.from_numpy(value)
        return found.view(torch.bfloat16) if dtype == "bf16" else found

    def run(self, to: str, inputs: dict, *, f64: bool, training: bool, floors: bool, loss=None, replay=None) -> None:
        model = in_mode(copied(self.model, f64), training)
        args, kwargs = self.called(inputs)
        with self.as_built(f64), torch.set_grad_enabled(loss is not None):
            given = {name: on(self.model, self.tensor(*held)) for name, held in (replay or {}).items()}
            record_call(model, args, kwargs, to, loss=loss, floors=floors, replay=given)

    def training_state(self, trace: Trace, optimizer) -> None:
        model = in_mode(copied(self.model), True)
        made = recipe(optimizer(model))
        torch_training.kept(trace, model, made, {}, described.state)

    def step(self, trace: Trace, optimizer, given: dict, inputs: dict, loss, count: int, f64: bool) -> None:
        args, kwargs = self.called(inputs)
        with self.as_built(f64):
            model = in_mode(copied(self.model, f64), True)
            self.put(model, held_as(given, "value."))
            if f64:
                self.prove(trace, inputs, loss)
            made = recipe(optimizer(model))
            with drawn.watched(trace, self, model):
                torch_training.step(trace, model, made, given, lambda: loss(model(*args, **kwargs)), count, described.state)

    def prove(self, trace: Trace, inputs: dict, loss) -> None:
        if self.unproved is None:
            model = in_mode(copied(self.model, True), True)
            args, kwargs = self.called(inputs)
            with chance.as_before(self.random), tempfile.TemporaryDirectory() as folder, Recorder(model, f"{folder}/run") as recorder:
                loss(model(*args, **kwargs))
                entries = dict(recorder.trace.entries)
            self.unproved = proved.unproved(self, entries, dict(model.named_modules()))
        proved.told(trace, self.unproved)

    def slope(self, function, given: list, weights) -> list:
        tensors = [torch.from_numpy(x.copy()).requires_grad_() for x in given]
        value = (function(*tensors) * torch.from_numpy(np.asarray(weights))).sum()
        return [found.numpy() for found in torch.autograd.grad(value, tensors)]

    def export(self, to: str, exporter: str, inputs: dict, axes: dict) -> None:
        args, kwargs = self.called(inputs)
        model = copied(self.model, False)
        told = {name: dict(named) if isinstance(named, dict) else list(named) for name, named in axes.items()}
        with self.as_built(False), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model,
                args,
                to,
                kwargs=kwargs or None,
                input_names=list(inputs),
                dynamic_axes=told or None,
                dynamo=self.exporters[exporter],
                external_data=False,
                verbose=False,
            )

    def leaf(self, value: Tensor) -> Tensor:
        return value.requires_grad_()

    def loss_gradients(self, trace: Trace, terms: dict, losses, by: dict, floats: dict) -> None:
        gradients(trace, {term: value for term, value in terms.items() if value.requires_grad}, floats)

    def called(self, inputs: dict) -> tuple[tuple, dict]:
        return super().called({name: on(self.model, value) for name, value in inputs.items()})

    @contextlib.contextmanager
    def as_built(self, f64: bool):
        """Random numbers as they were when the network was built; new tensors in f64 where the network computes in it."""
        with super().as_built(f64), new_in(torch.float64 if f64 else torch.get_default_dtype()):
            yield


def in_mode(model: nn.Module, training: bool) -> nn.Module:
    """As the network was built, module by module; in training where it is asked for and was not built so."""
    return model.train() if training and not model.training else model


def on(model: nn.Module, value):
    """`value` on the device of the network."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    return torch.utils._pytree.tree_map_only(Tensor, lambda x: x.to(device), value)


def of(function):
    """`function` on arrays."""
    return lambda *given: function(*(torch.from_numpy(x) for x in given)).numpy()


ARITHMETIC = {
    "a number": of(lambda x: x / 0.3),
    "conv2d": of(F.conv2d),
    "matmul": of(torch.matmul),
    "exp": of(torch.exp),
    "erf": of(torch.erf),
    "sigmoid": of(torch.sigmoid),
    "softmax": of(lambda x: x.softmax(-1)),
    "layer_norm": of(lambda x: F.layer_norm(x, x.shape[-1:])),
}

SLOPES = {
    "number": lambda x: x / 0.3 + x * 0.7,
    "mul": torch.mul,
    "truediv": torch.div,
    "pow": lambda x: x**2.3,
    "square": torch.square,
    "sqrt": torch.sqrt,
    "exp": torch.exp,
    "log": torch.log,
    "abs": torch.abs,
    "relu": F.relu,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "gelu": F.gelu,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "softmax": lambda x: x.softmax(-1),
    "logsoftmax": lambda x: x.log_softmax(-1),
    "crossentropy": lambda x: F.cross_entropy(x, torch.tensor([0, 3, 1])),
    "mean": lambda x: x.mean(-1),
    "sum": lambda x: x.sum(-1),
    "var": lambda x: x.var(-1),
    "matmul": torch.matmul,
    "linear": F.linear,
    "conv": lambda x, w: F.conv2d(x, w, padding=1),
    "batchnorm": lambda x: F.batch_norm(x, None, None, training=True, eps=2.0**-10),
    "layernorm": lambda x: F.layer_norm(x, x.shape[-1:], eps=2.0**-10),
    "avgpool": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "maxpool": lambda x: F.max_pool2d(x, 2, 2),
}
Network.slopes = SLOPES
