"""The network has the published counts, shapes, norms and initial values."""

import unittest

from setting import drawn, torch, truths

import torch.nn.functional as F
from torch import nn

from gold_yolo import forms
from gold_yolo.anchors import grids_of
from gold_yolo.network import Network
from gold_yolo.norm import BatchNorm
from gold_yolo.sampling import averaging

COUNTS = {
    "backbone.stem": 480,
    "backbone.stage2": 23_328,
    "backbone.stage3": 166_848,
    "backbone.stage4": 961_152,
    "backbone.stage5": 1_986_816,
    "neck.low_ifm": 305_376,
    "neck.c5h": 16_512,
    "neck.laf_p4": 20_736,
    "neck.inject_p4": 12_672,
    "neck.rep_p4": 148_224,
    "neck.p4h": 2_112,
    "neck.laf_p3": 5_248,
    "neck.inject_p3": 3_264,
    "neck.rep_p3": 37_248,
    "neck.high_ifm": 642_560,
    "neck.conv_1x1_n": 67_776,
    "neck.inject_n4": 12_672,
    "neck.rep_n4": 148_224,
    "neck.inject_n5": 49_920,
    "neck.rep_n5": 591_360,
    "head.stems": 21_952,
    "head.cls_convs": 193_984,
    "head.reg_convs": 193_984,
    "head.cls_preds": 4_540,
    "head.reg_preds": 908,
    "backbone": 3_138_624,
    "neck": 2_063_904,
    "head": 415_402,
    "": 5_617_930,
}


def count(module):
    return sum(p.numel() for p in module.parameters())


class GoldYolo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.network = Network()

    def test_every_module_has_its_published_number_of_parameters(self):
        self.assertEqual({path: count(self.network.get_submodule(path)) for path in COUNTS}, COUNTS)
        self.assertEqual(count(Network(block="repvgg")), 6_048_970)

    def test_parameters_and_state(self):
        parameters = list(self.network.parameters())
        self.assertEqual(sum(p.numel() for p in parameters if not p.requires_grad), 34)
        self.assertEqual(sum(p.requires_grad for p in parameters), 314)
        self.assertEqual(sum(v.numel() for v in self.network.state_dict().values()), 5_635_904)

    def test_norms(self):
        kinds = [(m.eps, m.momentum) for m in self.network.modules() if isinstance(m, BatchNorm)]
        self.assertEqual((kinds.count((1e-3, 0.03)), kinds.count((1e-5, 0.1)), len(kinds)), (62, 24, 86))

    def test_anchors_per_image_size(self):
        for size, wanted in ((500, 5249), (640, 8400), (416, 3549), (128, 336)):
            self.assertEqual(sum(h * w for h, w in grids_of((size, size))), wanted)

    def test_an_untrained_head_predicts_one_percent_everywhere(self):
        for reg_max in (0, 16):
            out = Network(reg_max=reg_max).eval()(drawn(2, 3, 128, 96))
            self.assertEqual(list(out.shape), [2, 252, 25])
            self.assertTrue((out[..., 4] == 1).all())
            torch.testing.assert_close(out[..., 5:], torch.full_like(out[..., 5:], 0.01))
            sides = 2.0 if reg_max == 0 else 16.0  # the mean of equal bins 0..16 is 8
            torch.testing.assert_close(out[0, :192, 2:4], torch.full((192, 2), sides * 8))

    def test_at_step_0_only_the_prediction_layers_have_gradients(self):
        module, _, names = forms.build(forms.Choice(size=(128, 128), gt=4))
        found = dict(zip(names, module(drawn(1, 3, 128, 128), *truths((3, 10, 10, 120, 100)))))
        found["loss.total"].backward()
        moved = [n for n, p in module.named_parameters() if p.grad is not None and p.grad.any()]
        self.assertTrue(moved and all("_preds." in name for name in moved), moved)


class Parts(unittest.TestCase):
    def test_averaging_matrices_are_adaptive_pooling(self):
        for to, of in ((32, 125), (63, 125), (32, 63), (8, 63), (3, 7), (5, 5)):
            x = drawn(1, 2, of, of + 4, dtype=torch.float64)
            mine = averaging(to, of).double() @ x @ averaging(to, of + 4).double().t()
            torch.testing.assert_close(mine, F.adaptive_avg_pool2d(x, to), rtol=3e-7, atol=0)

    def test_a_norm_hands_out_what_pytorch_writes_in_place(self):
        mine, theirs, x = BatchNorm(5), nn.BatchNorm2d(5, 1e-3, 0.03), drawn(2, 5, 4, 3, low=-2)
        self.assertTrue(torch.equal(mine.train()(x), theirs.train()(x)))
        self.assertEqual(mine.running_mean.abs().sum(), 0)
        mine.commit()
        for a, b in zip(mine.buffers(), theirs.buffers()):
            self.assertTrue(torch.equal(a, b))


if __name__ == "__main__":
    unittest.main()
