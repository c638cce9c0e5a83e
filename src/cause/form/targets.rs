//! targets: what an anchor is to give, changed between the assigner and the terms: hard, of another class, in another unit.

use super::{Form, Of, Reads, Targets, Way};
use crate::kernel::assign::Assignment;
use crate::kernel::boxes::{centred, corners};

pub const FORMS: &[Form] = &[
    Form {
        name: "hard-target",
        summary: "the target of a positive is 1 where a soft one stands",
        mend: "multiply the one-hot target by the quality of its anchor",
        ways: |r| one(r, "the target of every positive is 1", hard),
    },
    Form {
        name: "shifted-target",
        summary: "the target of a positive in the neighbouring class",
        mend: "move the target by one class: a background class stands in front of the others on one side",
        ways: |r| {
            let shifts: [(&str, Targets); 2] = [
                ("targets stand one class further on", |a, of| {
                    shift(a, of, 1)
                }),
                ("targets stand one class further back", |a, of| {
                    shift(a, of, of.classes - 1);
                }),
            ];
            let way = |(says, targets): (&str, Targets)| one(r, says, targets);
            shifts.into_iter().flat_map(way).collect()
        },
    },
    Form {
        name: "empty-target",
        summary: "no target in any class",
        mend: "write the quality of a positive into the column of its class",
        ways: |r| one(r, "every target is 0", |a, _| a.scores.fill(0.0)),
    },
    Form {
        name: "stride-twice",
        summary: "target boxes divided by the stride twice, or not at all",
        mend: "divide the target boxes by the stride once: the box term is in grid units",
        ways: |r| {
            let twice = one(
                r,
                "target boxes are divided by the stride twice",
                |a, of| {
                    scale(a, of, |s| 1.0 / s);
                },
            );
            let never = one(r, "target boxes are in pixels in the box term", |a, of| {
                scale(a, of, |s| s);
            });
            twice.into_iter().chain(never).collect()
        },
    },
    Form {
        name: "target-format",
        summary: "target boxes read as corners that are centre and size, and the other way round",
        mend: "give the target boxes to the box term as corners",
        ways: |r| {
            let centre = one(
                r,
                "target boxes are centre and size, read as corners",
                |a, _| {
                    a.boxes.iter_mut().for_each(|b| *b = centred(*b));
                },
            );
            let corner = one(r, "target boxes are read as centre and size", |a, _| {
                a.boxes.iter_mut().for_each(|b| *b = corners(*b));
            });
            centre.into_iter().chain(corner).collect()
        },
    },
];

fn one(reads: &Reads, says: &str, targets: Targets) -> Vec<Way> {
    vec![Way {
        targets: Some(targets),
        ..reads.plainly(says.into())
    }]
}

fn hard(a: &mut Assignment, _: &Of) {
    let positive = |s: &&mut f64| **s > 0.0;
    a.scores.iter_mut().filter(positive).for_each(|s| *s = 1.0);
}

/// Scores and labels alike, the last class before the first.
fn shift(a: &mut Assignment, of: &Of, by: usize) {
    let classes = of.classes.max(1);
    a.scores
        .chunks_mut(classes)
        .for_each(|row| row.rotate_right(by % classes));
    let owned = a
        .labels
        .iter_mut()
        .zip(&a.owner)
        .filter(|(_, o)| o.is_some());
    for (label, _) in owned {
        *label = (*label + by as i64).rem_euclid(classes as i64);
    }
}

fn scale(a: &mut Assignment, of: &Of, by: fn(f64) -> f64) {
    for (b, stride) in a.boxes.iter_mut().zip(of.strides) {
        *b = b.map(|v| v * by(*stride));
    }
}
