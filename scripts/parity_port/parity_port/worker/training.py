"""One step of training of a port, from a state that is given: what `optimizer(network)` returns, whatever the framework, and what a step is called in a file.

`optimizer(network)` returns the framework's optimiser, or a dict: `optimizer`; `clip`, a function of the parameters that is called when their gradients are there;
`schedule`, whose `step()` follows each step; `ema`, an average of the network with `update_parameters(network)` or `update(network)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..parts import leaves
from ..trace import Entry, Trace

PARTS = ("optimizer", "clip", "schedule", "ema")


class Recipe(NamedTuple):
    optimizer: object
    clip: Callable | None = None
    schedule: object = None
    ema: object = None


@dataclass
class Loss:
    """What the network's outputs cost on a batch; after a call also how many elements these had, of which a term is a sum at most."""

    losses: Callable
    targets: dict
    elements: int = 0

    def __call__(self, outputs):
        self.elements = max((math.prod(value.shape) for _, value in leaves(outputs) if hasattr(value, "shape")), default=0)
        return self.losses(outputs, self.targets)


def recipe(made) -> Recipe:
    if not isinstance(made, dict):
        return Recipe(made)
    odd = [name for name in made if name not in PARTS]
    if odd or "optimizer" not in made:
        raise ValueError(f"optimizer() returns {', '.join(map(str, made))}: a dict of it has {', '.join(PARTS)}, of which all but the first may be left out")
    return Recipe(**made)


def total(terms: dict):
    """What is differentiated: the term `total`, else the sum of all."""
    return terms["total"] if "total" in terms else sum(terms.values())


def held_as(state: dict, kind: str) -> dict:
    """What a state holds of one kind, by the names of parameters."""
    return {name.removeprefix(kind): value for name, value in state.items() if name.startswith(kind)}


def averaged(ema, is_network: Callable):
    """The network that is the average: what an object holds as `module` or `ema`, or the object itself."""
    held = [getattr(ema, name, None) for name in ("module", "ema")]
    return next((module for module in held if is_network(module)), ema)


class Training:
    """One step of a copy of the network, in the order in which it is computed.

    A framework says what the loss and its gradients are (`differentiated`), what clipping makes of these (`clipped`), how an optimiser moves the network (`moved`),
    what it keeps by slot and parameter (`slots`), how that is put (`put`), and what it says of its rule (`rules`), if it is one that is known.
    """

    def __init__(self, network, trace: Trace, model, made: Recipe):
        self.network, self.trace, self.model, self.made = network, trace, model, made

    def step(self, given: dict, count: int, run: Callable) -> None:
        """From the state `given`, after `count` steps; `run` gives the losses of a model."""
        steps = self.restored(given, count)
        terms, gradients = self.differentiated(run)
        for term, value in terms.items():
            self.added(f"loss.{term}", value, ())
        self.listed("grad", gradients)
        clipped = self.clipped(gradients)
        if clipped is not None:
            self.listed("clipped", clipped)
        self.moved(gradients if clipped is None else clipped)
        self.ruled(list(gradients))
        if self.made.ema is not None:
            self.made.ema.update(self.model)
        self.kept(steps + 1)

    def restored(self, given: dict, count: int) -> int:
        """Schedule, optimiser and average as they were; how many steps the optimiser has made."""
        for _ in range(count if self.made.schedule is not None else 0):
            self.made.schedule.step()
        told = round(float(self.network.array(given["optimizer.count"])[0].reshape(()))) if "optimizer.count" in given else 0
        steps = told or count  # PyTorch's SGD counts nothing, and a rate that is a function of the step is still one of it
        slots = {name: value for name, value in held_as(given, "optimizer.").items() if name != "count"}
        self.put({tuple(name.split(".", 1)): value for name, value in slots.items()}, steps)
        if self.made.ema is not None and count:
            self.network.put(self.average(), {name: value for name, value in held_as(given, "ema.").items() if name != "count"})
        return steps

    def average(self):
        return averaged(self.made.ema, self.network.takes)

    def kept(self, steps: int) -> None:
        """The state as it is now."""
        for slot, held in self.slots().items():
            self.listed(f"optimizer.{slot}", held)
        self.number("optimizer.count", steps)
        self.values()

    def begun(self) -> None:
        """The state that training starts from, in which no optimiser keeps anything."""
        self.number("optimizer.count", 0)
        self.values()

    def values(self) -> None:
        self.listed("value", self.floats(self.model))
        if self.made.ema is not None:
            self.listed("ema", self.floats(self.average()))

    def floats(self, model) -> dict:
        return {name: value for name, value in self.network.state(model).items() if self.network.is_float(value)}

    def ruled(self, names: list[str]) -> None:
        rules = self.rules()
        rows = [rules[name] for name in names if name in rules]
        if rows and len(rows) == len(names):
            for key in rows[0]:
                self.number(f"rule.{key}", [float(row[key]) for row in rows])

    def rules(self) -> dict:
        """Of each parameter; nothing of an optimiser that is not known to follow its rule."""
        return {}

    def listed(self, kind: str, held: dict) -> None:
        for name, value in held.items():
            self.added(f"{kind}.{name}", value)

    def added(self, name: str, value, shape: tuple | None = None) -> None:
        array, dtype = self.network.array(value)
        self.trace.add(name, array if shape is None else array.reshape(shape), Entry(name, "Training"), dtype)

    def number(self, name: str, value) -> None:
        self.trace.add(name, np.array(value, np.float64), Entry(name, "Number"))
