"""ultralytics 8.3.155."""

import torch

from common import v8


def predictions(feats, scores, bins):
    """Feature maps [B, 64 + classes, h, w] of every level."""
    both = torch.cat([bins, scores], 1)
    maps = both.split([f.shape[2] * f.shape[3] for f in feats], -1)
    return [m.reshape(*m.shape[:2], *f.shape[2:]) for m, f in zip(maps, feats)]


v8.run("ultralytics-8.3.155", predictions)
