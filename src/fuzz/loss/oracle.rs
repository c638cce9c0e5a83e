//! oracle: does the candidate say what the reference says of a case, value and gradient?
//!
//! Numbers are held against each other as those of the built-in kernels are (`kernel::oracle`). Where both say NaN the case lies outside what
//! either computes, and so do gradients of what is not finite: they are counted and not compared.

use super::beside::Beside;
use super::floors::Floors;
use super::wrong::{Judged, WrongLoss};
use crate::fuzz::kernel::oracle::{self, Bound};
use crate::fuzz::kernel::response::Response;
use crate::fuzz::kernel::rounding::Of;
use crate::fuzz::kernel::wrong_number::{Judged as Numbers, WrongNumber};
use crate::subject::kernels::draw::Case;
use crate::tensor::Tensor;
use std::cell::Cell;
use std::collections::BTreeSet;

/// What holds two answers to a case against each other.
pub struct Oracle<'a> {
    pub case: &'a Case,
    pub reference: &'a Response,
    pub candidate: &'a Response,
}

impl Oracle<'_> {
    /// The first number that is wrong, and what was counted.
    pub fn judge(&self, floors: &Floors, beside: &Beside) -> Judged {
        let mut out = Numbers::default();
        let values = self.reference.tensors.iter();
        let wrong = values
            .map(|(name, expected)| {
                (
                    Of::Value(name),
                    Some(expected),
                    self.candidate.tensors.get(name),
                )
            })
            .find_map(|(of, expected, found)| {
                self.held(of, expected, found, floors, beside, &mut out)
            });
        let wrong = wrong.or_else(|| {
            let mut gradients = self.gradients().into_iter();
            gradients.find_map(|(of, by, expected, found)| {
                self.held(
                    Of::Gradient(of, by),
                    expected,
                    found,
                    floors,
                    beside,
                    &mut out,
                )
            })
        });
        Judged {
            compared: out.compared,
            kinks: out.kinks,
            beyond: out.beyond,
            outside: out.outside,
            special: out.outside > 0,
            wrong: wrong.map(|number| WrongLoss::of(number, self.case)),
            ..Judged::default()
        }
    }

    /// Every gradient that either has: of which output, by which input.
    fn gradients(&self) -> Vec<(&str, &str, Option<&Tensor>, Option<&Tensor>)> {
        let [a, b] = [self.reference, self.candidate].map(|r| r.gradients.as_ref());
        let (Some(a), Some(b)) = (a, b) else {
            return vec![];
        };
        let pairs: BTreeSet<_> = a.keys().chain(b.keys()).collect();
        pairs
            .into_iter()
            .map(|pair| {
                let [a, b] = [a, b].map(|all| all.get(pair).and_then(Option::as_ref));
                (pair.0.as_str(), pair.1.as_str(), a, b)
            })
            .collect()
    }

    /// One tensor; a gradient that no path leads to is 0.
    fn held(
        &self,
        of: Of,
        expected: Option<&Tensor>,
        found: Option<&Tensor>,
        floors: &Floors,
        beside: &Beside,
        out: &mut Numbers,
    ) -> Option<WrongNumber> {
        let zeros = |like: &Tensor| Tensor::from_vec(like.shape(), vec![0.0; like.numel()]);
        let (expected, found) = match (expected, found) {
            (None, None) => return None,
            (Some(e), Some(f)) => (e.clone(), f.clone()),
            (Some(e), None) => (e.clone(), zeros(e)),
            (None, Some(f)) => (zeros(f), f.clone()),
        };
        if let Of::Gradient(of, _) = of
            && !self.is_finite(of)
        {
            out.outside += expected.numel();
            return None;
        }
        let (e, excused) = (expected.to_f64(), Cell::new(0));
        let rows = oracle::rows(self.case, &expected);
        let excuses = |i: usize, found: f64, more: f64| match of {
            Of::Gradient(of, by) if e[i].is_finite() => {
                let is = beside.excuses(of, by, i, found, more);
                excused.set(excused.get() + usize::from(is));
                is
            }
            Of::Value(_) | Of::Gradient(..) => false,
        };
        let bound = Bound {
            // A loss is taken as a number of order 1, and so is what cancels in its gradient, however large the input.
            unit: &|_| 1.0,
            rows,
            allowed: floors.allowed(of, &expected),
            excuses: &excuses,
        };
        let wrong = oracle::tensor(&what(of), &expected, &found, &bound, out);
        let both = |(a, b): (&f64, f64)| a.is_nan() && b.is_nan();
        let outside = e.iter().zip(found.to_f64()).filter(|p| both(*p)).count();
        out.kinks += excused.get();
        out.outside += outside;
        out.compared = out.compared.saturating_sub(outside + excused.get());
        wrong
    }

    fn is_finite(&self, output: &str) -> bool {
        let value = self.reference.tensors.get(output);
        value.is_none_or(|t| t.to_f64().iter().all(|v| v.is_finite()))
    }
}

fn what(of: Of) -> String {
    match of {
        Of::Value(name) => format!("value '{name}'"),
        Of::Gradient(of, by) => format!("gradient of '{of}' by '{by}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a loss of 1 by the one input `x`, where the slope is `expected` and the candidate's is `found`.
    fn judged(x: f64, [expected, found]: [f64; 2]) -> Judged {
        let real = |v: f64| Tensor::from_vec(&[1], vec![v]);
        let said = |slope: f64| Response {
            tensors: [("loss".to_string(), real(1.0))].into(),
            gradients: Some([(("loss".into(), "x".into()), Some(real(slope)))].into()),
        };
        let inputs = [("x".to_string(), real(x))].into_iter().collect();
        let case = Case {
            inputs,
            ..Case::default()
        };
        let oracle = Oracle {
            case: &case,
            reference: &said(expected),
            candidate: &said(found),
        };
        oracle.judge(&Floors::new(false), &Beside::default())
    }

    #[test]
    fn a_gradient_is_compared_at_0_and_may_have_lost_what_cancels_however_large_the_input() {
        assert!(judged(0.0, [0.5, 0.6]).wrong.is_some());
        // The weight of a saturated class less 1.
        assert_eq!(
            judged(16384.0, [-8.152e-9, -8.152e-9 + 1.1e-16]).wrong,
            None
        );
        assert!(judged(16384.0, [-8.152e-9, -8.252e-9]).wrong.is_some());
    }

    #[test]
    fn what_neither_computes_is_counted_and_what_one_does_not_is_wrong() {
        let judged = |slopes| judged(1.0, slopes);
        let neither = judged([f64::NAN, f64::NAN]);
        assert_eq!((neither.compared, neither.outside), (1, 1));
        assert!(neither.wrong.is_none());
        for slopes in [[f64::NAN, 1.0], [1.0, f64::NAN], [f64::INFINITY, 1.0]] {
            assert!(judged(slopes).wrong.is_some(), "{slopes:?}");
        }
    }
}
