//! objects: ties and margins, and objects that lie oddly: identical, nested, without a point, a hundred of them.

use super::*;

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
fn a_tie_that_another_implementation_has_alike_is_settled_by_the_rule() {
    let object = [0.0, 0.0, 16.0, 16.0];
    let out = tal(YOLOV6, &points(), 0.5, object, &[object, object]);
    let alike = |overlaps: bool| Alike {
        zeros: &|_| false,
        overlaps: if overlaps {
            &|_, _| true
        } else {
            &|_, _| false
        },
    };
    // Row 1 would have to come before row 0: by the overlap never, else by a place in a top-k, or by leaving the box.
    let settled = out.distance_beside(0, Some(1), &alike(true)).unwrap();
    assert!(
        settled.relative() > 0.0 && settled.decision != Decision::Largest,
        "{settled:?}"
    );
    assert_eq!(
        out.distance_beside(0, Some(1), &alike(false))
            .unwrap()
            .relative(),
        0.0
    );
}

#[test]
fn a_tie_that_leaves_one_claim_alone_is_seen_as_one() {
    // Two objects claim point 0 at tied places of their top-k; while both do, row 0 gets it, though it lies elsewhere.
    let objects = [
        [20.0, 20.0, 60.0, 60.0],
        [0.0, 0.0, 64.0, 64.0],
        [0.0, 0.0, 64.0, 63.0],
    ];
    let out = tal(YOLOV6, &points(), 0.5, objects[0], &objects);
    assert_eq!(out.owner[0], Some(0));
    assert_eq!(
        [1, 2].map(|h| out.distance(0, Some(h)).unwrap().relative()),
        [0.0, 0.0]
    );
}

#[test]
fn a_tie_that_lets_a_third_row_in_is_seen_as_one() {
    // Two lines without area tie at a metric of 0 for 64 points; where both claim a point, row 0 gets it though it lies elsewhere.
    let objects = [
        [50.0, 0.0, 50.0, 64.0],
        [4.0, 0.0, 4.0, 64.0],
        [4.0, 0.0, 4.0, 64.0],
    ];
    let out = tal(U84, &points(), 0.5, [0.0, 0.0, 8.0, 8.0], &objects);
    let free = (0..64)
        .find(|&a| out.owner[a].is_none() && out.trails[1].inside(a) && !out.trails[0].inside(a))
        .unwrap();
    assert_eq!(out.distance(free, Some(0)).unwrap().relative(), 0.0);
    let far = (0..64)
        .find(|&a| out.trails.iter().all(|t| !t.inside(a)))
        .unwrap();
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
        assert_eq!(
            positives(rule, 0.5, [56.0, 56.0, 90.0, 90.0]),
            [63],
            "partly outside {rule:?}"
        );
        assert_eq!(
            positives(rule, 0.5, [11.0, 11.0, 13.0, 13.0]),
            [9],
            "2 pixels around a point {rule:?}"
        );
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
    let objects: Vec<[f64; 4]> = (0..128)
        .map(|i| [(i % 8) as f64 * 8.0, (i / 8 % 8) as f64 * 8.0])
        .map(|[x, y]| [x, y, x + 8.0, y + 8.0])
        .collect();
    let (scores, points) = (vec![0.5; 192], points());
    let boxes: Vec<[f64; 4]> = points
        .iter()
        .map(|[x, y]| [x - 4.0, y - 4.0, x + 4.0, y + 4.0])
        .collect();
    let labels = vec![0; 128];
    let truth = Truth {
        labels: &labels,
        boxes: &objects,
        count: 128,
    };
    for rule in [YOLOV6, U83, MMDET] {
        let out = rule
            .assign(
                &points,
                &Predictions {
                    scores: &scores,
                    classes: 3,
                    boxes: &boxes,
                },
                &truth,
            )
            .unwrap();
        assert_eq!(out.owner, (0..64).map(Some).collect::<Vec<_>>(), "{rule:?}");
    }
}

#[test]
fn the_margin_of_a_top_k_is_the_gap_at_its_boundary() {
    let (points, object) = (points(), [0.0, 0.0, 64.0, 64.0]);
    let scores: Vec<f64> = (0..64)
        .flat_map(|a| [0.0, 0.0, 0.9 - a as f64 * 0.01])
        .collect();
    let boxes = vec![object; 64];
    let truth = Truth {
        labels: &[2],
        boxes: &[object],
        count: 1,
    };
    let out = YOLOV6
        .assign(
            &points,
            &Predictions {
                scores: &scores,
                classes: 3,
                boxes: &boxes,
            },
            &truth,
        )
        .unwrap();
    let cut = &out.trails[0].cuts[0];
    assert_relative_eq!(
        cut.last_in - cut.first_out.unwrap(),
        0.01,
        max_relative = 1e-9
    );
    for (a, theirs, gap) in [(12, None, 0.01), (13, Some(0), 0.01), (20, Some(0), 0.08)] {
        let margin = out.distance(a, theirs).unwrap();
        assert_eq!(margin.decision, Decision::TopK);
        assert_relative_eq!(margin.gap, gap, max_relative = 1e-9);
    }
    // The best anchor would sooner leave the box, 4 of 64 pixels, than the top-k, 0.13 of 0.9.
    let first = out.distance(0, None).unwrap();
    assert_eq!(
        (first.decision, first.gap, first.scale),
        (Decision::Inside, 4.0 - 1e-9, 64.0)
    );
    assert_relative_eq!(
        out.closest(Decision::TopK).unwrap().gap,
        0.01,
        max_relative = 1e-9
    );
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
    let out = TaskAligned {
        topk: 1,
        overlap: Overlap {
            kind: Kind::Siou,
            ..Overlap::ultralytics()
        },
        inside_only: false,
        ..U84
    }
    .assign(
        &[[4.0, 4.0]],
        &Predictions {
            scores: &[0.5],
            classes: 1,
            boxes: &[[0.0; 4]],
        },
        &Truth {
            labels: &[0],
            boxes: &[[0.0; 4]],
            count: 1,
        },
    );
    assert!(
        out.unwrap_err()
            .message
            .contains("metric of ground truth 0 and anchor 0: NaN")
    );
}
