"""Commands with what they must say: who tries many, two at a time, prints those that say something else and how many passed."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
#: Seconds that one command may take.
LIMIT = 180


class Trial(NamedTuple):
    what: str
    code: int
    #: A pattern that is found in what it prints; lines begin and end it.
    words: str
    command: list


def passed(name: str, trials: list) -> bool:
    """Whether there are any and all of them say what they must."""
    with ThreadPoolExecutor(2) as pool:
        wrong = [found for found in pool.map(lambda trial: tried(*trial), trials) if found]
    print(*wrong, f"{name}: {len(trials) - len(wrong)} passed, {len(wrong)} failed", sep="\n")
    return bool(trials) and not wrong


def tried(what: str, code: int, words: str, command: list) -> str:
    """What is not as expected, or nothing."""
    try:
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"{what}: took longer than {LIMIT} s"
    if done.returncode == code and re.search(words, done.stdout, re.MULTILINE):
        return ""
    return f"{what}: not as expected, exit {done.returncode}\n{done.stdout[-3000:]}"
