//! cells: does every cell of the table of dialects hold?

mod atss;
mod objects;
mod task_aligned;

use super::atss::Atss;
use super::task_aligned::TaskAligned;
use super::*;
use crate::kernel::anchors::Anchors;
use crate::kernel::iou::{Kind, Overlap};
use approx::assert_relative_eq;
use proptest::prelude::*;

const YOLOV6: TaskAligned = TaskAligned::yolov6();
const U84: TaskAligned = TaskAligned::ultralytics_8_4();
const U83: TaskAligned = TaskAligned::ultralytics_8_3_155();
const MMDET: TaskAligned = TaskAligned::mmdet_3_3();
const DIALECTS: [TaskAligned; 4] = [YOLOV6, U84, U83, MMDET];
const CLASSES: usize = 3;

/// 64 points of stride 8, row by row.
fn points() -> Vec<[f64; 2]> {
    Anchors::of_image(64, 64, &[8]).expect("one level").pixels()
}

/// TaskAligned with one score for every class and one predicted box for every anchor.
fn tal(
    rule: TaskAligned,
    points: &[[f64; 2]],
    score: f64,
    predicted: [f64; 4],
    objects: &[[f64; 4]],
) -> Assignment {
    let (scores, boxes) = (
        vec![score; points.len() * CLASSES],
        vec![predicted; points.len()],
    );
    let labels: Vec<i64> = (0..objects.len()).map(|g| (2 - g % 3) as i64).collect();
    let truth = Truth {
        labels: &labels,
        boxes: objects,
        count: objects.len(),
    };
    rule.assign(
        points,
        &Predictions {
            scores: &scores,
            classes: CLASSES,
            boxes: &boxes,
        },
        &truth,
    )
    .expect("valid inputs")
}

fn positives(rule: TaskAligned, score: f64, object: [f64; 4]) -> Vec<usize> {
    tal(rule, &points(), score, object, &[object])
        .pairs()
        .into_iter()
        .map(|(_, a)| a)
        .collect()
}

/// Objects and predictions of one image of 64 pixels with three levels.
fn scenes() -> impl Strategy<Value = (Vec<[f64; 4]>, Vec<f64>, Vec<[f64; 4]>)> {
    let b = || {
        prop::array::uniform4(0f64..40.0).prop_map(|[x, y, w, h]| [x - 4.0, y - 4.0, x + w, y + h])
    };
    (
        prop::collection::vec(b(), 0..8),
        prop::collection::vec(0f64..=1.0, 84 * CLASSES),
        prop::collection::vec(b(), 84),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_assignment_is_consistent_with_its_trails((objects, scores, boxes) in scenes()) {
        let grids = Anchors::of_image(64, 64, &[8, 16, 32]).unwrap();
        let labels: Vec<i64> = (0..objects.len()).map(|g| (g % CLASSES) as i64).collect();
        let truth = Truth { labels: &labels, boxes: &objects, count: objects.len() };
        let predictions = Predictions { scores: &scores, classes: CLASSES, boxes: &boxes };
        let tal = DIALECTS.map(|rule| rule.assign(&grids.pixels(), &predictions, &truth).unwrap());
        let atss = [Atss::yolov6(), Atss::mmdet_3_3()].map(|r| r.assign(&grids.squares(5.0, 0.5), &grids.levels(), &predictions, &truth).unwrap());
        for out in tal.iter().chain(&atss) {
            for a in 0..84 {
                let claiming = out.trails.iter().filter(|t| t.claims(a)).count();
                prop_assert_eq!(out.owner[a].is_some(), claiming > 0);
                prop_assert!(out.owner[a].is_none_or(|g| claiming > 1 || out.trails[g].claims(a)));
                prop_assert_eq!(out.distance(a, out.owner[a]), None);
                prop_assert!((0..objects.len()).filter(|g| out.owner[a] != Some(*g)).all(|g| out.distance(a, Some(g)).unwrap().gap >= 0.0));
                let row = &out.scores[a * CLASSES..(a + 1) * CLASSES];
                prop_assert!(row.iter().all(|s| (0.0..=1.0 + 1e-12).contains(s)));
                prop_assert!(row.iter().enumerate().all(|(c, s)| *s == 0.0 || (out.owner[a].is_some() && out.labels[a] == c as i64)));
            }
        }
    }
}
