//! gold_yolo: what is the loss of YOLOv6 and Gold-YOLO, with every intermediate?
//!
//! Convention: scores are probabilities; assignment in pixels, box terms in grid units; S is the sum of all soft targets. The class
//! term is divided by S only if S > 0; box and distribution terms are exactly 0 when nothing is positive. Items in the order
//! [box · 2.5, distribution · 0.5, class], total their sum (Wang et al., Gold-YOLO, 2023; Li et al., YOLOv6, 2022, section 2.3).

use super::inputs::Inputs;
use super::positives::{Positive, positives, scatter};
use super::varifocal::Varifocal;
use crate::error::{Error, Place, Result};
use crate::kernel::Family;
use crate::kernel::assign::Assignment;
use crate::kernel::assign::atss::Atss;
use crate::kernel::assign::task_aligned::TaskAligned;
use crate::kernel::iou::{Kind, Overlap};
use crate::kernel::number::Function;

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "gold_yolo",
    paper: "Wang 2023; Li 2022",
    what: "the whole loss of YOLOv6 and Gold-YOLO",
    kinks: "those of its parts; a sum of targets of 0",
};

/// Who assigns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Assigner {
    TaskAligned(TaskAligned),
    /// The warm-up, with anchors squares of this many strides.
    Atss(Atss, f64),
}

/// The loss, as data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GoldYolo {
    pub assigner: Assigner,
    pub varifocal: Varifocal,
    pub overlap: Overlap,
    /// R; 0 without distribution.
    pub reg_max: usize,
    /// Gains of the box, distribution and class term.
    pub gains: [f64; 3],
}

/// The loss of one batch and all it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// `[B, A]` predicted boxes in grid units.
    pub decoded: Vec<[f64; 4]>,
    pub assignments: Vec<Assignment>,
    /// Sum of all soft targets.
    pub score_sum: f64,
    pub positives: Vec<Positive>,
    /// Box, distribution and class term before division and gain.
    pub sums: [f64; 3],
    /// Box, distribution and class term as they are reported.
    pub items: [f64; 3],
    pub total: f64,
    /// Gradient of the total with respect to the scores, `[B, A, nc]`; only the class item reaches them.
    pub score_gradient: Vec<f64>,
    /// Gradient of the box item with respect to the distances, `[B, A, 4·(R + 1)]`.
    pub box_gradient: Vec<f64>,
    /// Gradient of the distribution item, `[B, A, 4·(R + 1)]`.
    pub dfl_gradient: Vec<f64>,
}

impl Evaluation {
    /// Gradient of the total with respect to the distances.
    pub fn distance_gradient(&self) -> Vec<f64> {
        self.box_gradient
            .iter()
            .zip(&self.dfl_gradient)
            .map(|(b, d)| b + d)
            .collect()
    }

    /// What the terms were divided by.
    pub fn normaliser(&self) -> f64 {
        divisor(self.score_sum)
    }
}

impl GoldYolo {
    /// The N network: TaskAligned from the first step, SIoU, no distribution.
    pub const fn n() -> Self {
        Self {
            assigner: Assigner::TaskAligned(TaskAligned::yolov6()),
            varifocal: Varifocal::gold_yolo(),
            overlap: Overlap::yolov6_loss(Kind::Siou),
            reg_max: 0,
            gains: [2.5, 0.5, 1.0],
        }
    }

    /// The S, M and L networks: GIoU and distributions over 17 bins.
    pub const fn sml() -> Self {
        Self {
            overlap: Overlap::yolov6_loss(Kind::Giou),
            reg_max: 16,
            ..Self::n()
        }
    }

    /// GIoU without a distribution, as small networks of YOLOv6 may be set.
    pub const fn giou() -> Self {
        Self {
            overlap: Overlap::yolov6_loss(Kind::Giou),
            ..Self::n()
        }
    }

    /// The same loss during the ATSS warm-up.
    pub const fn warm_up(self) -> Self {
        Self {
            assigner: Assigner::Atss(Atss::yolov6(), 5.0),
            ..self
        }
    }

    /// Assigns, then evaluates. Refuses what [`Inputs::check`] and the assigner refuse.
    pub fn evaluate(&self, inputs: &Inputs) -> Result<Evaluation> {
        self.evaluate_with(inputs, self.assign(inputs)?)
    }

