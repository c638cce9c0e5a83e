"""check_transform: does an augmentation move labels and boxes as it moves the image? The image says itself where they belong.

Every object is painted in a colour whose channels are either dark or light, so that it is told from the others after brightness, contrast,
normalisation and interpolation; dark in all channels is nothing, and what is neither dark nor light is a border or what was filled in.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass, field

import numpy as np

# Colours of seven objects; 0 is no object.
CODES = np.array([[(code >> bit) & 1 for bit in range(3)] for code in range(8)])
LIGHT, DARK = 235, 20
# Pixels that labels may be off by where an image is scaled: half of one on either side.
SLACK = 2
SHIFTS = [(y, x) for y in range(-4, 5) for x in range(-4, 5)]
TURNS = {
    "flipped left to right": lambda a: a[:, ::-1],
    "flipped upside down": lambda a: a[::-1],
    "turned by half": lambda a: a[::-1, ::-1],
    "transposed": lambda a: a.T,
}


@dataclass
class Checked:
    """What was found; the keys of a finding are those of parity's reports."""

    findings: list[dict] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing is wrong, and everything could be judged."""
        return all(f["severity"] in ("note", "warning") for f in self.findings)

    def __str__(self) -> str:
        said = {"fault": "fault", "unjudged": "could not be checked", "warning": "risk", "note": "found right"}
        lines = []
        for found in sorted(self.findings, key=lambda f: list(said).index(f["severity"])):
            lines.append(f"{said[found['severity']]}: {found['where']}: {found['what']} [{found['kind']}]")
            lines += [f"  next: {step}" for step in found["next"]]
        return "\n".join(lines)


def check_transform(f, *, classes=21, ignore=255, boxes=None, sizes=((96, 128), (128, 96), (97, 65)), trials=32, seed=0) -> Checked:
    """Puts drawn pairs through `f` and looks whether labels come out where the image says.

    `f(image, labels)` gives both back: an image [H, W, 3] of uint8 (or [3, H, W], numbers of any scale, behind f) and labels [H, W].
    With `boxes` = "xyxy", "xywh" or "cxcywh" (shares of the image) it is `f(image, boxes, classes)` and gives all three back.
    """
    trial = _boxes if boxes else _labels
    draw, told, seen = np.random.default_rng(seed), {}, {"judged": 0, "moved": 0}
    for i in range(trials):
        _seed(seed + i)
        place = f"trial {i}, image {sizes[i % len(sizes)]}"
        for kind, what, severity in trial(f, draw, sizes[i % len(sizes)], classes, ignore, boxes, seen):
            told.setdefault((kind, severity), []).append((place, what))
    out = Checked([_finding(kind, severity, all_, trials) for (kind, severity), all_ in told.items()])
    out.findings += _summary(seen, trials, out.findings)
    return out


def _seed(seed) -> None:
    """Every generator that an augmentation may draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


NEXT = {
    "size": "give the label the size of its image at every step",
    "moved": "hand image and label to the same call of each geometric step, or share its drawn parameters",
    "interpolated": "resize and rotate labels by the nearest neighbour",
    "fill": "fill labels with the ignored value where the image is filled; leave cut-outs out of this check",
    "ignored": "look whether labels are filled where there is an image",
    "channels": "hand the image over in the order of channels that the network was trained on",
    "box": "transform the corners of boxes as the image, clip them, and drop what is outside",
    "lost": "look at the least area or visibility that a box must keep",
    "broken": "run f on this input alone",
    "unreadable": "leave out steps that change colours for this check: hue, inversion, mixing, channel dropout",
}


def _finding(kind, severity, all_, trials) -> dict:
    place, what = all_[0]
    return dict(kind=kind, where=place, what=f"{what} ({len(all_)} of {trials} trials)", next=[NEXT[kind]], severity=severity)


