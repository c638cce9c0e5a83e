"""One of the architectures of `vision/` as a port file, the one that ARCHITECTURE names: `ARCHITECTURE=resnet50 scripts/parity export-check FILE`."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / ".native/vision")]

import torch  # noqa: E402
from vision import export, table  # noqa: E402

NETWORK, IMAGE = export.drawn({a.name: a for a in table.ALL}[os.environ["ARCHITECTURE"]], 0)


def build() -> torch.nn.Module:
    return NETWORK


def inputs() -> torch.Tensor:
    return IMAGE
