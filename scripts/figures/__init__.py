"""Figures of the documents, held against what the command that prints them says now.

What a clock or a processor decides (times, memory in use, the last digits of an error) is read by nobody here; everything else must be equal.
"""

import re
from dataclasses import dataclass
from typing import Callable


@dataclass
class Figures:
    """One table: where it stands, who prints it, and the nightly entry whose log has it, too."""

    page: str
    command: str
    entry: str
    # Row by row: what the page says, and what the command prints.
    shown: Callable[[str], dict]
    printed: Callable[[str], dict]


def rows(pattern: str) -> Callable[[str], dict]:
    """Reads every line of that form: the group `name`, then the figures; of several lines of one name the first counts."""
    line = re.compile(pattern, re.MULTILINE)

    def read(text: str) -> dict:
        found = {}
        for match in line.finditer(text):
            figures = [match[i] for i in range(1, line.groups + 1) if i != line.groupindex["name"]]
            found.setdefault(match["name"], " ".join(figures))
        return found

    return read


def differences(figures: Figures, page: str, output: str) -> list:
    """What the page has otherwise; no row at all is a difference, too."""
    shown, printed = figures.shown(page), figures.printed(output)
    names = [*printed, *(name for name in shown if name not in printed)]
    found = [(name, shown.get(name, "no row"), printed.get(name, "no row")) for name in names]
    wrong = [f"{figures.page}: {name}: {old} on the page, {new} printed" for name, old, new in found if old != new]
    return wrong if names else [f"{figures.page}: no figure is shown, and none printed by {figures.command}"]
