"""What a port of Gold-YOLO-N may be left careless in (GOLD_CARELESS, tests/fixtures/gold/jittor), of which class each is, and where it is found."""

from __future__ import annotations

import re
from typing import NamedTuple

CLASSES = (
    "structure",
    "initialisation",
    "an operator's default",
    "a gradient",
    "a shape that grows",
    "a target's form",
    "a set of equal count",
    "units and boxes",
    "order and bookkeeping",
)


class Fault(NamedTuple):
    """Its name, the class that it is of, and by each check that finds it (scripts/gold/asked.py) what that says."""

    name: str
    kind: str
    found: dict[str, str]
    #: Whether it is a difference between the frameworks (docs/PORT.md).
    differs: bool = False
    environment: dict[str, str] = {}


def tensor(name: str) -> str:
    """The first that diverges, as `parity run` and as `parity compare` say it."""
    return rf"^(  tensor +|DIVERGE first at tensor )'{re.escape(name)}'"


def both(live: str, recorded: str | None = None) -> dict[str, str]:
    """An activation, by the port's name for it, in a live run and between two recordings of it."""
    return {"run": tensor(live), "recorded": tensor(recorded or live)}


def term(name: str, recorded: str, check: str = "loss") -> dict[str, str]:
    """In the first step of training, and at what is recorded of the loss or the assigner."""
    return {check: tensor(recorded), "steps": rf"in step 1, from the same state, '{re.escape(name)}' is off"}


def of_list(pattern: str) -> dict[str, str]:
    return {"parameters": pattern}


def fresh(name: str, count: str) -> dict[str, str]:
    return {"fresh": rf"{re.escape(name)}: {count} +\| drawn by another rule"}


FAULTS = (
    Fault("depth", "structure", of_list(r"backbone\.stage5\.rep\.1\.\* +\| only in the reference")),
    Fault("bias", "structure", of_list(r"backbone\.sppf\.cv3\.conv\.bias +\| only in the candidate")),
    Fault("scaled", "structure", both("neck.high_ifm.0.attention.softmax()")),
    # Live the two orders are told apart where the gate clips, by name at the first Inject.
    Fault("gate", "structure", both("neck.inject_n4.up.interpolate()", "neck.inject_p4.up.interpolate()")),
    Fault("random_head", "initialisation", fresh("head.cls_preds.*.weight", "3 places")),
    Fault("prior", "initialisation", fresh("head.cls_preds.*.bias", "3 x 20")),
    Fault("gamma", "initialisation", fresh("neck.high_ifm.*.attention.out.bn.weight", "2 x 352")),
    Fault("eps", "an operator's default", both("backbone.stem.bn")),
    Fault("adaptive", "an operator's default", both("neck.low_fam.cat()", "neck.low_ifm.reduce.conv"), True, {"GOLD_SIZE": "100"}),
    Fault("softmax", "an operator's default", both("neck.high_ifm.0.attention.softmax()"), True),
    Fault("biased", "an operator's default", {"steps": r"'value\.backbone\.stem\.bn\.running_var' is off"}, True),
    Fault("detached", "a gradient", term("grad.backbone.stem.conv.weight", "grad.cls.scores")),
    Fault("attached", "a gradient", term("grad.backbone.stem.conv.weight", "grad.iou.scores")),
    Fault("still", "a gradient", term("grad.backbone.stem.conv.weight", "grad.iou.sides")),
    Fault("eval", "a gradient", of_list(r"trainable -5617896;"), True),
    Fault("grown_weight", "a shape that grows", term("loss.iou", "loss.iou.per_element")),
    Fault("grown_shape", "a shape that grows", term("loss.iou", "loss.iou.per_element")),
    Fault("hard", "a target's form", term("loss.iou", "target_scores", "assign")),
    Fault("next_class", "a target's form", term("loss.cls", "target_scores", "assign")),
    Fault("first_owner", "a set of equal count", term("loss.iou", "gt_index", "assign")),
    Fault("alpha", "a set of equal count", term("loss.iou", "fg_mask", "assign")),
    Fault("pixels", "units and boxes", term("loss.iou", "loss.iou.per_element")),
    Fault("swapped", "units and boxes", both("head.cat()#3", "output:points")),
    Fault("corners", "units and boxes", both("head.cat()#5", "output:predictions")),
    Fault("rows", "order and bookkeeping", both("output:scores")),
    Fault("items", "order and bookkeeping", term("loss.dfl", "loss.dfl")),
    Fault("trained", "order and bookkeeping", of_list(r"trainable \+34;"), True),
    Fault("argmax", "order and bookkeeping", term("loss.iou", "gt_index", "assign"), True),
    Fault("most", "order and bookkeeping", term("loss.iou", "gt_index", "assign"), True),
    Fault("normaliser", "order and bookkeeping", term("loss.iou", "loss.cls.normaliser")),
    Fault("best", "order and bookkeeping", {"run": "^  'scores' is f32 .* and i32 "}, True),
    Fault("decay", "order and bookkeeping", {"steps": r"in step 1, from the same state, 'optimizer\.momentum\."}),
)
#: What the faithful port gets, by check: the exit code, and what is said. Jittor lists running statistics among the parameters, which is said.
LISTED = r"trainable \+0; \+17888 of the difference are counting conventions; values of 488 of 488 tensors compared: "
FAITHFUL = {
    "parameters": (0, LISTED + "488 equal$"),
    "fresh": (0, LISTED + "358 equal, 130 drawn alike$"),
    "run": (0, "^AGREE"),
    "recorded": (0, "^AGREE"),
    "assign": (0, "^AGREE"),
    "loss": (0, "^AGREE"),
    "gradients": (0, "^AGREE"),
    "steps": (0, "the same rule in 1 steps"),
    "train": (0, "the same rule in 10 steps"),
}
