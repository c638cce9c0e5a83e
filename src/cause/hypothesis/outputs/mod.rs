//! outputs: hypotheses that are worked out of what a node gives and what it is to give, whatever the node is: scaled, shifted, narrowed, permuted.

mod channels;
mod elements;
mod places;
mod values;

pub use channels::{permuted, scaled_channel};
pub use elements::{dropped, one_infinity, one_nan, one_outlier, saturated};
pub use places::{mirrored, transposed};
pub use values::{narrowed_bf16, narrowed_f16, negated, scaled, shifted};

use super::residual::{Half, Said, residual};
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
        let values: Vec<f64> = self.exact.iter().map(|y| of(*y)).collect();
        let limit = values.iter().zip(self.exact).zip(self.limit);
        let limit = limit.map(|((v, y), b)| grows * b + self.unit() * v.abs().max(y.abs()));
        let limit = limit.collect();
        Said::exactly(values, limit)
    }

    fn explains(&self, said: &Said) -> bool {
        residual(self.observed, said, self.dtype, Half::All).explained()
    }

    /// Elements that are not as expected.
    fn off(&self) -> Vec<usize> {
        let said = Said::exactly(self.exact.to_vec(), self.limit.to_vec());
        let over = |i: &usize| {
            let one = |v: &[f64]| vec![v[*i]];
            let said = Said::exactly(one(&said.low), one(&said.limit));
            !residual(&one(self.observed), &said, self.dtype, Half::All).explained()
        };
        (0..self.exact.len()).filter(over).collect()
    }
}
