"""TaskAligned in plain loops, from the table of dialects: what the assigner without branches must equal."""

import math


def iou(a, b):
    side = lambda i: max(min(a[i + 2], b[i + 2]) - max(a[i], b[i]), 0.0)  # noqa: E731
    area = lambda c: max(c[2] - c[0], 0.0) * max(c[3] - c[1], 0.0)  # noqa: E731
    inside = side(0) * side(1)
    return inside / (area(a) + area(b) - inside + 1e-9)


def task_aligned(scores, boxes, points, labels, truths, k=13):
    """One image as nested lists; per anchor (owner or None, soft score)."""
    real = [g for g, t in enumerate(truths) if sum(t) > 0]
    overlap = {g: [iou(truths[g], b) for b in boxes] for g in real}
    metric = {g: [s[labels[g]] * o**6 for s, o in zip(scores, overlap[g])] for g in real}
    inside = {g: [min(x - truths[g][0], y - truths[g][1], truths[g][2] - x, truths[g][3] - y) > 1e-9 for x, y in points] for g in real}
    claims = [[] for _ in points]
    for g in real:
        ranked = sorted(range(len(points)), key=lambda a: -metric[g][a] if inside[g][a] else 0.0)[:k]
        for a in ranked:
            if inside[g][a]:
                claims[a].append(g)
    owner = [None if not c else c[0] if len(c) == 1 else max(real, key=lambda g: overlap[g][a]) for a, c in enumerate(claims)]
    own = {g: [a for a, o in enumerate(owner) if o == g] for g in real}
    best = {g: max((metric[g][a] for a in own[g]), default=0.0) for g in real}
    peak = {g: max((overlap[g][a] for a in own[g]), default=0.0) for g in real}
    soft = [0.0 if g is None else metric[g][a] * peak[g] / (best[g] + 1e-9) for a, g in enumerate(owner)]
    assert all(math.isfinite(s) for s in soft)
    return list(zip(owner, soft))
