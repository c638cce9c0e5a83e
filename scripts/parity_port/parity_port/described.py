"""What a PyTorch program is made of and runs under: parameters, modules, flags, versions."""

from __future__ import annotations

import importlib.metadata
import platform

import torch
from torch import Tensor, nn

from .hyper import hyper
from .lines import defined
from .values import NAMES, unwritable


def subject(module: nn.Module) -> str:
    device = next((value.device.type for value in module.parameters()), "cpu")
    return f"pytorch {torch.__version__.split('+')[0]}, {device}, threads {torch.get_num_threads()}"


def parameters(module: nn.Module) -> list[dict]:
    """Name, shape, dtype, kind (`parameter` or `buffer`) and whether it trains, in the module's own order; what is shared is listed once."""
    trained = {name: p.requires_grad for name, p in module.named_parameters()}
    return [
        {
            "name": name,
            "shape": list(value.shape),
            "dtype": NAMES[str(value.dtype)],
            "kind": "parameter" if name in trained else "buffer",
            "trainable": trained.get(name, False),
        }
        for name, value in state(module).items()
        if unwritable(value) is None
    ]


def state(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers as a checkpoint holds them, but each once, under its first name."""
    other = tied(module)
    held = module.state_dict(keep_vars=True).items()
    return {name: value for name, value in held if isinstance(value, Tensor) and name not in other}


def tied(module: nn.Module) -> dict[str, str]:
    """Further names of what is shared, each with the first."""
    first: dict[int, str] = {}
    members = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    seen = [(name, first.setdefault(id(value), name)) for name, value in members]
    return {name: kept for name, kept in seen if name != kept}


def modules(module: nn.Module) -> dict[str, dict]:
    return {path: described(m) for path, m in module.named_modules()}


def described(module: nn.Module) -> dict:
    kind = type(module)
    said = {"class": f"{kind.__module__}.{kind.__qualname__}", "hyper": hyper_of(module), "training": module.training}
    source = defined(module.forward)
    return said if source is None else {**said, "source": source}


def hyper_of(module: nn.Module) -> dict:
    """Attributes that are plain data; what is private, and PyTorch's own `training`, is left out."""
    return hyper({name: value for name, value in vars(module).items() if name[0] != "_" and name != "training"})


def flags() -> dict:
    """Switches that decide numbers, as they stand now."""
    backends = torch.backends
    told = {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "default_dtype": str(torch.get_default_dtype()),
        "grad_enabled": torch.is_grad_enabled(),
        "inference_mode": torch.is_inference_mode_enabled(),
        "backends.mkldnn.enabled": backends.mkldnn.enabled,
        "backends.cudnn.enabled": backends.cudnn.enabled,
        "backends.cudnn.benchmark": backends.cudnn.benchmark,
        "backends.cudnn.deterministic": backends.cudnn.deterministic,
        "backends.cudnn.allow_tf32": backends.cudnn.allow_tf32,
        "backends.cuda.matmul.allow_tf32": backends.cuda.matmul.allow_tf32,
        "backends.mha.fastpath": backends.mha.get_fastpath_enabled(),
    }
    for device in ("cpu", "cuda"):
        told[f"autocast.{device}"] = str(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else False
    return told


def versions(module: nn.Module) -> dict[str, str]:
    """Of Python and of every package that the module's classes come from."""
    packages = {type(m).__module__.partition(".")[0] for m in module.modules()} | {"torch"}
    told = {"python": platform.python_version()}
    for package in sorted(packages - {"__main__"}):
        try:
            told[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue  # the user's own files
    return told
