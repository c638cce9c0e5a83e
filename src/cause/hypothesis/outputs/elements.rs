//! elements: single elements of the output changed: one of them, those that were dropped, those beyond a limit.

use super::super::residual::{Half, Said};
use super::super::solve::snapped;
use super::{Given, Made};
use crate::tensor::index::unravel;

/// The only element that is off, where `is` says so of what is observed there.
fn one(given: &Given, is: impl Fn(f64) -> bool, numbers: usize) -> Option<Made> {
    let off = given.off();
    let [at] = off[..] else { return None };
    let value = Some(given.observed[at]).filter(|v| is(*v) && given.exact[at].is_finite())?;
    let mut said = Said::exactly(given.exact.to_vec(), given.limit.to_vec());
    (said.low[at], said.high[at]) = (value, value);
    Some(Made {
        said,
        numbers,
        amount: Some(at as f64),
        says: format!(
            "one element, {:?}, is {value}, and every other is right",
            unravel(at, given.shape)
        ),
        local: true,
    })
}

pub fn one_nan(given: &Given) -> Option<Made> {
    one(given, f64::is_nan, 0)
}

pub fn one_infinity(given: &Given) -> Option<Made> {
    one(given, f64::is_infinite, 0)
}

pub fn one_outlier(given: &Given) -> Option<Made> {
    one(given, f64::is_finite, 2)
}

/// Every element 0 or as many times too large as elements are 0 too often.
pub fn dropped(given: &Given) -> Option<Made> {
    let live = |i: &usize| given.exact[*i].abs() > given.limit[*i];
    let kept = |i: &usize| live(i) && given.observed[*i] != 0.0;
    let all: Vec<usize> = (0..given.exact.len()).filter(live).collect();
    let mut factors: Vec<f64> = all
        .iter()
        .copied()
        .filter(|i| kept(i) && Half::Fit.takes(*i))
        .map(|i| given.observed[i] / given.exact[i])
        .collect();
    factors.sort_by(f64::total_cmp);
    let factor = factors
        .get(factors.len() / 2)
        .copied()
        .filter(|f| *f > 1.0)?;
    let (n, zeros) = (
        all.len() as f64,
        all.iter().filter(|i| !kept(i)).count() as f64,
    );
    let p = 1.0 - 1.0 / factor;
    // Four deviations of as many draws.
    let drawn = zeros > 1.0 && (zeros - n * p).abs() <= 4.0 * (n * p * (1.0 - p)).sqrt();
    if !drawn {
        return None;
    }
    let said = |factor: f64| {
        let mut said = given.each(|y| factor * y, factor);
        for i in (0..given.exact.len()).filter(|i| given.observed[*i] == 0.0) {
            (said.low[i], said.high[i]) = (0.0, 0.0);
        }
        said
    };
    let factor = snapped(factor, &|a| given.explains(&said(a)))?;
    Some(Made {
        said: said(factor),
        numbers: 1,
        amount: Some(1.0 - 1.0 / factor),
        says: format!(
            "{zeros} of {n} elements are 0, and the others are {factor} times what they are to be"
        ),
        local: false,
    })
}

/// Nothing beyond the largest that is seen, though it is to be.
pub fn saturated(given: &Given) -> Option<Made> {
    let fitted = (0..given.exact.len()).filter(|i| Half::Fit.takes(*i));
    let most = fitted
        .map(|i| given.observed[i])
        .filter(|v| v.is_finite())
        .fold(f64::NEG_INFINITY, f64::max);
    let cut = given.exact.iter().filter(|y| **y > most).count();
    (most.is_finite() && cut > 1).then(|| Made {
        said: given.each(|y| y.min(most), 1.0),
        numbers: 1,
        amount: Some(most),
        says: format!("the output stops at {most}"),
        local: false,
    })
}
