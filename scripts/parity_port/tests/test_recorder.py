"""What `record` writes of networks that are easily recorded wrong."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from networks import HERE, Between, Block, Checkpointed, Part, Raises, Shared, Structured, Trains, Twice, nn, torch

from parity_port import Recorder, digest, named, record, step
from safetensors import safe_open


class Recorded:
    """A trace as it was written."""

    def __init__(self, path):
        with safe_open(str(path), "pt") as file:
            self.metadata, self.tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
        self.header = json.loads(self.metadata["parity.trace"])
        self.entries, self.calls = self.header["tensors"], self.header.get("calls", [])
        self.parameters = {p["name"]: p for p in json.loads(self.metadata.get("parameters", "[]"))}

    def inputs(self, name):
        return self.entries[name]["inputs"]


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.path = Path(folder.name), Path(folder.name) / "x.safetensors"
        torch.manual_seed(0)

    def record(self, model, inputs, **options):
        self.output = record(model, inputs, self.path, **options)
        return Recorded(self.path)

    def assertBits(self, found, wanted):
        self.assertEqual(found.dtype, wanted.dtype)
        self.assertTrue(torch.equal(found, wanted.detach()), f"{found} is not {wanted}")


class Flow(Case):
    def test_a_module_that_is_called_twice_is_recorded_twice(self):
        model, image = Twice().eval(), torch.randn(1, 2, 4, 4)
        with torch.no_grad():
            found = self.record(model, image)
            first = model.block(image)
            self.assertBits(found.tensors["block"], first)
            self.assertBits(found.tensors["block#2"], model.block(first, image))
            self.assertBits(found.tensors["output"], self.output)
        calls = [(c["module"], c["inputs"], c.get("kwargs"), c["outputs"]) for c in found.calls if c["module"] in ("", "block")]
        kwargs = {"x": "block", "shift": "image"}
        self.assertEqual(calls, [("", ["image"], None, ["output"]), ("block", ["image"], None, ["block"]), ("block", [], kwargs, ["block#2"])])

    def test_what_is_written_over_later_was_recorded_as_it_was(self):
        block, x = Block().eval(), torch.randn(1, 2, 4, 4)
        with torch.no_grad():
            found = self.record(block, x)
            normed = block.bn(block.conv(x))
        self.assertBits(found.tensors["bn"], normed)
        self.assertBits(found.tensors["act"], normed.relu())
        self.assertBits(found.tensors["add_()"], normed.relu() + x)
        self.assertBits(found.tensors["setitem()"][:, 0], torch.full((1, 4, 4), 0.5))
        self.assertEqual([found.inputs(n) for n in ("act", "add_()", "setitem()", "output")], [["bn"], ["act", "x"], ["add_()"], ["setitem()"]])

    def test_the_same_in_inference_mode_where_nobody_counts_writes(self):
        block, x = Block().eval(), torch.randn(1, 2, 4, 4)
        with torch.inference_mode():
            found = self.record(block, x)
            normed = block.bn(block.conv(x))
        self.assertBits(found.tensors["bn"], normed)
        self.assertBits(found.tensors["add_()"], normed.relu() + x)
        self.assertTrue(found.header["flags"]["inference_mode"])

    def test_a_view_written_into_changes_what_it_is_a_view_of(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = nn.Linear(4, 4), nn.Identity()

            def forward(self, x):
                y = self.a(x)
                y.view(2, 2, 2).select(1, 0).mul_(3)
                return self.b(y)

        found = self.record(Net(), torch.ones(2, 4))
        self.assertBits(found.tensors["b.input:0"], self.output)
        self.assertEqual(found.inputs("b.input:0"), ["mul_()", "a"])
        self.assertFalse(torch.equal(found.tensors["a"], self.output))

    def test_the_address_of_a_tensor_that_is_gone_names_nothing(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Identity()

            def forward(self, x):
                for i in range(50):
                    self.a(torch._C._nn.linear(x, torch.eye(3)) * i)  # freed, and made again at the same place
                return x

        found = self.record(Net(), torch.ones(1, 3))
        for i, call in enumerate(c for c in found.calls if c["module"] == "a"):
            self.assertBits(found.tensors[call["inputs"][0]], torch.full((1, 3), float(i)))

    def test_what_lies_between_modules_is_recorded_with_its_line(self):
        found = self.record(Between(), torch.randn(1, 2, 3, 3))
        lines = Path(HERE / "networks.py").read_text().splitlines()
        for name, inputs in (("interpolate()", ["a"]), ("relu()", ["b"]), ("cat()", ["interpolate()", "relu()"])):
            file, line = found.entries[name]["at"].rsplit(":", 1)
            self.assertTrue(file.endswith("networks.py") and name[:-2] in lines[int(line) - 1], found.entries[name])
            self.assertEqual(found.inputs(name), inputs)
        self.assertEqual([n for n in found.entries if n.endswith("()")], ["interpolate()", "relu()", "cat()"], "conv2d is torch's own affair")

    def test_without_functions_only_modules_are_recorded_and_what_they_were_given(self):
        found = self.record(Between(), torch.randn(1, 2, 3, 3), functions=False)
        self.assertEqual(list(found.entries), ["x", "a", "b.input:0", "b", "output"])

    def test_names_map_to_those_of_another_graph_and_one_name_is_kept_once(self):
        found = self.record(Between(), torch.randn(1, 2, 3, 3), names={"a": "/a/Conv", "cat()": "both", "output": "both", "b": "/a/Conv"})
        # b's own output has no name left, so what relu took of it is kept as its input.
        self.assertEqual(list(found.entries), ["x", "/a/Conv", "interpolate()", "relu().input:0", "relu()", "both"])

    def test_dicts_tuples_and_none_have_places(self):
        found = self.record(Structured(), {"x": torch.ones(1, 3)})
        call = next(c for c in found.calls if c["module"] == "part")
        self.assertEqual(call["inputs"], ["x", None])
        self.assertEqual(call["kwargs"], {"options:bias": "new_ones()"})
        self.assertEqual(call["outputs"], ["part:scores", None, "part:levels:0", "part:levels:1:0"])
        self.assertBits(found.tensors["output:levels:1:0"], torch.full((1, 3), 3.0))

    def test_what_draws_at_random_is_told_by_the_innermost_that_does(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.part = Trains()
                self.attend = nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True)

            def forward(self, x):
                x = self.part(x)
                noise = torch.rand_like(x)
                return self.attend(x[None], x[None], (x * noise)[None], need_weights=False)[0]

        x, net = torch.randn(6, 4), Net()
        self.assertEqual(self.record(net.train(), x).header["drawn"], ["part.drop", "rand_like()", "attend:0"])
        self.assertEqual(self.record(net.eval(), x).header["drawn"], ["rand_like()"])
        self.assertNotIn("drawn", self.record(Trains().eval(), x).header)

    def test_what_a_trace_cannot_hold_is_told(self):
        class Net(nn.Module):
            def forward(self, x):
                return torch.fft.fft(x).real

        found = self.record(Net(), torch.ones(4))
        self.assertIn("complex64", found.header["missing"]["fft_fft()"])
        self.assertBits(found.tensors["output"], torch.tensor([4.0, 0, 0, 0]))

    def test_half_precision_keeps_its_bits(self):
        x = torch.randn(2, 3).to(torch.bfloat16)
        found = self.record(nn.Sequential(nn.ReLU()), x)
        self.assertBits(found.tensors["0"], x.relu())
        self.assertEqual(found.header["inputs"]["input"], digest(x.view(torch.int16).numpy(), "bf16"))


class Parameters(Case):
    def test_each_has_its_kind_and_the_value_it_had_before_the_run(self):
        model = Trains().train()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        found = self.record(model, torch.randn(8, 4))
        self.assertFalse(torch.equal(model.bn.running_mean, before["bn.running_mean"]), "the run was to move it")
        self.assertEqual(list(found.parameters), list(before))
        for name, value in before.items():
            self.assertBits(found.tensors[f"parameter.{name}"], value)
        kinds = {name: (p["kind"], p["trainable"]) for name, p in found.parameters.items()}
        self.assertEqual((kinds["bn.weight"], kinds["bn.running_mean"]), (("parameter", True), ("buffer", False)))
        self.assertNotIn("parameter.fc.weight", found.entries)

    def test_a_shared_weight_is_one_parameter_with_two_names(self):
        model = Shared()
        found = self.record(model, torch.ones(1, 3))
        self.assertEqual(list(found.parameters), ["encode.weight", "encode.bias", "decode.bias"])
        self.assertEqual(sum(p.numel() for p in model.parameters()), sum(torch.Size(p["shape"]).numel() for p in found.parameters.values()))
        self.assertEqual(found.header["tied"], {"decode.weight": "encode.weight"})

    def test_one_that_a_trace_cannot_hold_is_told(self):
        model = nn.Sequential(nn.Linear(2, 2))
        model.register_buffer("phase", torch.ones(2, dtype=torch.complex64))
        found = self.record(model, torch.ones(1, 2))
        self.assertEqual((list(found.parameters), list(found.header["missing"])), (["0.weight", "0.bias"], ["parameter.phase"]))

    def test_recording_changes_no_bit_of_a_training_step(self):
        def step_of(run):
            torch.manual_seed(3)
            model, x = Trains().train(), torch.randn(8, 4)
            y = run(model, x)
            y.square().sum().backward()
            return [y, *model.state_dict().values(), *(p.grad for p in model.parameters())]

        plain, recorded = step_of(lambda m, x: m(x)), step_of(lambda m, x: record(m, x, self.path))
        for a, b in zip(plain, recorded):
            self.assertBits(a, b)


class Described(Case):
    def test_a_module_has_class_hyper_parameters_source_and_mode(self):
        model = nn.Sequential(nn.Conv2d(2, 2, 3, stride=2), nn.BatchNorm2d(2, eps=1e-3), nn.GELU(approximate="tanh"), nn.Hardtanh(0, float("inf")), Part())
        model[1].eval()
        with Recorder(model, self.path):
            pass
        told = Recorded(self.path).header["modules"]
        self.assertEqual(told["0"]["class"], "torch.nn.modules.conv.Conv2d")
        self.assertEqual((told["0"]["hyper"]["kernel_size"], told["0"]["hyper"]["stride"]), ([3, 3], [2, 2]))
        self.assertEqual((told["1"]["hyper"]["eps"], told["1"]["training"], told["0"]["training"]), (1e-3, False, True))
        self.assertEqual((told["2"]["hyper"], told["3"]["hyper"]["max_val"]), ({"approximate": "tanh"}, "inf"))
        file, line = told["4"]["source"].rsplit(":", 1)
        self.assertTrue(file.endswith("networks.py"))
        self.assertIn("def forward(self, pair", (HERE / "networks.py").read_text().splitlines()[int(line) - 1])

    def test_flags_seed_threads_versions_and_the_command(self):
        torch.manual_seed(11)
        with torch.autocast("cpu", torch.bfloat16):
            told = self.record(nn.Sequential(nn.Linear(2, 2)), torch.ones(1, 2)).header
        self.assertEqual((told["seed"], told["threads"], told["versions"]["torch"].split("+")[0]), (11, 1, torch.__version__.split("+")[0]))
        self.assertEqual((told["flags"]["autocast.cpu"], told["flags"]["float32_matmul_precision"]), ("torch.bfloat16", "highest"))
        self.assertIn(Path(sys.orig_argv[0]).name, told["command"])
        self.assertEqual(told["inputs"], {"input": digest(torch.ones(1, 2).numpy())})

    def test_the_caller_of_a_module_is_told_by_its_line(self):
        found = self.record(Twice().eval(), torch.zeros(1, 2, 4, 4))
        line = int(next(c for c in found.calls if c["module"] == "block")["at"].rsplit(":", 1)[1])
        self.assertIn("self.block(x=self.block", (HERE / "networks.py").read_text().splitlines()[line - 1])


class Losses(Case):
    def loss(self, y):
        per = step("box", "per_element", (y - 1).abs())
        weighted = step("box", "product", per * step("box", "weight", torch.tensor([1.0, 0.0, 2.0])))
        return step("box", "value", step("box", "sum", weighted.sum()) / step("box", "normaliser", torch.tensor(3.0)))

    def test_a_loss_is_recorded_by_its_steps(self):
        x = torch.tensor([[2.0, 4.0, 8.0]])
        with Recorder(nn.Sequential(nn.Identity()), self.path) as recorder:
            value = self.loss(named("predictions", recorder.module(x)))
        found = Recorded(self.path)
        kinds = ["per_element", "weight", "product", "sum", "normaliser", "value"]
        told = found.header["losses"]
        self.assertEqual([(s["step"]) for s in told[0]["steps"]], kinds)
        values = {s["step"]: found.tensors[s["tensor"]] for s in told[0]["steps"]}
        self.assertBits(values["product"], torch.tensor([[1.0, 0.0, 14.0]]))
        self.assertEqual((told[0]["term"], values["value"].item(), value.item()), ("box", 5.0, 5.0))
        self.assertBits(found.tensors["predictions"], x)

    def test_unrecorded_code_is_left_alone_and_a_step_that_is_none_is_refused(self):
        self.assertEqual(self.loss(torch.tensor([[2.0, 4.0, 8.0]])).item(), 5.0)
        with self.assertRaisesRegex(ValueError, "'mean' of loss 'box'.*normaliser"):
            step("box", "mean", torch.ones(1))

    def test_gradients_of_parameters_and_activations_by_term(self):
        model, x = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1)), torch.randn(3, 2)
        found = self.record(model, x, loss=lambda y: {"square": y.square().sum(), "none": 0 * x.sum() + model[0].bias.sum()})
        inner = model[0](x)
        wanted = torch.autograd.grad(model[2](model[1](inner)).square().sum(), [inner, *model.parameters()])
        for name, gradient in zip(["0", *dict(model.named_parameters())], wanted):
            self.assertBits(found.tensors[f"grad.square.{name}"], gradient)
        self.assertBits(found.tensors["grad.none.0.bias"], torch.ones(2))
        self.assertBits(found.tensors["grad.none.2.weight"], torch.zeros(1, 2))
        self.assertNotIn("zeros_like()", found.entries, "the recorder's own doing is nobody's function")

    def test_a_backward_pass_of_the_users_own_is_the_total(self):
        model, x = nn.Sequential(nn.Linear(2, 2), nn.ReLU(inplace=True)), torch.randn(3, 2)
        with Recorder(model, self.path):
            model(x).sum().backward()
        found = Recorded(self.path)
        self.assertBits(found.tensors["grad.total.0.weight"], model[0].weight.grad)
        self.assertBits(found.tensors["grad.total.0"], (model[0](x) > 0).float())


class Ends(Case):
    def test_a_module_that_raises_leaves_no_file_and_no_hook(self):
        self.path.write_text("what was here before")
        model = Raises()
        with self.assertRaisesRegex(ArithmeticError, "as it was made to"):
            record(model, torch.ones(1, 3), self.path)
        self.assertEqual(([p.name for p in self.folder.iterdir()], self.path.read_text()), ([self.path.name], "what was here before"))
        for module in model.modules():
            self.assertFalse(module._forward_hooks or module._forward_pre_hooks)
        self.assertFalse(any(p._backward_hooks for p in model.parameters()))
        self.assertIs(named("x", model), model)

    def test_a_failure_that_is_caught_is_outlived(self):
        found = self.record(Raises(catch=True), torch.ones(1, 3))
        self.assertEqual([(c["module"], len(c["outputs"])) for c in found.calls], [("", 1), ("first", 1), ("part", 0), ("last", 1)])
        self.assertEqual(found.inputs("last"), ["add()"])

    def test_what_a_checkpoint_computes_again_is_not_recorded_again(self):
        for reentrant in (False, True):
            model, x = Checkpointed(reentrant), torch.randn(2, 3, requires_grad=True)
            with Recorder(model, self.path):
                model(x).backward()
            found = Recorded(self.path)
            self.assertEqual([c["module"] for c in found.calls], ["", "part", "part.0", "part.1"])
            self.assertEqual([n for n in found.entries if n.startswith("mul()") or "#2" in n], ["mul()"])
            self.assertBits(found.tensors["grad.total.part.0.weight"], model.part[0].weight.grad)

    def test_a_loss_that_depends_on_nothing_is_refused(self):
        with self.assertRaisesRegex(ValueError, "loss 'total' depends on no parameter and no input"):
            self.record(nn.ReLU(), torch.ones(1), loss=lambda y: y.sum())

    def test_a_model_of_which_nothing_can_be_seen_is_refused(self):
        class Compiled(nn.Module):
            _orig_mod = nn.Identity()

        scripted = torch.jit.script(nn.Linear(2, 2))
        cases = [(Compiled(), TypeError, "model._orig_mod"), (scripted, TypeError, "subject torchscript")]
        for model, kind, why in [*cases, (nn.Sequential(nn.LazyLinear(2)), ValueError, "'0.weight' has no shape yet: run the model once")]:
            with self.assertRaisesRegex(kind, why):
                record(model, torch.ones(1, 2), self.path)
        found = self.record(nn.Sequential(scripted), torch.ones(1, 2))
        self.assertEqual(found.header["missing"], {"0": "a scripted module lets nobody watch its calls"})

    def test_outputs_that_are_named_must_be_as_many(self):
        found = self.record(nn.Sequential(nn.Identity()), torch.ones(1), outputs=["y"])
        self.assertBits(found.tensors["y"], torch.ones(1))
        with self.assertRaisesRegex(ValueError, r"2 outputs are named \(y, z\), the model returned 1"):
            record(nn.Identity(), torch.ones(1), self.path, outputs=["y", "z"])


class Light(Case):
    def test_importing_the_package_imports_nothing_heavy(self):
        code = "import sys, parity_port; print([m for m in ('torch', 'numpy') if m in sys.modules])"
        told = subprocess.run([sys.executable, "-c", code], cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(told.stdout.strip(), "[]")


if __name__ == "__main__":
    unittest.main()
