//! metrics: pixels with their labels, confusion matrices, and objects of three images with what was detected there.

use super::numbers::logit;
use super::{Case, real, whole};
use crate::tensor::Tensor;
use proptest::prelude::*;

type Edge = (bool, &'static str);

fn those(edges: impl IntoIterator<Item = Edge>) -> impl Iterator<Item = &'static str> {
    edges.into_iter().filter(|e| e.0).map(|e| e.1)
}

fn flags(values: &[bool]) -> Tensor {
    let bytes: Vec<u8> = values.iter().map(|v| u8::from(*v)).collect();
    Tensor::from_bytes(crate::tensor::DType::Bool, vec![bytes.len()], &bytes)
        .unwrap_or_else(|_| unreachable!("a byte each"))
}

/// Logits, labels of which some are ignored, and pixels of which nothing is predicted; equal logits are frequent, there may be no pixel.
pub fn pixels() -> BoxedStrategy<Case> {
    let of = |(classes, rows): (usize, usize)| {
        let label = prop_oneof![4 => 0i64..classes as i64, 1 => Just(-1i64)];
        let number = prop_oneof![logit().prop_map(|d| d.0), Just(0.5)];
        (
            Just((classes, rows)),
            prop::collection::vec(number, classes * rows),
            prop::collection::vec(label, rows),
            prop::collection::vec(prop::bool::weighted(0.15), rows),
        )
    };
    type Drawn = ((usize, usize), Vec<f64>, Vec<i64>, Vec<bool>);
    let case = |((classes, rows), logits, labels, unsure): Drawn| {
        let largest = |row: &[f64]| row.iter().copied().fold(f64::MIN, f64::max);
        let tied = |row: &[f64]| row.iter().filter(|v| **v == largest(row)).count() > 1;
        let edges = [
            (rows == 0, "no pixel"),
            (classes == 1, "one class"),
            (rows > 0 && labels.iter().all(|l| *l == -1), "all ignored"),
            (labels.contains(&-1), "some ignored"),
            (unsure.contains(&true), "some unsure"),
            (logits.chunks(classes).any(tied), "equal logits"),
        ];
        Case::default()
            .with("logits", real(&[rows, classes], logits))
            .with("labels", whole(&[rows], labels))
            .with("unsure", flags(&unsure))
            .on(those(edges))
    };
    (prop_oneof![Just(1usize), 2usize..6, Just(37)], 0usize..9)
        .prop_flat_map(of)
        .prop_map(case)
        .boxed()
}

/// What becomes of a drawn matrix; most classes of a data set are rare, some occur nowhere.
const NOTHING: u8 = 0;
const PERFECT: u8 = 1;
const COLLAPSED: u8 = 2;
const NOTHING_IGNORED: u8 = 3;
const ALL_IGNORED: u8 = 4;

/// Counts by label and prediction, the ignored last.
pub fn matrices() -> BoxedStrategy<Case> {
    let of = |classes: usize| {
        let side = classes + 1;
        let count = prop_oneof![2 => Just(0i64), 3 => 1i64..9, 1 => 1i64..100_000];
        (
            Just(classes),
            prop::collection::vec(count, side * side),
            prop::collection::vec(prop::bool::weighted(0.25), classes),
            0u8..12,
        )
    };
    let case = |(classes, mut counts, gone, kind): (usize, Vec<i64>, Vec<bool>, u8)| {
        let side = classes + 1;
        for (i, n) in counts.iter_mut().enumerate() {
            let (row, column) = (i / side, i % side);
            let is_gone = |c: usize| gone.get(c).copied().unwrap_or(false);
            let ignored = row == classes || column == classes;
            let kept = match kind {
                NOTHING => false,
                PERFECT => row == column,
                COLLAPSED => column == 0,
                NOTHING_IGNORED => !ignored,
                ALL_IGNORED => row == classes,
                _ => true,
            };
            if !kept || is_gone(row) || is_gone(column) {
                *n = 0;
            }
        }
        let at = |row: usize, column: usize| counts[row * side + column];
        let truth = |c: usize| (0..classes).map(|p| at(c, p)).sum::<i64>();
        let predicted = |c: usize| (0..classes).map(|t| at(t, c)).sum::<i64>();
        let any = |of: &dyn Fn(usize) -> bool| (0..classes).any(of);
        let edges = [
            (counts.iter().all(|n| *n == 0), "no pixel"),
            (classes == 1, "one class"),
            (any(&|c| truth(c) + predicted(c) == 0), "an absent class"),
            (
                any(&|c| truth(c) == 0 && predicted(c) > 0),
                "a class that is only predicted",
            ),
            (
                any(&|c| truth(c) > 0 && predicted(c) == 0),
                "a class that is never predicted",
            ),
            (
                (0..side).any(|i| at(i, classes) + at(classes, i) > 0),
                "some ignored",
            ),
        ];
        let edges: Vec<&str> = those(edges).collect();
        Case::default()
            .with("counts", whole(&[side, side], counts))
            .on(edges)
    };
    prop_oneof![Just(1usize), 2usize..6, Just(37)]
        .prop_flat_map(of)
        .prop_map(case)
        .boxed()
}

