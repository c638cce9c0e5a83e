"""Workers of frameworks that differentiate functions: MLX and JAX."""

from __future__ import annotations

from .. import tapped
from .modular import Modular, terms_of


class Functional(Modular):
    """A framework says how a function is differentiated: `pulled(function, values)` returns its results, and for each the gradients by `values`."""

    def gradients(self, recording, terms: dict, results: list[str], again, args: tuple, kwargs: dict, loss) -> None:
        def model_of(values: dict):
            model = again()
            self.put(model, values)
            return model

        tapped.gradients(self, recording, model_of, args, kwargs, loss, results)

    def differentiated(self, terms, values: list) -> dict[str, list]:
        """Gradients of each term, which `terms` computes from `values`, by each of these."""
        names: list[str] = []

        def function(*given):
            found = terms(list(given))
            names[:] = found
            return list(found.values())

        rows = self.pulled(function, values)
        return dict(zip(names, rows))

    def slope(self, function, given: list, weights) -> list:
        """Gradients of what a function makes of arrays, each result by its weight."""
        weights = self.tensor(weights, None)
        rows = self.pulled(lambda *x: [(function(*x) * weights).sum()], [self.tensor(x, None) for x in given])
        return [self.array(found)[0] for found in rows[0]]

    def loss_gradients(self, trace, terms: dict, losses, by: dict, floats: dict) -> None:
        def again(values: list) -> dict:
            by.update(zip(floats, values))
            try:
                return terms_of(losses())
            finally:
                by.update(floats)

        for term, row in self.differentiated(again, list(floats.values())).items():
            self.add_gradients(trace, term, dict(zip(floats, row)))
