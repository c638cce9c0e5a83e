"""What the tests of a framework's worker have in common: a worker is asked as parity asks it, of the small network and of networks in a few lines."""

import contextlib
import json
import math
import os
import sys
import tempfile
import textwrap
import unittest
import unittest.mock
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from parity_port.stored import read  # noqa: E402
from parity_port.trace import Trace  # noqa: E402
from parity_port.worker import drawn  # noqa: E402
from parity_port.worker.asks import Asks  # noqa: E402

LIVE = HERE.parent.parent.parent / "tests/fixtures/live"


class Asked(unittest.TestCase):
    #: First lines of a network of the test's own.
    head = ""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.files = Path(folder.name), 0
        path, modules = list(sys.path), set(sys.modules)
        sys.path.append(str(LIVE))
        self.addCleanup(sys.path.__setitem__, slice(None), path)
        self.addCleanup(lambda: [sys.modules.pop(name) for name in {"net", *(p.stem for p in LIVE.glob("*.py"))} & set(sys.modules) - modules])

    def start(self, path, **arguments):
        self.asks = Asks(str(path))
        return self.ask("hello", protocol=1, arguments=arguments, seed=0)

    def net(self, text):
        path = self.folder / "net.py"
        path.write_text(self.head + textwrap.dedent(text))
        return self.start(path)

    def ask(self, ask, **asked):
        return self.asks.answer({"id": 1, "ask": ask, **asked})

    def file(self, tensors=None):
        self.files += 1
        path = str(self.folder / f"{self.files}.safetensors")
        if tensors is not None:
            with Trace(path, "a test") as trace:
                for name, value in tensors.items():
                    trace.add(name, value)
        return path

    def written(self, ask, **asked):
        to = self.file()
        self.ask(ask, to=to, **asked)
        return Written(to)

    def forward(self, inputs=None, f64=False, training=False):
        return self.written("forward", inputs=self.given(inputs), f64=f64, training=training, floors=False)

    def given(self, inputs=None):
        """A file of inputs, those of the port where none are named."""
        if inputs is not None:
            return self.file(inputs)
        to = self.file()
        self.ask("inputs", to=to)
        return to

    def check_replay(self, behind):
        """What is given in the place of `norm` is what `behind`, its SiLU, is computed from; with what the run itself computed nothing moves."""
        run = self.forward().tensors
        for given in (run["norm"] / 2, run["norm"]):
            asked = {"f64": False, "training": False, "floors": False, "replay": self.file({"norm": given})}
            found = self.written("forward", inputs=self.given(), **asked)
            self.assertEqual(found.header["replayed"], ["norm"])
            self.assertEqual(found.tensors["norm"].tolist(), run["norm"].tolist())
            self.assertTrue(near(found.tensors[behind], given / (1 + np.exp(-given)), 1e-6))
        self.assertEqual(found.tensors["output:scores"].tolist(), run["output:scores"].tolist())

    def check_faithful(self, path, careless):
        """In f64 the small network is the one of numpy, and one that is careless of this is not; what that one records."""
        self.start(path)
        image = {"image": sys.modules["small"].image().astype(np.float64)}
        found = self.forward(image, f64=True).tensors
        for name, wanted in small().items():
            self.assertTrue(near(found[name], wanted, 1e-12), name)
        self.assertEqual(self.forward().tensors["stem"].dtype, np.float32)
        with unittest.mock.patch.dict(os.environ, SMALL_CARELESS=careless):
            del sys.modules["small"]
            self.start(path)
            found = self.forward(image, f64=True)
            self.assertFalse(near(found.tensors["output:map"], small()["output:map"], 1e-5))
        return found

    def check_dropout(self):
        """A network that drops half of what a norm gives drops the same every time, and its runs leave nothing."""
        x = {"x": np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)}
        with self.nothing_stays():
            first, second = self.forward(x), self.forward(x)
        self.assertEqual(first.tensors["output"].tolist(), second.tensors["output"].tolist())
        self.assertIn(0, first.tensors["output"])
        network = self.asks.network
        self.assertEqual(drawn.drops(network, network.model), ["drop"])

    @contextlib.contextmanager
    def nothing_stays(self):
        before = self.written("parameters").tensors
        yield
        for name, value in self.written("parameters").tensors.items():
            self.assertEqual(value.tolist(), before[name].tolist())

    def check_tied(self, runs=(False, True), **names):
        """A run lists what is shared once, and says what else it is called: in a copy, and in one in f64."""
        for f64 in runs:
            found = self.forward({"x": np.ones((1, 2), np.float64 if f64 else np.float32)}, f64=f64)
            self.assertEqual(found.header["tied"], names)
            self.assertFalse(set(names) & {row["name"] for row in found.parameters})

    def check_numbers(self):
        """A network that returns x + 0.5 and x / 2 makes f64 of integers in a run in f64, f32 in any other."""
        given = {"x": np.array([1, 2], np.int32)}
        for f64, dtype in ((True, np.float64), (False, np.float32)):
            found = self.forward(given, f64=f64).tensors
            self.assertEqual({name: found[name].tolist() for name in ("output:0", "output:1")}, {"output:0": [1.5, 2.5], "output:1": [0.5, 1]})
            self.assertEqual({found[name].dtype.type for name in ("output:0", "output:1")}, {dtype})

    def gradients(self, f64=False):
        targets = self.file()
        self.ask("targets", to=targets)
        return self.written("gradients", inputs=self.given(), targets=targets, f64=f64, training=False)


