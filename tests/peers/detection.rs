//! Whole detection losses: assignment, items, total and gradients. Where ties flip, our loss is taken of the peer's assignment.

use crate::assignment;
use crate::cases::{Case, FINE, WIDE};
use crate::check::{COORDINATE, Outcome, Row};
use crate::fixture::File;
use parity::kernel::assign::Assignment;
use parity::kernel::loss::bce::Bce;
use parity::kernel::loss::gold_yolo::GoldYolo;
use parity::kernel::loss::v8_detection::V8Detection;

/// What every loss gives.
struct Loss {
    items: [f64; 3],
    total: f64,
    scores: Vec<f64>,
    sides: Vec<f64>,
}

pub fn ultralytics_8_3_155(_: &Row, file: &File) -> Result<Outcome, String> {
    v8(V8Detection::ultralytics_8_3_155(), file)
}

pub fn ultralytics_8_4(_: &Row, file: &File) -> Result<Outcome, String> {
    v8(V8Detection::ultralytics_8_4(), file)
}

pub fn n(_: &Row, file: &File) -> Result<Outcome, String> {
    gold(GoldYolo::n(), &FINE, file, false)
}

pub fn sml(_: &Row, file: &File) -> Result<Outcome, String> {
    gold(GoldYolo::sml(), &FINE, file, false)
}

pub fn warm_up(_: &Row, file: &File) -> Result<Outcome, String> {
    gold(GoldYolo::n().warm_up(), &WIDE, file, true)
}

/// The class loss of this project's PyTorch clamps like ours.
pub fn warm_up_of_this_project(_: &Row, file: &File) -> Result<Outcome, String> {
    gold(GoldYolo::n().warm_up(), &WIDE, file, false)
}

fn v8(rule: V8Detection, file: &File) -> Result<Outcome, String> {
    every(&FINE, file, |case, theirs| {
        let distances = case.distances(15);
        let inputs = case.inputs(&case.logits, &distances, 15);
        let ours = rule.assign(&inputs).unwrap();
        let (outcome, used) = theirs(ours)?;
        let out = rule.evaluate_with(&inputs, used).unwrap();
        let sides = out
            .box_gradient
            .iter()
            .zip(&out.dfl_gradient)
            .map(|(b, d)| b + d)
            .collect();
        Ok((
            outcome,
            Loss {
                items: out.items,
                total: out.total,
                scores: out.score_gradient,
                sides,
            },
        ))
    })
}

/// `backward` where the peer's gradient at a probability of 0 is that of PyTorch's binary cross-entropy.
fn gold(rule: GoldYolo, cases: &[Case], file: &File, backward: bool) -> Result<Outcome, String> {
    every(cases, file, |case, theirs| {
        let distances = case.distances(rule.reg_max);
        let inputs = case.inputs(&case.scores, &distances, rule.reg_max);
        let ours = rule.assign(&inputs).unwrap();
        let (outcome, used) = theirs(ours)?;
        let out = rule.evaluate_with(&inputs, used).unwrap();
        let sides = out.distance_gradient();
        let soft = out.assignments.iter().flat_map(|a| &a.scores);
        let one = |((&p, &q), g): ((&f64, &f64), f64)| {
            if backward && p == 0.0 && q > 0.0 {
                pytorch(q) / out.score_sum
            } else {
                g
            }
        };
        let scores = case
            .scores
            .iter()
            .zip(soft)
            .zip(out.score_gradient.clone())
            .map(one)
            .collect();
        Ok((
            outcome,
            Loss {
                items: out.items,
                total: out.total,
                scores,
                sides,
            },
        ))
    })
}

/// PyTorch's gradient of the varifocal loss of a positive with probability 0, where the logarithm is clamped and the derivative 0.
fn pytorch(quality: f64) -> f64 {
    Bce { target: quality }.backward(0.0) * quality
}

type Settled = Result<(Outcome, Vec<Assignment>), String>;

fn every(
    cases: &[Case],
    file: &File,
    loss: impl Fn(&Case, &dyn Fn(Vec<Assignment>) -> Settled) -> Result<(Outcome, Loss), String>,
) -> Result<Outcome, String> {
    let mut out = Outcome::default();
    for (i, case) in cases.iter().enumerate() {
        let settle = |ours: Vec<Assignment>| {
            let theirs = assignment::theirs(case, &ours, file, i)?;
            let outcome = assignment::compare(case, &ours, &theirs)?;
            Ok((outcome, if outcome.flips > 0 { theirs } else { ours }))
        };
        let (outcome, loss) = loss(case, &settle).map_err(|e| format!("case {i}: {e}"))?;
        out.add(outcome);
        compare(&mut out, &loss, file, i).map_err(|e| format!("case {i}: {e}"))?;
    }
    Ok(out)
}

fn compare(out: &mut Outcome, ours: &Loss, file: &File, i: usize) -> Result<(), String> {
    let real = |key: &str| file.real(&format!("{i:02}.{key}"));
    for (item, (&o, &t)) in ours.items.iter().zip(real("items")).enumerate() {
        out.near(|| format!("item {item}"), o, t, t.abs())?;
    }
    out.near(
        || "total".into(),
        ours.total,
        real("total")[0],
        real("total")[0].abs(),
    )?;
    for (what, gradient) in [("score", &ours.scores), ("side", &ours.sides)] {
        let (rows, theirs) = (
            file.whole(&format!("{i:02}.{what}_rows")),
            real(&format!("{what}_gradient")),
        );
        let columns = theirs.len().checked_div(rows.len()).unwrap_or(0);
        let part = |r: &i64| {
            gradient
                .get(*r as usize * columns..(*r as usize + 1) * columns)
                .unwrap_or(&[])
        };
        let sampled: Vec<f64> = rows.iter().flat_map(part).copied().collect();
        match what {
            "side" => out.all_near(|| "side gradient".into(), &sampled, theirs, COORDINATE)?,
            _ => sampled
                .iter()
                .zip(theirs)
                .enumerate()
                .try_for_each(|(i, (&o, &t))| {
                    out.near(|| format!("score gradient [{i}]"), o, t, t.abs())
                })?,
        }
    }
    Ok(())
}
