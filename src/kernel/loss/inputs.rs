//! inputs: what goes into a detection loss, checked, and which boxes do the distances mean?
//!
//! Convention: slices are row-major; B images, A anchors, G padded rows of ground truth, R the largest bin. Distances are left, top,
//! right, bottom in grid units, direct (R = 0) or as R + 1 logits per side whose mean bin is meant.

use super::dfl::Expectation;
use crate::error::{Error, Place, Result};
use crate::kernel::anchors::Anchors;
use crate::kernel::assign::{Predictions, Truth};
use crate::kernel::boxes::{around, scaled};
use crate::kernel::number::Function;

/// Predictions and ground truth of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    pub anchors: &'a Anchors,
    /// nc.
    pub classes: usize,
    /// R; 0 without distribution.
    pub reg_max: usize,
    /// `[B, A, nc]`: probabilities for Gold-YOLO, logits for v8.
    pub scores: &'a [f64],
    /// `[B, A, 4·(R + 1)]`.
    pub distances: &'a [f64],
    /// `[B, G]`.
    pub labels: &'a [i64],
    /// `[B, G]` boxes in pixels.
    pub boxes: &'a [[f64; 4]],
    /// `[B]` rows of each image that are objects.
    pub counts: &'a [usize],
}

impl<'a> Inputs<'a> {
    /// B.
    pub fn images(&self) -> usize {
        self.counts.len()
    }

    /// G.
    pub fn rows(&self) -> usize {
        self.boxes.len().checked_div(self.images()).unwrap_or(0)
    }

    /// Columns of one anchor's distances.
    pub fn columns(&self) -> usize {
        4 * (self.reg_max + 1)
    }

    /// The distances of anchor `a` of image `b`.
    pub fn sides(&self, b: usize, a: usize) -> &'a [f64] {
        let start = (b * self.anchors.len() + a) * self.columns();
        &self.distances[start..start + self.columns()]
    }

    /// The ground truth of image `b`.
    pub fn truth(&self, b: usize) -> Truth<'a> {
        let rows = b * self.rows()..(b + 1) * self.rows();
        Truth {
            labels: &self.labels[rows.clone()],
            boxes: &self.boxes[rows],
            count: self.counts[b],
        }
    }

    /// Refuses sizes that do not fit each other and predictions that are no numbers, by image, anchor and column.
    pub fn check(&self) -> Result<()> {
        let (images, anchors, rows) = (self.images(), self.anchors.len(), self.rows());
        let sizes = [
            (
                "scores",
                self.scores.len(),
                format!("{images} x {anchors} x {}", self.classes),
                images * anchors * self.classes,
            ),
            (
                "distances",
                self.distances.len(),
                format!("{images} x {anchors} x {}", self.columns()),
                images * anchors * self.columns(),
            ),
            (
                "labels",
                self.labels.len(),
                format!("{images} x {rows}"),
                images * rows,
            ),
            (
                "boxes",
                self.boxes.len(),
                format!("{images} x {rows}"),
                images * rows,
            ),
        ];
        if let Some((name, len, shape, want)) = sizes.into_iter().find(|s| s.1 != s.3) {
            let next = "the grids follow from image size and strides; compare them with the port's";
            return Err(
                Error::usage(format!("{name}: {len} values, but {shape} = {want}")).next(next),
            );
        }
        finite("score", self.scores, anchors, self.classes)?;
        finite("distance", self.distances, anchors, self.columns())?;
        (0..images).try_for_each(|b| self.truth(b).check(self.classes).at(format!("image {b}")))
    }

    /// `[B, A]` predicted boxes in grid units.
    pub fn decode(&self) -> Vec<[f64; 4]> {
        let bins = self.reg_max + 1;
        let side = |s: &[f64]| {
            if bins == 1 {
                s[0]
            } else {
                Expectation.value(s)
            }
        };
        let decoded = self
            .distances
            .chunks(4 * bins)
            .zip(self.anchors.points.iter().cycle());
        decoded
            .map(|(d, &p)| around(p, [0, 1, 2, 3].map(|i| side(&d[i * bins..(i + 1) * bins]))))
            .collect()
    }

    /// The boxes of image `b` in pixels.
    pub fn pixels(&self, decoded: &[[f64; 4]], b: usize) -> Vec<[f64; 4]> {
        let n = self.anchors.len();
        decoded[b * n..(b + 1) * n]
            .iter()
            .zip(&self.anchors.strides)
            .map(|(d, &s)| scaled(*d, s))
            .collect()
    }

    /// One image's predictions for an assigner.
    pub fn predictions<'p>(
        &self,
        scores: &'p [f64],
        boxes: &'p [[f64; 4]],
        b: usize,
    ) -> Predictions<'p> {
        let n = self.anchors.len() * self.classes;
        Predictions {
            scores: &scores[b * n..(b + 1) * n],
            classes: self.classes,
            boxes,
        }
    }
}

