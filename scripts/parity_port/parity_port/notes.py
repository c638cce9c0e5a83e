"""What a user's own code says of its values while it is recorded: names, and the steps of a loss. Otherwise both return what they are given."""

from __future__ import annotations

#: Recorders at work, the innermost last.
AT_WORK: list = []
#: What a step of a loss computes; `value` is the term itself.
STEPS = ("per_element", "weight", "product", "sum", "normaliser", "value")


def named(name: str, value):
    """Records `value`, a tensor or a tuple or dict of some, under `name`."""
    if AT_WORK:
        AT_WORK[-1].named(name, value)
    return value


def step(term: str, kind: str, value):
    """Records a step of the loss `term`: as `loss.TERM.KIND`, its value as `loss.TERM`."""
    if kind not in STEPS:
        raise ValueError(f"step '{kind}' of loss '{term}' is none; known are {', '.join(STEPS)}")
    if AT_WORK:
        AT_WORK[-1].step(term, kind, value)
    return value
