//! number: how does one formula yield its value and its exact gradient?
//!
//! Convention: a formula is written once, generic over [`Number`]; `f64` gives the value, a dual number one partial derivative
//! (Griewank and Walther, Evaluating Derivatives, 2008, chapter 3). At a tie `max` and `min` share the derivative equally, a
//! clamp lets it pass at its own limit and |x| has none at 0, as in PyTorch. NaN passes through all of them.

use num_dual::{Dual64, DualNum};

/// Nearer than this to a kink the derivative is whatever the order of operations makes of it, in the unit of the compared quantities.
pub const KINK: f64 = 1e-9;
/// A step from a kink to where it is none any more.
const BESIDE: f64 = 4.0 * KINK;

/// A real number, or one that carries a derivative.
pub trait Number: DualNum<Primitive = f64> + Copy {}
impl<D: DualNum<Primitive = f64> + Copy> Number for D {}

/// A scalar function of several variables, written once for value and gradient.
pub trait Function: Clone {
    /// The formula.
    fn at<D: Number>(&self, x: &[D]) -> D;

    /// How near `x` is to a point without a derivative, in the unit of the compared quantities; infinite where there is none.
    fn kink(&self, x: &[f64]) -> f64;

    /// The same function with every detached factor held at its value at `x`: its differences are what the gradient is.
    fn held(&self, _x: &[f64]) -> Self {
        self.clone()
    }

    /// The value at `x`.
    fn value(&self, x: &[f64]) -> f64 {
        self.at(x)
    }

    /// The partial derivatives at `x`, detached factors held.
    fn gradient(&self, x: &[f64]) -> Vec<f64> {
        let mut duals: Vec<Dual64> = x.iter().map(|&v| Dual64::from_re(v)).collect();
        (0..x.len())
            .map(|i| {
                duals[i].eps = 1.0;
                let out = self.at(&duals).eps;
                duals[i].eps = 0.0;
                out
            })
            .collect()
    }

    /// Between which numbers partial derivative `i` lies at a kink: those on either side of `x` along that axis (two points each, and where
    /// they lead to at `x`) and what ties share there. None where one is not finite.
    fn beside(&self, x: &[f64], i: usize) -> Option<[f64; 2]> {
        let at = |step: f64| {
            let mut duals: Vec<Dual64> = x.iter().map(|&v| Dual64::from_re(v)).collect();
            duals[i] = Dual64::new(x[i] + step, 1.0);
            self.at(&duals).eps
        };
        let [left, right] = [-BESIDE, BESIDE].map(|step| {
            let near = at(step);
            [near, 2.0 * near - at(2.0 * step)]
        });
        let all = [left[0], left[1], right[0], right[1], at(0.0)];
        let [least, most] = [f64::min, f64::max].map(|of| all.into_iter().fold(all[0], of));
        all.iter().all(|v| v.is_finite()).then_some([least, most])
    }

    /// The derivative of a function of one variable.
    fn derivative(&self, x: f64) -> f64 {
        self.at(&[Dual64::new(x, 1.0)]).eps
    }
}

/// `x` as a constant.
pub fn detach<D: Number>(x: D) -> D {
    D::from(x.re())
}

/// The larger of two.
pub fn max<D: Number>(a: D, b: D) -> D {
    select(a, b, a.re() > b.re(), b.re() > a.re())
}

/// The smaller of two.
pub fn min<D: Number>(a: D, b: D) -> D {
    select(a, b, a.re() < b.re(), b.re() < a.re())
}

fn select<D: Number>(a: D, b: D, first: bool, second: bool) -> D {
    match (first, second) {
        (true, _) => a,
        (_, true) => b,
        _ if a.re().is_infinite() => a,
        // A tie, or a NaN that the sum hands on.
        _ => a + (b - a) * 0.5,
    }
}

/// `x`, but at least `low`.
pub fn at_least<D: Number>(x: D, low: f64) -> D {
    if x.re() < low { D::from(low) } else { x }
}

/// `x`, but at most `high`.
pub fn at_most<D: Number>(x: D, high: f64) -> D {
    if x.re() > high { D::from(high) } else { x }
}

/// |x|.
pub fn absolute<D: Number>(x: D) -> D {
    match x.re() {
        v if v > 0.0 => x,
        v if v < 0.0 => -x,
        // Zero of either sign becomes +0; NaN stays.
        _ => x * 0.0 + 0.0,
    }
}

/// x^n for x ≥ 0 and n ≥ 1, or n = 0.
pub fn power<D: Number>(x: D, n: f64) -> D {
    match n {
        0.0 => D::from(1.0),
        1.0 => x,
        2.0 => x * x,
        _ if x.re() == 0.0 => x * 0.0,
        _ => x.powf(n),
    }
}

/// 1 / (1 + e^−x), without overflow.
pub fn sigmoid<D: Number>(x: D) -> D {
    if x.re() >= 0.0 {
        ((-x).exp() + 1.0).recip()
    } else {
        let e = x.exp();
        e / (e + 1.0)
    }
}

/// ln(1 + e^x), without overflow.
pub fn softplus<D: Number>(x: D) -> D {
    if x.re() > 0.0 {
        x + (-x).exp().ln_1p()
    } else {
        x.exp().ln_1p()
    }
}

