//! matched: the criterion of DETR on one image under the matching that is given, and what the cheapest matching costs: a given one that costs more is wrong.

use super::{Answer, Given, Gradient};
use crate::error::{Error, Result};
use crate::kernel::loss::detr::{Detr, Scene};
use crate::tensor::Tensor;
use std::collections::BTreeMap;

pub(super) fn detr(given: &Given) -> Result<Answer> {
    let (logits, boxes) = (given.real("logits", 2)?, given.columns("boxes", 2, 4)?);
    given.same_rows(&[("logits", &logits.shape), ("boxes", &boxes.shape)])?;
    let (labels, targets) = (
        given.whole("gt_labels", 1)?,
        given.columns("gt_boxes", 2, 4)?,
    );
    let query = given.whole("query", 1)?;
    let (queries, objects) = (boxes.boxes(), targets.boxes());
    let scene = Scene {
        logits: &logits.values,
        columns: logits.shape[1],
        boxes: &queries,
        labels: &labels.values,
        targets: &objects,
    };
    let loss = Detr::paper();
    let place = |q: &i64| {
        let fact =
            || Error::usage(format!("query {q} of an object")).next("count the queries from 0");
        usize::try_from(*q).map_err(|_| fact())
    };
    let query = query
        .values
        .iter()
        .map(place)
        .collect::<Result<Vec<usize>>>()?;
    let out = loss.evaluate(&scene, &query)?;
    let (_, cost) = loss.matched(&scene)?;
    let scalar = |v: f64| Tensor::from_vec(&[], vec![v]);
    let [ce, bbox, giou] = out.terms;
    let values = [ce, bbox, giou, out.total, cost].map(scalar);
    let [by_l1, by_giou] = &out.by_boxes;
    let [_, gain, too] = loss.gains;
    let total = by_l1.iter().zip(by_giou).map(|(a, b)| gain * a + too * b);
    let whole: Vec<f64> = out.by_logits.iter().map(|g| loss.gains[0] * g).collect();
    let gradient = |of, by, values: Vec<f64>| {
        let shape = if by == "logits" {
            &logits.shape
        } else {
            &boxes.shape
        };
        Gradient::smooth(of, by, Tensor::from_vec(shape, values))
    };
    Ok(Answer {
        gradients: vec![
            gradient("loss.ce", "logits", out.by_logits.clone()),
            gradient("loss.bbox", "boxes", by_l1.clone()),
            gradient("loss.giou", "boxes", by_giou.clone()),
            gradient("loss.total", "logits", whole),
            gradient("loss.total", "boxes", total.collect()),
        ],
        tensors: given
            .kernel
            .outputs
            .iter()
            .copied()
            .zip(values)
            .collect::<BTreeMap<_, _>>(),
        kinks: vec![out.kink],
        assignments: vec![],
    })
}
