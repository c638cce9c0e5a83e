"""A step of training in PyTorch."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor, nn

from ..trace import Entry, Trace
from ..values import as_array
from .modular import terms_of
from .training import Recipe, averaged, held_as, total

#: torch's name of what an optimiser keeps for a parameter -> the protocol's.
SLOTS = {"momentum_buffer": "momentum", "exp_avg": "mean", "exp_avg_sq": "square", "max_exp_avg_sq": "largest"}
#: What is known to follow the rule of its name.
KNOWN = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)


def step(trace: Trace, model: nn.Module, made: Recipe, given: dict[str, Tensor], terms_of_loss, count: int, state) -> None:
    """One step of `model`, which holds the parameters of `given`; `state` lists those of a module."""
    parameters = {name: value for name, value in state(model).items() if isinstance(value, nn.Parameter) and value.requires_grad}
    restored(made, parameters, given, count, state)
    made.optimizer.zero_grad(set_to_none=True)
    terms = terms_of(terms_of_loss())
    for term, value in terms.items():
        added(trace, f"loss.{term}", value, "Loss")
    total(terms).backward()
    for name, value in parameters.items():
        added(trace, f"grad.{name}", torch.zeros_like(value) if value.grad is None else value.grad, "Gradient")
    if made.clip is not None:
        made.clip(list(parameters.values()))
        for name, value in parameters.items():
            added(trace, f"clipped.{name}", torch.zeros_like(value) if value.grad is None else value.grad, "Gradient")
    ruled(trace, made.optimizer, parameters)
    made.optimizer.step()
    if made.ema is not None:
        (made.ema.update_parameters if hasattr(made.ema, "update_parameters") else made.ema.update)(model)
    kept(trace, model, made, parameters, state)


def kept(trace: Trace, model: nn.Module, made: Recipe, parameters: dict, state) -> None:
    """The state as it is now."""
    counts = []
    for name, value in parameters.items():
        for key, held in made.optimizer.state.get(value, {}).items():
            if key == "step":
                counts.append(float(held))
            elif isinstance(held, Tensor):
                added(trace, f"optimizer.{SLOTS.get(key, key)}.{name}", held, "State")
    added(trace, "optimizer.count", torch.tensor(max(counts, default=0.0), dtype=torch.float64), "State")
    for name, value in floats(state(model)).items():
        added(trace, f"value.{name}", value, "State")
    if made.ema is not None:
        for name, value in floats(state(averaged(made.ema, is_network))).items():
            added(trace, f"ema.{name}", value, "State")
        added(trace, "ema.count", torch.tensor(float(updates(made.ema)), dtype=torch.float64), "State")


def restored(made: Recipe, parameters: dict, given: dict, count: int, state) -> None:
    """The optimiser, the schedule and the average as they were after `count` steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no step of the optimiser went before
        for _ in range(count if made.schedule is not None else 0):
            made.schedule.step()
    steps = float(given.get("optimizer.count", torch.tensor(0.0)))
    for key, slot in SLOTS.items():
        for name, value in held_as(given, f"optimizer.{slot}.").items():
            made.optimizer.state[parameters[name]][key] = value.clone()
    for held in made.optimizer.state.values():
        if "exp_avg" in held:
            held["step"] = torch.tensor(steps)
    if made.ema is not None and count:
        into = state(averaged(made.ema, is_network))
        with torch.no_grad():
            for name, value in held_as(given, "ema.").items():
                if name in into:
                    into[name].copy_(value)
        put_updates(made.ema, given.get("ema.count", torch.tensor(float(count))))


def is_network(value) -> bool:
    return isinstance(value, nn.Module)


def updates(ema) -> float:
    return float(getattr(ema, "n_averaged", getattr(ema, "updates", 0)))


def put_updates(ema, count: Tensor) -> None:
    if isinstance(getattr(ema, "n_averaged", None), Tensor):
        ema.n_averaged.fill_(int(count))
    elif hasattr(ema, "updates"):
        ema.updates = int(count)


def floats(held: dict) -> dict:
    return {name: value for name, value in held.items() if value.is_floating_point()}


def ruled(trace: Trace, optimizer, parameters: dict) -> None:
    """What the optimiser says of its rule, for each parameter; nothing of one that is not known to follow it."""
    groups = {id(value): group for group in optimizer.param_groups for value in group["params"]}
    rows = [rule(groups.get(id(value), {}), optimizer) for value in parameters.values()]
    if type(optimizer) in KNOWN and not any(group.get("amsgrad") or group.get("maximize") or group.get("dampening") for group in optimizer.param_groups):
        for key in rows[0]:
            added(trace, f"rule.{key}", torch.tensor([row[key] for row in rows], dtype=torch.float64), "Rule")


def rule(group: dict, optimizer) -> dict:
    """A parameter of no group stays as it is: its rate is 0."""
    told = {"rate": float(group.get("lr", 0)), "decay": group.get("weight_decay", 0.0), "decoupled": float(isinstance(optimizer, torch.optim.AdamW))}
    if isinstance(optimizer, torch.optim.SGD):
        return {**told, "momentum": group.get("momentum", 0.0), "nesterov": float(group.get("nesterov", False))}
    beta1, beta2 = group.get("betas", (math.nan, math.nan))
    return {**told, "beta1": beta1, "beta2": beta2, "eps": group.get("eps", 0.0)}


def added(trace: Trace, name: str, value: Tensor, op: str) -> None:
    array, dtype = as_array(value.detach())
    trace.add(name, array, Entry(name, op), dtype)
