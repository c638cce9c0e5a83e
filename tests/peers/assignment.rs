//! Assignments: masks, labels, target boxes and soft targets of every anchor.

use crate::cases::{CLASSES, Case, FINE, WIDE};
use crate::check::{Outcome, Row};
use crate::fixture::File;
use parity::kernel::assign::atss::Atss;
use parity::kernel::assign::task_aligned::TaskAligned;
use parity::kernel::assign::{Assignment, Predictions};

pub fn ultralytics_8_3_155(_: &Row, file: &File) -> Result<Outcome, String> {
    task_aligned(TaskAligned::ultralytics_8_3_155(), file)
}

pub fn ultralytics_8_4(_: &Row, file: &File) -> Result<Outcome, String> {
    task_aligned(TaskAligned::ultralytics_8_4(), file)
}

pub fn mmdet(_: &Row, file: &File) -> Result<Outcome, String> {
    task_aligned(TaskAligned::mmdet_3_3(), file)
}

pub fn yolov6(_: &Row, file: &File) -> Result<Outcome, String> {
    task_aligned(TaskAligned::yolov6(), file)
}

pub fn mmdet_atss(_: &Row, file: &File) -> Result<Outcome, String> {
    atss(Atss::mmdet_3_3(), 8.0, 0.0, file)
}

pub fn yolov6_atss(_: &Row, file: &File) -> Result<Outcome, String> {
    atss(Atss::yolov6(), 5.0, 0.5, file)
}

fn task_aligned(rule: TaskAligned, file: &File) -> Result<Outcome, String> {
    every(&FINE, file, |case, b, predictions| {
        rule.assign(
            &case.anchors.pixels(),
            predictions,
            &case.inputs(&case.scores, &case.sides, 0).truth(b),
        )
        .unwrap()
    })
}

fn atss(rule: Atss, size: f64, offset: f64, file: &File) -> Result<Outcome, String> {
    every(&WIDE, file, |case, b, predictions| {
        let truth = case.inputs(&case.scores, &case.sides, 0).truth(b);
        rule.assign(
            &case.anchors.squares(size, offset),
            &case.anchors.levels(),
            predictions,
            &truth,
        )
        .unwrap()
    })
}

fn every(
    cases: &[Case],
    file: &File,
    assign: impl Fn(&Case, usize, &Predictions) -> Assignment,
) -> Result<Outcome, String> {
    let mut out = Outcome::default();
    for (i, case) in cases.iter().enumerate() {
        let inputs = case.inputs(&case.scores, &case.sides, 0);
        let decoded = inputs.decode();
        let one = |b: usize| {
            assign(
                case,
                b,
                &inputs.predictions(&case.scores, &inputs.pixels(&decoded, b), b),
            )
        };
        let ours: Vec<Assignment> = (0..inputs.images()).map(one).collect();
        out.add(
            compare(case, &ours, &theirs(case, &ours, file, i)?)
                .map_err(|e| format!("case {i}: {e}"))?,
        );
    }
    Ok(out)
}

/// What the peer assigned, with our trails; Err where the recording contradicts itself.
pub fn theirs(
    case: &Case,
    ours: &[Assignment],
    file: &File,
    i: usize,
) -> Result<Vec<Assignment>, String> {
    let (anchors, rows) = (case.anchors.len(), case.boxes.len() / case.counts.len());
    let (owner, label) = (
        file.whole(&format!("{i:02}.owner")),
        file.whole(&format!("{i:02}.label")),
    );
    let boxes = file.whole(&format!("{i:02}.box"));
    if let Some(row) = owner.iter().chain(boxes).find(|&&row| row >= rows as i64) {
        return Err(format!("case {i}: row {row} of {rows}"));
    }
    let mut soft = file.real(&format!("{i:02}.score")).iter();
    let mut out = Vec::new();
    for (b, ours) in ours.iter().enumerate() {
        let part = b * anchors..(b + 1) * anchors;
        let place = |row: &i64| usize::try_from(*row).ok();
        let target = |row: &i64| place(row).map_or([0.0; 4], |g| case.boxes[b * rows + g]);
        let mut theirs = Assignment {
            owner: owner[part.clone()].iter().map(place).collect(),
            labels: label[part.clone()].to_vec(),
            boxes: boxes[part].iter().map(target).collect(),
            scores: vec![0.0; anchors * CLASSES],
            ..ours.clone()
        };
        for a in (0..anchors).filter(|&a| owner[b * anchors + a] >= 0) {
            let label = usize::try_from(theirs.labels[a])
                .map_err(|_| format!("case {i}: a positive of class {}", theirs.labels[a]))?;
            let place = theirs
                .scores
                .get_mut(a * CLASSES + label)
                .filter(|_| label < CLASSES);
            *place.ok_or(format!("case {i}: a positive of class {label}"))? = *soft
                .next()
                .ok_or(format!("case {i}: fewer soft targets than positives"))?;
        }
        out.push(theirs);
    }
    if soft.next().is_some() {
        Err(format!("case {i}: more soft targets than positives"))
    } else {
        Ok(out)
    }
}

/// One case; its flips are exact ties or it fails.
pub fn compare(case: &Case, ours: &[Assignment], theirs: &[Assignment]) -> Result<Outcome, String> {
    let mut out = Outcome {
        cases: 1,
        ..Outcome::default()
    };
    for (b, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let mut touched = Vec::new();
        for a in 0..case.anchors.len() {
            let place = || format!("image {b}, anchor {a}");
            if let Some(margin) = ours.distance(a, theirs.owner[a]) {
                if margin.relative() != 0.0 {
                    return Err(format!(
                        "{}: ours {:?}, theirs {:?}, {margin:?}",
                        place(),
                        ours.owner[a],
                        theirs.owner[a]
                    ));
                }
                touched.extend([ours.owner[a], theirs.owner[a]].into_iter().flatten());
                out.flips += 1;
            } else if (ours.labels[a], ours.boxes[a]) != (theirs.labels[a], theirs.boxes[a]) {
                let pair = |x: &Assignment| format!("class {} box {:?}", x.labels[a], x.boxes[a]);
                return Err(format!(
                    "{}: ours {}, theirs {}",
                    place(),
                    pair(ours),
                    pair(theirs)
                ));
            }
        }
        for (i, (&o, &t)) in ours.scores.iter().zip(&theirs.scores).enumerate() {
            let (a, c) = (i / CLASSES, i % CLASSES);
            if [ours.owner[a], theirs.owner[a]]
                .into_iter()
                .flatten()
                .any(|g| touched.contains(&g))
            {
                out.skipped += usize::from(o != 0.0 || t != 0.0);
                continue;
            }
            out.near(
                || format!("soft target of image {b}, anchor {a}, class {c}"),
                o,
                t,
                t.abs(),
            )?;
        }
    }
    Ok(out)
}