fn finite(name: &str, values: &[f64], anchors: usize, columns: usize) -> Result<()> {
    let Some(i) = values.iter().position(|v| !v.is_finite()) else {
        return Ok(());
    };
    let (b, a, c) = (i / (anchors * columns), i / columns % anchors, i % columns);
    let fact = format!(
        "{name} of image {b}, anchor {a}, column {c} is {}",
        values[i]
    );
    Err(Error::usage(fact).next("find the first layer with such a value before comparing losses"))
}

#[cfg(test)]
pub(crate) mod sample {
    use super::*;
    use proptest::prelude::*;

    /// A batch that owns its values.
    #[derive(Clone, Debug)]
    pub(crate) struct Batch {
        pub anchors: Anchors,
        pub reg_max: usize,
        pub scores: Vec<f64>,
        pub distances: Vec<f64>,
        pub labels: Vec<i64>,
        pub boxes: Vec<[f64; 4]>,
        pub counts: Vec<usize>,
    }

    pub(crate) const CLASSES: usize = 3;

    impl Batch {
        pub(crate) fn inputs(&self) -> Inputs<'_> {
            let Self {
                anchors,
                reg_max,
                scores,
                distances,
                labels,
                boxes,
                counts,
            } = self;
            Inputs {
                anchors,
                classes: CLASSES,
                reg_max: *reg_max,
                scores,
                distances,
                labels,
                boxes,
                counts,
            }
        }

        /// Two images of 64 pixels with `count` objects, and none in the second if `lonely`.
        pub(crate) fn of(
            reg_max: usize,
            scores: &[f64],
            distances: &[f64],
            boxes: &[[f64; 4]],
            lonely: bool,
        ) -> Self {
            let anchors = Anchors::of_image(64, 64, &[8, 16, 32]).expect("three levels");
            let n = 2 * anchors.len();
            let cycle = |v: &[f64], len: usize| v.iter().copied().cycle().take(len).collect();
            let rows = boxes.len();
            Self {
                scores: cycle(scores, n * CLASSES),
                distances: cycle(distances, n * 4 * (reg_max + 1)),
                labels: (0..2 * rows).map(|i| (i % CLASSES) as i64).collect(),
                boxes: boxes.iter().chain(boxes.iter().rev()).copied().collect(),
                counts: vec![rows, if lonely { 0 } else { rows }],
                anchors,
                reg_max,
            }
        }
    }

    /// Random batches; scores in (0, 1), distances as a network gives them.
    pub(crate) fn batches(reg_max: usize) -> impl Strategy<Value = Batch> {
        let object =
            prop::array::uniform4(2f64..30.0).prop_map(|[x, y, w, h]| [x, y, x + w, y + h]);
        let distances = if reg_max == 0 {
            0.3f64..3.0
        } else {
            -2f64..2.0
        };
        (
            prop::collection::vec(0.02f64..0.9, 97),
            prop::collection::vec(distances, 389),
            prop::collection::vec(object, 1..4),
            any::<bool>(),
        )
            .prop_map(move |(s, d, b, lonely)| Batch::of(reg_max, &s, &d, &b, lonely))
    }
}

#[cfg(test)]
mod tests {
    use super::sample::Batch;

    fn batch() -> Batch {
        Batch::of(0, &[0.2, 0.3], &[1.0], &[[4.0, 4.0, 30.0, 30.0]], false)
    }

    #[test]
    fn distances_become_boxes_around_their_points() {
        let b = batch();
        let decoded = b.inputs().decode();
        assert_eq!(
            decoded[..2],
            [[-0.5, -0.5, 1.5, 1.5], [0.5, -0.5, 2.5, 1.5]]
        );
        assert_eq!(decoded.len(), 168);
        assert_eq!(b.inputs().pixels(&decoded, 1)[83], [16.0, 16.0, 80.0, 80.0]);
    }

    #[test]
    fn equal_logits_mean_the_middle_bin() {
        let b = Batch::of(16, &[0.2], &[0.0], &[[4.0, 4.0, 30.0, 30.0]], false);
        for (v, want) in b.inputs().decode()[0].iter().zip([-7.5, -7.5, 8.5, 8.5]) {
            approx::assert_abs_diff_eq!(*v, want, epsilon = 1e-12);
        }
    }

    #[test]
    fn a_value_that_is_no_number_is_named_by_image_anchor_and_column() {
        let mut b = batch();
        b.distances[(84 + 5) * 4 + 2] = f64::NAN;
        let message = b.inputs().check().unwrap_err().message;
        assert_eq!(message, "distance of image 1, anchor 5, column 2 is NaN");
        let mut b = batch();
        b.scores[7] = f64::INFINITY;
        assert_eq!(
            b.inputs().check().unwrap_err().message,
            "score of image 0, anchor 2, column 1 is inf"
        );
    }

    #[test]
    fn anchors_that_do_not_match_the_grids_are_counted() {
        let mut b = batch();
        b.scores.pop();
        assert_eq!(
            b.inputs().check().unwrap_err().message,
            "scores: 503 values, but 2 x 84 x 3 = 504"
        );
        let mut b = batch();
        b.labels[1] = 3;
        assert_eq!(
            b.inputs().check().unwrap_err().message,
            "image 1: ground truth 0: class 3 of 3"
        );
    }
}
