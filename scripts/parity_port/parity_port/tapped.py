"""Gradients where a framework differentiates functions and not tensors (MLX, JAX): the program runs again as a function of its parameters and of a
zero that is added to whatever its modules and functions return. The gradient by that zero is that by the tensor."""

from __future__ import annotations

import itertools

from .identity import Identity
from .parts import leaves, replaced
from .patched import Patched


class Names:
    """A trace in which only names are kept."""

    def __init__(self):
        self.tensors, self.program = {}, {}

    def add(self, name: str, *_) -> None:
        self.tensors[name] = None

    def fed(self, *_, **__) -> None:
        pass

    def __exit__(self, *_) -> None:
        pass


class Tapped(Patched):
    """A run under the names of a recorded one, to which `taps` are added by name."""

    def __init__(self, framework, model, taps: dict):
        super().__init__(framework, model, Names())
        self.flow, self.taps = Identity(lambda value: None), taps

    def describe(self) -> None:
        """Parameters are no results."""

    def unwritable(self, value) -> str | None:
        return None

    def as_array(self, value) -> tuple:
        return None, None

    def follow(self, name: str, value) -> None:
        self.followed[id(value)] = name

    def passed(self, output):
        given = {place: self.tapped(value) for place, value in leaves(output) if self.is_tensor(value)}
        return replaced(output, given)

    def tapped(self, value):
        name = next((name for name in self.flow.names(value) if name in self.taps), None)
        if name is None:
            return value
        with self.quietly():
            more = value + self.taps.pop(name)
        self.flow.keep(name, more)
        return more


def gradients(framework, recording: Patched, model_of, args: tuple, kwargs: dict, loss, results: list[str]) -> None:
    """`grad.TERM.NAME` of each term, by the trainable parameters and by the tensors `results` that were recorded until the loss was there.

    `model_of` makes the network again, with values of parameters where they are given.
    """
    trained = framework.trained(model_of({}))
    values = {name: recording.followed[name] for name in results if name not in recording.trace.inputs}
    taps = {name: framework.zeros(value) for name, value in values.items() if framework.is_float(value)}

    untouched: list[str] = []  # what the program made unseen, and went on with as it was

    def terms(values: list) -> dict:
        by = dict(zip([*trained, *taps], values))
        model = model_of({name: by[name] for name in trained})
        with Tapped(framework, model, {name: by[name] for name in taps}) as again:
            found = loss(model(*args, **kwargs))
        untouched[:] = again.taps
        require_same([name for name in again.trace.tensors if name not in recording.missing], results)
        return found if isinstance(found, dict) else {"total": found}

    for term, by in framework.differentiated(terms, [*trained.values(), *taps.values()]).items():
        framework.add_gradients(recording.trace, term, {name: value for name, value in zip([*trained, *taps], by) if name not in untouched})


def require_same(again: list[str], recorded: list[str]) -> None:
    """A name stands for the same tensor in both runs."""
    pairs = itertools.zip_longest(again, recorded)
    other = next(((a, b) for a, b in pairs if a != b), None)
    if other:
        raise ValueError(f"the program takes another way where it is differentiated: it computes '{other[0]}', where it computed '{other[1]}'")
