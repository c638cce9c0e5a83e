//! v8_detection: what is the loss of the ultralytics v8 detectors, with every intermediate, and its size-weighted form?
//!
//! Convention: scores are logits; assignment on their sigmoid, in pixels; S is the sum of all soft targets, at least 1. Items in the order
//! [box · 7.5, class · 0.5, distribution · 1.5], total their sum times the batch size; box term 1 − CIoU, class term BCE over all anchors.
//! A size weight multiplies every anchor's part of all three terms and leaves S as it is (TOOD, 2021; GFL, 2020).

use super::bce::BceLogits;
use super::gold_yolo::fits;
use super::inputs::Inputs;
use super::positives::{Positive, positives, scatter};
use super::size_weight::SizeWeight;
use crate::error::{Error, Place, Result};
use crate::kernel::Family;
use crate::kernel::assign::Assignment;
use crate::kernel::assign::task_aligned::TaskAligned;
use crate::kernel::iou::Overlap;
use crate::kernel::number::{Function, sigmoid};

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "v8_detection",
    paper: "Feng 2021; Li 2020",
    what: "the whole loss of the ultralytics v8 detectors",
    kinks: "those of its parts; a sum of targets of 1",
};

/// The loss, as data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct V8Detection {
    pub assigner: TaskAligned,
    pub overlap: Overlap,
    /// Gains of the box, class and distribution term.
    pub gains: [f64; 3],
    pub size_weight: SizeWeight,
}

/// The loss of one batch and all it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// `[B, A]` predicted boxes in grid units.
    pub decoded: Vec<[f64; 4]>,
    pub assignments: Vec<Assignment>,
    /// Sum of all soft targets, before it is raised to 1.
    pub score_sum: f64,
    /// Their weights include the size weight.
    pub positives: Vec<Positive>,
    /// The class term of positive and of background anchors, before division and gain.
    pub class_parts: [f64; 2],
    /// Box, class and distribution term before division and gain.
    pub sums: [f64; 3],
    /// Box, class and distribution term as they are reported, without batch size.
    pub items: [f64; 3],
    /// What is differentiated: the sum of the items times the batch size.
    pub total: f64,
    /// Gradient of the total with respect to the logits, `[B, A, nc]`.
    pub score_gradient: Vec<f64>,
    /// Gradient of the box item times the batch size with respect to the distances, `[B, A, 4·(R + 1)]`.
    pub box_gradient: Vec<f64>,
    /// The same of the distribution item.
    pub dfl_gradient: Vec<f64>,
}

impl V8Detection {
    /// ultralytics 8.3.155.
    pub const fn ultralytics_8_3_155() -> Self {
        let assigner = TaskAligned::ultralytics_8_3_155();
        Self {
            assigner,
            overlap: Overlap::ultralytics(),
            gains: [7.5, 0.5, 1.5],
            size_weight: SizeWeight::Off,
        }
    }

    /// ultralytics 8.4.
    pub const fn ultralytics_8_4() -> Self {
        Self {
            assigner: TaskAligned::ultralytics_8_4(),
            ..Self::ultralytics_8_3_155()
        }
    }

    /// The same loss with anchors weighted by the size of their object.
    pub const fn weighted(self, size_weight: SizeWeight) -> Self {
        Self {
            size_weight,
            ..self
        }
    }

    /// Assigns, then evaluates. Refuses what [`Inputs::check`] and the assigner refuse, and distances without distribution.
    pub fn evaluate(&self, inputs: &Inputs) -> Result<Evaluation> {
        self.evaluate_with(inputs, self.assign(inputs)?)
    }

    /// What every image is assigned.
    pub fn assign(&self, inputs: &Inputs) -> Result<Vec<Assignment>> {
        check(inputs)?;
        let (decoded, points) = (inputs.decode(), inputs.anchors.pixels());
        let scores: Vec<f64> = inputs.scores.iter().map(|&x| sigmoid(x)).collect();
        let one = |b: usize| {
            let boxes = inputs.pixels(&decoded, b);
            self.assigner
                .assign(
                    &points,
                    &inputs.predictions(&scores, &boxes, b),
                    &inputs.truth(b),
                )
                .at(format!("image {b}"))
        };
        (0..inputs.images()).map(one).collect()
    }

