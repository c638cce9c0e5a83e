"""One architecture, exported: weights drawn by its own initialisation from a seed, statistics of norms as training leaves them."""

from __future__ import annotations

from pathlib import Path

import torch

from .table import Architecture

# The dynamo exporter writes opset 18 at least, and leaves it there where 17 is asked for and its converter does not know the way.
OPSETS = {"legacy": (17, 20), "dynamo": (18, 20)}


def export(architecture: Architecture, exporter: str, opset: int, path: Path, seed: int) -> None:
    """Writes `path`; the dynamo exporter puts the weights into a file beside it."""
    network, image = drawn(architecture, seed)
    names = {"input_names": ["image"], "opset_version": opset}
    if exporter == "legacy":
        torch.onnx.export(network, (image,), str(path), dynamo=False, **names)
    else:
        torch.onnx.export(network, (image,), str(path), dynamo=True, external_data=True, verbose=False, **names)


def script(architecture: Architecture, path: Path, seed: int) -> None:
    """Writes the same network as the TorchScript that tracing gives."""
    network, image = drawn(architecture, seed)
    with torch.no_grad():
        torch.jit.trace(network, image, check_trace=False).save(str(path))


def drawn(architecture: Architecture, seed: int) -> tuple[torch.nn.Module, torch.Tensor]:
    """The network with weights from the seed, and an image of its size."""
    torch.manual_seed(seed)
    return settled(architecture.build(architecture.size).eval()), torch.rand(1, 3, architecture.size, architecture.size)


def settled(network: torch.nn.Module) -> torch.nn.Module:
    """Statistics of both signs and of two magnitudes: fresh ones, 0 and 1, would hide a norm that is left out."""
    for norm in network.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.uniform_(-0.1, 0.1)
            norm.running_var.uniform_(0.5, 2.0)
    return network
