//! cells: does every cell of the table of dialects hold?

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
fn tal(rule: TaskAligned, points: &[[f64; 2]], score: f64, predicted: [f64; 4], objects: &[[f64; 4]]) -> Assignment {
    let (scores, boxes) = (vec![score; points.len() * CLASSES], vec![predicted; points.len()]);
    let labels: Vec<i64> = (0..objects.len()).map(|g| (2 - g % 3) as i64).collect();
    let truth = Truth { labels: &labels, boxes: objects, count: objects.len() };
    rule.assign(points, &Predictions { scores: &scores, classes: CLASSES, boxes: &boxes }, &truth).expect("valid inputs")
}

fn positives(rule: TaskAligned, score: f64, object: [f64; 4]) -> Vec<usize> {
    tal(rule, &points(), score, object, &[object]).pairs().into_iter().map(|(_, a)| a).collect()
}

fn atss(rule: Atss, size: f64, objects: &[[f64; 4]], predicted: [f64; 4], grids: &Anchors) -> Assignment {
    let (scores, boxes) = (vec![0.5; grids.len() * CLASSES], vec![predicted; grids.len()]);
    let labels = vec![1; objects.len()];
    let truth = Truth { labels: &labels, boxes: objects, count: objects.len() };
    let predictions = Predictions { scores: &scores, classes: CLASSES, boxes: &boxes };
    rule.assign(&grids.squares(size, 0.5), &grids.levels(), &predictions, &truth).expect("valid inputs")
}

#[test]
fn among_equals_the_lowest_anchors_fill_the_top_k() {
    let all = [0.0, 0.0, 64.0, 64.0];
    for (rule, k) in [(YOLOV6, 13), (U84, 10), (U83, 10), (MMDET, 13)] {
        assert_eq!(positives(rule, 0.5, all), (0..k).collect::<Vec<_>>(), "{rule:?}");
    }
}

#[test]
fn the_metric_raises_score_and_overlap_to_the_dialects_powers() {
    let (object, predicted) = ([0.0, 0.0, 32.0, 32.0], [0.0, 0.0, 32.0, 16.0]);
    for (rule, alpha, overlap) in
        [(YOLOV6, 1.0, Overlap::yolov6_assigner()), (U84, 0.5, Overlap::ultralytics()), (MMDET, 1.0, Overlap::mmdet(Kind::Iou))]
    {
        let out = tal(rule, &points(), 0.3, predicted, &[object]);
        let u = overlap.of(object, predicted);
        assert_relative_eq!(out.trails[0].metric[0], 0.3f64.powf(alpha) * u.powf(6.0), max_relative = 1e-14);
        assert_eq!(out.trails[0].overlap[0], u);
    }
}

#[test]
fn only_ultralytics_leaves_overlaps_outside_the_box_at_zero() {
    let object = [0.0, 0.0, 16.0, 16.0];
    for (rule, zero) in [(YOLOV6, false), (U84, true), (U83, true), (MMDET, false)] {
        assert_eq!(tal(rule, &points(), 0.5, object, &[object]).trails[0].overlap[63] == 0.0, zero, "{rule:?}");
    }
}

#[test]
fn a_negative_ciou_counts_as_zero() {
    let out = tal(U84, &points(), 0.5, [40.0, 0.0, 44.0, 64.0], &[[0.0, 0.0, 30.0, 16.0]]);
    assert!(U84.overlap.of([0.0, 0.0, 30.0, 16.0], [40.0, 0.0, 44.0, 64.0]) < 0.0);
    assert!(out.trails[0].overlap.iter().all(|u| *u == 0.0));
}

#[test]
fn a_point_on_the_border_is_outside_and_mmdet_asks_for_a_hundredth_of_a_pixel() {
    let border = [4.0, 0.0, 20.0, 16.0];
    let near = [3.995, 0.0, 20.0, 16.0];
    for rule in DIALECTS {
        assert!(!tal(rule, &points(), 0.5, border, &[border]).trails[0].inside(0), "{rule:?}");
    }
    for (rule, inside) in [(YOLOV6, true), (U84, true), (U83, true), (MMDET, false)] {
        assert_eq!(tal(rule, &points(), 0.5, near, &[near]).trails[0].inside(0), inside, "{rule:?}");
    }
}

#[test]
fn only_ultralytics_8_4_enlarges_small_boxes_to_16_pixels() {
    let tiny = [7.0, 7.0, 9.0, 9.0];
    assert_eq!(positives(U84, 0.5, tiny), [0, 1, 8, 9]);
    for rule in [YOLOV6, U83, MMDET] {
        assert_eq!(positives(rule, 0.5, tiny), [] as [usize; 0], "{rule:?}");
    }
}

