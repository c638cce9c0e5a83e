"""The worker, asked as parity asks it: what it answers, what it writes, and that nothing which is run stays."""

import tempfile
import unittest

from asked import LIVE, Asked
from networks import nn, torch
from test_recorder import Recorded

from parity_port import proof
from parity_port.parts import leaves, together
from parity_port.stored import read
from parity_port.trace import Trace
from parity_port.worker.pytorch import ARITHMETIC
from parity_port.worker.wire import answered

NET = LIVE / "torch_net.py"


class Case(Asked):
    head = "import torch\nfrom torch import nn\n"

    def start(self, path=NET, **arguments):
        return super().start(path, **arguments)

    def file(self, tensors=None):
        return super().file(None if tensors is None else {name: value.numpy() for name, value in tensors.items()})

    def written(self, ask, **asked):
        return Recorded(super().written(ask, **asked).path)

    def forward(self, inputs, f64=False, training=False, floors=False):
        return self.written("forward", inputs=self.file(inputs), f64=f64, training=training, floors=floors)


class Answers(Case):
    def test_it_says_what_it_is(self):
        told = self.start()
        self.assertEqual((told["framework"], told["class"]), ("torch", "torch_net.Net"))
        functions = ["inputs", "targets", "preprocess", "postprocess", "losses", "assign"]
        self.assertEqual(told["abilities"], [*functions, "f64", "floors", "isolation", "gradients", "export"])
        self.assertEqual(told["inputs"], [{"name": "image", "dtype": "f32", "shape": ["batch", 3, 8, 8]}])
        self.assertEqual(told["versions"]["torch"], torch.__version__.split("+")[0])

    def test_open_axes_are_a_dict_or_a_list_of_inputs_that_there_are(self):
        net = "def build():\n    return nn.Identity()\ndef inputs():\n    return torch.ones(2, 3)\n"
        self.assertEqual(self.net(net + "axes = {'input': [0]}")["inputs"][0]["shape"], ["input_0", 3])
        with self.assertRaisesRegex(ValueError, "'image', which is none of its inputs: input"):
            self.net(net + "axes = {'image': {0: 'batch'}}")

    def test_one_port_is_the_same_every_time(self):
        self.start()
        first = self.written("parameters"), self.written("inputs")
        self.start()
        second = self.written("parameters"), self.written("inputs")
        for a, b in zip(first, second):
            self.assertEqual({n: v.tolist() for n, v in a.tensors.items()}, {n: v.tolist() for n, v in b.tensors.items()})

    def test_arguments_reach_build(self):
        path = self.folder / "net.py"
        path.write_text("from torch import nn\ndef build(width):\n    return nn.Linear(2, width)\n")
        self.start(path, width=7)
        self.assertEqual(list(self.written("parameters").tensors["parameter.weight"].shape), [7, 2])

    def test_a_failure_names_the_line_of_the_user(self):
        self.net("""
            class Net(nn.Module):
                def forward(self, x):
                    return x.reshape(7)
            def build():
                return Net()
            """)
        asked = {"id": 4, "ask": "forward", "inputs": self.file({"x": torch.ones(3)}), "to": self.file(), "f64": False, "training": False, "floors": False}
        told = answered(asked, self.asks.answer)
        self.assertEqual(told["id"], 4)
        self.assertRegex(told["error"], r"RuntimeError: .*at .*net\.py:6$")

    def test_a_network_that_does_not_compute_in_f64_does_not_declare_it(self):
        net = """
            class Net(nn.Module):
                def forward(self, x):
                    return {}
            def build():
                return Net()
            def inputs():
                return torch.ones(3)
            """
        told = self.net(net.format("torch.dot(x, torch.ones(3, dtype=torch.float32))"))
        self.assertNotIn("f64", told["abilities"])
        self.assertRegex(told["lacks"]["f64"], r"the network does not run in it: RuntimeError: .*net\.py:6$")
        self.assertEqual(self.net(net.format("x.float() + 1"))["lacks"], {"f64": "'float()' is f32 in it"})
        self.assertEqual(self.net(net.format("x + 1"))["lacks"], {})

    def test_what_is_no_port_is_told(self):
        with self.assertRaisesRegex(TypeError, "no function build"):
            self.net("x = 1")
        with self.assertRaisesRegex(TypeError, r"build\(\) returned builtins.int"):
            self.net("def build():\n    return 3")

    def test_an_unknown_input_is_told_with_those_that_there_are(self):
        self.start()
        with self.assertRaisesRegex(ValueError, "no input 'picture'; it has image, scale"):
            self.forward({"picture": torch.ones(1, 3, 8, 8)})

    def test_inputs_of_any_structure_reach_forward(self):
        told = self.net("""
            class Net(nn.Module):
                def forward(self, pair, *more, flag=False, **rest):
                    assert flag
                    return pair["a"] + pair["b"][0], more[0], rest["last"]
            def build():
                return Net()
            def inputs():
                return {"pair": {"a": torch.ones(2), "b": (torch.ones(2),)}, "flag": True}
            """)
        self.assertEqual([row["name"] for row in told["inputs"]], ["pair:a", "pair:b:0"])
        one = torch.ones(2)
        found = self.forward({"pair:a": one, "pair:b:0": one * 2, "more:0": one * 3, "rest:last": one * 4})
        self.assertEqual([found.tensors[f"output:{i}"][0].item() for i in range(3)], [3, 3, 4])


