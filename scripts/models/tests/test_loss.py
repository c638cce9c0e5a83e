"""Assignment and loss: no, one, equal and many truths through one graph; gradients against finite differences."""

import itertools
import unittest

from setting import drawn, torch, truths

import torch.nn.functional as F

import naive
from gold_yolo.anchors import Anchors, grids_of
from gold_yolo.loss import Loss
from gold_yolo.terms import BoxLoss, CrossEntropy

SIZE = (64, 64)
GRIDS = grids_of(SIZE)
COUNT = sum(h * w for h, w in GRIDS)
ROWS = [(3, 4, 4, 60, 40), (7, 10, 20, 40, 62), (3, 30, 2, 50, 22)]


def head(reg_max=0, seed=0, dtype=torch.float64):
    scores = drawn(1, COUNT, 20, low=0.005, high=0.6, seed=seed, dtype=dtype)
    sides = drawn(1, COUNT, 4 * (reg_max + 1), low=0.4, high=2.5, seed=seed + 1, dtype=dtype)
    return scores, sides


class Assigning(unittest.TestCase):
    def test_it_equals_the_naive_assigner(self):
        points, strides = Anchors()(GRIDS, torch.zeros(1, dtype=torch.float64))
        for seed, count in itertools.product(range(3), (1, 2, 3)):
            scores, sides = head(seed=seed)
            labels, boxes = truths(*ROWS[:count], dtype=torch.float64)
            assigned, _ = Loss()(scores, sides, labels, boxes, GRIDS)
            low, high = sides.split(2, -1)
            pixels = torch.cat([points - low, points + high], -1)[0] * strides
            wanted = naive.task_aligned(*(x.tolist() for x in (scores[0], pixels, points * strides, labels[0], boxes[0])))
            owners = [int(g) if fg else None for g, fg in zip(assigned.gt_index[0], assigned.fg_mask[0])]
            self.assertEqual(owners, [owner for owner, _ in wanted])
            soft = torch.tensor([s for _, s in wanted], dtype=torch.float64)
            torch.testing.assert_close(assigned.target_scores[0].sum(-1), soft, rtol=1e-12, atol=1e-15)

    def test_padding_changes_nothing(self):
        for assigner in ("task_aligned", "atss"):
            few = Loss(assigner=assigner)(*head(), *truths(*ROWS, pad=3, dtype=torch.float64), GRIDS)
            many = Loss(assigner=assigner)(*head(), *truths(*ROWS, pad=9, dtype=torch.float64), GRIDS)
            for a, b in zip(few[0][:5] + few[1], many[0][:5] + many[1]):
                self.assertTrue(torch.equal(a, b))

    def test_of_equal_truths_the_first_owns_all(self):
        assigned, losses = Loss()(*head(), *truths(ROWS[0], ROWS[0], dtype=torch.float64), GRIDS)
        self.assertEqual((int(assigned.fg_mask.sum()), int(assigned.gt_index.max())), (13, 0))
        self.assertTrue(losses.total.isfinite())

    def test_without_truths_nothing_is_positive_and_labels_are_background(self):
        for assigner in ("task_aligned", "atss"):
            assigned, _ = Loss(assigner=assigner)(*head(), *truths(dtype=torch.float64), GRIDS)
            self.assertEqual((int(assigned.fg_mask.sum()), assigned.target_labels.unique().tolist()), (0, [20]))
            self.assertEqual(float(assigned.target_scores.abs().sum()), 0)

    def test_background_keeps_the_class_of_the_first_truth(self):
        assigned, _ = Loss()(*head(), *truths((7, 4, 4, 20, 20), dtype=torch.float64), GRIDS)
        self.assertEqual(assigned.target_labels.unique().tolist(), [7])

    def test_a_dropped_truth_still_names_the_background_except_in_atss(self):
        for assigner, label in (("task_aligned", 7), ("atss", 20)):
            assigned, _ = Loss(assigner=assigner)(*head(), *truths((7, -90, 4, 30, 20), dtype=torch.float64), GRIDS)
            self.assertEqual((int(assigned.fg_mask.sum()), assigned.target_labels.unique().tolist()), (0, [label]))
            self.assertEqual(assigned.target_boxes[0, 0].tolist(), [-90, 4, 30, 20])

    def test_a_truth_without_area_of_class_0_is_padding_and_of_another_class_is_not(self):
        for label, background in ((0, 20), (3, 3)):
            assigned, _ = Loss()(*head(), *truths((label, 0, 0, 0, 0), dtype=torch.float64), GRIDS)
            self.assertEqual(assigned.target_labels.unique().tolist(), [background])

    def test_background_of_atss_has_no_class_but_the_first_box(self):
        assigned, _ = Loss(assigner="atss")(*head(), *truths((7, 4, 4, 40, 40), dtype=torch.float64), GRIDS)
        self.assertEqual(assigned.target_labels.unique().tolist(), [7, 20])
        self.assertEqual(assigned.target_boxes[~assigned.fg_mask].unique(dim=0).tolist(), [[4, 4, 40, 40]])

    def test_a_truth_left_of_the_image_is_dropped(self):
        assigned, _ = Loss()(*head(), *truths((7, -90, 4, 30, 20), dtype=torch.float64), GRIDS)
        self.assertEqual(int(assigned.fg_mask.sum()), 0)

    def test_more_candidates_than_anchors_are_an_error(self):
        with self.assertRaises(RuntimeError):
            Loss()(*(x[:, :5] for x in head()), *truths(ROWS[0], dtype=torch.float64), [(1, 2), (1, 2), (1, 1)])


