"""What the tests share: import paths, one thread, seeded networks, ground truths."""

import sys
from pathlib import Path

MODELS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(MODELS), str(MODELS.parent / "parity_port")]

import torch  # noqa: E402

ROOT = MODELS.parent.parent
torch.set_num_threads(1)


def truths(*rows, pad=4, dtype=torch.float32):
    """Labels `[1, pad]` and boxes `[1, pad, 4]` from rows (label, x1, y1, x2, y2); the rest are zeros."""
    labels, boxes = torch.zeros(1, pad, dtype=torch.long), torch.zeros(1, pad, 4, dtype=dtype)
    for i, (label, *box) in enumerate(rows):
        labels[0, i], boxes[0, i] = label, torch.tensor(box, dtype=dtype)
    return labels, boxes


def drawn(*shape, low=0.0, high=1.0, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64).to(dtype) * (high - low) + low