    /// Evaluates under given assignments, which separates a difference of the loss from one of the assignment.
    pub fn evaluate_with(
        &self,
        inputs: &Inputs,
        assignments: Vec<Assignment>,
    ) -> Result<Evaluation> {
        check(inputs)?;
        fits(inputs, &assignments)?;
        let decoded = inputs.decode();
        let weights: Vec<Vec<f64>> = assignments.iter().map(|a| self.size_weight.of(a)).collect();
        let score_sum: f64 = assignments.iter().flat_map(|a| &a.scores).sum();
        let (class_parts, mut score_gradient) = class_term(inputs, &assignments, &weights);
        let positives = positives(inputs, &decoded, &assignments, self.overlap, |b, a| {
            weights[b][a]
        });
        let sum =
            |of: fn(&Positive) -> f64| positives.iter().map(|p| of(p) * p.weight).sum::<f64>();
        let sums = [
            sum(|p| p.box_loss),
            class_parts[0] + class_parts[1],
            sum(|p| p.dfl),
        ];
        let normaliser = score_sum.max(1.0);
        let items = [0, 1, 2].map(|i| sums[i] / normaliser * self.gains[i]);
        let batch = inputs.images() as f64;
        let factors = self.gains.map(|g| g / normaliser * batch);
        score_gradient.iter_mut().for_each(|g| *g *= factors[1]);
        let [box_gradient, dfl_gradient] = scatter(inputs, &positives, [factors[0], factors[2]]);
        let total = items.iter().sum::<f64>() * batch;
        Ok(Evaluation {
            decoded,
            assignments,
            score_sum,
            positives,
            class_parts,
            sums,
            items,
            total,
            score_gradient,
            box_gradient,
            dfl_gradient,
        })
    }
}

fn check(inputs: &Inputs) -> Result<()> {
    if inputs.reg_max == 0 {
        let next = "give 4·(R + 1) logits per anchor, R = 15 for the published networks";
        return Err(Error::usage("distances: no distribution, but the v8 loss has one").next(next));
    }
    inputs.check()
}

/// Weighted sums over positive and background anchors, and the undivided gradient.
fn class_term(
    inputs: &Inputs,
    assignments: &[Assignment],
    weights: &[Vec<f64>],
) -> ([f64; 2], Vec<f64>) {
    let anchors = inputs.anchors.len();
    let mut parts = [0.0; 2];
    let element = |(i, &x): (usize, &f64)| {
        let (b, a) = (i / inputs.classes / anchors, i / inputs.classes % anchors);
        let f = BceLogits {
            target: assignments[b].scores[a * inputs.classes + i % inputs.classes],
        };
        parts[usize::from(assignments[b].owner[a].is_none())] += f.value(&[x]) * weights[b][a];
        f.derivative(x) * weights[b][a]
    };
    let gradient = inputs.scores.iter().enumerate().map(element).collect();
    (parts, gradient)
}

#[cfg(test)]
mod tests {
    use super::super::box_loss::BoxLoss;
    use super::super::inputs::sample::{Batch, batches};
    use super::*;
    use crate::kernel::number::check;
    use approx::{assert_abs_diff_eq, assert_relative_eq};
    use proptest::prelude::*;

    const LOSS: V8Detection = V8Detection::ultralytics_8_3_155();

    /// Scores as logits.
    fn logits(batch: Batch) -> Batch {
        Batch {
            scores: batch.scores.iter().map(|p| (p / (1.0 - p)).ln()).collect(),
            ..batch
        }
    }

    fn sample() -> Batch {
        logits(Batch::of(
            15,
            &[0.3, 0.6, 0.1, 0.8],
            &[0.3, -1.0, 0.7, 1.2, 0.1],
            &[[6.0, 5.0, 38.0, 41.0], [9.0, 9.0, 25.0, 30.0]],
            false,
        ))
    }

