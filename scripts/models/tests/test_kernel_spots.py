"""Every family of kernels at spots worked out by hand, and gradients at its edges."""

import math
import unittest

from setting import torch

import numpy as np
from kernel_graphs import NAMED, module, run
from kernel_inputs import inputs, on_grids

EIGHT_ROUNDINGS = 8 * 2.0**-24  # no formula below has more between input and output


class Elements(unittest.TestCase):
    def check(self, name, fed, **wanted):
        found = run(NAMED[name], {k: torch.tensor(v) for k, v in fed.items()})
        for output, value in wanted.items():
            wanted = np.array(value, found[output].dtype)
            np.testing.assert_allclose(found[output], wanted, rtol=EIGHT_ROUNDINGS, atol=EIGHT_ROUNDINGS, err_msg=name)

    def test_similarities_of_two_squares_that_share_a_seventh(self):
        a, b = [[0.0, 0.0, 2.0, 2.0]], [[1.0, 1.0, 3.0, 3.0]]
        siou = 1 / 7 - (1 - math.exp(-1 / 9))  # sin α = √½, so Λ = 1; shapes are equal
        rows = dict(iou_yolov6=1 / 7, iou_mmdet=1 / 7, giou_yolov6=1 / 7 - 2 / 9, giou_mmdet=1 / 7 - 2 / 9, siou_yolov6=siou)
        rows |= dict(ciou_ultralytics=1 / 7 - 1 / 9, iou_yolov6_loss=1 / 7, diou_yolov6=1 / 7 - 1 / 9, ciou_yolov6=1 / 7 - 1 / 9)
        for name, value in rows.items():
            self.check(name, dict(a=a, b=b), similarity=[value])
        for name in ("siou", "giou"):
            self.check(f"box_loss_{name}", dict(pred=a, target=b), loss=[1 - rows[f"{name}_yolov6"]])
        # 1e-6 beside a union of 7, heights of 2, a diagonal of 18 and offsets of 1 moves these by up to 2e-6.
        for name, value in dict(diou=1 / 7 - 1 / 9, ciou=1 / 7 - 1 / 9, siou=1 / 7 - (1 - math.exp(1 / 9))).items():
            found = run(NAMED[f"{name}_mmdet"], dict(a=torch.tensor(a), b=torch.tensor(b)))["similarity"][0]
            self.assertLess(abs(float(found) - value), 2e-6, name)

    def test_losses_of_one_element(self):
        self.check("bce", dict(p=[0.0, 1.0, 0.5], target=[1.0, 0.25, 0.5]), loss=[100, 75, math.log(2)])
        self.check("bce_logits", dict(x=[0.0, 1e3, -1e3, 1e3], target=[0.3, 1.0, 1.0, 0.0]), loss=[math.log(2), 0, 1e3, 1e3])
        self.check("focal", dict(x=[0.0, 0.0], positive=[1.0, 0.0]), loss=[math.log(2) / 16, 3 * math.log(2) / 16])
        for name in ("varifocal", "varifocal_detached"):
            fed = dict(p=[0.5, 0.5], quality=[0.8, 0.0], positive=[1.0, 0.0])
            self.check(name, fed, loss=[0.8 * math.log(2), 0.75 / 4 * math.log(2)])
        self.check("quality_focal", dict(x=[0.0, 0.0], quality=[0.5, 0.9]), loss=[0, 0.16 * math.log(2)])

    def test_losses_of_rows(self):
        even = [[0.0] * 17] * 2
        self.check("dfl", dict(x=even, target=[3.25, 99.0]), loss=[math.log(17)] * 2, mean=[8, 8])
        likely = [[math.log(3.0)] + [0.0] * 16]
        self.check("dfl", dict(x=likely, target=[0.25]), loss=[math.log(19) - 0.75 * math.log(3)], mean=[136 / 19])
        fed = dict(logits=[[0.0, 0.0], [math.log(3.0), 0.0], [9.0, 0.0]], labels=[1, 0, -1])
        self.check("cross_entropy", fed, loss=(math.log(2) + math.log(4 / 3)) / 2, counted=2)
        self.check("cross_entropy", fed | dict(labels=[-1] * 3), loss=math.nan, counted=0)
        fed |= dict(labels=[1, 0, 7], weight=[1.0, 3.0], ignore=7)
        self.check("cross_entropy_weighted", fed, loss=(3 * math.log(2) + math.log(4 / 3)) / 4, counted=2)
        self.check("cross_entropy_weighted", fed | dict(weight=[0.0, 0.0]), loss=math.nan, counted=2)
        self.check("dfl_any", dict(x=[[0.0] * 5] * 2, target=[3.25, 99.0]), loss=[math.log(5)] * 2, mean=[2, 2])
        self.check("dfl_any", dict(x=likely, target=[0.25]), loss=[math.log(19) - 0.75 * math.log(3)], mean=[136 / 19])
        keys = [[[3.0, 0.0], [0.0, 1.0]]] * 2
        self.check("info_nce", dict(query=[[5.0, 0.0], [0.0, 0.0]], keys=keys), loss=[math.log1p(math.exp(-1 / 0.07)), math.log(2)])

    def test_weights_change_at_the_areas_of_32_and_96_squared(self):
        sides = [31.9, 32.0, 95.9, 96.0]
        boxes = [[5.0, 5.0, 5 + side, 5 + side] for side in sides] * 2
        fed = dict(boxes=boxes, foreground=[True] * 4 + [False] * 4)
        self.check("size_weight", fed, by_size=[2, 1.5, 1.5, 1] + [1] * 4, foreground_only=[2, 1.5, 1.5, 1] + [0] * 4)

    def test_anchors_run_along_rows_and_squares_stand_around_them(self):
        found = run(NAMED["anchors"], dict(p3=torch.zeros(1, 1, 2, 3), p4=torch.zeros(1, 1, 1, 2), p5=torch.zeros(1, 1, 1, 1)))
        self.assertEqual(found["points"][:4].tolist(), [[0.5, 0.5], [1.5, 0.5], [2.5, 0.5], [0.5, 1.5]])
        self.assertEqual(found["pixels"][5:].tolist(), [[20, 12], [8, 8], [24, 8], [16, 16]])
        self.assertEqual(found["strides"].tolist(), [8] * 6 + [16] * 2 + [32])
        self.assertEqual(found["squares_yolov6"][6].tolist(), [-32, -32, 48, 48])
        self.assertEqual(found["squares_mmdet"][6].tolist(), [-64, -64, 64, 64])


