"""Every kernel's graph computes what its module computes, in any size and with any padding, and the committed files are current."""

import re
import unittest

from setting import ROOT, torch

import numpy as np
from kernel_graphs import GOLDEN, NAMED, double, exported, module, run
from kernel_inputs import inputs

from kernels import export, table

UNIT = 2.0**-24
WITH_TRUTH = [kernel for kernel in table.ALL if "gt_count" in kernel.inputs]
SMALLEST = dict(N=1, B=1, C=1, G=1, P=1, D=1, K=1, R=2, Q=1, h3=1, w3=3, h4=1, w4=1, h5=1, w5=1)


class Graphs(unittest.TestCase):
    """Whole numbers are equal. A real may be off by √n times PyTorch's own error, which is measured against f64 and is one rounding
    of the tensor's largest at least: n roundings one after the other, each of which may fall the other way."""

    def check(self, kernel, fed):
        found, wanted, exact = run(kernel, fed), module(kernel, fed), module(kernel, double(fed))
        for name, value in wanted.items():
            mine, theirs = found[name], value.numpy()
            self.assertEqual((mine.dtype, mine.shape), (theirs.dtype, theirs.shape), f"{kernel.name} {name}")
            if mine.dtype == np.float32:
                own = max(np.abs(theirs - exact[name].numpy()).max(initial=0), UNIT * np.abs(theirs).max(initial=0))
                self.assertLessEqual(np.abs(mine - theirs).max(initial=0), self.roundings(kernel) ** 0.5 * own, f"{kernel.name} {name}")
            else:
                self.assertTrue(np.array_equal(mine, theirs), f"{kernel.name} {name}")

    def roundings(self, kernel):
        return len(exported(kernel.name).graph.node)

    def test_they_equal_their_modules_in_other_sizes_than_the_examples(self):
        for kernel in table.ALL:
            for seed in range(2):
                self.check(kernel, inputs(kernel, seed))
            self.check(kernel, inputs(kernel, 2, **SMALLEST))

    def test_no_truth_in_any_image_runs_through_the_same_nodes(self):
        for kernel in WITH_TRUTH:
            fed = inputs(kernel)
            self.check(kernel, fed | {"gt_count": fed["gt_count"] * 0})

    def test_the_committed_files_are_what_export_writes(self):
        for kernel in table.ALL:
            path = GOLDEN / f"{kernel.name}.onnx"
            self.assertEqual(export.written(exported(kernel.name)), path.read_bytes(), f"{kernel.name}: run scripts/models/export_kernels")
        self.assertEqual({p.stem for p in GOLDEN.glob("*")}, {k.name for k in table.ALL})

    def test_each_needs_only_operators_that_parity_knows(self):
        known = set(re.findall(r"ai.onnx \| (\w+) ", (ROOT / "docs/OPERATORS.md").read_text()))
        for kernel in table.ALL:
            self.assertLessEqual({n.op_type for n in exported(kernel.name).graph.node if not n.domain}, known, kernel.name)

    def test_each_stops_the_gradient_as_often_as_its_row_says(self):
        for kernel in table.ALL:
            nodes = exported(kernel.name).graph.node
            self.assertEqual(sum(n.op_type == "StopGradient" for n in nodes), kernel.stops, kernel.name)


class Padding(unittest.TestCase):
    def test_what_padded_rows_hold_has_no_influence(self):
        for kernel in WITH_TRUTH:
            fed = inputs(kernel)
            padded = torch.arange(fed["gt_labels"].shape[1]) >= fed["gt_count"].unsqueeze(1)
            garbage = dict(gt_labels=torch.tensor(-(2**40)), gt_boxes=torch.tensor([9.0, 60.0, 3e38, -3e38]))
            other = {n: torch.where(padded.reshape(fed[n].shape[:2] + (1,) * (fed[n].dim() - 2)), v, fed[n]) for n, v in garbage.items()}
            found, wanted = run(kernel, fed | other), run(kernel, fed)
            for name in kernel.outputs:
                self.assertTrue(np.array_equal(found[name], wanted[name]), f"{kernel.name} {name}")

    def test_more_rows_of_padding_change_no_decision(self):
        for kernel in WITH_TRUTH:
            fed = inputs(kernel)
            more = {n: torch.cat([fed[n], fed[n]], 1) for n in ("gt_labels", "gt_boxes")}
            found, wanted = run(kernel, fed | more), run(kernel, fed)
            for name in (n for n, port in kernel.outputs.items() if not port.startswith("f32")):
                self.assertTrue(np.array_equal(found[name], wanted[name]), f"{kernel.name} {name}")


class FewAnchors(unittest.TestCase):
    def test_dialects_that_take_all_they_find_do_so(self):
        few = {"task_aligned_mmdet_3_3": slice(20, 25), "atss_yolov6": slice(61, 66), "atss_mmdet_3_3": slice(80, 84)}
        for name, anchors in few.items():
            Graphs().check(NAMED[name], inputs(NAMED[name], anchors=anchors))

    def test_the_others_refuse(self):
        for name in ("task_aligned_yolov6", "task_aligned_ultralytics_8_4", "v8_detection_naive", "gold_yolo_n"):
            with self.assertRaises(Exception):
                run(NAMED[name], inputs(NAMED[name], anchors=slice(9)))


if __name__ == "__main__":
    unittest.main()
