"""Records a PyTorch program while it runs: modules with inputs and outputs, functions between them, losses, gradients.

A tensor is written to the trace as it comes and is not kept, so that recording holds one copy of one tensor at a time.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from . import described, notes
from .called import from_user
from .flow import Flow
from .functions import Functions
from .gradients import gradient_of, gradients
from .recording import Recording
from .trace import Trace
from .values import as_array, unwritable


class Recorder(Recording):
    """`with Recorder(model, "x.safetensors") as recorder:` records what runs in the block; an exception leaves nothing behind.

    A module's output is called like its path, the model's own `output`, a function's `PATH.NAME()`. The second call adds `#2`, a member of a
    tuple or dict `:PLACE`. `names` maps such names to others (those of an exported graph), `outputs` names what the model returns;
    what several modules return unchanged under one such name is kept once. Without `functions` only modules are recorded.
    """

    def __init__(self, module: nn.Module, to: str | Path | Trace, *, command=None, names=None, outputs=None, functions=True, replay=None):
        refuse(module)
        trace = to if isinstance(to, Trace) else Trace(to, described.subject(module), command)
        super().__init__(trace, Flow(), names=names, outputs=outputs, replay=replay)
        self.module, self.functions = module, functions
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
        self.trace.program.update(self.told())

    def describe(self) -> None:
        """What is known before anything runs: the program's parts, and its parameters with their values."""
        trace, module = self.trace, self.module
        trace.versions |= described.versions(module)
        trace.threads, trace.seed = torch.get_num_threads(), torch.initial_seed()
        trace.program = {"modules": described.modules(module), "tied": described.tied(module)}
        trace.metadata["parameters"] = json.dumps(described.parameters(module))
        for name, value in described.state(module).items():
            self.parameter(name, value)

    def watch(self, path: str, module: nn.Module) -> None:
        if isinstance(module, torch.jit.ScriptModule):
            self.missing[path] = "a scripted module lets nobody watch its calls"
            return
        before = functools.partial(self.begin, path)
        after = functools.partial(self.end, path)
        self.handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        # Called where the module raises, too: whoever catches that goes on outside of it.
        self.handles.append(module.register_forward_hook(after, with_kwargs=True, always_call=True))

    def is_watching(self) -> bool:
        """Not while gradients are computed: a checkpoint runs its part of the program again there."""
        return torch._C._current_graph_task_id() == -1

    def quietly(self):
        return torch._C.DisableTorchFunction()

    def generator_now(self) -> bytes:
        return torch.get_rng_state().numpy().tobytes()

    def is_tensor(self, value) -> bool:
        return isinstance(value, Tensor)

    def as_array(self, value: Tensor) -> tuple:
        return as_array(value)

    def unwritable(self, value: Tensor) -> str | None:
        return unwritable(value)

    def forward(self) -> Callable:
        return self.module.forward

    def at(self) -> str | None:
        return from_user()

    def flags_now(self) -> dict:
        return described.flags()

    def fed(self, name: str, value: Tensor) -> None:
        super().fed(name, value)
        if value.requires_grad:
            self.wrt[name] = value

    def hand_on(self, name: str, value: Tensor) -> None:
        """Where the tensor is, so that whatever shares the elements has it too, and unseen by autograd, which would refuse it."""
        given = self.replay.get(name)
        if given is None or name in self.replayed or given.shape != value.shape or not self.may_write(value):
            return
        value.data.copy_(given)
        self.replayed.append(name)

    def may_write(self, value: Tensor) -> bool:
        """Not where elements lie upon each other, nor where the network keeps its own."""
        overlaps = value.layout != torch.strided or any(s == 0 and n > 1 for s, n in zip(value.stride(), value.shape))
        return not overlaps and not any(kept.name.startswith("parameter.") for kept in self.flow.of(value))

    def call(self, func: Callable, name: str, args: tuple, kwargs: dict):
        return func(*args, **kwargs)

    def follow(self, name: str, value: Tensor) -> None:
        """Records the gradient of `value`, as soon as some backward pass has it."""
        if value.requires_grad:
            self.handles.append(value.register_hook(functools.partial(self.gradient, name)))

    def gradient(self, name: str, value: Tensor | None) -> None:
        """What a backward pass made of `name`; None where the term does not depend on it."""
        if value is not None and self.trace.is_open:
            term = self.term or "total"
            label = self.free(f"grad.{term}.{name}")
            with self.quietly():
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
