"""What a tool says of a wrong port, and the one rule that judges it: no verdict is typed."""

from typing import NamedTuple, Optional

#: Of these each is a miss; what is no miss may still be less than the culprit.
MISSES = ("other place", "output only", "nothing", "false alarm", "could not run")


class Said(NamedTuple):
    """What a tool says first. A module is its path; the model itself is ''."""

    differs: bool
    #: The module that it names first, then the others among which the mistake is said to be; none where it names outputs only.
    modules: tuple = ()
    #: It says that the mistake is made before the first of them, in the code between modules.
    in_front: bool = False


def verdict(said: Optional[Said], culprit: Optional[str]) -> str:
    """`culprit` is the module that is no longer the same, None where none is."""
    if said is None:
        return "could not run"
    if not said.differs:
        return "agrees" if culprit is None else "nothing"
    if culprit is None:
        return "false alarm"
    return placed(said, culprit) if said.modules else "output only"


def placed(said: Said, culprit: str) -> str:
    first = said.modules[0]
    if first == culprit:
        return "culprit"
    if culprit in said.modules:
        return f"among {len(said.modules)}"
    # Everything is a part of the model itself: that is no place.
    if said.in_front and (not culprit or first.startswith(f"{culprit}.")):
        return "in front"
    return "a part" if culprit and first.startswith(f"{culprit}.") else "other place"


def lines(path) -> int:
    """Lines of code: neither empty, nor a comment, nor the docstring of one line that a file begins with."""
    text = [line.strip() for line in path.read_text().splitlines()]
    return sum(bool(line) and not line.startswith(("#", '"""')) for line in text)
