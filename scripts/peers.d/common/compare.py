"""Two recordings of one peer: whole numbers and words equal, real numbers within 1e-12 of the larger, or of 1."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

NEAR = 1e-12
CODES = {"F64": "d", "I32": "i", "I16": "h", "I8": "b", "U8": "B"}


def files(committed: Path, anew: Path) -> list[str]:
    """What differs, one line each."""
    if not committed.is_file():
        return [f"{anew.name}: not committed"]
    if anew.suffix == ".json":
        return manifests(anew.name, json.loads(committed.read_text()), json.loads(anew.read_text()))
    old, new = read(committed), read(anew)
    lines = [f"{anew.name}: {name} is in one of the two only" for name in sorted(old.keys() ^ new.keys())]
    for name in sorted(old.keys() & new.keys()):
        lines += [f"{anew.name}: {name}{what}" for what in values(old[name], new[name])]
    return lines


def manifests(name: str, old, new) -> list[str]:
    """The versions of Python and numpy may differ; numbers tell whether that matters."""
    for facts in (old, new):
        for version in ("python", "numpy"):
            facts.get("versions", {}).pop(version, None)
    return [] if old == new else [f"{name}: other words"]


def values(old: tuple, new: tuple) -> list[str]:
    """Each is (shape and type, numbers); the first difference."""
    if old[0] != new[0]:
        return [f": {old[0]} committed, {new[0]} now"]
    for i, (a, b) in enumerate(zip(old[1], new[1])):
        if a != b and not (isinstance(a, float) and near(a, b)):
            return [f"[{i}]: {a!r} committed, {b!r} now"]
    return []


def near(a: float, b: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return abs(a - b) <= NEAR * max(abs(a), abs(b), 1.0)


def read(path: Path) -> dict[str, tuple]:
    """Tensors of a safetensors file by name."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header, body = json.loads(data[8 : 8 + length]), memoryview(data)[8 + length :]
    out = {}
    for name, about in header.items():
        if name != "__metadata__":
            begin, end = about["data_offsets"]
            code = CODES[about["dtype"]]
            numbers = struct.unpack(f"<{(end - begin) // struct.calcsize(code)}{code}", body[begin:end])
            out[name] = ((about["dtype"], tuple(about["shape"])), numbers)
    return out
