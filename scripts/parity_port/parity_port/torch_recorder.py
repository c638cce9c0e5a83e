"""Records a PyTorch module as a trace: parameters, what every submodule returns, named results, gradients per loss term."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .trace import DTYPES, Entry, Trace

#: PyTorch's name of a dtype -> parity's.
NAMES = {numpy: parity for numpy, _, parity in DTYPES}


def version() -> str:
    return f"pytorch {torch.__version__.split('+')[0]}, cpu, threads {torch.get_num_threads()}"


def as_array(value: Tensor) -> np.ndarray:
    return value.detach().cpu().numpy()


def parameters(module: nn.Module) -> list[dict]:
    """Name, shape, dtype, kind (`parameter` or `buffer`) and whether it trains, in the module's own order."""
    trained = {name: p.requires_grad for name, p in module.named_parameters()}
    return [
        {
            "name": name,
            "shape": list(value.shape),
            "dtype": NAMES[str(value.dtype).removeprefix("torch.")],
            "kind": "parameter" if name in trained else "buffer",
            "trainable": trained.get(name, False),
        }
        for name, value in module.state_dict().items()
    ]


class Recorder:
    """`with Recorder(...) as recorder: outputs = module(...)`; then `result`, `gradients`, `write`.

    A submodule's output is called like its path; `names` maps paths to other names (those of an exported graph). The
    second call of a module adds `#2`, a member of a tuple `:index`. What several modules return unchanged is kept
    once, under the innermost one.
    """

    def __init__(self, module: nn.Module, command: str, names: dict[str, str | None] | None = None):
        self.module, self.names, self.calls = module, names or {}, Counter()
        self.trace = Trace(version(), command)
        self.trace.metadata["parameters"] = json.dumps(parameters(module))
        self.hooks: list = []

    def __enter__(self) -> Recorder:
        self.hooks = [m.register_forward_hook(self.hook(path, m)) for path, m in self.module.named_modules() if path]
        return self

    def __exit__(self, *_) -> None:
        for hook in self.hooks:
            hook.remove()

    def hook(self, path: str, module: nn.Module):
        def returned(_module, _inputs, output) -> None:
            self.calls[path] += 1
            call = f"{path}#{self.calls[path]}" if self.calls[path] > 1 else path
            if isinstance(output, Tensor):
                self.keep(call, output, module)
            elif isinstance(output, (tuple, list)):
                for i, member in enumerate(output):
                    if isinstance(member, Tensor):
                        self.keep(f"{call}:{i}", member, module)

        return returned

    def keep(self, path: str, value: Tensor, module: nn.Module) -> None:
        name = self.names.get(path) or path
        if name not in self.trace.tensors:
            self.trace.add(name, as_array(value), Entry(path, type(module).__name__))

    def fed(self, name: str, value: Tensor) -> None:
        """An input of the run, kept with its values."""
        self.trace.fed(name, as_array(value))
        self.trace.add(name, as_array(value), Entry(name, "Input"))

    def result(self, name: str, value: Tensor) -> None:
        """A named output; a module may have returned it before under the same name."""
        if name not in self.trace.tensors:
            self.trace.add(name, as_array(value), Entry(name, "Output"))

    def write(self, path: Path) -> None:
        self.trace.write(path)


def gradients(trace: Trace, terms: dict[str, Tensor], wrt: dict[str, Tensor]) -> None:
    """`grad.TERM.NAME` for each term and each tensor; zeros where a term does not depend on the tensor."""
    for term, value in terms.items():
        found = torch.autograd.grad(value, list(wrt.values()), retain_graph=True, allow_unused=True)
        for (name, of), gradient in zip(wrt.items(), found):
            kept = torch.zeros_like(of) if gradient is None else gradient
            trace.add(f"grad.{term}.{name}", as_array(kept), Entry(name, "Gradient", (term,)))
