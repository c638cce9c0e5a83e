"""The network of `ports/` as a port file: `parity run scripts/models/net.py model.onnx`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch  # noqa: E402
from ports import network  # noqa: E402

build = network.build


def inputs() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {"images": torch.rand(1, 3, 36, 36)}
