"""Whether a step of training draws at random: no other program draws alike, so that nothing behind it can be held against another's."""

from __future__ import annotations

import contextlib

import numpy as np

from .. import chance
from ..trace import Entry, Trace

#: Frameworks that do not say how far their generators have drawn: there the modules decide.
SILENT = ("jax", "jittor")
#: What a module calls the share that it drops; MLX keeps what is left of it.
RATES = {"p": 0.0, "rate": 0.0, "drop_prob": 0.0, "p_1": 1.0}


@contextlib.contextmanager
def watched(trace: Trace, network, model):
    """Into the trace of the step that is made meanwhile: `drawn`, and `drawn.MODULE` of what is known to draw."""
    before = chance.random_state()
    names = drops(network, model)
    yield
    if chance.drew(before) or (names and network.framework in SILENT):
        for name in ("drawn", *(f"drawn.{name}" for name in names)):
            trace.add(name, np.array(1.0), Entry(name, "Draw"))


def drops(network, model) -> list[str]:
    """Modules that drop at random now, by their classes' names."""
    own = network.modules(model).items() if hasattr(network, "modules") else ()
    return [path for path, module in own if "drop" in type(module).__name__.lower() and network.trains(module) and drops_some(network.attributes(module))]


def drops_some(held: dict) -> bool:
    rates = [(held[name], none) for name, none in RATES.items() if isinstance(held.get(name), (int, float))]
    return all(rate != none for rate, none in rates)
