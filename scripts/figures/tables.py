"""The figures that an entry of the night prints. docs/CONFORMANCE.md, OPERATORS.md, PEERS.md and the README's picture have tests of their own."""

import re

from . import Figures, rows

FUZZ = "PARITY_FUZZ_CASES=2000 PARITY_FUZZ_SINGLE=20 PARITY_SEED=1 scripts/nightly.d/80-fuzz"


def models(page: str) -> dict:
    """docs/MODELS.md has scenarios of one kind in one row."""
    row = re.compile(r"^\| (`.*?) \|.*?\| (\d[\d, ]*) \|", re.MULTILINE)
    pairs = (zip(re.findall(r"`(\w+)`", names), counts.split(", ")) for names, counts in row.findall(page))
    return {name: count for row in pairs for name, count in row}


# Where a family is nearest to its bound, and how near, is a matter of the processor; so is which tensors wait for a measured floor.
calibration = rows(r"^\| (?P<name>\w+) +\| (\d+) +\|.*\([A-Z]\w+\) +\|$")
cases = rows(r"^agree: (?P<name>\w+) \((\d+ of \d+ cases compared), \d+ numbers, \d+ tie flips, (\d+ rows on a kink), \d+ relations\)$")
# Which owner wins where two scores are nearly equal is a matter of last digits, and behind it nothing is counted: kernels without owners only.
numbers = rows(r"^agree: (?P<name>(?!atss|gold_yolo|task_aligned|v8_)\w+) \(.*, (\d+ numbers), 0 tie flips, .*, (\d+ relations)\)$")
planted = rows(r"^ +(\d+) +(\d+)  (?P<name>\w+ \S+)$")
memory = rows(r"^\| (?P<name>\w+).*? \| ([\d.]+ [MG]iB) \| [\d.]+ [MG]iB \|")
# What each tool names of the wrong ports that the entry tries, of all that the page has; seconds are left out.
others = rows(r"^\| `(?P<name>(?:clean|eps|pad_side)(?:-\w+)?)` \| (.*) \| [\d./ ]+ \|$")
real = rows(r"^scenarios/real/(?P<name>\w+)\.toml seed 0: coverage +\d+ of (\d+) tensors")

ALL = (
    Figures("docs/FLOORS.md", "scripts/nightly.d/26-selftest", "26-selftest", calibration, calibration),
    Figures("docs/MODELS.md", "PARITY_REAL_SEEDS=1 scripts/nightly.d/22-real", "22-real", models, real),
    Figures("docs/MEMORY.md", "scripts/bench_memory", "30-benches", memory, memory),
    Figures("docs/OTHERS.md", "scripts/nightly.d/42-others", "42-others", others, others),
    Figures("docs/FUZZ.md", FUZZ, "", cases, cases),
    Figures("docs/FUZZ.md", FUZZ, "", numbers, numbers),
    Figures("docs/FUZZ.md", FUZZ, "", planted, planted),
)