class Runs(Case):
    def setUp(self):
        super().setUp()
        self.start()
        self.image = torch.randn(2, 3, 8, 8)

    def test_a_run_leaves_everything_as_it_was(self):
        model = self.asks.network.model
        state = {name: value.clone() for name, value in model.state_dict().items()}
        modes = [module.training for module in model.modules()]
        random = torch.get_rng_state()
        first = self.forward({"image": self.image}, training=True)
        second = self.forward({"image": self.image}, training=True)
        self.assertTrue(torch.equal(first.tensors["output:scores"], second.tensors["output:scores"]))
        self.assertFalse(torch.equal(first.tensors["output:scores"], self.forward({"image": self.image}).tensors["output:scores"]))
        self.forward({"image": self.image.double()}, f64=True)
        self.assertTrue(all(torch.equal(value, state[name]) for name, value in model.state_dict().items()))
        self.assertEqual(modes, [module.training for module in model.modules()])
        self.assertTrue(torch.equal(random, torch.get_rng_state()))
        self.assertIsNone(model.block.kept)
        self.assertEqual(torch.get_default_dtype(), torch.float32)

    def test_in_f64_everything_is_and_near_the_other(self):
        exact = self.forward({"image": self.image.double()}, f64=True)
        near = self.forward({"image": self.image})
        self.assertEqual({value.dtype for value in exact.tensors.values() if value.is_floating_point()}, {torch.float64})
        for name in near.entries:
            torch.testing.assert_close(exact.tensors[name].float(), near.tensors[name], msg=name)

    def test_floors_are_measured(self):
        found = self.forward({"image": self.image}, floors=True)
        without = {name: entry.get("no_floor") for name, entry in found.entries.items() if "floor" not in entry}
        self.assertEqual(without, {})

    def test_modules_that_are_frozen_stay_so_in_training(self):
        self.net("""
            def build():
                net = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5))
                net[0].eval()
                return net
            """)
        found = self.forward({"input": torch.randn(4, 2)}, training=True)
        self.assertEqual([m["training"] for m in found.header["modules"].values()], [True, False, True])

    def test_a_run_is_of_the_network_as_it_was_built(self):
        self.net("""
            def build():
                net = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2)).eval()
                net[1].train()
                return net
            """)
        value = torch.randn(4, 2)
        found = self.forward({"input": value})
        self.assertEqual([m["training"] for m in found.header["modules"].values()], [False, False, True])
        normalised = nn.BatchNorm1d(2)(nn.BatchNorm1d(2).eval()(value))
        torch.testing.assert_close(found.tensors["1"], normalised.detach())

    def test_what_is_loaded_is_computed_with_and_the_rest_is_told(self):
        values = {"conv.bias": torch.ones(8), "head.bias": torch.ones(5), "nothing": torch.ones(1), "bn.num_batches_tracked": torch.tensor(3)}
        told = self.ask("load", values=self.file(values))
        self.assertEqual(told["loaded"], ["conv.bias", "bn.num_batches_tracked"])
        self.assertEqual((told["unknown"], told["unlike"]), (["nothing"], [{"name": "head.bias", "held": "f32 [4]", "given": "f32 [5]"}]))
        read_back = self.written("parameters").tensors
        self.assertTrue(torch.equal(read_back["parameter.conv.bias"], torch.ones(8)))
        self.assertEqual(read_back["parameter.bn.num_batches_tracked"].item(), 3)


