//! step: functions that jump: Sign, Floor, Ceil, Round: exact, unless the input lies on the jump.

use super::super::call::Call;
use super::common::{Torch, f64_of, largest_where_different, one};
use super::{Op, Scale, op};
use parity::error::Result;
use parity::floor::Alone::Function;
use tch::Tensor;

/// Distance from the nearest whole number.
pub fn to_whole(x: &Tensor) -> Torch {
    x.f_sub(&x.f_round()?)?.f_abs()
}

/// Distance from the nearest number halfway between two whole ones.
fn to_half(x: &Tensor) -> Torch {
    x.f_sub(&x.f_floor()?)?.f_sub_scalar(0.5)?.f_abs()
}

fn margin(
    call: &Call,
    distance: fn(&Tensor) -> Torch,
    reference: &Tensor,
    candidate: &Tensor,
) -> Result<f64> {
    largest_where_different(
        f64_of(call.input(0)?).and_then(|x| distance(&x)),
        reference,
        candidate,
    )
}

/// The same of whole numbers: a border lies between two neighbours only.
fn whole(
    call: &Call,
    distance: fn(&Tensor) -> Torch,
    reference: &Tensor,
    candidate: &Tensor,
) -> Result<f64> {
    let x = call.input(0)?;
    let far = || distance(&f64_of(x)?)?.f_add(&further(reference, candidate)?);
    largest_where_different(far(), reference, candidate)
}

/// How many steps more than one the two are apart.
pub fn further(reference: &Tensor, candidate: &Tensor) -> Torch {
    f64_of(reference)?
        .f_sub(&f64_of(candidate)?)?
        .f_abs()?
        .f_sub_scalar(1)?
        .f_clamp_min(0)
}

pub const OPS: &[Op] = &[
    op(
        "Sign",
        9,
        |c| one(c.input(0)?.f_sign()),
        Scale::Decision(Function, |c, _, a, b| margin(c, |x| x.f_abs(), a, b)),
    ),
    op(
        "Floor",
        6,
        |c| one(c.input(0)?.f_floor()),
        Scale::Decision(Function, |c, _, a, b| whole(c, to_whole, a, b)),
    ),
    op(
        "Ceil",
        6,
        |c| one(c.input(0)?.f_ceil()),
        Scale::Decision(Function, |c, _, a, b| whole(c, to_whole, a, b)),
    ),
    op(
        "Round",
        11,
        |c| one(c.input(0)?.f_round()),
        Scale::Decision(Function, |c, _, a, b| whole(c, to_half, a, b)),
    ),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, random};
    use proptest::prelude::*;

    #[test]
    fn halves_are_rounded_to_even() {
        let x = f32s(&[7], &[-2.5, -1.5, -0.4, 0.5, 1.5, 2.5, 3.0]);
        Case::new("Round", 11)
            .with(x.clone())
            .gives(&[f32s(&[7], &[-2.0, -2.0, 0.0, 0.0, 2.0, 2.0, 3.0])]);
        Case::new("Floor", 13)
            .with(x.clone())
            .gives(&[f32s(&[7], &[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])]);
        Case::new("Ceil", 13)
            .with(x.clone())
            .gives(&[f32s(&[7], &[-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 3.0])]);
        Case::new("Sign", 13)
            .with(x)
            .gives(&[f32s(&[7], &[-1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0])]);
    }

    #[test]
    fn the_margin_is_the_distance_from_the_jump() {
        let x = || Case::new("Round", 11).with(f32s(&[3], &[0.5, 1.25, 7.0]));
        let (a, b) = (f32s(&[3], &[0.0, 1.0, 7.0]), f32s(&[3], &[1.0, 1.0, 7.0]));
        assert_eq!(x().margin(0, &a, &b), Some(0.0));
        assert_eq!(x().margin(0, &a, &f32s(&[3], &[1.0, 2.0, 7.0])), Some(0.25));
        assert_eq!(x().margin(0, &a, &a), Some(0.0));
        assert_eq!(
            x().margin(0, &a, &f32s(&[3], &[2.0, 1.0, 7.0])),
            Some(1.0),
            "two steps are no flip"
        );
    }

    proptest! {
        #![proptest_config(cases(32))]
        #[test]
        fn steps_agree(op in prop::sample::select(vec!["Sign", "Floor", "Ceil", "Round"]), n in 1usize..100, seed: u64) {
            Case::new(op, 13).with(random(&[n], seed, -5.0, 5.0)).check();
        }
    }
}