def _summary(seen, trials, found) -> list[dict]:
    if not seen["judged"]:
        what = "no trial left enough of the image to judge"
        return [dict(kind="unreadable", where="f", what=what, next=[NEXT["unreadable"]], severity="unjudged")] if not found else []
    what = f"{seen['judged']} of {trials} trials were judged, in {seen['moved']} of them the image was moved or scaled"
    if not seen["moved"]:
        return [dict(kind="never_moved", where="f", what=what, next=["look whether the augmentation is on"], severity="warning")]
    return [dict(kind="judged", where="f", what=what, next=[], severity="note")]


def _painted(codes) -> np.ndarray:
    return np.where(CODES[codes] == 1, LIGHT, DARK).astype(np.uint8)


def _ids(classes) -> np.ndarray:
    """Class of each code: the first and the last among them, and as far apart as they can be, so that a mean of two is none of them."""
    n = min(7, classes)
    return np.array([-1, *np.unique(np.linspace(0, classes - 1, n).round().astype(int))])


def _scene(draw, size, codes) -> np.ndarray:
    """Blocks of codes, none of them nothing: small ones, so that a crop has some of them."""
    h, w = size
    out = np.full(size, 1 + draw.integers(codes - 1), dtype=int)
    for _ in range(60):
        y, x = draw.integers(-8, h), draw.integers(-8, w)
        out[max(y, 0) : y + draw.integers(9, 22), max(x, 0) : x + draw.integers(9, 22)] = 1 + draw.integers(codes - 1)
    return out


def _image(out) -> np.ndarray:
    """[H, W, 3] of floats."""
    image = np.asarray(out, dtype=float)
    if image.ndim == 3 and image.shape[0] == 3 and image.shape[2] != 3:
        image = image.transpose(1, 2, 0)
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"an image of shape {list(image.shape)}, wanted [H, W, 3] or [3, H, W]")
    return image


def _read(image, codes=(), least=2) -> tuple[np.ndarray, np.ndarray] | None:
    """The code of every pixel, and where it is sure: every channel dark or light, as at least `least` % of its pixels are.

    None where a channel that some of the `codes` light up is the same everywhere: it may be either."""
    low, high = np.percentile(image, least, axis=(0, 1)), np.percentile(image, 100 - least, axis=(0, 1))
    spread = high - low
    flat = spread <= 0.25 * spread.max()
    if (flat & CODES[list(codes)].any(axis=0)).any():
        return None
    share = np.where(flat, 0, (image - low) / np.where(flat, 1, spread))
    told = ((share > 0.5) * [1, 2, 4]).sum(axis=2)
    return told, (np.abs(share - 0.5) > 0.3).all(axis=2)


def _inner(same) -> np.ndarray:
    """Where all pixels within `SLACK` hold."""
    out = np.zeros_like(same)
    s = SLACK
    out[s:-s, s:-s] = True
    for y in range(-s, s + 1):
        for x in range(-s, s + 1):
            out[s:-s, s:-s] &= same[s + y : same.shape[0] - s + y, s + x : same.shape[1] - s + x]
    return out


def _plain(image) -> np.ndarray:
    """Where a pixel is like the next one, below or right of it: a blurred border is not."""
    near = 0.02 * np.ptp(image)
    like = [np.abs(np.diff(image, axis=axis, append=np.take(image, [-1], axis=axis))).max(axis=2) <= near for axis in (0, 1)]
    return like[0] & like[1]


def _constant(codes) -> np.ndarray:
    """Where the neighbours have the same code."""
    return _inner(np.ones_like(codes, dtype=bool)) & np.logical_and.reduce(
        [np.roll(codes, (y, x), (0, 1)) == codes for y in (-SLACK, 0, SLACK) for x in (-SLACK, 0, SLACK)]
    )