/// Detections of a case: the form has its matching unrolled.
const DETECTIONS: usize = 6;
const IMAGES: i64 = 3;

/// Left, top, width, height; sides of 32 and 96 lie on the edges between sizes.
fn object() -> impl Strategy<Value = ([f64; 4], i64, bool)> {
    let side = prop::sample::select(vec![4.0, 16.0, 24.0, 32.0, 64.0, 96.0, 128.0]);
    let place = (0u8..8).prop_map(|k| f64::from(k) * 16.0);
    let bbox = (place.clone(), place, side.clone(), side).prop_map(|(x, y, w, h)| [x, y, w, h]);
    (bbox, 0..IMAGES, prop::bool::weighted(0.15))
}

/// An object's box as it might be detected; the last ways take the detection's own box, in whichever image.
fn detected([x, y, w, h]: [f64; 4], own: [f64; 4], way: u8) -> [f64; 4] {
    match way {
        0..=2 => [x, y, w, h],
        3 | 4 => [x, y, w, h / 2.0],
        5 => [x + w / 4.0, y, w, h],
        6 => [x, y, w, h * 0.75],
        7 => [x - w / 8.0, y, w * 1.25, h],
        8 => [x + w / 4.0, y + h / 4.0, w / 2.0, h / 2.0],
        _ => own,
    }
}

/// What one class of three images holds and what was found there; now and then nothing, and overlaps lie at their thresholds.
pub fn detections() -> BoxedStrategy<Case> {
    let found = (object(), 0usize..8, 0u8..12, 0u8..16, 0u8..8);
    let overlap = prop::sample::select(vec![0.5, 0.75, 0.25, 0.625, 0.9375]);
    let case = |(objects, found, overlaps, none): (Vec<_>, Vec<_>, Vec<f64>, bool)| {
        let boxes: Vec<[f64; 4]> = objects
            .iter()
            .map(|o: &([f64; 4], i64, bool)| o.0)
            .collect();
        let crowd: Vec<bool> = objects.iter().map(|o| o.2).collect();
        let (mut rows, mut images, mut scores) = (vec![], vec![], vec![]);
        for ((own, own_image, _), of, way, elsewhere, score) in found {
            let (target, at) = match objects.get(of % objects.len().max(1)) {
                Some((bbox, image, _)) => (*bbox, *image),
                None => (own, own_image),
            };
            rows.extend(detected(target, own, way));
            images.push(match elsewhere {
                _ if none => -1,
                0 | 1 => -1,
                2 => own_image,
                _ => at,
            });
            scores.push(f64::from(score) / 8.0);
        }
        let edges = edges(&boxes, &crowd, &images, &scores);
        Case::default()
            .with(
                "objects",
                real(&[boxes.len(), 4], boxes.into_iter().flatten()),
            )
            .with(
                "object_image",
                whole(&[objects.len()], objects.iter().map(|o| o.1).collect()),
            )
            .with("crowd", flags(&crowd))
            .with("boxes", real(&[DETECTIONS, 4], rows))
            .with("image", whole(&[DETECTIONS], images))
            .with("scores", real(&[DETECTIONS], scores))
            .with("overlaps", real(&[overlaps.len()], overlaps))
            .on(edges)
    };
    (
        prop::collection::vec(object(), 0..6),
        prop::collection::vec(found, DETECTIONS),
        prop::collection::vec(overlap, 1..4),
        prop::bool::weighted(0.05),
    )
        .prop_map(case)
        .boxed()
}

fn edges(boxes: &[[f64; 4]], crowd: &[bool], images: &[i64], scores: &[f64]) -> Vec<&'static str> {
    let area = |b: &[f64; 4]| b[2] * b[3];
    let twice = (1..scores.len()).any(|i| scores[..i].contains(&scores[i]));
    let found = images.iter().filter(|i| **i >= 0).count();
    let edge = |b: &[f64; 4]| [1024.0, 9216.0].contains(&area(b));
    those([
        (boxes.is_empty(), "no object"),
        (found == 0, "no detection"),
        (found < images.len(), "fewer detections"),
        (crowd.contains(&true), "a crowd"),
        (boxes.iter().any(edge), "between two sizes"),
        (twice, "equal scores"),
    ])
    .collect()
}
