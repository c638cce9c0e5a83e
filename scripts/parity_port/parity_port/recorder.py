"""Records a PyTorch program while it runs: modules with inputs and outputs, functions between them, losses, gradients.

A tensor is written to the trace as it comes and is not kept, so that recording holds one copy of one tensor at a time.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from . import described, notes
from .called import from_user
from .flow import Flow
from .functions import Functions, Given
from .gradients import gradient_of, gradients
from .parts import leaves
from .trace import Entry, Trace
from .values import as_array, unwritable


class Call:
    """A module that runs."""

    def __init__(self, name: str, told: dict):
        self.name, self.told = name, told

    def within(self, name: str) -> str:
        return f"{self.name}.{name}" if self.name else name


class Recorder:
    """`with Recorder(model, "x.safetensors") as recorder:` records what runs in the block; an exception leaves nothing behind.

    A module's output is called like its path, the model's own `output`, a function's `PATH.NAME()`. The second call adds `#2`, a member of a
    tuple or dict `:PLACE`. `names` maps such names to others (those of an exported graph), `outputs` names what the model returns;
    what several modules return unchanged under one such name is kept once. Without `functions` only modules are recorded. What is computed
    under a name of `replay` is recorded, and handed on as it stands there: each part of the program computes alone.
    """

    def __init__(self, module: nn.Module, to: str | Path | Trace, *, command=None, names=None, outputs=None, functions=True, replay=None):
        refuse(module)
        self.module, self.names, self.outputs = module, names or {}, outputs
        self.replay: dict[str, Tensor] = replay or {}
        #: Names of `replay` of which that is so.
        self.replayed: list[str] = []
        self.functions = functions
        self.trace = to if isinstance(to, Trace) else Trace(to, described.subject(module), command)
        self.flow, self.seen, self.running = Flow(), Counter(), [Call("", {})]
        self.calls: list[dict] = []
        self.losses: dict[str, list[dict]] = {}
        self.missing: dict[str, str] = {}
        self.flags: dict | None = None
        self.term: str | None = None
        #: What gradients are asked by: parameters, and inputs that have some.
        self.wrt = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.handles: list = []
        #: What is left to be done when the run is over, before the trace is put in place.
        self.last: list[Callable[[], None]] = []

    def __enter__(self) -> Recorder:
        with contextlib.ExitStack() as work:
            work.push(self.trace)
            work.push(self.leave)
            self.describe()
            for path, module in self.module.named_modules():
                self.watch(path, module)
            notes.AT_WORK.append(self)
            work.callback(notes.AT_WORK.remove, self)
            if self.sees_functions():
                work.enter_context(Functions(self))
            self.work = work.pop_all()
        return self

    def __exit__(self, *raised):
        return self.work.__exit__(*raised)

    def sees_functions(self) -> bool:
        return self.functions

    def leave(self, kind, *_) -> None:
        for handle in self.handles:
            handle.remove()
        if kind is not None:
            return
        for left in self.last:
            left()
        program = {"calls": self.calls, "flags": self.flags or described.flags(), "missing": self.missing}
        program["losses"] = [{"term": term, "steps": steps} for term, steps in self.losses.items()]
        program["replayed"] = self.replayed
        self.trace.program.update(program)

    def describe(self) -> None:
        """What is known before anything runs: the program's parts, and its parameters with their values."""
        trace, module = self.trace, self.module
        trace.versions |= described.versions(module)
        trace.threads, trace.seed = torch.get_num_threads(), torch.initial_seed()
        trace.program = {"modules": described.modules(module), "tied": described.tied(module)}
        trace.metadata["parameters"] = json.dumps(described.parameters(module))
        for name, value in described.state(module).items():
            self.parameter(name, value)

    def parameter(self, name: str, value: Tensor) -> None:
        reason, called = unwritable(value), f"parameter.{name}"
        if reason:
            self.missing[called] = reason
            return
        self.trace.parameter(name, *as_array(value))
        self.flow.keep(called, value)
        self.follow(name, value)

    def watch(self, path: str, module: nn.Module) -> None:
        if isinstance(module, torch.jit.ScriptModule):
            self.missing[path] = "a scripted module lets nobody watch its calls"
            return
        before = functools.partial(self.begin, path)
        after = functools.partial(self.end, path)
        self.handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        # Called where the module raises, too: whoever catches that goes on outside of it.
        self.handles.append(module.register_forward_hook(after, with_kwargs=True, always_call=True))

    @staticmethod
    def is_watching() -> bool:
        """Not while gradients are computed: a checkpoint runs its part of the program again there."""
        return torch._C._current_graph_task_id() == -1

    def begin(self, path: str, module: nn.Module, args: tuple, kwargs: dict) -> None:
        if not self.is_watching():
            return
        with torch._C.DisableTorchFunction():
            name = self.count(path)
            call = Call(name, {"module": path, "inputs": [], "outputs": []})
            if path == "":
                self.flags = self.flags or described.flags()
                self.feed(name, args, kwargs)
            given = [self.given(call.within(f"input{place}"), value) for place, value in leaves(args)]
            named = {place[1:]: self.given(call.within(f"input{place}"), value) for place, value in leaves(kwargs)}
            call.told |= {"inputs": given, "at": from_user()}
            call.told |= {"kwargs": named} if named else {}
            self.calls.append(call.told)
            self.running.append(call)

    def end(self, path: str, module: nn.Module, args: tuple, kwargs: dict, output) -> None:
        if not self.is_watching():
            return
        with torch._C.DisableTorchFunction():
            call = self.running.pop()
            told, kind = call.told, type(module).__name__ if path else "Output"
            # Its own inputs, and what its parts made of them.
            inputs = [name for name in [*told["inputs"], *told.get("kwargs", {}).values()] if name]
            for place, value in self.returned(call.name, path, output):
                inner = self.flow.parents(value) if isinstance(value, Tensor) else []
                told["outputs"].append(self.keep(place, value, Entry(path, kind, tuple(inner or inputs))))

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
        """Arguments of the model itself, by the names of its `forward`."""
        bound = inspect.signature(self.module.forward).bind(*args, **kwargs).arguments
        for place, value in leaves(bound):
            if isinstance(value, Tensor) and self.flow.exact(value) is None:
                self.fed(place[1:] + name, value)

    def fed(self, name: str, value: Tensor) -> None:
        """An input of the run."""
        if self.keep(name, value, Entry(name, "Input")):
            self.trace.fed(name, *as_array(value), values=False)
        if value.requires_grad:
            self.wrt[name] = value

    def given(self, name: str, value) -> str | None:
        """The name of a tensor that is about to be used; recorded now if nothing recorded is exactly this."""
        if not isinstance(value, Tensor):
            return None
        return self.flow.exact(value) or self.keep(name, value, Entry(name, "", tuple(self.flow.parents(value))))

    def call(self, func: Callable, name: str, args: tuple, kwargs: dict):
        return func(*args, **kwargs)

    def function(self, name: str, given: list[Given], made: list[tuple[str, Tensor]], at: str) -> None:
        """What a function made of what it was given."""
        label = self.count(self.running[-1].within(f"{name}()"))
        inputs = [known for i, g in enumerate(given) for known in self.known(g, f"{label}.input:{i}")]
        for place, value in made:
            self.keep(label + place, value, Entry(label, name, tuple(dict.fromkeys(inputs)), at))

    def known(self, given: Given, name: str) -> list[str]:
        """Names of what a function was given; recorded now if it is not known and nobody wrote to it meanwhile."""
        if given.exact or given.was_written or given.value.is_inference():
            return given.parents
        kept = self.keep(name, given.value, Entry(name, "", tuple(given.parents)))
        return [kept] if kept else given.parents

    def named(self, name: str, value) -> None:
        """A result under a name of its own; a module may have returned it before under the same."""
        if self.is_watching():
            with torch._C.DisableTorchFunction():
                for place, leaf in leaves(value, name):
                    if isinstance(leaf, Tensor):
                        self.keep(place, leaf, Entry(name, "Output", tuple(self.flow.parents(leaf)), from_user()))

    def step(self, term: str, kind: str, value: Tensor) -> None:
        if self.is_watching():
            name = f"loss.{term}" if kind == "value" else f"loss.{term}.{kind}"
            with torch._C.DisableTorchFunction():
                kept = self.keep(name, value, Entry(name, "Loss", tuple(self.flow.parents(value)), from_user()))
            self.losses.setdefault(term, []).extend([{"step": kind, "tensor": kept}] if kept else [])

    def values(self, terms) -> dict[str, Tensor]:
        """Records the scalars of a loss, or the one of all of it, by term."""
        terms = terms if isinstance(terms, dict) else {"total": terms}
        for term, value in terms.items():
            self.step(term, "value", value)
        return terms

    def keep(self, name: str, value, entry: Entry) -> str | None:
        """Writes a tensor; its name, or None for what is no tensor or cannot be written, which is then told."""
        if not isinstance(value, Tensor):
            return None
        mapped = self.names.get(name)
        name = mapped or name
        if name in self.flow.names(value) or mapped in self.trace.tensors:
            return name
        reason = unwritable(value)
        if reason:
            self.missing[name] = reason
            return None
        name = self.free(name)
        array, dtype = as_array(value)
        self.trace.add(name, array, entry, dtype)
        self.flow.keep(name, value)
        self.follow(name, value)
        self.hand_on(name, value)
        return name

    def hand_on(self, name: str, value: Tensor) -> None:
        """Writes what is given in the place of a tensor that was recorded: where it is, so that whatever shares the elements has it too, and
        unseen by autograd, which would refuse it."""
        given = self.replay.get(name)
        if given is None or name in self.replayed or given.shape != value.shape or not self.may_write(value):
            return
        value.data.copy_(given)
        self.replayed.append(name)

    def may_write(self, value: Tensor) -> bool:
        """Not where elements lie upon each other, nor where the network keeps its own."""
        overlaps = value.layout != torch.strided or any(s == 0 and n > 1 for s, n in zip(value.stride(), value.shape))
        return not overlaps and not any(kept.name.startswith("parameter.") for kept in self.flow.of(value))

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

    def follow(self, name: str, value: Tensor) -> None:
        """Records the gradient of `value`, as soon as some backward pass has it."""
        if value.requires_grad:
            self.handles.append(value.register_hook(functools.partial(self.gradient, name)))

    def gradient(self, name: str, value: Tensor | None) -> None:
        """What a backward pass made of `name`; None where the term does not depend on it."""
        if value is not None and self.trace.is_open:
            term = self.term or "total"
            label = self.free(f"grad.{term}.{name}")
            with torch._C.DisableTorchFunction():
                self.trace.add(label, *gradient_of(name, term, value))

    def gradients(self, terms: dict[str, Tensor]) -> None:
        """`grad.TERM.NAME` of each term, for parameters and whatever was recorded; a loss that is run backward anyway needs no such call."""
        for term, value in terms.items():
            if not (self.wrt and value.requires_grad):
                raise ValueError(f"loss '{term}' depends on no parameter and no input that requires a gradient")
            self.term = term
            gradients(self.trace, {term: value}, self.wrt)
        self.term = None


def refuse(module: nn.Module) -> None:
    """A model of which nothing could be seen."""
    if hasattr(module, "_orig_mod"):
        raise TypeError("a compiled module hides its parts: record the module it was made of, model._orig_mod")
    if isinstance(module, torch.jit.ScriptModule):
        raise TypeError("a scripted model hides its parts: record the module it was made of; parity runs the file itself as subject torchscript")
    for name, value in module.named_parameters():
        if isinstance(value, nn.parameter.UninitializedParameter):
            raise ValueError(f"parameter '{name}' has no shape yet: run the model once before it is recorded")
