//! assigner: what the port's own assigner makes of its outputs: all anchors positive, none, or all of one object is no assignment.

use super::Port as Asked;
use super::kernel;
use super::session::{Batch, Said, Session};
use crate::audit::{SHOWN, counted};
use crate::error::Result;
use crate::port::{Ability, Forward, Tensors, outputs};
use crate::tensor::Tensor;
use crate::verdict::{Finding, Severity};
use std::collections::BTreeSet;

/// What ports call the mask of positives, and the object that each belongs to.
const MASKS: [&str; 4] = ["fg_mask", "mask_pos", "positive", "assigned"];
const OWNERS: [&str; 4] = ["gt_index", "target_gt_idx", "assigned_gt_inds", "owner"];

/// Which anchor is positive, and for which object of its image, where that is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned {
    pub images: Vec<Vec<Option<usize>>>,
    /// Whether owners are known; else every positive has owner 0.
    pub says_owner: bool,
}

/// # Errors
/// A port that is gone.
pub fn findings(own: &mut Session, batch: &Batch, asked: &Asked) -> Result<Vec<Finding>> {
    if !own.can(Ability::Assign) || batch.targets.is_empty() {
        let wanted = asked.assigner.as_ref();
        return Ok(wanted
            .map(|k| unheld(k, "the port has no assign(), or no targets()"))
            .into_iter()
            .collect());
    }
    let (given, made) = match made(own, batch)? {
        Ok(both) => both,
        Err(said) => return Ok(vec![Finding::new("assigner_fails", "assign()", said)]),
    };
    let Some(assigned) = Assigned::of(&made) else {
        let what = format!(
            "which anchors are positive is not among what assign() returns: {}",
            made.keys().cloned().collect::<Vec<_>>().join(", ")
        );
        let next = "return it as fg_mask [images, anchors], and the object of each as gt_index";
        return Ok(vec![
            Finding::new("assigner_unread", "assign()", what)
                .next([next.to_string()])
                .severity(Severity::Unjudged),
        ]);
    };
    let objects = objects(&batch.targets, assigned.images.len());
    let mut found = vec![judged(&assigned, objects.as_deref())];
    if let Some(name) = &asked.assigner {
        let lookup = [&made, &given, &batch.targets];
        found
            .push(kernel::held(name, &assigned, &lookup)?.unwrap_or_else(|why| unheld(name, &why)));
    }
    Ok(found)
}

fn unheld(kernel: &str, why: &str) -> Finding {
    let what = format!("the assigner could not be held against kernel '{kernel}': {why}");
    Finding::new("assigner_unread", "assign()", what).severity(Severity::Unjudged)
}

/// What the network returned, and what the assigner makes of it.
fn made(own: &mut Session, batch: &Batch) -> Result<Said<(Tensors, Tensors)>> {
    let ran = own.port.forward(&batch.inputs, Forward::default());
    let trace = match own.said(ran)? {
        Ok(trace) => trace,
        Err(said) => return Ok(Err(said)),
    };
    let given = outputs(&trace)?;
    let answered = own.port.assign(&given, &batch.targets);
    let made = own.said(answered)?;
    Ok(made.map(|m| (plainly(&given), m.unwrap_or_default())))
}

/// By the names that the network itself has for its outputs.
fn plainly(given: &Tensors) -> Tensors {
    let one = |(name, t): (&String, &Tensor)| {
        let plain = name.rsplit(':').next().unwrap_or(name);
        (plain.to_string(), t.clone())
    };
    given.iter().map(one).collect()
}

impl Assigned {
    pub fn of(made: &Tensors) -> Option<Self> {
        let named = |names: &[&str]| names.iter().find_map(|n| made.get(*n));
        let flags = || {
            made.values()
                .find(|t| t.dtype() == crate::tensor::DType::Bool && t.shape().len() == 2)
        };
        let mask = named(&MASKS).or_else(flags)?;
        let [images, anchors] = *mask.shape() else {
            return None;
        };
        let owner = named(&OWNERS).filter(|t| t.numel() == mask.numel());
        let (mask, says_owner) = (mask.to_f64(), owner.is_some());
        let owner = owner.map_or(vec![0.0; mask.len()], Tensor::to_f64);
        let one = |i: usize| (mask[i] > 0.0).then_some(owner[i].max(0.0) as usize);
        let row = |b: usize| (b * anchors..(b + 1) * anchors).map(one).collect();
        Some(Self {
            images: (0..images).map(row).collect(),
            says_owner,
        })
    }

    fn positives(&self) -> usize {
        self.images.iter().flatten().flatten().count()
    }

    fn anchors(&self) -> usize {
        self.images.iter().map(Vec::len).sum()
    }
}

/// Rows of each image's ground truth that are objects: the first target of boxes says it.
fn objects(targets: &Tensors, images: usize) -> Option<Vec<Vec<usize>>> {
    let is_boxes = |t: &&Tensor| {
        t.dtype().is_float() && t.shape().len() == 3 && t.shape()[0] == images && t.shape()[2] >= 4
    };
    let boxes = targets
        .get("gt_boxes")
        .filter(is_boxes)
        .or_else(|| targets.values().find(is_boxes))?;
    let (rows, width) = (boxes.shape()[1], boxes.shape()[2]);
    let values = boxes.to_f64();
    let is_object = |b: usize, g: usize| {
        let at = (b * rows + g) * width;
        values[at..at + width].iter().any(|v| *v != 0.0)
    };
    let of = |b: usize| (0..rows).filter(|g| is_object(b, *g)).collect();
    Some((0..images).map(of).collect())
}

