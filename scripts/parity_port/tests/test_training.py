"""A step of training, asked as parity asks it: it is the one that PyTorch makes, from any state, and nothing of it stays."""

import unittest

from chains import Chains
from networks import F, torch

NET = """
def build():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
def inputs():
    return torch.linspace(-2, 2, 18).sin().reshape(6, 3)
def targets():
    return {"t": torch.linspace(-1, 1, 12).cos().reshape(6, 2)}
def losses(outputs, targets):
    return {"error": (outputs - targets["t"]).square().mean(), "size": outputs.abs().mean()}
"""
OPTIMIZERS = {
    "sgd": "return torch.optim.SGD(network.parameters(), lr=0.1)",
    "momentum": "return torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True)",
    "adam": "return torch.optim.Adam(network.parameters(), lr=0.01, weight_decay=0.01)",
    "all": """
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim < 2]
    made = torch.optim.AdamW([{"params": decayed}, {"params": others, "weight_decay": 0.0}], lr=0.01)
    schedule = torch.optim.lr_scheduler.StepLR(made, 1, 0.5)
    clip = lambda parameters: nn.utils.clip_grad_norm_(parameters, 0.1)
    ema = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    return {"optimizer": made, "clip": clip, "schedule": schedule, "ema": ema}
""",
}


class Steps(Chains):
    head = "import torch\nfrom torch import nn\n"

    def train(self, of):
        """What a chain of steps leads to."""
        self.net(NET + f"def optimizer(network):\n    {of.strip()}\n")
        return self.chain()

    def test_a_chain_of_steps_is_the_loop_that_pytorch_runs(self):
        for name, of in OPTIMIZERS.items():
            with self.subTest(name):
                found = self.train(of)
                wanted, average = self.loop()
                for key, value in wanted.items():
                    if value.is_floating_point():
                        self.assertEqual(found.tensors[f"value.{key}"].tolist(), value.tolist(), key)
                for key, value in average.items():
                    self.assertEqual(found.tensors[f"ema.{key}"].tolist(), value.tolist(), key)

    def loop(self):
        port = self.asks.port
        torch.manual_seed(0)
        network = port.build()
        network.load_state_dict(self.asks.network.model.state_dict())
        made = port.optimizer(network)
        parts = made if isinstance(made, dict) else {"optimizer": made}
        for _ in range(3):
            parts["optimizer"].zero_grad()
            sum(port.losses(network(port.inputs()), port.targets()).values()).backward()
            if "clip" in parts:
                parts["clip"](list(network.parameters()))
            parts["optimizer"].step()
            if "schedule" in parts:
                parts["schedule"].step()
            if "ema" in parts:
                parts["ema"].update_parameters(network)
        return network.state_dict(), dict(parts["ema"].module.named_parameters()) if "ema" in parts else {}

    def test_nothing_stays_and_f64_is_f64(self):
        self.net(NET + f"def optimizer(network):\n    {OPTIMIZERS['adam']}\n")
        before = self.written("parameters").tensors
        state = self.written("state").path
        found = self.step(state, 0, f64=True)
        self.assertEqual({str(v.dtype) for n, v in found.tensors.items() if n.startswith(("value.", "grad.", "optimizer.mean"))}, {"float64"})
        for name, value in self.written("parameters").tensors.items():
            self.assertEqual(value.tolist(), before[name].tolist())

    def test_of_which_operators_gradients_are_proved_in_f64_is_told(self):
        for forward, lacks in (("torch.nn.functional.silu", []), ("torch.sinc", ["sinc"])):
            self.net(NET.replace("outputs.abs()", f"{forward}(outputs)") + f"def optimizer(network):\n    {OPTIMIZERS['sgd']}\n")
            found = self.step(self.written("state").path, 0, f64=True).tensors
            self.assertEqual([name for name in found if name.startswith("unproved.")], [f"unproved.{name}" for name in lacks])
            self.assertEqual("proved" in found, True)
            self.assertNotIn("proved", self.step(self.written("state").path, 0).tensors)

    def test_a_number_of_f32_in_a_gradient_is_seen(self):
        from parity_port import slopes

        exact = lambda given, weights: [x.numpy() for x in pulled(F.avg_pool2d(given, 3, 2, 1), given, weights)]  # noqa: E731
        pulled = lambda value, of, weights: torch.autograd.grad((value * torch.from_numpy(weights)).sum(), of)  # noqa: E731
        given = lambda found: torch.from_numpy(found[0].copy()).requires_grad_()  # noqa: E731
        self.assertLess(slopes.of("avgpool", lambda x, w: exact(given(x), w)), 1e-15)
        rounded = float(torch.tensor(1 / 9, dtype=torch.float32)) * 9
        self.assertGreater(slopes.of("avgpool", lambda x, w: [g * rounded for g in exact(given(x), w)]), 1e-9)
        self.assertEqual(slopes.of("avgpool", lambda x, w: [g.astype("float32") for g in exact(given(x), w)]), float("inf"))

    def test_a_step_that_draws_says_so_and_which_modules_drop(self):
        norm, losses = "nn.BatchNorm1d(4)", "outputs.abs().mean()"
        cases = {
            ("nn.Dropout(0.5)", losses): ["drawn", "drawn.1"],
            ("nn.Dropout(0.0)", losses): [],
            ("nn.Dropout(0.5).eval()", losses): [],
            (norm, losses): [],
            (norm, "torch.nn.functional.dropout(outputs, 0.5).abs().mean()"): ["drawn"],
            (norm, "outputs[torch.randperm(6)[:2]].abs().mean()"): ["drawn"],
        }
        for (module, loss), wanted in cases.items():
            with self.subTest(module=module, loss=loss):
                self.net(NET.replace(norm, module).replace(losses, loss) + f"def optimizer(network):\n    {OPTIMIZERS['sgd']}\n")
                state = self.written("state").path
                for f64 in (False, True):
                    found = self.step(state, 0, f64=f64).tensors
                    self.assertEqual([name for name in found if name.startswith("drawn")], wanted)

    def test_what_optimizer_returns_is_an_optimiser_or_a_dict_of_known_parts(self):
        self.net(NET + "def optimizer(network):\n    return {'optimiser': 1}\n")
        with self.assertRaisesRegex(ValueError, "optimiser: a dict of it has optimizer, clip, schedule, ema"):
            self.written("state")

    def test_a_port_without_an_optimiser_declares_no_step(self):
        self.assertNotIn("step", self.net(NET)["abilities"])
        self.assertIn("step", self.net(NET + f"def optimizer(network):\n    {OPTIMIZERS['sgd']}\n")["abilities"])


if __name__ == "__main__":
    unittest.main()