class Written:
    """A trace that a worker wrote."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            rows = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        self.metadata = rows["__metadata__"]
        self.header = json.loads(self.metadata["parity.trace"])
        self.tensors = {name: held.value for name, held in read(path).items()}
        self.parameters = json.loads(self.metadata.get("parameters", "[]"))

    def inputs(self, name):
        return self.header["tensors"][name]["inputs"]


def near(a, b, limit):
    """Whether arrays are as near as `limit` of the larger one's largest element."""
    return np.shape(a) == np.shape(b) and np.max(np.abs(a - b)) <= limit * max(np.max(np.abs(b)), 1e-30)


def small():
    """What the small network computes in f64, by numpy alone."""
    import small

    w = {name: value.astype(np.float64) for name, value in small.values().items()}
    x = small.image().astype(np.float64)

    def conv(x, kernel, groups):
        if groups > 1:
            return np.einsum("nchwij,cij->nchw", windows(x, 0, 1), kernel[:, 0])
        return np.einsum("nchwij,ocij->nohw", windows(x, 0, 1), kernel)

    def column(v):
        return v[:, None, None]

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x, name, mean, var):
        scale = w[f"{name}.weight"] / np.sqrt(var + small.EPS)
        return (x - column(mean)) * column(scale) + column(w[f"{name}.bias"])

    def windows(x, pad, stride):
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=pad)
        return np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::stride, ::stride]

    def thumb(x):
        parts = [slice(i * 6 // 4, -(-(i + 1) * 6 // 4)) for i in range(4)]
        return np.array([[x[:, :, i, j].mean((2, 3)) for j in parts] for i in parts]).transpose(2, 3, 0, 1)

    def grow(x):
        at = np.maximum((np.arange(6) + 0.5) / 1.625 - 0.5, 0)
        low = at.astype(int)
        high, share = np.minimum(low + 1, 3), at - low
        x = x[:, :, low] * (1 - share)[:, None] + x[:, :, high] * share[:, None]
        return x[..., low] * (1 - share) + x[..., high] * share

    y = norm(x, "level", x.mean((0, 2, 3)), x.var((0, 2, 3)))
    y = norm(conv(y, w["stem.weight"], 1), "norm", w["norm.running_mean"], w["norm.running_var"])
    y = y / (1 + np.exp(-y))
    z = conv(y, w["deep.weight"], 8) + column(w["deep.bias"])
    z = z * (1 + np.vectorize(math.erf)(z / 2**0.5)) / 2
    y = y + windows(z, 0, 2).mean((4, 5)).repeat(2, 2).repeat(2, 3)
    y = np.nanmean(windows(grow(thumb(y)), np.nan, 1), (4, 5))
    tokens = y.reshape(*y.shape[:2], -1).transpose(0, 2, 1)
    attention = linear(tokens, "query") @ linear(tokens, "key").transpose(0, 2, 1) / 8**0.5
    attention = np.exp(attention - attention.max(-1, keepdims=True))
    attention /= attention.sum(-1, keepdims=True)
    seen = attention @ linear(tokens, "value")
    scores = linear(seen.mean(1) + seen.var(1, ddof=1), "head")
    which = np.argsort(-scores)[:, :2]
    found = {"scores": scores, "map": y, "best": np.take_along_axis(scores, which, 1), "which": which, "bin": np.round(which + 0.5), "side": (which - 3) // 2}
    return {f"output:{name}": value for name, value in found.items()}
