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
            unit: &|row| self.unit(of, row, rows),
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

    /// A loss is taken as a number of order 1, a gradient as that per unit of the input.
    fn unit(&self, of: Of, row: usize, rows: usize) -> f64 {
        match of {
            Of::Value(_) => 1.0,
            Of::Gradient(_, by) => {
                let sizes = self.case.inputs.get(by).map(|t| oracle::largest(t, rows));
                let size = sizes.map_or(1.0, |sizes| sizes[row]);
                1.0 / size.max(f64::MIN_POSITIVE)
            }
        }
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
