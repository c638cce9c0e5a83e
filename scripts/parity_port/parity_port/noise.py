"""How far a correct f32 (f16, bf16) program may be off after one step: B = max(beta, gamma sqrt K) u S, as docs/FLOORS.md has it.

S is the step on absolute values where it sums products, |y| where it rounds once, 1 where it is bounded; where there is no formula, |y| and
what moving every float that goes in by u does to it. What moves data, selects or decides rounds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from .called import tensors
from .copies import attributes

#: An error beyond this multiple of the spread diverges, so noise of B / R stands for one rounding.
R = 4.0
#: beta (units of u S that even the shortest sum is allowed) and gamma (per sqrt K): the table of src/floor/family.rs.
FAMILIES = {
    "arithmetic": (4.0, 0.0),
    "transcendental": (16.0, 0.0),
    "convolution": (16.0, 3.0),
    "matmul": (16.0, 3.0),
    "reduction": (16.0, 5.0),
    "normalisation": (16.0, 4.0),
    "softmax": (16.0, 4.0),
    "interpolation": (16.0, 0.0),
}
#: Times that a step without a formula is run with its inputs moved.
MOVED = 4

EXACT = frozenset(
    "relu relu6 hardtanh threshold clamp clip clamp_min clamp_max abs neg sign max min amax amin maximum minimum max_pool1d max_pool2d max_pool3d "
    "maxpool1d maxpool2d maxpool3d adaptivemaxpool1d adaptivemaxpool2d adaptivemaxpool3d adaptive_max_pool1d adaptive_max_pool2d cat concat stack "
    "hstack vstack pad constantpad1d constantpad2d zeropad2d reflectionpad2d replicationpad2d clone contiguous copy to float double half type_as repeat "
    "repeat_interleave tile roll flip gather scatter index_select take take_along_dim where masked_fill masked_select sort topk getitem setitem "
    "pixel_shuffle pixelshuffle pixel_unshuffle channel_shuffle channelshuffle embedding flatten reshape rot90 tril triu diag diag_embed fill zero "
    "one_hot arange zeros ones full empty tensor as_tensor eye linspace zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_empty "
    "new_tensor rand randn rand_like randn_like randint randperm identity unfold meshgrid floor ceil round item".split()
)
ONE = frozenset("sigmoid tanh sin cos erf hardsigmoid softmax softmax2d softmin".split())
ONCE = frozenset(
    "add sub rsub mul div rdiv rtruediv truediv true_divide multiply subtract reciprocal sqrt square dropout dropout1d dropout2d dropout3d".split()
)


def rows(last: bool) -> Callable:
    """Terms of a matrix product: the columns of its first matrix, or of the second where that is a transposed weight."""
    return lambda given, out: given[1 if last and len(given) > 1 else 0].shape[-1]


def shared(given: list[Tensor], out: Tensor) -> int:
    """Terms of a sum or mean: elements that go in for each that comes out."""
    return math.ceil(given[0].numel() / max(out.numel(), 1))


def kernel(given: list[Tensor], out: Tensor) -> int:
    """Terms of a convolution: elements of a filter."""
    return given[1][0].numel()


def spread(given: list[Tensor], out: Tensor) -> int:
    """Terms of a transposed convolution at most: input channels times the kernel."""
    return given[1].numel() // max(given[1].shape[1], 1)


#: What sums products, or just sums: family, and K of what goes in (data, then weight) and what comes out.
SUMS = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), ("convolution", kernel)),
    **dict.fromkeys([f"conv{t}transpose{n}d" for t in ("", "_") for n in (1, 2, 3)], ("convolution", spread)),
    "linear": ("matmul", rows(last=True)),
    **dict.fromkeys(("matmul", "rmatmul", "mm", "bmm", "mv", "dot"), ("matmul", rows(last=False))),
    **dict.fromkeys(("sum", "mean", "avg_pool1d", "avg_pool2d", "avg_pool3d", "avgpool1d", "avgpool2d", "avgpool3d"), ("reduction", shared)),
    **dict.fromkeys([f"adaptive{t}avg{t}pool{n}d" for t in ("", "_") for n in (1, 2, 3)], ("reduction", shared)),
}


class Scale(NamedTuple):
    """S of a step's outputs, in their order, or a rule that makes it of each output; None where nothing is rounded."""

    of: Callable[[int, Tensor], Tensor | None]
    family: str
    terms: Callable[[Tensor], int] = lambda out: 1

    def size(self, i: int, out: Tensor) -> Tensor | None:
        """S of output `i`."""
        size = self.of(i, out)
        return size if size is not None and size.shape == out.shape else None

    def share(self, out: Tensor) -> float:
        """B / R in units of u S."""
        least, per_root = FAMILIES[self.family]
        return max(least, per_root * math.sqrt(self.terms(out))) / R


