"""Shares a sweep out over a Ray cluster: each part of it is a task, and one whose worker dies is run again elsewhere.

    python scripts/ray_sweep.py test scenarios/control --parts 8 --report junit=target/junit.xml
    python scripts/ray_sweep.py fuzz giou_yolov6 --cases 20000 --parts 8
    python scripts/ray_sweep.py selftest scenarios/real/magika.toml --parts 8

All words but `--parts`, `--address`, `--parity`, `--retries` and `--report` are `parity`'s own: a task runs them with `--partition I/N`, in the checkout that every node has, and gives its
JSON back through the object store; a folder that all nodes share is needed only for what a command itself writes. A suite is merged by `parity merge`, which says what is lost; the others are printed part by part,
and the worst exit code is the sweep's. `--address` is a cluster's (Ray's own default otherwise: one on this machine).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
#: The worst first: a divergence before all else, then what could not run, then what nobody judged (README, exit codes).
WORST = (1, 3, 2, 130, 4, 0)
#: A part nobody reports is not passed.
LOST = 4


class Said(NamedTuple):
    """What a part came to: its exit code, what it printed, where and how long it ran."""

    part: int
    code: int
    out: str
    err: str
    node: str
    process: int
    seconds: float


def part(words: list, index: int, parts: int, parity: str) -> Said:
    """Runs one part, on whatever node Ray chose. A program that a signal ended is Ray's to run again: it says nothing of the scenarios."""
    begin = time.monotonic()
    command = [parity, *words, "--partition", f"{index}/{parts}", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode < 0:
        raise RuntimeError(f"part {index} of {parts} was ended by signal {-done.returncode}")
    return Said(index, done.returncode, done.stdout, done.stderr, os.uname().nodename, os.getpid(), time.monotonic() - begin)


def sweep(words: list, parts: int, parity: str, retries: int) -> list:
    """Every part's answer, in their order; None where a part is lost whatever was tried."""
    import ray

    task = ray.remote(num_cpus=1, max_retries=retries, retry_exceptions=[RuntimeError])(part)
    waiting = {task.remote(words, index, parts, parity): index for index in range(1, parts + 1)}
    answers = dict.fromkeys(range(1, parts + 1))
    while waiting:
        [ready], _ = ray.wait(list(waiting), num_returns=1)
        index = waiting.pop(ready)
        try:
            answers[index] = ray.get(ready)
        except ray.exceptions.RayError as error:
            print(f"sweep: part {index} of {parts} is lost: {str(error).strip().splitlines()[-1]}", file=sys.stderr)
        else:
            said = answers[index]
            print(f"sweep: part {index} of {parts}: exit {said.code}, {said.seconds:.1f} s, process {said.process} on {said.node}", file=sys.stderr)
    return list(answers.values())


def merged(answers: list, parity: str, reports: list) -> int:
    """The parts of a suite as one: `parity merge` knows what each had to report."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for said in filter(None, answers):
            files.append(Path(folder, f"part-{said.part}.json"))
            files[-1].write_text(said.out)
        if not files:
            return LOST
        words = [word for report in reports for word in ("--report", report)]
        return subprocess.run([parity, "merge", *files, *words], cwd=ROOT).returncode


def printed(answers: list) -> int:
    """Answers that are no suite: each as it is, one JSON value a line."""
    for said in filter(None, answers):
        print(json.dumps({"part": said.part, "exit": said.code, "said": json.loads(said.out) if said.out.strip() else None}))
    codes = [said.code if said else LOST for said in answers]
    return min(codes, key=lambda code: WORST.index(code) if code in WORST else 0)


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--parts", type=int, required=True, help="into how many tasks")
    words.add_argument("--address", help="a running cluster; else Ray starts one on this machine, or takes RAY_ADDRESS")
    words.add_argument("--parity", default=str(ROOT / "scripts/parity"), help="the program on every node")
    words.add_argument("--retries", type=int, default=3, help="how often a part whose worker died is run again")
    words.add_argument("--report", action="append", default=[], metavar="NAME=FILE", help="of the merged suite")
    asked, own = words.parse_known_args()
    if asked.parts < 1 or not own or own[0] not in ("test", "fuzz", "selftest"):
        words.error("name test, fuzz or selftest with its words, and one part or more")
    import ray

    ray.init(address=asked.address, log_to_driver=False)
    answers = sweep(own, asked.parts, asked.parity, asked.retries)
    return merged(answers, asked.parity, asked.report) if own[0] == "test" else printed(answers)


if __name__ == "__main__":
    sys.exit(main())
