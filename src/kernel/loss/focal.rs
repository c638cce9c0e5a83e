//! focal: how wrong is a class logit, easy examples counted less?
//!
//! Convention: α_t · (1 − p_t)^γ · BCE for one anchor and class, p_t the probability of what is true, α_t = α for a positive and
//! 1 − α for a negative; the weight carries a gradient (Lin et al., Focal Loss, 2017, equation 5).

use super::bce::BceLogits;
use crate::kernel::Family;
use crate::kernel::number::{Function, Number, power, sigmoid};

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "focal",
    paper: "Lin 2017",
    what: "focal loss of logits",
    kinks: "none",
};

/// The loss as a function of the logit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Focal {
    pub alpha: f64,
    /// 0, or at least 1.
    pub gamma: f64,
    pub positive: bool,
}

impl Focal {
    /// The paper's α 0.25 and γ 2.
    pub const fn paper(positive: bool) -> Self {
        Self {
            alpha: 0.25,
            gamma: 2.0,
            positive,
        }
    }
}

impl Function for Focal {
    fn at<D: Number>(&self, x: &[D]) -> D {
        // 1 − p_t without cancellation: the probability of what is not true.
        let (missed, share) = if self.positive {
            (sigmoid(-x[0]), self.alpha)
        } else {
            (sigmoid(x[0]), 1.0 - self.alpha)
        };
        BceLogits {
            target: f64::from(u8::from(self.positive)),
        }
        .at(x)
            * power(missed, self.gamma)
            * share
    }

    /// Kinks: none.
    fn kink(&self, _: &[f64]) -> f64 {
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::check;
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    #[test]
    fn at_even_odds_the_weight_is_alpha_over_two_to_the_gamma() {
        assert_relative_eq!(
            Focal::paper(true).value(&[0.0]),
            0.25 * 0.25 * 2f64.ln(),
            max_relative = 1e-15
        );
        assert_relative_eq!(
            Focal::paper(false).value(&[0.0]),
            0.75 * 0.25 * 2f64.ln(),
            max_relative = 1e-15
        );
    }

    #[test]
    fn an_easy_example_keeps_a_relative_precision() {
        assert_relative_eq!(
            Focal::paper(true).value(&[30.0]),
            0.25 * (-90.0f64).exp(),
            max_relative = 1e-12
        );
    }

    proptest! {
        #[test]
        fn the_gradient_is_what_differences_say(x in -6f64..6.0, gamma in 1f64..3.0, positive: bool) {
            for gamma in [0.0, 2.0, gamma] {
                check::gradient(&Focal { alpha: 0.25, gamma, positive }, &[x]);
            }
        }

        #[test]
        fn without_focus_it_is_half_of_bce(x in -6f64..6.0, positive: bool) {
            let bce = BceLogits { target: f64::from(u8::from(positive)) }.value(&[x]);
            assert_relative_eq!(Focal { alpha: 0.5, gamma: 0.0, positive }.value(&[x]), 0.5 * bce, max_relative = 1e-14);
        }
    }
}
