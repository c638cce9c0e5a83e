"""Inputs for every kernel, drawn by the name of the input; boxes have an area, so that nothing lies on a kink."""

from setting import drawn, torch

SIZES = dict(N=61, B=3, A=84, C=5, G=7, P=50, D=6, K=9, h3=8, w3=8, h4=4, w4=4, h5=2, w5=2)


def boxes(*shape, extent=64.0, seed=0):
    low = drawn(*shape, 2, high=0.7 * extent, seed=seed)
    return torch.cat([low, low + drawn(*shape, 2, low=2.0, high=0.6 * extent, seed=seed + 1)], -1)


def whole(*shape, below, seed=0):
    return drawn(*shape, high=below, seed=seed).long()


BY_NAME = {
    "a": lambda s, seed: boxes(*s[:-1], seed=seed),
    "b": lambda s, seed: boxes(*s[:-1], seed=seed + 100),
    "pred": lambda s, seed: boxes(*s[:-1], seed=seed),
    "target": lambda s, seed: boxes(*s[:-1], seed=seed + 100) if len(s) == 2 else drawn(*s, seed=seed + 3),
    "p": lambda s, seed: drawn(*s, low=0.01, high=0.99, seed=seed),
    "x": lambda s, seed: drawn(*s, low=-8, high=8, seed=seed),
    "quality": lambda s, seed: drawn(*s, seed=seed + 4),
    "logits": lambda s, seed: drawn(*s, low=-5, high=5, seed=seed),
    "labels": lambda s, seed: whole(*s, below=SIZES["C"] + 1, seed=seed + 6) - 1,
    "query": lambda s, seed: drawn(*s, low=-2, high=2, seed=seed),
    "keys": lambda s, seed: drawn(*s, low=-2, high=2, seed=seed + 7),
    "boxes": lambda s, seed: boxes(*s[:-1], extent=200.0, seed=seed),
    "foreground": lambda s, seed: drawn(*s, seed=seed + 8) > 0.5,
    "p3": lambda s, seed: torch.zeros(*s),
    "p4": lambda s, seed: torch.zeros(*s),
    "p5": lambda s, seed: torch.zeros(*s),
    "positive": lambda s, seed: (drawn(*s, seed=seed + 5) > 0.5).float(),
}


def inputs(kernel, seed=0, **sizes):
    """Tensors by name, in the sizes above or those given."""
    sizes = SIZES | sizes
    shapes = {name: [int(a) if a.isdigit() else sizes[a] for a in port.split()[1:]] for name, port in kernel.inputs.items()}
    return {name: BY_NAME[name](shape, seed) for name, shape in shapes.items()}
