"""A step of training in Jittor."""

from __future__ import annotations

import jittor as jt
import numpy as np

from ..trace import Entry, Trace
from .modular import terms_of
from .training import Recipe, held_as, total

#: What Jittor's optimisers keep for each parameter of a group -> the protocol's name.
SLOTS = {"SGD": {"values": "momentum"}, "Adam": {"m": "mean", "values": "square"}, "AdamW": {"m": "mean", "values": "square"}}


def step(network, trace: Trace, model, made: Recipe, given: dict, terms_of_loss, count: int) -> None:
    """One step of `model`, which holds the parameters of `given`."""
    if made.ema is not None:
        raise ValueError("optimizer() returns an `ema`, of which nobody knows in Jittor what it keeps")
    parameters, optimizer = network.trained(model), made.optimizer
    names = {id(value): name for name, value in parameters.items()}
    restored(made, names, given, count)
    terms = terms_of(terms_of_loss())
    for term, value in terms.items():
        added(network, trace, f"loss.{term}", value)
    optimizer.zero_grad()
    optimizer.backward(total(terms))
    listed(network, trace, "grad", optimizer, names)
    if made.clip is not None:
        made.clip(optimizer)
        listed(network, trace, "clipped", optimizer, names)
    ruled(trace, optimizer, names)
    optimizer.step()
    kept(network, trace, model, optimizer, names)


def each(optimizer, key: str, names: dict):
    """What groups hold of the parameters that train, by name."""
    for group in optimizer.param_groups:
        for of, held in zip(group["params"], group.get(key, [])):
            if id(of) in names:
                yield names[id(of)], held


def slots(optimizer) -> dict:
    known = SLOTS.get(type(optimizer).__name__, {})
    plain = "momentum" in known.values() and not any(group.get("momentum", optimizer.momentum) for group in optimizer.param_groups)
    return {} if plain else known


def restored(made: Recipe, names: dict, given: dict, count: int) -> None:
    for _ in range(count if made.schedule is not None else 0):
        made.schedule.step()
    made.optimizer.n_step = int(given["optimizer.count"].item()) if "optimizer.count" in given else 0
    for key, slot in slots(made.optimizer).items():
        values = held_as(given, f"optimizer.{slot}.")
        for name, held in each(made.optimizer, key, names):
            if name in values:
                held.update(values[name])


def listed(network, trace: Trace, kind: str, optimizer, names: dict) -> None:
    for name, gradient in each(optimizer, "grads", names):
        added(network, trace, f"{kind}.{name}", gradient)


def kept(network, trace: Trace, model, optimizer, names: dict) -> None:
    for key, slot in slots(optimizer).items():
        for name, held in each(optimizer, key, names):
            added(network, trace, f"optimizer.{slot}.{name}", held)
    number(trace, "optimizer.count", optimizer.n_step)
    for name, value in network.state(model).items():
        if network.is_float(value):
            added(network, trace, f"value.{name}", value)


def ruled(trace: Trace, optimizer, names: dict) -> None:
    """What the optimiser says of its rule, in the order of the gradients; nothing of one that is not known to follow it."""
    kind = type(optimizer).__name__
    if kind not in SLOTS:
        return
    rows = []
    for group in optimizer.param_groups:
        told = lambda key: float(group.get(key, getattr(optimizer, key)))  # noqa: B023,E731
        row = {"rate": told("lr"), "decay": told("weight_decay"), "decoupled": float(kind == "AdamW")}
        if kind == "SGD":
            row |= {"momentum": told("momentum"), "nesterov": told("nesterov")}
        else:
            beta1, beta2 = group.get("betas", optimizer.betas)
            row |= {"beta1": beta1, "beta2": beta2, "eps": told("eps")}
        rows += [row for of in group["params"] if id(of) in names]
    for key in rows[0]:
        number(trace, f"rule.{key}", [row[key] for row in rows])


def number(trace: Trace, name: str, value) -> None:
    trace.add(name, np.array(value, np.float64), Entry(name, "Number"))


def added(network, trace: Trace, name: str, value: jt.Var) -> None:
    array, dtype = network.array(value)
    # Jittor's scalars have one axis.
    trace.add(name, array.reshape(()) if name.startswith("loss.") else array, Entry(name, "Training"), dtype)
