"""Which operators of a network and its losses have gradients that are f64 in truth: each kind that a recorded run has is tried once (slopes.py)."""

from __future__ import annotations

import math

import numpy as np

from .. import slopes
from ..trace import Entry, Trace

#: What is no operator: what went in and came out, and the losses themselves.
ENDS = ("Input", "Output", "Loss", "Gradient", "")


def unproved(network, entries: dict, modules: dict) -> dict[str, float]:
    """Operators behind a trace's tensors without a proof, each with how far its gradient is off; infinite where it was not tried."""
    found = {}
    for op in sorted({op for name, told in entries.items() for op in called(network, name, told["op"], modules)}):
        off = tried(network, slopes.kind(op))
        if not off <= slopes.LIMIT:
            found[op] = off
    return found


def told(trace: Trace, lacks: dict[str, float]) -> None:
    for op, off in lacks.items():
        trace.add(f"unproved.{op}", np.array(off), Entry(op, "Proof"))
    trace.add("proved", np.array(1.0), Entry("", "Proof"))


def called(network, name: str, op: str, modules: dict) -> list[str]:
    """The operator behind a tensor; none where the parts of a module of the user's are recorded themselves."""
    if op in ENDS or "input:" in name:
        return []
    module = modules.get(name.partition("#")[0].partition(":")[0])
    if module is None or "()" in name:
        return [op]
    own = [kind for kind in type(module).__mro__ if network.is_framework(kind)]
    has_parts = any(path.startswith(f"{name.partition('#')[0]}.") for path in modules)
    return [] if has_parts or not own or own[0].__name__ in ("Module", "Layer") else [own[0].__name__]


def tried(network, kind: str) -> float:
    if kind in slopes.MOVES:
        return 0.0
    function = network.slopes.get(kind)
    if function is None or kind not in slopes.CASES:
        return math.inf
    try:
        return slopes.of(kind, lambda given, weights: network.slope(function, given, weights))
    except Exception:
        return math.inf
