"""check_transform: right augmentations are silent, each wrong one is told for what it is. numpy only."""

import random
import sys
import unittest
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from parity_port.transform import check_transform  # noqa: E402

IGNORE = 255


def flip(image, labels):
    return (image[:, ::-1], labels[:, ::-1]) if random.random() < 0.5 else (image, labels)


def crop(image, labels):
    y, x = random.randrange(20), random.randrange(20)
    return image[y : y + 44, x : x + 44], labels[y : y + 44, x : x + 44]


def scaled(a, size, smooth):
    """Bilinear or nearest, at centres of pixels."""
    h, w = a.shape[:2]
    y, x = ((np.arange(n) + 0.5) * old / n - 0.5 for n, old in zip(size, (h, w)))
    if not smooth:
        return a[np.floor(y + 0.5).astype(int).clip(0, h - 1)][:, np.floor(x + 0.5).astype(int).clip(0, w - 1)]
    y, x = y.clip(0, h - 1), x.clip(0, w - 1)
    top, left = np.floor(y).astype(int).clip(max=h - 2), np.floor(x).astype(int).clip(max=w - 2)
    fy, fx = (y - top).reshape(-1, 1, *[1] * (a.ndim - 2)), (x - left).reshape(1, -1, *[1] * (a.ndim - 2))
    rows = a[top] * (1 - fy) + a[top + 1] * fy
    return rows[:, left] * (1 - fx) + rows[:, left + 1] * fx


def resize(image, labels):
    size = random.choice([(64, 80), (150, 200), (120, 96)])
    return scaled(image.astype(float), size, True), scaled(labels, size, False)


def pad(image, labels, fill=0, ignored=IGNORE):
    by = random.randrange(8, 20)
    room = ((by, 2), (0, by))
    return np.pad(image, (*room, (0, 0)), constant_values=fill), np.pad(labels, room, constant_values=ignored)