#[test]
fn points_outside_use_up_places_in_mmdet_only() {
    let corner = [48.0, 48.0, 64.0, 64.0];
    for rule in [YOLOV6, U84, U83] {
        assert_eq!(positives(rule, 0.5, corner), [54, 55, 62, 63], "{rule:?}");
    }
    assert_eq!(positives(MMDET, 0.5, corner), [] as [usize; 0]);
}

#[test]
fn a_metric_of_zero_may_become_positive_except_in_mmdet() {
    let object = [0.0, 0.0, 16.0, 16.0];
    for rule in [YOLOV6, U84, U83] {
        let out = tal(rule, &points(), 0.0, object, &[object]);
        // Top-k among zeros takes the first k anchors: 13 reach the second row of points, 10 too.
        assert_eq!(out.pairs(), [(0, 0), (0, 1), (0, 8), (0, 9)], "{rule:?}");
        assert!(out.scores.iter().all(|s| *s == 0.0));
    }
    assert_eq!(positives(MMDET, 0.0, object), [] as [usize; 0]);
}

#[test]
fn an_anchor_in_several_boxes_goes_where_the_dialect_says() {
    let objects = [[0.0, 0.0, 30.0, 30.0], [0.0, 0.0, 34.0, 34.0], [5.0, 5.0, 60.0, 60.0]];
    for (rule, owner) in [(YOLOV6, 2), (U84, 1), (U83, 1), (MMDET, 1)] {
        let out = tal(TaskAligned { topk: 1, ..rule }, &[[4.0, 4.0]], 0.5, [0.0, 0.0, 58.0, 58.0], &objects);
        assert_eq!(out.owner, [Some(owner)], "{rule:?}");
        assert_eq!((out.labels[0], out.boxes[0]), (2 - owner as i64, objects[owner]));
    }
}

#[test]
fn where_all_overlaps_are_zero_the_first_row_owns_a_contested_anchor() {
    let objects = [[40.0, 40.0, 60.0, 60.0], [0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 9.0, 9.0]];
    for (rule, owner) in [(YOLOV6, Some(0)), (U83, Some(0)), (MMDET, None)] {
        let out = tal(TaskAligned { topk: 1, ..rule }, &[[4.0, 4.0]], 0.5, [20.0, 20.0, 30.0, 30.0], &objects);
        assert_eq!(out.owner, [owner], "{rule:?}");
    }
}

#[test]
fn the_best_anchor_of_an_object_gets_its_overlap_as_target() {
    let (object, predicted) = ([0.0, 0.0, 64.0, 64.0], [0.0, 0.0, 64.0, 48.0]);
    for (rule, eps) in [(YOLOV6, 1e-9), (U84, 1e-9), (MMDET, 1e-7)] {
        let out = tal(rule, &points(), 0.5, predicted, &[object]);
        let (t, u) = (out.trails[0].metric[0], out.trails[0].overlap[0]);
        assert_relative_eq!(out.scores[2], t * u / (t + eps), max_relative = 1e-14);
        assert_eq!(out.scores[..2], [0.0, 0.0]);
        assert_relative_eq!(out.weights()[0], out.scores[2], max_relative = 1e-15);
    }
}

#[test]
fn background_holds_the_first_class_or_minus_one() {
    let object = [0.0, 0.0, 16.0, 16.0];
    for (rule, label, b) in [(YOLOV6, 2, object), (U84, 2, object), (MMDET, -1, [0.0; 4])] {
        let out = tal(rule, &points(), 0.5, object, &[object]);
        assert_eq!((out.owner[63], out.labels[63], out.boxes[63]), (None, label, b), "{rule:?}");
        assert_eq!(out.gt_index()[63], 0);
    }
}

#[test]
fn without_objects_nothing_is_positive() {
    for (rule, label) in [(YOLOV6, 3), (U84, 3), (U83, 3), (MMDET, -1)] {
        let out = tal(rule, &points(), 0.5, [0.0; 4], &[]);
        assert!(out.labels.iter().all(|&l| l == label) && !out.foreground().contains(&true), "{rule:?}");
        assert_eq!((out.boxes.len(), out.scores.len(), out.scores.iter().sum::<f64>()), (64, 192, 0.0));
    }
}

