"""What a port needs beside parity: a recorder for PyTorch, the trace format for anything else, seeded weights, an eye on a training.

Nothing heavy is imported before it is used: `Trace` and `check_transform` need numpy, `record`, `Recorder` and `watch` need torch.
"""

from __future__ import annotations

import importlib

from .notes import named, step

__version__ = "0.1.0"
__all__ = ["Entry", "Recorder", "Trace", "check_transform", "digest", "named", "record", "step", "watch"]
HOMES = {
    "Entry": "trace",
    "Trace": "trace",
    "digest": "trace",
    "Recorder": "recorder",
    "record": "run",
    "check_transform": "transform",
    "watch": "watched",
}


def __getattr__(name: str):
    if name not in HOMES:
        raise AttributeError(f"module 'parity_port' has no attribute '{name}'")
    return getattr(importlib.import_module(f".{HOMES[name]}", __name__), name)
