//! task_aligned: which anchors align classification and localisation best (TaskAligned, TAL)?
//!
//! Convention: metric t = s^α · u^β of class score s and overlap u; the k best of each object that lie inside it are positive; soft
//! target t · max u / (max t + eps) over the object's positives (Feng et al., TOOD, 2021, section 3.2, equation 4).
//! [`TaskAligned`] holds what the public dialects do differently.

use super::trail::Best;
use super::{
    Assignment, Background, Predictions, Rivals, Trail, Truth, Validity, one_hot, resolve, targets,
};
use crate::error::{Error, Result};
use crate::kernel::Family;
use crate::kernel::boxes::{depth, enlarged};
use crate::kernel::iou::{Kind, Overlap};

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "task_aligned",
    paper: "Feng 2021",
    what: "TaskAligned in four dialects",
    kinks: "ties in top-k and argmax, a point on a side",
};

/// One dialect, as data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskAligned {
    pub topk: usize,
    pub alpha: f64,
    pub beta: f64,
    /// Added to the largest metric before the division.
    pub eps: f64,
    pub overlap: Overlap,
    /// Overlap and metric are computed inside the box only and are 0 elsewhere; a negative overlap is 0.
    pub inside_only: bool,
    /// A point is inside when its smallest distance to a side, in pixels, is above this.
    pub depth: f64,
    /// Shorter sides are enlarged to this for the inside test, in pixels.
    pub enlarge: f64,
    pub order: Order,
    pub rivals: Rivals,
    pub validity: Validity,
    pub background: Background,
}

/// Which comes first, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Points outside count with a metric of 0; a metric of 0 may become positive; k above the number of anchors is an error.
    InsideThenTopK,
    /// Points outside may use up places; a metric of 0 is excluded; k is at most the number of anchors.
    TopKThenInside,
}

impl TaskAligned {
    /// YOLOv6 and Gold-YOLO.
    pub const fn yolov6() -> Self {
        Self {
            topk: 13,
            alpha: 1.0,
            beta: 6.0,
            eps: 1e-9,
            overlap: Overlap::yolov6_assigner(),
            inside_only: false,
            depth: 1e-9,
            enlarge: 0.0,
            order: Order::InsideThenTopK,
            rivals: Rivals::All,
            validity: Validity::PositiveSum,
            background: Background::FirstRow,
        }
    }

    /// ultralytics 8.4. An anchor in several boxes goes to the largest overlap of all rows, 0 where a box does not contain it: a box that
    /// contains it, unless all overlaps are 0 and row 0 is taken.
    pub const fn ultralytics_8_4() -> Self {
        Self {
            topk: 10,
            alpha: 0.5,
            overlap: Overlap::ultralytics(),
            inside_only: true,
            enlarge: 16.0,
            ..Self::yolov6()
        }
    }

    /// ultralytics 8.3.155: small boxes are not enlarged.
    pub const fn ultralytics_8_3_155() -> Self {
        Self {
            enlarge: 0.0,
            ..Self::ultralytics_8_4()
        }
    }

    /// mmdet 3.3, with the normalisation that its TOOD head applies.
    pub const fn mmdet_3_3() -> Self {
        Self {
            topk: 13,
            alpha: 1.0,
            beta: 6.0,
            eps: 1e-7,
            overlap: Overlap::mmdet(Kind::Iou),
            inside_only: false,
            depth: 0.01,
            enlarge: 0.0,
            order: Order::TopKThenInside,
            rivals: Rivals::Claiming,
            validity: Validity::Counted,
            background: Background::MinusOne,
        }
    }

    /// Assigns one image; `points` are `[A]` anchor points in pixels. Refuses what [`Truth::check`] and [`Predictions::check`] do, k
    /// above the number of anchors where the dialect does, and a metric that is no number.
    pub fn assign(
        &self,
        points: &[[f64; 2]],
        predictions: &Predictions,
        truth: &Truth,
    ) -> Result<Assignment> {
        predictions.check(points.len())?;
        truth.check(predictions.classes)?;
        let (anchors, classes, objects) = (points.len(), predictions.classes, truth.boxes.len());
        if self.order == Order::InsideThenTopK && self.topk > anchors && objects > 0 {
            return Err(
                Error::usage(format!("top-k {} of {anchors} anchors", self.topk))
                    .next("enlarge the image or lower top-k"),
            );
        }
        let trails: Vec<Trail> = (0..objects)
            .map(|g| self.trail(g, points, predictions, truth))
            .collect::<Result<_>>()?;
        let owner = resolve(&trails, anchors, self.rivals);
        let (labels, boxes) = targets(&owner, truth, classes, self.background);
        let best = |g: usize, of: &[f64]| {
            (0..anchors)
                .filter(|&a| owner[a] == Some(g))
                .map(|a| of[a])
                .fold(0.0, f64::max)
        };
        let peaks: Vec<(f64, f64)> = trails
            .iter()
            .enumerate()
            .map(|(g, t)| (best(g, &t.metric), best(g, &t.overlap)))
            .collect();
        let scores = one_hot(&owner, &labels, classes, |g, a| {
            trails[g].metric[a] * peaks[g].1 / (peaks[g].0 + self.eps)
        });
        Ok(Assignment {
            owner,
            labels,
            boxes,
            scores,
            trails,
            rivals: self.rivals,
        })
    }

    fn trail(
        &self,
        g: usize,
        points: &[[f64; 2]],
        predictions: &Predictions,
        truth: &Truth,
    ) -> Result<Trail> {
        let ((label, b), valid) = (truth.row(g), truth.valid(g, self.validity));
        let wide = enlarged(b, if valid { self.enlarge } else { 0.0 });
        let depths: Vec<f64> = points.iter().map(|&p| depth(p, wide)).collect();
        let seen = |a: usize| !self.inside_only || (valid && depths[a] > self.depth);
        let overlap = |a: usize| match self.overlap.of(b, predictions.boxes[a]) {
            _ if !seen(a) => 0.0,
            u if self.inside_only && u < 0.0 => 0.0,
            u => u,
        };
        let overlaps: Vec<f64> = (0..points.len()).map(overlap).collect();
        // The class of a padded row is not read: its claims never count.
        let class = usize::try_from(label)
            .ok()
            .filter(|c| *c < predictions.classes);
        let score =
            |a: usize| class.map_or(0.0, |c| predictions.scores[a * predictions.classes + c]);
        let metric = |a: usize| {
            if seen(a) {
                score(a).powf(self.alpha) * overlaps[a].powf(self.beta)
            } else {
                0.0
            }
        };
        let metrics: Vec<f64> = (0..points.len()).map(metric).collect();
        if let Some(a) = metrics.iter().position(|m| !m.is_finite()) {
            let fact = format!(
                "metric of ground truth {g} and anchor {a}: {} from overlap {}",
                metrics[a], overlaps[a]
            );
            return Err(
                Error::usage(fact).next("look at the predicted box: its sides may be inverted")
            );
        }
        let mut trail = Trail::new(valid, overlaps, metrics, depths, wide);
        (trail.depth_limit, trail.positive) = (self.depth, self.order == Order::TopKThenInside);
        self.rank(&mut trail);
        Ok(trail)
    }

    fn rank(&self, trail: &mut Trail) {
        if self.order == Order::InsideThenTopK {
            trail.rank = (0..trail.metric.len())
                .map(|a| {
                    if trail.inside(a) {
                        trail.metric[a]
                    } else {
                        0.0
                    }
                })
                .collect();
        }
        trail.choose(0..trail.metric.len(), self.topk, Best::Largest);
    }
}
