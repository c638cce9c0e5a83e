"""Functions of torch that a user's code calls between modules: `x + y`, `F.interpolate`, `torch.cat`."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.overrides import TorchFunctionMode

from .called import by_user, tensors
from .flow import Flow, version_of
from .parts import leaves

#: Attributes that torch reads by a function and that compute nothing.
READ = ("grad", "data")


class Given(NamedTuple):
    """A tensor that a function was given, and what was known of it before it ran."""

    value: Tensor
    exact: str | None
    parents: list[str]
    version: int

    @classmethod
    def of(cls, value: Tensor, flow: Flow) -> Given:
        return cls(value, flow.exact(value), flow.parents(value), version_of(value))

    @property
    def was_written(self) -> bool:
        return version_of(self.value) != self.version

    @property
    def may_be_written(self) -> bool:
        """Whether its elements may be others by now; nobody counts in inference mode."""
        return self.was_written or self.value.is_inference()


class Functions(TorchFunctionMode):
    """While it is entered, the recorder is told of every function that the user's own lines call."""

    def __init__(self, recorder):
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        at = self.recorder.is_watching() and by_user()
        name = at and name_of(func)
        if not name:
            return func(*args, **kwargs)
        given = [Given.of(value, self.recorder.flow) for value in tensors((args, kwargs))]
        result = self.recorder.call(func, name, args, kwargs)
        made = results(result, given, self.recorder.flow)
        if made:
            self.recorder.function(name, given, made, at)
        return result


def name_of(func) -> str | None:
    """`add` for `__add__`; the attribute's name for one that is read (`T`, `real`)."""
    name = getattr(func, "__name__", None)
    if name == "__get__":
        read = func.__self__.__name__
        return None if read in READ else read
    return name and (name.strip("_") if name.startswith("__") else name)


def results(result, given: list[Given], flow: Flow) -> list[tuple[str, Tensor]]:
    """The tensors that a function made, each with its place in the result: none that was recorded before, as `x.detach()` is."""
    made = [(place, value) for place, value in leaves(result) if isinstance(value, Tensor)]
    if not made:  # x[i] = y returns nothing
        made = [("", g.value) for g in given if g.was_written][:1]
    return [(place, value) for place, value in made if is_uncounted(value, given) or flow.exact(value) is None]


def is_uncounted(value: Tensor, given: list[Given]) -> bool:
    """Whether `value` may have been written to though its version does not tell."""
    return value.is_inference() and any(value is g.value for g in given)
