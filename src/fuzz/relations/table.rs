//! table: the relations, one entry each.

use super::{Holds, Relation, scenes};
use crate::fuzz::draw::Case;
use crate::fuzz::edit::{
    changed, count, each, floats, hard, head, of_rows, picked, roomy, same, turned,
};
use crate::fuzz::opinion::Said;
use crate::subject::kernels::Kernel;

/// Kernels that answer row by row.
const ROWS: &[&str] = &[
    "iou",
    "box_loss",
    "size_weight",
    "dfl",
    "info_nce",
    "bce",
    "focal",
    "varifocal",
    "quality_focal",
];
/// How far an eps of at most 1e-6 moves a similarity of boxes with sides of at least a pixel: 1e-6 in each of its quotients, at most 15e-6
/// in the angle of SIoU, whose distance counts e² times where its sign is turned round.
const EPS: f64 = 32e-6;

pub const ALL: &[Relation] = &[
    Relation {
        name: "rows in another order",
        of: is_by_row,
        changes: |case| (count(case) > 1).then(|| changed(case, |_, t| turned(t))),
        holds: Holds::Equal(|_, _, first| each(first, turned)),
        slack: 0.0,
    },
    Relation {
        name: "a part of the batch alone",
        of: is_by_row,
        changes: |case| {
            Some(count(case) / 2)
                .filter(|half| *half > 0)
                .map(|half| changed(case, |_, t| head(t, half)))
        },
        holds: Holds::Equal(|_, other, first| each(first, |t| head(t, count(other)))),
        slack: 0.0,
    },
    Relation {
        name: "all boxes moved",
        of: boxes,
        changes: |case| Some(changed(case, |_, t| floats(t, |_, v| v + 64.0))),
        holds: Holds::Equal(same),
        slack: 0.0,
    },
    Relation {
        name: "all boxes scaled",
        of: boxes,
        changes: |case| of_rows(case, &roomy(case), |_, t| floats(t, |_, v| v * 16.0)),
        holds: Holds::Equal(of_roomy),
        slack: EPS,
    },
    Relation {
        name: "the boxes exchanged",
        of: |k| {
            k.of == "iou"
                && ["iou_", "giou_", "diou_"]
                    .iter()
                    .any(|n| k.name.starts_with(n))
        },
        changes: exchanged,
        holds: Holds::Equal(same),
        slack: 0.0,
    },
    Relation {
        name: "a box and itself are alike",
        of: |k| k.of == "iou",
        changes: |case| of_rows(case, &roomy(case), |_, t| t.clone()).map(|c| with(c, "b", "a")),
        holds: Holds::Known(1.0),
        slack: EPS,
    },
    Relation {
        name: "an exact prediction loses nothing",
        of: |k| {
            ["box_loss", "bce", "varifocal", "quality_focal"].contains(&k.of)
                && k.name != "bce_logits"
        },
        changes: exact,
        holds: Holds::Known(0.0),
        slack: EPS,
    },
    Relation {
        name: "boxes moved apart are no more alike",
        of: |k| ["iou_", "giou_"].iter().any(|n| k.name.starts_with(n)),
        changes: apart,
        holds: Holds::NoMore(of_roomy),
        slack: EPS,
    },
    Relation {
        name: "boxes moved apart lose no less",
        of: |k| k.name == "box_loss_giou",
        changes: apart,
        holds: Holds::NoLess(of_roomy),
        slack: EPS,
    },
    Relation {
        name: "nearer to the label loses no more",
        of: |k| ["bce", "focal"].contains(&k.of),
        changes: nearer,
        holds: Holds::NoMore(|case, _, first| each(first, |t| picked(t, hard(case).into_iter()))),
        slack: 0.0,
    },
    Relation {
        name: "a larger logit of the label loses no more",
        of: |k| k.of == "cross_entropy",
        changes: raised,
        holds: Holds::NoMore(same),
        slack: 0.0,
    },
    Relation {
        name: "a query that is its key loses no more",
        of: |k| k.of == "info_nce",
        changes: matched,
        holds: Holds::NoMore(same),
        slack: 0.0,
    },
    Relation {
        name: "the first image alone",
        of: scenes::is_by_image,
        changes: scenes::first_image,
        holds: Holds::Equal(scenes::of_the_first_image),
        slack: 0.0,
    },
    Relation {
        name: "the images in another order",
        of: scenes::is_of_scenes,
        changes: scenes::images_turned,
        holds: Holds::Equal(scenes::of_images_turned),
        slack: 0.0,
    },
    Relation {
        name: "the objects in another order",
        of: scenes::is_of_scenes,
        changes: scenes::objects_turned,
        holds: Holds::Equal(scenes::of_objects_turned),
        slack: 0.0,
    },
    Relation {
        name: "the anchors in another order",
        of: scenes::is_without_levels,
        changes: scenes::anchors_turned,
        holds: Holds::Equal(scenes::of_anchors_turned),
        slack: 0.0,
    },
    Relation {
        name: "the maps on their side",
        of: |k| k.of == "anchors",
        changes: scenes::maps_turned,
        holds: Holds::Equal(scenes::of_maps_turned),
        slack: 0.0,
    },
];

