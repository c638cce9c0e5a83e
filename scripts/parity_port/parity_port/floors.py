"""How far a correct program of its dtype may end up from this recording, tensor by tensor: its spread in f64 with noise after every step.

The program runs once in f64 as it is and up to sixteen times with noise (Monte Carlo arithmetic, docs/FLOORS.md), each time as a copy of
what was there before the recorded run: weights, statistics, random numbers. What decides otherwise under noise than without is dropped.
"""

from __future__ import annotations

import contextlib
import copy
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from .called import TORCH, defined_in, tensors
from .flow import storage_of, version_of
from .noise import Scale, floats, scale_of, signs
from .recorder import Recorder
from .trace import Trace

#: Runs of a tensor, those of one with fewer elements than a pool of samples needs, and that pool (src/floor/noise.rs).
RUNS, MOST_RUNS, POOL = 4, 16, 64
#: Unit roundoff by safetensors' name of the dtype.
UNITS = {"F64": 2.0**-53, "F32": 2.0**-24, "F16": 2.0**-11, "BF16": 2.0**-8}


class Start:
    """A program as it is before it runs, to be run again."""

    def __init__(self, model: nn.Module, args: tuple, kwargs: dict, loss=None):
        self.random, self.loss = random_state(), loss
        self.model, self.refused = None, None
        try:
            self.model = copy.deepcopy(model).double()
            self.given = tree_map_only(Tensor, in_f64, (args, kwargs))
        except Exception as e:
            self.refused = e

    def run(self, recorder_of: Callable) -> None:
        """Runs a copy in f64 under the recorder that `recorder_of` makes of it, and leaves all random numbers as they were."""
        if self.refused is not None:
            raise self.refused
        model = copy.deepcopy(self.model)
        args, kwargs = copy.deepcopy(self.given)
        has_loss = self.loss is not None
        with as_before(self.random), torch.set_grad_enabled(has_loss), recorder_of(model) as recorder:
            found = model(*args, **kwargs)
            if has_loss:
                recorder.gradients(recorder.values(self.loss(found)))


def add(start: Start, recorder: Recorder) -> None:
    """The floor of every float tensor that was recorded, or why it has none, into its entry."""
    trace = recorder.trace
    for name, found in measured(start, recorder).items():
        trace.entries[name]["no_floor" if isinstance(found, str) else "floor"] = found


def measured(start: Start, recorder: Recorder) -> dict[str, dict | str]:
    trace, options = recorder.trace, {"names": recorder.names, "outputs": recorder.outputs, "functions": recorder.functions}
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


def floor(name: str, still: Undisturbed, runs: list[Noisy]) -> dict | str:
    """Largest deviation per channel, and root mean square of the run in which it is largest."""
    if name not in still.tensors:
        return "the f64 run has no such tensor"
    kept = [run.spread[name] for run in runs if run.decides_otherwise is None][: runs_for(still.size_of(name))]
    if not kept:
        return f"every noisy run decides otherwise, the first at '{runs[0].decides_otherwise}'"
    largest, rms = (np.max([run[i] for run in kept], axis=0) for i in (0, 1))
    if not np.isfinite(largest).all():
        return "not finite in a noisy run"
    return {"axis": axis_for(still.tensors[name].shape), "max": largest.tolist(), "rms": rms.tolist(), "runs": len(kept)}


def runs_for(size: int) -> int:
    return RUNS if size >= POOL else MOST_RUNS


def axis_for(shape: tuple[int, ...]) -> int | None:
    """The axis along which a tensor is pooled: 1, else the last, if its slices are large enough (src/floor/noise.rs)."""
    size = int(np.prod(shape))
    for axis in (1, len(shape) - 1):
        if 1 < len(shape) > axis and shape[axis] > 1 and size // shape[axis] * RUNS >= POOL:
            return axis
    return None


class Undisturbed(Trace):
    """The f64 run: kept in a file without a name, read tensor by tensor."""

    def __init__(self, path: Path):
        super().__init__(path, "f64")

    def __exit__(self, kind, *_) -> None:
        """Nothing is put in place: this is read, then closed."""

    def fed(self, *_, **__) -> None:
        """The recording has it."""

    parameter = fed

    def close(self) -> None:
        self.abandon()

    def size_of(self, name: str) -> int | None:
        return int(np.prod(self.tensors[name].shape)) if name in self.tensors else None

    def read(self, name: str, like: np.ndarray) -> np.ndarray:
        at = self.tensors[name]
        self.spool.seek(at.start)
        held = self.spool.read(at.end - at.start)
        self.spool.seek(0, 2)
        return np.frombuffer(held, like.dtype).reshape(at.shape)


class Noisy(Undisturbed):
    """A run with noise: of each tensor only how far it is from the undisturbed one, by channel."""

    def __init__(self, still: Undisturbed):
        super().__init__(still.path)
        self.still = still
        self.spread: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.decides_otherwise: str | None = None

    def put(self, name: str, value: np.ndarray, dtype: str | None) -> None:
        place = self.still.tensors.get(name)
        if place is None or place.shape != value.shape:
            self.decides_otherwise = self.decides_otherwise or name
            return
        self.tensors[name] = place
        before = self.still.read(name, value)
        if value.dtype.kind == "f":
            self.spread[name] = deviation(value, before)
        elif not np.array_equal(value, before):
            self.decides_otherwise = self.decides_otherwise or name

    def close(self) -> None:
        if self.decides_otherwise is None:
            self.decides_otherwise = next((name for name in self.still.tensors if name not in self.tensors), None)
        super().close()


