//! assign: do two assigners make the same anchors positive for the same ground truth, and if not: a tie, or another rule?
//!
//! Positives are compared as sets of (ground truth, anchor). A difference is a tie flip where the f64 reference's margin of the
//! decision is below what rounding can move, else a difference of rules. Where the owners agree, labels are exact, boxes and soft
//! targets are values. What background holds is a convention (no class, class -1, that of the first object): said, not judged.

pub use super::assigned::Assigned;

use super::scene::Scene;
use crate::compare::json;
use crate::floor::Family;
use crate::judge::{Flipped, Limit, Pair, against};
use crate::kernel::assign::{Assignment, Decision, Margin};
use crate::tensor::DType;
use crate::verdict::Judgement;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// What rounding can move; not finite where nothing can be said of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ties {
    /// By image and row: the largest error of the alignment metric.
    pub metric: Vec<f64>,
    /// By image and row: the largest error of an overlap.
    pub overlap: Vec<f64>,
    /// By image and anchor: the largest error of a soft target made of the same predictions; None where the predictions are not the same, and
    /// what soft targets differ by is said alone.
    pub scores: Option<Vec<f64>>,
}

/// What the stage found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub counts: Vec<Count>,
    pub differences: Vec<Difference>,
    /// Both sides' positives on their images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scenes: Vec<Scene>,
    /// What nobody could look at, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untested: Vec<String>,
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
    /// What other tensors of the same opinion count otherwise, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradicted: Vec<String>,
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    pub who: String,
    pub against: String,
    /// Sizes that do not fit each other: nothing else was compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlike: Option<String>,
    /// Positives that only `who` has, only `against` has, and those that another ground truth owns.
    pub extra: usize,
    pub missing: usize,
    pub moved: usize,
    /// How many of these are ties.
    pub tie_flips: usize,
    /// How many of these, and soft targets of how many anchors, cannot be judged: nothing can be said of what rounding moves there.
    #[serde(default)]
    pub unjudged: usize,
    #[serde(default)]
    pub unjudged_scores: usize,
    /// Positives whose owner agrees and whose label or box does not; anchors whose soft targets do not.
    pub labels: usize,
    pub boxes: usize,
    #[serde(default)]
    pub scores: usize,
    /// The largest difference of a corner and of a soft target, of those that were compared.
    #[serde(default, with = "json")]
    pub largest_box: f64,
    #[serde(default, with = "json")]
    pub largest_score: f64,
    /// Background anchors with another label or box: a convention, not judged.
    #[serde(default)]
    pub background: usize,
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
        self.extra + self.missing + self.moved - self.tie_flips - self.unjudged
    }

    pub fn over(&self) -> bool {
        self.unlike.is_some() || self.first.is_some() || self.labels + self.boxes + self.scores > 0
    }

    /// Whether all positives agree, but for proved ties.
    pub fn is_settled(&self) -> bool {
        !self.over() && self.unjudged + self.unjudged_scores == 0
    }
}

impl Report {
    /// Whether this opinion was looked at.
    pub fn has(&self, who: &str) -> bool {
        self.counts.iter().any(|c| c.who == who) && self.differences.iter().any(|d| d.who == who)
    }
}

/// `ours` against `theirs`, with the margins of the f64 reference.
pub fn difference(
    who: &str,
    against: &str,
    ours: &Assigned,
    theirs: &Assigned,
    judge: &[Assignment],
    ties: &Ties,
) -> Difference {
    // Of the coarser of the two, and of single precision where neither says.
    let unit = if ours.unit > theirs.unit {
        ours.unit
    } else {
        theirs.unit
    };
    let unit = if unit > 0.0 {
        unit
    } else {
        DType::F32.unit_roundoff()
    };
    let of =
        |image: usize, anchor, owners| flip(&judge[image], image, anchor, owners, (ties, unit));
    let sized = judge.iter().all(|a| a.owner.len() == ours.anchors);
    let unlike = unlike(ours, theirs, judge.len() == ours.images && sized);
    walked([who, against], [ours, theirs], unlike, ties, &of)
}

/// The same of two opinions that no kernel judges: a difference is one of rules unless it is among the `ties`, anchors counted over all images.
pub fn between(
    names: [&str; 2],
    [ours, theirs]: [&Assigned; 2],
    ties: &HashSet<usize>,
) -> Difference {
    let of = |image, anchor, [owner, expected]: [Option<usize>; 2]| {
        let tie = ties.contains(&(image * ours.anchors + anchor));
        let gap = if tie { 0.0 } else { f64::INFINITY };
        let judgement = against(&Flipped, Limit::Margin { gap, bound: 0.0 });
        let first = First {
            image,
            anchor,
            owner,
            expected,
            decision: "none".into(),
            gap,
            bound: 0.0,
            candidates: vec![],
        };
        (judgement, first)
    };
    let unlike = unlike(ours, theirs, true);
    walked(names, [ours, theirs], unlike, &Ties::default(), &of)
}

