"""The worker of Paddle: `.native/ports/paddle/python -m unittest discover -s scripts/parity_port/tests -p test_paddle.py`."""

import importlib.util
import unittest

import numpy as np
from asked import LIVE, near
from chains import Chains

HAS = importlib.util.find_spec("paddle") is not None
if HAS:
    import paddle
    from paddle import nn


@unittest.skipUnless(HAS, "paddle is not installed here: scripts/setup_ports paddle")
class Paddle(Chains):
    head = "import paddle\nfrom paddle import nn\n"

    def test_it_says_what_it_is(self):
        told = self.start(LIVE / "small_paddle.py")
        self.assertEqual((told["framework"], told["class"], told["lacks"]), ("paddle", "small_paddle.Net", {}))
        self.assertEqual(told["abilities"], ["inputs", "targets", "postprocess", "losses", "assign", "f64", "isolation", "gradients"])

    def test_the_faithful_network_is_the_one_of_numpy_in_f64_and_the_default_is_not(self):
        found = self.check_faithful(LIVE / "small_paddle.py", "pool")
        self.assertTrue(found.header["modules"]["pool"]["hyper"]["exclusive"])

    def test_calls_and_functions_are_recorded_in_order_with_what_they_are_computed_from(self):
        self.start(LIVE / "small_paddle.py")
        found = self.forward()
        self.assertEqual([call["module"] for call in found.header["calls"]][:4], ["", "level", "stem", "norm"])
        self.assertEqual((found.inputs("stem"), found.inputs("add()"), found.inputs("softmax()")), (["level"], ["act", "up"], ["truediv()"]))
        self.assertRegex(found.header["tensors"]["softmax()"]["at"], r"small_paddle\.py:\d+$")
        told = found.header["modules"]["norm"]
        self.assertEqual((told["class"], told["hyper"]["epsilon"], told["training"]), ("paddle.nn.layer.norm.BatchNorm2D", 2**-10, False))
        self.assertTrue(found.header["modules"]["level"]["training"])
        self.assertTrue(self.forward(training=True).header["modules"]["norm"]["training"])

    def test_running_statistics_are_parameters_that_do_not_train(self):
        self.start(LIVE / "small_paddle.py")
        kinds = {row["name"]: (row["kind"], row["trainable"]) for row in self.written("parameters").parameters}
        self.assertEqual((kinds["norm._variance"], kinds["norm.weight"]), (("parameter", False), ("parameter", True)))

    def test_what_is_tied_is_one_parameter_and_what_no_checkpoint_holds_is_none(self):
        self.net("def build():\n    return nn.GRU(3, 2)\n")
        names = [row["name"] for row in self.written("parameters").parameters]
        self.assertEqual(names, ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"])

    def test_gradients_are_those_of_the_framework(self):
        self.start(LIVE / "small_paddle.py")
        found, port, model = self.gradients().tensors, self.asks.port, self.asks.network.model
        port.losses(model(port.inputs()), port.targets())["cls"].backward()
        self.assertTrue(near(found["grad.cls.stem.weight"], model.stem.weight.grad.numpy(), 1e-6))
        # By the sum over places, the gradient by what a norm returned is that by its bias.
        self.assertTrue(near(found["grad.cls.norm"].sum((0, 2, 3)), found["grad.cls.norm.bias"], 1e-5))
        self.assertTrue(near(found["grad.cls.mean()"], found["grad.cls.head"] @ model.head.weight.numpy().T, 1e-5))

    def test_what_is_written_into_is_another_tensor(self):
        self.net("""
            class Net(nn.Layer):
                def __init__(self):
                    super().__init__()
                    self.act = nn.ReLU()
                def forward(self, x):
                    y = self.act(x)
                    y[0] = 7
                    return self.act(y)
            def build():
                return Net()
            """)
        found = self.forward({"x": np.array([-1, 2], np.float32)})
        self.assertEqual((found.tensors["act"].tolist(), found.tensors["setitem()"].tolist()), ([0, 2], [7, 2]))
        self.assertEqual((found.inputs("setitem()"), found.inputs("act#2")), (["act"], ["setitem()"]))

    def test_dropout_draws_the_same_every_time_and_a_run_in_training_leaves_nothing(self):
        self.net("""
            class Net(nn.Layer):
                def __init__(self):
                    super().__init__()
                    self.norm, self.drop = nn.BatchNorm1D(3), nn.Dropout(0.5)
                def forward(self, x):
                    return self.drop(self.norm(x))
            def build():
                return Net()
            """)
        self.check_dropout()

    def test_a_number_beside_integers_is_f64_in_a_run_in_f64(self):
        self.net("""
            class Net(nn.Layer):
                def forward(self, x):
                    return x + 0.5, x / 2
            def build():
                return Net()
            """)
        self.check_numbers()

    def test_what_is_shared_is_listed_once_with_its_other_names(self):
        self.net("""
            class Net(nn.Layer):
                def __init__(self):
                    super().__init__()
                    self.a, self.b = nn.Linear(2, 2, bias_attr=False), nn.Linear(2, 2, bias_attr=False)
                    self.b.weight = self.a.weight
                def forward(self, x):
                    return self.b(self.a(x))
            def build():
                return Net()
            """)
        self.check_tied(**{"b.weight": "a.weight"})

    def test_a_part_runs_on_another_programs_values(self):
        self.start(LIVE / "small_paddle.py")
        self.check_replay("act")

    def test_everything_is_put_back(self):
        held = paddle.Tensor.__add__, nn.Linear.__call__, nn.Layer.__call__
        self.start(LIVE / "small_paddle.py")
        self.gradients()
        self.assertEqual(held, (paddle.Tensor.__add__, nn.Linear.__call__, nn.Layer.__call__))
        self.assertIs(self.asks.port.nn, nn)

    def test_steps_of_training_are_those_of_numpy_and_those_of_its_own_defaults_are_not(self):
        self.check_steps("steps_paddle.py", {2: (1, 0)}, 1e-11, [("sgd", "momentum"), ("sgd", "biased"), ("momentum", "clip"), ("momentum", "values"), ("adam", "decoupled"), ("adamw", "every")])

    def test_a_pool_whose_gradient_is_none_of_f64_is_told(self):
        self.net("""
            class Net(paddle.nn.Layer):
                def __init__(self):
                    super().__init__()
                    self.conv, self.pool = paddle.nn.Conv2D(1, 2, 3, padding=1), paddle.nn.AvgPool2D(3)
                def forward(self, x):
                    return self.pool(self.conv(x))
            def build():
                return Net()
            def inputs():
                return paddle.linspace(-1, 1, 36).reshape([1, 1, 6, 6])
            def targets():
                return {}
            def losses(outputs, targets):
                return outputs.square().mean()
            def optimizer(network):
                return paddle.optimizer.SGD(0.1, parameters=network.parameters())
            """)
        found = self.step(self.written("state").path, 0, f64=True).tensors
        lacks = {name: value for name, value in found.items() if name.startswith("unproved.")}
        self.assertEqual(list(lacks), ["unproved.AvgPool2D"])
        self.assertTrue(1e-10 < lacks["unproved.AvgPool2D"] < 1e-7)


if __name__ == "__main__":
    unittest.main()