class Alone(Case):
    def setUp(self):
        super().setUp()
        self.start()
        self.image = self.file({"image": torch.randn(2, 3, 8, 8)})

    def run_on(self, replay=None, training=False):
        replay = {} if replay is None else {"replay": self.file(replay)}
        return self.written("forward", inputs=self.image, f64=False, training=training, floors=False, **replay)

    def test_every_part_alone_is_what_it_was_in_the_run(self):
        for training in (False, True):
            whole = self.run_on(training=training)
            computed = [name for name, entry in whole.entries.items() if entry["op"] != "Input"]
            alone = self.run_on({name: whole.tensors[name] for name in computed}, training)
            self.assertEqual(set(alone.header["replayed"]), set(computed))
            for name in computed:
                self.assertTrue(torch.equal(alone.tensors[name], whole.tensors[name]), f"{name}, training {training}")

    def test_a_part_computes_with_what_is_given_in_front_of_it_and_hands_on_what_is_given_for_it(self):
        ones = torch.ones(2, 8, 8, 8)
        found = self.run_on({"drop": ones, "block.conv": ones * 2, "block.add": ones * 7, "block.conv#2": ones})
        self.assertTrue(torch.equal(found.tensors["block.add"], ones * 3))
        self.assertTrue(torch.equal(found.tensors["block.add#2"], ones * 8))
        self.assertEqual(found.header["replayed"], ["drop", "block.conv", "block.add", "block.conv#2"])

    def test_what_does_not_fit_or_is_not_there_is_not_handed_on(self):
        whole, found = self.run_on(), self.run_on({"drop": torch.ones(2), "nothing": torch.ones(2)})
        self.assertEqual(found.header.get("replayed", []), [])
        self.assertTrue(torch.equal(found.tensors["output:map"], whole.tensors["output:map"]))

    def test_nothing_that_the_network_keeps_is_written_and_nothing_that_lies_upon_itself(self):
        self.net("""
            class Own(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.own, self.same = nn.Parameter(torch.ones(2)), nn.Identity()
                def forward(self, x):
                    return self.same(self.own), self.same(x.expand(3, 2))
            def build():
                return Own()
            """)
        self.image = self.file({"x": torch.zeros(1, 2)})
        found = self.run_on({"same": torch.zeros(2), "same#2": torch.ones(3, 2)})
        self.assertEqual(found.header.get("replayed", []), [])
        self.assertEqual(found.tensors["output:0"].tolist(), [1, 1])