#[test]
fn padded_rows_are_never_positive_and_background_reads_their_class_as_zero() {
    let (points, scores, boxes) = (points(), vec![0.5; 192], vec![[0.0, 0.0, 64.0, 64.0]; 64]);
    let predictions = Predictions { scores: &scores, classes: CLASSES, boxes: &boxes };
    for (rule, label) in [(YOLOV6, 0), (U84, 0), (MMDET, -1)] {
        let truth = Truth { labels: &[7, 7], boxes: &[[0.0, 0.0, 64.0, 64.0]; 2], count: 0 };
        let out = rule.assign(&points, &predictions, &truth).unwrap();
        assert!(out.pairs().is_empty() && out.labels.iter().all(|&l| l == label), "{rule:?}");
    }
}

#[test]
fn more_candidates_than_anchors_are_an_error_or_all_of_them() {
    let (object, few) = ([0.0, 0.0, 16.0, 16.0], &points()[..2]);
    let (scores, boxes) = ([0.5; 6], [object; 2]);
    let (predictions, truth) =
        (Predictions { scores: &scores, classes: 3, boxes: &boxes }, Truth { labels: &[0], boxes: &[object], count: 1 });
    for (rule, k) in [(YOLOV6, 13), (U84, 10), (U83, 10)] {
        assert_eq!(rule.assign(few, &predictions, &truth).unwrap_err().message, format!("top-k {k} of 2 anchors"));
    }
    assert_eq!(MMDET.assign(few, &predictions, &truth).unwrap().pairs(), [(0, 0), (0, 1)]);
}

#[test]
fn a_box_mostly_left_of_the_image_is_dropped_except_in_mmdet() {
    let left = [-50.0, -30.0, 20.0, 20.0];
    for (rule, dropped) in [(YOLOV6, true), (U84, true), (U83, true), (MMDET, false)] {
        assert_eq!(positives(rule, 0.5, left).is_empty(), dropped, "{rule:?}");
    }
}

#[test]
fn identical_objects_tie_and_the_tie_is_seen_as_one() {
    let object = [0.0, 0.0, 16.0, 16.0];
    for rule in DIALECTS {
        let out = tal(rule, &points(), 0.5, object, &[object, object]);
        assert_eq!(out.owner[0], Some(0), "{rule:?}");
        assert_eq!(out.distance(0, Some(1)).unwrap().relative(), 0.0);
        assert_eq!(out.distance(0, Some(0)), None);
        assert_eq!(out.closest(Decision::Largest).unwrap().gap, 0.0);
    }
}

#[test]
fn a_tie_that_leaves_one_claim_alone_is_seen_as_one() {
    // Two objects claim point 0 at tied places of their top-k; while both do, row 0 gets it, though it lies elsewhere.
    let objects = [[20.0, 20.0, 60.0, 60.0], [0.0, 0.0, 64.0, 64.0], [0.0, 0.0, 64.0, 63.0]];
    let out = tal(YOLOV6, &points(), 0.5, objects[0], &objects);
    assert_eq!(out.owner[0], Some(0));
    assert_eq!([1, 2].map(|h| out.distance(0, Some(h)).unwrap().relative()), [0.0, 0.0]);
}

#[test]
fn a_tie_that_lets_a_third_row_in_is_seen_as_one() {
    // Two lines without area tie at a metric of 0 for 64 points; where both claim a point, row 0 gets it though it lies elsewhere.
    let objects = [[50.0, 0.0, 50.0, 64.0], [4.0, 0.0, 4.0, 64.0], [4.0, 0.0, 4.0, 64.0]];
    let out = tal(U84, &points(), 0.5, [0.0, 0.0, 8.0, 8.0], &objects);
    let free = (0..64).find(|&a| out.owner[a].is_none() && out.trails[1].inside(a) && !out.trails[0].inside(a)).unwrap();
    assert_eq!(out.distance(free, Some(0)).unwrap().relative(), 0.0);
    let far = (0..64).find(|&a| out.trails.iter().all(|t| !t.inside(a))).unwrap();
    assert!(out.distance(far, Some(0)).unwrap().relative() > 0.0);
}

#[test]
fn boxes_without_a_point_have_no_positive() {
    for (name, b) in [
        ("half a pixel", [9.0, 9.0, 9.5, 9.5]),
        ("zero area", [12.0, 12.0, 12.0, 12.0]),
        ("zero width", [12.0, 0.0, 12.0, 64.0]),
        ("outside", [70.0, 70.0, 90.0, 90.0]),
        ("in the padding, touching", [64.0, 0.0, 80.0, 64.0]),
    ] {
        for rule in [YOLOV6, U83, MMDET] {
            assert_eq!(positives(rule, 0.5, b), [] as [usize; 0], "{name} {rule:?}");
        }
    }
    for rule in [YOLOV6, U83] {
        assert_eq!(positives(rule, 0.5, [56.0, 56.0, 90.0, 90.0]), [63], "partly outside {rule:?}");
        assert_eq!(positives(rule, 0.5, [11.0, 11.0, 13.0, 13.0]), [9], "2 pixels around a point {rule:?}");
    }
}

