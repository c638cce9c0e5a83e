//! assigners: TaskAligned and ATSS in their dialects, a batch of images at a time.

use super::{Answer, Given};
use crate::error::{Error, Place, Result};
use crate::kernel::assign::atss::Atss;
use crate::kernel::assign::task_aligned::TaskAligned;
use crate::kernel::assign::{Assignment, Predictions, Trail, Truth};
use crate::tensor::{DType, Tensor};
use std::collections::BTreeMap;

pub(super) const OUTPUTS: [&str; 7] = [
    "fg_mask",
    "gt_index",
    "target_labels",
    "target_boxes",
    "target_scores",
    "metric",
    "overlap",
];

pub(super) fn aligned(given: &Given, rule: TaskAligned) -> Result<Answer> {
    let points = given.points()?;
    every_image(given, points.len(), |predictions, truth| {
        rule.assign(&points, predictions, truth)
    })
}

pub(super) fn adaptive(given: &Given, rule: Atss) -> Result<Answer> {
    let (squares, level) = (given.columns("squares", 2, 4)?, given.whole("level", 1)?);
    given.same_rows(&[("squares", &squares.shape), ("level", &level.shape)])?;
    let (squares, levels) = (squares.boxes(), sizes(&level.values)?);
    every_image(given, squares.len(), |predictions, truth| {
        rule.assign(&squares, &levels, predictions, truth)
    })
}

fn every_image(
    given: &Given,
    anchors: usize,
    assign: impl Fn(&Predictions, &Truth) -> Result<Assignment>,
) -> Result<Answer> {
    let (scores, boxes) = (
        given.real("pred_scores", 3)?,
        given.columns("pred_boxes", 3, 4)?,
    );
    let truths = Truths::read(given)?;
    let images = given.same_rows(&[
        ("pred_scores", &scores.shape),
        ("pred_boxes", &boxes.shape),
        ("gt_boxes", &truths.shape),
    ])?;
    if scores.shape[1] != anchors || boxes.shape[1] != anchors {
        let fact = format!(
            "pred_scores {:?} and pred_boxes {:?}, but {anchors} anchors",
            scores.shape, boxes.shape
        );
        return Err(Error::usage(fact).next("make all three from the same grids"));
    }
    let (classes, corners) = (scores.shape[2], boxes.boxes());
    let one = |b: usize| {
        let scores = &scores.values[b * anchors * classes..(b + 1) * anchors * classes];
        let predictions = Predictions {
            scores,
            classes,
            boxes: &corners[b * anchors..(b + 1) * anchors],
        };
        assign(&predictions, &truths.of(b)).at(format!("image {b}"))
    };
    let assignments = (0..images).map(one).collect::<Result<Vec<_>>>()?;
    let named = named(&assignments, truths.shape[1], anchors, classes);
    let tensors = OUTPUTS
        .into_iter()
        .zip(named)
        .filter_map(|(n, t)| Some((n, t?)))
        .collect::<BTreeMap<_, _>>();
    Ok(Answer {
        tensors,
        assignments,
        ..Answer::default()
    })
}

/// The ground truth of a batch: `[B, G]` rows, of which each image counts its first.
pub(super) struct Truths {
    pub shape: Vec<usize>,
    pub labels: Vec<i64>,
    pub boxes: Vec<[f64; 4]>,
    pub counts: Vec<usize>,
    /// 0 where no image has any object, as the originals then have no rows.
    pub rows: usize,
}

impl Truths {
    pub fn read(given: &Given) -> Result<Self> {
        let (labels, boxes, count) = (
            given.whole("gt_labels", 2)?,
            given.columns("gt_boxes", 3, 4)?,
            given.whole("gt_count", 1)?,
        );
        given.same_rows(&[
            ("gt_boxes", &boxes.shape),
            ("gt_labels", &labels.shape),
            ("gt_count", &count.shape),
        ])?;
        let rows = boxes.shape[1];
        if labels.shape[1] != rows {
            return Err(Error::usage(format!(
                "gt_labels {:?} and gt_boxes {:?} do not fit each other",
                labels.shape, boxes.shape
            )));
        }
        let counts = count
            .values
            .iter()
            .map(|&c| counted(c, rows))
            .collect::<Result<Vec<_>>>()?;
        Ok(match counts.iter().all(|c| *c == 0) {
            true => Self {
                shape: boxes.shape,
                labels: vec![],
                boxes: vec![],
                counts,
                rows: 0,
            },
            false => Self {
                boxes: boxes.boxes(),
                shape: boxes.shape,
                labels: labels.values,
                counts,
                rows,
            },
        })
    }

    /// The ground truth of image `b`.
    pub fn of(&self, b: usize) -> Truth<'_> {
        let rows = b * self.rows..(b + 1) * self.rows;
        Truth {
            labels: &self.labels[rows.clone()],
            boxes: &self.boxes[rows],
            count: self.counts[b],
        }
    }
}

fn counted(count: i64, rows: usize) -> Result<usize> {
    let fact = || {
        Error::usage(format!("gt_count {count} of {rows} rows"))
            .next("count the rows that are objects, from 0 to all")
    };
    usize::try_from(count)
        .ok()
        .filter(|c| *c <= rows)
        .ok_or_else(fact)
}

/// Anchors of each level; levels must ascend from 0.
pub(super) fn sizes(level: &[i64]) -> Result<Vec<usize>> {
    let mut sizes: Vec<usize> = Vec::new();
    for (a, &l) in level.iter().enumerate() {
        match usize::try_from(l) {
            Ok(l) if l + 1 == sizes.len() => sizes[l] += 1,
            Ok(l) if l == sizes.len() => sizes.push(1),
            _ => {
                let fact = format!("level of anchor {a} is {l} behind {} levels", sizes.len());
                return Err(Error::usage(fact).next(
                    "number the levels from 0 and list their anchors one level after the other",
                ));
            }
        }
    }
    Ok(sizes)
}

/// The tensors of [`OUTPUTS`], in that order; without any object there is no row to have a metric or an overlap.
pub(super) fn named(
    all: &[Assignment],
    rows: usize,
    anchors: usize,
    classes: usize,
) -> [Option<Tensor>; 7] {
    let images = all.len();
    let real = |shape: &[usize], of: &dyn Fn(&Assignment) -> Vec<f64>| {
        Tensor::from_vec(shape, all.iter().flat_map(of).collect())
    };
    let whole = |of: &dyn Fn(&Assignment) -> Vec<i64>| {
        Tensor::from_vec(&[images, anchors], all.iter().flat_map(of).collect())
    };
    let foreground: Vec<u8> = all
        .iter()
        .flat_map(|a| a.foreground())
        .map(u8::from)
        .collect();
    let per_row = |of: fn(&Trail) -> &Vec<f64>| {
        let one = |a: &Assignment| a.trails.iter().flat_map(|t| of(t).clone()).collect();
        all.iter()
            .all(|a| a.trails.len() == rows)
            .then(|| real(&[images, rows, anchors], &one))
    };
    [
        Tensor::from_bytes(DType::Bool, vec![images, anchors], &foreground).ok(),
        Some(whole(&|a| a.gt_index().iter().map(|g| *g as i64).collect())),
        Some(whole(&|a| a.labels.clone())),
        Some(real(&[images, anchors, 4], &|a| a.boxes.concat())),
        Some(real(&[images, anchors, classes], &|a| a.scores.clone())),
        per_row(|t| &t.metric),
        per_row(|t| &t.overlap),
    ]
}
