//! assign: which anchor is responsible for which object, and how nearly was it another?
//!
//! Convention: one image at a time; boxes in pixels; rows of ground truth at or after `count` are padding and stand as label −1
//! with an empty box; a row before it whose box is all zeros is padding too and owns nothing, whatever its label. Every choice among
//! equals takes the lowest index.

pub mod atss;
#[cfg(test)]
mod cells;
pub mod task_aligned;
mod trail;

pub use trail::{Alike, Cut, Decision, Margin, Trail};

use crate::error::{Error, Result};

/// The ground truth of one image.
#[derive(Clone, Copy, Debug)]
pub struct Truth<'a> {
    /// `[G]` classes.
    pub labels: &'a [i64],
    /// `[G]` boxes in pixels.
    pub boxes: &'a [[f64; 4]],
    /// Rows that are objects; the others are padding.
    pub count: usize,
}

/// The predictions of one image.
#[derive(Clone, Copy, Debug)]
pub struct Predictions<'a> {
    /// `[A, classes]` probabilities.
    pub scores: &'a [f64],
    pub classes: usize,
    /// `[A]` boxes in pixels.
    pub boxes: &'a [[f64; 4]],
}

/// What one image was assigned.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// `[A]` the row of ground truth that owns the anchor; None is background.
    pub owner: Vec<Option<usize>>,
    /// `[A]` target classes; what background holds is part of the dialect.
    pub labels: Vec<i64>,
    /// `[A]` target boxes in pixels.
    pub boxes: Vec<[f64; 4]>,
    /// `[A, classes]` soft targets.
    pub scores: Vec<f64>,
    /// How each row of ground truth came by its anchors.
    pub trails: Vec<Trail>,
    /// Which rows compete for an anchor that several claim.
    pub rivals: Rivals,
}

/// Among which ground truth an anchor claimed by several goes to the largest overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rivals {
    /// All rows, even those that do not claim it.
    All,
    /// Those that claim it.
    Claiming,
}

/// Which rows are objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// x1 + y1 + x2 + y2 > 0, so an object mostly left of or above the image is dropped.
    PositiveSum,
    /// Every row before `count`.
    Counted,
}

/// What the targets of a background anchor hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// Class and box of row 0, a negative class as 0; without any row the number of classes and an empty box.
    FirstRow,
    /// The number of classes and the box of row 0; without any row an empty box.
    FirstBox,
    /// Class −1 and an empty box.
    MinusOne,
}

impl Assignment {
    /// `[A]` whether the anchor is positive.
    pub fn foreground(&self) -> Vec<bool> {
        self.owner.iter().map(Option::is_some).collect()
    }

    /// `[A]` the owner's row as the references write it: 0 for background.
    pub fn gt_index(&self) -> Vec<usize> {
        self.owner.iter().map(|o| o.unwrap_or(0)).collect()
    }

    /// Positives as a set of (ground truth, anchor), in the order of the anchors.
    pub fn pairs(&self) -> Vec<(usize, usize)> {
        self.owner
            .iter()
            .enumerate()
            .filter_map(|(a, o)| o.map(|g| (g, a)))
            .collect()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.scores.len().checked_div(self.owner.len()).unwrap_or(0)
    }

    /// `[A]` sum of the soft targets of each anchor.
    pub fn weights(&self) -> Vec<f64> {
        let classes = self.classes();
        if classes == 0 {
            vec![0.0; self.owner.len()]
        } else {
            self.scores
                .chunks(classes)
                .map(|s| s.iter().sum())
                .collect()
        }
    }
}

