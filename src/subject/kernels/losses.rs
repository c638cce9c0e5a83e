//! losses: whole detection losses: assignment, terms, items, total and the gradient of each term by both predictions.

use super::assigners::{self, Truths};
use super::{Answer, Given, Gradient};
use crate::error::{Error, Result};
use crate::kernel::anchors::{Anchors, Grid};
use crate::kernel::assign::Assignment;
use crate::kernel::loss::inputs::Inputs;
use crate::kernel::loss::positives::{Positive, besides, kinks};
use crate::kernel::loss::whole::{Evaluated, Reduction};
use crate::scenario::training::{ASSIGNED, PREDICTIONS};
use crate::tensor::Tensor;
use std::collections::BTreeMap;

/// What a whole loss takes, without and with the levels that its anchors belong to.
pub(super) const PREDICTED: &[&str] = &[
    "pred_scores",
    "pred_distri",
    "points",
    "strides",
    "gt_labels",
    "gt_boxes",
    "gt_count",
];
pub(super) const LEVELLED: &[&str] = &[
    "pred_scores",
    "pred_distri",
    "points",
    "strides",
    "level",
    "gt_labels",
    "gt_boxes",
    "gt_count",
];

/// The loss that the row trains.
pub(super) fn whole(given: &Given) -> Result<Answer> {
    let loss = given.kernel.training()?;
    let batch = Batch::read(given, loss.reg_max())?;
    let inputs = batch.inputs();
    let Evaluated {
        assignments,
        positives,
        items,
        total,
        normaliser,
        gradients,
    } = loss.evaluate(&inputs, Reduction::Weight)?;
    let gains = loss.gains();
    let weights = gains.map(|g| g * loss.batch(inputs.images()));
    let outputs = given.kernel.outputs;
    // The terms follow what is assigned.
    let named = outputs.iter().skip(ASSIGNED.len()).copied();
    let part = |((of, [by_scores, by_distances]), weight): ((_, [Option<Vec<f64>>; 2]), f64)| {
        let reaches = usize::from(by_scores.is_none());
        let gradient = by_scores.or(by_distances).unwrap_or_default();
        (of, reaches, gradient, 1.0 / weight)
    };
    let parts = named.zip(gradients).zip(weights).map(part).collect();
    let raw = std::array::from_fn(|i| items[i] / gains[i]);
    let values = Values {
        raw,
        items,
        total,
        normaliser,
    };
    Ok(batch.answer(outputs, assignments, &positives, values, parts, weights))
}

/// What a loss is made of.
struct Values {
    raw: [f64; 3],
    items: [f64; 3],
    total: f64,
    normaliser: f64,
}

