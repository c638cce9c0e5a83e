"""Tests of scripts/peers: its comparison of two recordings, and its cases."""

import json
import struct
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path.append(str(SCRIPTS / "peers.d"))

from common import cases, compare  # noqa: E402


def safetensors(path, real, whole):
    """A file with one tensor of each kind."""
    data = struct.pack(f"<{len(real)}d", *real) + struct.pack(f"<{len(whole)}b", *whole)
    end = 8 * len(real)
    header = {
        "real": dict(dtype="F64", shape=[len(real)], data_offsets=[0, end]),
        "whole": dict(dtype="I8", shape=[len(whole)], data_offsets=[end, end + len(whole)]),
    }
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


class Comparison(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def differences(self, real, whole):
        nan = float("nan")
        committed = safetensors(self.folder / "old.safetensors", [1.0, -2e9, nan], [1, -1])
        return compare.files(committed, safetensors(self.folder / "new.safetensors", real, whole))

    def test_rounding_is_no_difference(self):
        self.assertEqual(self.differences([1.0 + 5e-13, -2e9 * (1 + 5e-13), float("nan")], [1, -1]), [])

    def test_a_real_number_beyond_rounding_is_named(self):
        self.assertEqual(self.differences([1.0 + 1e-11, -2e9, float("nan")], [1, -1]), [f"new.safetensors: real[0]: 1.0 committed, {1.0 + 1e-11!r} now"])
        self.assertEqual(len(self.differences([1.0, -2e9, 0.0], [1, -1])), 1)

    def test_a_whole_number_must_be_equal(self):
        self.assertEqual(self.differences([1.0, -2e9, float("nan")], [1, 0]), ["new.safetensors: whole[1]: -1 committed, 0 now"])

    def test_another_shape_is_a_difference(self):
        self.assertIn("committed", self.differences([1.0], [1, -1])[0])

    def test_a_file_that_is_not_committed_is_a_difference(self):
        new = safetensors(self.folder / "new.safetensors", [1.0], [1])
        self.assertEqual(compare.files(self.folder / "none.safetensors", new), ["new.safetensors: not committed"])

    def test_manifests_may_differ_in_python_and_numpy_only(self):
        old, new = self.folder / "old.json", self.folder / "new.json"
        old.write_text(json.dumps(dict(versions=dict(python="3.11", torch="2"))))
        new.write_text(json.dumps(dict(versions=dict(python="3.12", torch="2"))))
        self.assertEqual(compare.files(old, new), [])
        new.write_text(json.dumps(dict(versions=dict(python="3.12", torch="3"))))
        self.assertEqual(compare.files(old, new), ["new.json: other words"])


class Cases(unittest.TestCase):
    def test_every_set_has_fifty_cases_and_all_kinds(self):
        for name in ("fine", "wide"):
            made = cases.images(name)
            self.assertGreaterEqual(len(made), 50)
            self.assertEqual({case.kind for case in made}, set(cases.KINDS))

    def test_a_crowd_has_a_hundred_objects_and_every_coordinate_is_a_sixteenth(self):
        for case in cases.images("fine"):
            if case.kind.startswith("crowd"):
                self.assertGreaterEqual(case.counts[0], 100)
            for value in (v for image in case.boxes for box in image for v in box):
                self.assertEqual(value * 16, int(value * 16))

    def test_the_cases_are_the_committed_ones(self):
        names = json.loads((SCRIPTS.parent / "tests/fixtures/peers/cases.json").read_text())
        for name in ("fine", "wide"):
            self.assertEqual(names[name], [case.kind for case in cases.images(name)])


if __name__ == "__main__":
    unittest.main()