impl Truth<'_> {
    /// Class and box of row `g`, padding filled in.
    fn row(&self, g: usize) -> (i64, [f64; 4]) {
        if g < self.count {
            (self.labels[g], self.boxes[g])
        } else {
            (-1, [0.0; 4])
        }
    }

    fn valid(&self, g: usize, rule: Validity) -> bool {
        g < self.count && (rule == Validity::Counted || self.boxes[g].iter().sum::<f64>() > 0.0)
    }

    /// Refuses ground truth that no loss is defined for, by row.
    pub fn check(&self, classes: usize) -> Result<()> {
        let (labels, boxes, count) = (self.labels.len(), self.boxes.len(), self.count);
        if labels != boxes || count > boxes {
            return Err(Error::usage(format!(
                "ground truth: {labels} labels, {boxes} boxes, {count} of them counted"
            ))
            .next("give one label and one box per row, and a count of at most as many"));
        }
        for (g, (&label, b)) in self.labels.iter().zip(self.boxes).enumerate().take(count) {
            let wrong = |fact: String, next: &str| {
                Err(Error::usage(format!("ground truth {g}: {fact}")).next(next))
            };
            if b.iter().any(|v| !v.is_finite()) {
                return wrong(
                    format!("box {b:?} is not finite"),
                    "look for a division by a zero image size in the label pipeline",
                );
            }
            if b[2] < b[0] || b[3] < b[1] {
                let (w, h) = (b[2] - b[0], b[3] - b[1]);
                return wrong(
                    format!("box {b:?} has size {w} x {h}"),
                    "give corners x1, y1, x2, y2, not centre and size",
                );
            }
            if usize::try_from(label).is_ok_and(|l| l < classes) {
                continue;
            }
            // Whatever label padding has: no point lies inside its box.
            if is_empty(b) {
                continue;
            }
            return wrong(
                format!("class {label} of {classes}"),
                "number the classes from 0; check an offset by one",
            );
        }
        Ok(())
    }
}

/// Whether a box is the one that padding has.
pub fn is_empty(b: &[f64; 4]) -> bool {
    *b == [0.0; 4]
}

impl Predictions<'_> {
    /// Refuses predictions that do not fit `anchors` or hold what is no probability or no number.
    pub fn check(&self, anchors: usize) -> Result<()> {
        let (scores, boxes, classes) = (self.scores.len(), self.boxes.len(), self.classes);
        if boxes != anchors || scores != anchors * classes {
            return Err(Error::usage(format!("predictions: {boxes} boxes and {scores} scores of {classes} classes for {anchors} anchors"))
                .next("compare the image size and the strides with those of the port"));
        }
        if let Some(i) = self.scores.iter().position(|s| !(0.0..=1.0).contains(s)) {
            let (a, c, v) = (i / classes, i % classes, self.scores[i]);
            return Err(Error::usage(format!(
                "score of anchor {a}, class {c}: {v} is no probability"
            ))
            .next("apply the sigmoid first"));
        }
        if let Some((a, b)) = self
            .boxes
            .iter()
            .enumerate()
            .find(|(_, b)| b.iter().any(|v| !v.is_finite()))
        {
            return Err(
                Error::usage(format!("predicted box of anchor {a}: {b:?} is not finite"))
                    .next("find the first layer with such a value"),
            );
        }
        Ok(())
    }
}

/// Who owns each anchor, given what every row claims.
fn resolve(trails: &[Trail], anchors: usize, rivals: Rivals) -> Vec<Option<usize>> {
    let owner = |a: usize| {
        let claiming: Vec<usize> = (0..trails.len()).filter(|&g| trails[g].claims(a)).collect();
        match (claiming.as_slice(), rivals) {
            ([], _) => None,
            ([only], _) => Some(*only),
            (several, Rivals::Claiming) => most(several.iter().copied(), a, trails),
            (_, Rivals::All) => most(0..trails.len(), a, trails),
        }
    };
    (0..anchors).map(owner).collect()
}

/// The row of largest overlap with anchor `a`, the lowest among equals.
fn most(rows: impl Iterator<Item = usize>, a: usize, trails: &[Trail]) -> Option<usize> {
    rows.reduce(|best, g| {
        if trails[g].overlap[a] > trails[best].overlap[a] {
            g
        } else {
            best
        }
    })
}

/// Target classes and boxes of all anchors.
fn targets(
    owner: &[Option<usize>],
    truth: &Truth,
    classes: usize,
    background: Background,
) -> (Vec<i64>, Vec<[f64; 4]>) {
    let empty = match (background, (!truth.boxes.is_empty()).then(|| truth.row(0))) {
        (Background::FirstRow, Some((label, b))) => (label.max(0), b),
        (Background::FirstBox, Some((_, b))) => (classes as i64, b),
        (Background::FirstRow | Background::FirstBox, None) => (classes as i64, [0.0; 4]),
        (Background::MinusOne, _) => (-1, [0.0; 4]),
    };
    let row = |g: usize| (truth.row(g).0.max(0), truth.row(g).1);
    owner.iter().map(|o| o.map_or(empty, row)).unzip()
}

