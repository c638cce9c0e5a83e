"""Floors of a recording hold every healthy run of the same program, and no faulty one; they leave the program as it was."""

import copy
import re
import unittest

from networks import HERE, Everything, Trains, nn, torch
from test_recorder import Case

from parity_port import noise, record, spread

ROOT = HERE.parent.parent.parent
SEEDS = 5


def ratio(floor, wanted, found):
    """How far `found` is from `wanted`, as parity judges it: 1 is the limit, for the largest of a channel and for its root mean square."""
    off = (found.double() - wanted.double()).abs()
    pools = off.reshape(1, -1) if floor["axis"] is None else off.movedim(floor["axis"], 0).flatten(1)
    largest, rms = pools.amax(1), pools.square().mean(1).sqrt()
    limits = [noise.R * torch.tensor(floor[key]) for key in ("max", "rms")]
    return max(torch.where(value == 0, 0, value / limit).max().item() for value, limit in zip((largest, rms), limits))


def loss(y):
    return {"square": y.square().sum(), "first": y[:, 0].mean()}


class Floors(Case):
    def over(self, found, other):
        """Tensors of `other` that are beyond the floors of `found`, and how many were judged."""
        judged = {name: entry["floor"] for name, entry in found.entries.items() if "floor" in entry}
        return [n for n in judged if ratio(judged[n], found.tensors[n], other.tensors[n]) > 1], len(judged)

    def other(self, model, inputs, **options):
        path, self.path = self.path, self.folder / "other.safetensors"
        other, self.path = self.record(model, inputs, **options), path
        return other

    def test_every_healthy_run_is_within(self):
        judged = 0
        for seed in range(SEEDS):
            torch.manual_seed(seed)
            model, x = Everything().train(seed % 2 == 0), torch.randn(2, 3, 8, 8)
            model.drop.p = 0.0  # in f64 other elements are dropped
            apart, exact = copy.deepcopy(model).to(memory_format=torch.channels_last), copy.deepcopy(model).double()
            found = self.record(model, x, floors=True, loss=loss)
            with torch.backends.mkldnn.flags(enabled=False):
                apart = self.other(apart, x.to(memory_format=torch.channels_last), loss=loss)
            for other in (apart, self.other(exact, x.double(), loss=loss)):
                over, count = self.over(found, other)
                self.assertEqual(over, [], seed)
                judged += count
            self.assertEqual([n for n, e in found.entries.items() if "no_floor" in e], [])
        self.assertGreater(judged, 2 * SEEDS * 120)

    def test_a_fault_is_over_and_first_where_it_is(self):
        def eps(model):
            model.norm.eps = 1e-3

        def tanh(model):
            model.act.approximate = "tanh"

        def head(model):
            model.head.bias.data[0] += 1e-4

        model, x = Everything().eval(), torch.randn(2, 3, 8, 8)
        found = self.record(model, x, floors=True)
        for fault, where in ((eps, "norm"), (tanh, "act"), (head, "head")):
            faulty = copy.deepcopy(model)
            fault(faulty)
            self.assertEqual(self.over(found, self.other(faulty, x))[0][:1], [where])

    def test_a_lost_gradient_is_over_where_the_values_are_not(self):
        class Cut(nn.Linear):
            def forward(self, x):
                return super().forward(x.detach())

        model, x = Everything().eval(), torch.randn(2, 3, 8, 8)
        found, cut = self.record(model, x, floors=True, loss=loss), copy.deepcopy(model)
        cut.head.__class__ = Cut
        other = self.other(cut, x, loss=loss)
        over = {n for n in found.entries if n in other.tensors and ratio(found.entries[n]["floor"], found.tensors[n], other.tensors[n]) > 1}
        self.assertEqual({n for n in over if not n.startswith("grad.")}, set())
        self.assertEqual(over & {"grad.square.head.weight", "grad.square.head.bias"}, set())
        self.assertLessEqual({f"grad.square.{n}" for n, _ in model.named_parameters() if not n.startswith("head")}, over)

    def test_training_draws_the_same_numbers_in_every_run(self):
        model, x = Trains().train(), torch.randn(16, 4)
        found = self.record(copy.deepcopy(model), x, floors=True, loss=lambda y: {"square": y.square().sum()})
        self.assertLess(max(found.entries["drop"]["floor"]["rms"]), 1e-5, "another mask would be as large as the tensor")
        self.assertEqual(found.entries["loss.square"]["floor"]["runs"], 16)
        self.assertEqual([n for n in found.tensors if n.startswith("grad.") and "floor" not in found.entries[n]], [])

    def test_the_program_and_its_random_numbers_are_left_as_they_were(self):
        left = []
        for wanted in (False, True):
            torch.manual_seed(5)
            model, x = Trains().train(), torch.randn(16, 4)
            left.append([record(model, x, self.path, floors=wanted), *model.state_dict().values(), torch.rand(3)])
        for a, b in zip(*left):
            self.assertBits(a, b)
        self.assertEqual((torch.get_default_dtype(), [p.name for p in self.folder.iterdir()]), (torch.float32, ["x.safetensors"]))

    def test_runs_that_decide_otherwise_are_no_measure(self):
        class Counts(nn.Module):
            def forward(self, x):
                steps = (torch.tanh(x) * 1e6).long()
                return x * steps

        found = self.record(Counts(), torch.randn(64))
        self.assertNotIn("no_floor", found.entries["tanh()"], "not asked for")
        found = self.record(Counts(), torch.randn(64), floors=True)
        self.assertRegex(found.entries["tanh()"]["no_floor"], r"every noisy run decides otherwise, the first at 'long\(\)'")

    def test_why_there_is_none_is_told(self):
        class Mixed(nn.Module):
            def forward(self, x):
                return x.half() * 2

        class Single(nn.Module):
            def forward(self, x):
                return torch.dot(x, torch.ones(3, dtype=torch.float32)) * 2

        for model, why in ((Mixed(), "computes in F16 and F32"), (Single(), "does not run in f64: RuntimeError")):
            self.assertIn(why, self.record(model, torch.ones(3), floors=True).entries["mul()"]["no_floor"])

    def test_what_a_module_keeps_beside_its_parameters_is_copied_too(self):
        class Keeps(nn.Module):
            def __init__(self):
                super().__init__()
                self.made = torch.ones(3, requires_grad=True) * 2

            def forward(self, x):
                return torch.dot(x, self.made.detach()) * 2

        self.assertNotIn("no_floor", self.record(Keeps(), torch.ones(3), floors=True).entries["mul()"])

    def test_terms_that_cancel_are_not_certain(self):
        model = nn.Sequential(nn.Linear(64, 1, bias=False))
        model[0].weight.data.fill_(1.0)
        found = self.record(model, torch.tensor([[1.0, -1.0] * 32]), floors=True)
        self.assertEqual(found.tensors["0"].item(), 0)
        unit = 24 * 2.0**-24 * 64 / noise.R  # gamma sqrt K = 3 * 8, S = 64
        self.assertEqual(found.entries["0"]["floor"]["max"], [unit])

    def test_what_moves_data_rounds_nothing(self):
        class Moves(nn.Module):
            def forward(self, x):
                y = x * 3
                return y.mT, y.unsqueeze(0), y.relu()

        found = self.record(Moves(), torch.full((8, 9), 0.5), floors=True)
        for name in ("mT", "unsqueeze", "relu"):
            self.assertEqual(max(found.entries[f"{name}()"]["floor"]["max"]), 4 * 2.0**-24 * 1.5 / noise.R, name)

    def test_modules_alone_have_the_same_floors(self):
        model, x = Everything().eval(), torch.randn(2, 3, 8, 8)
        whole, alone = self.record(model, x, floors=True), self.record(model, x, floors=True, functions=False)
        for name in ("stem.0", "layer", "head", "output"):
            self.assertEqual(whole.entries[name]["floor"], alone.entries[name]["floor"])


class Tables(unittest.TestCase):
    def test_the_constants_are_those_of_parity(self):
        family, pools = ((ROOT / f"src/floor/{name}.rs").read_text() for name in ("family", "noise"))
        told = re.findall(r"^        \(Family::(\w+), ([\d.]+), ([\d.]+)\),$", family, re.MULTILINE)
        self.assertEqual({name.lower(): (float(beta), float(gamma)) for name, beta, gamma in told}, noise.FAMILIES)
        constants = {name: float(value) for name, value in re.findall(r"const (\w+): \w+ = ([\d.]+);", pools)}
        own = {"R": noise.R, "RUNS": spread.RUNS, "MOST_RUNS": spread.MOST_RUNS, "POOL": spread.POOL}
        self.assertEqual({name: constants[name] for name in own}, own)


if __name__ == "__main__":
    unittest.main()
