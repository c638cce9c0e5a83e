//! relations: what a kernel owes to itself, tried on a subject; one in f32 may be off by what rounding does to either case.

use super::oracle::{self, Bound, tensor};
use super::response::{Response, Subject};
use super::rounding::Spread;
use super::single_case::answered;
use super::wrong_number::{Judged, WrongNumber};
use crate::error::Result;
use crate::floor::noise::R;
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::relations::{Holds, Relation, Tensors, scenes};
use crate::subject::kernels::{Answer, Kernel};
use crate::tensor::Tensor;

/// What trying a relation came to.
pub struct Tried {
    pub compared: usize,
    pub wrong: Option<WrongNumber>,
}

impl Relation {
    /// The other case; None where this one has no such.
    pub fn other(&self, case: &Case) -> Option<Case> {
        (self.changes)(case)
    }

    /// The first number by which the answers to both cases break the relation, in f64.
    pub fn plainly(&self, cases: [&Case; 2], answers: [&Tensors; 2]) -> Tried {
        self.held(cases, answers, &Default::default())
    }

    /// The first number by which the answer to the other case breaks the relation, with at most so many runs with noise; None where the case
    /// has no other.
    ///
    /// # Errors
    /// What the subject refuses.
    pub fn tried(
        &self,
        kernel: &Kernel,
        subject: &mut dyn Subject,
        (case, first): (&Case, &Tensors),
        runs: u32,
    ) -> Result<Option<Tried>> {
        let Some(other) = (self.changes)(case) else {
            return Ok(None);
        };
        // Values alone: no gradient is asked for.
        let values = Answer::default();
        let second = subject.answer(kernel, &other, &values)?.tensors;
        let mut spreads = [subject.spread(), subject.spread()];
        let mut tried = self.held([case, &other], [first, &second], &spreads);
        for run in 0..=runs {
            if tried.wrong.is_none() {
                break;
            }
            let Some(noisy) = subject.rounded(kernel, case, &values, run)? else {
                break;
            };
            spreads[0].add(noisy);
            subject
                .rounded(kernel, &other, &values, run)?
                .into_iter()
                .for_each(|noisy| spreads[1].add(noisy));
            tried = self.held([case, &other], [first, &second], &spreads);
        }
        let expected = self.rearranged(case, &other, first);
        if tried.wrong.is_some()
            && [second, expected]
                .into_iter()
                .any(|said| is_tied(kernel, &other, said, &spreads[1]))
        {
            tried = Tried {
                compared: 0,
                wrong: None,
            };
        }
        Ok(Some(tried))
    }

    fn held(
        &self,
        [case, other]: [&Case; 2],
        [first, second]: [&Tensors; 2],
        spreads: &[Spread; 2],
    ) -> Tried {
        let moved = self.rearranged(case, other, &spreads[0].values);
        let mut out = Judged::default();
        let wrong = second
            .iter()
            .filter(|(name, _)| scenes::bare(name) != scenes::OWNER)
            .find_map(|(name, found)| {
                let expected = match &self.holds {
                    Holds::Known(number) => {
                        Tensor::from_vec(found.shape(), vec![*number; found.numel()])
                    }
                    Holds::Equal(of) => of(case, other, first).remove(name)?,
                    Holds::NoMore(of) => {
                        bounded(&of(case, other, first).remove(name)?, found, f64::min)
                    }
                    Holds::NoLess(of) => {
                        bounded(&of(case, other, first).remove(name)?, found, f64::max)
                    }
                };
                let numbers = |of: &Tensors| {
                    of.get(name)
                        .filter(|t| t.numel() == expected.numel())
                        .map(Tensor::to_f64)
                };
                let zeros = || vec![0.0; expected.numel()];
                let both = numbers(&moved)
                    .unwrap_or_else(zeros)
                    .into_iter()
                    .zip(numbers(&spreads[1].values).unwrap_or_else(zeros));
                let bound = Bound {
                    unit: &|_| 1.0,
                    rows: 1,
                    allowed: both.map(|(a, b)| R * (a + b) + self.slack).collect(),
                    excuses: &|_, _, _| false,
                };
                tensor(
                    &format!("relation '{}' of '{name}'", self.name),
                    &expected,
                    found,
                    &bound,
                    &mut out,
                )
            });
        Tried {
            compared: out.compared,
            wrong,
        }
    }

