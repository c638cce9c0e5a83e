"""A port in plain numpy: an object with `parameters`, a dict of arrays by name, and `forward(trace, **inputs)`.

`forward` adds what it computes to the trace and returns a dict of its outputs. It computes in the dtype of what it is given.
"""

from __future__ import annotations

import copy
import inspect
import json
import math

import numpy as np

from .. import chance
from ..stored import Held
from ..trace import Entry, Trace
from . import drawn, plain_training
from .modular import row, shown
from .training import held_as, recipe


class Network:
    framework = "numpy"

    def __init__(self, model):
        self.model, self.random = model, chance.random_state()
        self.abilities = ("f64", "state", "step") if callable(getattr(model, "gradients", None)) else ("f64",)

    @staticmethod
    def takes(model) -> bool:
        return isinstance(getattr(model, "parameters", None), dict) and callable(getattr(model, "forward", None))

    def versions(self) -> dict:
        return {}

    def subject(self) -> str:
        return f"numpy {np.__version__}"

    def off(self) -> str | None:
        """numpy's own f64 against Python's: what may differ is a library behind it that computes in less."""
        x = np.linspace(-1, 2, 64)
        exact = {"exp": [math.exp(v) for v in x], "matmul": [math.fsum(v * w for v, w in zip(x[i:], x)) for i in range(8)]}
        found = {"exp": np.exp(x), "matmul": np.array([x[i:] @ x[: 64 - i] for i in range(8)])}
        off = {name: np.max(np.abs(found[name] / exact[name] - 1)) for name in exact}
        return next((f"{name} is off by {error:.1e} in f64" for name, error in off.items() if not error <= 1e-12), None)

    def names(self) -> list[str]:
        """Inputs by the arguments of `forward` behind the trace."""
        known = list(inspect.signature(self.model.forward).parameters.values())[1:]
        return [p.name for p in known if p.kind is not p.VAR_KEYWORD and p.name != "training"]

    def bound(self, inputs) -> dict:
        if not isinstance(inputs, dict):
            raise TypeError("inputs() of a port in plain numpy returns a dict of arrays by name")
        return inputs

    def array(self, value) -> tuple | None:
        return (np.asarray(value), None) if isinstance(value, (np.ndarray, np.generic)) else None

    def tensor(self, value: np.ndarray, dtype: str | None) -> np.ndarray:
        if dtype is not None:
            raise ValueError(f"numpy has no {dtype}")
        return value

    def parameters(self, trace: Trace) -> None:
        held = self.model.parameters
        trace.metadata["parameters"] = json.dumps([row(name, (value, None), "parameter") for name, value in held.items()])
        for name, value in held.items():
            trace.parameter(name, value)

    def load(self, values: dict[str, Held]) -> dict:
        held, told = self.model.parameters, {"loaded": [], "unknown": [], "unlike": []}
        for name, given in values.items():
            if name not in held:
                told["unknown"].append(name)
            elif shown(held[name]) != shown(*given):
                told["unlike"].append({"name": name, "held": shown(held[name]), "given": shown(*given)})
            else:
                held[name] = given.value
                told["loaded"].append(name)
        return told

    def as_built(self, f64: bool):
        return chance.as_before(self.random)

    def losses(self, trace: Trace, losses, by: dict) -> None:
        """Terms, of which nobody knows the gradients here."""
        found = losses()
        for term, value in (found if isinstance(found, dict) else {"total": found}).items():
            trace.add(f"loss.{term}", value, Entry(f"loss.{term}", "Loss"))

    def state(self, model) -> dict:
        return model.parameters

    def put(self, model, values: dict) -> None:
        model.parameters |= values

    def is_float(self, value) -> bool:
        return value.dtype.kind == "f"

    def copied(self, f64: bool):
        model = copy.deepcopy(self.model)
        if f64:
            model.parameters = {name: in_f64(value) for name, value in model.parameters.items()}
        return model

    def training_state(self, trace: Trace, optimizer) -> None:
        model = self.copied(False)
        plain_training.Steps(self, trace, model, recipe(optimizer(model))).begun()

    def step(self, trace: Trace, optimizer, given: dict, inputs: dict, loss, count: int, f64: bool) -> None:
        with self.as_built(f64):
            model = self.copied(f64)
            self.put(model, held_as(given, "value."))
            made = recipe(optimizer(model))
            with drawn.watched(trace, self, model):
                plain_training.Steps(self, trace, model, made).step(given, count, lambda model: model.gradients(loss.targets, **inputs))

    def run(self, to: str, inputs: dict, *, f64: bool, training: bool, floors: bool) -> None:
        model = self.copied(f64)
        mode = {"training": training} if "training" in inspect.signature(model.forward).parameters else {}
        with self.as_built(f64), Trace(to, self.subject()) as trace:
            Network(model).parameters(trace)
            for name, value in inputs.items():
                trace.fed(name, value)
            outputs = model.forward(trace, **inputs, **mode)
            for name, value in outputs.items():
                if name not in trace.tensors:
                    trace.add(name, value, Entry(op="Output"))
            call = {"module": "", "inputs": list(inputs), "outputs": list(outputs)}
            trace.program = {"modules": {"": described(model, training)}, "calls": [call]}


def described(model, training: bool) -> dict:
    kind = type(model)
    return {"class": f"{kind.__module__}.{kind.__qualname__}", "training": training}


def in_f64(value: np.ndarray) -> np.ndarray:
    return value.astype(np.float64) if value.dtype.kind == "f" else value
