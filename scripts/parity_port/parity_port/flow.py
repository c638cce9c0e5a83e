"""Which recorded tensor a tensor is: told by its storage, the storage's version and where in it the tensor lies.

A name stands for a value only while nobody has written into the storage behind it: PyTorch counts the writes (`_version`), for all views
of a storage together.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef


class Lies(NamedTuple):
    """Where a tensor lies in its storage."""

    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str

    @property
    def last(self) -> int:
        return self.offset + sum((size - 1) * step for size, step in zip(self.shape, self.stride))

    def covers(self, other: Lies) -> bool:
        """Whether every element of `other` is one of these, which leave no gaps."""
        count = 1
        for size in self.shape:
            count *= size
        dense = self.last - self.offset + 1 == count and self.dtype == other.dtype
        return dense and self.offset <= other.offset and other.last <= self.last

    def meets(self, other: Lies) -> bool:
        return self.dtype != other.dtype or (self.offset <= other.last and other.offset <= self.last)


class Kept(NamedTuple):
    name: str
    version: int
    lies: Lies
    wrote: bool


class Flow:
    """Names of recorded tensors by what holds their elements."""

    def __init__(self):
        self.kept: dict[int, list[Kept]] = {}
        # A weak reference frees the elements, but not the address by which the storage is known.
        self.storages: dict[int, StorageWeakRef] = {}

    def keep(self, name: str, value: Tensor) -> None:
        held = storage_of(value)
        if held is not None:
            self.storages.setdefault(held.cdata, held)
            before, version = self.kept.setdefault(held.cdata, []), version_of(value)
            wrote = not before or version != before[-1].version
            before.append(Kept(name, version, lies(value), wrote))

    def of(self, value: Tensor) -> list[Kept]:
        """What was recorded of the storage, latest first."""
        held = storage_of(value)
        return [] if held is None else self.kept.get(held.cdata, [])[::-1]

    def names(self, value: Tensor) -> list[str]:
        """The names under which exactly these elements were recorded, latest first; none if they have been written to since."""
        version, at = version_of(value), lies(value)
        current = itertools.takewhile(lambda k: k.version == version, self.of(value))
        return [k.name for k in current if k.lies == at]

    def exact(self, value: Tensor) -> str | None:
        return next(iter(self.names(value)), None)

    def parents(self, value: Tensor) -> list[str]:
        """The recorded tensors whose elements these are: the exact one, else the writes that meet them, latest first, back to one that covers them."""
        exact = self.exact(value)
        if exact is not None:
            return [exact]
        names, at = [], lies(value)
        for kept in self.of(value):
            if kept.wrote and kept.lies.meets(at):
                names.append(kept.name)
                if kept.lies.covers(at):
                    break
        return names


def storage_of(value: Tensor) -> StorageWeakRef | None:
    """None for what has no storage (sparse, on no device)."""
    try:
        return StorageWeakRef(value.untyped_storage())
    except (NotImplementedError, RuntimeError):
        return None


def lies(value: Tensor) -> Lies:
    strided = value.layout == torch.strided
    at = (value.storage_offset(), tuple(value.stride())) if strided else (0, ())
    return Lies(at[0], tuple(value.shape), at[1], str(value.dtype))


def version_of(value: Tensor) -> int:
    """How often the storage was written; nobody counts in inference mode."""
    return 0 if value.is_inference() else value._version