    /// What every image is assigned.
    pub fn assign(&self, inputs: &Inputs) -> Result<Vec<Assignment>> {
        self.check(inputs)?;
        let (decoded, points) = (inputs.decode(), inputs.anchors.pixels());
        let one = |b: usize| {
            let boxes = inputs.pixels(&decoded, b);
            let predictions = inputs.predictions(inputs.scores, &boxes, b);
            let out = match self.assigner {
                Assigner::TaskAligned(rule) => rule.assign(&points, &predictions, &inputs.truth(b)),
                Assigner::Atss(rule, size) => rule.assign(
                    &inputs.anchors.squares(size, 0.5),
                    &inputs.anchors.levels(),
                    &predictions,
                    &inputs.truth(b),
                ),
            };
            out.at(format!("image {b}"))
        };
        (0..inputs.images()).map(one).collect()
    }

    /// Evaluates under given assignments, which separates a difference of the loss from one of the assignment.
    pub fn evaluate_with(
        &self,
        inputs: &Inputs,
        assignments: Vec<Assignment>,
    ) -> Result<Evaluation> {
        self.check(inputs)?;
        fits(inputs, &assignments)?;
        let decoded = inputs.decode();
        let score_sum: f64 = assignments.iter().flat_map(|a| &a.scores).sum();
        let (class_sum, mut score_gradient) = self.class_term(inputs, &assignments);
        let positives = positives(inputs, &decoded, &assignments, self.overlap, |_, _| 1.0);
        let sum =
            |of: fn(&Positive) -> f64| positives.iter().map(|p| of(p) * p.weight).sum::<f64>();
        let sums = [sum(|p| p.box_loss), sum(|p| p.dfl), class_sum];
        let normaliser = divisor(score_sum);
        let share = 1.0 / normaliser;
        let factors = self.gains.map(|g| g * share);
        let items = [0, 1, 2].map(|i| sums[i] / normaliser * self.gains[i]);
        score_gradient.iter_mut().for_each(|g| *g *= factors[2]);
        let [box_gradient, dfl_gradient] = scatter(inputs, &positives, [factors[0], factors[1]]);
        let total = items.iter().sum();
        Ok(Evaluation {
            decoded,
            assignments,
            score_sum,
            positives,
            sums,
            items,
            total,
            score_gradient,
            box_gradient,
            dfl_gradient,
        })
    }

    fn check(&self, inputs: &Inputs) -> Result<()> {
        if inputs.reg_max != self.reg_max {
            let fact = format!(
                "distances: {} bins per side, but the loss has {}",
                inputs.reg_max + 1,
                self.reg_max + 1
            );
            let next = "choose the loss of the network's size (n has no distribution, s, m and l have 17 bins), or state training.hyper.bins";
            return Err(Error::usage(fact).next(next));
        }
        inputs.check()
    }

    /// Sum of the class term and its gradient, both undivided.
    fn class_term(&self, inputs: &Inputs, assignments: &[Assignment]) -> (f64, Vec<f64>) {
        let anchors = inputs.anchors.len();
        let element = |(i, &p): (usize, &f64)| {
            let (anchor, class) = (i / inputs.classes, i % inputs.classes);
            let (image, a) = (&assignments[anchor / anchors], anchor % anchors);
            let positive = image.owner[a].is_some() && image.labels[a] == class as i64;
            let f = self
                .varifocal
                .at(image.scores[a * inputs.classes + class], positive);
            (f.value(&[p]), f.derivative(p))
        };
        let (values, gradient): (Vec<f64>, Vec<f64>) =
            inputs.scores.iter().enumerate().map(element).unzip();
        (values.iter().sum(), gradient)
    }
}

/// The sum of the soft targets, or 1 where there are none.
fn divisor(score_sum: f64) -> f64 {
    if score_sum > 0.0 { score_sum } else { 1.0 }
}

