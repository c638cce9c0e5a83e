"""The generated cases, the same for every peer: images with objects and predictions, pairs of boxes, single elements.

Every number is a small integer over a power of two, so it is exact in f32 and f64 and in any order of operations:
coordinates n/16 px, distances n/16 cells, probabilities n/256, logits n/8.
"""

import functools
import math
from random import Random

SEED = 20240917
CLASSES = 3
BINS = 17
STRIDES = (8, 16, 32)
# How often each class of edge comes up in one set of images.
KINDS = {
    "no object": 3,
    "one object": 5,
    "identical": 6,
    "nested": 5,
    "2 px": 5,
    "0.5 px": 5,
    "zero area": 5,
    "partly outside": 5,
    "wholly outside": 5,
    "sides on points": 4,
    "zero scores": 4,
    "tied": 3,
    "crowd of 100 and more": 2,
    "ragged batch": 7,
}


class Images:
    """One batch: `boxes` [B][G][4] px padded with zeros, `counts` [B], integers `score`, `side`, `logit`, `bins` flat."""

    def __init__(self, random, kind, size, with_bins):
        self.kind, self.size = kind, size
        self.points = points(size)
        images = [objects(random, kind, size, i) for i in range(3 if kind == "ragged batch" else 1)]
        rows = max(len(image) for image in images)
        self.counts = [len(image) for image in images]
        self.boxes = [[b for _, b in image] + [[0.0] * 4] * (rows - len(image)) for image in images]
        self.labels = [[label for label, _ in image] + [0] * (rows - len(image)) for image in images]
        self.score, self.side, self.logit, self.bins = [], [], [], []
        for image in images:
            for point in self.points:
                self.predict(random, image, point, with_bins)

    def predict(self, random, image, point, with_bins):
        px, py, stride = point
        distances = [random.randint(4, 64) / 16 for _ in range(4)]
        scores = [random.randint(1, 60) for _ in range(CLASSES)]
        near = self.near(random, image, px, py)
        if near is not None and random.random() < 0.8:
            label, (x1, y1, x2, y2) = near
            exact = [(px - x1) / stride, (py - y1) / stride, (x2 - px) / stride, (y2 - py) / stride]
            noise = 0.0 if self.kind == "tied" else 1.0
            distances = [min(max(d + noise * random.uniform(-0.6, 0.6), 0.0), 15.9) for d in exact]
            scores[label] = 128 if self.kind == "tied" else random.randint(40, 250)
        if self.kind == "zero scores" and random.random() < 0.7:
            scores = [0] * CLASSES
        self.side += [round(d * 16) for d in distances]
        self.score += scores
        self.logit += [logit(s) if self.kind == "tied" else logit(s) + random.randint(-3, 3) for s in scores]
        for d in distances if with_bins else []:
            # Never tied: what a softmax makes of equal logits is equal up to rounding only.
            self.bins += [max(40 - round(12 * abs(i - d)), -60) + random.randint(-6, 6) for i in range(BINS)]

    def near(self, random, image, px, py):
        """An object that contains the point, else any."""
        inside = [o for o in image if o[1][0] <= px <= o[1][2] and o[1][1] <= py <= o[1][3]]
        return random.choice(inside or image) if image else None


