"""A step of training in plain numpy, which differentiates nothing: the network says what its gradients are, and the optimiser is the port's own.

The network has `gradients(targets, **inputs)`, which returns its losses by term and their sum's gradient by the name of each parameter that trains, and puts running statistics
into `parameters`. The optimiser has `count`; `slots`, what it keeps by slot (`momentum`; `mean` and `square`) and parameter; `step(gradients)`; and, where it says what its rule is,
`rule(name)`. `clip` is a function of the gradients that returns others.
"""

from __future__ import annotations

from .training import Training


class Steps(Training):
    def differentiated(self, run) -> tuple:
        return run(self.model)

    def clipped(self, gradients: dict) -> dict | None:
        return None if self.made.clip is None else self.made.clip(gradients)

    def moved(self, gradients: dict) -> None:
        self.trained = list(gradients)
        self.made.optimizer.step(gradients)

    def slots(self) -> dict:
        return self.made.optimizer.slots

    def put(self, slots: dict, steps: int) -> None:
        for (slot, name), value in slots.items():
            self.slots().setdefault(slot, {})[name] = value
        self.made.optimizer.count = steps

    def rules(self) -> dict:
        rule = getattr(self.made.optimizer, "rule", None)
        return {name: rule(name) for name in self.trained} if rule else {}
