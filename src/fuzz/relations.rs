//! relations: what a kernel owes to itself, whatever the reference says: another case whose answer is known from the first.
//!
//! Convention: a relation changes the inputs and says which of the two answers' numbers must agree. Where the inputs are small multiples of a
//! power of two the changed ones are exact, so that nothing but a broken relation can tell the answers apart.

use super::draw::Case;
use super::opinion::Subject;
use super::oracle::{Finding, tensor};
use crate::error::Result;
use crate::subject::kernels::{Answer, Kernel};
use crate::tensor::Tensor;
use std::collections::BTreeMap;

/// One line of the table.
pub struct Relation {
    pub name: &'static str,
    /// Kernels that owe it.
    pub of: fn(&Kernel) -> bool,
    /// The other case; None where this one has no such.
    other: fn(&Case) -> Option<Case>,
    /// What the other answer must be, from the first answer and the other case; outputs that are left out are not compared.
    expected: fn(&Case, &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor>,
}

/// Kernels that answer row by row.
const ROWS: &[&str] = &["iou", "box_loss", "size_weight", "dfl", "info_nce", "bce", "focal", "varifocal", "quality_focal"];
/// What an assignment of one image says of it alone.
const OF_AN_IMAGE: &[&str] = &["fg_mask", "target_scores"];

pub const ALL: &[Relation] = &[
    Relation {
        name: "rows in another order",
        of: rows,
        other: reversed,
        expected: |_, first| first.iter().map(|(n, t)| (n.clone(), turned(t))).collect(),
    },
    Relation { name: "a part of the batch alone", of: rows, other: half, expected: |case, first| heads(case, first) },
    Relation {
        name: "all boxes moved",
        of: |k| ["iou", "box_loss"].contains(&k.of),
        other: |case| Some(floats(case, |v| v + 64.0)),
        expected: |_, first| first.clone(),
    },
    Relation {
        name: "the boxes exchanged",
        of: |k| k.of == "iou" && ["iou_", "giou_", "diou_"].iter().any(|n| k.name.starts_with(n)),
        other: exchanged,
        expected: |_, first| first.clone(),
    },
    Relation {
        name: "the first image alone",
        of: |k| ["task_aligned", "atss"].contains(&k.of),
        other: first_image,
        expected: |_, first| {
            let own = first.iter().filter(|(n, _)| OF_AN_IMAGE.contains(&n.as_str()));
            own.map(|(n, t)| (n.clone(), head(t, 1))).collect()
        },
    },
];

/// The relations of a kernel.
pub fn of(kernel: &Kernel) -> impl Iterator<Item = &'static Relation> {
    ALL.iter().filter(|r| (r.of)(kernel))
}

impl Relation {
    /// The first number by which the answer to the other case breaks the relation, and how many were compared; None where the case has no other.
    ///
    /// # Errors
    /// What the subject refuses.
    pub fn broken(
        &self,
        kernel: &Kernel,
        subject: &mut dyn Subject,
        case: &Case,
        first: &BTreeMap<String, Tensor>,
    ) -> Result<Option<(usize, Option<Finding>)>> {
        let Some(other) = (self.other)(case) else { return Ok(None) };
        // Values alone: no gradient is asked for.
        let second = subject.opinion(kernel, &other, &Answer::default())?.tensors;
        let mut compared = 0;
        let finding = (self.expected)(&other, first).iter().find_map(|(name, expected)| {
            let found = second.get(name)?;
            tensor(&format!("relation '{}' of '{name}'", self.name), expected, found, 1.0, &|_| true, &mut compared)
        });
        Ok(Some((compared, finding)))
    }
}

fn rows(kernel: &Kernel) -> bool {
    ROWS.contains(&kernel.of)
}

/// `case` with every tensor changed.
fn changed(case: &Case, change: impl Fn(&Tensor) -> Tensor) -> Case {
    Case { inputs: case.inputs.iter().map(|(n, t)| (n.clone(), change(t))).collect(), edges: case.edges.clone() }
}

fn floats(case: &Case, change: impl Fn(f64) -> f64) -> Case {
    let one = |t: &Tensor| Tensor::from_vec(t.shape(), t.to_f64().into_iter().map(|v| change(v) as f32).collect::<Vec<_>>());
    changed(case, |t| if t.dtype().is_float() { one(t) } else { t.clone() })
}

/// These rows of a tensor, bytes as they are.
fn picked(t: &Tensor, rows: impl Iterator<Item = usize>) -> Tensor {
    let (all, rows) = (t.shape().first().copied().unwrap_or(1), rows.collect::<Vec<_>>());
    let width = t.bytes().len() / all.max(1);
    let bytes: Vec<u8> = rows.iter().flat_map(|r| t.bytes()[r * width..(r + 1) * width].iter().copied()).collect();
    let shape = [&[rows.len()], t.shape().get(1..).unwrap_or(&[])].concat();
    Tensor::from_bytes(t.dtype(), shape, &bytes).unwrap_or_else(|_| t.clone())
}

fn turned(t: &Tensor) -> Tensor {
    picked(t, (0..t.shape().first().copied().unwrap_or(0)).rev())
}