class Dialects(unittest.TestCase):
    """On 64 points of stride 8, three classes, one score and one predicted box for all anchors."""

    YOLOV6, U83, U84, MMDET = "yolov6", "ultralytics_8_3_155", "ultralytics_8_4", "mmdet_3_3"

    def assign(self, dialect, objects, score=0.5, predicted=None):
        kernel = NAMED[f"task_aligned_{dialect}"]
        rows = objects or [(2, 0, 0, 0, 0)]
        boxes = torch.tensor([[predicted or rows[0][1:]] * 64]).float()
        fed = dict(pred_scores=torch.full((1, 64, 3), score), pred_boxes=boxes)
        fed |= dict(points=on_grids(kernel)["points"][:64], gt_labels=torch.tensor([[row[0] for row in rows]]))
        fed |= dict(gt_boxes=torch.tensor([[row[1:] for row in rows]]).float(), gt_count=torch.tensor([len(objects)]))
        return {name: value[0] for name, value in run(kernel, fed).items()}

    def check(self, row, score=0.5, **positives):
        for dialect, wanted in positives.items():
            found = self.assign(getattr(self, dialect), [row], score)["fg_mask"]
            self.assertEqual(np.flatnonzero(found).tolist(), list(wanted), dialect)

    def test_among_equals_the_lowest_anchors_fill_the_top_k(self):
        self.check((2, 0, 0, 64, 64), YOLOV6=range(13), U83=range(10), U84=range(10), MMDET=range(13))

    def test_only_ultralytics_8_4_enlarges_small_boxes(self):
        self.check((2, 7, 7, 9, 9), YOLOV6=[], U83=[], U84=[0, 1, 8, 9], MMDET=[])

    def test_points_outside_use_up_places_in_mmdet_only(self):
        corner = [54, 55, 62, 63]
        self.check((2, 48, 48, 64, 64), YOLOV6=corner, U83=corner, U84=corner, MMDET=[])

    def test_a_metric_of_zero_may_become_positive_except_in_mmdet(self):
        near = [0, 1, 8, 9]
        self.check((2, 0, 0, 16, 16), score=0.0, YOLOV6=near, U83=near, U84=near, MMDET=[])

    def test_a_box_mostly_left_of_the_image_is_dropped_except_in_mmdet(self):
        self.check((2, -50, -30, 20, 20), YOLOV6=[], U83=[], U84=[], MMDET=[0, 1, 8, 9])

    def test_an_anchor_in_several_boxes_goes_where_the_dialect_says(self):
        objects = [(0, 0, 0, 30, 30), (1, 0, 0, 34, 34), (2, 5, 5, 60, 60)]
        for dialect, owner in {self.YOLOV6: 2, self.U83: 1, self.U84: 1, self.MMDET: 1}.items():
            found = self.assign(dialect, objects, predicted=(0, 0, 58, 58))
            self.assertEqual((found["gt_index"][0], found["target_labels"][0]), (owner, owner), dialect)

    def test_the_best_anchor_gets_its_overlap_as_target_and_background_its_label(self):
        row, none = (2, 0, 0, 16, 16), []
        for dialect, background, without in ((self.YOLOV6, 2, 3), (self.U83, 2, 3), (self.U84, 2, 3), (self.MMDET, -1, -1)):
            found = self.assign(dialect, [row])
            np.testing.assert_allclose(found["target_scores"][0], [0, 0, 1], rtol=1e-6, atol=0)  # 1e-7 over a metric of ½
            self.assertEqual((found["target_labels"][63], found["gt_index"][63]), (background, 0), dialect)
            self.assertEqual(found["target_boxes"][63].tolist(), [0] * 4 if background < 0 else list(row[1:]))
            found = self.assign(dialect, none)
            self.assertEqual((found["fg_mask"].sum(), set(found["target_labels"])), (0, {without}), dialect)

    def test_atss_tells_reaching_from_exceeding_and_background_from_row_zero(self):
        for dialect, positive, label, box in (("yolov6", 0, 3, [0, 0, 16, 16]), ("mmdet_3_3", 4, -1, [0] * 4)):
            kernel = NAMED[f"atss_{dialect}"]
            squares = on_grids(NAMED["atss_yolov6"])["squares"][[0, 1, 8, 9, 63]]  # the first four contain the object
            fed = dict(pred_scores=torch.full((1, 5, 3), 0.5), pred_boxes=torch.zeros(1, 5, 4), squares=squares)
            fed |= dict(level=torch.tensor([0, 0, 0, 0, 0]), gt_labels=torch.tensor([[1]]), gt_boxes=torch.tensor([[[0, 0, 16, 16.0]]]))
            four = {k: v[:4] if k in ("squares", "level") else v[:, :4] if k.startswith("pred") else v for k, v in fed.items()}
            found = run(kernel, four | dict(gt_count=torch.tensor([1])))
            self.assertEqual(found["fg_mask"].sum(), positive, dialect)
            found = run(kernel, fed | dict(gt_count=torch.tensor([1])))
            self.assertEqual((found["target_labels"][0, 4], found["target_boxes"][0, 4].tolist()), (label, box), dialect)

    def test_a_single_candidate_has_no_deviation_and_is_not_positive(self):
        for kernel in (NAMED["atss_yolov6"], NAMED["atss_mmdet_3_3"]):
            fed = inputs(kernel, anchors=slice(1), B=1, G=1)
            centred = torch.tensor([[[-9.0, -9.0, 17.0, 17.0]]])
            self.assertEqual(run(kernel, fed | dict(gt_boxes=centred, gt_count=torch.tensor([1])))["fg_mask"].sum(), 0)

    def test_an_image_without_objects_beside_one_with_some_reads_row_zero_as_class_zero(self):
        for dialect, label in ((self.YOLOV6, 0), (self.U84, 0), (self.MMDET, -1)):
            found = run(NAMED[f"task_aligned_{dialect}"], inputs(NAMED[f"task_aligned_{dialect}"]))
            self.assertEqual((found["fg_mask"][0].sum(), set(found["target_labels"][0])), (0, {label}), dialect)