/// ln Σ e^x, without overflow; −∞ over nothing.
pub fn log_sum_exp<D: Number>(x: &[D]) -> D {
    let top = x.iter().map(|v| v.re()).fold(f64::NEG_INFINITY, f64::max);
    let shift = if top.is_finite() { top } else { 0.0 };
    x.iter().map(|&v| (v - shift).exp()).sum::<D>().ln() + shift
}

/// The smallest absolute value of `distances`: infinite over nothing, 0 where one is NaN.
pub fn nearest(distances: impl IntoIterator<Item = f64>) -> f64 {
    distances
        .into_iter()
        .map(|d| if d.is_nan() { 0.0 } else { d.abs() })
        .fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
pub(crate) mod check {
    use super::Function;

    /// Central differences of fourth order: truncation h⁴, rounding u/h.
    pub(crate) fn difference(f: impl Fn(&[f64]) -> f64, x: &[f64], i: usize, h: f64) -> f64 {
        let shifted = |steps: f64| {
            let mut y = x.to_vec();
            y[i] += steps * h;
            f(&y)
        };
        (8.0 * (shifted(1.0) - shifted(-1.0)) - (shifted(2.0) - shifted(-2.0))) / (12.0 * h)
    }

    /// The gradient of `f` at `x` is what central differences say; `x` must keep its distance from every kink.
    pub(crate) fn gradient<F: Function>(f: &F, x: &[f64]) {
        let h = 1e-4;
        assert!(f.kink(x) > 3.0 * h, "{x:?} lies on a kink");
        let (gradient, held) = (f.gradient(x), f.held(x));
        assert_eq!(
            held.value(x).to_bits(),
            f.value(x).to_bits(),
            "holding changed the value at {x:?}"
        );
        for (i, &exact) in gradient.iter().enumerate() {
            let numeric = difference(|y| held.value(y), x, i, h);
            let scale = exact.abs().max(f.value(x).abs()).max(1e-3);
            assert!(
                (exact - numeric).abs() <= 1e-6 * scale,
                "partial {i} at {x:?}: {exact} but differences say {numeric}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tie_shares_the_derivative_and_keeps_the_value() {
        let (a, b) = (Dual64::new(2.0, 1.0), Dual64::from_re(2.0));
        assert_eq!((max(a, b).re, max(a, b).eps), (2.0, 0.5));
        assert_eq!((min(b, a).re, min(b, a).eps), (2.0, 0.5));
        assert_eq!(max(f64::from_bits(1), f64::from_bits(1)).to_bits(), 1);
        assert_eq!(max(f64::INFINITY, f64::INFINITY), f64::INFINITY);
    }

    #[derive(Clone)]
    struct Hinge;

    impl Function for Hinge {
        fn at<D: Number>(&self, x: &[D]) -> D {
            max(x[0] * x[0], x[1] * 3.0)
        }

        fn kink(&self, x: &[f64]) -> f64 {
            (x[0] * x[0] - x[1] * 3.0).abs()
        }
    }

    #[test]
    fn beside_a_kink_lie_both_of_its_slopes_and_elsewhere_the_slope_alone() {
        // max(x², 3y) at x = 3, y = 3: 0 or 2x, 3 or 0.
        let sides = [0, 1].map(|i| Hinge.beside(&[3.0, 3.0], i).unwrap());
        for (found, want) in sides.iter().flatten().zip([0.0, 6.0, 0.0, 3.0]) {
            assert!((found - want).abs() < 1e-6, "{sides:?}");
        }
        let [least, most] = Hinge.beside(&[4.0, 3.0], 0).unwrap();
        assert!((least - 8.0).abs() < 1e-6 && (most - 8.0).abs() < 1e-6);
        assert!(Hinge.beside(&[f64::NAN, 3.0], 0).is_none());
    }

    #[test]
    fn nan_passes_through_every_choice() {
        let n = f64::NAN;
        for v in [
            max(n, 1.0),
            max(1.0, n),
            min(n, 1.0),
            min(1.0, n),
            at_least(n, 0.0),
            at_most(n, 0.0),
            absolute(n),
            sigmoid(n),
        ] {
            assert!(v.is_nan());
        }
    }

    #[test]
    fn a_clamp_passes_the_derivative_at_its_limit_and_stops_it_beyond() {
        let at = |x: f64| at_least(Dual64::new(x, 1.0), 0.0);
        assert_eq!([at(-1.0).eps, at(0.0).eps, at(1.0).eps], [0.0, 1.0, 1.0]);
        let top = |x: f64| at_most(Dual64::new(x, 1.0), 0.0);
        assert_eq!([top(-1.0).eps, top(0.0).eps, top(1.0).eps], [1.0, 1.0, 0.0]);
    }

    #[test]
    fn the_absolute_value_has_no_derivative_at_zero_and_no_negative_zero() {
        let at = |x: f64| absolute(Dual64::new(x, 1.0));
        assert_eq!([at(-2.0).eps, at(0.0).eps, at(3.0).eps], [-1.0, 0.0, 1.0]);
        assert!(absolute(-0.0f64).is_sign_positive());
    }

    #[test]
    fn exponentials_do_not_overflow() {
        assert_eq!((sigmoid(1e4), sigmoid(-1e4)), (1.0, 0.0));
        assert_eq!((softplus(1e4), softplus(-1e4)), (1e4, 0.0));
        assert_eq!(log_sum_exp(&[1e4, 1e4]), 1e4 + 2f64.ln());
        assert_eq!(log_sum_exp::<f64>(&[]), f64::NEG_INFINITY);
    }
}
