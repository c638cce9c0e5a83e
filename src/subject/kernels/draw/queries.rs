//! queries: what DETR predicts of one image, its objects, and a cheapest matching of both.

use super::numbers::logit;
use super::{Case, real, whole};
use crate::kernel::loss::detr::{Detr, Scene};
use proptest::prelude::*;

/// A box `[cx, cy, w, h]` whose corners lie on a grid of 1/256, those of queries beside that of the objects: no two have a coordinate in common.
fn placed(beside: bool) -> impl Strategy<Value = [f64; 4]> {
    let side = || (0u32..96, 1u32..32);
    (side(), side()).prop_map(move |(across, down)| {
        let [low, high] = if beside {
            [1.0 / 3.0, 2.0 / 3.0]
        } else {
            [0.0, 0.0]
        };
        let along = |(at, size): (u32, u32)| {
            let (a, b) = (f64::from(2 * at) + low, f64::from(2 * (at + size)) + high);
            [(a + b) / 512.0, (b - a) / 256.0]
        };
        let ([cx, w], [cy, h]) = (along(across), along(down));
        // As the f32 that a case holds.
        [cx, cy, w, h].map(|v| f64::from(v as f32))
    })
}

/// Queries and objects, from none to one for each query.
pub fn queries() -> BoxedStrategy<Case> {
    let of = |(classes, queries): (usize, usize)| {
        let objects = (0..=queries).prop_flat_map(move |objects| {
            let labels = prop::collection::vec(0i64..classes as i64, objects);
            (labels, prop::collection::vec(placed(false), objects))
        });
        let logits = prop::collection::vec(logit(), queries * (classes + 1));
        let boxes = prop::collection::vec(placed(true), queries);
        (Just(classes + 1), logits, boxes, objects)
    };
    (1usize..5, 1usize..6)
        .prop_flat_map(of)
        .prop_map(case)
        .boxed()
}

type Number = (f64, Option<&'static str>);
type Objects = (Vec<i64>, Vec<[f64; 4]>);

fn case(
    (columns, logits, boxes, (labels, targets)): (usize, Vec<Number>, Vec<[f64; 4]>, Objects),
) -> Case {
    let values: Vec<f64> = logits.iter().map(|l| l.0).collect();
    let scene = Scene {
        logits: &values,
        columns,
        boxes: &boxes,
        labels: &labels,
        targets: &targets,
    };
    let (query, _) = Detr::paper().matched(&scene).unwrap_or_default();
    let edges = [
        (labels.is_empty(), "no object"),
        (labels.len() == boxes.len(), "an object for every query"),
        (columns == 2, "one class"),
    ];
    let (queries, objects) = (boxes.len(), labels.len());
    Case::default()
        .with("logits", real(&[queries, columns], values.iter().copied()))
        .with("boxes", real(&[queries, 4], boxes.concat()))
        .with("gt_boxes", real(&[objects, 4], targets.concat()))
        .with(
            "query",
            whole(&[objects], query.iter().map(|q| *q as i64).collect()),
        )
        .with("gt_labels", whole(&[objects], labels))
        .on(edges.into_iter().filter(|e| e.0).map(|e| e.1))
        .on(logits.iter().filter_map(|l| l.1))
}
