//! task_aligned: the cells of TaskAligned, dialect by dialect.

use super::*;

#[test]
fn among_equals_the_lowest_anchors_fill_the_top_k() {
    let all = [0.0, 0.0, 64.0, 64.0];
    for (rule, k) in [(YOLOV6, 13), (U84, 10), (U83, 10), (MMDET, 13)] {
        assert_eq!(
            positives(rule, 0.5, all),
            (0..k).collect::<Vec<_>>(),
            "{rule:?}"
        );
    }
}

#[test]
fn the_metric_raises_score_and_overlap_to_the_dialects_powers() {
    let (object, predicted) = ([0.0, 0.0, 32.0, 32.0], [0.0, 0.0, 32.0, 16.0]);
    for (rule, alpha, overlap) in [
        (YOLOV6, 1.0, Overlap::yolov6_assigner()),
        (U84, 0.5, Overlap::ultralytics()),
        (MMDET, 1.0, Overlap::mmdet(Kind::Iou)),
    ] {
        let out = tal(rule, &points(), 0.3, predicted, &[object]);
        let u = overlap.of(object, predicted);
        assert_relative_eq!(
            out.trails[0].metric[0],
            0.3f64.powf(alpha) * u.powf(6.0),
            max_relative = 1e-14
        );
        assert_eq!(out.trails[0].overlap[0], u);
    }
}

#[test]
fn only_ultralytics_leaves_overlaps_outside_the_box_at_zero() {
    let object = [0.0, 0.0, 16.0, 16.0];
    for (rule, zero) in [(YOLOV6, false), (U84, true), (U83, true), (MMDET, false)] {
        assert_eq!(
            tal(rule, &points(), 0.5, object, &[object]).trails[0].overlap[63] == 0.0,
            zero,
            "{rule:?}"
        );
    }
}

#[test]
fn a_negative_ciou_counts_as_zero() {
    let out = tal(
        U84,
        &points(),
        0.5,
        [40.0, 0.0, 44.0, 64.0],
        &[[0.0, 0.0, 30.0, 16.0]],
    );
    assert!(
        U84.overlap
            .of([0.0, 0.0, 30.0, 16.0], [40.0, 0.0, 44.0, 64.0])
            < 0.0
    );
    assert!(out.trails[0].overlap.iter().all(|u| *u == 0.0));
}

#[test]
fn a_point_on_the_border_is_outside_and_mmdet_asks_for_a_hundredth_of_a_pixel() {
    let border = [4.0, 0.0, 20.0, 16.0];
    let near = [3.995, 0.0, 20.0, 16.0];
    for rule in DIALECTS {
        assert!(
            !tal(rule, &points(), 0.5, border, &[border]).trails[0].inside(0),
            "{rule:?}"
        );
    }
    for (rule, inside) in [(YOLOV6, true), (U84, true), (U83, true), (MMDET, false)] {
        assert_eq!(
            tal(rule, &points(), 0.5, near, &[near]).trails[0].inside(0),
            inside,
            "{rule:?}"
        );
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
    let objects = [
        [0.0, 0.0, 30.0, 30.0],
        [0.0, 0.0, 34.0, 34.0],
        [5.0, 5.0, 60.0, 60.0],
    ];
    for (rule, owner) in [(YOLOV6, 2), (U84, 1), (U83, 1), (MMDET, 1)] {
        let out = tal(
            TaskAligned { topk: 1, ..rule },
            &[[4.0, 4.0]],
            0.5,
            [0.0, 0.0, 58.0, 58.0],
            &objects,
        );
        assert_eq!(out.owner, [Some(owner)], "{rule:?}");
        assert_eq!(
            (out.labels[0], out.boxes[0]),
            (2 - owner as i64, objects[owner])
        );
    }
}

#[test]
fn where_all_overlaps_are_zero_the_first_row_owns_a_contested_anchor() {
    let objects = [
        [40.0, 40.0, 60.0, 60.0],
        [0.0, 0.0, 8.0, 8.0],
        [0.0, 0.0, 9.0, 9.0],
    ];
    for (rule, owner) in [(YOLOV6, Some(0)), (U83, Some(0)), (MMDET, None)] {
        let out = tal(
            TaskAligned { topk: 1, ..rule },
            &[[4.0, 4.0]],
            0.5,
            [20.0, 20.0, 30.0, 30.0],
            &objects,
        );
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
        assert_eq!(
            (out.owner[63], out.labels[63], out.boxes[63]),
            (None, label, b),
            "{rule:?}"
        );
        assert_eq!(out.gt_index()[63], 0);
    }
}

#[test]
fn without_objects_nothing_is_positive() {
    for (rule, label) in [(YOLOV6, 3), (U84, 3), (U83, 3), (MMDET, -1)] {
        let out = tal(rule, &points(), 0.5, [0.0; 4], &[]);
        assert!(
            out.labels.iter().all(|&l| l == label) && !out.foreground().contains(&true),
            "{rule:?}"
        );
        assert_eq!(
            (
                out.boxes.len(),
                out.scores.len(),
                out.scores.iter().sum::<f64>()
            ),
            (64, 192, 0.0)
        );
    }
}

#[test]
fn padded_rows_are_never_positive_and_background_reads_their_class_as_zero() {
    let (points, scores, boxes) = (points(), vec![0.5; 192], vec![[0.0, 0.0, 64.0, 64.0]; 64]);
    let predictions = Predictions {
        scores: &scores,
        classes: CLASSES,
        boxes: &boxes,
    };
    for (rule, label) in [(YOLOV6, 0), (U84, 0), (MMDET, -1)] {
        let truth = Truth {
            labels: &[7, 7],
            boxes: &[[0.0, 0.0, 64.0, 64.0]; 2],
            count: 0,
        };
        let out = rule.assign(&points, &predictions, &truth).unwrap();
        assert!(
            out.pairs().is_empty() && out.labels.iter().all(|&l| l == label),
            "{rule:?}"
        );
    }
}

#[test]
fn more_candidates_than_anchors_are_an_error_or_all_of_them() {
    let (object, few) = ([0.0, 0.0, 16.0, 16.0], &points()[..2]);
    let (scores, boxes) = ([0.5; 6], [object; 2]);
    let (predictions, truth) = (
        Predictions {
            scores: &scores,
            classes: 3,
            boxes: &boxes,
        },
        Truth {
            labels: &[0],
            boxes: &[object],
            count: 1,
        },
    );
    for (rule, k) in [(YOLOV6, 13), (U84, 10), (U83, 10)] {
        assert_eq!(
            rule.assign(few, &predictions, &truth).unwrap_err().message,
            format!("top-k {k} of 2 anchors")
        );
    }
    assert_eq!(
        MMDET.assign(few, &predictions, &truth).unwrap().pairs(),
        [(0, 0), (0, 1)]
    );
}

#[test]
fn a_box_mostly_left_of_the_image_is_dropped_except_in_mmdet() {
    let left = [-50.0, -30.0, 20.0, 20.0];
    for (rule, dropped) in [(YOLOV6, true), (U84, true), (U83, true), (MMDET, false)] {
        assert_eq!(positives(rule, 0.5, left).is_empty(), dropped, "{rule:?}");
    }
}