/// Refuses assignments that are not of these inputs.
pub(super) fn fits(inputs: &Inputs, assignments: &[Assignment]) -> Result<()> {
    let anchors = inputs.anchors.len();
    if assignments.len() != inputs.images() {
        return Err(Error::usage(format!(
            "{} assignments for {} images",
            assignments.len(),
            inputs.images()
        ))
        .next("give one per image"));
    }
    match assignments
        .iter()
        .position(|a| a.owner.len() != anchors || a.scores.len() != anchors * inputs.classes)
    {
        None => Ok(()),
        Some(b) => {
            let (n, c) = (assignments[b].owner.len(), assignments[b].classes());
            let fact = format!(
                "assignment of image {b}: {n} anchors, {c} classes; the loss has {anchors} and {}",
                inputs.classes
            );
            Err(Error::usage(fact).next("make both from the same image size and classes"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::inputs::sample::{Batch, CLASSES, batches};
    use super::*;
    use crate::kernel::anchors::Anchors;
    use crate::kernel::number::check;
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    /// The gradient at some elements against differences of the loss under the same assignments.
    fn gradients_hold(loss: GoldYolo, batch: &Batch) {
        let out = loss.evaluate(&batch.inputs()).unwrap();
        let at = |batch: Batch| {
            loss.evaluate_with(&batch.inputs(), out.assignments.clone())
                .unwrap()
                .total
        };
        let scores = |x: &[f64]| {
            at(Batch {
                scores: x.to_vec(),
                ..batch.clone()
            })
        };
        let distances = |x: &[f64]| {
            at(Batch {
                distances: x.to_vec(),
                ..batch.clone()
            })
        };
        let near = |p: &Positive| {
            BoxKink(p.target, loss.overlap)
                .at(&out.decoded[p.image * batch.anchors.len() + p.anchor])
                > 0.02
        };
        for i in (0..batch.scores.len()).step_by(97) {
            let numeric = check::difference(scores, &batch.scores, i, 1e-4);
            assert_abs_diff_eq!(
                out.score_gradient[i],
                numeric,
                epsilon = 1e-7 * out.total.max(1.0)
            );
        }
        let gradient = out.distance_gradient();
        for p in out.positives.iter().filter(|p| near(p)).take(3) {
            let columns = batch.inputs().columns();
            let start = (p.image * batch.anchors.len() + p.anchor) * columns;
            for i in (start..start + columns).step_by(1 + batch.reg_max / 3) {
                let numeric = check::difference(distances, &batch.distances, i, 1e-4);
                assert_abs_diff_eq!(gradient[i], numeric, epsilon = 1e-7 * out.total.max(1.0));
            }
        }
    }

    struct BoxKink([f64; 4], Overlap);

    impl BoxKink {
        fn at(&self, x: &[f64; 4]) -> f64 {
            super::super::box_loss::BoxLoss::to(self.0, self.1).kink(x)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn the_gradient_of_the_n_loss_is_what_differences_say(batch in batches(0)) {
            gradients_hold(GoldYolo::n(), &batch);
        }

        #[test]
        fn the_gradient_of_the_s_loss_is_what_differences_say(batch in batches(16)) {
            gradients_hold(GoldYolo::sml(), &batch);
        }

        #[test]
        fn the_gradient_of_the_warm_up_is_what_differences_say(batch in batches(0)) {
            gradients_hold(GoldYolo::n().warm_up(), &batch);
        }

        #[test]
        fn only_positives_move_boxes(batch in batches(16)) {
            let out = GoldYolo::sml().evaluate(&batch.inputs()).unwrap();
            let positives = out.assignments.iter().flat_map(Assignment::foreground);
            for (g, positive) in out.distance_gradient().chunks(68).zip(positives) {
                prop_assert!(positive || g.iter().all(|v| *v == 0.0));
            }
        }
    }

    #[test]
    fn without_any_object_the_class_term_is_a_plain_sum_and_the_others_exactly_zero() {
        let anchors = Anchors::of_image(500, 500, &[8, 16, 32]).unwrap();
        let (scores, distances) = (vec![0.01; 5249 * 20], vec![0.0; 5249 * 68]);
        let inputs = Inputs {
            anchors: &anchors,
            classes: 20,
            reg_max: 16,
            scores: &scores,
            distances: &distances,
            labels: &[],
            boxes: &[],
            counts: &[0],
        };
        let out = GoldYolo::sml().evaluate(&inputs).unwrap();
        assert_abs_diff_eq!(out.total, 0.0791, epsilon = 5e-5);
        assert_eq!((out.items[0], out.items[1], out.score_sum), (0.0, 0.0, 0.0));
        assert_eq!(out.items[2], out.sums[2]);
        assert!(out.assignments[0].labels.iter().all(|&l| l == 20));
        assert!(
            out.distance_gradient().iter().all(|g| *g == 0.0)
                && out.score_gradient.iter().all(|g| *g > 0.0)
        );
    }

    #[test]
    fn a_perfect_prediction_has_a_box_term_of_eps_and_a_poor_one_does_not() {
        let object = [[8.0, 8.0, 40.0, 40.0]];
        let mut perfect = Batch::of(0, &[0.01], &[1.0], &object, true);
        for (a, (p, s)) in perfect
            .anchors
            .points
            .iter()
            .zip(&perfect.anchors.strides)
            .enumerate()
        {
            let away = crate::kernel::boxes::distances(*p, object[0].map(|v| v / s));
            perfect.distances[a * 4..a * 4 + 4].copy_from_slice(&away);
            perfect.scores[a * CLASSES] = 0.99;
        }
        let poor = Batch::of(0, &[0.01], &[0.6], &object, true);
        let (good, bad) = (
            GoldYolo::n().evaluate(&perfect.inputs()).unwrap(),
            GoldYolo::n().evaluate(&poor.inputs()).unwrap(),
        );
        assert_abs_diff_eq!(good.items[0], 0.0, epsilon = 1e-8);
        assert!(bad.items[0] > 0.1, "{:?}", bad.items);
        assert_eq!(good.positives.len(), 13);
    }

    #[test]
    fn scores_of_exactly_zero_make_every_item_and_gradient_zero_though_anchors_are_positive() {
        let batch = Batch::of(0, &[0.0], &[1.0], &[[6.0, 5.0, 38.0, 41.0]], true);
        let out = GoldYolo::n().evaluate(&batch.inputs()).unwrap();
        assert!(!out.positives.is_empty());
        assert_eq!((out.score_sum, out.items), (0.0, [0.0; 3]));
        assert!(
            out.score_gradient
                .iter()
                .chain(&out.distance_gradient())
                .all(|g| *g == 0.0)
        );
    }

    #[test]
    fn the_reported_items_are_box_distribution_class_and_sum_to_the_total() {
        let batch = Batch::of(
            16,
            &[0.3, 0.6, 0.1, 0.8],
            &[0.3, -1.0, 0.7, 1.2, 0.1],
            &[[6.0, 5.0, 38.0, 41.0]],
            false,
        );
        let out = GoldYolo::sml().evaluate(&batch.inputs()).unwrap();
        for (i, gain) in [2.5, 0.5, 1.0].into_iter().enumerate() {
            assert_abs_diff_eq!(
                out.items[i],
                out.sums[i] / out.score_sum * gain,
                epsilon = 1e-15
            );
            assert!(out.items[i] > 0.0);
        }
        assert_eq!(out.total, out.items[0] + out.items[1] + out.items[2]);
        assert_abs_diff_eq!(
            out.score_sum,
            out.positives.iter().map(|p| p.weight).sum::<f64>(),
            epsilon = 1e-12
        );
    }

    #[test]
    fn the_wrong_number_of_bins_and_foreign_assignments_are_refused() {
        let batch = Batch::of(0, &[0.3], &[1.0], &[[6.0, 5.0, 38.0, 41.0]], false);
        let e = GoldYolo::sml().evaluate(&batch.inputs()).unwrap_err();
        assert_eq!(e.message, "distances: 1 bins per side, but the loss has 17");
        let e = GoldYolo::n()
            .evaluate_with(&batch.inputs(), vec![])
            .unwrap_err();
        assert_eq!(e.message, "0 assignments for 2 images");
    }

    #[test]
    fn scores_before_the_sigmoid_are_refused() {
        let batch = Batch::of(0, &[-4.6], &[1.0], &[[6.0, 5.0, 38.0, 41.0]], false);
        let e = GoldYolo::n().evaluate(&batch.inputs()).unwrap_err();
        assert_eq!(
            e.message,
            "image 0: score of anchor 0, class 0: -4.6 is no probability"
        );
    }
}