fn judged(assigned: &Assigned, objects: Option<&[Vec<usize>]>) -> Finding {
    let (n, all) = (assigned.positives(), assigned.anchors());
    let count = objects.map_or(0, |o| o.iter().map(Vec::len).sum());
    let said = format!("{n} of {} are positive", counted(all, "anchor"));
    let per: Vec<String> = assigned
        .images
        .iter()
        .enumerate()
        .map(|(b, row)| per_object(b, row, objects.map_or(&[], |o| &o[b])))
        .take(SHOWN)
        .collect();
    let finding = |kind: &str, what: String, next: &str| {
        Finding::new(kind, "assign()", what)
            .number("positive", n as f64)
            .number("of", all as f64)
            .facts(if assigned.says_owner {
                per.clone()
            } else {
                vec![]
            })
            .next((!next.is_empty()).then(|| next.to_string()))
    };
    if all > 0 && n == all {
        let next = "a top-k or an in-box test does not act: look at the mask's shape and at what it is multiplied with";
        return finding(
            "assigner_all",
            format!("{said}: no assigner of detection makes every anchor positive"),
            next,
        );
    }
    if n == 0 && objects.is_none_or(|_| count > 0) {
        let next = "look at units (pixels, cells) and format (corners, centre and size) of boxes and points";
        return finding(
            "assigner_none",
            format!("{said}, of {}", counted(count, "object")),
            next,
        );
    }
    if let Some(b) = one_owner(assigned, objects) {
        let next = "look at the axis of the argmax over objects, and at what settles an anchor that several claim";
        return finding(
            "assigner_one",
            format!(
                "{said}; in image {b} all belong to one object of {}",
                objects.map_or(0, |o| o[b].len())
            ),
            next,
        );
    }
    finding(
        "assigner",
        format!("{said}, of {}", counted(count, "object")),
        "",
    )
    .severity(Severity::Note)
}

/// "image 0: object 0 has 13, object 1 has 9".
fn per_object(b: usize, row: &[Option<usize>], objects: &[usize]) -> String {
    let each = objects.iter().map(|g| {
        let n = row.iter().filter(|o| **o == Some(*g)).count();
        format!("object {g} has {n}")
    });
    format!("image {b}: {}", each.collect::<Vec<_>>().join(", "))
}

/// The first image of several objects in which one has every positive.
fn one_owner(assigned: &Assigned, objects: Option<&[Vec<usize>]>) -> Option<usize> {
    let objects = objects.filter(|_| assigned.says_owner)?;
    let mut images = assigned.images.iter().zip(objects);
    images.position(|(row, objects)| {
        let owners: BTreeSet<usize> = row.iter().flatten().copied().collect();
        objects.len() > 1 && owners.len() == 1 && row.iter().flatten().count() > 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(rows: &[&[Option<usize>]], objects: &[&[usize]]) -> String {
        let assigned = Assigned {
            images: rows.iter().map(|r| r.to_vec()).collect(),
            says_owner: true,
        };
        let objects: Vec<Vec<usize>> = objects.iter().map(|o| o.to_vec()).collect();
        judged(&assigned, Some(&objects)).kind
    }

    #[test]
    fn all_none_and_one_owner_are_degenerate_and_a_set_for_each_object_is_not() {
        let two: &[usize] = &[0, 1];
        assert_eq!(said(&[&[Some(0), Some(1), None]], &[two]), "assigner");
        assert_eq!(
            said(&[&[Some(0), Some(1), Some(0)]], &[two]),
            "assigner_all"
        );
        assert_eq!(said(&[&[None; 3]], &[two]), "assigner_none");
        assert_eq!(said(&[&[Some(0), Some(0), None]], &[two]), "assigner_one");
        assert_eq!(said(&[&[Some(0), Some(0), None]], &[&[0]]), "assigner");
        assert_eq!(
            said(&[&[None; 3]], &[&[]]),
            "assigner",
            "no object has no anchor"
        );
        let none = Assigned {
            images: vec![vec![None; 3]],
            says_owner: false,
        };
        assert_eq!(judged(&none, None).kind, "assigner_none");
    }

    #[test]
    fn the_mask_is_read_by_its_name_or_as_the_only_one_of_flags() {
        let mask = Tensor::of(&[1, 3], &[0f32, 1.0, 1.0]);
        let owner = Tensor::of(&[1, 3], &[0i64, 1, 0]);
        let made = Tensors::from([
            ("fg_mask".to_string(), mask),
            ("gt_index".to_string(), owner),
        ]);
        let read = Assigned::of(&made).unwrap();
        assert_eq!(read.images, [[None, Some(1), Some(0)]]);
        assert_eq!(Assigned::of(&Tensors::new()), None);
    }

    #[test]
    fn a_row_of_zeros_is_no_object() {
        let boxes = Tensor::of(&[1, 2, 4], &[0f32, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0]);
        let targets = Tensors::from([("boxes".to_string(), boxes)]);
        assert_eq!(objects(&targets, 1), Some(vec![vec![1]]));
        assert_eq!(objects(&targets, 2), None);
    }
}