NOTHING = Scale(lambda i, out: None, "arithmetic")


def scale_of(step: Callable, name: str, args: tuple, kwargs: dict, unit: float, draws: torch.Generator) -> Scale:
    """The scale of `step(*args, **kwargs)`, a module or a function, before it runs."""
    name = name.lower().rstrip("_")
    if name in EXACT or is_nearest(step, kwargs):
        return NOTHING
    if name in ONE:
        return Scale(lambda i, out: torch.ones_like(out), "softmax" if name.startswith("soft") else "transcendental")
    if name in ONCE:
        return Scale(lambda i, out: out.abs(), "arithmetic")
    if name in SUMS:
        family, terms = SUMS[name]
        given = floats((args, kwargs)) + (list(step.parameters()) if isinstance(step, nn.Module) else [])
        # A size needs no more than single precision, which is much quicker.
        sizes = floats(applied(step, args, kwargs, lambda x: x.abs().float()))
        return Scale(lambda i, out: sizes[i].abs(), family, lambda out: terms(given, out))
    return moved(step, args, kwargs, unit, draws)


def is_nearest(step: Callable, kwargs: dict) -> bool:
    """Whether it is an interpolation that takes the nearest elements as they are."""
    mode = step.mode if isinstance(step, nn.Upsample) else kwargs.get("mode", "nearest") if step is nn.functional.interpolate else ""
    return mode.startswith("nearest")


def moved(step: Callable, args: tuple, kwargs: dict, unit: float, draws: torch.Generator) -> Scale:
    """|y| and the largest change, in units of u, of a few runs in which every float that goes in is moved by u."""
    still = floats(applied(step, args, kwargs, torch.clone))
    sizes = [out.abs() for out in still]
    for _ in range(MOVED):
        found = floats(applied(step, args, kwargs, lambda x: x * (1 + unit * signs(x, draws))))
        if [a.shape for a in found] != [a.shape for a in still]:
            return NOTHING
        sizes = [torch.maximum(size, out.abs() + (a - out).abs() / unit) for size, a, out in zip(sizes, found, still)]
    return Scale(lambda i, out: sizes[i], "normalisation")


@torch.no_grad()
def applied(step: Callable, args: tuple, kwargs: dict, change: Callable):
    """`step` on changed floats, its own parameters and statistics among them; random numbers and statistics are left as they are."""
    args, kwargs = tree_map_only(Tensor, lambda x: change(x) if x.is_floating_point() else x.clone(), (args, kwargs))
    with torch.random.fork_rng(range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()):
        if not isinstance(step, nn.Module):
            return step(*args, **kwargs)
        held = {**dict(step.named_parameters()), **dict(step.named_buffers())}
        state = {name: change(x) if x.is_floating_point() else x.clone() for name, x in held.items()}
        computed = list(attributes(step))  # as weight_norm computes its weight anew, of what it finds then
        try:
            return torch.func.functional_call(step, state, args, kwargs)
        finally:
            for module, name, value in computed:
                vars(module)[name] = value


def floats(value) -> list[Tensor]:
    return [x for x in tensors(value) if x.is_floating_point()]


def signs(like: Tensor, draws: torch.Generator) -> Tensor:
    return torch.randint(0, 2, like.shape, generator=draws).to(like) * 2 - 1
