"""How far a correct program of its dtype may end up from this recording, tensor by tensor: its spread in f64 with noise after every step.

The program runs once in f64 as it is and up to sixteen times with noise (Monte Carlo arithmetic, docs/FLOORS.md), each time as a copy of
what was there before the recorded run: weights, statistics, random numbers. What decides otherwise under noise than without is dropped.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from .chance import as_before, random_state
from .copies import copied
from .disturbed import Disturbed
from .recorder import Recorder
from .spread import RUNS, Noisy, Undisturbed, floor, runs_for

#: Unit roundoff by safetensors' name of the dtype.
UNITS = {"F64": 2.0**-53, "F32": 2.0**-24, "F16": 2.0**-11, "BF16": 2.0**-8}


class Start:
    """A program as it is before it runs, to be run again."""

    def __init__(self, model: nn.Module, args: tuple, kwargs: dict, loss=None):
        self.random, self.loss = random_state(), loss
        self.model, self.refused = None, None
        try:
            self.model = copied(model, f64=True)
            self.given = tree_map_only(Tensor, in_f64, (args, kwargs))
        except Exception as e:
            self.refused = e

    def run(self, recorder_of: Callable) -> None:
        """Runs a copy in f64 under the recorder that `recorder_of` makes of it, and leaves all random numbers as they were."""
        if self.refused is not None:
            raise self.refused
        model = copied(self.model)
        args, kwargs = copy.deepcopy(self.given)
        has_loss = self.loss is not None
        with as_before(self.random), new_in(torch.float64), torch.set_grad_enabled(has_loss), recorder_of(model) as recorder:
            found = model(*args, **kwargs)
            if has_loss:
                recorder.gradients(recorder.values(self.loss(found)))


def add(start: Start, recorder: Recorder) -> None:
    """The floor of every float tensor that was recorded, or why it has none, into its entry."""
    trace = recorder.trace
    for name, found in measured(start, recorder).items():
        trace.entries[name]["no_floor" if isinstance(found, str) else "floor"] = found


def measured(start: Start, recorder: Recorder) -> dict[str, dict | str]:
    trace, options = recorder.trace, {key: getattr(recorder, key) for key in ("names", "outputs", "functions", "replay")}
    recorded = [name for name in trace.entries if trace.tensors[name].dtype in UNITS]
    units = {trace.tensors[name].dtype for name in recorded} - {"F64"}
    if len(units) > 1:
        return dict.fromkeys(recorded, f"the program computes in {' and '.join(sorted(units))}: floors are measured where it computes in one dtype")
    unit = UNITS[next(iter(units), "F64")]
    with contextlib.closing(Undisturbed(trace.path)) as still:
        try:
            start.run(lambda model: Recorder(model, still, **options))
            runs = noisy(start, still, unit, options)
        except Exception as e:
            return dict.fromkeys(recorded, f"a copy of the program does not run in f64: {type(e).__name__}: {e}")
        return {name: floor(name, still, runs) for name in recorded if still.size_of(name) != 0}


def noisy(start: Start, still: Undisturbed, unit: float, options: dict) -> list[Noisy]:
    """As many runs as the smallest tensor needs."""
    sizes = [still.size_of(name) for name in still.entries]
    count = max((runs_for(size) for size in sizes if size), default=RUNS)
    runs = [Noisy(still) for _ in range(count)]
    for seed, run in enumerate(runs):
        start.run(lambda model: Disturbed(model, run, seed, unit, **options))
        run.close()
    return runs


def in_f64(value: Tensor) -> Tensor:
    """A copy that nobody else writes to; a leaf, as far as gradients are asked by it."""
    if not value.is_floating_point():
        return value.clone()
    return value.detach().to(torch.float64, copy=True).requires_grad_(value.requires_grad)


@contextlib.contextmanager
def new_in(dtype: torch.dtype):
    """New tensors are of `dtype` where nothing else is said."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
