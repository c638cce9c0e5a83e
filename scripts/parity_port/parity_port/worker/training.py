"""One step of training of a port, from a state that is given: what `optimizer(network)` returns, whatever the framework, and what a step is called in a file.

`optimizer(network)` returns the framework's optimiser, or a dict: `optimizer`; `clip`, a function of the parameters that is called when their gradients are there;
`schedule`, whose `step()` follows each step; `ema`, an average of the network with `update_parameters(network)` or `update(network)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

PARTS = ("optimizer", "clip", "schedule", "ema")


class Recipe(NamedTuple):
    optimizer: object
    clip: Callable | None = None
    schedule: object = None
    ema: object = None


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
