"""What is recorded of a program while it runs, whatever its framework: calls of modules and functions with their inputs and outputs, losses, values by name.

A framework's recorder says how calls are seen, what a tensor is, and which recorded tensor a value is (`flow`).
"""

from __future__ import annotations

import contextlib
import inspect
from collections import Counter

from .parts import leaves
from .trace import Entry, Trace


class Call:
    """A module that runs."""

    def __init__(self, name: str, told: dict):
        self.name, self.told = name, told

    def within(self, name: str) -> str:
        return f"{self.name}.{name}" if self.name else name


class Recording:
    """`names` maps a tensor's name to another, `outputs` names what the program returns. What is computed under a name of `replay` is recorded,
    and what stands there is gone on with (`hand_on`): each part of the program computes alone.

    `is_tensor`, `as_array` (elements and parity's name of a dtype that numpy lacks), `unwritable` (why a tensor has no place in a trace),
    `at` (the user's line) and `forward` (what runs the program) are the framework's.
    """

    def __init__(self, to: Trace, flow, *, names=None, outputs=None, replay=None):
        self.trace, self.flow, self.names, self.outputs = to, flow, names or {}, outputs
        self.replay: dict = replay or {}
        #: Names of `replay` of which that is so.
        self.replayed: list[str] = []
        self.seen, self.running = Counter(), [Call("", {})]
        self.calls: list[dict] = []
        self.losses: dict[str, list[dict]] = {}
        self.missing: dict[str, str] = {}
        #: What was drawn at random, and how far the framework's generator had drawn when it was last looked at.
        self.drawn: list[str] = []
        self.generator = None
        self.flags: dict | None = None

    def is_watching(self) -> bool:
        return True

    def quietly(self):
        """While nothing that the recorder does itself is seen."""
        return contextlib.nullcontext()

    def flags_now(self) -> dict:
        return {}

    def told(self) -> dict:
        """What the header says of the run."""
        losses = [{"term": term, "steps": steps} for term, steps in self.losses.items()]
        told = {"calls": self.calls, "flags": self.flags or self.flags_now(), "missing": self.missing}
        return {**told, "losses": losses, "replayed": self.replayed, **({"drawn": self.drawn} if self.drawn else {})}

    def generator_now(self):
        """How far the framework's generator has drawn; None of one that does not tell."""

    def note_draw(self, names: list) -> None:
        """That these are what was just drawn, if anything was."""
        before, self.generator = self.generator, self.generator_now()
        if self.generator != before:
            self.drawn += [name for name in names if name]

    def parameter(self, name: str, value) -> None:
        reason, called = self.unwritable(value), f"parameter.{name}"
        if reason:
            self.missing[called] = reason
            return
        self.trace.parameter(name, *self.as_array(value))
        self.flow.keep(called, value)
        self.follow(name, value)

    def begin(self, path: str, module, args: tuple, kwargs: dict) -> None:
        if not self.is_watching():
            return
        with self.quietly():
            self.note_draw([])
            name = self.count(path)
            call = Call(name, {"module": path, "inputs": [], "outputs": []})
            if path == "":
                self.flags = self.flags or self.flags_now()
                self.feed(name, args, kwargs)
            given = [self.given(call.within(f"input{place}"), value) for place, value in leaves(args)]
            named = {place[1:]: self.given(call.within(f"input{place}"), value) for place, value in leaves(kwargs)}
            call.told |= {"inputs": given, "at": self.at()}
            call.told |= {"kwargs": named} if named else {}
            self.calls.append(call.told)
            self.running.append(call)

    def end(self, path: str, module, args: tuple, kwargs: dict, output) -> None:
        if not self.is_watching():
            return
        with self.quietly():
            call = self.running.pop()
            told, kind = call.told, type(module).__name__ if path else "Output"
            # Its own inputs, and what its parts made of them.
            inputs = [name for name in [*told["inputs"], *told.get("kwargs", {}).values()] if name]
            for place, value in self.returned(call.name, path, output):
                inner = self.flow.parents(value) if self.is_tensor(value) else []
                told["outputs"].append(self.keep(place, value, Entry(path, kind, tuple(inner or inputs))))
            self.note_draw(told["outputs"])

    def returned(self, name: str, path: str, output):
        """What a module returned, with names."""
        found = list(leaves(output)) if output is not None else []
        if path:
            return [(name + place, value) for place, value in found]
        if self.outputs is None:
            return [(f"output{name}{place}", value) for place, value in found]
        if len(self.outputs) != len(found):
            raise ValueError(f"{len(self.outputs)} outputs are named ({', '.join(self.outputs)}), the model returned {len(found)}")
        return [(own + name, value) for own, (_, value) in zip(self.outputs, found)]

    def feed(self, name: str, args: tuple, kwargs: dict) -> None:
        """Arguments of the program itself, by their names."""
        bound = inspect.signature(self.forward()).bind(*args, **kwargs).arguments
        for place, value in leaves(bound):
            if self.is_tensor(value) and self.flow.exact(value) is None:
                self.fed(place[1:] + name, value)

    def fed(self, name: str, value) -> None:
        """An input of the run."""
        if self.keep(name, value, Entry(name, "Input")):
            self.trace.fed(name, *self.as_array(value), values=False)

    def given(self, name: str, value) -> str | None:
        """The name of a tensor that is about to be used; recorded now if nothing recorded is exactly this."""
        if not self.is_tensor(value):
            return None
        return self.flow.exact(value) or self.keep(name, value, Entry(name, "", tuple(self.flow.parents(value))))

    def function(self, name: str, given: list, made: list[tuple[str, object]], at: str) -> None:
        """What a function made of what it was given."""
        label = self.count(self.running[-1].within(f"{name}()"))
        inputs = [known for i, g in enumerate(given) for known in self.known(g, f"{label}.input:{i}")]
        self.note_draw([self.keep(label + place, value, Entry(label, name, tuple(dict.fromkeys(inputs)), at)) for place, value in made])

    def known(self, given, name: str) -> list[str]:
        """Names of what a function was given; recorded now if it is not known and nobody wrote to it meanwhile."""
        if given.exact or given.may_be_written:
            return given.parents
        kept = self.keep(name, given.value, Entry(name, "", tuple(given.parents)))
        return [kept] if kept else given.parents

    def named(self, name: str, value) -> None:
        """A result under a name of its own; a module may have returned it before under the same."""
        if self.is_watching():
            with self.quietly():
                for place, leaf in leaves(value, name):
                    if self.is_tensor(leaf):
                        self.keep(place, leaf, Entry(name, "Output", tuple(self.flow.parents(leaf)), self.at()))

    def step(self, term: str, kind: str, value) -> None:
        if self.is_watching():
            name = f"loss.{term}" if kind == "value" else f"loss.{term}.{kind}"
            with self.quietly():
                kept = self.keep(name, value, Entry(name, "Loss", tuple(self.flow.parents(value)), self.at()))
            self.losses.setdefault(term, []).extend([{"step": kind, "tensor": kept}] if kept else [])

    def values(self, terms) -> dict:
        """Records the scalars of a loss, or the one of all of it, by term."""
        terms = terms if isinstance(terms, dict) else {"total": terms}
        for term, value in terms.items():
            self.step(term, "value", value)
        return terms

    def keep(self, name: str, value, entry: Entry) -> str | None:
        """Writes a tensor; its name, or None for what is no tensor or cannot be written, which is then told."""
        if not self.is_tensor(value):
            return None
        mapped = self.names.get(name)
        name = mapped or name
        if name in self.flow.names(value) or mapped in self.trace.tensors:
            return name
        reason = self.unwritable(value)
        if reason:
            self.missing[name] = reason
            return None
        name = self.free(name)
        array, dtype = self.as_array(value)
        self.trace.add(name, array, entry, dtype)
        self.flow.keep(name, value)
        self.follow(name, value)
        self.hand_on(name, value)
        return name

    def hand_on(self, name: str, value) -> None:
        """A tensor was recorded under this name, and the program is about to go on with it."""

    def follow(self, name: str, value) -> None:
        """A tensor was recorded under this name."""

    def count(self, name: str) -> str:
        """`name`, with `#2` the second time."""
        self.seen[name] += 1
        return f"{name}#{self.seen[name]}" if self.seen[name] > 1 else name

    def free(self, name: str) -> str:
        """`name`, or the first `name#N` that no other tensor is called by."""
        more, n = name, 1
        while more in self.trace.tensors:
            n += 1
            more = f"{name}#{n}"
        return more
