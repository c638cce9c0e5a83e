//! assign: do two assigners make the same anchors positive for the same ground truth, and if not: a tie, or another rule?
//!
//! Positives are compared as sets of (ground truth, anchor). A difference is a tie flip where the f64 reference's margin of the
//! decision is below what rounding can move, else a difference of rules. Where the owners agree, labels and boxes are exact.

use crate::compare::json;
use crate::kernel::assign::{Assignment, Decision};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// One opinion on who owns which anchor; every vector is over images and anchors, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned {
    pub images: usize,
    pub anchors: usize,
    pub owner: Vec<Option<usize>>,
    pub labels: Vec<i64>,
    /// Four corners each.
    pub boxes: Vec<f64>,
}

/// What rounding can move, per ground truth of one image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ties {
    /// By image and row: the largest error of the alignment metric.
    pub metric: Vec<f64>,
    /// By image and row: the largest error of an overlap.
    pub overlap: Vec<f64>,
}

/// What the stage found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub counts: Vec<Count>,
    pub differences: Vec<Difference>,
}

/// How many positives one opinion has, and of what they were counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Count {
    pub who: String,
    pub positives: usize,
    pub anchors: usize,
    /// By image and ground truth.
    pub per_truth: Vec<Vec<usize>>,
    /// Set where the assignment is no assignment: nothing, everything, or one ground truth owns it all.
    pub degenerate: Option<Degenerate>,
    /// The tensor and the predicate that was counted.
    pub counted: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Degenerate {
    /// Ground truth, and no positive.
    Nothing,
    /// Every anchor is positive.
    Everything,
    /// Several ground truths, and one owns every positive.
    OneTakesAll,
}

/// One opinion against another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    pub who: String,
    pub against: String,
    /// Positives that only `who` has, only `against` has, and those that another ground truth owns.
    pub extra: usize,
    pub missing: usize,
    pub moved: usize,
    /// How many of these are ties.
    pub tie_flips: usize,
    /// Anchors whose owner agrees and whose label or box does not.
    pub labels: usize,
    pub boxes: usize,
    /// The first difference that is no tie.
    pub first: Option<First>,
}

/// The first difference of rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct First {
    pub image: usize,
    pub anchor: usize,
    pub owner: Option<usize>,
    pub expected: Option<usize>,
    /// What would have to be decided otherwise, and by how much: `gap` is the f64 margin, `bound` what rounding can move.
    pub decision: String,
    #[serde(with = "json")]
    pub gap: f64,
    #[serde(with = "json")]
    pub bound: f64,
    /// The candidates of that ground truth, best first.
    pub candidates: Vec<Candidate>,
}

/// An anchor that a ground truth considered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub anchor: usize,
    #[serde(with = "json")]
    pub metric: f64,
    #[serde(with = "json")]
    pub overlap: f64,
    pub inside: bool,
}

/// Candidates that a report lists.
const SHOWN: usize = 16;

impl Difference {
    /// Differences that rounding does not explain.
    pub fn rules(&self) -> usize {
        self.extra + self.missing + self.moved - self.tie_flips
    }

    pub fn over(&self) -> bool {
        self.rules() + self.labels + self.boxes > 0
    }
}

impl Assigned {
    /// The opinion in tensors of the standard names; None where one is missing or does not fit.
    pub fn read(get: &dyn Fn(&str) -> Option<Tensor>) -> Option<Self> {
        let mask = get("assign.fg_mask")?;
        let [images, anchors] = *mask.shape() else { return None };
        let (index, labels) = (get("assign.gt_index")?.to_i64()?, get("assign.target_labels")?.to_i64()?);
        let boxes = get("assign.target_boxes")?.to_f64();
        let fits = index.len() == mask.numel() && labels.len() == mask.numel() && boxes.len() == 4 * mask.numel();
        let owner = mask.to_f64().iter().zip(&index).map(|(m, g)| (*m != 0.0).then_some(*g as usize)).collect();
        fits.then_some(Self { images, anchors, owner, labels, boxes })
    }

