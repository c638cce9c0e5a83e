//! residual: how far what a side gave is from what a hypothesis says it gives, element by element, in units of what rounding allows there.

use crate::hash::bits;
use crate::tensor::DType;

/// What a hypothesis says a tensor is: every element from `low` to `high`, and by how much rounding may leave that. A limit of 0 asks for equal bits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub low: Vec<f64>,
    pub high: Vec<f64>,
    pub limit: Vec<f64>,
}

impl Said {
    /// One value for each element.
    pub fn exactly(values: Vec<f64>, limit: Vec<f64>) -> Self {
        let high = values.clone();
        Self {
            low: values,
            high,
            limit,
        }
    }
}

/// Elements that are looked at: a number is fitted on one half and tried on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    All,
    Fit,
    Held,
}

impl Half {
    /// Which half an element is in follows from its place alone, and from no pattern of rows or channels.
    pub fn takes(self, i: usize) -> bool {
        let fitted = || bits(0, i as u64) >> 63 == 0;
        match self {
            Self::All => true,
            Self::Fit => fitted(),
            Self::Held => !fitted(),
        }
    }
}

/// Elements of the first look: what is not explained on some is not on all.
const FIRST: usize = 1 << 12;

/// Places of the first look at `many` elements, each drawn from its own stretch of them.
pub fn first(many: usize) -> impl Iterator<Item = usize> {
    let looks = many.min(FIRST);
    (0..looks).map(move |k| {
        let draw = bits(1, k as u64);
        drawn(draw, (k, looks), many)
    })
}

/// A place of stretch `k` of `of` that `many` places are cut into.
pub fn drawn(draw: u64, (k, of): (usize, usize), many: usize) -> usize {
    let (start, end) = (k * many / of, (k + 1) * many / of);
    start + (draw % (end - start).max(1) as u64) as usize
}

/// What is left.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Residual {
    /// The largest |observed − said| / limit.
    pub ratio: f64,
    /// Elements beyond the limit, of those that were looked at.
    pub over: usize,
    pub of: usize,
}

impl Residual {
    /// Nothing is as it is said.
    pub fn unlike(of: usize) -> Self {
        Self {
            ratio: f64::INFINITY,
            over: of,
            of,
        }
    }

    pub fn explained(&self) -> bool {
        self.ratio <= 1.0
    }

    /// That of two tensors together.
    pub fn with(self, other: Self) -> Self {
        Self {
            ratio: self.ratio.max(other.ratio),
            over: self.over + other.over,
            of: self.of + other.of,
        }
    }
}

/// How far `observed`, which is of `dtype`, is from what is said of it.
pub fn residual(observed: &[f64], said: &Said, dtype: DType, half: Half) -> Residual {
    let of = |i: usize| ((said.low[i], said.high[i]), said.limit[i]);
    held(observed, of, dtype, half)
}

/// The same where `said` tells of each element between what it is, and by how much rounding may leave that.
pub fn held(
    observed: &[f64],
    said: impl Fn(usize) -> ((f64, f64), f64),
    dtype: DType,
    half: Half,
) -> Residual {
    let mut left = Residual::default();
    for i in (0..observed.len()).filter(|i| half.takes(*i)) {
        let (between, limit) = said(i);
        let ratio = element(observed[i], between, limit, dtype);
        left.ratio = left.ratio.max(ratio);
        left.over += usize::from(ratio > 1.0);
        left.of += 1;
    }
    left
}

/// That of one element.
pub fn element(observed: f64, (low, high): (f64, f64), limit: f64, dtype: DType) -> f64 {
    let [bottom, top] = [low, high].map(|v| dtype.round(v));
    let same = observed == bottom || observed.is_nan() && low.is_nan();
    if same || (bottom..=top).contains(&observed) {
        return 0.0;
    }
    let beyond = (low - observed).max(observed - high);
    let is_large = low.is_finite() && low.abs() + limit > dtype.largest();
    let may_overflow = is_large && observed.is_infinite() && observed.signum() == low.signum();
    match (limit > 0.0 && beyond.is_finite(), may_overflow) {
        (true, _) => beyond / limit,
        (false, true) => 0.0,
        (false, false) => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_explained_within_its_limit_its_interval_or_its_class_and_else_is_not() {
        let nan = f64::NAN;
        let inf = f64::INFINITY;
        for (observed, said, limit, want) in [
            (1.0, (1.0, 1.0), 0.0, 0.0),
            (1.5, (1.0, 1.0), 0.25, 2.0),
            (1.5, (1.0, 1.0), 0.0, inf),
            (1.5, (1.0, 2.0), 0.0, 0.0),
            (2.5, (1.0, 2.0), 0.25, 2.0),
            (nan, (nan, nan), 1.0, 0.0),
            (nan, (1.0, 1.0), 1.0, inf),
            (1.0, (nan, nan), 1.0, inf),
            (inf, (1.0, 1.0), 1.0, inf),
            (inf, (inf, inf), 1.0, 0.0),
            (inf, (3.4e38, 3.4e38), 1e38, 0.0),
            (-inf, (inf, inf), 1.0, inf),
        ] {
            let got = element(observed, said, limit, DType::F32);
            assert_eq!(got, want, "{observed} of {said:?} within {limit}");
        }
    }

    #[test]
    fn the_first_look_takes_each_place_once_in_order_and_all_where_these_are_few() {
        assert_eq!(first(0).count(), 0);
        assert!(first(FIRST).eq(0..FIRST));
        let many = Vec::from_iter(first(5 * FIRST + 3));
        assert!(many.len() == FIRST && many.is_sorted_by(|a, b| a < b));
        assert!(many.last().is_some_and(|i| *i < 5 * FIRST + 3));
    }

    #[test]
    fn the_halves_share_nothing_and_each_has_about_half_of_every_row() {
        for stride in [1, 2, 7, 64] {
            let taken = |half: Half| (0..4096).step_by(stride).filter(|i| half.takes(*i)).count();
            let (fit, held, all) = (taken(Half::Fit), taken(Half::Held), taken(Half::All));
            assert_eq!(fit + held, all);
            assert!(fit.abs_diff(held) * 5 < all, "{stride}: {fit} and {held}");
        }
    }
}