/// Whether a kernel answers row by row, so that cases can lie below each other.
pub fn is_by_row(kernel: &Kernel) -> bool {
    ROWS.contains(&kernel.of)
}

fn boxes(kernel: &Kernel) -> bool {
    ["iou", "box_loss"].contains(&kernel.of)
}

fn of_roomy(case: &Case, _: &Case, first: &Said) -> Said {
    each(first, |t| picked(t, roomy(case).into_iter()))
}

/// `case` with the values of `from` under the name `to` as well.
fn with(mut case: Case, to: &str, from: &str) -> Case {
    if let Some(t) = case.inputs.get(from).cloned() {
        case.inputs.insert(to.into(), t);
    }
    case
}

fn exchanged(case: &Case) -> Option<Case> {
    let mut other = case.clone();
    let (a, b) = (case.inputs.get("a")?, case.inputs.get("b")?);
    other.inputs.insert("a".into(), b.clone());
    other.inputs.insert("b".into(), a.clone());
    Some(other)
}

/// Predictions that are their targets: boxes, probabilities of 0 or 1, the logit 0 of an even score.
fn exact(case: &Case) -> Option<Case> {
    match case.inputs.keys().map(String::as_str).collect::<Vec<_>>()[..] {
        ["pred", "target"] => {
            of_rows(case, &roomy(case), |_, t| t.clone()).map(|c| with(c, "pred", "target"))
        }
        ["p", "target"] => {
            of_rows(case, &hard(case), |_, t| t.clone()).map(|c| with(c, "p", "target"))
        }
        ["p", "quality", "positive"] => Some(with(
            with(case.clone(), "p", "positive"),
            "quality",
            "positive",
        )),
        ["x", "quality"] => Some(changed(case, |n, t| {
            floats(t, |_, _| if n == "x" { 0.0 } else { 0.5 })
        })),
        _ => None,
    }
}

/// The second box moved by four pixels along both axes, away from the centre of the first.
fn apart(case: &Case) -> Option<Case> {
    let rows = roomy(case);
    let first = picked(case.inputs.first()?.1, rows.iter().copied()).to_f64();
    let last = case.inputs.last()?.0.clone();
    let away = |i: usize, v: f64, own: &[f64]| {
        let (row, axis) = (i / 4 * 4, i % 2);
        let middle = |b: &[f64]| b[row + axis] + b[row + axis + 2];
        if middle(own) < middle(&first) {
            v - 4.0
        } else {
            v + 4.0
        }
    };
    of_rows(case, &rows, |name, t| {
        let own = t.to_f64();
        if name == last {
            floats(t, |i, v| away(i, v, &own))
        } else {
            t.clone()
        }
    })
}

