//! Which of our kernels answers which recording, and what a comparison found.
//!
//! Differences are relative: of soft targets, terms of a loss and gradients of scores to the value itself, of a similarity to at least 1, of a gradient to
//! the largest part of the same gradient, with respect to coordinates at least to 1/64, the least that a coordinate of 64 px weighs:
//! of equal boxes the gradient is what is left of such parts.

use crate::fixture::File;
use crate::{LIMIT, assignment, detection, element};

/// What a comparison found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    pub cases: usize,
    /// Largest relative difference.
    pub largest: f64,
    /// Anchors that are assigned differently because two numbers are exactly equal.
    pub flips: usize,
    /// Soft targets not compared because their object has a flipped anchor.
    pub skipped: usize,
}

/// What a coordinate weighs at least.
pub const COORDINATE: f64 = 1.0 / 64.0;

pub struct Row {
    pub peer: &'static str,
    pub kernel: &'static str,
    /// What kind of cases, and which edges are among them.
    pub set: &'static str,
    pub edges: &'static [&'static str],
    pub check: fn(&Row, &File) -> Result<Outcome, String>,
}

/// Every set of cases, with its edges.
pub const SETS: [Set; 4] = [IMAGES, PAIRS, ELEMENTS, SIDES];
type Set = (&'static str, &'static [&'static str]);

const IMAGES: Set = (
    "images",
    &[
        "no object",
        "one object",
        "identical",
        "nested",
        "2 px",
        "0.5 px",
        "zero area",
        "partly outside",
        "wholly outside",
        "sides on points",
        "zero scores",
        "tied",
        "crowd of 100 and more",
        "ragged batch",
    ],
);
const PAIRS: Set = (
    "pairs",
    &[
        "equal",
        "nested",
        "apart",
        "touching",
        "2 px",
        "0.5 px",
        "thin",
        "empty prediction",
        "empty target",
        "inverted prediction",
    ],
);
const ELEMENTS: Set = ("elements", &["positive", "negative"]);
const SIDES: Set = ("sides", &["distribution"]);

const fn row(
    peer: &'static str,
    kernel: &'static str,
    (set, edges): Set,
    check: fn(&Row, &File) -> Result<Outcome, String>,
) -> Row {
    Row {
        peer,
        kernel,
        set,
        edges,
        check,
    }
}

const U83: &str = "ultralytics-8.3.155";
const U84: &str = "ultralytics-8.4";
const MMDET: &str = "mmdet-3.3";
const YOLOV6: &str = "yolov6detect-0.4.1";
const OURS: &str = "this-project";

/// Every comparison.
pub const ALL: &[Row] = &[
    row(U83, "task_aligned", IMAGES, assignment::ultralytics_8_3_155),
    row(U83, "v8_detection", IMAGES, detection::ultralytics_8_3_155),
    row(U83, "iou", PAIRS, element::ultralytics),
    row(U83, "giou", PAIRS, element::ultralytics),
    row(U83, "diou", PAIRS, element::ultralytics),
    row(U83, "ciou", PAIRS, element::ultralytics),
    row(U83, "varifocal", ELEMENTS, element::varifocal),
    row(U83, "focal", ELEMENTS, element::focal_ultralytics),
    row(U83, "dfl", SIDES, element::dfl_15),
    row(U84, "task_aligned", IMAGES, assignment::ultralytics_8_4),
    row(U84, "v8_detection", IMAGES, detection::ultralytics_8_4),
    row(U84, "iou", PAIRS, element::ultralytics),
    row(U84, "giou", PAIRS, element::ultralytics),
    row(U84, "diou", PAIRS, element::ultralytics),
    row(U84, "ciou", PAIRS, element::ultralytics),
    row(U84, "varifocal", ELEMENTS, element::varifocal),
    row(U84, "focal", ELEMENTS, element::focal_ultralytics),
    row(U84, "dfl", SIDES, element::dfl_15),
    row(MMDET, "task_aligned", IMAGES, assignment::mmdet),
    row(MMDET, "atss", IMAGES, assignment::mmdet_atss),
    row(MMDET, "iou", PAIRS, element::mmdet),
    row(MMDET, "giou", PAIRS, element::mmdet),
    row(MMDET, "diou", PAIRS, element::mmdet),
    row(MMDET, "ciou", PAIRS, element::mmdet),
    row(MMDET, "siou", PAIRS, element::mmdet),
    row(MMDET, "siou_paper", PAIRS, element::mmdet_straight),
    row(MMDET, "varifocal", ELEMENTS, element::varifocal),
    row(MMDET, "focal", ELEMENTS, element::focal_paper),
    row(MMDET, "quality_focal", ELEMENTS, element::quality_focal),
    row(MMDET, "dfl", SIDES, element::dfl_16),
    row(YOLOV6, "task_aligned", IMAGES, assignment::yolov6),
    row(YOLOV6, "atss", IMAGES, assignment::yolov6_atss),
    row(YOLOV6, "gold_yolo_n", IMAGES, detection::n),
    row(YOLOV6, "gold_yolo_sml", IMAGES, detection::sml),
    row(YOLOV6, "gold_yolo_warm_up", IMAGES, detection::warm_up),
    row(YOLOV6, "giou", PAIRS, element::yolov6),
    row(YOLOV6, "diou", PAIRS, element::yolov6),
    row(YOLOV6, "ciou", PAIRS, element::yolov6),
    row(YOLOV6, "siou", PAIRS, element::yolov6),
    row(OURS, "gold_yolo_n", IMAGES, detection::n),
    row(OURS, "gold_yolo_sml", IMAGES, detection::sml),
    row(
        OURS,
        "gold_yolo_warm_up",
        IMAGES,
        detection::warm_up_of_this_project,
    ),
    row(OURS, "giou", PAIRS, element::yolov6),
    row(OURS, "siou", PAIRS, element::yolov6),
];

impl Row {
    pub fn file(&self) -> String {
        format!("{}-{}", self.peer, self.kernel)
    }
}

impl Outcome {
    pub fn say(&self) -> String {
        let Self {
            cases,
            largest,
            flips,
            skipped,
        } = self;
        format!(
            "{cases} cases, largest difference {largest:.1e}, {flips} tie flips, {skipped} soft targets behind them not compared"
        )
    }

    pub fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.largest = self.largest.max(other.largest);
        self.flips += other.flips;
        self.skipped += other.skipped;
    }

    /// Notes the difference of `ours` and `theirs` relative to `scale`; Err where it is too large. NaN equals NaN.
    pub fn near(
        &mut self,
        what: impl Fn() -> String,
        ours: f64,
        theirs: f64,
        scale: f64,
    ) -> Result<(), String> {
        if ours == theirs || (ours.is_nan() && theirs.is_nan()) {
            return Ok(());
        }
        let difference = (ours - theirs).abs() / scale;
        if difference.is_nan() || difference > LIMIT {
            return Err(format!(
                "{}: ours {ours:e}, theirs {theirs:e}, {difference:.1e} apart",
                what()
            ));
        }
        self.largest = self.largest.max(difference);
        Ok(())
    }

    /// The same of all parts of a vector, relative to its largest and at least to `scale`; one length for both.
    pub fn all_near(
        &mut self,
        what: impl Fn() -> String,
        ours: &[f64],
        theirs: &[f64],
        scale: f64,
    ) -> Result<(), String> {
        if ours.len() != theirs.len() {
            return Err(format!(
                "{}: {} values, theirs {}",
                what(),
                ours.len(),
                theirs.len()
            ));
        }
        let scale = theirs.iter().fold(scale, |s, v| v.abs().max(s));
        ours.iter()
            .zip(theirs)
            .enumerate()
            .try_for_each(|(i, (&o, &t))| self.near(|| format!("{} [{i}]", what()), o, t, scale))
    }
}
