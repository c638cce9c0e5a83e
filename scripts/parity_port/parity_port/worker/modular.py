"""What workers of frameworks have in common whose networks are modules with parameters."""

from __future__ import annotations

import contextlib
import importlib.metadata
import inspect
import json
import os
import sys
import tempfile
from collections.abc import Callable

import numpy as np

from .. import chance
from ..hyper import hyper
from ..lines import defined
from ..parts import arguments
from ..patched import Patched
from ..stored import Held
from ..trace import Entry, Trace, row_of
from . import drawn, proved
from .training import held_as, recipe


class Modular:
    """A framework says how parameters are read and put (`state`, `kinds`, `put`) and all their names (`named`), how a network is copied (`copied`), its modules by path (`modules`),
    what runs it (`forward`), and how elements come and go (`is_tensor`, `array`, `tensor`)."""

    abilities = ("f64", "isolation", "gradients", "state", "step")
    #: How a step of training is made: a `training.Training`.
    training: type
    #: What computes each kind of operator, by its name in slopes.CASES.
    slopes: dict = {}
    #: Operators without a proof that their gradients are f64, once that was asked.
    unproved: dict | None = None
    #: Packages of the framework's own functions, where they have other homes than its folders.
    homes: tuple[str, ...] = ()
    #: Distributions whose versions decide numbers.
    packages: tuple[str, ...] = ()
    #: Attributes of a module that are the framework's own bookkeeping.
    bookkeeping: tuple[str, ...] = ()

    def __init__(self, model):
        self.model, self.random = model, chance.random_state()
        self.signature = inspect.signature(self.forward(model))

    def versions(self) -> dict:
        return {name: importlib.metadata.version(name) for name in self.packages}

    def subject(self) -> str:
        return f"{self.framework} {importlib.metadata.version(self.packages[0])}, {self.device()}"

    def threads(self) -> int | None:
        """How many compute; None where the framework does not say."""
        return None

    def folders(self) -> tuple[str, ...]:
        """Where the framework's own code lies."""
        paths = [path for name in self.libraries for path in sys.modules[name].__path__]
        return tuple(os.path.join(path, "") for path in paths)

    def methods(self) -> list[tuple[type, str, Callable]]:
        """What computes tensors from tensors where the user's code calls it on one."""
        found = [(kind, name, getattr(kind, name, None)) for kind in self.tensor_types() for name in METHODS]
        return [row for row in found if callable(row[2])]

    def is_own(self, held) -> bool:
        """Whether it is a function of the framework's."""
        home = getattr(held, "__module__", None) or ""
        is_function = callable(held) and not inspect.isclass(held) and isinstance(getattr(held, "__name__", None), str)
        return is_function and home.partition(".")[0] in (*self.libraries, *self.homes)

    def names(self) -> list[str]:
        """Arguments of the network; none where it takes any."""
        known = self.signature.parameters.values()
        return [] if any(p.kind is p.VAR_KEYWORD for p in known) else [p.name for p in known]

    def bound(self, inputs) -> dict:
        """Inputs by the names of the arguments: a tensor, a tuple of arguments, or a dict of them."""
        args, kwargs = arguments(inputs)
        return dict(self.signature.bind(*args, **kwargs).arguments)

    def called(self, inputs: dict) -> tuple[tuple, dict]:
        """Arguments as the network takes them, those by position among them."""
        bound = self.signature.bind_partial()
        names = [name for name in self.signature.parameters if name in inputs]
        bound.arguments.update({name: inputs[name] for name in names})
        rest = {} if self.names() else {name: value for name, value in inputs.items() if name not in names}
        return bound.args, {**bound.kwargs, **rest}

    def listed(self, model) -> list[dict]:
        """Name, shape, dtype, and what the framework itself calls each parameter."""
        kinds = self.kinds(model)
        rows = [(name, self.array(value)) for name, value in self.state(model).items()]
        return [row(name, held, kinds[name][0], trainable=kinds[name][1]) for name, held in rows if held is not None]

    def tied(self, model) -> dict[str, str]:
        """Further names of what is shared, each with the one under which it is listed."""
        named, listed = self.named(model), self.state(model)
        first = {id(value): name for name, value in named if name in listed}
        return {name: first[id(value)] for name, value in named if name not in listed and id(value) in first}

    def described(self, model) -> dict[str, dict]:
        """Class, hyper-parameters, mode and source of each module by its path."""
        return {path: self.module(module) for path, module in self.modules(model).items()}

    def module(self, module) -> dict:
        kind = type(module)
        known = {name: value for name, value in self.attributes(module).items() if name not in self.bookkeeping}
        said = {"class": f"{kind.__module__}.{kind.__qualname__}", "hyper": hyper(known), "training": self.trains(module)}
        source = callable(module) and defined(self.forward(module))
        return {**said, "source": source} if source else said

    def attributes(self, module) -> dict:
        return {name: value for name, value in vars(module).items() if name[0] != "_"}

    def parameters(self, trace: Trace) -> None:
        trace.metadata["parameters"] = json.dumps(self.listed(self.model))
        for name, value in self.state(self.model).items():
            held = self.array(value)
            if held is not None:
                trace.parameter(name, *held)

    def load(self, values: dict[str, Held]) -> dict:
        held = {name: shown(*array) for name, value in self.state(self.model).items() if (array := self.array(value))}
        told = {"loaded": [], "unknown": [name for name in values if name not in held], "unlike": []}
        fit = {name: given for name, given in values.items() if held.get(name) == shown(*given)}
        other = [name for name in values if name in held and name not in fit]
        told["unlike"] = [{"name": name, "held": held[name], "given": shown(*values[name])} for name in other]
        self.put(self.model, {name: self.tensor(*given) for name, given in fit.items()})
        return {**told, "loaded": list(fit)}

    def run(self, to: str, inputs: dict, *, f64: bool, training: bool, floors: bool, loss=None, replay=None) -> None:
        with self.as_built(f64):
            model = self.in_mode(self.copied(self.model, f64), training)
            args, kwargs = self.called(inputs)
            with Patched(self, model, Trace(to, self.subject()), replay) as recording:
                with self.computing(loss is not None):
                    found = model(*args, **kwargs)
                    found = found if loss is None else loss(found)
                if loss is not None:
                    results = list(recording.trace.entries)
                    terms = recording.values(found)
                    with recording.quietly():
                        self.gradients(recording, terms, results, lambda: self.in_mode(self.copied(self.model, f64), training), args, kwargs, loss)

    def losses(self, trace: Trace, losses, by: dict) -> None:
        """Terms, and their gradients by the tensors of `by`, which the terms are computed from."""
        floats = {name: self.leaf(value) for name, value in by.items() if self.is_float(value)}
        by.update(floats)
        terms = terms_of(losses())
        for term, value in terms.items():
            array, dtype = self.array(value)
            trace.add(f"loss.{term}", array, Entry(f"loss.{term}", "Loss"), dtype)
        if floats:
            self.loss_gradients(trace, terms, losses, by, floats)

    def training_state(self, trace: Trace, optimizer) -> None:
        model = self.in_mode(self.copied(self.model, False), True)
        self.training(self, trace, model, recipe(optimizer(model))).begun()

    def step(self, trace: Trace, optimizer, given: dict, inputs: dict, loss, count: int, f64: bool) -> None:
        with self.as_built(f64):
            model = self.in_mode(self.copied(self.model, f64), True)
            self.put(model, held_as(given, "value."))
            args, kwargs = self.called(inputs)
            if f64:
                self.prove(trace, inputs, loss)
            with drawn.watched(trace, self, model):
                self.training(self, trace, model, recipe(optimizer(model))).step(given, count, lambda model: loss(model(*args, **kwargs)))

    def prove(self, trace: Trace, inputs: dict, loss) -> None:
        """Into the trace of a step in f64: of which operators nobody has proved that their gradients are f64."""
        if self.unproved is None:
            model = self.in_mode(self.copied(self.model, True), True)
            args, kwargs = self.called(inputs)
            with chance.as_before(self.random), tempfile.TemporaryDirectory() as folder:
                with Patched(self, model, Trace(f"{folder}/run", self.subject()), None) as recording, self.computing(True):
                    loss(model(*args, **kwargs))
                    entries = dict(recording.trace.entries)
            self.unproved = proved.unproved(self, entries, self.modules(model))
        proved.told(trace, self.unproved)

    def is_framework(self, kind: type) -> bool:
        return kind.__module__.partition(".")[0] in self.libraries

    def like(self, value, given: np.ndarray):
        """`given`, as a tensor in the place of `value`."""
        return self.tensor(given, None)

    def leaf(self, value):
        """`value`, as gradients can be asked by it."""
        return value

    def trained(self, model) -> dict:
        kinds = self.kinds(model)
        return {name: value for name, value in self.state(model).items() if kinds[name][1]}

    def add_gradients(self, trace: Trace, term: str, by: dict) -> None:
        for name, value in by.items():
            array, dtype = self.array(value)
            trace.add(f"grad.{term}.{name}", array, Entry(name, "Gradient", (term,)), dtype)

    def computing(self, with_gradients: bool):
        """While the network computes; whether what gradients need is kept."""
        return contextlib.nullcontext()

    def is_float(self, value) -> bool:
        held = self.array(value)
        return held is not None and (held[0].dtype.kind == "f" or held[1] == "bf16")

    @contextlib.contextmanager
    def as_built(self, f64: bool):
        """Random numbers as they were when the network was built; new tensors in f64 where the network computes in it."""
        with chance.as_before(self.random):
            yield


#: What operators call, and methods of a tensor that compute something.
METHODS = (
    *(f"__{name}__" for name in "add radd sub rsub mul rmul truediv rtruediv floordiv mod pow rpow matmul rmatmul neg abs getitem setitem".split()),
    *(f"__{name}__" for name in "iadd isub imul itruediv lt le gt ge and or xor invert".split()),
    *"astype reshape transpose swapaxes moveaxis flatten squeeze unsqueeze permute mean sum max min var std prod argmax argmin".split(),
    *"exp log sqrt rsqrt square abs sin cos round clip clamp split cumsum softmax sigmoid tanh matmul".split(),
)


def terms_of(value) -> dict:
    return value if isinstance(value, dict) else {"total": value}


def row(name: str, held: tuple, kind: str, **more) -> dict:
    value, dtype = held
    return {"name": name, "shape": list(value.shape), "dtype": row_of(value, dtype)[2], "kind": kind, **more}


def shown(value: np.ndarray, dtype: str | None = None) -> str:
    return f"{row_of(value, dtype)[2]} {list(value.shape)}"
