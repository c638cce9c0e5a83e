//! pair: one tensor of two recordings, judged by the floor that was recorded with it or by the tolerance that is stated.

use super::Mode;
use super::both::Both;
use super::forms::as_reference;
use crate::compare::convention::{Convention, laid};
use crate::compare::{Comparison, compare, judge as judge_stated};
use crate::error::Result;
use crate::floor::noise::{Floor, axis_for};
use crate::judge::{Limit, against};
use crate::tensor::Tensor;
use crate::trace::Entry;
use crate::verdict::{Accumulated, Finding, Isolated, TensorResult, ToleranceBy, Why};
use std::borrow::Cow;

/// What a floor that the candidate brings may be at most, in units of a channel's root mean square.
const CAP: f64 = 1e-3;

/// The tensor of step `step` that the reference calls `name`, and in which form the candidate has it where that is another.
///
/// # Errors
/// A tensor that cannot be read.
pub fn judged(both: &Both, step: usize, name: &str) -> Result<(TensorResult, Option<Finding>)> {
    let theirs = both.theirs(name);
    let known = both.entry(0, name);
    let (a, b) = (both.reference.tensor(name)?, both.candidate.tensor(theirs)?);
    let (b, by, said) = match (&a, b) {
        (Some(a), Some(b)) => as_held(both.standard(name), a, b),
        (_, b) => (b, None, None),
    };
    let accumulated = match (&a, &b) {
        (Some(a), Some(b)) => judge(a, b, by, (known, both.entry(1, theirs)), both.mode),
        _ => Accumulated::NotJudged {
            why: Why::Missing(format!("the candidate has no tensor '{theirs}'")),
        },
    };
    let result = TensorResult {
        name: name.to_string(),
        node: known.map_or(name.to_string(), |e| e.node.clone()),
        op: known.map_or(String::new(), |e| e.op.clone()),
        step,
        dtype: a.as_ref().map(Tensor::dtype),
        shape: a.as_ref().map_or(vec![], |t| t.shape().to_vec()),
        macs: 0,
        accumulated,
        isolated: Isolated::NotJudged {
            why: Why::NotTested(
                "own fault not tested (recorded): two recordings, and no graph to run".into(),
            ),
        },
        repeat_noise: None,
        inside: None,
    };
    Ok((result, said))
}

/// The candidate as the reference holds it, by a convention of training code or by one of the frameworks.
fn as_held(
    standard: &str,
    ours: &Tensor,
    theirs: Tensor,
) -> (Option<Tensor>, Option<Convention>, Option<Finding>) {
    if let Some((same, said)) = as_reference(standard, ours, &theirs) {
        return (Some(same), None, Some(said));
    }
    match laid(ours, &theirs, standard.starts_with("loss")) {
        Some((same, by)) => (Some(same), Some(by), None),
        None => (Some(theirs), None, None),
    }
}

/// The floor that a pair is held against and whose it is, or why there is none.
pub fn floor_of<'a>(
    known: Option<&'a Entry>,
    theirs: Option<&'a Entry>,
    a: &Tensor,
) -> std::result::Result<(Cow<'a, Floor>, ToleranceBy), &'static str> {
    let own = |e: Option<&'a Entry>| e.and_then(|e| e.floor.as_ref());
    match (own(known), own(theirs)) {
        (Some(floor), _) if !floor.fits(a) => {
            Err("the floor that was recorded for it does not fit it")
        }
        (Some(floor), _) => Ok((
            Cow::Borrowed(floor),
            ToleranceBy::Noise { runs: floor.runs },
        )),
        (None, Some(floor)) if !floor.fits(a) => {
            Err("the floor that the candidate brings does not fit it")
        }
        // A port must not bring its own tolerance.
        (None, Some(floor)) => Ok((
            Cow::Owned(floor.capped(a, CAP)),
            ToleranceBy::CandidateNoise { runs: floor.runs },
        )),
        (None, None) => Err("no floor was recorded for it"),
    }
}

fn judge(
    a: &Tensor,
    b: &Tensor,
    by: Option<Convention>,
    (known, theirs): (Option<&Entry>, Option<&Entry>),
    mode: Mode,
) -> Accumulated {
    let comparison = compare(a.view(), b.view(), axis_for(a.shape())).by(by);
    let held = |limit: Limit, comparison: Comparison, by| {
        Accumulated::of(against(&comparison, limit), comparison, by, 0.0)
    };
    match mode {
        Mode::Stated(t) => {
            let ratio = judge_stated(a.view(), b.view(), &t).ratio();
            Accumulated::Compared {
                comparison,
                ratio,
                by: ToleranceBy::Stated,
            }
        }
        // The ratio says how far; --report-only judges nothing.
        Mode::ReportOnly => Accumulated::Compared {
            comparison,
            ratio: 0.0,
            by: ToleranceBy::Unjudged,
        },
        Mode::Floors if !a.dtype().is_float() || comparison.identical() => held(
            Limit::Exact { proved: None },
            comparison,
            ToleranceBy::Exact,
        ),
        Mode::Floors => match floor_of(known, theirs, a) {
            Ok((floor, by)) => held(Limit::Spread(&floor), comparison, by),
            Err(why) => held(Limit::Unknown(why), comparison, ToleranceBy::Exact),
        },
    }
}