#[test]
fn nested_objects_share_the_anchors_by_overlap() {
    let (outer, inner) = ([0.0, 0.0, 64.0, 64.0], [8.0, 8.0, 24.0, 24.0]);
    for rule in [YOLOV6, U83] {
        let out = tal(rule, &points(), 0.5, inner, &[outer, inner]);
        assert_eq!(out.owner[9], Some(1), "{rule:?}");
        assert_eq!(out.owner[0], Some(0), "{rule:?}");
    }
}

#[test]
fn more_than_a_hundred_objects_are_told_apart() {
    let objects: Vec<[f64; 4]> =
        (0..128).map(|i| [(i % 8) as f64 * 8.0, (i / 8 % 8) as f64 * 8.0]).map(|[x, y]| [x, y, x + 8.0, y + 8.0]).collect();
    let (scores, points) = (vec![0.5; 192], points());
    let boxes: Vec<[f64; 4]> = points.iter().map(|[x, y]| [x - 4.0, y - 4.0, x + 4.0, y + 4.0]).collect();
    let labels = vec![0; 128];
    let truth = Truth { labels: &labels, boxes: &objects, count: 128 };
    for rule in [YOLOV6, U83, MMDET] {
        let out = rule.assign(&points, &Predictions { scores: &scores, classes: 3, boxes: &boxes }, &truth).unwrap();
        assert_eq!(out.owner, (0..64).map(Some).collect::<Vec<_>>(), "{rule:?}");
    }
}

#[test]
fn the_margin_of_a_top_k_is_the_gap_at_its_boundary() {
    let (points, object) = (points(), [0.0, 0.0, 64.0, 64.0]);
    let scores: Vec<f64> = (0..64).flat_map(|a| [0.0, 0.0, 0.9 - a as f64 * 0.01]).collect();
    let boxes = vec![object; 64];
    let truth = Truth { labels: &[2], boxes: &[object], count: 1 };
    let out = YOLOV6.assign(&points, &Predictions { scores: &scores, classes: 3, boxes: &boxes }, &truth).unwrap();
    let cut = &out.trails[0].cuts[0];
    assert_relative_eq!(cut.last_in - cut.first_out.unwrap(), 0.01, max_relative = 1e-9);
    for (a, theirs, gap) in [(12, None, 0.01), (13, Some(0), 0.01), (20, Some(0), 0.08)] {
        let margin = out.distance(a, theirs).unwrap();
        assert_eq!(margin.decision, Decision::TopK);
        assert_relative_eq!(margin.gap, gap, max_relative = 1e-9);
    }
    // The best anchor would sooner leave the box, 4 of 64 pixels, than the top-k, 0.13 of 0.9.
    let first = out.distance(0, None).unwrap();
    assert_eq!((first.decision, first.gap, first.scale), (Decision::Inside, 4.0 - 1e-9, 64.0));
    assert_relative_eq!(out.closest(Decision::TopK).unwrap().gap, 0.01, max_relative = 1e-9);
    assert_eq!(out.trails[0].candidates, (0..13).collect::<Vec<_>>());
}

#[test]
fn ties_among_candidates_outside_the_box_are_no_near_miss() {
    let object = [0.0, 0.0, 16.0, 16.0];
    let out = tal(YOLOV6, &points(), 0.5, object, &[object]);
    assert_eq!(out.closest(Decision::TopK).unwrap().relative(), 1.0);
    assert_eq!(out.closest(Decision::Largest), None);
}

#[test]
fn a_metric_that_is_no_number_is_refused() {
    let out = TaskAligned { topk: 1, overlap: Overlap { kind: Kind::Siou, ..Overlap::ultralytics() }, inside_only: false, ..U84 }.assign(
        &[[4.0, 4.0]],
        &Predictions { scores: &[0.5], classes: 1, boxes: &[[0.0; 4]] },
        &Truth { labels: &[0], boxes: &[[0.0; 4]], count: 1 },
    );
    assert!(out.unwrap_err().message.contains("metric of ground truth 0 and anchor 0: NaN"));
}