/// What a differing owner of (image, anchor) is judged to be.
type Judged<'a> = &'a dyn Fn(usize, usize, [Option<usize>; 2]) -> (Judgement, First);

fn walked(
    [who, against]: [&str; 2],
    [ours, theirs]: [&Assigned; 2],
    unlike: Option<String>,
    ties: &Ties,
    judged: Judged,
) -> Difference {
    let mut d = Difference {
        who: who.into(),
        against: against.into(),
        unlike,
        ..Default::default()
    };
    if d.unlike.is_some() {
        return d;
    }
    for i in 0..ours.owner.len() {
        let (a, b) = (ours.owner[i], theirs.owner[i]);
        match (a, b) {
            _ if a == b => continue,
            (Some(_), None) => d.extra += 1,
            (None, _) => d.missing += 1,
            (Some(_), Some(_)) => d.moved += 1,
        }
        match judged(i / ours.anchors, i % ours.anchors, [a, b]) {
            (Judgement::Tie(_), _) => d.tie_flips += 1,
            (Judgement::NotJudged(_), _) => d.unjudged += 1,
            (Judgement::Within(_) | Judgement::Over(_), first) => {
                d.first = d.first.take().or(Some(first))
            }
        }
    }
    targets(&mut d, ours, theirs, ties);
    d
}

/// Why nothing can be compared.
fn unlike(ours: &Assigned, theirs: &Assigned, judged: bool) -> Option<String> {
    let size = |a: &Assigned| (a.images, a.anchors);
    let (own, expected) = (size(ours), size(theirs));
    (own != expected || !judged).then(|| {
        format!(
            "{} images of {} anchors, expected {} of {}",
            own.0, own.1, expected.0, expected.1
        )
    })
}

/// Compares the targets where the owners agree.
fn targets(d: &mut Difference, ours: &Assigned, theirs: &Assigned, ties: &Ties) {
    // Soft targets are shares of the best of all anchors of an object: one that flips moves them all.
    let moved: HashSet<(usize, usize)> = (0..ours.owner.len())
        .filter(|i| ours.owner[*i] != theirs.owner[*i])
        .flat_map(|i| {
            [ours.owner[i], theirs.owner[i]]
                .into_iter()
                .flatten()
                .map(move |g| (i / ours.anchors, g))
        })
        .collect();
    let allowed = shares(ours, ties);
    for i in (0..ours.owner.len()).filter(|i| ours.owner[*i] == theirs.owner[*i]) {
        let label = ours
            .labels
            .as_ref()
            .zip(theirs.labels.as_ref())
            .is_some_and(|(a, b)| a[i] != b[i]);
        let corners = ours
            .boxes
            .as_ref()
            .zip(theirs.boxes.as_ref())
            .map(|(a, b)| (&a[4 * i..4 * i + 4], &b[4 * i..4 * i + 4]));
        match ours.owner[i] {
            None => d.background += usize::from(label || corners.is_some_and(|(a, b)| a != b)),
            Some(_) => {
                d.labels += usize::from(label);
                corners
                    .into_iter()
                    .for_each(|(a, b)| boxes(d, a, b, ours.unit.max(theirs.unit)));
            }
        }
        if !ours.owner[i].is_some_and(|g| moved.contains(&(i / ours.anchors, g))) {
            scores(d, ours, theirs, i, allowed.as_ref().map(|a| a[i]));
        }
    }
}

/// A box is a copy of a ground truth, or one that was divided by its stride and multiplied again: a rounding each.
fn boxes(d: &mut Difference, a: &[f64], b: &[f64], unit: f64) {
    d.largest_box = a
        .iter()
        .zip(b)
        .map(|(a, b)| apart(*a, *b))
        .fold(d.largest_box, f64::max);
    let bound = |b: f64| Limit::Bound(Family::Arithmetic.allowed(1) * unit * b.abs());
    d.boxes += usize::from(
        a.iter()
            .zip(b)
            .any(|(a, b)| against(&Pair(*a, *b), bound(*b)).over()),
    );
}