def colour(image, labels):
    image = (image.astype(float) * random.uniform(0.6, 1.3) + random.uniform(-10, 10)).clip(0, 255)
    return (((image / 255) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(2, 0, 1), labels


def shift(image, labels, by):
    return image, np.roll(labels, by, (0, 1))


def kinds(checked):
    return {(f["kind"], f["severity"]) for f in checked.findings if f["severity"] != "note"}


class Labels(unittest.TestCase):
    def is_silent(self, f, **more):
        checked = check_transform(f, ignore=IGNORE, **more)
        self.assertEqual(kinds(checked), set(), checked)
        self.assertIn("found right", str(checked))

    def is_told(self, f, kind, words, severity="fault", **more):
        checked = check_transform(f, ignore=IGNORE, **more)
        self.assertEqual({k for k in kinds(checked) if k[1] == severity}, {(kind, severity)}, checked)
        self.assertIn(words, str(checked))
        self.assertEqual(checked.ok, severity == "warning")

    def test_right_ones_are_silent(self):
        for f in (flip, crop, resize, pad):
            self.is_silent(f)
        self.is_silent(lambda a, b: pad(a, b, fill=114))
        self.is_silent(lambda a, b: colour(*flip(a, b)))
        self.is_silent(lambda a, b: colour(*pad(*resize(*flip(a, b)))))
        self.is_silent(lambda a, b: pad(*crop(*flip(a, b))), classes=37)
        self.is_silent(flip, classes=2)

    def test_an_image_that_is_flipped_alone(self):
        self.is_told(lambda a, b: (a[:, ::-1], b), "moved", "as if they were flipped left to right")
        self.is_told(lambda a, b: (flip(a, b)[0], flip(a, b)[1]), "moved", "of another class")
        self.is_told(lambda a, b: (a[::-1], b), "moved", "flipped upside down")

    def test_a_crop_of_its_own_and_a_shift(self):
        self.is_told(lambda a, b: (crop(a, b)[0], crop(a, b)[1]), "moved", "")
        for by in [(1, 0), (0, -1), (3, 2)]:
            self.is_told(lambda a, b, by=by: shift(*flip(a, b), by), "moved", f"labels lie {by[0]} pixels below and {by[1]} right")

    def test_interpolated_labels(self):
        self.is_told(lambda a, b: (scaled(a.astype(float), (70, 90), True), scaled(b.astype(float), (70, 90), True).round()), "interpolated", "labels that no pixel had")

    def test_a_fill_that_is_a_class(self):
        for fill in (0, 114):
            self.is_told(lambda a, b, fill=fill: pad(a, b, fill, 0), "fill", "not the ignored 255 but mostly 0")

    def test_sizes_that_differ_and_code_that_breaks(self):
        self.is_told(lambda a, b: (a[:60], b), "size", "the image comes out as [60,")
        self.is_told(lambda a, b: a[0][0][0][0], "broken", "Error")

    def test_labels_that_are_ignored_and_channels_that_are_exchanged(self):
        self.is_told(lambda a, b: (a, np.full_like(b, IGNORE)), "ignored", "every label is ignored")
        self.is_told(lambda a, b: (flip(a, b)[0], b) and flip(a[..., ::-1], b), "channels", "exchanged", severity="warning")

    def test_what_cannot_be_judged_and_what_does_nothing(self):
        checked = check_transform(lambda a, b: (np.zeros_like(a), b))
        self.assertFalse(checked.ok, checked)
        self.assertEqual(kinds(check_transform(lambda a, b: (a, b))), {("never_moved", "warning")})


def flip_boxes(image, boxes, names):
    if random.random() < 0.5:
        w = image.shape[1]
        return image[:, ::-1], np.stack([w - boxes[:, 2], boxes[:, 1], w - boxes[:, 0], boxes[:, 3]], axis=1), names
    return image, boxes, names


def crop_boxes(image, boxes, names):
    y, x = random.randrange(15), random.randrange(15)
    image = image[y : y + 50, x : x + 45]
    boxes = (boxes - [x, y, x, y]).clip(0, [45, 50, 45, 50])
    kept = ((boxes[:, 2:] - boxes[:, :2]) > 4).all(axis=1)
    return image, boxes[kept], names[kept]


class Boxes(unittest.TestCase):
    def test_right_ones_are_silent(self):
        for f in (flip_boxes, crop_boxes, lambda *a: crop_boxes(*flip_boxes(*a))):
            checked = check_transform(f, boxes="xyxy")
            self.assertEqual(kinds(checked), set(), checked)

    def test_every_form_of_a_box(self):
        def in_shares(image, boxes, names):
            boxes = boxes.copy()
            boxes[:, 0] = 1 - boxes[:, 0]
            return image[:, ::-1], boxes, names

        def at_corner(image, boxes, names):
            return image[:, ::-1], np.stack([image.shape[1] - boxes[:, 0] - boxes[:, 2], *boxes.T[1:]], axis=1), names

        for f, form in ((in_shares, "cxcywh"), (at_corner, "xywh")):
            checked = check_transform(f, boxes=form)
            self.assertEqual(kinds(checked), set(), checked)

    def test_wrong_ones_are_told(self):
        wrong = [
            (lambda a, b, c: (a[:, ::-1], b, c), "box"),
            (lambda a, b, c: (a, b + 6, c), "box"),
            (lambda a, b, c: (a, b[1:], c[1:]), "lost"),
            (lambda a, b, c: (a, b, c[1:]), "box"),
            (lambda a, b, c: (a[:50, :45], b, c), "box"),
            (lambda a, b, c: (a, b, c[::-1]), "box"),
            (lambda a, b, c: 1 / 0, "broken"),
        ]
        for f, kind in wrong:
            checked = check_transform(f, boxes="xyxy")
            self.assertIn((kind, "fault"), kinds(checked), checked)
            self.assertFalse(checked.ok)


if __name__ == "__main__":
    unittest.main()
