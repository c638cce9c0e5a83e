"""Workers of frameworks that differentiate tensors, as PyTorch does: Paddle and Jittor."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable

from ..patched import patch
from .modular import Modular


class Taped(Modular):
    """A framework says how a scalar is differentiated: `pulled(value, tensors)` returns its gradient by each."""

    def gradients(self, recording, terms: dict, results: list[str], again, args: tuple, kwargs: dict, loss) -> None:
        followed = {name: recording.followed[name] for name in results if name not in recording.trace.inputs}
        # What was written into since is no longer what the name stands for.
        known = {name: value for name, value in followed.items() if name in recording.flow.names(value) and self.differs(value)}
        by = {**self.trained(recording.module), **known}
        for term, value in terms.items():
            self.pull(recording.trace, term, value, by)

    def pull(self, trace, term: str, value, by: dict) -> None:
        """Gradients of a term; what has two names is asked once."""
        each = {id(of): of for of in by.values()}
        found = dict(zip(each, self.pulled(value, list(each.values()))))
        self.add_gradients(trace, term, {name: found[id(of)] for name, of in by.items()})

    def differs(self, value) -> bool:
        """Whether a gradient may be asked by `value`."""
        return self.is_float(value)

    def slope(self, function, given: list, weights) -> list:
        """Gradients of what a function makes of arrays, each result by its weight."""
        tensors = [self.leaf(self.tensor(x, None)) for x in given]
        value = (function(*tensors) * self.tensor(weights, None)).sum()
        return [self.array(found)[0] for found in self.pulled(value, tensors)]

    def loss_gradients(self, trace, terms: dict, losses, by: dict, floats: dict) -> None:
        for term, value in terms.items():
            self.pull(trace, term, value, floats)


@contextlib.contextmanager
def beside_numbers(kind: type, beside: Callable):
    """While operators that make floats of a tensor of `kind` and a number take what `beside` makes of the two."""
    with contextlib.ExitStack() as work:
        for name in NUMBERS:
            patch(work, kind, name, functools.partialmethod(with_number, name, getattr(kind, name), beside))
        yield


def with_number(value, name: str, method: Callable, beside: Callable, other):
    makes_float = isinstance(other, float) or (name in QUOTIENTS and isinstance(other, int))
    return method(*beside(value, other)) if makes_float else method(value, other)


#: What takes a number beside a tensor.
NUMBERS = [f"__{name}__" for name in "add radd sub rsub mul rmul truediv rtruediv pow rpow".split()]
#: What makes floats of integers.
QUOTIENTS = ("__truediv__", "__rtruediv__")
