//! atss: which anchors overlap an object by more than is usual for it (adaptive training sample selection)?
//!
//! Convention: per level the k anchors with the nearest centres are candidates; positive is a candidate whose overlap with the
//! object exceeds mean + unbiased standard deviation of all candidates' and whose centre lies inside (Zhang et al., 2020,
//! algorithm 1). With one candidate the deviation is NaN and nothing is positive.

use super::trail::Best;
use super::{
    Assignment, Background, Predictions, Rivals, Trail, Truth, Validity, one_hot, resolve, targets,
};
use crate::error::{Error, Result};
use crate::kernel::Family;
use crate::kernel::boxes::{centred, depth};
use crate::kernel::iou::{Kind, Overlap};

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "atss",
    paper: "Zhang 2020",
    what: "adaptive training sample selection in two dialects",
    kinks: "ties in top-k and argmax, a point on a side, an overlap at the threshold",
};

/// One dialect, as data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Atss {
    /// Candidates per level; a smaller level gives all it has.
    pub topk: usize,
    pub overlap: Overlap,
    /// An overlap equal to the threshold is enough.
    pub reaching: bool,
    /// A centre is inside when its smallest distance to a side, in pixels, is above this.
    pub depth: f64,
    /// Soft target: overlap of the object with the predicted box; 1 where None.
    pub soft: Option<Overlap>,
    pub rivals: Rivals,
    pub validity: Validity,
    pub background: Background,
}

impl Atss {
    /// YOLOv6 and Gold-YOLO.
    pub const fn yolov6() -> Self {
        Self {
            topk: 9,
            overlap: Overlap::mmdet(Kind::Iou),
            reaching: false,
            depth: 1e-9,
            soft: Some(Overlap::yolov6_assigner()),
            rivals: Rivals::All,
            validity: Validity::PositiveSum,
            background: Background::FirstBox,
        }
    }

    /// mmdet 3.3: hard targets.
    pub const fn mmdet_3_3() -> Self {
        Self {
            topk: 9,
            overlap: Overlap::mmdet(Kind::Iou),
            reaching: true,
            depth: 0.01,
            soft: None,
            rivals: Rivals::Claiming,
            validity: Validity::Counted,
            background: Background::MinusOne,
        }
    }

    /// Assigns one image; `squares` are `[A]` anchor boxes in pixels, `levels` the number of anchors of each level. Refuses what
    /// [`Truth::check`] and [`Predictions::check`] do, and levels that do not add up.
    pub fn assign(
        &self,
        squares: &[[f64; 4]],
        levels: &[usize],
        predictions: &Predictions,
        truth: &Truth,
    ) -> Result<Assignment> {
        let (anchors, classes, sum) = (
            squares.len(),
            predictions.classes,
            levels.iter().sum::<usize>(),
        );
        if sum != anchors {
            return Err(Error::usage(format!(
                "levels {levels:?}: {sum} anchors, but {anchors} squares"
            ))
            .next("make both from the same grids"));
        }
        predictions.check(anchors)?;
        truth.check(classes)?;
        let trails: Vec<Trail> = (0..truth.boxes.len())
            .map(|g| self.trail(g, squares, levels, truth))
            .collect();
        let owner = resolve(&trails, anchors, self.rivals);
        let (labels, boxes) = targets(&owner, truth, classes, self.background);
        let soft = |_: usize, a: usize| {
            self.soft
                .map_or(1.0, |o| o.of(boxes[a], predictions.boxes[a]))
        };
        let scores = one_hot(&owner, &labels, classes, soft);
        Ok(Assignment {
            owner,
            labels,
            boxes,
            scores,
            trails,
            rivals: self.rivals,
        })
    }

    fn trail(&self, g: usize, squares: &[[f64; 4]], levels: &[usize], truth: &Truth) -> Trail {
        let ((_, b), valid) = (truth.row(g), truth.valid(g, self.validity));
        let centre = |b: [f64; 4]| [centred(b)[0], centred(b)[1]];
        let [cx, cy] = centre(b);
        let away =
            |s: &[f64; 4]| ((centre(*s)[0] - cx).powi(2) + (centre(*s)[1] - cy).powi(2)).sqrt();
        let overlaps: Vec<f64> = squares.iter().map(|s| self.overlap.of(b, *s)).collect();
        let depths = squares.iter().map(|s| depth(centre(*s), b)).collect();
        let mut trail = Trail::new(
            valid,
            overlaps,
            squares.iter().map(away).collect(),
            depths,
            b,
        );
        trail.depth_limit = self.depth;
        let mut start = 0;
        for n in levels {
            trail.choose(start..start + n, self.topk, Best::Smallest);
            start += n;
        }
        let limit = mean_plus_deviation(
            &trail
                .candidates
                .iter()
                .map(|&a| trail.overlap[a])
                .collect::<Vec<_>>(),
        );
        trail.threshold = Some((limit, self.reaching));
        trail
    }
}

/// Mean plus unbiased standard deviation; NaN for fewer than two values.
fn mean_plus_deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    mean + variance.sqrt()
}
