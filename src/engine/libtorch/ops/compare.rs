//! compare: comparisons, logic and choice.

use super::super::call::Call;
use super::common::{f64_of, float, largest_where_different, one};
use super::{Op, Scale, op};
use parity::error::Result;
use parity::floor::Alone::Function;
use tch::Tensor;

fn choose(call: &Call) -> Result<Vec<Tensor>> {
    one(call.input(1)?.f_where_self(call.input(0)?, call.input(2)?))
}

fn is_inf(call: &Call) -> Result<Vec<Tensor>> {
    let x = float(call, 0)?;
    let (negative, positive) = (
        call.int("detect_negative", 1)? != 0,
        call.int("detect_positive", 1)? != 0,
    );
    let hit = || {
        let none = x.f_isinf()?.f_zeros_like()?;
        let low = if negative {
            x.f_eq(f64::NEG_INFINITY)?
        } else {
            none.shallow_clone()
        };
        let high = if positive {
            x.f_eq(f64::INFINITY)?
        } else {
            none
        };
        low.f_logical_or(&high)
    };
    one(hit())
}

/// |a − b|: equal operands are the border of every comparison.
fn difference(call: &Call, _: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let distance = || f64_of(a)?.f_sub(&f64_of(b)?)?.f_abs();
    largest_where_different(distance(), reference, candidate)
}

pub const ORDER: Scale = Scale::Decision(Function, difference);

pub const OPS: &[Op] = &[
    op(
        "Greater",
        7,
        |c| one(c.input(0)?.f_gt_tensor(c.input(1)?)),
        ORDER,
    ),
    op(
        "GreaterOrEqual",
        12,
        |c| one(c.input(0)?.f_ge_tensor(c.input(1)?)),
        ORDER,
    ),
    op(
        "Less",
        7,
        |c| one(c.input(0)?.f_lt_tensor(c.input(1)?)),
        ORDER,
    ),
    op(
        "LessOrEqual",
        12,
        |c| one(c.input(0)?.f_le_tensor(c.input(1)?)),
        ORDER,
    ),
    op(
        "And",
        7,
        |c| one(c.input(0)?.f_logical_and(c.input(1)?)),
        Scale::Exact,
    ),
    op(
        "Or",
        7,
        |c| one(c.input(0)?.f_logical_or(c.input(1)?)),
        Scale::Exact,
    ),
    op(
        "Xor",
        7,
        |c| one(c.input(0)?.f_logical_xor(c.input(1)?)),
        Scale::Exact,
    ),
    op("Not", 1, |c| one(c.input(0)?.f_logical_not()), Scale::Exact),
    op("Where", 9, choose, Scale::Exact),
    op("IsNaN", 9, |c| one(c.input(0)?.f_isnan()), Scale::Exact),
    op("IsInf", 10, is_inf, Scale::Exact),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, bools, cases, f32s, i64s, whole};
    use proptest::prelude::*;

    #[test]
    fn infinities_are_told_apart_by_sign() {
        let x = || f32s(&[4], &[f32::NEG_INFINITY, f32::INFINITY, f32::NAN, 1.0]);
        Case::new("IsInf", 20)
            .with(x())
            .gives(&[bools(&[4], &[1, 1, 0, 0])]);
        Case::new("IsInf", 10)
            .with(x())
            .int("detect_negative", 0)
            .gives(&[bools(&[4], &[0, 1, 0, 0])]);
        Case::new("IsInf", 10)
            .with(x())
            .int("detect_positive", 0)
            .gives(&[bools(&[4], &[1, 0, 0, 0])]);
        Case::new("IsNaN", 13)
            .with(x())
            .gives(&[bools(&[4], &[0, 0, 1, 0])]);
    }

    #[test]
    fn logic_and_choice_broadcast() {
        let (a, b) = (bools(&[2, 1], &[0, 1]), bools(&[2], &[0, 1]));
        let logic = |op: &str| Case::new(op, 7).with(a.clone()).with(b.clone());
        logic("And").gives(&[bools(&[2, 2], &[0, 0, 0, 1])]);
        logic("Or").gives(&[bools(&[2, 2], &[0, 1, 1, 1])]);
        logic("Xor").gives(&[bools(&[2, 2], &[0, 1, 1, 0])]);
        Case::new("Not", 1)
            .with(a.clone())
            .gives(&[bools(&[2, 1], &[1, 0])]);
        Case::new("Where", 16)
            .with(a)
            .with(i64s(&[1, 2]))
            .with(i64s(&[i64::MAX]))
            .gives(&[parity::tensor::Tensor::of(
                &[2, 2],
                &[i64::MAX, i64::MAX, 1, 2],
            )]);
    }

    #[test]
    fn the_margin_of_a_comparison_is_the_difference_of_its_operands() {
        let case = Case::new("Less", 13)
            .with(f32s(&[2], &[1.0, 3.0]))
            .with(f32s(&[2], &[1.5, 2.0]));
        assert_eq!(
            case.margin(0, &bools(&[2], &[1, 0]), &bools(&[2], &[0, 0])),
            Some(0.5)
        );
        assert_eq!(
            case.margin(0, &bools(&[2], &[1, 0]), &bools(&[2], &[0, 1])),
            Some(1.0)
        );
    }

    proptest! {
        #![proptest_config(cases(32))]
        #[test]
        fn comparisons_agree(op in prop::sample::select(vec!["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]), n in 1usize..20, seed: u64) {
            let (a, b) = (whole(&[n, 1], seed, -3, 3), whole(&[n], !seed, -3, 3));
            Case::new(op, 16).with(a).with(b).check();
        }
    }
}
