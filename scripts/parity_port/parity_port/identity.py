"""Which recorded tensor a tensor is, where a framework tells nobody when it is written to: the same object with the same elements."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from .trace import little


class Kept(NamedTuple):
    """What was recorded; the object is kept, so that no other has its address."""

    name: str
    value: object
    digest: bytes


class Identity:
    """Names of recorded tensors by object; `elements` gives those of one as an array."""

    def __init__(self, elements: Callable):
        self.elements, self.kept = elements, {}

    def keep(self, name: str, value) -> None:
        self.kept.setdefault(id(value), []).append(Kept(name, value, self.digest(value)))

    def names(self, value) -> list[str]:
        """The names under which exactly these elements were recorded, latest first; none if they have been written to since."""
        before = self.kept.get(id(value))
        if before is None:
            return []
        digest = self.digest(value)
        return [kept.name for kept in reversed(before) if kept.digest == digest]

    def exact(self, value) -> str | None:
        return next(iter(self.names(value)), None)

    def parents(self, value) -> list[str]:
        """What these elements are: the tensor itself, else what its object was before it was written to."""
        exact = self.exact(value)
        return [exact] if exact else [kept.name for kept in self.kept.get(id(value), [])[-1:]]

    def digest(self, value) -> bytes:
        held = self.elements(value)
        return b"" if held is None else hashlib.blake2b(little(held), digest_size=16).digest()
