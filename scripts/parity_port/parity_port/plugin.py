"""pytest: `def test_port(parity): parity.run("x.toml")`: a scenario is a test, and fails with the verdict as its message.

Which executable: `--parity PATH`, else PARITY, else `parity` on PATH, else the one beside this Python.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass
class Ran:
    """What a command came to: the exit code, what it printed, and the Run where there is one."""

    code: int
    text: str
    run: dict = field(default_factory=dict)

    @property
    def findings(self) -> list[dict]:
        return self.run.get("findings", [])

    @property
    def headline(self) -> str:
        return next((line for line in self.text.splitlines() if line[:1].isupper()), self.text.strip().partition("\n")[0])


class Parity:
    """Runs parity in a folder, that of the test's file."""

    def __init__(self, executable: str, folder: Path) -> None:
        self.executable = executable
        self.folder = folder

    def run(self, *sides: str | os.PathLike, options: tuple[str, ...] = (), limit: float = 600) -> Ran:
        """Runs a scenario, or two sides, relative to the test's folder; fails the test unless parity exits with 0."""
        __tracebackhide__ = True
        ran = self.ask(*sides, options=options, limit=limit)
        if ran.code != 0:
            pytest.fail(f"parity {' '.join(map(str, sides))}: exit {ran.code}\n{ran.text}", pytrace=False)
        return ran

    def ask(self, *sides: str | os.PathLike, options: tuple[str, ...] = (), limit: float = 600) -> Ran:
        """The same without a judgement: for a test that expects a divergence."""
        __tracebackhide__ = True
        with tempfile.TemporaryDirectory() as folder:
            saved = Path(folder, "run.json")
            words = [self.executable, "run", *map(str, sides), *options, "--report", f"json={saved}"]
            try:
                done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=limit, stdin=subprocess.DEVNULL)
            except subprocess.TimeoutExpired:
                pytest.fail(f"parity {' '.join(map(str, sides))}: no verdict in {limit:g} s", pytrace=False)
            run = json.loads(saved.read_text()) if saved.exists() else {}
        return Ran(done.returncode, done.stdout + done.stderr, run)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("parity").addoption("--parity", metavar="PATH", help="the executable of parity; PARITY, or `parity` on PATH, where not stated")


def found(stated: str | None) -> str | None:
    """The executable, where there is one."""
    beside = Path(sys.executable).with_name("parity")
    candidates = (stated, os.environ.get("PARITY"), shutil.which("parity"), str(beside) if beside.exists() else None)
    return next((shutil.which(c) or c for c in candidates if c), None)


@pytest.fixture
def parity(request: pytest.FixtureRequest) -> Parity:
    """parity, in the folder of the test's file; a test that needs it fails where it is not there: what was not run has not passed."""
    executable = found(request.config.getoption("--parity"))
    if executable is None:
        pytest.fail("parity is not on PATH: name it by --parity PATH or in PARITY", pytrace=False)
    return Parity(str(Path(executable).absolute()) if os.sep in executable else executable, request.path.parent)
