"""Workers of frameworks that differentiate functions: MLX and JAX."""

from __future__ import annotations

from .. import tapped
from ..trace import Entry
from .modular import Modular, terms_of


class Functional(Modular):
    """A framework says how a function is differentiated: `pulled(function, values)` returns its results, and for each the gradients by `values`."""

    def gradients(self, recording, terms: dict, results: list[str], again, args: tuple, kwargs: dict, loss) -> None:
        def model_of(values: dict):
            model = again()
            self.put(model, values)
            return model

        tapped.gradients(self, recording, model_of, args, kwargs, loss, results)

    def trained(self, model) -> dict:
        kinds = self.kinds(model)
        return {name: value for name, value in self.state(model).items() if kinds[name][1]}

    def differentiated(self, terms, values: list) -> dict[str, list]:
        """Gradients of each term, which `terms` computes from `values`, by each of these."""
        names: list[str] = []

        def function(*given):
            found = terms(list(given))
            names[:] = found
            return list(found.values())

        rows = self.pulled(function, values)
        return dict(zip(names, rows))

    def loss_gradients(self, trace, losses, by: dict, floats: dict) -> None:
        def terms(values: list) -> dict:
            before = dict(by)
            by.update(zip(floats, values))
            try:
                return terms_of(losses())
            finally:
                by.update(before)

        for term, row in self.differentiated(terms, list(floats.values())).items():
            for name, value in zip(floats, row):
                array, dtype = self.array(value)
                trace.add(f"grad.{term}.{name}", array, Entry(name, "Gradient", (term,)), dtype)