fn head(t: &Tensor, rows: usize) -> Tensor {
    picked(t, 0..rows.min(t.shape().first().copied().unwrap_or(0)))
}

fn count(case: &Case) -> usize {
    case.inputs.first().and_then(|(_, t)| t.shape().first().copied()).unwrap_or(0)
}

fn reversed(case: &Case) -> Option<Case> {
    (count(case) > 1).then(|| changed(case, turned))
}

fn half(case: &Case) -> Option<Case> {
    let rows = count(case) / 2;
    (rows > 0).then(|| changed(case, |t| head(t, rows)))
}

fn heads(other: &Case, first: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    first.iter().map(|(n, t)| (n.clone(), head(t, count(other)))).collect()
}

fn exchanged(case: &Case) -> Option<Case> {
    let mut other = case.clone();
    let (a, b) = (case.inputs.get("a")?, case.inputs.get("b")?);
    other.inputs.insert("a".into(), b.clone());
    other.inputs.insert("b".into(), a.clone());
    Some(other)
}

/// The first of several images; points and squares belong to all of them.
fn first_image(case: &Case) -> Option<Case> {
    let images = case.inputs.get("gt_count").map_or(0, Tensor::numel);
    let of_images = |name: &str| name.starts_with("pred_") || name.starts_with("gt_");
    let inputs = case.inputs.iter().map(|(n, t)| (n.clone(), if of_images(n) { head(t, 1) } else { t.clone() }));
    (images > 1).then(|| Case { inputs: inputs.collect(), edges: case.edges.clone() })
}

#[cfg(test)]
mod tests {
    use super::super::ask::drawn;
    use super::super::draw::cases;
    use super::super::opinion::Opinion;
    use super::*;
    use crate::subject::kernels::{all, find};
    use proptest::strategy::ValueTree;

    /// The reference, with a violation.
    struct Bent(fn(&Case, &mut BTreeMap<String, Tensor>));

    impl Subject for Bent {
        fn opinion(&mut self, kernel: &Kernel, case: &Case, _: &Answer) -> Result<Opinion> {
            let said = kernel.evaluate(&|n: &str| case.inputs.get(n).cloned())?;
            let mut tensors = said.tensors.into_iter().map(|(n, t)| (n.to_string(), t)).collect();
            (self.0)(case, &mut tensors);
            Ok(Opinion { tensors, gradients: BTreeMap::new() })
        }
    }

    /// Cases whose other case was compared, and those of them that broke the relation.
    fn tried(relation: &Relation, kernel: &Kernel, bend: fn(&Case, &mut BTreeMap<String, Tensor>)) -> (usize, usize) {
        let (strategy, mut subject) = (cases(kernel), Bent(bend));
        let one = |n: u64| {
            let case = drawn(&strategy, 5, n).current();
            let first = subject.opinion(kernel, &case, &Answer::default()).ok()?.tensors;
            relation.broken(kernel, &mut subject, &case, &first).ok()?
        };
        let came: Vec<_> = (0..40).filter_map(one).collect();
        (came.iter().filter(|c| c.0 > 0).count(), came.iter().filter(|c| c.1.is_some()).count())
    }

    #[test]
    fn the_reference_of_every_kernel_keeps_its_relations() {
        for kernel in all() {
            for relation in of(kernel) {
                let (compared, broken) = tried(relation, kernel, |_, _| ());
                assert!(compared > 5 && broken == 0, "{} of {}: {broken} of {compared}", relation.name, kernel.name);
            }
        }
    }

    /// Adds to the first number of an output what depends on `of` the case.
    fn bend(tensors: &mut BTreeMap<String, Tensor>, output: &str, by: f64) {
        if let Some(t) = tensors.get(output).cloned() {
            let mut values = t.to_f64();
            values[0] += by;
            tensors.insert(output.into(), Tensor::from_vec(t.shape(), values));
        }
    }

    #[test]
    fn every_relation_catches_a_violation_that_is_planted() {
        type Violation = (&'static str, &'static str, fn(&Case, &mut BTreeMap<String, Tensor>));
        let violations: [Violation; 5] = [
            ("rows in another order", "giou_yolov6", |_, o| bend(o, "similarity", 1.0)),
            ("a part of the batch alone", "focal", |c, o| bend(o, "loss", count(c) as f64)),
            ("all boxes moved", "ciou_mmdet", |c, o| bend(o, "similarity", c.inputs["a"].to_f64()[0] * 1e-3)),
            ("the boxes exchanged", "iou_mmdet", |c, o| bend(o, "similarity", c.inputs["a"].to_f64()[0])),
            ("the first image alone", "task_aligned_yolov6", |c, o| bend(o, "target_scores", c.inputs["gt_count"].numel() as f64)),
        ];
        assert_eq!(violations.len(), ALL.len());
        for (relation, (name, kernel, violation)) in ALL.iter().zip(violations) {
            assert_eq!(relation.name, name);
            let (compared, broken) = tried(relation, find(kernel).unwrap(), violation);
            assert!(broken > compared / 4 && broken > 0, "{name}: {broken} of {compared}");
        }
    }
}
