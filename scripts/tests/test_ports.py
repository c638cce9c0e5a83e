"""Tests of scripts/setup_ports: each environment is pinned to the last package, and what is no environment is refused before anything is installed."""

import re
import subprocess
import sys
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
PARTS = SCRIPTS / "ports.d"


class Ports(unittest.TestCase):
    def test_every_package_has_a_version_and_a_hash(self):
        pinned = sorted(PARTS.glob("*.txt"))
        self.assertEqual([path.stem for path in pinned], ["jax", "jittor", "mlx", "paddle"])
        for path in pinned:
            text = "".join(line for line in path.read_text().splitlines(True) if not line.startswith("#"))
            for package in text.replace("\\\n", " ").splitlines():
                self.assertRegex(package, r"^[\w.-]+==\S+( +--hash=sha256:[0-9a-f]{64})+$", path.name)
            self.assertTrue((PARTS / f"{path.stem}_computes.py").is_file(), path.name)

    def test_numpy_for_jittor_is_older_than_2(self):
        (version,) = re.findall(r"^numpy==(\d+)", (PARTS / "jittor.txt").read_text(), re.MULTILINE)
        self.assertLess(int(version), 2)

    def test_an_unknown_environment_is_refused(self):
        done = subprocess.run([sys.executable, SCRIPTS / "setup_ports", "mlx", "caffe"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 3)
        self.assertIn("There is no 'caffe'; there are mlx, jax, paddle, jittor", done.stderr)


if __name__ == "__main__":
    unittest.main()