def _labels(f, draw, size, classes, ignore, _, seen):
    ids = _ids(classes)
    codes = _scene(draw, size, len(ids))
    before = _painted(codes)
    try:
        image, labels = f(before.copy(), ids[codes].astype(np.uint8 if classes <= 255 else np.int32))
        image, labels = _image(image), np.asarray(labels).squeeze()
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises is what is told
        yield "broken", f"{type(error).__name__}: {error}", "fault"
        return
    if labels.shape != image.shape[:2]:
        yield "size", f"the image comes out as {list(image.shape[:2])}, the labels as {list(labels.shape)}", "fault"
        return
    known = {*ids[1:].tolist(), ignore}
    new = sorted(set(np.unique(labels).tolist()) - known)
    if new:
        yield "interpolated", f"labels that no pixel had come out: {', '.join(map(str, new[:5]))}", "fault"
    read = _read(image, range(1, len(ids)))
    if read is None:
        return
    told, sure = read
    content = sure & (told > 0) & (told < len(ids))
    inner = content & _constant(told)
    if inner.mean() < 0.02:
        return
    seen["judged"] += 1
    seen["moved"] += image.shape[:2] != size or bool((told != codes)[content].mean() > 0.005)
    wanted = ids[np.where(content, told, 1)]
    yield from _placed(labels, wanted, content, inner, ignore, ids)
    yield from _filled(labels, told, sure, image, ignore)


def _placed(labels, wanted, content, inner, ignore, ids):
    """Labels where the image says: as they are, or better turned or shifted, or with the channels exchanged."""
    counts = inner & (labels != ignore)
    if not counts.any():
        yield "ignored", "every label is ignored", "fault"
        return
    if (inner & (labels == ignore)).sum() > 0.05 * inner.sum():
        yield "ignored", f"{100 * (labels == ignore)[inner].mean():.1f} % of the labels are ignored where the image is not filled", "warning"
    wrong = (labels != wanted)[counts].mean()
    best, shift = _shifted(labels, wanted, content)
    if wrong <= 0.01 and shift == (0, 0):
        return
    if shift != (0, 0) and best > 0.97:
        yield "moved", f"labels lie {shift[0]} pixels below and {shift[1]} right of where the image says", "fault"
        return
    for name, turn in TURNS.items():
        turned = turn(labels)
        if wrong > 0.01 and turned.shape == labels.shape and (turned == wanted)[inner].mean() > 0.95:
            yield "moved", f"labels lie as if they were {name}: {100 * wrong:.1f} % are of another class than the image says", "fault"
            return
    if wrong > 0.01:
        swapped = ids[np.array([0, 4, 2, 6, 1, 5, 3, 7])[: len(ids)].clip(max=len(ids) - 1)]
        if (swapped[np.searchsorted(ids, wanted)] == labels)[counts].mean() > 0.97:
            yield "channels", "the first and the last channel of the image are exchanged", "warning"
        else:
            yield "moved", f"{100 * wrong:.1f} % of the labels are of another class than the image says", "fault"


def _shifted(labels, wanted, content) -> tuple[float, tuple[int, int]]:
    """The shift at which most labels agree, borders too; no shift unless another is clearly better."""
    s = 4
    core = (slice(s, -s), slice(s, -s))

    def agreement(shift):
        y, x = shift
        moved = labels[s + y : labels.shape[0] - s + y, s + x : labels.shape[1] - s + x]
        return (moved == wanted[core])[content[core]].mean() if content[core].any() else 0.0

    own = agreement((0, 0))
    best = max(SHIFTS, key=lambda shift: (agreement(shift), -abs(shift[0]) - abs(shift[1])))
    # Half a pixel of a nearest neighbour costs a part of the borders only.
    return (agreement(best), best) if agreement(best) > own + 0.015 and own < 0.985 else (own, (0, 0))


