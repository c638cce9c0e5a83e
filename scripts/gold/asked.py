"""Asks parity about the two ports: live, side by side, and of what was recorded of them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLD = ROOT / "tests/fixtures/gold"
PORTS = {"torch": (GOLD / "torch/net.py", ROOT / ".native/pytorch/bin/python"), "jittor": (GOLD / "jittor/port.py", ROOT / ".native/ports/jittor/python")}
#: Seconds of one answer: Jittor compiles each operator once.
LIMIT = 900
#: A thread each: two workers and parity on two cores wait for each other otherwise, and a step of PyTorch takes 50 times as long.
THREADS = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
#: How far recordings may be off, and why.
BOUNDS = {
    "assign": ("1e-6", "1e-4", "f32, of the same outputs; a metric is to the power 6"),
    "loss": ("1e-9", "1e-6", "both compute in f64"),
    "gradients": ("1e-9", "1e-6", "both compute in f64"),
    "recorded": ("1e-9", "1e-6", "both compute in f64"),
}
#: What both frameworks call alike; what lies between has other names in the other one.
NAMED_ALIKE = {
    "gradients": ("grad.*.weight", "grad.*.bias"),
    "recorded": ("*.conv", "*.bn", "*.softmax()", "*.interpolate()", "output:*"),
}
STEPS = {"steps": 1, "train": 10}


def found(check: str, environment: dict, folder: Path) -> tuple[int, str]:
    """Exit code and words of parity."""
    if check == "run":
        return beside([PORTS["torch"][0], PORTS["jittor"][0]], environment)
    if check in STEPS:
        return trained(STEPS[check], environment, folder)
    what = "parameters" if check == "fresh" else check
    environment |= {"GOLD_FRESH": "1"} if check == "fresh" else {}
    traces = [written(who, what, environment, folder / ("fresh" if check == "fresh" else environment.get("GOLD_SIZE", "given"))) for who in PORTS]
    if what == "parameters":
        return parity("params", *traces, *(["--fresh"] if check == "fresh" else []))
    only = [word for pattern in NAMED_ALIKE.get(check, ()) for word in ("--only", pattern)]
    atol, rtol, why = BOUNDS[check]
    return parity("compare", *traces, *only, "--atol", atol, "--rtol", rtol, "--why", why)


def beside(sides: list, environment: dict) -> tuple[int, str]:
    pythons = [word for _, python in PORTS.values() for word in ("--python", python)]
    return parity("run", *sides, *pythons, "--port-limit", LIMIT, **environment)


def trained(steps: int, environment: dict, folder: Path) -> tuple[int, str]:
    """Steps of training of both, in lock-step and free, and in numbers how far the loss fell."""
    scenario, report = folder / f"train-{steps}.toml", folder / f"train-{steps}.json"
    reference, candidate = (json.dumps(str(port)) for port, _ in PORTS.values())
    lines = ["format = 1", f"model = {reference}", 'stages = ["train"]', "[second]", f"model = {candidate}", "[train]", f"steps = {steps}", ""]
    scenario.write_text("\n".join(lines))
    code, said = beside([scenario, "--report", f"json={report}"], environment)
    return code, said + fallen(json.loads(report.read_text())) if report.exists() else said


def fallen(run: dict) -> str:
    rows = run["stages"]["train"]["steps"]
    first, last = ({loss["term"]: loss["reference"] for loss in row["losses"]} for row in (rows[0], rows[-1]))
    moved, all_of_them = run["stages"]["train"]["trained"]
    fall = 100 * (1 - last["total"] / first["total"])
    return f"\nthe reference's total falls by {fall:.1f} % in {len(rows)} steps, {moved} of {all_of_them} parameters move\n"


def written(who: str, what: str, environment: dict, folder: Path) -> Path:
    """The trace of a port; the reference's is written once."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{who}-{what}.safetensors"
    if who == "torch" and path.exists():
        return path
    port, python = PORTS[who]
    told = {**os.environ, **THREADS, **environment, "PYTHONPATH": str(ROOT / "scripts/parity_port")}
    command = [python, ROOT / "tests/fixtures/live/recorded.py", port, folder, who, what]
    subprocess.run(command, check=True, env=told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIMIT)
    return path


def parity(*words, **environment) -> tuple[int, str]:
    command = [os.environ.get("PARITY", ROOT / "scripts/parity"), *map(str, words)]
    told = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **THREADS, **environment}, **told)
    return done.returncode, done.stdout