/// Soft targets of anchor `i`: None where they are not judged, and what each may be off by, where it is known.
fn scores(
    d: &mut Difference,
    ours: &Assigned,
    theirs: &Assigned,
    i: usize,
    allowed: Option<Option<f64>>,
) {
    let Some((a, b)) = ours.scores.as_ref().zip(theirs.scores.as_ref()) else {
        return;
    };
    let classes = [a.len(), b.len()].map(|n| n / ours.owner.len());
    if classes[0] != classes[1] {
        d.unlike = Some(format!(
            "soft targets of {} classes, expected {}",
            classes[0], classes[1]
        ));
        return;
    }
    let row = i * classes[0]..(i + 1) * classes[0];
    let off = a[row.clone()]
        .iter()
        .zip(&b[row])
        .map(|(a, b)| apart(*a, *b))
        .fold(0.0, f64::max);
    d.largest_score = d.largest_score.max(off);
    let limit = allowed.map_or(
        Limit::Unknown("the predictions are not the same"),
        |known| Limit::Bound(known.unwrap_or(f64::INFINITY)),
    );
    match against(&Pair(off, 0.0), limit) {
        Judgement::Over(_) => d.scores += 1,
        // Of other predictions they are said alone.
        Judgement::NotJudged(_) => d.unjudged_scores += usize::from(allowed.is_some()),
        Judgement::Within(_) | Judgement::Tie(_) => {}
    }
}

/// By anchor, what rounding moves in the soft targets of its owner; None where it is not known.
fn shares(ours: &Assigned, ties: &Ties) -> Option<Vec<Option<f64>>> {
    let spread = ties.scores.as_ref()?;
    let mut largest = std::collections::HashMap::new();
    let key = |i: usize| (i / ours.anchors, ours.owner[i]);
    for (i, s) in spread.iter().enumerate().take(ours.owner.len()) {
        largest
            .entry(key(i))
            .and_modify(|m: &mut f64| *m = m.max(*s))
            .or_insert(*s);
    }
    Some(
        (0..ours.owner.len())
            .map(|i| largest.get(&key(i)).copied())
            .collect(),
    )
}

/// How far two numbers are apart; infinite where only one of them is a number.
fn apart(a: f64, b: f64) -> f64 {
    match (a - b).abs() {
        _ if a == b || (a.is_nan() && b.is_nan()) => 0.0,
        off if off.is_nan() => f64::INFINITY,
        off => off,
    }
}

