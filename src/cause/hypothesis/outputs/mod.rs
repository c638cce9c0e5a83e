//! outputs: hypotheses that are worked out of what a node gives and what it is to give, whatever the node is: scaled, shifted, narrowed, permuted.

mod channels;
mod elements;
mod places;
mod values;

pub use channels::{permuted, scaled_channel};
pub use elements::{dropped, one_infinity, one_nan, one_outlier, saturated};
pub use places::{mirrored, transposed};
pub use values::{narrowed_bf16, narrowed_f16, negated, scaled, shifted};

use super::residual::{Half, Said, element, first, residual};
use crate::tensor::DType;

/// What a side gave where `exact` is expected within `limit`.
pub struct Given<'a> {
    pub observed: &'a [f64],
    pub exact: &'a [f64],
    pub limit: &'a [f64],
    pub shape: &'a [usize],
    /// The shape of what is expected.
    pub from: &'a [usize],
    pub dtype: DType,
}

/// What a hypothesis makes of what is expected.
#[derive(Default)]
pub struct Made {
    pub said: Said,
    /// How many numbers were fitted.
    pub numbers: usize,
    pub amount: Option<f64>,
    /// As a sentence without a subject.
    pub says: String,
    /// It speaks of one element, and of all others that they are right: there is nothing to try it on but those.
    pub local: bool,
}

pub type Transform = fn(&Given) -> Option<Made>;

impl Given<'_> {
    fn unit(&self) -> f64 {
        4.0 * self.dtype.unit_roundoff()
    }

    /// Σ of `of` over the half that is fitted, each element by what is known of it.
    fn sum(&self, of: impl Fn(f64, f64) -> f64) -> f64 {
        let weight = |i: usize| match self.limit[i] > 0.0 {
            true => 1.0 / (self.limit[i] * self.limit[i]),
            false => 1.0,
        };
        let term = |i: usize| weight(i) * of(self.observed[i], self.exact[i]);
        let all = (0..self.exact.len()).filter(|i| Half::Fit.takes(*i));
        all.map(term).filter(|v| v.is_finite()).sum()
    }

    /// What comes of each element by an operation that rounds once more.
    fn each(&self, of: impl Fn(f64) -> f64, grows: f64) -> Said {
        let (values, limit) = (0..self.exact.len())
            .map(|i| self.grown(i, of(self.exact[i]), grows))
            .unzip();
        Said::exactly(values, limit)
    }

    /// Element `i` after an operation that makes `value` of it and rounds once more.
    fn grown(&self, i: usize, value: f64, grows: f64) -> (f64, f64) {
        let largest = value.abs().max(self.exact[i].abs());
        (value, grows * self.limit[i] + self.unit() * largest)
    }

    /// Whether what `of` says of an element, a value and how far it may be off, explains those of the first look.
    fn may(&self, of: impl Fn(usize) -> (f64, f64)) -> bool {
        first(self.observed.len()).all(|i| {
            let (value, limit) = of(i);
            element(self.observed[i], (value, value), limit, self.dtype) <= 1.0
        })
    }

    fn explains(&self, said: &Said) -> bool {
        residual(self.observed, said, self.dtype, Half::All).explained()
    }

    /// Whether every element is `of` what it is to be, by an operation that rounds once more.
    fn is_each(&self, of: impl Fn(f64) -> f64 + Copy, grows: f64) -> bool {
        self.may(|i| self.grown(i, of(self.exact[i]), grows))
            && self.explains(&self.each(of, grows))
    }

    /// Elements that are not as expected.
    fn off(&self) -> Vec<usize> {
        let over = |i: &usize| {
            let value = (self.exact[*i], self.exact[*i]);
            element(self.observed[*i], value, self.limit[*i], self.dtype) > 1.0
        };
        (0..self.exact.len()).filter(over).collect()
    }
}
