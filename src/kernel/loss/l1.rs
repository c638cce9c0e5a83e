//! l1: how far is a number from a target?
//!
//! Convention: |x − q| for one element; at 0 the derivative is 0, as in PyTorch.

use crate::kernel::Family;
use crate::kernel::number::{Function, Number, nearest};

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "l1",
    paper: "PyTorch",
    what: "absolute error",
    kinks: "equal numbers",
};

#[derive(Clone, Copy, Debug)]
pub struct L1 {
    pub target: f64,
}

impl Function for L1 {
    fn at<D: Number>(&self, x: &[D]) -> D {
        (x[0] - self.target).abs()
    }

    fn kink(&self, x: &[f64]) -> f64 {
        nearest([x[0] - self.target])
    }
}
