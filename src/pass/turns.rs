//! turns: where in a loop it starts: the first turn of an observed body tensor that is over, alone.

use super::isolated::{self, Case};
use crate::compare::Tolerance;
use crate::error::Result;
use crate::floor::Rounding;
use crate::subject::Judge;

/// The first turn of `case` in which it is over; None where the sides differ in what they are. Without a shadow of the same shape, bits decide.
pub fn first(case: &Case, stated: Option<&Tolerance>, judge: Option<&mut (dyn Judge + '_)>) -> Result<Option<usize>> {
    let (r, c) = (case.reference, case.candidate);
    if r.shape() != c.shape() || r.dtype() != c.dtype() || r.shape().is_empty() {
        return Ok(None);
    }
    let mut judge = judge;
    for turn in 0..r.shape()[0] {
        let (r, c) = (r.row(turn), c.row(turn));
        let over = match (stated, case.rounding, &mut judge) {
            (Some(tolerance), _, _) => isolated::stated(&r, &c, tolerance).over(),
            (None, Rounding::Within { family, scale, terms }, Some(judge))
                if scale.shape() == case.reference.shape() && case.shadow.shape() == scale.shape() =>
            {
                let rounding = Rounding::Within { family: *family, scale: scale.row(turn), terms: *terms };
                let shadow = case.shadow.row(turn);
                isolated::judge(&Case { reference: &r, candidate: &c, shadow: &shadow, rounding: &rounding, ..*case }, &mut **judge)?.over()
            }
            _ => r.bytes() != c.bytes(),
        };
        if over {
            return Ok(Some(turn));
        }
    }
    Ok(None)
}