class Functions(Case):
    def setUp(self):
        super().setUp()
        self.start()
        self.targets = self.file({"labels": torch.tensor([1, 3])})

    def test_gradients_of_a_run_are_those_of_autograd(self):
        image = torch.randn(2, 3, 8, 8)
        found = self.written("gradients", inputs=self.file({"image": image}), targets=self.targets, f64=False, training=False)
        model = self.asks.network.model.eval()
        value = self.asks.port.losses(model(image), {"labels": torch.tensor([1, 3])})["cls"]
        value.backward()
        self.assertTrue(torch.equal(found.tensors["loss.cls"], value.detach()))
        torch.testing.assert_close(found.tensors["grad.cls.conv.weight"], model.conv.weight.grad)
        self.assertIn("grad.size.block.add", found.tensors)

    def test_losses_alone_with_gradients_by_the_outputs(self):
        outputs = {"output:scores": torch.randn(2, 4).double(), "output:map": torch.randn(2, 8, 8, 8).double()}
        found = self.written("losses", outputs=self.file(outputs), targets=self.targets, f64=True, gradients=True)
        self.assertEqual(found.tensors["loss.size"].item(), outputs["output:map"].square().mean().item())
        torch.testing.assert_close(found.tensors["grad.size.output:map"], 2 * outputs["output:map"] / 1024)
        self.assertEqual(found.tensors["grad.cls.output:map"].abs().max().item(), 0)
        without = self.written("losses", outputs=self.file(outputs), targets=self.targets, f64=True, gradients=False)
        self.assertEqual(sorted(without.tensors), ["loss.cls", "loss.size"])

    def test_what_stands_before_and_behind_the_network(self):
        picture = self.folder / "picture"
        picture.write_bytes(bytes(range(192)))
        found = self.written("preprocess", path=str(picture))
        self.assertEqual(found.tensors["image"][0, 0, 0, 1].item(), torch.tensor(1 / 255).item())
        outputs = self.file({"output:scores": torch.eye(4)[:2], "output:map": torch.ones(1)})
        found = self.written("postprocess", outputs=outputs).tensors["result"]
        self.assertTrue(torch.equal(found, torch.eye(4)[:2].softmax(-1)))
        found = self.written("assign", outputs=outputs, targets=self.file({"labels": torch.tensor([0, 3])})).tensors["right"]
        self.assertEqual(found.tolist(), [True, False])


class Parts(unittest.TestCase):
    def test_a_value_comes_together_again(self):
        value = {"a": (1, {"b": 2, "c": (3,)}), "d": 4}
        parts = {place[1:]: part for place, part in leaves(value)}
        self.assertEqual(parts, {"a:0": 1, "a:1:b": 2, "a:1:c:0": 3, "d": 4})
        self.assertEqual(together(parts), value)
        self.assertEqual(together(dict(reversed(parts.items()))), value)

    def test_a_function_that_computes_in_f32_is_not_f64(self):
        self.assertIsNone(proof.off(ARITHMETIC))
        narrow = lambda x, w: ARITHMETIC["conv2d"](x.astype("f4"), w.astype("f4"))  # noqa: E731
        self.assertEqual(proof.off({**ARITHMETIC, "conv2d": narrow}), "conv2d of f64 is float32")
        widened = lambda x, w: narrow(x, w).astype("f8")  # noqa: E731
        self.assertRegex(proof.off({**ARITHMETIC, "conv2d": widened}), "conv2d is off by .*e-0. in f64")

    def test_stored_tensors_of_every_dtype_are_read(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/x.safetensors"
            values = {"b": torch.tensor([True, False]), "h": torch.ones(2, 1).half(), "i": torch.tensor(-3), "e": torch.ones(0, 2)}
            with Trace(path, "a test") as trace:
                for name, value in values.items():
                    trace.add(name, value.numpy())
                trace.add("bf", torch.ones(2).bfloat16().view(torch.int16).numpy(), dtype="bf16")
            found = read(path)
            for name, value in values.items():
                self.assertTrue(torch.equal(torch.from_numpy(found[name].value), value), name)
            self.assertEqual(found["bf"].dtype, "bf16")


if __name__ == "__main__":
    unittest.main()
