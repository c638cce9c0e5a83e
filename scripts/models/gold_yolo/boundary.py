"""Which ONNX tensor each module returns: known by construction, from marks that the export puts in and takes out."""

from __future__ import annotations

import contextlib
from collections import Counter

import torch
from torch import Tensor, nn


class Boundary(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, path):
        return x.view_as(x)

    @staticmethod
    def symbolic(g, x, path):
        return g.op("parity::Boundary", x, path_s=path).setType(x.type())


@contextlib.contextmanager
def marked(module: nn.Module):
    """While open, every tensor that a submodule returns passes a mark with the module's path."""
    calls = Counter()
    hooks = [m.register_forward_hook(marker(path, calls)) for path, m in module.named_modules() if path]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def marker(path: str, calls: Counter):
    def mark(_module, _inputs, output):
        calls[path] += 1
        if isinstance(output, Tensor):
            return Boundary.apply(output, name_of(path, calls[path]))
        made = [Boundary.apply(x, name_of(path, calls[path], i)) if isinstance(x, Tensor) else x for i, x in enumerate(output)]
        return type(output)(*made) if hasattr(output, "_fields") else type(output)(made)

    return mark


def name_of(path: str, call: int, index: int | None = None) -> str:
    """`path`, with `#call` from the second call on and `:index` for a member of a tuple."""
    return path + (f"#{call}" if call > 1 else "") + ("" if index is None else f":{index}")
