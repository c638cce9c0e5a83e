//! tolerance: the three explicit tolerances that a user can write, and how a pair of tensors stands against one.
//!
//! The table of special values decides first: a conflict fails under every tolerance, equal specials and the two zeros pass
//! under every one. Only two finite numbers are judged by their difference.

use super::number::Number;
use super::special::{self, Cell};
use super::{differing, elements, json};
use crate::tensor::View;
use crate::with_element;
use serde::{Deserialize, Serialize};

/// How far a candidate may be from its reference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Tolerance {
    /// Equal in value.
    Exact,
    /// |candidate − reference| <= atol + rtol · |reference|, in f64.
    Flat { atol: f64, rtol: f64 },
    /// At most so many ULPs; for integers, so large a difference.
    Ulp(u64),
}

/// How a pair of tensors stands against a tolerance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Elements beyond the tolerance; at least 1 where dtype or shape differ.
    pub failing: u64,
    /// Flat index of the first of them; none where dtype or shape differ.
    pub first: Option<usize>,
    /// Largest error over what was allowed there; infinite where nothing was allowed, or nothing could be.
    #[serde(with = "json")]
    pub worst_ratio: f64,
    /// Where some element fails, the smallest tolerance that would have passed: the same with both parts scaled alike,
    /// a flat `atol` alone where no scaling would do, ULPs where exactness was asked. None after a conflict.
    pub smallest_passing: Option<Tolerance>,
}

impl Judged {
    pub fn passes(&self) -> bool {
        self.failing == 0
    }
}

/// Judges every element of `candidate` against `reference`.
///
/// # Panics
/// As [`compare`](super::compare()).
pub fn judge(reference: View<'_>, candidate: View<'_>, tolerance: &Tolerance) -> Judged {
    if differing(&reference, &candidate).is_some() {
        let failing = reference.numel().max(candidate.numel()).max(1) as u64;
        return Judged { failing, first: None, worst_ratio: f64::INFINITY, smallest_passing: None };
    }
    with_element!(reference.dtype, T => elements_against::<T>(elements(&reference), elements(&candidate), *tolerance))
}

/// The worst that was met.
#[derive(Default)]
struct Worst {
    ratio: f64,
    difference: f64,
    ulps: u64,
    conflict: bool,
}

fn elements_against<T: Number>(reference: &[T], candidate: &[T], tolerance: Tolerance) -> Judged {
    let (mut failing, mut first, mut worst) = (0, None, Worst::default());
    for (i, (r, c)) in reference.iter().zip(candidate).enumerate() {
        let passes = match special::judge(*r, *c) {
            Cell::Same | Cell::SignedZero => true,
            Cell::Conflict => worst.conflict(),
            Cell::Arithmetic => worst.number(*r, *c, tolerance),
        };
        if !passes {
            failing += 1;
            first.get_or_insert(i);
        }
    }
    let smallest_passing = if failing == 0 || worst.conflict { None } else { worst.smallest(tolerance) };
    Judged { failing, first, worst_ratio: worst.ratio, smallest_passing }
}

impl Worst {
    fn conflict(&mut self) -> bool {
        self.conflict = true;
        self.ratio = f64::INFINITY;
        false
    }

    /// Whether two finite numbers are within the tolerance.
    fn number<T: Number>(&mut self, r: T, c: T, tolerance: Tolerance) -> bool {
        let (difference, ulps) = (c.minus(r).abs(), r.gap(c).into());
        let (error, allowed) = match tolerance {
            Tolerance::Exact => (difference, 0.0),
            Tolerance::Flat { atol, rtol } => (difference, atol + rtol * r.wide().abs()),
            Tolerance::Ulp(limit) => (ulps as f64, limit as f64),
        };
        self.ratio = self.ratio.max(match (error == 0.0, allowed > 0.0) {
            (true, _) => 0.0,
            (false, true) => error / allowed,
            (false, false) => f64::INFINITY,
        });
        self.difference = self.difference.max(difference);
        self.ulps = self.ulps.max(ulps);
        match tolerance {
            Tolerance::Exact => r == c,
            // Written so that a tolerance that is NaN fails everything.
            Tolerance::Flat { .. } => error <= allowed,
            Tolerance::Ulp(limit) => ulps <= limit,
        }
    }

    fn smallest(&self, tolerance: Tolerance) -> Option<Tolerance> {
        match tolerance {
            Tolerance::Exact | Tolerance::Ulp(_) => Some(Tolerance::Ulp(self.ulps)),
            Tolerance::Flat { atol, rtol } => {
                // The ratio and the products below are rounded: a few parts in 2^53 more make sure that it passes.
                let scale = self.ratio * (1.0 + 8.0 * f64::EPSILON);
                let scaled = Tolerance::Flat { atol: atol * scale, rtol: rtol * scale };
                let alone = Tolerance::Flat { atol: self.difference, rtol: 0.0 };
                if scale.is_finite() { Some(scaled) } else { self.difference.is_finite().then_some(alone) }
            }
        }
    }
}
