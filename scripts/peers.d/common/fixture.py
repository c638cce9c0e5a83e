"""What is written: `cases.safetensors`, one file of outputs per peer and kernel, one manifest per peer."""

import json
import platform
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from . import cases

FOLDER = Path(__file__).resolve().parents[3] / "tests/fixtures/peers"
FOLDER_VARIABLE = "PARITY_PEERS_OUT"


class Fixture:
    """The files of one peer."""

    def __init__(self, peer, folder, versions, stubs, precision):
        self.peer, self.folder = peer, Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.kernels = {}
        self.about = dict(
            peer=peer,
            command=f"scripts/peers {peer}",
            seed=cases.SEED,
            versions={"python": platform.python_version(), **versions},
            stubs=stubs,
            precision=precision,
        )

    def write(self, kernel, tensors, kinds, **facts):
        """`tensors` by name; `kinds` the edge class of every case, in order."""
        arrays = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
        save(arrays, self.folder / f"{self.peer}-{kernel}.safetensors")
        self.kernels[kernel] = dict(cases=len(kinds), edges=sorted(set(kinds)), **facts)
        print(f"{self.peer} {kernel}: {len(kinds)} cases")

    def close(self):
        text = json.dumps({**self.about, "kernels": self.kernels}, indent=1, sort_keys=True)
        (self.folder / f"{self.peer}.json").write_text(text + "\n")


def save(arrays, path):
    save_file(arrays, path)
    path.chmod(0o644)


def write_cases(folder):
    """The inputs of all peers."""
    out = {}
    for name in ("fine", "wide"):
        for i, case in enumerate(cases.images(name)):
            images, rows, anchors = len(case.counts), len(case.boxes[0]), len(case.points)
            part = {
                "size": np.array(case.size, np.int16),
                "counts": np.array(case.counts, np.int16),
                "labels": np.array(case.labels, np.int16).reshape(images, rows),
                "boxes": np.array(case.boxes, np.float64).reshape(images, rows, 4),
                "score": np.array(case.score, np.uint8).reshape(images, anchors, cases.CLASSES),
                "side": np.array(case.side, np.uint8).reshape(images, anchors, 4),
            }
            if case.bins:
                part["logit"] = np.array(case.logit, np.int8).reshape(images, anchors, cases.CLASSES)
                part["bins"] = np.array(case.bins, np.int8).reshape(images, anchors, 4, cases.BINS)
            out.update({f"{name}.{i:02}.{key}": value for key, value in part.items()})
    kinds, a, b = zip(*cases.pairs())
    out["pairs.a"], out["pairs.b"] = np.array(a, np.float64), np.array(b, np.float64)
    logit, target, positive = zip(*cases.elements())
    out["elements.logit"], out["elements.target"] = np.array(logit, np.float64), np.array(target, np.float64)
    out["elements.positive"] = np.array(positive, np.uint8)
    bins, target = zip(*cases.distributions())
    out["distributions.logit"], out["distributions.target"] = np.array(bins, np.float64), np.array(target, np.float64)
    Path(folder).mkdir(parents=True, exist_ok=True)
    save(out, Path(folder) / "cases.safetensors")
    names = {name: [case.kind for case in cases.images(name)] for name in ("fine", "wide")}
    names["pairs"] = list(kinds)
    (Path(folder) / "cases.json").write_text(json.dumps(names, indent=1) + "\n")
