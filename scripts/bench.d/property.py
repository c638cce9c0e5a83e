"""What `parity fuzz KERNEL` asks, as one would write it in Python: hypothesis draws as src/subject/kernels/draw does, torch answers with autograd in f64, a
second walk of the same module stands for the reference, and a third tries a relation. usage: property.py KERNEL EXAMPLES; prints cases
per second of processor time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "models"))

import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kernels.table import ALL

QUARTERS = 4


@st.composite
def plain(draw, extent: int) -> list[float]:
    x, y, w, h = (draw(st.integers(0, QUARTERS * extent)) for _ in range(4))
    return [v / QUARTERS for v in (x, y, x + max(w, 1), y + max(h, 1))]


@st.composite
def objects(draw, extent: int) -> list[float]:
    x, y, x2, y2 = draw(plain(extent))
    far = 4096.0
    edges = (
        [x, y, x2, y2], [x, y, x, y2], [x, y, x2, y], [x, y, x, y], [x, y, x + 0.0625, y + 0.125],
        [x - far, y - far, x2 + far, y2 + far], [x + 2 * extent, y + extent, x2 + 2 * extent, y2 + extent],
        [x - extent / 2, y, x2 - extent / 2, y2], [0.0, 0.0, float(extent), float(extent)],
    )  # fmt: skip
    return edges[draw(st.integers(0, len(edges) - 1))] if draw(st.booleans()) else edges[0]


@st.composite
def pairs(draw) -> list[list[float]]:
    a, b, relation, turned = draw(objects(32)), draw(objects(32)), draw(st.integers(0, 13)), draw(st.integers(0, 15))
    (x1, y1, x2, y2), w, h = a, b[2] - b[0], b[3] - b[1]
    related = {0: a, 1: [x2, y1, x2 + w, y2], 2: [x2, y2, x2 + w, y2 + h], 3: [x1 - w, y1 - h, x2 + w, y2 + h], 6: [x1, y1, x1 + w, y1 + h]}
    a = {0: [x2, y1, x1, y2], 1: [x2, y2, x1, y1]}.get(turned, a)
    return [a, related.get(relation, b)]


@st.composite
def giou(draw) -> dict[str, torch.Tensor]:
    rows = draw(st.lists(pairs(), min_size=1, max_size=11))
    return {name: real([row[i] for row in rows]) for i, name in enumerate("ab")}


@st.composite
def scenes(draw) -> dict[str, torch.Tensor]:
    sizes = [(32, 32)] * 8 + [(32, 64)] * 4 + [(64, 64), (32, 96)] * 2 + [(96, 64), (128, 128)]
    height, width = draw(st.sampled_from(sizes))
    classes, padding = draw(st.integers(1, 4)), draw(st.integers(0, 2))
    crowds = [(0, 3)] * 32 + [(0, 0)] * 16 + [(1, 8)] * 16 + [(100, 120)]
    crowd = st.sampled_from(crowds).flatmap(lambda n: st.lists(st.tuples(objects(64), st.integers(0, 99)), min_size=n[0], max_size=n[1]))
    images = draw(st.lists(crowd, min_size=1, max_size=3))
    scores = draw(st.lists(st.integers(0, 256), min_size=1, max_size=47))
    sides = draw(st.lists(st.integers(0, 31), min_size=4, max_size=59))
    points, strides = grid(height, width)
    rows = max(max(len(image) for image in images) + padding, 1)
    distances = cycled([s / 4 for s in sides], len(images) * len(points) * 4).view(len(images), -1, 4)
    corners = torch.cat([points - distances[..., :2], points + distances[..., 2:]], -1) * strides
    filled = [image + [([0.0] * 4, 0)] * (rows - len(image)) for image in images]
    return {
        "pred_scores": cycled([s / 256 for s in scores], len(images) * len(points) * classes).view(len(images), -1, classes),
        "pred_boxes": corners,
        "points": points * strides,
        "gt_labels": torch.tensor([[label % classes for _, label in image] for image in filled]),
        "gt_boxes": real([[box for box, _ in image] for image in filled]),
        "gt_count": torch.tensor([len(image) for image in images]),
    }


def grid(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    points, strides = [], []
    for stride in (8, 16, 32):
        h, w = height // stride, width // stride
        points += [[x + 0.5, y + 0.5] for y in range(h) for x in range(w)]
        strides += [[float(stride)]] * (h * w)
    return real(points), real(strides)


def cycled(values: list[float], count: int) -> torch.Tensor:
    return real((values * (count // len(values) + 1))[:count])


def real(values: list) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def reversed_rows(case: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: t.flip(0) for name, t in case.items()}


def reversed_images(case: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: t if name == "points" else t.flip(0) for name, t in case.items()}


# Kernel: what is drawn, what is differentiated by, the case of a relation whose answer is the first turned round.
CASES = {"giou_yolov6": (giou, "a", reversed_rows), "task_aligned_yolov6": (scenes, None, reversed_images)}


def said(module: torch.nn.Module, case: dict[str, torch.Tensor], by: str | None) -> list[torch.Tensor]:
    inputs = {name: t.clone().requires_grad_(name == by) for name, t in case.items()}
    outputs = module(*inputs.values())
    outputs = list(outputs) if isinstance(outputs, tuple) else [outputs]
    return outputs + (list(torch.autograd.grad(outputs[0].sum(), inputs[by])) if by else [])


def main() -> None:
    name, examples = sys.argv[1], int(sys.argv[2])
    draw, by, turned = CASES[name]
    module = next(row for row in ALL if row.name == name).module().double()
    torch.set_num_threads(1)
    seen = []

    @settings(max_examples=examples, database=None, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(draw())
    def agrees(case):
        first = said(module, case, by)
        for expected, found in zip(first, said(module, case, by)):
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12, equal_nan=True)
        for expected, found in zip(first, said(module, turned(case), None)):
            torch.testing.assert_close(found.flip(0), expected, rtol=1e-9, atol=1e-12, equal_nan=True)
        seen.append(time.process_time())

    agrees()
    print((len(seen) - 1) / (seen[-1] - seen[0]))


main()
