"""The pytest plug-in under real pytest: a scenario that agrees passes, one that diverges fails with its verdict, and one that could not run is no pass."""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PARITY = os.environ.get("PARITY", str(ROOT / "scripts/parity"))
#: Where the package is installed pytest finds the plug-in by itself.
INSTALLED = any(entry.name == "parity" for entry in importlib.metadata.entry_points(group="pytest11"))

TESTS = '''
def test_right(parity):
    ran = parity.run("right.toml")
    assert ran.run["verdict"]["outcome"] == "agree" and ran.headline.startswith("AGREE")

def test_wrong(parity):
    parity.run("wrong.toml")

def test_expected(parity):
    ran = parity.ask("wrong.toml")
    assert ran.code == 1 and ran.findings

def test_gone(parity):
    parity.run("gone.toml")

def test_seeded(parity):
    parity.run("right.toml", options=("--seed", "3"))
'''


@unittest.skipUnless(importlib.util.find_spec("pytest"), "pytest is not installed in this Python: pip install pytest")
class Plugin(unittest.TestCase):
    def ran(self, *options: str, **environment: str) -> tuple[str, dict[str, str]]:
        """What pytest says, and the outcome of each test."""
        with tempfile.TemporaryDirectory() as folder:
            for name, candidate in (("right", "[2, 3]"), ("wrong", "[2, 4]")):
                lists = f"reference = 'a.json'\ncandidate = '{name}.json'\n"
                Path(folder, f"{name}.toml").write_text(f"format = 1\n[parameters]\n{lists}")
                Path(folder, f"{name}.json").write_text(f'{{"a": {candidate}}}')
            Path(folder, "a.json").write_text('{"a": [2, 3]}')
            Path(folder, "test_port.py").write_text(TESTS)
            environment = {**os.environ, **environment}
            words = [sys.executable, "-B", "-m", "pytest", "-rA", "--tb=short", "-p", "no:cacheprovider", *options]
            if not INSTALLED:
                environment["PYTHONPATH"] = str(ROOT / "scripts/parity_port")
                words += ["-p", "parity_port.plugin"]
            done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
            text = done.stdout + done.stderr
            lines = [line.split() for line in text.splitlines() if line.startswith(("PASSED ", "FAILED ", "ERROR "))]
            return text, {line[1].rpartition("::")[2]: line[0] for line in lines}

    def test_a_scenario_is_a_test(self):
        text, outcomes = self.ran("--parity", PARITY)
        expected = {"test_right": "PASSED", "test_wrong": "FAILED", "test_expected": "PASSED", "test_gone": "FAILED", "test_seeded": "PASSED"}
        self.assertEqual(outcomes, expected, text)
        self.assertIn("DIVERGE", text)
        self.assertIn("gone.toml", text)
        self.assertIn("exit 2", text)

    def test_without_parity_nothing_passes(self):
        text, outcomes = self.ran(PATH="/nonexistent", PARITY="")
        self.assertEqual((len(outcomes), set(outcomes.values())), (5, {"ERROR"}), text)
        self.assertIn("parity is not on PATH", text)


if __name__ == "__main__":
    unittest.main()
