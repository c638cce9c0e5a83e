"""A transformer's feed-forward block with a head, and its port in numpy: other names, transposed weights, and what it may get wrong."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch
from parity_port import Entry, Trace
from torch import Tensor, nn

#: What the port gets wrong -> the module of the original that it then is not.
MISTAKES = {"eps": "norm", "tanh": "act", "stale": "down", "bias": "up"}


class Block(nn.Module):
    """x `[B, N, 16]` to logits `[B, N, 5]`."""

    def __init__(self):
        super().__init__()
        self.norm, self.up, self.act = nn.LayerNorm(16), nn.Linear(16, 32), nn.GELU()
        self.down, self.head = nn.Linear(32, 16), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x + self.down(self.act(self.up(self.norm(x)))))


def build() -> Block:
    torch.manual_seed(3)
    block = Block().eval()
    nn.init.uniform_(block.norm.weight, 0.5, 1.5)
    nn.init.uniform_(block.norm.bias, -0.2, 0.2)
    return block


def port(block: Block, x: Tensor, path: Path, mistake: str) -> None:
    """The same in numpy, recorded."""
    held = {name: value.detach().numpy() for name, value in block.state_dict().items()}
    own = {"ln.gamma": held["norm.weight"], "ln.beta": held["norm.bias"]}
    for ours, theirs in (("fc1", "up"), ("fc2", "down"), ("out", "head")):
        own[f"{ours}.kernel"] = np.ascontiguousarray(held[f"{theirs}.weight"].T)
        own[f"{ours}.b"] = held[f"{theirs}.bias"]
    if mistake == "stale":
        own["fc2.kernel"] = own["fc2.kernel"] * np.float32(1.01)
    with Trace(path, subject="numpy port") as trace:
        trace.metadata["parameters"] = json.dumps([listed(name, value) for name, value in own.items()])
        for name, value in own.items():
            trace.parameter(name, value)
        compute(trace, own, x.numpy(), mistake)


def listed(name: str, value: np.ndarray) -> dict:
    return {"name": name, "shape": list(value.shape), "dtype": "f32", "kind": "parameter", "trainable": True}


def compute(trace: Trace, own: dict[str, np.ndarray], x: np.ndarray, mistake: str) -> None:
    def dense(name: str, value: np.ndarray, of: str) -> np.ndarray:
        bias = 0 if mistake == "bias" and name == "fc1" else own[f"{name}.b"]
        return kept(name, "Linear", value @ own[f"{name}.kernel"] + bias, of)

    def kept(name: str, op: str, value: np.ndarray, *of: str) -> np.ndarray:
        trace.add(name, value, Entry(name, op, of))
        return value

    trace.fed("x", x)
    eps = np.float32(1e-3 if mistake == "eps" else 1e-5)
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + eps)
    hidden = dense("fc1", kept("ln", "LayerNorm", scaled * own["ln.gamma"] + own["ln.beta"], "x"), "ln")
    gate = np.tanh(math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)) if mistake == "tanh" else erf(hidden / 2**0.5)
    behind = dense("fc2", kept("gelu", "GELU", (hidden * (1 + gate) / 2).astype(np.float32), "fc1"), "gelu")
    dense("out", kept("residual", "add", x + behind, "x", "fc2"), "residual")


def erf(value: np.ndarray) -> np.ndarray:
    return np.vectorize(math.erf)(value)