    /// Box, class and distribution gradients against differences of the loss; CIoU's α makes the box term's an exception.
    fn gradients_hold(loss: V8Detection, batch: &Batch) {
        let out = loss.evaluate(&batch.inputs()).unwrap();
        let at = |batch: Batch| {
            loss.evaluate_with(&batch.inputs(), out.assignments.clone())
                .unwrap()
        };
        let scores = |x: &[f64]| {
            at(Batch {
                scores: x.to_vec(),
                ..batch.clone()
            })
            .total
        };
        for i in (0..batch.scores.len()).step_by(101) {
            let numeric = check::difference(scores, &batch.scores, i, 1e-4);
            assert_abs_diff_eq!(
                out.score_gradient[i],
                numeric,
                epsilon = 1e-7 * out.total.max(1.0)
            );
        }
        let dfl = |x: &[f64]| {
            at(Batch {
                distances: x.to_vec(),
                ..batch.clone()
            })
            .items[2]
                * 2.0
        };
        for p in out.positives.iter().take(2) {
            let start = (p.image * batch.anchors.len() + p.anchor) * 64;
            let numeric = check::difference(dfl, &batch.distances, start + 7, 1e-4);
            assert_abs_diff_eq!(
                out.dfl_gradient[start + 7],
                numeric,
                epsilon = 1e-7 * out.total.max(1.0)
            );
            let decoded = |x: &[f64]| {
                Batch {
                    distances: x.to_vec(),
                    ..batch.clone()
                }
                .inputs()
                .decode()[start / 64]
            };
            let f = BoxLoss::to(p.target, loss.overlap).held(&out.decoded[start / 64]);
            if f.kink(&out.decoded[start / 64]) > 0.02 {
                let numeric =
                    check::difference(|x| f.value(&decoded(x)), &batch.distances, start + 7, 1e-4);
                assert_abs_diff_eq!(p.box_gradient[7], numeric, epsilon = 1e-8);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn the_gradient_is_what_differences_say(batch in batches(15)) {
            for size_weight in [SizeWeight::Off, SizeWeight::BySize, SizeWeight::ForegroundOnly] {
                gradients_hold(LOSS.weighted(size_weight), &logits(batch.clone()));
            }
        }
    }

    #[test]
    fn items_are_box_class_distribution_and_the_total_counts_the_batch() {
        let batch = sample();
        let out = LOSS.evaluate(&batch.inputs()).unwrap();
        let s = out.score_sum.max(1.0);
        for (i, gain) in [7.5, 0.5, 1.5].into_iter().enumerate() {
            assert_relative_eq!(out.items[i], out.sums[i] / s * gain, max_relative = 1e-15);
            assert!(out.items[i] > 0.0);
        }
        assert_relative_eq!(
            out.total,
            2.0 * out.items.iter().sum::<f64>(),
            max_relative = 1e-15
        );
    }

    #[test]
    fn without_objects_the_class_term_is_divided_by_one() {
        let batch = Batch {
            counts: vec![0, 0],
            ..sample()
        };
        let out = LOSS.evaluate(&batch.inputs()).unwrap();
        assert_eq!((out.items[0], out.items[2], out.score_sum), (0.0, 0.0, 0.0));
        assert_eq!(out.items[1], out.sums[1] * 0.5);
        assert!(out.items[1] > 0.0);
    }

    #[test]
    fn weighting_by_size_doubles_small_objects_and_leaves_the_background() {
        let small = logits(Batch::of(
            15,
            &[0.3, 0.6, 0.1],
            &[0.3, -1.0, 0.7],
            &[[6.0, 5.0, 36.0, 36.0]],
            false,
        ));
        let (plain, by_size) = (
            LOSS.evaluate(&small.inputs()).unwrap(),
            LOSS.weighted(SizeWeight::BySize)
                .evaluate(&small.inputs())
                .unwrap(),
        );
        assert_relative_eq!(
            by_size.class_parts[0],
            2.0 * plain.class_parts[0],
            max_relative = 1e-14
        );
        assert_eq!(by_size.class_parts[1], plain.class_parts[1]);
        assert_relative_eq!(by_size.sums[0], 2.0 * plain.sums[0], max_relative = 1e-14);
        assert_relative_eq!(by_size.sums[2], 2.0 * plain.sums[2], max_relative = 1e-14);
        assert_eq!(by_size.score_sum, plain.score_sum);
    }

    #[test]
    fn the_naive_patch_removes_the_whole_background() {
        let batch = sample();
        let naive = LOSS
            .weighted(SizeWeight::ForegroundOnly)
            .evaluate(&batch.inputs())
            .unwrap();
        let right = LOSS
            .weighted(SizeWeight::BySize)
            .evaluate(&batch.inputs())
            .unwrap();
        assert_eq!(naive.class_parts, [right.class_parts[0], 0.0]);
        assert!(right.class_parts[1] > 0.0);
        let background = naive
            .assignments
            .iter()
            .flat_map(Assignment::foreground)
            .map(|f| !f);
        let still = naive
            .score_gradient
            .chunks(3)
            .zip(background)
            .filter(|(_, b)| *b)
            .all(|(g, _)| g.iter().all(|v| *v == 0.0));
        assert!(still, "a background anchor still moves");
    }

    #[test]
    fn distances_without_distribution_are_refused() {
        let batch = Batch::of(0, &[0.3], &[1.0], &[[6.0, 5.0, 38.0, 41.0]], false);
        assert!(
            LOSS.evaluate(&batch.inputs())
                .unwrap_err()
                .message
                .contains("no distribution")
        );
    }
}
