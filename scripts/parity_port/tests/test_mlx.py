"""The worker of MLX: `.native/ports/mlx/python -m unittest discover -s scripts/parity_port/tests -p test_mlx.py`."""

import importlib.util
import os
import sys
import unittest
import unittest.mock

import numpy as np
from asked import LIVE, near, small
from chains import Chains

HAS = importlib.util.find_spec("mlx") is not None
if HAS:
    import mlx.core as mx
    import mlx.nn as nn


@unittest.skipUnless(HAS, "mlx is not installed here: scripts/setup_ports mlx")
class Mlx(Chains):
    head = "import mlx.core as mx\nimport mlx.nn as nn\n"

    def test_it_says_what_it_is_and_that_it_has_no_f64(self):
        told = self.start(LIVE / "small_mlx.py")
        self.assertEqual((told["framework"], told["class"]), ("mlx", "small_mlx.Net"))
        self.assertEqual(told["abilities"], ["inputs", "targets", "postprocess", "losses", "assign", "isolation", "gradients"])
        self.assertRegex(told["lacks"]["f64"], "conv2d is off by .*e-07 in f64")

    def test_the_faithful_network_is_the_one_of_numpy_and_the_default_is_not(self):
        self.start(LIVE / "small_mlx.py")
        found = self.forward().tensors
        for name, wanted in small().items():
            self.assertTrue(near(found[name], wanted, 1e-4), name)
        with unittest.mock.patch.dict(os.environ, SMALL_CARELESS="pool"):
            del sys.modules["small"]
            self.start(LIVE / "small_mlx.py")
            self.assertFalse(near(self.forward().tensors["output:map"], small()["output:map"], 1e-2))

    def test_calls_and_functions_are_recorded_in_order_with_what_they_are_computed_from(self):
        self.start(LIVE / "small_mlx.py")
        found = self.forward()
        self.assertEqual([call["module"] for call in found.header["calls"]][:4], ["", "level", "stem", "norm"])
        self.assertEqual(found.inputs("stem"), ["level"])
        self.assertEqual(found.inputs("add()"), ["act", "up"])
        self.assertRegex(found.header["tensors"]["add()"]["at"], r"small_mlx\.py:\d+$")
        told = found.header["modules"]
        self.assertEqual(told["norm"]["class"], "mlx.nn.layers.normalization.BatchNorm")
        self.assertEqual((told["norm"]["hyper"]["eps"], told["norm"]["training"]), (2**-10, False))
        self.assertTrue(told["level"]["training"])
        self.assertEqual((told["pool"]["hyper"]["kernel_size"], told["bend"]["hyper"]), ([3, 3], {"approx": "none"}))

    def test_running_statistics_are_parameters_that_do_not_train(self):
        self.start(LIVE / "small_mlx.py")
        kinds = {row["name"]: (row["kind"], row["trainable"]) for row in self.written("parameters").parameters}
        self.assertEqual((kinds["norm.running_var"], kinds["norm.weight"]), (("parameter", False), ("parameter", True)))

    def test_gradients_are_those_of_the_framework(self):
        self.start(LIVE / "small_mlx.py")
        found, port, model = self.gradients().tensors, self.asks.port, self.asks.network.model
        _, own = nn.value_and_grad(model, lambda: port.losses(model(port.inputs()), port.targets())["cls"])()
        self.assertTrue(near(found["grad.cls.stem.weight"], np.array(own["stem"]["weight"]), 1e-4))
        self.assertTrue(near(found["grad.cls.norm.bias"], np.array(own["norm"]["bias"]), 1e-4))
        # By the sum over places, the gradient by what a norm returned is that by its bias.
        self.assertTrue(near(found["grad.cls.norm"].sum((0, 1, 2)), found["grad.cls.norm.bias"], 1e-5))
        self.assertTrue(near(found["grad.cls.mean()"].sum(0) @ np.ones(8), (found["grad.cls.head"] @ np.array(model.head.weight)).sum(), 1e-5))

    def test_a_gradient_is_given_by_what_the_program_went_on_with(self):
        self.net("""
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = nn.Linear(2, 2)
                def __call__(self, x):
                    return mx.multiply(self.fc(x), mx.array([2.0, 3.0]))
            def build():
                return Net()
            def inputs():
                return mx.ones((1, 2))
            def targets():
                return {}
            def losses(outputs, targets):
                return outputs.sum()
            """)
        found = self.gradients().tensors
        self.assertEqual(found["grad.total.fc"].tolist(), [[2, 3]])
        self.assertIn("multiply().input:1", found)
        self.assertNotIn("grad.total.multiply().input:1", found)

    def test_what_is_written_into_is_another_tensor(self):
        self.net("""
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.act = nn.ReLU()
                def __call__(self, x):
                    y = self.act(x)
                    y += 1
                    y[0] = 7
                    return self.act(y)
            def build():
                return Net()
            """)
        found = self.forward({"x": np.array([-1, 2], np.float32)})
        self.assertEqual(found.tensors["act"].tolist(), [0, 2])
        self.assertEqual(found.tensors["iadd()"].tolist(), [1, 3])
        self.assertEqual(found.tensors["setitem()"].tolist(), [7, 3])
        self.assertEqual((found.inputs("iadd()"), found.inputs("setitem()"), found.inputs("act#2")), (["act"], ["iadd()"], ["setitem()"]))

    def test_dropout_draws_the_same_every_time_and_a_run_in_training_leaves_nothing(self):
        self.net("""
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.norm, self.drop = nn.BatchNorm(3), nn.Dropout(0.5)
                def __call__(self, x):
                    return self.drop(self.norm(x))
            def build():
                return Net()
            """)
        self.check_dropout()

    def test_what_is_given_lies_in_memory_as_what_it_stands_for(self):
        self.start(LIVE / "small_mlx.py")
        value = mx.arange(24.0).reshape(2, 3, 2, 2).transpose(0, 2, 3, 1)
        given = self.asks.network.like(value, np.array(value))
        self.assertEqual(np.array(given).tolist(), np.array(value).tolist())
        self.assertEqual(np.array(given, copy=False).strides, np.array(value, copy=False).strides)

    def test_a_part_runs_on_another_programs_values(self):
        self.start(LIVE / "small_mlx.py")
        self.check_replay("act")

    def test_everything_is_put_back(self):
        held = {name: getattr(mx.array, name) for name in ("__add__", "reshape")}, nn.Linear.__call__, nn.Conv2d.__call__
        self.start(LIVE / "small_mlx.py")
        self.gradients()
        self.assertEqual(held, ({name: getattr(mx.array, name) for name in ("__add__", "reshape")}, nn.Linear.__call__, nn.Conv2d.__call__))
        self.assertIs(self.asks.port.mx, mx)

    def test_what_is_compiled_is_part_of_the_module_around_it(self):
        self.net("""
            act = nn.ReLU()
            whole = mx.compile(lambda x: act(x) * 2)
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.act = act
                def __call__(self, x):
                    return whole(x)
            def build():
                return Net()
            """)
        found = self.forward({"x": np.array([-1, 2], np.float32)})
        self.assertEqual(found.tensors["output"].tolist(), [0, 4])
        self.assertEqual(found.inputs("output"), ["x"])

    def test_what_is_tied_is_one_parameter(self):
        self.net("""
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.a, self.b = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
                    self.b.weight = self.a.weight
                def __call__(self, x):
                    return self.b(self.a(x))
            def build():
                return Net()
            """)
        self.assertEqual([row["name"] for row in self.written("parameters").parameters], ["a.weight"])
        self.check_tied(runs=[False], **{"b.weight": "a.weight"})
        self.ask("load", values=self.file({"a.weight": np.diag(np.array([2, 3], np.float32))}))
        self.assertEqual(self.forward({"x": np.ones((1, 2), np.float32)}).tensors["output"].tolist(), [[4, 9]])

    def test_a_layer_may_hold_a_function_of_the_framework(self):
        self.net("def build():\n    return nn.TransformerEncoder(1, 4, 2, 8)\n")
        found = self.forward({"x": np.ones((1, 3, 4), np.float32), "mask": np.zeros((3, 3), np.float32)})
        self.assertIn("layers.0.attention", found.tensors)

    def test_a_network_that_holds_what_is_compiled_is_refused(self):
        self.net("class Net(nn.Module):\n    def __call__(self, x):\n        return x\ndef build():\n    net = Net()\n    net.f = mx.compile(lambda x: x)\n    return net\n")
        with self.assertRaisesRegex(TypeError, "keep functions that are compiled outside"):
            self.forward({"x": np.ones(1, np.float32)})

    def test_steps_of_training_are_those_of_numpy_and_those_of_its_own_defaults_are_not(self):
        self.check_steps("steps_mlx.py", {4: (0, 3, 1, 2)}, 1e-4, [("adam", "correction"), ("adam", "decoupled"), ("adamw", "every"), ("nesterov", "nesterov")], f64=False)


if __name__ == "__main__":
    unittest.main()