def _filled(labels, told, sure, image, ignore):
    """Where the image was filled in from a side, labels are ignored: nothing there is an object. What was cut out of its middle may keep its label."""
    plain = _plain(image) & (~sure | (told == 0))
    reach = np.logical_and.accumulate
    filled = reach(plain, axis=0) | reach(plain, axis=1) | reach(plain[::-1], axis=0)[::-1] | reach(plain[:, ::-1], axis=1)[:, ::-1]
    filled = _inner(filled)
    if filled.mean() < 0.005:
        return
    wrong = (labels != ignore) & filled
    if wrong.sum() > 0.05 * filled.sum():
        share, value = wrong.sum() / filled.sum(), np.bincount(labels[wrong].astype(int).clip(min=0)).argmax()
        what = f"where the image is filled in, {100 * share:.1f} % of the labels are not the ignored {ignore} but mostly {value}"
        yield "fill", what, "fault"


def _boxes(f, draw, size, classes, _, form, seen):
    codes, corners = _objects(draw, size)
    names = _ids(max(classes, 7))[1 + np.arange(len(corners))]
    try:
        image, boxes, kept = f(_painted(codes).copy(), _as(form, corners, size), names.copy())
        image, kept = _image(image), np.asarray(kept).reshape(-1)
        boxes = _corners(form, np.asarray(boxes, dtype=float).reshape(-1, 4), image.shape[:2])
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises is what is told
        yield "broken", f"{type(error).__name__}: {error}", "fault"
        return
    if len(kept) != len(boxes):
        yield "box", f"{len(boxes)} boxes and {len(kept)} classes come out", "fault"
        return
    # What lies around objects is dark: a channel that is the same everywhere is dark too.
    told, sure = _read(image, least=0)
    seen["judged"] += 1
    seen["moved"] += image.shape[:2] != size or bool((told != codes)[sure].mean() > 0.005)
    for i, name in enumerate(names):
        area = sure & (told == i + 1)
        own = boxes[kept == name]
        if area.sum() < 12:
            if len(own) and not _small(own):
                yield "box", f"the box {own[0].round(1).tolist()} is of an object that is no longer in the image", "fault"
            continue
        rows, columns = np.where(area.any(axis=1))[0], np.where(area.any(axis=0))[0]
        wanted = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        if not len(own):
            # A sliver at the border may be dropped.
            if min(wanted[2:] - wanted[:2]) >= 8:
                yield "lost", f"the object at {wanted.tolist()} has lost its box", "fault"
        elif np.abs(own - wanted).max(axis=1).min() > SLACK + 1:
            yield "box", f"the box {own[0].round(1).tolist()} is of the object at {wanted.tolist()}", "fault"


def _small(boxes) -> bool:
    return bool((np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) <= SLACK).all())


def _objects(draw, size):
    """One object in each of up to six cells."""
    h, w = size
    codes, corners = np.zeros(size, dtype=int), []
    for i in range(6):
        top, left = (i // 3) * h // 2, (i % 3) * w // 3
        y, x = top + 2 + draw.integers(h // 8), left + 2 + draw.integers(w // 12)
        tall, wide = h // 5 + draw.integers(h // 8), w // 7 + draw.integers(w // 12)
        codes[y : y + tall, x : x + wide] = i + 1
        corners.append([x, y, x + wide, y + tall])
    return codes, np.array(corners, dtype=float)


def _as(form, corners, size) -> np.ndarray:
    x, y, right, bottom = corners.T
    h, w = size
    forms = {
        "xyxy": lambda: [x, y, right, bottom],
        "xywh": lambda: [x, y, right - x, bottom - y],
        "cxcywh": lambda: [(x + right) / 2 / w, (y + bottom) / 2 / h, (right - x) / w, (bottom - y) / h],
    }
    if form not in forms:
        raise ValueError(f"boxes={form!r}: one of {', '.join(forms)}")
    return np.stack(forms[form](), axis=1)


def _corners(form, boxes, size) -> np.ndarray:
    a, b, c, d = boxes.T
    h, w = size
    if form == "xywh":
        return np.stack([a, b, a + c, b + d], axis=1)
    if form == "cxcywh":
        return np.stack([(a - c / 2) * w, (b - d / 2) * h, (a + c / 2) * w, (b + d / 2) * h], axis=1)
    return boxes
