//! function: two graphs in f64: a pair of tensors held against what f64 itself rounds, and against what constants that are stored otherwise may move.

use super::{Limit, against};
use crate::compare::{Comparison, compare};
use crate::floor::noise::{Floor, axis_for};
use crate::tensor::Tensor;
use crate::verdict::{Accumulated, Isolated, Judgement, ToleranceBy, Why};

/// What a pair is held against.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// What f64 itself rounds; None where nothing could be measured.
    pub rounding: Option<Floor>,
    /// What constants that are stored otherwise move; None where there are none.
    pub constants: Option<Floor>,
    /// Whether it is decided, not rounded, although it is a float: no noise moves what Floor, Round or Sign give.
    pub decided: bool,
}

/// Both graphs' own values.
pub fn accumulated(reference: &Tensor, candidate: &Tensor, allowed: &Allowed) -> Accumulated {
    let (comparison, judgement, by) = held(reference, candidate, allowed);
    Accumulated::of(judgement, comparison, by, 0.0)
}

/// What the candidate's stretch makes of the reference's values; `nodes` lie in it.
pub fn alone(
    reference: &Tensor,
    candidate: &Tensor,
    allowed: &Allowed,
    nodes: [Vec<String>; 2],
) -> Isolated {
    let (comparison, judgement, _) = held(reference, candidate, allowed);
    match judgement {
        Judgement::Within(ratio) | Judgement::Over(ratio) => Isolated::Stretch {
            comparison,
            ratio,
            nodes,
            blame: None,
        },
        Judgement::NotJudged(why) => Isolated::NotJudged { why },
        // Nothing here is held against a tie.
        Judgement::Tie(_) => Isolated::NotJudged {
            why: Why::OpenFloor,
        },
    }
}

fn held(
    reference: &Tensor,
    candidate: &Tensor,
    allowed: &Allowed,
) -> (Comparison, Judgement, ToleranceBy) {
    let (reference, candidate) = (widened(reference), widened(candidate));
    let axis = axis_for(reference.shape());
    let comparison = compare(reference.view(), candidate.view(), axis);
    let Some(rounding) = allowed.rounding.as_ref().filter(|_| is_float(&reference)) else {
        let limit = match is_float(&reference) && !allowed.decided {
            true => Limit::Unknown("no noise floor: the f64 graph could not be shaken here"),
            false => Limit::Exact { proved: None },
        };
        let judgement = against(&comparison, limit);
        return (comparison, judgement, ToleranceBy::Exact);
    };
    let by = |constants: bool| ToleranceBy::Function {
        runs: rounding.runs,
        constants,
    };
    let judgement = against(&comparison, Limit::Spread(rounding));
    let both = |constants: &Floor| Floor::sum([(rounding, 1.0), (constants, 1.0)].into_iter());
    match allowed.constants.as_ref().and_then(both) {
        Some(both) if judgement.over() => {
            let judgement = against(&comparison, Limit::Spread(&both));
            (comparison, judgement, by(true))
        }
        Some(_) | None => (comparison, judgement, by(false)),
    }
}

fn is_float(t: &Tensor) -> bool {
    t.dtype().is_float()
}

/// Integers as i64: how wide they are stored is no part of the function. Floats are f64 already, but for what a graph gives as it was fed.
fn widened(t: &Tensor) -> Tensor {
    match t.to_i64() {
        Some(values) => Tensor::from_vec(t.shape(), values),
        None => Tensor::from_vec(t.shape(), t.to_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(rms: f64) -> Floor {
        Floor {
            axis: None,
            max: vec![rms],
            rms: vec![rms],
            runs: 4,
        }
    }

    fn allowed(rms: f64) -> Allowed {
        Allowed {
            rounding: Some(floor(rms)),
            ..Allowed::default()
        }
    }

    fn floats(values: &[f64]) -> Tensor {
        Tensor::of(&[values.len()], values)
    }

    #[test]
    fn a_pair_is_held_against_four_spreads_and_integers_by_value() {
        let one = floats(&[1.0, 2.0]);
        let decided = Allowed {
            decided: true,
            ..Allowed::default()
        };
        for (other, limit, over, compared) in [
            (floats(&[1.0, 2.0]), allowed(0.0), false, true),
            (floats(&[1.0, 2.0 + 3e-9]), allowed(1e-9), false, true),
            (floats(&[1.0, 2.0 + 1e-8]), allowed(1e-9), true, true),
            (floats(&[1.0, f64::NAN]), allowed(1.0), true, true),
            (floats(&[1.0, 2.0, 3.0]), allowed(1.0), true, true),
            (floats(&[1.0, 2.5]), Allowed::default(), false, false),
            (floats(&[1.0, 2.5]), decided.clone(), true, true),
            (floats(&[1.0, 2.0]), decided, false, true),
            (floats(&[1.0, 2.5]), allowed(f64::INFINITY), false, false),
        ] {
            let own = accumulated(&one, &other, &limit);
            let stretch = alone(&one, &other, &limit, Default::default());
            assert_eq!((own.over(), own.compared()), (over, compared), "{other:?}");
            assert_eq!(
                (stretch.over(), stretch.compared()),
                (over, compared),
                "{other:?}"
            );
        }
        let constants = Some(floor(1e-6));
        let both = Allowed {
            constants,
            ..allowed(1e-9)
        };
        for (by, over, asked) in [
            (1e-9, false, false),
            (1e-6, false, true),
            (1e-5, true, true),
        ] {
            let own = accumulated(&one, &floats(&[1.0, 2.0 + by]), &both);
            let constants = asked;
            let by = ToleranceBy::Function { runs: 4, constants };
            assert!(
                own.over() == over
                    && matches!(&own, Accumulated::Compared { by: b, .. } if *b == by),
                "{own:?}"
            );
        }
        let (narrow, wide) = (Tensor::of(&[1], &[3i32]), Tensor::of(&[1], &[3i64]));
        assert!(!accumulated(&narrow, &wide, &Allowed::default()).over());
        assert!(accumulated(&narrow, &Tensor::of(&[1], &[4i64]), &Allowed::default()).over());
    }
}