    /// The same from the f64 reference.
    pub fn of(assignments: &[Assignment]) -> Self {
        Self {
            images: assignments.len(),
            anchors: assignments.first().map_or(0, |a| a.owner.len()),
            owner: assignments.iter().flat_map(|a| a.owner.clone()).collect(),
            labels: assignments.iter().flat_map(|a| a.labels.clone()).collect(),
            boxes: assignments.iter().flat_map(|a| a.boxes.concat()).collect(),
        }
    }

    /// Counts the positives; `objects` is the number of ground truths of each image.
    pub fn count(&self, who: &str, objects: &[usize]) -> Count {
        let mut per_truth: Vec<Vec<usize>> = objects.iter().map(|n| vec![0; *n]).collect();
        let mut positives = 0;
        for (i, owner) in self.owner.iter().enumerate() {
            positives += usize::from(owner.is_some());
            if let Some(cell) = owner.and_then(|g| per_truth.get_mut(i / self.anchors.max(1))?.get_mut(g)) {
                *cell += 1;
            }
        }
        let objects_in_all: usize = objects.iter().sum();
        let largest = per_truth.iter().flatten().copied().max().unwrap_or(0);
        let degenerate = match positives {
            0 if objects_in_all > 0 => Some(Degenerate::Nothing),
            n if n == self.owner.len() && n > 0 => Some(Degenerate::Everything),
            n if n > 1 && objects_in_all > 1 && n == largest => Some(Degenerate::OneTakesAll),
            _ => None,
        };
        let counted = "elements of assign.fg_mask that are true".into();
        Count { who: who.into(), positives, anchors: self.owner.len(), per_truth, degenerate, counted }
    }
}

/// `ours` against `theirs`, with the margins of the f64 reference; None where they are of other sizes.
pub fn difference(who: &str, against: &str, ours: &Assigned, theirs: &Assigned, judge: &[Assignment], ties: &Ties) -> Option<Difference> {
    if (ours.images, ours.anchors) != (theirs.images, theirs.anchors) || judge.len() != ours.images {
        return None;
    }
    let mut d = Difference {
        who: who.into(),
        against: against.into(),
        extra: 0,
        missing: 0,
        moved: 0,
        tie_flips: 0,
        labels: 0,
        boxes: 0,
        first: None,
    };
    for i in 0..ours.owner.len() {
        let (a, b) = (ours.owner[i], theirs.owner[i]);
        if a == b {
            d.labels += usize::from(ours.labels[i] != theirs.labels[i]);
            d.boxes += usize::from(ours.boxes[4 * i..4 * i + 4] != theirs.boxes[4 * i..4 * i + 4]);
            continue;
        }
        match (a, b) {
            (Some(_), None) => d.extra += 1,
            (None, _) => d.missing += 1,
            (Some(_), Some(_)) => d.moved += 1,
        }
        let (image, anchor) = (i / ours.anchors, i % ours.anchors);
        match flip(&judge[image], image, anchor, [a, b], ties) {
            None => d.tie_flips += 1,
            Some(first) => d.first = d.first.take().or(Some(first)),
        }
    }
    Some(d)
}

