//! relations: what a kernel owes to itself, whatever the reference says: another case whose answer is known, or bounded, from the first.
//!
//! Convention: a relation changes the inputs and says what the numbers of the other answer must be. Where the inputs are small multiples of
//! a power of two the changed ones are exact, so that nothing but a broken relation can tell the answers apart, or a tie: the same numbers at
//! other places of a vector may be rounded otherwise.

pub mod scenes;

use super::draw::Case;
use super::edit::{changed, count, each, floats, hard, head, of_rows, picked, roomy, same, turned};
use crate::tensor::Tensor;
use std::collections::BTreeMap;

/// Tensors by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// What a kernel owes to itself.
pub struct Relation {
    pub name: &'static str,
    /// The other case; None where this one has no such.
    pub changes: fn(&Case) -> Option<Case>,
    pub holds: Holds,
    /// How far the numbers may be apart beyond rounding: what the eps of the dialects makes of an exact relation.
    pub slack: f64,
}

/// What the other answer must be.
pub enum Holds {
    /// The first answer, rearranged.
    Equal(Rearranged),
    /// Nowhere more than that.
    NoMore(Rearranged),
    /// Nowhere less.
    NoLess(Rearranged),
    /// This number everywhere.
    Known(f64),
}

/// The numbers of the first answer in the places of the other one's, from both cases; outputs that are left out are not compared.
pub type Rearranged = fn(&Case, &Case, &Tensors) -> Tensors;

/// How far an eps of at most 1e-6 moves a similarity of boxes with sides of at least a pixel: 1e-6 in each of its quotients, at most 15e-6
/// in the angle of SIoU, whose distance counts e² times where its sign is turned round.
const EPS: f64 = 32e-6;

pub const ROWS_TURNED: Relation = Relation {
    name: "rows in another order",
    changes: |case| (count(case) > 1).then(|| changed(case, |_, t| turned(t))),
    holds: Holds::Equal(|_, _, first| each(first, turned)),
    slack: 0.0,
};

pub const PART_ALONE: Relation = Relation {
    name: "a part of the batch alone",
    changes: |case| {
        Some(count(case) / 2)
            .filter(|half| *half > 0)
            .map(|half| changed(case, |_, t| head(t, half)))
    },
    holds: Holds::Equal(|_, other, first| each(first, |t| head(t, count(other)))),
    slack: 0.0,
};

pub const BOXES_MOVED: Relation = Relation {
    name: "all boxes moved",
    changes: |case| Some(changed(case, |_, t| floats(t, |_, v| v + 64.0))),
    holds: Holds::Equal(same),
    slack: 0.0,
};

pub const BOXES_SCALED: Relation = Relation {
    name: "all boxes scaled",
    changes: |case| of_rows(case, &roomy(case), |_, t| floats(t, |_, v| v * 16.0)),
    holds: Holds::Equal(of_roomy),
    slack: EPS,
};

pub const EXCHANGED: Relation = Relation {
    name: "the boxes exchanged",
    changes: exchanged,
    holds: Holds::Equal(same),
    slack: 0.0,
};

pub const ITSELF: Relation = Relation {
    name: "a box and itself are alike",
    changes: |case| of_rows(case, &roomy(case), |_, t| t.clone()).map(|c| with(c, "b", "a")),
    holds: Holds::Known(1.0),
    slack: EPS,
};

pub const EXACT: Relation = Relation {
    name: "an exact prediction loses nothing",
    changes: exact,
    holds: Holds::Known(0.0),
    slack: EPS,
};

pub const NO_MORE_ALIKE: Relation = Relation {
    name: "boxes moved apart are no more alike",
    changes: apart,
    holds: Holds::NoMore(of_roomy),
    slack: EPS,
};

pub const NO_LESS_LOST: Relation = Relation {
    name: "boxes moved apart lose no less",
    changes: apart,
    holds: Holds::NoLess(of_roomy),
    slack: EPS,
};

pub const NEARER: Relation = Relation {
    name: "nearer to the label loses no more",
    changes: nearer,
    holds: Holds::NoMore(|case, _, first| each(first, |t| picked(t, hard(case).into_iter()))),
    slack: 0.0,
};

pub const LABEL_RAISED: Relation = Relation {
    name: "a larger logit of the label loses no more",
    changes: raised,
    holds: Holds::NoMore(same),
    slack: 0.0,
};

pub const KEY_MATCHED: Relation = Relation {
    name: "a query that is its key loses no more",
    changes: matched,
    holds: Holds::NoMore(same),
    slack: 0.0,
};

pub const QUERIES_TURNED: Relation = Relation {
    name: "the queries in another order",
    changes: |case| {
        let last = case.inputs.get("boxes")?.shape()[0] as i64 - 1;
        (last > 0).then(|| {
            changed(case, |n, t| match n {
                "logits" | "boxes" => turned(t),
                "query" => {
                    let old = t.to_i64().unwrap_or_default();
                    Tensor::from_vec(t.shape(), old.iter().map(|q| last - q).collect())
                }
                _ => t.clone(),
            })
        })
    },
    holds: Holds::Equal(same),
    slack: 0.0,
};

pub const OBJECTS_EXCHANGED: Relation = Relation {
    name: "the objects of a matching in another order",
    changes: |case| {
        let objects = case.inputs.get("query")?.numel();
        (objects > 1).then(|| {
            changed(case, |n, t| match n {
                "gt_labels" | "gt_boxes" | "query" => turned(t),
                _ => t.clone(),
            })
        })
    },
    holds: Holds::Equal(same),
    slack: 0.0,
};

