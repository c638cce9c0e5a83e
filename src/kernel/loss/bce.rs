//! bce: how far is a probability from a target, in nats?
//!
//! Convention: −(q ln p + (1 − q) ln(1 − p)) for one element; of a probability each logarithm is at least −100, as in PyTorch; of a
//! logit nothing is clamped. Where a logarithm is clamped the derivative here is that of the value, 0, while PyTorch's backward is
//! (p − q) / max(p(1 − p), the f32 nearest to 1e-12) in f64 too: see [`Bce::backward`].

use crate::kernel::Family;
use crate::kernel::number::{Function, Number, at_least, nearest, softplus};

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "bce",
    paper: "PyTorch",
    what: "binary cross-entropy of probabilities and logits",
    kinks: "probabilities of 0 and 1; none in logits",
};

/// Of a probability p in [0, 1].
#[derive(Clone, Copy, Debug)]
pub struct Bce {
    /// q in [0, 1].
    pub target: f64,
}

/// Of a logit.
#[derive(Clone, Copy, Debug)]
pub struct BceLogits {
    /// q in [0, 1].
    pub target: f64,
}

/// Logarithms are not below this.
pub const LOWEST_LOG: f64 = -100.0;
/// PyTorch divides by no less than this, an f32 even where it computes in f64.
pub const LEAST_VARIANCE: f64 = 1e-12f32 as f64;

impl Function for Bce {
    fn at<D: Number>(&self, x: &[D]) -> D {
        let yes = at_least(x[0].ln(), LOWEST_LOG);
        let no = at_least((-x[0]).ln_1p(), LOWEST_LOG);
        -(yes * self.target + no * (1.0 - self.target))
    }

    /// Kinks: p or 1 − p at e^−100, where a logarithm meets its clamp.
    fn kink(&self, x: &[f64]) -> f64 {
        nearest([x[0], 1.0 - x[0]])
    }
}

impl Bce {
    /// What PyTorch's backward gives: equal to the derivative except where p or 1 − p is below 1e-12.
    pub fn backward(&self, p: f64) -> f64 {
        (p - self.target) / (p * (1.0 - p)).max(LEAST_VARIANCE)
    }
}

impl Function for BceLogits {
    fn at<D: Number>(&self, x: &[D]) -> D {
        // softplus(x) − q x, without the difference of two large numbers.
        if x[0].re() > 0.0 {
            softplus(-x[0]) + x[0] * (1.0 - self.target)
        } else {
            softplus(x[0]) - x[0] * self.target
        }
    }

    /// Kinks: none.
    fn kink(&self, _: &[f64]) -> f64 {
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::{check, sigmoid};
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    #[test]
    fn a_certain_mistake_costs_exactly_one_hundred() {
        assert_eq!(Bce { target: 1.0 }.value(&[0.0]), 100.0);
        assert_eq!(Bce { target: 0.0 }.value(&[1.0]), 100.0);
        assert_eq!(Bce { target: 0.0 }.value(&[0.0]), 0.0);
        assert_eq!(Bce { target: 1.0 }.value(&[1.0]), 0.0);
        assert_eq!(Bce { target: 1.0 }.derivative(0.0), 0.0);
        assert_relative_eq!(
            Bce { target: 1.0 }.backward(0.0),
            -1.000000003995803e12,
            max_relative = 1e-15
        );
    }

    #[test]
    fn large_logits_neither_overflow_nor_cancel() {
        let at = |target, x: f64| BceLogits { target }.value(&[x]);
        assert_eq!(
            [at(1.0, 1e3), at(0.0, 1e3), at(0.0, -1e3), at(1.0, -1e3)],
            [0.0, 1e3, 0.0, 1e3]
        );
        assert_relative_eq!(at(1.0, 40.0), (-40.0f64).exp(), max_relative = 1e-15);
    }

    proptest! {
        #[test]
        fn both_forms_agree_and_their_gradients_are_what_differences_say(q in 0f64..=1.0, x in -8f64..8.0) {
            let p = sigmoid(x);
            assert_relative_eq!(Bce { target: q }.value(&[p]), BceLogits { target: q }.value(&[x]), max_relative = 1e-10);
            check::gradient(&BceLogits { target: q }, &[x]);
            assert_relative_eq!(BceLogits { target: q }.derivative(x), p - q, epsilon = 1e-14);
            assert_relative_eq!(Bce { target: q }.derivative(p), Bce { target: q }.backward(p), max_relative = 1e-9, epsilon = 1e-12);
        }

        #[test]
        fn the_gradient_of_a_probability_is_what_differences_say(q in 0f64..=1.0, p in 0.02f64..0.98) {
            check::gradient(&Bce { target: q }, &[p]);
        }
    }
}