def points(size):
    """(x, y, stride) of every anchor in pixels: rows before columns, finest stride first."""
    height, width = size
    return [((x + 0.5) * s, (y + 0.5) * s, s) for s in STRIDES for y in range(-(-height // s)) for x in range(-(-width // s))]


def logit(score):
    p = max(score, 0.1) / 256
    return max(-56, min(56, round(8 * math.log(p / (1 - p)))))


def snap(box):
    return [round(v * 16) / 16 for v in box]


def objects(random, kind, size, image):
    """[(label, box)] of one image."""
    make = {
        "no object": lambda: [],
        "one object": lambda: [plain(random, size)],
        "identical": lambda: identical(random, size),
        "nested": lambda: nested(random, size),
        "2 px": lambda: [small(random, size, 2.0, 2.0) for _ in range(4)] + [plain(random, size)],
        "0.5 px": lambda: [small(random, size, 0.5, random.choice([0.5, 30.0])) for _ in range(4)] + [plain(random, size)],
        "zero area": lambda: flat(random, size),
        "partly outside": lambda: [outside(random, size, 0.3) for _ in range(3)] + [plain(random, size)],
        "wholly outside": lambda: [outside(random, size, 1.5), plain(random, size), outside(random, size, 1.5)],
        "sides on points": lambda: [on_points(random, size) for _ in range(3)],
        "zero scores": lambda: [plain(random, size) for _ in range(3)],
        "tied": lambda: [(1, snap([8.0, 8.0, 56.0, 56.0]))],
        "crowd of 100 and more": lambda: [plain(random, size, 4.0, 24.0) for _ in range(random.randint(100, 120))],
        "ragged batch": lambda: [plain(random, size) for _ in range([0, 1, random.randint(3, 6)][image])],
    }
    found = make[kind]()
    random.shuffle(found)
    return found


def plain(random, size, low=6.0, high=60.0):
    height, width = size
    w, h = random.uniform(low, high), random.uniform(low, high)
    x, y = random.uniform(0, max(width - w, 1.0)), random.uniform(0, max(height - h, 1.0))
    return random.randrange(CLASSES), snap([x, y, x + w, y + h])


def small(random, size, w, h):
    x, y = random.uniform(1, size[1] - w - 1), random.uniform(1, size[0] - h - 1)
    if random.random() < 0.6:  # around a point of the finest level
        x, y = 8 * random.randrange(size[1] // 8) + 4 - w / 2, 8 * random.randrange(size[0] // 8) + 4 - h / 2
    return random.randrange(CLASSES), snap([x, y, x + w, y + h])


def identical(random, size):
    label, box = plain(random, size, 16.0, 60.0)
    others = [(label, list(box)), ((label + random.randrange(2)) % CLASSES, list(box))]
    return [(label, box)] + others[: random.randint(1, 2)] + [plain(random, size)]


def nested(random, size):
    label, (x1, y1, x2, y2) = plain(random, size, 40.0, 60.0)
    steps = [(i * (x2 - x1) / 8, i * (y2 - y1) / 8) for i in range(3)]
    return [((label + i) % CLASSES, snap([x1 + a, y1 + b, x2 - a, y2 - b])) for i, (a, b) in enumerate(steps)]


def flat(random, size):
    label, (x1, y1, x2, y2) = plain(random, size)
    return [(label, [x1, y1, x1, y2]), (0, [x1, y1, x2, y1]), (2, [x2, y2, x2, y2]), plain(random, size)]


def outside(random, size, share):
    """A box of which about `share` lies left of, above, right of or below the image."""
    label, (x1, y1, x2, y2) = plain(random, size, 12.0, 40.0)
    w, h, side = x2 - x1, y2 - y1, random.randrange(4)
    dx = [-x1 - share * w, size[1] - x2 + share * w, 0, 0][side]
    dy = [0, 0, -y1 - share * h, size[0] - y2 + share * h][side]
    return label, snap([x1 + dx, y1 + dy, x2 + dx, y2 + dy])


def on_points(random, size):
    x, y = (random.randrange(0, s // 8 - 3) * 8 + 4.0 for s in (size[1], size[0]))
    return random.randrange(CLASSES), [x, y, x + 8 * random.randint(1, 3), y + 8 * random.randint(1, 3)]


@functools.lru_cache(maxsize=None)
def images(name):
    """The cases of a set: `fine` of 64 px and 64 x 128 px with distributions, `wide` of 128 px, nine anchors per level and more."""
    random = Random(f"{SEED} {name}")
    sizes = {"fine": [(64, 64), (64, 64), (64, 64), (64, 128)], "wide": [(128, 128)]}[name]
    kinds = [kind for kind, times in KINDS.items() for _ in range(times)]
    return [Images(random, kind, sizes[i % len(sizes)], name == "fine") for i, kind in enumerate(kinds)]


def pairs():
    """[(kind, predicted box, target box)]."""
    random = Random(f"{SEED} pairs")
    out = []
    for _ in range(12):
        a, b = plain(random, (64, 64))[1], plain(random, (64, 64))[1]
        x1, y1, x2, y2 = b
        out += [
            ("any", a, b),
            ("equal", b, b),
            ("nested", snap([x1 + 1, y1 + 2, x2 - 1, y2 - 0.5]), b),
            ("apart", snap([v + 80 for v in a]), b),
            ("touching", [x2, y1, x2 + 5, y2], b),
            ("one side equal", [x1, y1 + 3, x2 + 2, y2 + 1], b),
            ("2 px", small(random, (64, 64), 2.0, 2.0)[1], b),
            ("0.5 px", [x1, y1, x1 + 0.5, y1 + 0.5], [x1 + 0.25, y1, x1 + 0.75, y1 + 0.5]),
            ("equal sizes", [x1 + 3, y1 + 4, x2 + 3, y2 + 4], b),
            ("aligned centres", [x1 - 2, y1 + 1, x2 + 2, y2 + 5], b),
            ("thin", [x1, y1, x1 + 0.0625, y2], b),
            ("empty prediction", [x1, y1, x1, y1], b),
            ("empty target", a, [x1, y1, x1, y1]),
            ("inverted prediction", [x1 + 5, y1 + 1, x1 + 2, y2], b),
            ("inverted both ways", [x2, y2 + 1, x1, y1], b),
            ("flat prediction", [x1, y1 + 1, x2, y1 + 1], b),
        ]
    return out


def elements():
    """[(logit, target, whether positive)]."""
    random = Random(f"{SEED} elements")
    out = [(x, t, t > 0) for x in (-7.0, -0.125, 0.0, 0.125, 7.0) for t in (0.0, 0.5, 1.0)]
    out += [(random.randint(-56, 56) / 8, random.randint(1, 255) / 256, True) for _ in range(60)]
    return out + [(random.randint(-56, 56) / 8, 0.0, False) for _ in range(45)]


def distributions():
    """[(logits [17], target in cells)]; targets stay in [0, 15.75]."""
    random = Random(f"{SEED} distributions")
    targets = [0.0, 1.0, 15.0, 15.75, 7.5] + [random.randint(0, 15 * 16) / 16 for _ in range(75)]
    return [([random.randint(-40, 40) / 8 for _ in range(BINS)], t) for t in targets]
