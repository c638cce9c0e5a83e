"""Inputs for every kernel, drawn by the name of the input, on no kink and with no tie that an order of equals would decide."""

from setting import drawn, torch

from kernels.anchors import FromMaps

SIZES = dict(N=61, B=3, A=84, C=5, G=7, P=50, D=6, K=9, R=11, Q=9, h3=8, w3=8, h4=4, w4=4, h5=2, w5=2)


def inputs(kernel, seed=0, anchors=slice(None), **sizes):
    """Tensors by name, in the sizes above or those given; `anchors` chooses from the 84 of an image of 64 pixels."""
    sizes = SIZES | sizes
    return {name: tensor(kernel, name, port.split()[1:], sizes, seed, anchors) for name, port in kernel.inputs.items()}


def tensor(kernel, name, axes, sizes, seed, anchors):
    if axes[:1] == ["A"]:
        return on_grids(kernel)[name][anchors]
    made = BY_NAME[name]([int(a) if a.isdigit() else sizes[a] for a in axes], sizes, seed)
    if name == "pred_scores" and kernel.name.startswith("v8"):
        made = made.logit()
    return made[:, anchors] if "A" in axes else made


def on_grids(kernel):
    """Anchors in the kernel's unit: cells for whole losses, pixels for assigners."""
    points, strides, pixels, squares, around_corners = FromMaps()(*(torch.zeros(1, 1, n, n) for n in (8, 4, 2)))
    return {
        "points": points if "strides" in kernel.inputs else pixels,
        "strides": strides,
        "squares": around_corners if "mmdet" in kernel.name else squares,
        "level": torch.tensor([0] * 64 + [1] * 16 + [2] * 4),
    }


def boxes(shape, sizes, seed, extent=64.0):
    low = drawn(*shape[:-1], 2, high=0.7 * extent, seed=seed)
    return torch.cat([low, low + drawn(*shape[:-1], 2, low=2.0, high=0.6 * extent, seed=seed + 1)], -1)


def around_the_middle(low, high):
    """Boxes that share the middle of the image: no overlap and so no alignment is 0."""

    def made(shape, sizes, seed):
        halves = [drawn(*shape[:-1], 2, low=low, high=high, seed=seed + i) for i in (10, 11)]
        return torch.cat([32 - halves[0], 32 + halves[1]], -1)

    return made


def truth_labels(shape, sizes, seed):
    return drawn(*shape, high=sizes["C"], seed=seed + 20).long()


def counts(shape, sizes, seed):
    """None in the first image, all in the last."""
    return torch.linspace(0, sizes["G"], *shape).long()


def matched(sizes, seed):
    """A query of its own for each object."""
    return drawn(sizes["Q"], seed=seed + 21).argsort()[: sizes["G"]]


def sides(shape, sizes, seed):
    """Distances, or logits of short ones: the point of an anchor lies in its box, near bins come first."""
    if shape[-1] == 4:
        return drawn(*shape, low=0.4, high=2.5, seed=seed)
    bins = shape[-1] // 4
    return drawn(*shape, low=-2, high=2, seed=seed) - 0.8 * torch.arange(bins).repeat(4)


def uniform(low, high, shift):
    return lambda shape, sizes, seed: drawn(*shape, low=low, high=high, seed=seed + shift)


BY_NAME = {
    "a": boxes,
    "b": lambda shape, sizes, seed: boxes(shape, sizes, seed + 100),
    "pred": boxes,
    "target": lambda shape, sizes, seed: boxes(shape, sizes, seed + 100) if len(shape) == 2 else drawn(*shape, seed=seed + 3),
    "boxes": lambda shape, sizes, seed: boxes(shape, sizes, seed, extent=200.0),
    "p": uniform(0.01, 0.99, 0),
    "x": uniform(-8, 8, 0),
    "quality": uniform(0, 1, 4),
    "positive": lambda shape, sizes, seed: (drawn(*shape, seed=seed + 5) > 0.5).float(),
    "foreground": lambda shape, sizes, seed: drawn(*shape, seed=seed + 8) > 0.5,
    "logits": uniform(-5, 5, 0),
    "labels": lambda shape, sizes, seed: drawn(*shape, high=sizes["C"] + 1, seed=seed + 6).long() - 1,
    "query": lambda shape, sizes, seed: uniform(-2, 2, 0)(shape, sizes, seed) if len(shape) == 2 else matched(sizes, seed),
    "weight": uniform(0.2, 2, 9),
    "ignore": lambda shape, sizes, seed: torch.tensor(-1),
    "keys": uniform(-2, 2, 7),
    "p3": uniform(-1, 1, 0),
    "p4": uniform(-1, 1, 1),
    "p5": uniform(-1, 1, 2),
    "pred_scores": uniform(0.02, 0.9, 0),
    "pred_boxes": around_the_middle(20.0, 32.0),
    "pred_distri": sides,
    "gt_labels": truth_labels,
    "gt_boxes": around_the_middle(2.0, 30.0),
    "gt_count": counts,
}