def deviation(value: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest and root mean square per channel; none where both are alike, infinite or NaN among it."""
    alike = (value == before) | (np.isnan(value) & np.isnan(before))
    with np.errstate(invalid="ignore"):
        off = np.where(alike, 0, np.abs(value - before))
    off = np.nan_to_num(off, nan=np.inf, posinf=np.inf)
    axis = axis_for(value.shape)
    pools = off.reshape(1, -1) if axis is None else np.moveaxis(off, axis, 0).reshape(value.shape[axis], -1)
    return pools.max(axis=1, initial=0), np.sqrt(np.square(pools).sum(axis=1) / max(pools.shape[1], 1))


class Step(NamedTuple):
    """What is known of a step before it runs: its scale, and the versions of what it is given, by storage."""

    scale: Scale
    given: dict[int, int]

    def moved_only(self, out: Tensor) -> bool:
        """Whether `out` is a view of what went in, and nobody wrote to it: moved, not rounded."""
        held = storage_of(out)
        return held is not None and self.given.get(held.cdata) == version_of(out)


class Disturbed(Recorder):
    """A recorder that adds ±B/R to what every step returns: a leaf of torch's own, or a function that the user's code calls."""

    def __init__(self, module: nn.Module, to: Trace, seed: int, unit: float, **options):
        super().__init__(module, to, **options)
        self.draws, self.unit, self.alone = torch.Generator().manual_seed(seed), unit, False

    def is_watching(self) -> bool:
        return not self.alone and super().is_watching()

    def sees_functions(self) -> bool:
        return True

    def begin(self, path: str, module: nn.Module, args: tuple, kwargs: dict) -> None:
        super().begin(path, module, args, kwargs)
        if self.is_watching():
            self.running[-1].step = self.step_of(module, type(module).__name__, args, kwargs) if is_leaf(module) else None

    def end(self, path: str, module: nn.Module, args: tuple, kwargs: dict, output) -> None:
        if self.is_watching() and self.running[-1].step is not None:
            self.disturb(output, self.running[-1].step)
        super().end(path, module, args, kwargs, output)

    def call(self, func: Callable, name: str, args: tuple, kwargs: dict):
        step = self.step_of(func, name, args, kwargs)
        result = super().call(func, name, args, kwargs)
        self.disturb(result, step)
        return result

    def function(self, *told) -> None:
        if self.functions:
            super().function(*told)

    def step_of(self, step: Callable, name: str, args: tuple, kwargs: dict) -> Step:
        given = {storage_of(x).cdata: version_of(x) for x in tensors((args, kwargs)) if storage_of(x)}
        self.alone = True
        try:
            with torch._C.DisableTorchFunction():
                return Step(scale_of(step, name, args, kwargs, self.unit, self.draws), given)
        finally:
            self.alone = False

    def disturb(self, output, step: Step) -> None:
        """In place, so that whatever shares the elements has it too, and unseen by autograd, which would refuse it."""
        with torch._C.DisableTorchFunction(), torch.no_grad():
            for i, out in enumerate(floats(output)):
                size = None if step.moved_only(out) else step.scale.size(i, out)
                if size is None:
                    continue
                share = step.scale.share(out) * self.unit
                noise = size * share * signs(out, self.draws)
                out.data.add_(torch.where(noise.isfinite() & out.isfinite(), noise, 0.0))
                if out.requires_grad:
                    out.register_hook(lambda g, share=share: g + share * self.rounding(g))

    def rounding(self, gradient: Tensor) -> Tensor:
        """The same share of a gradient; a channel has a sign of its own too, for what is summed over it may cancel (a bias in front of a norm)."""
        with torch._C.DisableTorchFunction():
            size, axis = gradient.abs(), axis_for(tuple(gradient.shape))
            if axis is None:
                return size * signs(size, self.draws)
            mean = size.mean([d for d in range(size.dim()) if d != axis], keepdim=True)
            return size * signs(size, self.draws) + mean * signs(mean, self.draws)


def in_f64(value: Tensor) -> Tensor:
    """A copy that nobody else writes to; a leaf, as far as gradients are asked by it."""
    if not value.is_floating_point():
        return value.clone()
    return value.detach().to(torch.float64, copy=True).requires_grad_(value.requires_grad)


def is_leaf(module: nn.Module) -> bool:
    """Whether its arithmetic is torch's own and out of sight: it has no parts, or runs them itself."""
    parts = next(module.children(), None)
    return defined_in(type(module).forward).startswith(TORCH) and (parts is None or isinstance(module, nn.MultiheadAttention))


def random_state() -> list:
    """Generators of Python, numpy and torch: how each is set, and to what."""
    numpy = sys.modules["numpy"].random
    cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    states = [(random.setstate, random.getstate()), (numpy.set_state, numpy.get_state()), (torch.set_rng_state, torch.get_rng_state())]
    return states + ([(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())] if cuda else [])


@contextlib.contextmanager
def as_before(states: list):
    """Random numbers as they were drawn then, and new tensors in f64; both as they are now afterwards."""
    now, dtype = random_state(), torch.get_default_dtype()
    try:
        for put, state in states:
            put(state)
        torch.set_default_dtype(torch.float64)
        yield
    finally:
        torch.set_default_dtype(dtype)
        for put, state in now:
            put(state)
