"""Runs one call of one module on values that are given, in the state that the whole network's run brings it into: buffers, caches, random
numbers, mode, and whatever else it is given there."""

from __future__ import annotations

from .parts import leaves, replaced


class Finished(BaseException):
    """The call is over; the rest of the run is of no interest. No program catches it by `except Exception`."""


class Alone:
    """In front of a framework's recorder: records the call number `call` of the module `path`, from 0, and ends the run behind it.

    `values` are its tensors: by position among what its positional arguments are made of (`0`, `1`), or by keyword.
    """

    def __init__(self, *recorder, path: str, call: int, values: dict):
        super().__init__(*recorder)
        self.path, self.call_number, self.values = path, call, values
        self.met, self.is_inside = 0, False

    def run(self, args: tuple, kwargs: dict) -> None:
        with self:
            try:
                self.module(*args, **kwargs)
            except Finished:
                return
            raise ValueError(f"module '{self.path}' was called {self.met} times in this run: there is no call {self.call_number}, counted from 0")

    def is_watching(self) -> bool:
        return self.is_inside and super().is_watching()

    def begin(self, path: str, module, args: tuple, kwargs: dict):
        if self.is_inside:
            return super().begin(path, module, args, kwargs)
        self.met += path == self.path
        if path != self.path or self.met <= self.call_number:
            self.seen[path] += 1
            return None
        self.is_inside = True
        args, kwargs = self.given_values(args, kwargs)
        super().begin(path, module, args, kwargs)
        self.target = self.running[-1]
        return args, kwargs

    def given_values(self, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        by_position = {place: str(i) for i, (place, _) in enumerate(leaves(args))}
        places = {**by_position, **{place: place[1:] for place, _ in leaves(kwargs)}}
        unknown = [name for name in self.values if name not in places.values()]
        if unknown:
            raise ValueError(f"call {self.call_number} of module '{self.path}' has no argument '{unknown[0]}'; it has {', '.join(places.values())}")
        for name, value in self.values.items():
            self.trace.fed(name, *self.as_array(value), values=False)
        given = {place: self.values[name] for place, name in places.items() if name in self.values}
        return replaced(args, given), replaced(kwargs, given)

    def end(self, path: str, module, args: tuple, kwargs: dict, output) -> None:
        is_target = self.is_inside and self.running[-1] is self.target
        super().end(path, module, args, kwargs, output)
        if is_target:
            self.is_inside = False
            raise Finished
