//! naive: the definition of every metric, one element at a time; what the fused pass must reproduce.

use super::metrics::{Channels, Extreme, Metrics, Specials};
use super::number::Number;
use super::special::{Cell, Class, class, judge};

/// The metrics of two slices of the same shape.
pub fn metrics<T: Number>(
    reference: &[T],
    candidate: &[T],
    shape: &[usize],
    axis: Option<usize>,
) -> Metrics {
    let pairs = || reference.iter().copied().zip(candidate.iter().copied());
    let all: Vec<(usize, T, T)> = pairs().enumerate().map(|(i, (r, c))| (i, r, c)).collect();
    let finite: Vec<_> = all
        .iter()
        .copied()
        .filter(|(_, r, c)| !r.is_special() && !c.is_special())
        .collect();
    let sum = |of: &dyn Fn(f64, f64, f64) -> f64| -> f64 {
        finite
            .iter()
            .map(|(_, r, c)| of(r.wide(), c.wide(), c.minus(*r)))
            .sum()
    };
    let n = finite.len().max(1) as f64;
    let (dd, rr, cc) = (
        sum(&|_, _, d| d * d),
        sum(&|r, _, _| r * r),
        sum(&|_, c, _| c * c),
    );
    let mut gaps: Vec<u64> = finite.iter().map(|(_, r, c)| r.gap(*c).into()).collect();
    gaps.sort_unstable();
    Metrics {
        exchanged: None,
        convention: None,
        numel: all.len() as u64,
        finite: finite.len() as u64,
        mismatches: all.iter().filter(|(_, r, c)| differs(*r, *c)).count() as u64,
        specials: specials(&all),
        max_abs: extreme(&finite, |r, c| c.minus(r).abs()),
        max_rel: extreme(&finite, |r, c| {
            if r == c {
                0.0
            } else {
                c.minus(r).abs() / r.wide().abs()
            }
        }),
        mean_abs: sum(&|_, _, d| d.abs()) / n,
        mean: sum(&|_, _, d| d) / n,
        rmse: (dd / n).sqrt(),
        rel_l2: if dd == 0.0 {
            0.0
        } else {
            dd.sqrt() / rr.sqrt()
        },
        cosine: match (rr == 0.0, cc == 0.0) {
            (true, true) => 1.0,
            (false, false) => sum(&|r, c, _| r * c) / (rr.sqrt() * cc.sqrt()),
            _ => 0.0,
        },
        ulp_max: gaps.last().copied().unwrap_or(0),
        ulp_p99: p99_edge(&gaps),
        channels: axis
            .filter(|axis| *axis < shape.len())
            .map(|axis| channels(&finite, shape, axis, all.len())),
    }
}

fn differs<T: Number>(r: T, c: T) -> bool {
    match judge(r, c) {
        Cell::Same | Cell::SignedZero => false,
        Cell::Conflict => true,
        Cell::Arithmetic => r != c,
    }
}

fn specials<T: Number>(all: &[(usize, T, T)]) -> Specials {
    let count =
        |of: &dyn Fn(T, T) -> bool| all.iter().filter(|(_, r, c)| of(*r, *c)).count() as u64;
    let infinite = |x| matches!(class(x), Class::PosInf | Class::NegInf);
    let conflict = |r, c| judge(r, c) == Cell::Conflict;
    Specials {
        nan_reference: count(&|r, _| class(r) == Class::NaN),
        nan_candidate: count(&|_, c| class(c) == Class::NaN),
        inf_reference: count(&|r, _| infinite(r)),
        inf_candidate: count(&|_, c| infinite(c)),
        signed_zero: count(&|r, c| judge(r, c) == Cell::SignedZero),
        conflicts: count(&conflict),
        first_conflict: all
            .iter()
            .find(|(_, r, c)| conflict(*r, *c))
            .map(|(i, r, c)| Extreme::of(f64::NAN, *i, *r, *c)),
    }
}

fn extreme<T: Number>(finite: &[(usize, T, T)], of: impl Fn(T, T) -> f64) -> Extreme {
    let mut best = Extreme::default();
    for (i, r, c) in finite {
        if of(*r, *c) > best.value {
            best = Extreme::of(of(*r, *c), *i, *r, *c);
        }
    }
    best
}

/// The upper edge of the bin of the exact percentile.
fn p99_edge(sorted: &[u64]) -> u64 {
    let Some(exact) = (sorted.len() * 99)
        .div_ceil(100)
        .checked_sub(1)
        .map(|rank| sorted[rank])
    else {
        return 0;
    };
    let mut edge = 0u64;
    while edge < exact {
        edge = 2 * edge + 1;
    }
    edge.min(sorted[sorted.len() - 1])
}

fn channels<T: Number>(
    finite: &[(usize, T, T)],
    shape: &[usize],
    axis: usize,
    numel: usize,
) -> Channels {
    let (mut max, mut sum_sq) = (vec![0f64; shape[axis]], vec![0f64; shape[axis]]);
    for (i, r, c) in finite {
        let channel = crate::tensor::index::unravel(*i, shape)[axis];
        let d = c.minus(*r);
        max[channel] = max[channel].max(d.abs());
        sum_sq[channel] += d * d;
    }
    Channels {
        axis,
        max,
        sum_sq,
        count: numel.checked_div(shape[axis]).unwrap_or(0) as u64,
    }
}
