"""What the fetching scripts say: lines on stderr, one error type."""

from __future__ import annotations

import sys


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
        say(f"{name}: stopped; run it again to finish")
        return 130