#[test]
fn reaching_the_threshold_is_enough_in_mmdet_only() {
    let (object, grids) = ([0.0, 0.0, 16.0, 16.0], Anchors::of_image(16, 16, &[8]).unwrap());
    let strict = atss(Atss::yolov6(), 5.0, &[object], object, &grids);
    let reaching = atss(Atss::mmdet_3_3(), 5.0, &[object], object, &grids);
    assert_eq!((strict.pairs().len(), reaching.pairs().len()), (0, 4));
    assert_eq!(strict.trails[0].threshold, Some((256.0 / 1600.0, false)));
    let margin = strict.distance(0, Some(0)).unwrap();
    assert_eq!((margin.decision, margin.gap), (Decision::Threshold, 0.0));
}

#[test]
fn the_threshold_is_mean_plus_unbiased_deviation_over_all_levels() {
    let (object, grids) = ([4.0, 4.0, 44.0, 44.0], Anchors::of_image(64, 64, &[8, 16, 32]).unwrap());
    let out = atss(Atss::yolov6(), 5.0, &[object], object, &grids);
    let trail = &out.trails[0];
    assert_eq!((trail.candidates.len(), trail.cuts.len()), (9 + 9 + 4, 3));
    let u: Vec<f64> = trail.candidates.iter().map(|&a| trail.overlap[a]).collect();
    let mean = u.iter().sum::<f64>() / 22.0;
    let deviation = (u.iter().map(|v| v * v - mean * mean).sum::<f64>() / 21.0).sqrt();
    assert_relative_eq!(trail.threshold.unwrap().0, mean + deviation, max_relative = 1e-12);
    assert!(!out.pairs().is_empty());
    assert!(out.pairs().iter().all(|&(_, a)| trail.overlap[a] > mean + deviation && trail.inside(a)));
}

#[test]
fn soft_targets_of_atss_are_overlaps_with_the_prediction_or_one() {
    let (object, predicted) = ([4.0, 4.0, 44.0, 44.0], [4.0, 4.0, 44.0, 24.0]);
    let grids = Anchors::of_image(64, 64, &[8, 16, 32]).unwrap();
    for (rule, want) in [(Atss::yolov6(), 0.5), (Atss::mmdet_3_3(), 1.0)] {
        let out = atss(rule, 5.0, &[object], predicted, &grids);
        let (_, a) = out.pairs()[0];
        assert_relative_eq!(out.scores[a * CLASSES + 1], want, max_relative = 1e-10);
    }
}

#[test]
fn a_single_candidate_has_no_deviation_and_is_not_positive() {
    let (object, grids) = ([0.0, 0.0, 8.0, 8.0], Anchors::of_image(8, 8, &[8]).unwrap());
    for rule in [Atss::yolov6(), Atss::mmdet_3_3()] {
        let out = atss(rule, 5.0, &[object], object, &grids);
        assert!(out.trails[0].threshold.unwrap().0.is_nan());
        assert_eq!(out.pairs(), []);
    }
}

#[test]
fn background_of_yolov6s_atss_has_no_class_but_the_first_box() {
    let (object, grids) = ([0.0, 0.0, 16.0, 16.0], Anchors::of_image(64, 64, &[8, 16, 32]).unwrap());
    let out = atss(Atss::yolov6(), 5.0, &[object], object, &grids);
    assert!(out.owner[63].is_none());
    assert_eq!((out.labels[63], out.boxes[63]), (CLASSES as i64, object));
}

#[test]
fn atss_without_objects_and_with_padding_only_is_all_background() {
    let grids = Anchors::of_image(64, 64, &[8, 16, 32]).unwrap();
    for (rule, label) in [(Atss::yolov6(), 3), (Atss::mmdet_3_3(), -1)] {
        let out = atss(rule, 5.0, &[], [0.0; 4], &grids);
        assert!(out.pairs().is_empty() && out.labels.iter().all(|&l| l == label));
    }
}

#[test]
fn levels_that_do_not_add_up_are_refused() {
    let predictions = Predictions { scores: &[0.5], classes: 1, boxes: &[[0.0; 4]] };
    let e = Atss::yolov6().assign(&[[0.0; 4]], &[2], &predictions, &Truth { labels: &[], boxes: &[], count: 0 }).unwrap_err();
    assert_eq!(e.message, "levels [2]: 2 anchors, but 1 squares");
}

/// Objects and predictions of one image of 64 pixels with three levels.
fn scenes() -> impl Strategy<Value = (Vec<[f64; 4]>, Vec<f64>, Vec<[f64; 4]>)> {
    let b = || prop::array::uniform4(0f64..40.0).prop_map(|[x, y, w, h]| [x - 4.0, y - 4.0, x + w, y + h]);
    (prop::collection::vec(b(), 0..8), prop::collection::vec(0f64..=1.0, 84 * CLASSES), prop::collection::vec(b(), 84))
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
