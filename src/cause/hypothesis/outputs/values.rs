//! values: every value of the output changed in one way: by a factor, a summand, a sign, a rounding.

use super::super::residual::Said;
use super::super::solve::snapped;
use super::{Given, Made};
use crate::tensor::DType;

pub fn scaled(given: &Given) -> Option<Made> {
    let factor = given.sum(|c, y| c * y) / given.sum(|_, y| y * y);
    let said = |a: f64| given.each(|y| a * y, a.abs());
    let factor = snapped(factor, &|a| given.is_each(|y| a * y, a.abs()))?;
    Some(Made {
        said: said(factor),
        numbers: 1,
        amount: Some(factor),
        says: format!("the output is {factor} times what it is to be"),
        local: false,
    })
}

pub fn shifted(given: &Given) -> Option<Made> {
    let summand = given.sum(|c, y| c - y) / given.sum(|_, _| 1.0);
    let said = |a: f64| given.each(|y| y + a, 1.0);
    let summand = snapped(summand, &|a| given.is_each(|y| y + a, 1.0))?;
    Some(Made {
        said: said(summand),
        numbers: 1,
        amount: Some(summand),
        says: format!("{summand} is added to the output"),
        local: false,
    })
}

pub fn negated(given: &Given) -> Option<Made> {
    Some(Made {
        said: given.each(|y| -y, 1.0),
        says: "the output has the other sign".into(),
        ..Made::default()
    })
}

/// Rounding decides by which side of the middle a value is: what may be on either side may be either.
fn narrowed(given: &Given, to: DType) -> Option<Made> {
    // An interval is no evidence that what lies in it was rounded.
    let rounded = given.observed.iter();
    let mut rounded = rounded.map(|v| v.is_nan() || to.round(*v) == *v);
    if !rounded.all(|it_is| it_is) {
        return None;
    }
    let at = |sign: f64| {
        let all = given.exact.iter().zip(given.limit);
        all.map(|(y, b)| to.round(y + sign * b)).collect()
    };
    let said = Said {
        low: at(-1.0),
        high: at(1.0),
        limit: vec![0.0; given.exact.len()],
    };
    Some(Made {
        said,
        says: format!("the output is rounded to {}", to.name()),
        ..Made::default()
    })
}

pub fn narrowed_bf16(given: &Given) -> Option<Made> {
    narrowed(given, DType::BF16)
}

pub fn narrowed_f16(given: &Given) -> Option<Made> {
    narrowed(given, DType::F16)
}
