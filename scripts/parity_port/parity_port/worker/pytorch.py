"""A port in PyTorch: `build()` returns a torch.nn.Module.

Each run is one of a copy, with the random numbers that there were when the network was built, so that nothing a run does stays.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import chance, described, proof
from ..alone import Alone
from ..copies import copied
from ..floors import new_in
from ..gradients import gradients
from ..recorder import Recorder
from ..run import arguments, record_call
from ..stored import Held
from ..trace import Entry, Trace
from ..values import NAMES, as_array, unwritable


class AloneInTorch(Alone, Recorder):
    """A call of a PyTorch module alone."""


class Network:
    framework = "torch"
    abilities = ("f64", "floors", "isolation", "gradients", "export")
    #: Exporter -> whether it is the one that traces by torch.export.
    exporters = {"legacy": False, "dynamo": True}

    def __init__(self, model: nn.Module):
        self.model, self.random = model, chance.random_state()
        self.signature = inspect.signature(model.forward)

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

    def names(self) -> list[str]:
        """Arguments of `forward`; none where it takes any."""
        known = self.signature.parameters.values()
        return [] if any(p.kind is p.VAR_KEYWORD for p in known) else [p.name for p in known]

    def bound(self, inputs) -> dict:
        """Inputs by the names of the arguments: a tensor, a tuple of arguments, or a dict of them, as `record` takes them."""
        args, kwargs = arguments(inputs)
        return dict(self.signature.bind(*args, **kwargs).arguments)

    def array(self, value) -> tuple | None:
        return as_array(value) if isinstance(value, Tensor) and unwritable(value) is None else None

    def tensor(self, value: np.ndarray, dtype: str | None) -> Tensor:
        found = torch.from_numpy(value)
        return found.view(torch.bfloat16) if dtype == "bf16" else found

    def parameters(self, trace: Trace) -> None:
        trace.metadata["parameters"] = json.dumps(described.parameters(self.model))
        for name, value in described.state(self.model).items():
            if unwritable(value) is None:
                trace.parameter(name, *as_array(value))

    def load(self, values: dict[str, Held]) -> dict:
        held, told = described.state(self.model), {"loaded": [], "unknown": [], "unlike": []}
        for name, (value, dtype) in values.items():
            given = self.tensor(value, dtype)
            if name not in held:
                told["unknown"].append(name)
            elif shown(held[name]) != shown(given):
                told["unlike"].append({"name": name, "held": shown(held[name]), "given": shown(given)})
            else:
                with torch.no_grad():
                    held[name].copy_(given)
                told["loaded"].append(name)
        return told

    def run(self, to: str, inputs: dict, *, f64: bool, training: bool, floors: bool, loss=None) -> None:
        model = in_mode(copied(self.model, f64), training)
        args, kwargs = self.called(inputs)
        with self.as_built(f64), torch.set_grad_enabled(loss is not None):
            record_call(model, args, kwargs, to, loss=loss, floors=floors)

    def alone(self, to: str, module: str, call: int, inputs: dict, values: dict, *, f64: bool, training: bool) -> None:
        if module not in dict(self.model.named_modules()):
            raise ValueError(f"the network has no module '{module}'")
        model = in_mode(copied(self.model, f64), training)
        values = {name: on(model, value) for name, value in values.items()}
        with self.as_built(f64), torch.no_grad():
            AloneInTorch(model, Trace(to, self.subject()), path=module, call=call, values=values).run(*self.called(inputs))

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

    def losses(self, trace: Trace, losses, by: dict) -> None:
        """Terms, and their gradients by the tensors of `by`, which the terms are computed from."""
        by = {name: value.requires_grad_() for name, value in by.items() if value.is_floating_point()}
        terms = terms_of(losses())
        for term, value in terms.items():
            trace.add(f"loss.{term}", *with_entry(value, Entry(f"loss.{term}", "Loss")))
        gradients(trace, {term: value for term, value in terms.items() if value.requires_grad}, by)

    def called(self, inputs: dict) -> tuple[tuple, dict]:
        """Arguments as `forward` takes them, those by position among them."""
        bound = self.signature.bind_partial()
        names = [name for name in self.signature.parameters if name in inputs]
        bound.arguments.update({name: on(self.model, inputs[name]) for name in names})
        if not self.names():
            rest = {name: on(self.model, value) for name, value in inputs.items() if name not in names}
            return bound.args, {**bound.kwargs, **rest}
        return bound.args, bound.kwargs

    @contextlib.contextmanager
    def as_built(self, f64: bool):
        """Random numbers as they were when the network was built; new tensors in f64 where the network computes in it."""
        with chance.as_before(self.random), new_in(torch.float64 if f64 else torch.get_default_dtype()):
            yield


def in_mode(model: nn.Module, training: bool) -> nn.Module:
    """As the network was built, module by module; in training where it is asked for and was not built so."""
    return model.train() if training and not model.training else model


def on(model: nn.Module, value):
    """`value` on the device of the network."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    return torch.utils._pytree.tree_map_only(Tensor, lambda x: x.to(device), value)


def terms_of(value) -> dict[str, Tensor]:
    return value if isinstance(value, dict) else {"total": value}


def with_entry(value: Tensor, entry: Entry) -> tuple:
    array, dtype = as_array(value)
    return array, entry, dtype


def shown(value: Tensor) -> str:
    return f"{NAMES[str(value.dtype)]} {list(value.shape)}"


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
