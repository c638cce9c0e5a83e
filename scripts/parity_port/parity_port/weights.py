"""The rule `seeded-1`: weights from a seed and a parameter's name, bit for bit the same in every language.

Integers are 64-bit and wrap; reals are f64 with + - x / and square root only, rounded once to f32 at the end.
docs/WEIGHTS.md states the rule; `values` is its definition, `array` the same with numpy.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
from typing import Callable, NamedTuple

RULE = "seeded-1"
MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


class Role(NamedTuple):
    """A name's pattern, the ranks it is for, and the value from v in [-1, 1), the fan-in and the element's index."""

    name: str
    pattern: str
    ranks: range
    value: Callable


ANY, VECTOR, MATRIX = range(0, 9), range(1, 2), range(2, 9)
ROLES = (
    Role("step counter", r"num_batches_tracked", ANY, lambda v, fan, i: 0 * i),
    Role("running mean", r"running_mean", VECTOR, lambda v, fan, i: v * 0.1),
    Role("running variance", r"running_var", VECTOR, lambda v, fan, i: 1.0 + v * 0.25),
    Role("projection", r"proj|proj_conv\.weight", ANY, lambda v, fan, i: i),
    Role("class bias", r"cls_preds\.\d+\.bias", VECTOR, lambda v, fan, i: v * 0.1 - 4.59511985013459),
    Role("side bias", r"reg_preds\.\d+\.bias", VECTOR, lambda v, fan, i: v * 0.1 + 1.0),
    Role("prediction weight", r"(cls|reg)_preds\.\d+\.weight", MATRIX, lambda v, fan, i: v * math.sqrt(0.375 / fan)),
    Role("weight", r"weight", MATRIX, lambda v, fan, i: v * math.sqrt(6.0 / fan)),
    Role("branch scale", r"branches\.[a-z]+(\.bn)?\.weight", VECTOR, lambda v, fan, i: 0.5 + v * 0.125),
    Role("scale", r"weight", VECTOR, lambda v, fan, i: 1.0 + v * 0.25),
    Role("bias", r"bias", VECTOR, lambda v, fan, i: v * 0.1),
)


def role_of(name: str, shape: tuple[int, ...]) -> Role:
    """The first role whose pattern ends the name at a dot, for this rank."""
    for role in ROLES:
        if re.search(rf"(^|\.)({role.pattern})$", name) and len(shape) in role.ranks:
            return role
    raise ValueError(f"parameter '{name}' {list(shape)} has no role in {RULE}; docs/WEIGHTS.md lists the names it knows")


def is_whole(name: str) -> bool:
    """Whether the tensor is int64 instead of f32."""
    return name.endswith("num_batches_tracked")


def fan_in(shape: tuple[int, ...]) -> int:
    return math.prod(shape[1:])


def mixed(x: int) -> int:
    """The finaliser of splitmix64."""
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def key_of(name: str, seed: int) -> int:
    """FNV-1a of the name's UTF-8 bytes, xor the first output of splitmix64 for this seed."""
    key = 0xCBF29CE484222325
    for byte in name.encode():
        key = (key ^ byte) * 0x100000001B3 & MASK
    return key ^ mixed(seed + GOLDEN & MASK)


def values(name: str, shape: tuple[int, ...], seed: int) -> list:
    """Every element in row-major order: floats before their rounding to f32, or ints."""
    role, key, fan = role_of(name, shape), key_of(name, seed), fan_in(shape)
    draws = ((mixed(key + (i + 1) * GOLDEN & MASK) >> 40) / (1 << 23) - 1.0 for i in range(math.prod(shape)))
    return [role.value(v, fan, i) for i, v in enumerate(draws)]


def array(name: str, shape: tuple[int, ...], seed: int):
    """The same as a numpy array, f32 or int64."""
    import numpy as np

    role, count = role_of(name, shape), math.prod(shape)
    index = np.arange(count, dtype=np.uint64)
    x = np.uint64(key_of(name, seed)) + (index + np.uint64(1)) * np.uint64(GOLDEN)
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    v = ((x ^ x >> np.uint64(31)) >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1.0
    drawn = role.value(v, fan_in(shape), index)
    return drawn.astype(np.int64 if is_whole(name) else np.float32).reshape(shape)


def digest(name: str, shape: tuple[int, ...], seed: int) -> str:
    """sha256 of the little-endian bytes of `values`, rounded to f32 (or as int64)."""
    drawn = values(name, shape, seed)
    return hashlib.sha256(struct.pack(f"<{len(drawn)}{'q' if is_whole(name) else 'f'}", *drawn)).hexdigest()