/// What a differing owner is, and where rounding does not explain it the decision that would have to be another.
fn flip(
    judge: &Assignment,
    image: usize,
    anchor: usize,
    [owner, expected]: [Option<usize>; 2],
    (ties, unit): (&Ties, f64),
) -> (Judgement, First) {
    // The reference sides with one of the two; the other is what would have had to be decided.
    let other = if judge.owner[anchor] == owner {
        expected
    } else {
        owner
    };
    let known = other.is_none_or(|g| g < judge.trails.len());
    let margin = known.then(|| judge.distance(anchor, other)).flatten();
    let row = owner.or(expected).unwrap_or(0);
    let at = |of: &[f64]| {
        of.get(image * judge.trails.len() + row)
            .copied()
            .unwrap_or(0.0)
    };
    let bound = |m: &Margin| match m.decision {
        Decision::TopK | Decision::Positive => at(&ties.metric),
        Decision::Threshold | Decision::Largest => at(&ties.overlap),
        // A depth is a difference of two coordinates: one rounding each, and one of the difference.
        Decision::Inside | Decision::Valid => 4.0 * m.scale * unit,
    };
    let (gap, limit) = margin
        .as_ref()
        .map_or((f64::INFINITY, 0.0), |m| (m.gap, bound(m)));
    let judgement = against(&Flipped, Limit::Margin { gap, bound: limit });
    let trail = judge.trails.get(row);
    let shown = trail.map_or(vec![], |t| {
        let of = |a: &usize| Candidate {
            anchor: *a,
            metric: t.metric[*a],
            overlap: t.overlap[*a],
            inside: t.inside(*a),
        };
        t.candidates.iter().take(SHOWN).map(of).collect()
    });
    let decision = margin.map_or("none".into(), |m| {
        format!("{:?}", m.decision).to_lowercase()
    });
    (
        judgement,
        First {
            image,
            anchor,
            owner,
            expected,
            decision,
            gap,
            bound: limit,
            candidates: shown,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::anchors::Anchors;
    use crate::kernel::assign::task_aligned::TaskAligned;
    use crate::kernel::assign::{Predictions, Truth};
    use crate::tensor::Tensor;

    fn judge() -> Assignment {
        let anchors = Anchors::of_image(64, 64, &[8, 16, 32]).unwrap();
        let points = anchors.pixels();
        let boxes: Vec<[f64; 4]> = points
            .iter()
            .enumerate()
            .map(|(i, p)| {
                [
                    p[0] - 9.0,
                    p[1] - 9.0 + i as f64 * 0.01,
                    p[0] + 9.0,
                    p[1] + 9.0,
                ]
            })
            .collect();
        let scores: Vec<f64> = (0..2 * points.len())
            .map(|i| 0.2 + 0.001 * i as f64)
            .collect();
        let truth = Truth {
            labels: &[1, 0],
            boxes: &[[4.0, 4.0, 40.0, 44.0], [30.0, 30.0, 60.0, 60.0]],
            count: 2,
        };
        TaskAligned::yolov6()
            .assign(
                &points,
                &Predictions {
                    scores: &scores,
                    classes: 2,
                    boxes: &boxes,
                },
                &truth,
            )
            .unwrap()
    }

    fn of(who: &Assigned, judge: &Assignment, ties: &Ties) -> Difference {
        difference(
            "candidate",
            "reference",
            who,
            &Assigned::of(std::slice::from_ref(judge)),
            std::slice::from_ref(judge),
            ties,
        )
    }

    #[test]
    fn the_same_assignment_has_no_difference() {
        let j = judge();
        let d = of(
            &Assigned::of(std::slice::from_ref(&j)),
            &j,
            &Ties::default(),
        );
        assert!(!d.over() && d.extra + d.missing + d.moved == 0);
    }

    #[test]
    fn a_lost_positive_is_a_difference_of_rules_unless_its_margin_is_below_rounding() {
        let j = judge();
        // One that its ground truth would lose by the top-k first.
        let by_top_k = |a: &usize| {
            j.distance(*a, None)
                .is_some_and(|m| m.decision == Decision::TopK && m.gap < 1.0)
        };
        let lost = (0..j.owner.len()).find(by_top_k).unwrap();
        let mut other = Assigned::of(std::slice::from_ref(&j));
        other.owner[lost] = None;
        let d = of(&other, &j, &Ties::default());
        assert_eq!((d.missing, d.rules(), d.tie_flips), (1, 1, 0));
        let first = d.first.unwrap();
        assert_eq!(
            (first.anchor, first.owner, first.expected),
            (lost, None, j.owner[lost])
        );
        assert!(first.gap > 0.0 && !first.candidates.is_empty());
        let wide = Ties {
            metric: vec![1.0; 2],
            overlap: vec![1.0; 2],
            scores: None,
        };
        let d = of(&other, &j, &wide);
        assert_eq!((d.rules(), d.tie_flips, d.over()), (0, 1, false));
    }

    /// The assignment with labels, boxes and soft targets changed at the first anchor that is positive, or is background.
    fn retargeted(positive: bool, change: impl Fn(&mut i64, &mut [f64], &mut [f64])) -> Difference {
        let j = judge();
        let mut other = Assigned::of(std::slice::from_ref(&j));
        let i = j
            .owner
            .iter()
            .position(|o| o.is_some() == positive)
            .unwrap();
        let Assigned {
            labels: Some(labels),
            boxes: Some(boxes),
            scores: Some(scores),
            ..
        } = &mut other
        else {
            panic!()
        };
        change(
            &mut labels[i],
            &mut boxes[4 * i..4 * i + 4],
            &mut scores[2 * i..2 * i + 2],
        );
        other.unit = 2f64.powi(-24);
        of(
            &other,
            &j,
            &Ties {
                scores: Some(vec![1e-6; j.owner.len()]),
                ..Ties::default()
            },
        )
    }

    #[test]
    fn what_background_holds_is_said_and_never_judged_and_what_a_positive_holds_is() {
        for label in [-1, 2, 7, i64::MIN] {
            let d = retargeted(false, |l, b, _| (*l, b[2]) = (label, -1.0));
            assert_eq!(
                (d.background, d.labels, d.boxes, d.over()),
                (1, 0, 0, false),
                "{label}"
            );
        }
        assert!(
            retargeted(false, |_, _, s| s[0] = 0.1).over(),
            "a soft target on background enters the loss"
        );
        assert_eq!(retargeted(true, |l, _, _| *l += 1).labels, 1);
        assert_eq!(retargeted(true, |_, b, _| b[2] += 1.0).boxes, 1);
        assert_eq!(retargeted(true, |_, b, _| b[2] = f64::NAN).boxes, 1);
        assert_eq!(retargeted(true, |_, _, s| s[1] += 1e-3).scores, 1);
        assert_eq!(retargeted(true, |_, _, s| s[1] = f64::NAN).scores, 1);
    }

    #[test]
    fn boxes_and_soft_targets_that_are_off_by_rounding_agree_and_the_largest_difference_is_said() {
        let d = retargeted(true, |_, b, s| {
            (b[2], s[1]) = (b[2] * (1.0 + 2f64.powi(-24)), s[1] + 5e-7)
        });
        assert!(
            !d.over() && d.largest_box > 0.0 && (d.largest_score - 5e-7).abs() < 1e-12,
            "{d:?}"
        );
    }

    #[test]
    fn ties_are_looked_up_by_image_and_row() {
        let j = judge();
        let batch = [j.clone(), j.clone(), j.clone()];
        let by_top_k = |a: &usize| {
            j.distance(*a, None)
                .is_some_and(|m| m.decision == Decision::TopK && m.gap < 1.0)
        };
        let lost = (0..j.owner.len()).find(by_top_k).unwrap();
        let row = j.owner[lost].unwrap();
        for image in 0..3 {
            let mut other = Assigned::of(&batch);
            other.owner[image * j.owner.len() + lost] = None;
            let found = |wide: usize| {
                let mut metric = vec![0.0; 6];
                metric[wide] = 1.0;
                difference(
                    "candidate",
                    "reference",
                    &other,
                    &Assigned::of(&batch),
                    &batch,
                    &Ties {
                        metric,
                        ..Ties::default()
                    },
                )
            };
            for wide in 0..6 {
                assert_eq!(
                    found(wide).over(),
                    wide != 2 * image + row,
                    "image {image}, wide at {wide}"
                );
            }
        }
    }

    #[test]
    fn where_nothing_is_known_of_rounding_a_difference_is_neither_a_tie_nor_a_rule() {
        let j = judge();
        let by_top_k = |a: &usize| {
            j.distance(*a, None)
                .is_some_and(|m| m.decision == Decision::TopK && m.gap > 0.0)
        };
        let lost = (0..j.owner.len()).find(by_top_k).unwrap();
        let mut other = Assigned::of(std::slice::from_ref(&j));
        other.owner[lost] = None;
        let open = Ties {
            metric: vec![f64::INFINITY; 2],
            ..Ties::default()
        };
        let d = of(&other, &j, &open);
        assert_eq!(
            (d.missing, d.tie_flips, d.unjudged, d.over()),
            (1, 0, 1, false)
        );
        // An owner that is no row of ground truth is no tie of anything.
        other.owner[lost] = Some(usize::MAX);
        assert!(of(&other, &j, &open).over());
    }

    #[test]
    fn an_assignment_of_another_size_differs_and_says_both() {
        let j = judge();
        let mut other = Assigned::of(std::slice::from_ref(&j));
        other.owner.truncate(64);
        other.anchors = 64;
        let d = of(&other, &j, &Ties::default());
        assert!(
            d.over()
                && d.unlike
                    .unwrap()
                    .contains("1 images of 64 anchors, expected 1 of 84")
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let mask = Tensor::from_bytes(DType::Bool, vec![1, 2], &[1, 0]).unwrap();
        let has = |names: &'static [&'static str]| {
            let mask = mask.clone();
            move |n: &str| {
                let t = if n == "assign.fg_mask" {
                    mask.clone()
                } else {
                    Tensor::from_vec(&[1, 2], vec![0i64, 0])
                };
                names.contains(&n).then_some(t)
            }
        };
        assert_eq!(
            Assigned::read(&has(&[])).unwrap_err(),
            "'assign.fg_mask' is missing"
        );
        assert_eq!(
            Assigned::read(&has(&["assign.fg_mask"])).unwrap_err(),
            "'assign.gt_index' is missing"
        );
        let read = Assigned::read(&has(&[
            "assign.fg_mask",
            "assign.gt_index",
            "assign.target_labels",
        ]))
        .unwrap();
        assert_eq!(
            (read.owner.clone(), read.lacks()),
            (
                vec![Some(0), None],
                vec!["assign.target_boxes", "assign.target_scores"]
            )
        );
    }

    #[test]
    fn assignments_that_are_none_are_called_out() {
        let j = judge();
        let mut other = Assigned::of(std::slice::from_ref(&j));
        assert_eq!(other.count("x", &[2]).degenerate, None);
        other
            .owner
            .iter_mut()
            .filter(|o| o.is_some())
            .for_each(|o| *o = Some(1));
        assert_eq!(
            other.count("x", &[2]).degenerate,
            Some(Degenerate::OneTakesAll)
        );
        other.owner.fill(Some(0));
        assert_eq!(
            other.count("x", &[2]).degenerate,
            Some(Degenerate::Everything)
        );
        other.owner.fill(None);
        assert_eq!(other.count("x", &[2]).degenerate, Some(Degenerate::Nothing));
        assert_eq!(other.count("x", &[0]).degenerate, None);
    }
}
