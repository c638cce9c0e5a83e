"""What the fetching scripts say: lines on stderr, a progress meter on a terminal, one error type."""

from __future__ import annotations

import os
import sys
import time


class Refused(Exception):
    """The work cannot go on; the message names the thing, the fact and the next step."""


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def run(main, name: str) -> int:
    """Runs a script's `main`; 3 means that it could not be done, as in the exit codes of parity."""
    try:
        main()
        return 0
    except Refused as refusal:
        say(f"{name}: {refusal}")
        return 3
    except OSError as error:
        say(f"{name}: {error.filename or 'input or output'}: {error.strerror or error}")
        return 3
    except KeyboardInterrupt:
        say(f"{name}: stopped; run it again to go on from here")
        return 130


class Meter:
    """One line per download, redrawn while it runs if stderr is a terminal and this is not CI."""

    def __init__(self, title: str, size: int, done: int):
        self.title, self.size, self.done, self.start = title, size, done, done
        self.began = self.drawn = time.monotonic()
        self.live = sys.stderr.isatty() and not os.environ.get("CI")
        note = f", {megabytes(done)} of them here already" if done else ""
        say(f"{title}: fetching {megabytes(size)}{note}")

    def add(self, count: int) -> None:
        self.done += count
        now = time.monotonic()
        if self.live and (now - self.drawn > 0.2 or self.done >= self.size):
            self.drawn = now
            self.draw(now)

    def draw(self, now: float) -> None:
        speed = (self.done - self.start) / max(now - self.began, 1e-3)
        percent = 100 * self.done // self.size
        line = f"  {megabytes(self.done)} of {megabytes(self.size)}, {percent} %, {megabytes(int(speed))}/s"
        end = "\n" if self.done >= self.size else ""
        sys.stderr.write(f"\r{line:<60}{end}")
        sys.stderr.flush()
