"""Hyper-parameters: the attributes of a module that are plain data."""

from __future__ import annotations

import json
import math
import types

#: An attribute that is longer, as JSON, is data and no hyper-parameter.
LONGEST = 1000
#: What is no plain data.
OTHER = object()
#: Types that a framework has for what it names in one word (`torch.float32`, `cpu`).
WORDS = ("dtype", "device", "Dtype")


def hyper(attributes: dict) -> dict:
    """Those of a module's attributes that are plain data."""
    told = {name: plain(value) for name, value in attributes.items()}
    return {name: value for name, value in told.items() if value is not OTHER and len(json.dumps(value)) <= LONGEST}


def plain(value):
    """As JSON has it: infinities and NaN as words, dtypes, devices and functions by name."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if type(value).__name__ in WORDS:
        return str(value)
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType)):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, (list, tuple)):
        members = [plain(member) for member in value]
        return OTHER if OTHER in members else members
    if type(value) is dict and all(isinstance(name, str) for name in value):
        members = {name: plain(member) for name, member in value.items()}
        return OTHER if OTHER in members.values() else members
    return OTHER
