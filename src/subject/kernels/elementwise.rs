//! elementwise: classification losses, one number in and one out.

use super::given::Values;
use super::{Answer, Given, Gradient};
use crate::error::Result;
use crate::kernel::loss::bce::{Bce, BceLogits};
use crate::kernel::loss::focal::Focal;
use crate::kernel::loss::quality_focal::QualityFocal;
use crate::kernel::loss::varifocal::Varifocal;
use crate::kernel::number::{Function, KINK};
use crate::tensor::Tensor;
use std::collections::BTreeMap;

pub(super) fn bce(given: &Given) -> Result<Answer> {
    let target = given.real("target", 1)?.values;
    over(given, "p", target.len(), |i| Bce { target: target[i] })
}

pub(super) fn bce_logits(given: &Given) -> Result<Answer> {
    let target = given.real("target", 1)?.values;
    over(given, "x", target.len(), |i| BceLogits {
        target: target[i],
    })
}

pub(super) fn focal(given: &Given) -> Result<Answer> {
    let positive = given.real("positive", 1)?.values;
    over(given, "x", positive.len(), |i| {
        Focal::paper(positive[i] != 0.0)
    })
}

pub(super) fn quality_focal(given: &Given) -> Result<Answer> {
    let quality = given.real("quality", 1)?.values;
    over(given, "x", quality.len(), |i| QualityFocal {
        quality: quality[i],
        beta: 2.0,
    })
}

pub(super) fn varifocal(given: &Given, rule: Varifocal) -> Result<Answer> {
    let (quality, positive) = (given.real("quality", 1)?, given.real("positive", 1)?);
    let n = given.same_rows(&[("quality", &quality.shape), ("positive", &positive.shape)])?;
    over(given, "p", n, |i| {
        rule.at(quality.values[i], positive.values[i] != 0.0)
    })
}

/// One function per element of `by`, of which there must be `n`.
fn over<F: Function>(
    given: &Given,
    by: &'static str,
    n: usize,
    make: impl Fn(usize) -> F,
) -> Result<Answer> {
    let x = given.real(by, 1)?;
    given.same_rows(&[(by, &x.shape), ("the others", &[n])])?;
    Ok(each("loss", (by, &x), 1, make))
}

/// One function per row of `width` values: its value, gradient and kink, and the slopes beside it.
pub(super) fn each<F: Function>(
    of: &'static str,
    (by, x): (&'static str, &Values<f64>),
    width: usize,
    make: impl Fn(usize) -> F,
) -> Answer {
    let (mut values, mut gradient, mut kinks, mut beside) =
        (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
    for (i, row) in x.rows(width).enumerate() {
        let f = make(i);
        values.push(f.value(row));
        gradient.extend(f.gradient(row));
        // Nothing has a slope at infinity.
        let kink = if row.iter().all(|v| v.is_finite()) {
            f.kink(row)
        } else {
            0.0
        };
        if kink <= KINK {
            beside.extend((0..width).map(|j| (i * width + j, f.beside(row, j))));
        }
        kinks.push(kink);
    }
    Answer {
        tensors: BTreeMap::from([(of, Tensor::from_vec(&[values.len()], values))]),
        gradients: vec![Gradient {
            of,
            by,
            value: Tensor::from_vec(&x.shape, gradient),
            beside,
        }],
        kinks,
        assignments: vec![],
    }
}
