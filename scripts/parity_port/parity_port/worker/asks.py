"""What is asked of a port and how it is answered, whatever the framework; what differs is in the adapter, a file for each."""

from __future__ import annotations

import importlib
import os
import platform
import sys
import tempfile

import numpy as np

from .. import chance
from ..parts import leaves, together
from ..stored import dtypes, read
from ..trace import Entry, Trace, row_of
from . import portfile
from .training import Loss
from .wire import told

PROTOCOL = 1
#: Adapters, each with the package whose networks it runs; the last one takes what no framework made.
ADAPTERS = (("pytorch", "torch"), ("mlx", "mlx"), ("flax", "flax"), ("paddle", "paddle"), ("paddle_program", "paddle"), ("jittor", "jittor"), ("plain", "numpy"))


class Asks:
    """A port file, and the network that it built once `hello` was asked."""

    def __init__(self, path: str):
        self.path = path

    def answer(self, request: dict) -> dict:
        ask = getattr(self, f"ask_{request['ask']}", None)
        if ask is None:
            raise ValueError(f"'{request['ask']}' is nothing that this worker is asked")
        return ask(**{key: value for key, value in request.items() if key not in ("id", "ask")})

    def ask_hello(self, protocol: int, arguments: dict, seed: int) -> dict:
        if protocol != PROTOCOL:
            raise ValueError(f"protocol {protocol} is asked for, this worker speaks {PROTOCOL}")
        self.port = portfile.load(self.path)
        chance.seed(seed)
        model = self.port.build(**arguments)
        inputs = portfile.function(self.port, "inputs")
        self.example = None if inputs is None else inputs()
        self.network = adapter_of(model)(model)
        why_not = self.network.off() or (self.example is not None and self.off_in_f64())
        self.lacks = {"f64": why_not} if why_not else {}
        return {
            "protocol": PROTOCOL,
            "framework": self.network.framework,
            "versions": {"python": platform.python_version(), "numpy": np.__version__, **self.network.versions()},
            "class": f"{type(model).__module__}.{type(model).__qualname__}",
            "abilities": self.abilities(),
            "lacks": self.lacks,
            "exporters": list(getattr(self.network, "exporters", {})),
            "inputs": self.described(),
        }

    def off_in_f64(self) -> str | None:
        """Why the network itself is none that computes in f64, on its example inputs."""
        with tempfile.TemporaryDirectory() as folder:
            fed, to = os.path.join(folder, "fed"), os.path.join(folder, "to")
            self.write(fed, {name: widened(*held) for name, held in self.examples().items()})
            try:
                self.ask_forward(fed, True, False, False, to)
            except Exception as error:
                return f"the network does not run in it: {told(error)}"
            narrow = [f"'{name}' is {dtype.lower()} in it" for name, dtype in dtypes(to).items() if dtype in ("F32", "F16", "BF16")]
            return narrow[0] if narrow else None

    def abilities(self) -> list[str]:
        functions = [name for name in portfile.OPTIONAL if portfile.function(self.port, name)]
        own = [name for name in self.network.abilities if name not in self.lacks]
        if "losses" not in functions:
            own = [name for name in own if name != "gradients"]
        if not {"losses", "optimizer"} <= set(functions):
            own = [name for name in own if name not in ("state", "step")]
        return [*functions, *own]

    def described(self) -> list[dict]:
        """Name, dtype and shape of each input; both are null where only the name is known, an axis is a name where the port says it is open."""
        known, open_axes = self.examples(), dict(getattr(self.port, "axes", {}))
        rows = []
        for name in known or self.network.names():
            dtype, shape = (row_of(*known[name])[2], list(np.shape(known[name][0]))) if name in known else (None, None)
            for axis, called in named_axes(name, open_axes.pop(name, {})) if shape else ():
                shape[axis] = called
            rows.append({"name": name, "dtype": dtype, "shape": shape})
        if open_axes and known:
            raise ValueError(f"`axes` of the port names '{next(iter(open_axes))}', which is none of its inputs: {', '.join(known)}")
        return rows

    def examples(self) -> dict:
        """The port's own inputs by name, as arrays."""
        if self.example is None:
            return {}
        return self.arrays(self.network.bound(self.example))

    def arrays(self, value) -> dict:
        """The tensors of a value, by name."""
        name = "" if isinstance(value, dict) else "result"
        found = [(place.removeprefix(":"), self.network.array(leaf)) for place, leaf in leaves(value, name)]
        return {place: array for place, array in found if array is not None}

    def tensors(self, path: str) -> dict:
        return {name: self.network.tensor(*held) for name, held in read(path).items()}

    def ask_inputs(self, to: str) -> dict:
        self.write(to, self.examples())
        return {}

    def ask_targets(self, to: str) -> dict:
        return self.result(to, self.port.targets)

    def ask_parameters(self, to: str) -> dict:
        with self.trace(to) as trace:
            self.network.parameters(trace)
        return {}

    def ask_load(self, values: str) -> dict:
        return self.network.load(read(values))

    def ask_forward(self, inputs: str, f64: bool, training: bool, floors: bool, to: str, replay: str | None = None) -> dict:
        given = {} if replay is None else {"replay": read(replay)}
        self.network.run(to, self.arguments(inputs), f64=f64, training=training, floors=floors, **given)
        return {}

    def ask_gradients(self, inputs: str, targets: str, f64: bool, training: bool, to: str) -> dict:
        given = together(self.tensors(targets))
        loss = lambda outputs: self.port.losses(outputs, given)  # noqa: E731
        self.network.run(to, self.arguments(inputs), f64=f64, training=training, floors=False, loss=loss)
        return {}

    def ask_state(self, to: str) -> dict:
        with self.network.as_built(False), self.trace(to) as trace:
            self.network.training_state(trace, self.port.optimizer)
        return {}

    def ask_step(self, state: str, inputs: str, targets: str, step: int, f64: bool, to: str) -> dict:
        loss = Loss(self.port.losses, together(self.tensors(targets)))
        with self.trace(to) as trace:
            self.network.step(trace, self.port.optimizer, self.tensors(state), self.arguments(inputs), loss, step, f64)
            trace.add("loss_elements", np.array(loss.elements, np.float64), Entry("loss_elements", "Number"))
        return {}

    def ask_losses(self, outputs: str, targets: str, f64: bool, gradients: bool, to: str) -> dict:
        """The losses alone, of outputs that are given; their gradients by those where they are asked for."""
        by, given = self.tensors(outputs), together(self.tensors(targets))
        with self.network.as_built(f64), self.trace(to) as trace:
            self.network.losses(trace, lambda: self.port.losses(returned(by), given), by if gradients else {})
        return {}

    def ask_assign(self, outputs: str, targets: str, to: str) -> dict:
        return self.result(to, self.port.assign, returned(self.tensors(outputs)), together(self.tensors(targets)))

    def ask_postprocess(self, outputs: str, to: str) -> dict:
        return self.result(to, self.port.postprocess, returned(self.tensors(outputs)))

    def ask_preprocess(self, path: str, to: str) -> dict:
        return self.result(to, lambda: self.network.bound(self.port.preprocess(path)))

    def result(self, to: str, function, *given) -> dict:
        """What a function of the port's returns, by its own names or as `result`."""
        with self.network.as_built(False):
            self.write(to, self.arrays(function(*given)))
        return {}

    def ask_export(self, exporter: str, inputs: str, to: str) -> dict:
        self.network.export(to, exporter, self.arguments(inputs), dict(getattr(self.port, "axes", {})))
        return {}

    def ask_shutdown(self) -> dict:
        return {}

    def arguments(self, inputs: str) -> dict:
        """What the network is given, by the names of its arguments: the tensors of the file, the rest as the port's own inputs have it."""
        given = together(self.tensors(inputs))
        known = self.network.names()
        unknown = [name for name in given if known and name not in known]
        if unknown:
            raise ValueError(f"the network has no input '{unknown[0]}'; it has {', '.join(known)}")
        own = self.network.bound(self.example) if self.example is not None else {}
        rest = {name: value for name, value in own.items() if all(self.network.array(leaf) is None for _, leaf in leaves(value))}
        return {**rest, **given}

    def trace(self, to: str) -> Trace:
        return Trace(to, self.network.subject())

    def write(self, to: str, tensors: dict) -> None:
        """Tensors that no network computed."""
        with self.trace(to) as trace:
            for name, (value, dtype) in tensors.items():
                trace.add(name, value, Entry(name), dtype)


def widened(value: np.ndarray, dtype: str | None) -> tuple:
    return (value.astype(np.float64), None) if value.dtype.kind == "f" else (value, dtype)


def named_axes(name: str, axes) -> list[tuple[int, str]]:
    """Axes and their names, from a dict or a list, as torch.onnx.export takes either."""
    return list(axes.items()) if isinstance(axes, dict) else [(axis, f"{name}_{axis}") for axis in axes]


def returned(tensors: dict):
    """What the network returned, from the names that a trace has for it."""
    whole = together(tensors)
    return whole["output"] if list(whole) == ["output"] else whole


def adapter_of(model) -> type:
    """The class that runs `model`; a framework that the port never imported is not imported here either."""
    for name, package in ADAPTERS:
        if package in sys.modules:
            adapter = importlib.import_module(f".{name}", __package__).Network
            if adapter.takes(model):
                return adapter
    raise TypeError(
        f"build() returned {type(model).__module__}.{type(model).__qualname__}: neither a module of torch, MLX, Flax (nnx), Paddle or Jittor, nor an object with "
        "`parameters`, a dict of arrays, and `forward(trace, **inputs)`"
    )
