//! trigonometric: circular and hyperbolic functions and their inverses.

use super::super::call::Call;
use super::common::{Torch, float, one};
use super::elementwise::size_or_flushed;
use super::{Op, Scale, op};
use parity::error::Result;
use parity::floor::Family::Transcendental;
use tch::Tensor;

fn of(call: &Call, function: fn(&Tensor) -> Torch) -> Result<Vec<Tensor>> {
    one(function(float(call, 0)?))
}

const SIZE: Scale = Scale::By(Transcendental, size_or_flushed);
const BOUNDED: Scale = Scale::One(Transcendental);

pub const OPS: &[Op] = &[
    op("Sin", 7, |c| of(c, |x| x.f_sin()), BOUNDED),
    op("Cos", 7, |c| of(c, |x| x.f_cos()), BOUNDED),
    op("Tan", 7, |c| of(c, |x| x.f_tan()), SIZE),
    op("Asin", 7, |c| of(c, |x| x.f_asin()), SIZE),
    op("Acos", 7, |c| of(c, |x| x.f_acos()), SIZE),
    op("Atan", 7, |c| of(c, |x| x.f_atan()), SIZE),
    op("Sinh", 9, |c| of(c, |x| x.f_sinh()), SIZE),
    op("Cosh", 9, |c| of(c, |x| x.f_cosh()), SIZE),
    op("Asinh", 9, |c| of(c, |x| x.f_asinh()), SIZE),
    op("Acosh", 9, |c| of(c, |x| x.f_acosh()), SIZE),
    op("Atanh", 9, |c| of(c, |x| x.f_atanh()), SIZE),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, random};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(cases(128))]
        #[test]
        fn circular_and_hyperbolic_functions_stay_in_their_bound(
            (op, low, high) in prop::sample::select(vec![
                ("Sin", -9.0, 9.0), ("Cos", -90.0, 90.0), ("Tan", -1.5, 1.5), ("Asin", -1.0, 1.0), ("Asin", -0.01, 0.01), ("Acos", -1.0, 1.0),
                ("Acos", 0.999, 1.0), ("Atan", -30.0, 30.0), ("Sinh", -9.0, 9.0), ("Sinh", -0.01, 0.01), ("Cosh", -9.0, 9.0),
                ("Asinh", -9.0, 9.0), ("Acosh", 1.0, 9.0), ("Atanh", -0.99, 0.99), ("Atanh", -0.01, 0.01)]),
            n in 1usize..400, seed: u64,
        ) {
            Case::new(op, 13).with(random(&[n], seed, low, high)).check();
        }
    }
}
