//! isolated: one node alone: both sides against the f64 shadow, within the operator's own rounding bound.

use crate::compare::{Comparison, Tolerance, compare, judge as judge_stated};
use crate::error::Result;
use crate::floor::{Rounding, bound};
use crate::subject::{Feed, Judge};
use crate::tensor::Tensor;
use crate::verdict::{Isolated, Side};

/// Which side shares code with the shadow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinship {
    pub reference: bool,
    pub candidate: bool,
}

impl Kinship {
    /// Names the side that is off, from whether each side agrees with the shadow.
    pub fn side(self, reference_ok: bool, candidate_ok: bool) -> Side {
        match (reference_ok, candidate_ok) {
            (true, false) if self.reference => Side::CandidateOrShadow,
            (true, false) => Side::Candidate,
            (false, true) if self.candidate => Side::ReferenceOrShadow,
            (false, true) => Side::Reference,
            (false, false) | (true, true) => Side::Both,
        }
    }
}

/// One output of one node on the reference's recorded inputs.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub step: usize,
    pub output: usize,
    pub reference: &'a Tensor,
    pub candidate: &'a Tensor,
    pub shadow: &'a Tensor,
    pub rounding: &'a Rounding,
    /// The reference's values that the node took.
    pub feed: Feed<'a>,
    pub kinship: Kinship,
}

/// Judges the node alone.
pub fn judge(case: &Case, judge: &mut dyn Judge) -> Result<Isolated> {
    let axis = crate::floor::noise::axis_for(case.reference.shape());
    Ok(match case.rounding {
        Rounding::Within { family, scale, terms } => match bounded(case, scale, *family, *terms, axis) {
            Some(within) => within,
            None => exact(case, compare(case.reference.view(), case.candidate.view(), axis)),
        },
        Rounding::Exact => exact(case, compare(case.reference.view(), case.candidate.view(), axis)),
        Rounding::Random => Isolated::Abstained { reason: "random operator".into() },
        Rounding::Decision | Rounding::Selection => decision(case, judge)?,
    })
}

fn bounded(case: &Case, scale: &Tensor, family: crate::floor::Family, terms: usize, axis: Option<usize>) -> Option<Isolated> {
    let bound = bound::Bound::of(family, terms, scale, case.reference.dtype())?;
    let bounded = bound::judge(case.reference.view(), case.candidate.view(), case.shadow, bound, axis)?;
    let side = (bounded.failing > 0).then(|| case.kinship.side(bounded.reference <= 1.0, bounded.candidate <= 1.0));
    Some(Isolated::Bounded { family, terms, bounded, side })
}

/// Bits that the inputs decide; also where shapes or dtypes differ, so that no bound can be applied.
fn exact(case: &Case, comparison: Comparison) -> Isolated {
    // Where the shapes or dtypes differ, they alone tell which side is off: rounding has not been looked at.
    let agrees = |side: &Tensor| match comparison {
        Comparison::Attributes(_) => looks_like(side, case.shadow),
        Comparison::Values(_) => is(side, case.shadow),
    };
    let side = (!comparison.identical()).then(|| case.kinship.side(agrees(case.reference), agrees(case.candidate)));
    Isolated::Exact { comparison, side }
}

/// Whether `side` has the shadow's shape and kind of dtype.
fn looks_like(side: &Tensor, shadow: &Tensor) -> bool {
    side.shape() == shadow.shape() && side.dtype().is_float() == shadow.dtype().is_float()
}

/// Whether `side` is the shadow's value, widened.
fn is(side: &Tensor, shadow: &Tensor) -> bool {
    let same = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan();
    if !looks_like(side, shadow) {
        return false;
    }
    match (side.to_i64(), shadow.to_i64()) {
        (Some(a), Some(b)) => a == b,
        _ => side.to_f64().iter().zip(&shadow.to_f64()).all(same),
    }
}

fn decision(case: &Case, judge: &mut dyn Judge) -> Result<Isolated> {
    let comparison = compare(case.reference.view(), case.candidate.view(), None);
    let Some(metrics) = comparison.metrics().filter(|m| m.mismatches > 0) else { return Ok(exact(case, comparison)) };
    let (flips, of) = (metrics.mismatches, metrics.numel);
    let margin = judge.margin(case.step, case.feed, case.output, case.reference, case.candidate)?.unwrap_or(f64::INFINITY);
    if margin == 0.0 {
        return Ok(Isolated::TieFlip { flips, of, margin });
    }
    let side = Some(case.kinship.side(is(case.reference, case.shadow), is(case.candidate, case.shadow)));
    Ok(Isolated::RuleDifference { comparison, margin, side })
}

/// The node alone under a tolerance that the user stated: no shadow is asked.
pub fn stated(reference: &Tensor, candidate: &Tensor, tolerance: &Tolerance) -> Isolated {
    let comparison = compare(reference.view(), candidate.view(), None);
    Isolated::Stated { comparison, ratio: judge_stated(reference.view(), candidate.view(), tolerance).ratio() }
}
