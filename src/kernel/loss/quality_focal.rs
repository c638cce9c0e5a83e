//! quality_focal: how wrong is a class logit whose target is a quality, near hits counted less?
//!
//! Convention: |q − σ(x)|^β · BCE(σ(x), q) for one anchor and class, q in [0, 1], 0 for a negative; the weight carries a gradient
//! (Li et al., Generalized Focal Loss, 2020, equation 2; β = 2).

use super::bce::BceLogits;
use crate::kernel::Family;
use crate::kernel::number::{Function, Number, absolute, power, sigmoid};

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "quality_focal",
    paper: "Li 2020",
    what: "quality focal loss of logits",
    kinks: "probability equal to quality, unless beta is 2",
};

/// The loss as a function of the logit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QualityFocal {
    /// q.
    pub quality: f64,
    /// β, 0 or at least 1.
    pub beta: f64,
}

impl Function for QualityFocal {
    fn at<D: Number>(&self, x: &[D]) -> D {
        BceLogits {
            target: self.quality,
        }
        .at(x)
            * power(absolute(sigmoid(x[0]) - self.quality), self.beta)
    }

    /// Kinks: σ(x) = q.
    fn kink(&self, x: &[f64]) -> f64 {
        if self.beta == 0.0 || self.beta == 2.0 {
            f64::INFINITY
        } else {
            (sigmoid(x[0]) - self.quality).abs()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::check;
    use proptest::prelude::*;

    #[test]
    fn hitting_the_quality_costs_nothing_and_moves_nothing() {
        let f = QualityFocal {
            quality: 0.5,
            beta: 2.0,
        };
        assert_eq!((f.value(&[0.0]), f.derivative(0.0)), (0.0, 0.0));
        assert!(f.value(&[1.0]) > 0.0);
    }

    proptest! {
        #[test]
        fn the_gradient_is_what_differences_say(x in -6f64..6.0, q in 0f64..=1.0, beta in 1f64..3.0) {
            check::gradient(&QualityFocal { quality: q, beta: 2.0 }, &[x]);
            let f = QualityFocal { quality: q, beta };
            prop_assume!(f.kink(&[x]) > 0.02);
            check::gradient(&f, &[x]);
        }
    }
}
