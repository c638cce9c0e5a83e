"""The exported graphs compute what PyTorch computes, keep every detach, and the committed skeletons are current."""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from setting import ROOT, drawn, torch, truths

import numpy as np
import onnx
import onnxruntime
from parity_port import weights
from safetensors import safe_open

from gold_yolo import forms, skeleton
from gold_yolo.forms import Choice
from gold_yolo.stop_gradient import StopGradient

GOLDEN = ROOT / "golden/gold_yolo"
NOT_YET_IN_PARITY = {"Asin"}
ROWS = [(3, 4, 4, 60, 40), (7, 10, 20, 120, 122), (3, 30, 2, 50, 22)]
UNIT = 2.0**-24


def fed(choice):
    module, shapes, outputs = forms.build(choice)
    forms.seed(module, 0)
    labels, boxes = truths(*ROWS, pad=choice.gt)
    values = {"images": drawn(*shapes["images"].shape) if "images" in shapes else None, "gt_labels": labels, "gt_boxes": boxes}
    if choice.form == "loss":
        values["pred_scores"] = drawn(*shapes["pred_scores"].shape, low=0.005, high=0.5)
        values["pred_distri"] = drawn(*shapes["pred_distri"].shape, low=0.4, high=2.0, seed=1)
    return module, {name: values[name] for name in shapes}, outputs


def run(model, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, {k: v.numpy() for k, v in inputs.items()})))


def written(exported, module):
    """The bytes that scripts/models/export writes."""
    frozen = [n for n, p in module.named_parameters() if not p.requires_grad]
    return skeleton.stripped(exported.model, set(module.state_dict()), frozen, 0).SerializeToString(deterministic=True)


class Equal(unittest.TestCase):
    """Whole numbers are equal. A real may be off by √n times PyTorch's own error, which is measured against f64 and is one
    rounding of the tensor's largest at least: n terms of the longest sum, added in another order."""

    def check(self, choice, terms):
        exported, _ = forms.export(choice)
        module, inputs, outputs = fed(choice)
        marks = []
        for stop in (m for m in module.modules() if isinstance(m, StopGradient)):
            stop.register_forward_hook(lambda *_: marks.append(1))
        with torch.no_grad():
            wanted = module(*inputs.values())
            exact = module.double()(*(x.double() if x.is_floating_point() else x for x in inputs.values()))
        wanted, exact = (dict(zip(outputs, [y] if isinstance(y, torch.Tensor) else y)) for y in (wanted, exact))
        found, marks = run(exported.model, inputs), marks[: len(marks) // 2]
        self.assertEqual(set(found), set(wanted))
        for name, value in wanted.items():
            mine, theirs = found[name], value.numpy()
            self.assertEqual((mine.dtype, mine.shape), (theirs.dtype, theirs.shape), name)
            if mine.dtype == np.float32:
                own = max(np.abs(theirs - exact[name].numpy()).max(), UNIT * np.abs(theirs).max())
                self.assertLessEqual(np.abs(mine - theirs).max(), terms**0.5 * own, name)
            else:
                self.assertTrue(np.array_equal(mine, theirs), name)
        shapes = {o.name: [d.dim_value for d in o.type.tensor_type.shape.dim] for o in exported.model.graph.output}
        self.assertEqual(shapes, {name: list(value.shape) for name, value in wanted.items()})
        nodes = exported.model.graph.node
        self.assertEqual(sum(n.op_type == "StopGradient" for n in nodes), len(marks), "a detach was lost")
        self.assertEqual(len(marks), {"train": 2, "eval": 0, "loss": 1 if choice.assigner == "atss" else 2}[choice.form])
        known = set(re.findall(r"ai.onnx \| (\w+) ", (ROOT / "docs/OPERATORS.md").read_text()))
        self.assertLessEqual({n.op_type for n in nodes if not n.domain} - known, NOT_YET_IN_PARITY)
        return exported

    def test_the_training_step(self):
        exported = self.check(Choice("train"), terms=250 * 250)
        self.assertEqual(written(exported, forms.build(Choice("train"))[0]), (GOLDEN / "train.onnx").read_bytes(), "export it again")
        made = {o for node in exported.model.graph.node for o in node.output}
        self.assertLessEqual(set(exported.boundaries.values()), made)

    def test_the_eval_form_of_repvgg_with_distributions(self):
        self.check(Choice("eval", "repvgg", (128, 96), batch=2, reg_max=16), terms=9 * 256)

    def test_the_loss_with_every_choice(self):
        for choice in (Choice("loss"), Choice("loss", assigner="atss", overlap="giou", reg_max=16)):
            self.check(choice._replace(size=(128, 128), gt=4), terms=336 * 20)

    def test_no_truth_and_many_run_through_the_same_graph(self):
        choice = Choice("loss", size=(128, 128), gt=4)
        model, (module, inputs, outputs) = forms.export(choice)[0].model, fed(choice)
        for rows in ([], ROWS[:1], [ROWS[0]] * 4):
            inputs["gt_labels"], inputs["gt_boxes"] = truths(*rows)
            found, wanted = run(model, inputs), dict(zip(outputs, module(*inputs.values())))
            self.assertTrue(np.array_equal(found["assign.fg_mask"], wanted["assign.fg_mask"].numpy()))
            self.assertAlmostEqual(float(found["loss.total"]), float(wanted["loss.total"]), delta=336 * 20 * UNIT * 10)


class Golden(unittest.TestCase):
    def test_the_committed_skeletons_are_what_export_writes(self):
        for form in ("eval", "loss"):  # test_the_training_step has the third
            self.assertEqual(written(*forms.export(Choice(form))), (GOLDEN / f"{form}.onnx").read_bytes(), "export it again")

    def test_a_skeleton_fills_to_the_seeded_network(self):
        filled = skeleton.filled(onnx.load(GOLDEN / "eval.onnx"))
        drawn_again = {i.name: onnx.numpy_helper.to_array(i) for i in filled.graph.initializer}
        network = forms.seed(forms.build(Choice("eval"))[0], 0)
        for name, value in network.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                self.assertTrue(np.array_equal(drawn_again[name], value.numpy()), name)

    def test_every_digest_is_reproduced(self):
        told = json.loads((GOLDEN / "weights.json").read_text())
        for name, (shape, digest, _, _) in told["tensors"].items():
            self.assertEqual(hashlib.sha256(weights.array(name, tuple(shape), told["seed"]).tobytes()).hexdigest(), digest, name)


class Recording(unittest.TestCase):
    def test_a_recording_holds_every_tensor_of_the_golden(self):
        wanted = json.loads((GOLDEN / "pytorch/manifest.json").read_text())
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, ROOT / "scripts/models/record", folder], check=True)
            shapes = {}
            for path in Path(folder).iterdir():
                with safe_open(path, "np") as file:
                    shapes |= {name: file.get_slice(name).get_shape() for name in file.keys()}
        self.assertGreater(len(wanted["tensors"]), 1500)
        for name, tensor in wanted["tensors"].items():
            self.assertEqual(shapes.get(name), tensor["shape"], name)


if __name__ == "__main__":
    unittest.main()