pub const FIRST_IMAGE: Relation = Relation {
    name: "the first image alone",
    changes: scenes::first_image,
    holds: Holds::Equal(scenes::of_the_first_image),
    slack: 0.0,
};

pub const IMAGES_TURNED: Relation = Relation {
    name: "the images in another order",
    changes: scenes::images_turned,
    holds: Holds::Equal(scenes::of_images_turned),
    slack: 0.0,
};

pub const OBJECTS_TURNED: Relation = Relation {
    name: "the objects in another order",
    changes: scenes::objects_turned,
    holds: Holds::Equal(scenes::of_objects_turned),
    slack: 0.0,
};

pub const ANCHORS_TURNED: Relation = Relation {
    name: "the anchors in another order",
    changes: scenes::anchors_turned,
    holds: Holds::Equal(scenes::of_anchors_turned),
    slack: 0.0,
};

pub const MAPS_TURNED: Relation = Relation {
    name: "the maps on their side",
    changes: scenes::maps_turned,
    holds: Holds::Equal(scenes::of_maps_turned),
    slack: 0.0,
};

fn of_roomy(case: &Case, _: &Case, first: &Tensors) -> Tensors {
    each(first, |t| picked(t, roomy(case).into_iter()))
}

/// `case` with the values of `from` under the name `to` as well.
fn with(mut case: Case, to: &str, from: &str) -> Case {
    if let Some(t) = case.inputs.get(from).cloned() {
        case.inputs.insert(to.into(), t);
    }
    case
}

fn exchanged(case: &Case) -> Option<Case> {
    let mut other = case.clone();
    let (a, b) = (case.inputs.get("a")?, case.inputs.get("b")?);
    other.inputs.insert("a".into(), b.clone());
    other.inputs.insert("b".into(), a.clone());
    Some(other)
}

/// Predictions that are their targets: boxes, probabilities of 0 or 1, the logit 0 of an even score.
fn exact(case: &Case) -> Option<Case> {
    match case.inputs.keys().map(String::as_str).collect::<Vec<_>>()[..] {
        ["pred", "target"] => {
            of_rows(case, &roomy(case), |_, t| t.clone()).map(|c| with(c, "pred", "target"))
        }
        ["p", "target"] => {
            of_rows(case, &hard(case), |_, t| t.clone()).map(|c| with(c, "p", "target"))
        }
        ["p", "quality", "positive"] => Some(with(
            with(case.clone(), "p", "positive"),
            "quality",
            "positive",
        )),
        ["x", "quality"] => Some(changed(case, |n, t| {
            floats(t, |_, _| if n == "x" { 0.0 } else { 0.5 })
        })),
        _ => None,
    }
}

/// The second box moved by four pixels along both axes, away from the centre of the first.
fn apart(case: &Case) -> Option<Case> {
    let rows = roomy(case);
    let first = picked(case.inputs.first()?.1, rows.iter().copied()).to_f64();
    let last = case.inputs.last()?.0.clone();
    let away = |i: usize, v: f64, own: &[f64]| {
        let (row, axis) = (i / 4 * 4, i % 2);
        let middle = |b: &[f64]| b[row + axis] + b[row + axis + 2];
        if middle(own) < middle(&first) {
            v - 4.0
        } else {
            v + 4.0
        }
    };
    of_rows(case, &rows, |name, t| {
        let own = t.to_f64();
        if name == last {
            floats(t, |i, v| away(i, v, &own))
        } else {
            t.clone()
        }
    })
}

/// Logits a unit, probabilities halfway, towards labels of 0 or 1.
fn nearer(case: &Case) -> Option<Case> {
    let rows = hard(case);
    let label = ["target", "positive"]
        .into_iter()
        .find_map(|n| case.inputs.get(n))?;
    let label = picked(label, rows.iter().copied()).to_f64();
    of_rows(case, &rows, |name, t| match name {
        "x" => floats(t, |i, v| v + 2.0 * label[i] - 1.0),
        "p" => floats(t, |i, v| (v + label[i]) / 2.0),
        _ => t.clone(),
    })
}

/// The logit of every pixel's label, raised by one.
fn raised(case: &Case) -> Option<Case> {
    let labels = case.inputs.get("labels")?.to_i64()?;
    let classes = *case.inputs.get("logits")?.shape().last()?;
    let one = |i: usize, v: f64| {
        if labels[i / classes] == (i % classes) as i64 {
            v + 1.0
        } else {
            v
        }
    };
    Some(changed(case, |n, t| match n {
        "logits" => floats(t, one),
        _ => t.clone(),
    }))
}

/// Every query's first key made the query itself.
fn matched(case: &Case) -> Option<Case> {
    let (query, keys) = (case.inputs.get("query")?, case.inputs.get("keys")?);
    let [_, count, width] = *keys.shape() else {
        return None;
    };
    let query = query.to_f64();
    let one = |i: usize, v: f64| {
        if (i / width).is_multiple_of(count) {
            query[i / (count * width) * width + i % width]
        } else {
            v
        }
    };
    Some(changed(case, |n, t| {
        if n == "keys" {
            floats(t, one)
        } else {
            t.clone()
        }
    }))
}