/// Logits a unit, probabilities halfway, towards labels of 0 or 1.
fn nearer(case: &Case) -> Option<Case> {
    let rows = hard(case);
    let label = ["target", "positive"]
        .into_iter()
        .find_map(|n| case.inputs.get(n))?;
    let label = picked(label, rows.iter().copied()).to_f64();
    of_rows(case, &rows, |name, t| match name {
        "x" => floats(t, |i, v| v + 2.0 * label[i] - 1.0),
        "p" => floats(t, |i, v| (v + label[i]) / 2.0),
        _ => t.clone(),
    })
}

/// The logit of every pixel's label, raised by one.
fn raised(case: &Case) -> Option<Case> {
    let labels = case.inputs.get("labels")?.to_i64()?;
    let classes = *case.inputs.get("logits")?.shape().last()?;
    let one = |i: usize, v: f64| {
        if labels[i / classes] == (i % classes) as i64 {
            v + 1.0
        } else {
            v
        }
    };
    Some(changed(case, |_, t| floats(t, one)))
}

/// Every query's first key made the query itself.
fn matched(case: &Case) -> Option<Case> {
    let (query, keys) = (case.inputs.get("query")?, case.inputs.get("keys")?);
    let [_, count, width] = *keys.shape() else {
        return None;
    };
    let query = query.to_f64();
    let one = |i: usize, v: f64| {
        if (i / width).is_multiple_of(count) {
            query[i / (count * width) * width + i % width]
        } else {
            v
        }
    };
    Some(changed(case, |n, t| {
        if n == "keys" {
            floats(t, one)
        } else {
            t.clone()
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::super::{Tried, of};
    use super::*;
    use crate::error::Result;
    use crate::fuzz::ask::drawn;
    use crate::fuzz::draw::cases;
    use crate::fuzz::opinion::{Opinion, Subject};
    use crate::subject::kernels::{Answer, all, find};
    use crate::tensor::Tensor;
    use proptest::strategy::ValueTree;

    /// The reference, with a violation.
    struct Bent(fn(&Case, &mut Said));

    impl Subject for Bent {
        fn opinion(&mut self, kernel: &Kernel, case: &Case, _: &Answer) -> Result<Opinion> {
            let said = kernel.evaluate(&|n: &str| case.inputs.get(n).cloned())?;
            let mut tensors = said
                .tensors
                .into_iter()
                .map(|(n, t)| (n.to_string(), t))
                .collect();
            (self.0)(case, &mut tensors);
            Ok(Opinion {
                tensors,
                gradients: None,
            })
        }
    }

    /// Cases whose other case was compared, and those of them that broke the relation.
    fn tried(relation: &Relation, kernel: &Kernel, bend: fn(&Case, &mut Said)) -> (usize, usize) {
        let (strategy, mut subject) = (cases(kernel), Bent(bend));
        let one = |n: u64| {
            let case = drawn(&strategy, 5, n).current();
            let first = subject
                .opinion(kernel, &case, &Answer::default())
                .ok()?
                .tensors;
            relation
                .tried(kernel, &mut subject, (&case, &first), 0)
                .ok()?
        };
        let came: Vec<Tried> = (0..40).filter_map(one).collect();
        (
            came.iter().filter(|c| c.compared > 0).count(),
            came.iter().filter(|c| c.finding.is_some()).count(),
        )
    }

    #[test]
    fn the_reference_of_every_kernel_keeps_its_relations() {
        for kernel in all() {
            for relation in of(kernel) {
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
    fn bend(tensors: &mut Said, output: &str, by: f64) {
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
    fn turn(_: &Case, tensors: &mut Said) {
        tensors.values_mut().for_each(|t| *t = floats(t, |_, v| -v));
    }

    #[test]
    fn every_relation_catches_a_violation_that_is_planted() {
        type Violation = (&'static str, &'static str, fn(&Case, &mut Said));
        let violations: [Violation; 17] = [
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
        ];
        assert_eq!(violations.len(), ALL.len());
        for (relation, (name, kernel, violation)) in ALL.iter().zip(violations) {
            assert_eq!(relation.name, name);
            let (compared, broken) = tried(relation, find(kernel).unwrap(), violation);
            assert!(
                broken > compared / 4 && broken > 0,
                "{name}: {broken} of {compared}"
            );
        }
    }
}
