"""Tests of `Trace`, the trace format for numpy and anything else; skipped where numpy is not installed."""

import hashlib
import json
import os
import struct
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import numpy as np
except ImportError:
    raise unittest.SkipTest("numpy is not installed; scripts/nightly.d/52-recorder runs these tests with it") from None

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "parity_port"))

from parity_port import Entry, Trace, digest  # noqa: E402


class Traced(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "new" / "t.safetensors"

    def read(self):
        """The file taken apart by hand: header, told, and the bytes of each tensor."""
        data = self.path.read_bytes()
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        metadata = header.pop("__metadata__")
        held = {name: data[8 + size :][slice(*row["data_offsets"])] for name, row in header.items()}
        return header, metadata, held

    def test_what_is_written_is_a_safetensors_file_with_a_header(self):
        x = np.arange(6, dtype=">f4").reshape(2, 3).T
        with Trace(self.path, "a port", "python port.py") as trace:
            trace.fed("x", x)
            trace.fed("digest only", x, values=False)
            trace.add("half", np.array([1, 2], np.int16), Entry("half", "Cast", ("x",), "port.py:7"), dtype="bf16")
            trace.parameter("w", np.float64(0.5))
            trace.seed = 7
        header, metadata, held = self.read()
        told = json.loads(metadata["parity.trace"])
        self.assertEqual(header["x"]["shape"], [3, 2])
        self.assertEqual(held["x"], struct.pack("<6f", 0, 3, 1, 4, 2, 5), "row-major and little-endian")
        self.assertEqual((header["half"]["dtype"], header["parameter.w"]["shape"]), ("BF16", []))
        self.assertEqual(list(told["tensors"]), ["x", "half"])
        self.assertEqual(told["tensors"]["half"], {"node": "half", "op": "Cast", "inputs": ["x"], "at": "port.py:7"})
        self.assertEqual((told["subject"], told["command"], told["seed"], told["format"]), ("a port", "python port.py", 7, 2))
        self.assertEqual(told["inputs"], dict.fromkeys(("x", "digest only"), digest(np.ascontiguousarray(x, "<f4"))))

    def test_a_digest_is_what_the_document_says(self):
        wanted = hashlib.sha256(b"f32 [2, 1] " + struct.pack("<2f", 1, 2)).hexdigest()
        self.assertEqual(digest(np.array([[1], [2]], np.float32)), wanted)
        self.assertEqual(digest(np.float64(1)), hashlib.sha256(b"f64 [] " + struct.pack("<d", 1)).hexdigest())

    def test_a_failure_leaves_the_older_trace_and_nothing_beside(self):
        with Trace(self.path, "first") as trace:
            trace.add("x", np.zeros(2, np.float32))
        before = self.path.read_bytes()
        with self.assertRaisesRegex(ValueError, "complex64 cannot be traced; known are float64"):
            with Trace(self.path, "second") as trace:
                trace.add("x", np.ones(2, np.float32))
                trace.add("y", np.ones(2, np.complex64))
        self.assertEqual((self.path.read_bytes(), os.listdir(self.path.parent)), (before, [self.path.name]))

    def test_a_name_is_taken_once(self):
        with self.assertRaisesRegex(ValueError, "'x' was added before.*'x#2'"):
            with Trace(self.path, "port") as trace:
                trace.add("x", np.zeros(0, np.float32))
                trace.add("x", np.zeros(0, np.float32))

    def test_the_command_is_the_one_that_was_typed(self):
        with Trace(self.path, "port") as trace:
            self.assertIn(os.path.basename(sys.orig_argv[0]), trace.command)


if __name__ == "__main__":
    unittest.main()
