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
    /// Error / tolerance: at most 1 exactly where everything passes. The ratio itself is rounded; the count of failing elements decides.
    pub fn ratio(&self) -> f64 {
        match self.failing {
            0 => self.worst_ratio.min(1.0),
            _ => self.worst_ratio.max(1.0 + f64::EPSILON),
        }
    }

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
        return Judged {
            failing,
            first: None,
            worst_ratio: f64::INFINITY,
            smallest_passing: None,
        };
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
    let smallest_passing = if failing == 0 || worst.conflict {
        None
    } else {
        worst.smallest(tolerance)
    };
    Judged {
        failing,
        first,
        worst_ratio: worst.ratio,
        smallest_passing,
    }
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
                let scaled = Tolerance::Flat {
                    atol: atol * scale,
                    rtol: rtol * scale,
                };
                let alone = Tolerance::Flat {
                    atol: self.difference,
                    rtol: 0.0,
                };
                if scale.is_finite() {
                    Some(scaled)
                } else {
                    self.difference.is_finite().then_some(alone)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Element, Tensor};
    use Tolerance::*;
    use proptest::prelude::*;

    fn judged<T: Element>(reference: &[T], candidate: &[T], tolerance: Tolerance) -> Judged {
        let (r, c) = (
            Tensor::of(&[reference.len()], reference),
            Tensor::of(&[candidate.len()], candidate),
        );
        judge(r.view(), c.view(), &tolerance)
    }

    /// `want` is (failing, first, worst ratio, smallest tolerance that would have passed).
    fn check<T: Element>(
        name: &str,
        r: &[T],
        c: &[T],
        tolerance: Tolerance,
        want: (u64, Option<usize>, f64, Option<Tolerance>),
    ) {
        let got = judged(r, c, tolerance);
        assert_eq!(
            (
                got.failing,
                got.first,
                got.worst_ratio,
                got.smallest_passing
            ),
            want,
            "{name}"
        );
        assert_eq!(
            (got.passes(), got.ratio() <= 1.0),
            (want.0 == 0, want.0 == 0),
            "{name}: {}",
            got.ratio()
        );
        if let Some(smallest) = got.smallest_passing {
            assert!(
                judged(r, c, smallest).passes(),
                "{name}: {smallest:?} does not pass"
            );
        }
    }

    #[test]
    fn tolerances_forgive_numbers_and_never_conflicts() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        let all = Flat {
            atol: f64::INFINITY,
            rtol: f64::INFINITY,
        };
        let pass = (0, None, 0.0, None);
        let conflict = (1, Some(0), f64::INFINITY, None);
        check("equal", &[1f32], &[1.0], Exact, pass);
        check(
            "zeros of two signs are equal",
            &[0f32],
            &[-0.0],
            Exact,
            pass,
        );
        check("NaN agrees with NaN", &[nan], &[nan], Exact, pass);
        check(
            "an infinity agrees with itself",
            &[inf],
            &[inf],
            Ulp(0),
            pass,
        );
        check(
            "NaN against a number, all allowed",
            &[nan],
            &[1.0],
            all,
            conflict,
        );
        check(
            "a number against NaN, all allowed",
            &[1.0],
            &[nan],
            all,
            conflict,
        );
        check(
            "1 against infinity, all allowed",
            &[1.0],
            &[inf],
            all,
            conflict,
        );
        check(
            "-infinity against infinity, all allowed",
            &[-inf],
            &[inf],
            all,
            conflict,
        );
        check(
            "infinity against the largest number in ulps",
            &[inf],
            &[f32::MAX],
            Ulp(u64::MAX),
            conflict,
        );
    }

    #[test]
    fn a_failure_names_the_smallest_tolerance_that_would_have_passed() {
        let flat = |atol, rtol| Flat { atol, rtol };
        let inf = f64::INFINITY;
        let up = 1.0 + 8.0 * f64::EPSILON;
        check(
            "on the edge",
            &[1f64, 2.0],
            &[1.5, 2.0],
            flat(0.5, 0.0),
            (0, None, 1.0, None),
        );
        check(
            "half allowed",
            &[1f64, 2.0],
            &[1.0, 3.0],
            flat(0.5, 0.0),
            (1, Some(1), 2.0, Some(flat(up, 0.0))),
        );
        check(
            "relative to the reference",
            &[4f64],
            &[6.0],
            flat(0.0, 0.25),
            (1, Some(0), 2.0, Some(flat(0.0, 0.5 * up))),
        );
        check(
            "nothing allowed at a zero",
            &[0f64, 1.0],
            &[0.5, 1.0],
            flat(0.0, 0.25),
            (1, Some(0), inf, Some(flat(0.5, 0.0))),
        );
        check(
            "exactness asked",
            &[1f32, 1.0],
            &[1.0, 1f32.next_up()],
            Exact,
            (1, Some(1), inf, Some(Ulp(1))),
        );
        check(
            "ulps asked",
            &[1f32, 1.0],
            &[1f32.next_up(), 1.0 + 6.0 * f32::EPSILON],
            Ulp(3),
            (1, Some(1), 2.0, Some(Ulp(6))),
        );
        check(
            "integers beyond 2^53",
            &[1i64 << 53],
            &[(1 << 53) + 1],
            flat(0.5, 0.0),
            (1, Some(0), 2.0, Some(flat(up, 0.0))),
        );
        let (near, far) = (f64::from_bits(1), f64::from_bits((1 << 53) + 2));
        check(
            "ulps that f64 rounds to what is allowed",
            &[near],
            &[far],
            Ulp(1 << 53),
            (1, Some(0), 1.0, Some(Ulp((1 << 53) + 1))),
        );
        check(
            "integers in steps",
            &[3u8, 0],
            &[5, 255],
            Ulp(2),
            (1, Some(1), 127.5, Some(Ulp(255))),
        );
        check(
            "booleans",
            &[0u8, 1],
            &[1, 1],
            Exact,
            (1, Some(0), inf, Some(Ulp(1))),
        );
    }

    #[test]
    fn a_tolerance_that_is_no_number_forgives_nothing() {
        for (atol, rtol) in [(f64::NAN, 0.0), (-1.0, 0.0), (-0.0, -0.0)] {
            let got = judged(&[1f32, 1.0], &[1.0, 1.5], Flat { atol, rtol });
            assert_eq!(
                (got.passes(), got.worst_ratio),
                (false, f64::INFINITY),
                "{atol} {rtol}"
            );
        }
    }

    #[test]
    fn other_attributes_fail_even_without_elements() {
        let (a, b) = (
            Tensor::of::<f32>(&[0], &[]),
            Tensor::of::<f32>(&[0, 2], &[]),
        );
        let got = judge(a.view(), b.view(), &Exact);
        assert_eq!(
            (got.failing, got.first, got.smallest_passing),
            (1, None, None)
        );
    }

    proptest! {
        #[test]
        fn the_smallest_passing_tolerance_passes_and_a_little_less_does_not(
            pairs in prop::collection::vec((-1e3f32..1e3, -1e3f32..1e3), 1..50), atol in 1e-6f64..1.0, rtol in 1e-6f64..1.0,
        ) {
            let (r, c): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            if let Some(Flat { atol, rtol }) = judged(&r, &c, Flat { atol, rtol }).smallest_passing {
                let scaled = |by: f64| judged(&r, &c, Flat { atol: atol * by, rtol: rtol * by });
                prop_assert!(scaled(1.0).passes() && !scaled(1.0 - 1e-12).passes());
            }
        }
    }
}
