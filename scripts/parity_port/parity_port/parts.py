"""What a value is made of, tensor by tensor, and the value again: a tuple's members are `:0`, `:1`, a dict's `:boxes`, of both `:1:boxes`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping


def leaves(value, name: str = "") -> Iterator[tuple[str, object]]:
    """What `value` is made of, each with `name` and its place: `:1` of a tuple, `:boxes` of a dict, `:1:boxes` of both."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        members = value.items()
    elif isinstance(value, (tuple, list)):
        members = enumerate(value)
    else:
        yield name, value
        return
    for place, member in members:
        yield from leaves(member, f"{name}:{place}")


def together(parts: dict[str, object]) -> dict[str, object]:
    """The opposite of `leaves`, by the names in front of the first colon; what has places 0, 1, … is a tuple."""
    whole: dict[str, object] = {}
    for name, value in parts.items():
        first, *places = name.split(":")
        into, key = whole, first
        for place in places:
            into, key = into.setdefault(key, {}), place
        into[key] = value
    return {name: with_tuples(value) for name, value in whole.items()}


def with_tuples(value):
    if not isinstance(value, dict):
        return value
    members = {name: with_tuples(member) for name, member in value.items()}
    places = [str(i) for i in range(len(members))]  # a file may hold them in another order
    return tuple(members[place] for place in places) if set(places) == set(members) else members


def replaced(value, given: dict[str, object], name: str = ""):
    """`value` with what `given` has for the places of `leaves`."""
    if name in given:
        return given[name]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        members = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **{key: replaced(member, given, f"{name}:{key}") for key, member in members.items()})
    if isinstance(value, Mapping):
        return {key: replaced(member, given, f"{name}:{key}") for key, member in value.items()}
    if isinstance(value, (tuple, list)):
        members = [replaced(member, given, f"{name}:{i}") for i, member in enumerate(value)]
        return type(value)(*members) if hasattr(value, "_fields") else type(value)(members)
    return value


def arguments(inputs) -> tuple[tuple, dict]:
    """What a program is called with, by position and by name: a tensor, a tuple of arguments, or a dict of them by name."""
    if isinstance(inputs, dict):
        return (), inputs
    return (tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)), {}
