//! dfl: how well does a distribution over bins locate one side of a box?
//!
//! Convention: logits over bins 0 … R in grid units; a distance is the mean bin under their softmax; the loss is the cross-entropy
//! against the two bins next to the target, which is clipped to [0, R − 0.01] (Li et al., Generalized Focal Loss, 2020, equation 6).

use crate::kernel::Family;
use crate::kernel::number::{Function, Number, log_sum_exp};

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "dfl",
    paper: "Li 2020",
    what: "distribution focal loss and the mean bin",
    kinks: "none in logits",
};

/// Mean bin: Σ i · softmax(x)_i.
#[derive(Clone, Copy, Debug)]
pub struct Expectation;

/// Two-bin cross-entropy of one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dfl {
    /// Distance in grid units, clipped.
    target: f64,
}

/// How far below R a target must stay.
pub const MARGIN: f64 = 0.01;

impl Dfl {
    /// The loss for a side `target` grid units away; bins 0 … `reg_max`, at least 2 of them.
    pub fn new(target: f64, reg_max: usize) -> Self {
        Self {
            target: target.clamp(0.0, reg_max as f64 - MARGIN),
        }
    }

    /// Left bin and the weights of it and its right neighbour.
    pub fn bins(&self) -> (usize, [f64; 2]) {
        let left = self.target.floor();
        (
            left as usize,
            [left + 1.0 - self.target, self.target - left],
        )
    }
}

impl Function for Expectation {
    fn at<D: Number>(&self, x: &[D]) -> D {
        let total = log_sum_exp(x);
        x.iter()
            .enumerate()
            .map(|(i, &v)| (v - total).exp() * i as f64)
            .sum()
    }

    /// Kinks: none.
    fn kink(&self, _: &[f64]) -> f64 {
        f64::INFINITY
    }
}

impl Function for Dfl {
    fn at<D: Number>(&self, x: &[D]) -> D {
        let (left, [near, far]) = self.bins();
        log_sum_exp(x) - (x[left] * near + x[left + 1] * far)
    }

    /// Kinks: none in the logits.
    fn kink(&self, _: &[f64]) -> f64 {
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::check;
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    #[test]
    fn targets_are_clipped_below_the_last_bin() {
        assert_eq!(Dfl::new(-3.0, 16).bins(), (0, [1.0, 0.0]));
        assert_eq!(Dfl::new(5.0, 16).bins(), (5, [1.0, 0.0]));
        let (left, [near, far]) = Dfl::new(99.0, 16).bins();
        assert_eq!(left, 15);
        assert_abs_diff_eq!(near, 0.01, epsilon = 1e-12);
        assert_abs_diff_eq!(far, 0.99, epsilon = 1e-12);
    }

    #[test]
    fn uniform_logits_cost_the_logarithm_of_their_number() {
        assert_abs_diff_eq!(
            Dfl::new(3.3, 16).value(&[0.7; 17]),
            17f64.ln(),
            epsilon = 1e-14
        );
        assert_abs_diff_eq!(Expectation.value(&[0.7; 17]), 8.0, epsilon = 1e-13);
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let x = [1e4, 0.0, -1e4];
        assert_eq!(Expectation.value(&x), 0.0);
        assert_eq!(Dfl::new(0.0, 2).value(&x), 0.0);
    }

    proptest! {
        #[test]
        fn gradients_are_what_differences_say(x in prop::collection::vec(-4f64..4.0, 17), t in -1f64..18.0) {
            check::gradient(&Dfl::new(t, 16), &x);
            check::gradient(&Expectation, &x);
        }
    }
}