/// None for a tie; else what was decided otherwise.
fn flip(judge: &Assignment, image: usize, anchor: usize, [owner, expected]: [Option<usize>; 2], ties: &Ties) -> Option<First> {
    // The reference sides with one of the two; the other is what would have had to be decided.
    let other = if judge.owner[anchor] == owner { expected } else { owner };
    let margin = judge.distance(anchor, other);
    let row = owner.or(expected).unwrap_or(0);
    let at = |of: &[f64]| of.get(image * judge.trails.len() + row).copied().unwrap_or(0.0);
    let bound = |m: &crate::kernel::assign::Margin| match m.decision {
        Decision::TopK | Decision::Positive => at(&ties.metric),
        Decision::Threshold | Decision::Largest => at(&ties.overlap),
        // A depth is a difference of two coordinates: one rounding each, and one of the difference.
        Decision::Inside | Decision::Valid => 4.0 * m.scale * 2f64.powi(-24),
    };
    let (gap, limit) = margin.as_ref().map_or((f64::INFINITY, 0.0), |m| (m.gap, bound(m)));
    if gap <= limit {
        return None;
    }
    let trail = judge.trails.get(row);
    let shown = trail.map_or(vec![], |t| {
        let of = |a: &usize| Candidate { anchor: *a, metric: t.metric[*a], overlap: t.overlap[*a], inside: t.inside(*a) };
        t.candidates.iter().take(SHOWN).map(of).collect()
    });
    let decision = margin.map_or("none".into(), |m| format!("{:?}", m.decision).to_lowercase());
    Some(First { image, anchor, owner, expected, decision, gap, bound: limit, candidates: shown })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::anchors::Anchors;
    use crate::kernel::assign::task_aligned::TaskAligned;
    use crate::kernel::assign::{Predictions, Truth};

    fn judge() -> Assignment {
        let anchors = Anchors::of_image(64, 64, &[8, 16, 32]).unwrap();
        let points = anchors.pixels();
        let boxes: Vec<[f64; 4]> =
            points.iter().enumerate().map(|(i, p)| [p[0] - 9.0, p[1] - 9.0 + i as f64 * 0.01, p[0] + 9.0, p[1] + 9.0]).collect();
        let scores: Vec<f64> = (0..2 * points.len()).map(|i| 0.2 + 0.001 * i as f64).collect();
        let truth = Truth { labels: &[1, 0], boxes: &[[4.0, 4.0, 40.0, 44.0], [30.0, 30.0, 60.0, 60.0]], count: 2 };
        TaskAligned::yolov6().assign(&points, &Predictions { scores: &scores, classes: 2, boxes: &boxes }, &truth).unwrap()
    }

    fn of(who: &Assigned, judge: &Assignment, ties: &Ties) -> Difference {
        difference("candidate", "reference", who, &Assigned::of(std::slice::from_ref(judge)), std::slice::from_ref(judge), ties).unwrap()
    }

    #[test]
    fn the_same_assignment_has_no_difference() {
        let j = judge();
        let d = of(&Assigned::of(std::slice::from_ref(&j)), &j, &Ties::default());
        assert!(!d.over() && d.extra + d.missing + d.moved == 0);
    }

    #[test]
    fn a_lost_positive_is_a_difference_of_rules_unless_its_margin_is_below_rounding() {
        let j = judge();
        // One that its ground truth would lose by the top-k first.
        let by_top_k = |a: &usize| j.distance(*a, None).is_some_and(|m| m.decision == Decision::TopK && m.gap < 1.0);
        let lost = (0..j.owner.len()).find(by_top_k).unwrap();
        let mut other = Assigned::of(std::slice::from_ref(&j));
        other.owner[lost] = None;
        let d = of(&other, &j, &Ties::default());
        assert_eq!((d.missing, d.rules(), d.tie_flips), (1, 1, 0));
        let first = d.first.unwrap();
        assert_eq!((first.anchor, first.owner, first.expected), (lost, None, j.owner[lost]));
        assert!(first.gap > 0.0 && !first.candidates.is_empty());
        let wide = Ties { metric: vec![1.0; 2], overlap: vec![1.0; 2] };
        let d = of(&other, &j, &wide);
        assert_eq!((d.rules(), d.tie_flips, d.over()), (0, 1, false));
    }

    #[test]
    fn another_label_of_the_background_and_another_box_are_counted() {
        let j = judge();
        let mut other = Assigned::of(std::slice::from_ref(&j));
        let free = j.owner.iter().position(Option::is_none).unwrap();
        other.labels[free] += 1;
        other.boxes[4 * free + 2] += 1.0;
        let d = of(&other, &j, &Ties::default());
        assert_eq!((d.labels, d.boxes, d.over()), (1, 1, true));
    }

    #[test]
    fn assignments_that_are_none_are_called_out() {
        let j = judge();
        let mut other = Assigned::of(std::slice::from_ref(&j));
        assert_eq!(other.count("x", &[2]).degenerate, None);
        other.owner.iter_mut().filter(|o| o.is_some()).for_each(|o| *o = Some(1));
        assert_eq!(other.count("x", &[2]).degenerate, Some(Degenerate::OneTakesAll));
        other.owner.fill(Some(0));
        assert_eq!(other.count("x", &[2]).degenerate, Some(Degenerate::Everything));
        other.owner.fill(None);
        assert_eq!(other.count("x", &[2]).degenerate, Some(Degenerate::Nothing));
        assert_eq!(other.count("x", &[0]).degenerate, None);
    }
}
