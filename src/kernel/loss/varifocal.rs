//! varifocal: how wrong is a class probability whose target is a quality, negatives counted less?
//!
//! Convention: BCE(p, q)·w with w = α·p^γ·(1 − y) + q·y for one anchor and class, p a probability, q the soft target, y whether the
//! anchor is positive for the class (Zhang et al., VarifocalNet, 2021, equation 2). Whether w carries a gradient is an option.

use super::bce::Bce;
use crate::kernel::Family;
use crate::kernel::number::{Function, Number, detach, power};

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "varifocal",
    paper: "Zhang 2021",
    what: "varifocal loss of probabilities",
    kinks: "probabilities of 0 and 1",
};

/// The loss of one anchor and class, before target and label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Varifocal {
    pub alpha: f64,
    pub gamma: f64,
    /// The weight is a constant of the gradient.
    pub weight_detached: bool,
}

/// The loss as a function of p.
#[derive(Clone, Copy, Debug)]
pub struct VarifocalAt {
    pub rule: Varifocal,
    /// q.
    pub quality: f64,
    /// y.
    pub positive: bool,
    /// The weight where it is held.
    weight: Option<f64>,
}

impl Varifocal {
    /// YOLOv6 and Gold-YOLO: α 0.75, γ 2, and p's part of the weight is in the graph.
    pub const fn gold_yolo() -> Self {
        Self {
            alpha: 0.75,
            gamma: 2.0,
            weight_detached: false,
        }
    }

    /// The loss of p against `quality`; `positive` is the one-hot label.
    pub fn at(self, quality: f64, positive: bool) -> VarifocalAt {
        VarifocalAt {
            rule: self,
            quality,
            positive,
            weight: None,
        }
    }
}

impl VarifocalAt {
    /// w, with derivative.
    pub fn weight<D: Number>(&self, p: D) -> D {
        if self.positive {
            D::from(self.quality)
        } else {
            power(p, self.rule.gamma) * self.rule.alpha
        }
    }
}

impl Function for VarifocalAt {
    fn at<D: Number>(&self, x: &[D]) -> D {
        let weight = match self.weight {
            Some(w) => D::from(w),
            None if self.rule.weight_detached => detach(self.weight(x[0])),
            None => self.weight(x[0]),
        };
        Bce {
            target: self.quality,
        }
        .at(x)
            * weight
    }

    /// Kinks: those of BCE.
    fn kink(&self, x: &[f64]) -> f64 {
        Bce {
            target: self.quality,
        }
        .kink(x)
    }

    fn held(&self, x: &[f64]) -> Self {
        Self {
            weight: self
                .weight
                .or(self.rule.weight_detached.then(|| self.weight(x[0]))),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::check;
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    #[test]
    fn without_a_positive_the_plain_sum_over_5249_anchors_and_20_classes_is_0_0791() {
        let one = Varifocal::gold_yolo().at(0.0, false).value(&[0.01]);
        assert_abs_diff_eq!(one * 5249.0 * 20.0, 0.0791, epsilon = 5e-5);
    }

    #[test]
    fn a_probability_of_zero_has_a_finite_value_and_gradient() {
        let f = Varifocal::gold_yolo().at(0.0, false);
        assert_eq!((f.value(&[0.0]), f.derivative(0.0)), (0.0, 0.0));
        assert_eq!(Varifocal::gold_yolo().at(1.0, true).value(&[0.0]), 100.0);
    }

    #[test]
    fn detaching_the_weight_keeps_the_value_and_changes_the_gradient() {
        let attached = Varifocal::gold_yolo().at(0.0, false);
        let detached = Varifocal {
            weight_detached: true,
            ..Varifocal::gold_yolo()
        }
        .at(0.0, false);
        assert_eq!(attached.value(&[0.4]), detached.value(&[0.4]));
        assert!((attached.derivative(0.4) - detached.derivative(0.4)).abs() > 0.1);
    }

    proptest! {
        #[test]
        fn the_gradient_is_what_differences_say(p in 0.02f64..0.98, q in 0f64..=1.0, y: bool, weight_detached: bool, gamma in 1f64..3.0) {
            for gamma in [gamma, 2.0] {
                check::gradient(&Varifocal { gamma, weight_detached, ..Varifocal::gold_yolo() }.at(q, y), &[p]);
            }
        }
    }
}