class Losses(unittest.TestCase):
    def test_without_truths_only_the_classes_cost_something(self):
        kernel = NAMED["gold_yolo_n"]
        fed = inputs(kernel, B=1, C=20) | dict(pred_scores=torch.full((1, 84, 20), 0.01), gt_count=torch.tensor([0]))
        found = run(kernel, fed)
        wanted = -math.log(0.99) * 0.75e-4 * 84 * 20
        np.testing.assert_allclose(found["loss.cls"], wanted, rtol=84 * 20 * 2.0**-24)
        self.assertEqual((found["loss.iou"], found["loss.dfl"], found["loss.normaliser"]), (0, 0, 1))
        kernel = NAMED["v8_detection_8_4"]
        found = run(kernel, inputs(kernel, B=2, C=5) | dict(pred_scores=torch.zeros(2, 84, 5), gt_count=torch.tensor([0, 0])))
        np.testing.assert_allclose(found["loss.total"], 2 * 0.5 * math.log(2) * 2 * 84 * 5, rtol=840 * 2.0**-24)
        self.assertEqual((found["loss.box"], found["loss.dfl"], found["loss.normaliser"]), (0, 0, 1))

    def test_the_naive_patch_takes_the_background_out_and_weights_leave_the_normaliser(self):
        fed = inputs(NAMED["v8_detection_naive"])
        plain, by_size, naive = (run(NAMED[f"v8_detection_{name}"], fed) for name in ("8_3_155", "by_size", "naive"))
        self.assertEqual(plain["loss.normaliser"], by_size["loss.normaliser"])
        self.assertLess(naive["loss.cls"], plain["loss.cls"])
        self.assertLess(plain["loss.cls"], by_size["loss.cls"])
        self.assertEqual((naive["loss.box"], naive["loss.dfl"]), (by_size["loss.box"], by_size["loss.dfl"]))
        gradient = self.gradients(NAMED["v8_detection_naive"], fed, "loss.total")["pred_scores"]
        self.assertEqual(gradient[~torch.from_numpy(naive["assign.fg_mask"])].abs().sum(), 0)

    def gradients(self, kernel, fed, of):
        free = {name: x.clone().requires_grad_() for name, x in fed.items() if name in ("pred_scores", "pred_distri", "query", "logits")}
        value = module(kernel, fed | free)[of].sum()
        return dict(zip(free, torch.autograd.grad(value, free.values())))

    def test_gradients_are_finite_with_no_truth_empty_boxes_and_saturated_scores(self):
        for kernel in (k for k in NAMED.values() if {"pred_scores", "loss.total"} <= {*k.inputs, *k.outputs}):
            fed = inputs(kernel)
            fed["pred_scores"][:, ::7], fed["pred_scores"][:, 1::7] = (-1e3, 1e3) if kernel.name.startswith("v8") else (0, 1)
            fed["pred_distri"][:, ::5] = 0
            for counts in (fed["gt_count"], fed["gt_count"] * 0):
                for name, gradient in self.gradients(kernel, fed | dict(gt_count=counts), "loss.total").items():
                    self.assertTrue(gradient.isfinite().all(), f"{kernel.name} {name}")

    def test_gradients_are_finite_where_a_row_says_nothing(self):
        fed = dict(logits=torch.ones(2, 3), labels=torch.tensor([-1, -1]))
        self.assertEqual(self.gradients(NAMED["cross_entropy"], fed, "loss")["logits"].tolist(), [[0.0] * 3] * 2)
        fed = dict(query=torch.zeros(1, 2), keys=torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
        self.assertTrue(self.gradients(NAMED["info_nce"], fed, "loss")["query"].isfinite().all())


if __name__ == "__main__":
    unittest.main()
