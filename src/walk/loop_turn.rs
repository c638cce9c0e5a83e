//! loop turn: where in a loop it starts: the first turn of an observed body tensor that is over, alone.

use super::isolated::{self, Case};
use crate::compare::Tolerance;
use crate::error::Result;
use crate::floor::Rounding;
use crate::subject::Judge;

/// The first turn of `case` in which it is over; None where the sides differ in what they are. Without a shadow of the same shape, bits decide.
pub fn first(
    case: &Case,
    stated: Option<&Tolerance>,
    judge: Option<&mut (dyn Judge + '_)>,
) -> Result<Option<usize>> {
    let (r, c) = (case.reference, case.candidate);
    if r.shape() != c.shape() || r.dtype() != c.dtype() || r.shape().is_empty() {
        return Ok(None);
    }
    let mut judge = judge;
    for turn in 0..r.shape()[0] {
        let (r, c) = (r.row(turn), c.row(turn));
        let over = match (stated, case.rounding, &mut judge) {
            (Some(tolerance), _, _) => isolated::stated(&r, &c, tolerance).over(),
            (
                None,
                Rounding::Within {
                    family,
                    scale,
                    terms,
                },
                Some(judge),
            ) if scale.shape() == case.reference.shape()
                && case.shadow.shape() == scale.shape() =>
            {
                let rounding = Rounding::Within {
                    family: *family,
                    scale: scale.row(turn),
                    terms: *terms,
                };
                let shadow = case.shadow.row(turn);
                isolated::judge(
                    &Case {
                        reference: &r,
                        candidate: &c,
                        shadow: &shadow,
                        rounding: &rounding,
                        ..*case
                    },
                    &mut **judge,
                )?
                .over()
            }
            _ => r.bytes() != c.bytes(),
        };
        if over {
            return Ok(Some(turn));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::isolated::Kinship;
    use super::super::paper::{self, Paper, floats, integers};
    use super::*;
    use crate::floor::Family;
    use crate::tensor::Tensor;

    /// The first turn in which 1, 2, 3 and `candidate` are apart, under a tolerance or the bound of these magnitudes around a shadow.
    fn turn(
        candidate: &Tensor,
        stated: Option<Tolerance>,
        scale: &[f64],
        shadow: &[f64],
    ) -> Option<usize> {
        let mut paper = Paper(paper::graph(&["x"], &["n: Double x -> y"], &[]));
        let [scale, shadow] = [scale, shadow].map(|v| Tensor::from_vec(&[v.len()], v.to_vec()));
        let (reference, rounding) = (
            floats(&[1.0, 2.0, 3.0]),
            Rounding::Within {
                family: Family::Arithmetic,
                scale,
                terms: 1,
            },
        );
        let feed = |_: &str| None;
        let (reference, shadow, rounding, kinship) =
            (&reference, &shadow, &rounding, Kinship::default());
        let case = Case {
            step: 0,
            output: 0,
            reference,
            candidate,
            shadow,
            rounding,
            feed: &feed,
            kinship,
        };
        first(&case, stated.as_ref(), Some(&mut paper)).unwrap()
    }

    #[test]
    fn the_first_turn_is_the_first_that_is_beyond_what_holds_for_that_turn() {
        let (exact, like) = ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]);
        let by_bits = floats(&[1.0, 2.0f32.next_up(), 3.5]);
        assert_eq!(turn(&floats(&[1.0, 2.0, 3.0]), None, &like, &exact), None);
        assert_eq!(
            turn(&by_bits, None, &like, &exact),
            Some(2),
            "the second turn is within its rounding"
        );
        assert_eq!(
            turn(&by_bits, None, &[1e9, 2.0, 3.0], &exact),
            Some(2),
            "each turn has magnitudes of its own"
        );
        assert_eq!(
            turn(&by_bits, None, &[1.0, 2.0], &exact),
            Some(1),
            "magnitudes of another shape: bits decide"
        );
        assert_eq!(
            turn(&by_bits, None, &like, &[1.0, 2.0]),
            Some(1),
            "a shadow of another shape"
        );
        assert_eq!(
            turn(
                &by_bits,
                Some(Tolerance::Flat {
                    atol: 0.25,
                    rtol: 0.0
                }),
                &like,
                &exact
            ),
            Some(2)
        );
        assert_eq!(
            turn(
                &by_bits,
                Some(Tolerance::Flat {
                    atol: 0.5,
                    rtol: 0.0
                }),
                &like,
                &exact
            ),
            None
        );
        assert_eq!(
            turn(&floats(&[1.0, 9.0, 3.0, 4.0]), None, &like, &exact),
            None,
            "of another length"
        );
        assert_eq!(
            turn(&integers(&[1, 9, 3]), None, &like, &exact),
            None,
            "of another dtype"
        );
        let scalars = Tensor::of(&[], &[1f32]);
        let feed = |_: &str| None;
        let (reference, candidate, shadow, rounding) = (
            &scalars,
            &Tensor::of(&[], &[2f32]),
            &scalars,
            &Rounding::Exact,
        );
        let kinship = Kinship::default();
        let case = Case {
            step: 0,
            output: 0,
            reference,
            candidate,
            shadow,
            rounding,
            feed: &feed,
            kinship,
        };
        assert_eq!(
            first(&case, None, None).unwrap(),
            None,
            "without an axis there is no turn"
        );
    }
}