class Terms(unittest.TestCase):
    def test_without_truths_only_the_classes_cost_something(self):
        grids = grids_of((500, 500))
        scores, sides = torch.full((1, 5249, 20), 0.01), torch.ones(1, 5249, 4)
        _, losses = Loss()(scores, sides, *truths(), grids)
        self.assertAlmostEqual(float(losses.cls), 0.0791, places=4)
        self.assertEqual((float(losses.iou), float(losses.dfl), float(losses.normaliser)), (0, 0, 1))

    def test_items_and_total_are_weighted_terms(self):
        _, l = Loss(reg_max=16)(*head(16), *truths(*ROWS, dtype=torch.float64), GRIDS)
        torch.testing.assert_close(l.items, torch.stack([l.iou * 2.5, l.dfl * 0.5, l.cls]))
        torch.testing.assert_close(l.total, l.items.sum())
        self.assertTrue((l.items > 0).all())

    def test_cross_entropy_is_pytorchs(self):
        p, q = (drawn(50, low=1e-6, high=1 - 1e-6, seed=s, dtype=torch.float64).requires_grad_() for s in (1, 2))
        mine, theirs = CrossEntropy()(p, q.detach()), F.binary_cross_entropy(p, q.detach(), reduction="none")
        torch.testing.assert_close(mine, theirs)
        for a, b in zip(torch.autograd.grad(mine.sum(), p), torch.autograd.grad(theirs.sum(), p)):
            torch.testing.assert_close(a, b)
        edge = torch.tensor([0.0, 1.0], requires_grad=True)
        value = CrossEntropy()(edge, torch.tensor([0.3, 0.3]))
        torch.testing.assert_close(value, torch.tensor([30.0, 70.0]))
        self.assertTrue(torch.autograd.grad(value.sum(), edge)[0].isfinite().all())

    def test_a_perfect_box_costs_nothing(self):
        box = torch.tensor([[[1.0, 2.0, 5.0, 4.0]]], dtype=torch.float64)
        for kind in ("siou", "giou"):
            self.assertLess(abs(float(BoxLoss(kind)(box, box).detach())), 1e-9)


class Gradients(unittest.TestCase):
    def test_they_are_finite_even_with_empty_boxes_and_saturated_scores(self):
        for rows in ([], ROWS[:1], ROWS, [ROWS[0]] * 4):
            scores, sides = (x.float() for x in head())
            scores[0, ::7], scores[0, 1::7], sides[0, ::5] = 0.0, 1.0, 0.0
            scores.requires_grad_(), sides.requires_grad_()
            _, losses = Loss()(scores, sides, *truths(*rows), GRIDS)
            for gradient in torch.autograd.grad(losses.total, (scores, sides)):
                self.assertTrue(gradient.isfinite().all())

    def test_they_equal_finite_differences_with_the_assignment_held(self):
        choices = itertools.product((0, 16), ("task_aligned", "atss"), ("siou", "giou"))
        for reg_max, assigner, overlap in choices:
            loss, (scores, sides) = Loss(reg_max, assigner, overlap), head(reg_max)
            labels, boxes = truths(*ROWS, dtype=torch.float64)
            held, _ = loss(scores, sides, labels, boxes, GRIDS)
            loss.assign = lambda *_, held=held: held
            for term in ("iou", "dfl", "cls", "total"):
                self.check(lambda p, d: getattr(loss(p, d, labels, boxes, GRIDS)[1], term), scores, sides)

    def check(self, value, scores, sides):
        """Central differences along random directions: their error is of order h², h = 1e-5, plus 1e-16 / h."""
        scores, sides = scores.clone().requires_grad_(), sides.clone().requires_grad_()
        found = torch.autograd.grad(value(scores, sides), (scores, sides), allow_unused=True)
        with torch.no_grad():
            for which, step in ((0, 1e-5), (1, 1e-5)):
                way = drawn(*(scores, sides)[which].shape, low=-1, seed=9, dtype=torch.float64) * step
                shift = (way, 0) if which == 0 else (0, way)
                measured = value(scores + shift[0], sides + shift[1]) - value(scores - shift[0], sides - shift[1])
                told = torch.zeros(()) if found[which] is None else (found[which] * way).sum() * 2
                self.assertLess(abs(float(measured - told)), 1e-6 * step / 1e-5 * abs(float(told)) + 1e-12)


if __name__ == "__main__":
    unittest.main()