/// A term's name, the prediction that it reaches (its place in [`PREDICTIONS`]), the gradient that the kernel gives and the factor to the
/// term's own. The first is the box term.
type Part = (&'static str, usize, Vec<f64>, f64);

/// The inputs of a loss, owned.
struct Batch {
    anchors: Anchors,
    scores: Vec<f64>,
    distances: Vec<f64>,
    shapes: [Vec<usize>; 2],
    truths: Truths,
    reg_max: usize,
}

impl Batch {
    fn read(given: &Given, reg_max: usize) -> Result<Self> {
        let (scores, distances) = (
            given.real("pred_scores", 3)?,
            given.columns("pred_distri", 3, 4 * (reg_max + 1))?,
        );
        let truths = Truths::read(given)?;
        given.same_rows(&[
            ("pred_scores", &scores.shape),
            ("pred_distri", &distances.shape),
            ("gt_boxes", &truths.shape),
        ])?;
        let anchors = anchors(given)?;
        if scores.shape[1] != anchors.len() || distances.shape[1] != anchors.len() {
            let fact = format!(
                "pred_scores {:?} and pred_distri {:?}, but {} anchors",
                scores.shape,
                distances.shape,
                anchors.len()
            );
            return Err(Error::usage(fact).next("make all three from the same grids"));
        }
        let shapes = [scores.shape, distances.shape];
        Ok(Self {
            anchors,
            scores: scores.values,
            distances: distances.values,
            shapes,
            truths,
            reg_max,
        })
    }

    fn inputs(&self) -> Inputs<'_> {
        let Truths {
            labels,
            boxes,
            counts,
            ..
        } = &self.truths;
        Inputs {
            anchors: &self.anchors,
            classes: self.shapes[0][2],
            reg_max: self.reg_max,
            scores: &self.scores,
            distances: &self.distances,
            labels,
            boxes,
            counts,
        }
    }

    fn answer(
        &self,
        names: &'static [&'static str],
        assignments: Vec<Assignment>,
        positives: &[Positive],
        values: Values,
        parts: Vec<Part>,
        weights: [f64; 3],
    ) -> Answer {
        let assigned = assigners::named(
            &assignments,
            self.truths.shape[1],
            self.anchors.len(),
            self.shapes[0][2],
        );
        let scalar = |v: f64| Tensor::from_vec(&[], vec![v]);
        let whole = [
            Tensor::from_vec(&[3], values.items.to_vec()),
            scalar(values.total),
            scalar(values.normaliser),
        ];
        let rest = values.raw.map(scalar).into_iter().chain(whole).map(Some);
        let all = names.iter().copied().zip(assigned.into_iter().chain(rest));
        let tensors: BTreeMap<_, _> = all.filter_map(|(n, t)| Some((n, t?))).collect();
        let inputs = self.inputs();
        let beside = besides(&inputs, positives, 1.0 / values.normaliser);
        Answer {
            tensors,
            gradients: self.gradients(parts, weights, beside),
            kinks: kinks(&inputs, positives),
            assignments,
        }
    }

    /// Of every term by both predictions, 0 where it does not reach one; of the total as their weighted sum. `beside` are the slopes of the box
    /// term beside its kinks.
    fn gradients(
        &self,
        parts: Vec<Part>,
        weights: [f64; 3],
        beside: BTreeMap<usize, Option<[f64; 2]>>,
    ) -> Vec<Gradient> {
        let mut totals = self.shapes.clone().map(|s| vec![0.0; s.iter().product()]);
        // Two of each term, the box term first: by the scores and by the distances.
        let mut out = Vec::new();
        for ((of, reaches, gradient, factor), weight) in parts.into_iter().zip(weights) {
            for (i, by) in PREDICTIONS.into_iter().enumerate() {
                let own = |g: &f64| g * factor;
                let value: Vec<f64> = if i == reaches {
                    gradient.iter().map(own).collect()
                } else {
                    vec![0.0; totals[i].len()]
                };
                totals[i]
                    .iter_mut()
                    .zip(&value)
                    .for_each(|(t, g)| *t += g * weight);
                out.push(Gradient::smooth(
                    of,
                    by,
                    Tensor::from_vec(&self.shapes[i], value),
                ));
            }
        }
        // The other terms have one slope beside a kink of the box term.
        let of_box = out[1].value.to_f64();
        let whole = |i: usize, slope: f64| totals[1][i] + (slope - of_box[i]) * weights[0];
        let beside_total = beside
            .iter()
            .map(|(i, s)| (*i, s.map(|s| s.map(|slope| whole(*i, slope)))))
            .collect();
        out[1].beside = beside;
        for ((i, sum), beside) in totals
            .into_iter()
            .enumerate()
            .zip([BTreeMap::new(), beside_total])
        {
            let value = Tensor::from_vec(&self.shapes[i], sum);
            out.push(Gradient {
                of: "loss.total",
                by: PREDICTIONS[i],
                value,
                beside,
            });
        }
        out
    }
}

/// Anchors from points and strides; one level per run of equal `level`, or of equal strides where the form has no levels.
fn anchors(given: &Given) -> Result<Anchors> {
    let (points, strides) = (given.points()?, given.real("strides", 1)?);
    given.same_rows(&[("points", &[points.len()]), ("strides", &strides.shape)])?;
    let strides = strides.values;
    if let Some(a) = strides.iter().position(|s| !(*s > 0.0 && s.is_finite())) {
        return Err(
            Error::usage(format!("stride of anchor {a} is {}", strides[a]))
                .next("give every anchor a positive stride"),
        );
    }
    let runs = match (given.feed)("level") {
        Some(_) => assigners::sizes(&given.whole("level", 1)?.values)?,
        None => strides.chunk_by(|a, b| a == b).map(<[f64]>::len).collect(),
    };
    if runs.iter().sum::<usize>() != points.len() {
        return Err(
            Error::usage(format!("levels {runs:?} of {} points", points.len()))
                .next("give every anchor its level"),
        );
    }
    let mut begin = 0;
    let grid = |width: usize| {
        begin += width;
        Grid {
            height: 1,
            width,
            stride: strides[begin - width],
        }
    };
    Ok(Anchors {
        grids: runs.into_iter().map(grid).collect(),
        points,
        strides,
    })
}
