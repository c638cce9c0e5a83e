//! atss: the cells of ATSS.

use super::*;

fn atss(
    rule: Atss,
    size: f64,
    objects: &[[f64; 4]],
    predicted: [f64; 4],
    grids: &Anchors,
) -> Assignment {
    let (scores, boxes) = (
        vec![0.5; grids.len() * CLASSES],
        vec![predicted; grids.len()],
    );
    let labels = vec![1; objects.len()];
    let truth = Truth {
        labels: &labels,
        boxes: objects,
        count: objects.len(),
    };
    let predictions = Predictions {
        scores: &scores,
        classes: CLASSES,
        boxes: &boxes,
    };
    rule.assign(
        &grids.squares(size, 0.5),
        &grids.levels(),
        &predictions,
        &truth,
    )
    .expect("valid inputs")
}

#[test]
fn reaching_the_threshold_is_enough_in_mmdet_only() {
    let (object, grids) = (
        [0.0, 0.0, 16.0, 16.0],
        Anchors::of_image(16, 16, &[8]).unwrap(),
    );
    let strict = atss(Atss::yolov6(), 5.0, &[object], object, &grids);
    let reaching = atss(Atss::mmdet_3_3(), 5.0, &[object], object, &grids);
    assert_eq!((strict.pairs().len(), reaching.pairs().len()), (0, 4));
    assert_eq!(strict.trails[0].threshold, Some((256.0 / 1600.0, false)));
    let margin = strict.distance(0, Some(0)).unwrap();
    assert_eq!((margin.decision, margin.gap), (Decision::Threshold, 0.0));
}

#[test]
fn the_threshold_is_mean_plus_unbiased_deviation_over_all_levels() {
    let (object, grids) = (
        [4.0, 4.0, 44.0, 44.0],
        Anchors::of_image(64, 64, &[8, 16, 32]).unwrap(),
    );
    let out = atss(Atss::yolov6(), 5.0, &[object], object, &grids);
    let trail = &out.trails[0];
    assert_eq!((trail.candidates.len(), trail.cuts.len()), (9 + 9 + 4, 3));
    let u: Vec<f64> = trail.candidates.iter().map(|&a| trail.overlap[a]).collect();
    let mean = u.iter().sum::<f64>() / 22.0;
    let deviation = (u.iter().map(|v| v * v - mean * mean).sum::<f64>() / 21.0).sqrt();
    assert_relative_eq!(
        trail.threshold.unwrap().0,
        mean + deviation,
        max_relative = 1e-12
    );
    assert!(!out.pairs().is_empty());
    assert!(
        out.pairs()
            .iter()
            .all(|&(_, a)| trail.overlap[a] > mean + deviation && trail.inside(a))
    );
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
    let (object, grids) = (
        [0.0, 0.0, 16.0, 16.0],
        Anchors::of_image(64, 64, &[8, 16, 32]).unwrap(),
    );
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
    let predictions = Predictions {
        scores: &[0.5],
        classes: 1,
        boxes: &[[0.0; 4]],
    };
    let e = Atss::yolov6()
        .assign(
            &[[0.0; 4]],
            &[2],
            &predictions,
            &Truth {
                labels: &[],
                boxes: &[],
                count: 0,
            },
        )
        .unwrap_err();
    assert_eq!(e.message, "levels [2]: 2 anchors, but 1 squares");
}