/// `[A, classes]` targets with `soft` at each positive's class.
fn one_hot(
    owner: &[Option<usize>],
    labels: &[i64],
    classes: usize,
    soft: impl Fn(usize, usize) -> f64,
) -> Vec<f64> {
    let mut out = vec![0.0; owner.len() * classes];
    for (a, g) in owner
        .iter()
        .enumerate()
        .filter_map(|(a, o)| o.map(|g| (a, g)))
    {
        // Padding that owns an anchor, where every overlap is 0 and it stands first, need not have a class.
        if let Some(class) = usize::try_from(labels[a]).ok().filter(|c| *c < classes) {
            out[a * classes + class] = soft(g, a);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::atss::Atss;
    use super::task_aligned::TaskAligned;
    use super::*;

    fn refused(labels: &[i64], boxes: &[[f64; 4]], count: usize, want: &str) {
        let e = Truth {
            labels,
            boxes,
            count,
        }
        .check(3)
        .unwrap_err();
        assert!(e.message.contains(want) && e.next.is_some(), "{e}");
    }

    #[test]
    fn ground_truth_that_means_nothing_is_refused_by_row() {
        let b = [1.0, 1.0, 5.0, 5.0];
        refused(&[0], &[b, b], 1, "1 labels, 2 boxes, 1 of them counted");
        refused(&[0], &[b], 2, "1 labels, 1 boxes, 2 of them counted");
        refused(&[0, 3], &[b, b], 2, "ground truth 1: class 3 of 3");
        refused(&[-1], &[b], 1, "ground truth 0: class -1 of 3");
        refused(&[0], &[[5.0, 1.0, 4.0, 2.0]], 1, "has size -1 x 1");
        refused(&[0], &[[f64::NAN, 1.0, 4.0, 2.0]], 1, "is not finite");
        refused(&[0], &[[0.0, 1.0, f64::INFINITY, 2.0]], 1, "is not finite");
    }

    #[test]
    fn padded_rows_may_hold_anything() {
        let boxes = [[1.0, 1.0, 5.0, 5.0], [f64::NAN; 4]];
        let truth = Truth {
            labels: &[2, 99],
            boxes: &boxes,
            count: 1,
        };
        assert_eq!(truth.check(3), Ok(()));
        assert_eq!(
            [truth.row(0), truth.row(1)],
            [(2, boxes[0]), (-1, [0.0; 4])]
        );
        assert!(!truth.valid(1, Validity::Counted) && truth.valid(0, Validity::PositiveSum));
    }

    #[test]
    fn a_row_whose_box_is_all_zeros_is_padding_wherever_it_stands_and_whatever_its_label() {
        let (b, zero) = ([1.0, 1.0, 5.0, 5.0], [0.0; 4]);
        for label in [-1, 0, 3, i64::MAX, i64::MIN] {
            let truth = Truth {
                labels: &[label, 2, label],
                boxes: &[zero, b, zero],
                count: 3,
            };
            assert_eq!(truth.check(3), Ok(()), "{label}");
            let predictions = Predictions {
                scores: &[0.5; 12],
                classes: 3,
                boxes: &[[0.0, 0.0, 5.0, 5.0]; 4],
            };
            let points = [[0.0, 0.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0]];
            for rule in [
                TaskAligned {
                    topk: 4,
                    ..TaskAligned::yolov6()
                },
                TaskAligned {
                    topk: 4,
                    ..TaskAligned::mmdet_3_3()
                },
            ] {
                let out = rule.assign(&points, &predictions, &truth).unwrap();
                assert_eq!(out.owner, [None, Some(1), Some(1), Some(1)], "{label}");
            }
            let out = Atss::mmdet_3_3()
                .assign(&predictions.boxes[..4], &[4], &predictions, &truth)
                .unwrap();
            assert!(
                out.owner.iter().all(|o| o.is_none_or(|g| g == 1)),
                "{label}: {:?}",
                out.owner
            );
        }
    }

    #[test]
    fn predictions_are_refused_by_anchor_and_class() {
        let b = [[0.0, 0.0, 1.0, 1.0]; 2];
        let of = |scores: &[f64], boxes: &[[f64; 4]]| {
            Predictions {
                scores,
                classes: 2,
                boxes,
            }
            .check(2)
            .unwrap_err()
            .message
        };
        assert!(of(&[0.1, 0.1, 0.1, f64::NAN], &b).contains("anchor 1, class 1: NaN"));
        assert!(
            of(&[0.1, 0.1, -4.5, 0.2], &b).contains("anchor 1, class 0: -4.5 is no probability")
        );
        assert!(of(&[0.1; 4], &[[0.0; 4], [0.0, f64::NAN, 0.0, 0.0]]).contains("box of anchor 1"));
        assert!(of(&[0.1; 6], &b).contains("6 scores of 2 classes for 2 anchors"));
    }
}