    /// What belongs to the first answer in the places of the other.
    fn rearranged(&self, case: &Case, other: &Case, first: &Tensors) -> Tensors {
        match self.holds {
            Holds::Equal(of) | Holds::NoMore(of) | Holds::NoLess(of) => of(case, other, first),
            Holds::Known(_) => Tensors::new(),
        }
    }
}

/// Whether an answer, given or expected, gives anchors elsewhere than the reference, at ties alone: who they belong to is no matter of the
/// relation then.
fn is_tied(kernel: &Kernel, case: &Case, tensors: Tensors, spread: &Spread) -> bool {
    let Ok(reference) = answered(kernel, case) else {
        return false;
    };
    oracle::is_tied(
        case,
        &reference,
        &Response {
            tensors,
            gradients: None,
        },
        spread,
    )
}

/// `found` where it keeps the bound, else the bound.
fn bounded(bound: &Tensor, found: &Tensor, keeps: fn(f64, f64) -> f64) -> Tensor {
    if bound.shape() != found.shape() || !bound.dtype().is_float() {
        return bound.clone();
    }
    let one = |(b, f): (f64, f64)| if f.is_nan() { b } else { keeps(b, f) };
    Tensor::from_vec(
        bound.shape(),
        bound
            .to_f64()
            .into_iter()
            .zip(found.to_f64())
            .map(one)
            .collect::<Vec<f64>>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::drawn::drawn;
    use crate::subject::kernels::edit::{count, floats};
    use crate::subject::kernels::{ALL, find};
    use proptest::strategy::ValueTree;
    use std::collections::BTreeMap;

    /// The reference, with a violation.
    struct Bent(fn(&Case, &mut Tensors));

    impl Subject for Bent {
        fn answer(&mut self, kernel: &Kernel, case: &Case, _: &Answer) -> Result<Response> {
            let said = kernel.evaluate(&|n: &str| case.inputs.get(n).cloned())?;
            let mut tensors = said
                .tensors
                .into_iter()
                .map(|(n, t)| (n.to_string(), t))
                .collect();
            (self.0)(case, &mut tensors);
            Ok(Response {
                tensors,
                gradients: None,
            })
        }
    }

    /// Cases whose other case was compared, and those of them that broke the relation.
    fn tried(
        relation: &Relation,
        kernel: &Kernel,
        bend: fn(&Case, &mut Tensors),
    ) -> (usize, usize) {
        let (strategy, mut subject) = (kernel.cases(), Bent(bend));
        let one = |n: u64| {
            let case = drawn(&strategy, 5, n).current();
            let first = subject
                .answer(kernel, &case, &Answer::default())
                .ok()?
                .tensors;
            relation
                .tried(kernel, &mut subject, (&case, &first), 0)
                .ok()?
        };
        let came: Vec<Tried> = (0..40).filter_map(one).collect();
        (
            came.iter().filter(|c| c.compared > 0).count(),
            came.iter().filter(|c| c.wrong.is_some()).count(),
        )
    }

    #[test]
    fn the_reference_of_every_kernel_keeps_its_relations() {
        for kernel in ALL {
            for relation in kernel.relations {
                let (compared, broken) = tried(relation, kernel, |_, _| ());
                assert!(
                    compared > 5 && broken == 0,
                    "{} of {}: {broken} of {compared}",
                    relation.name,
                    kernel.name
                );
            }
        }
    }

    /// Adds to the first number of an output what depends on `of` the case.
    fn bend(tensors: &mut Tensors, output: &str, by: f64) {
        if let Some(t) = tensors.get(output).cloned() {
            let mut values = t.to_f64();
            values[0] += by;
            tensors.insert(output.into(), Tensor::from_vec(t.shape(), values));
        }
    }

    fn width(case: &Case) -> f64 {
        let a = case.inputs["a"].to_f64();
        a[2] - a[0]
    }

    /// The sign turned round.
    fn turn(_: &Case, tensors: &mut Tensors) {
        tensors.values_mut().for_each(|t| *t = floats(t, |_, v| -v));
    }

    #[test]
    fn every_relation_catches_a_violation_that_is_planted() {
        type Violation = (&'static str, &'static str, fn(&Case, &mut Tensors));
        let violations: [Violation; 24] = [
            ("rows in another order", "giou_yolov6", |_, o| {
                bend(o, "similarity", 1.0)
            }),
            ("a part of the batch alone", "focal", |c, o| {
                bend(o, "loss", count(c) as f64)
            }),
            ("all boxes moved", "ciou_mmdet", |c, o| {
                bend(o, "similarity", c.inputs["a"].to_f64()[0] * 1e-3)
            }),
            // A distance in pixels that is not divided by the diagonal.
            ("all boxes scaled", "diou_mmdet", |c, o| {
                bend(o, "similarity", width(c) * 1e-3)
            }),
            ("the boxes exchanged", "iou_mmdet", |c, o| {
                bend(o, "similarity", c.inputs["a"].to_f64()[0])
            }),
            ("a box and itself are alike", "siou_yolov6", |_, o| {
                bend(o, "similarity", -1e-3)
            }),
            (
                "an exact prediction loses nothing",
                "quality_focal",
                |_, o| bend(o, "loss", 1e-3),
            ),
            ("boxes moved apart are no more alike", "giou_mmdet", turn),
            ("boxes moved apart lose no less", "box_loss_giou", turn),
            ("nearer to the label loses no more", "focal", turn),
            (
                "a larger logit of the label loses no more",
                "cross_entropy",
                turn,
            ),
            ("a query that is its key loses no more", "info_nce", turn),
            ("the queries in another order", "detr_criterion", |c, o| {
                bend(o, "loss.ce", c.inputs["boxes"].to_f64()[0])
            }),
            (
                "the objects of a matching in another order",
                "detr_criterion",
                |c, o| {
                    let first = c.inputs["gt_boxes"].to_f64().first().copied();
                    bend(o, "loss.bbox", first.unwrap_or(0.0))
                },
            ),
            ("the first image alone", "task_aligned_yolov6", |c, o| {
                bend(o, "target_scores", c.inputs["gt_count"].numel() as f64)
            }),
            ("the images in another order", "gold_yolo_n", |c, o| {
                bend(o, "loss.cls", c.inputs["gt_count"].to_f64()[0])
            }),
            (
                "the objects in another order",
                "v8_detection_8_4",
                |c, o| bend(o, "loss.box", c.inputs["gt_boxes"].to_f64()[0]),
            ),
            (
                "the anchors in another order",
                "task_aligned_mmdet_3_3",
                |_, o| bend(o, "target_scores", 1.0),
            ),
            ("the maps on their side", "anchors", |_, o| {
                bend(o, "points", 1.0)
            }),
            // The label of the first pixel, counted more.
            ("the pixels in another order", "pixel_confusion", |c, o| {
                let first = c.inputs["labels"]
                    .to_f64()
                    .first()
                    .map_or(0.0, |l| *l + 2.0);
                bend(o, "counts", first)
            }),
            ("the classes in another order", "mean_iou", |_, o| {
                bend(o, "by_class", 1.0)
            }),
            ("labels and predictions exchanged", "mean_iou", |c, o| {
                // What lies above the diagonal, and not what lies below.
                let (counts, classes) = (&c.inputs["counts"], c.inputs["counts"].shape()[0]);
                let above = |i: usize| i % classes > i / classes;
                let counts = counts.to_f64().into_iter().enumerate();
                bend(
                    o,
                    "pooled",
                    counts.filter(|(i, _)| above(*i)).map(|c| c.1).sum(),
                )
            }),
            // Scores that count as confidences.
            ("all scores halved", "average_precision", |c, o| {
                bend(o, "ap", c.inputs["scores"].to_f64()[0])
            }),
            ("all places moved", "average_precision", |c, o| {
                bend(o, "recall", c.inputs["boxes"].to_f64()[0])
            }),
        ];
        let owed = ALL.iter().flat_map(|k| k.relations).map(|r| (r.name, *r));
        let mut owed: BTreeMap<&str, &Relation> = owed.collect();
        for (name, kernel, violation) in violations {
            let relation = owed
                .remove(name)
                .unwrap_or_else(|| panic!("{name}: nobody's"));
            let (compared, broken) = tried(relation, find(kernel).unwrap(), violation);
            assert!(
                broken > compared / 4 && broken > 0,
                "{name}: {broken} of {compared}"
            );
        }
        assert!(owed.is_empty(), "no violation of {:?}", owed.keys());
    }
}
