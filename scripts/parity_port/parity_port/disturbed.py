"""A run in f64 with the noise of another dtype: ±B/R behind every step, on its values and on the gradients that come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .called import TORCH, tensors
from .flow import storage_of, version_of
from .lines import defined_in
from .noise import Scale, floats, scale_of, signs
from .recorder import Recorder
from .spread import axis_for
from .trace import Trace


class Step(NamedTuple):
    """What is known of a step before it runs: its scale, and the versions of what it is given, by storage."""

    scale: Scale
    given: dict[int, int]

    def moved_only(self, out: Tensor) -> bool:
        """Whether `out` is a view of what went in, and nobody wrote to it: moved, not rounded."""
        held = storage_of(out)
        return held is not None and self.given.get(held.cdata) == version_of(out)


class Disturbed(Recorder):
    """A recorder that adds ±B/R to what every step returns: a leaf of torch's own, or a function that the user's code calls."""

    def __init__(self, module: nn.Module, to: Trace, seed: int, unit: float, **options):
        super().__init__(module, to, **options)
        self.draws, self.unit, self.alone = torch.Generator().manual_seed(seed), unit, False

    def is_watching(self) -> bool:
        return not self.alone and super().is_watching()

    def sees_functions(self) -> bool:
        return True

    def begin(self, path: str, module: nn.Module, args: tuple, kwargs: dict) -> None:
        super().begin(path, module, args, kwargs)
        if self.is_watching():
            self.running[-1].step = self.step_of(module, type(module).__name__, args, kwargs) if is_leaf(module) else None

    def end(self, path: str, module: nn.Module, args: tuple, kwargs: dict, output) -> None:
        if self.is_watching() and self.running[-1].step is not None:
            self.disturb(output, self.running[-1].step)
        super().end(path, module, args, kwargs, output)

    def call(self, func: Callable, name: str, args: tuple, kwargs: dict):
        step = self.step_of(func, name, args, kwargs)
        result = super().call(func, name, args, kwargs)
        self.disturb(result, step)
        return result

    def function(self, *told) -> None:
        if self.functions:
            super().function(*told)

    def step_of(self, step: Callable, name: str, args: tuple, kwargs: dict) -> Step:
        given = {storage_of(x).cdata: version_of(x) for x in tensors((args, kwargs)) if storage_of(x)}
        self.alone = True
        try:
            with torch._C.DisableTorchFunction():
                return Step(scale_of(step, name, args, kwargs, self.unit, self.draws), given)
        finally:
            self.alone = False

    def disturb(self, output, step: Step) -> None:
        """In place, so that whatever shares the elements has it too, and unseen by autograd, which would refuse it."""
        with torch._C.DisableTorchFunction(), torch.no_grad():
            for i, out in enumerate(floats(output)):
                size = None if step.moved_only(out) else step.scale.size(i, out)
                if size is None:
                    continue
                share = step.scale.share(out) * self.unit
                noise = size * share * signs(out, self.draws)
                out.data.add_(torch.where(noise.isfinite() & out.isfinite(), noise, 0.0))
                if out.requires_grad:
                    out.register_hook(lambda g, share=share: g + share * self.rounding(g))

    def rounding(self, gradient: Tensor) -> Tensor:
        """The same share of a gradient; a channel has a sign of its own too, for what is summed over it may cancel (a bias in front of a norm)."""
        with torch._C.DisableTorchFunction():
            size, axis = gradient.abs(), axis_for(tuple(gradient.shape))
            if axis is None:
                return size * signs(size, self.draws)
            mean = size.mean([d for d in range(size.dim()) if d != axis], keepdim=True)
            return size * signs(size, self.draws) + mean * signs(mean, self.draws)


def is_leaf(module: nn.Module) -> bool:
    """Whether its arithmetic is torch's own and out of sight: it has no parts, or runs them itself."""
    parts = next(module.children(), None)
    return defined_in(type(module).forward).startswith(TORCH) and (parts is None or isinstance(module, nn.MultiheadAttention))
