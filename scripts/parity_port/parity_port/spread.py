"""How far noisy runs of a program are from the undisturbed one, pooled by channel: the floor of each tensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .trace import Trace

#: Runs of a tensor, those of one with fewer elements than a pool of samples needs, and that pool (src/floor/noise.rs).
RUNS, MOST_RUNS, POOL = 4, 16, 64


def floor(name: str, still: Undisturbed, runs: list[Noisy]) -> dict | str:
    """Largest deviation per channel, and root mean square of the run in which it is largest."""
    if name not in still.tensors:
        return "the f64 run has no such tensor"
    kept = [run.spread.get(name) for run in runs if run.decides_otherwise is None][: runs_for(still.size_of(name))]
    if not kept:
        return f"every noisy run decides otherwise, the first at '{runs[0].decides_otherwise}'"
    if any(run is None for run in kept):
        return "the f64 run has it in a dtype of its own"
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
