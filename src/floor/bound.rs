//! bound: each side of one node against the f64 shadow, element by element: |side − shadow| ≤ B = max(β, γ·√K)·u·S.
//!
//! A side that is not finite is judged by its class (NaN, +inf, −inf) against the other side and against the shadow rounded to
//! the dtype; no arithmetic is done on it. Where S is more than the dtype holds, a sum may overflow on its way or not, as its order will
//! have it: such an element is counted and not judged, and so is one whose S is infinite, which says that nothing bounds it.

use super::family::{self, Family};
use crate::compare::{Number, json};
use crate::tensor::{DType, Tensor, View};
use crate::with_element;
use serde::{Deserialize, Serialize};

/// The bound of one output.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// S in f64, one value per element.
    pub scale: &'a [f64],
    /// max(β, γ·√K)·u.
    pub factor: f64,
    /// What underflow may add: K smallest subnormals.
    pub tiny: f64,
    /// What the dtype holds.
    pub largest: f64,
    /// Whether more than one rounding leads to the result, so that it may overflow on the way.
    pub summed: bool,
}

impl<'a> Bound<'a> {
    /// The bound of a sum of `terms` computed in `dtype`; None where `scale` is not f64.
    pub fn of(family: Family, terms: usize, scale: &'a Tensor, dtype: DType) -> Option<Self> {
        let factor = family::bound(family, terms, dtype.unit_roundoff());
        let summed = terms > 1 || !matches!(family, Family::Arithmetic | Family::Transcendental);
        Some(Self {
            scale: scale.values::<f64>()?,
            factor,
            tiny: terms as f64 * dtype.tiny(),
            largest: dtype.largest(),
            summed,
        })
    }

    /// Whether a correct engine may overflow at an element with this S, shadow and bound; a single rounding only next to the largest number.
    fn may_overflow(&self, scale: f64, shadow: f64, b: f64) -> bool {
        let on_its_way = if self.summed {
            scale + b > self.largest
        } else {
            (shadow.abs() - self.largest).abs() <= b
        };
        shadow.is_finite() && (on_its_way || !b.is_finite())
    }
}

/// How both sides of one node stand against their bound.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounded {
    /// Largest |reference − shadow| / B; infinite where the classes differ.
    #[serde(with = "json")]
    pub reference: f64,
    /// Largest |candidate − shadow| / B.
    #[serde(with = "json")]
    pub candidate: f64,
    /// Elements at which a side is over its bound.
    pub failing: u64,
    /// Elements at which something that is more than the dtype holds became infinite or NaN, on either side.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub overflowed: u64,
    /// The element that is furthest over its bound (or nearest to it).
    pub worst: Worst,
    /// Smallest relative change of one channel that is sure to fail here; None where every channel is zero.
    pub limit: Option<DetectionLimit>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// The element on which a judgement rests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// |side − shadow| / B of the side that is further off.
    #[serde(with = "json")]
    pub ratio: f64,
    pub index: usize,
    #[serde(with = "json")]
    pub reference: f64,
    #[serde(with = "json")]
    pub candidate: f64,
    #[serde(with = "json")]
    pub shadow: f64,
    #[serde(with = "json")]
    pub bound: f64,
}

/// The detection limit over the channels of a tensor, as factors minus one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectionLimit {
    #[serde(with = "json")]
    pub best: f64,
    #[serde(with = "json")]
    pub median: f64,
    #[serde(with = "json")]
    pub worst: f64,
}

/// Judges one output; `axis` is the channel axis for the detection limit. The shadow must be f64 and of the same shape.
pub fn judge(
    reference: View,
    candidate: View,
    shadow: &Tensor,
    bound: Bound,
    axis: Option<usize>,
) -> Option<Bounded> {
    let same = reference.dtype == candidate.dtype
        && reference.shape == candidate.shape
        && shadow.shape() == reference.shape;
    let shadow = shadow.values::<f64>().filter(|_| same)?;
    Some(with_element!(reference.dtype, T => {
        let sides = (reference.values::<T>().unwrap_or(&[]), candidate.values::<T>().unwrap_or(&[]));
        scan::<T>(sides.0, sides.1, shadow, bound, Strides::of(reference.shape, axis))
    }))
}

/// Elements that are looked at together where there are no channels.
const BLOCK: usize = 4096;

/// Largest |side − shadow| / B of both sides, without the element that it rests on; infinite where anything is not finite.
pub fn largest_ratio(
    reference: View,
    candidate: View,
    shadow: &Tensor,
    bound: Bound,
) -> Option<f64> {
    let same = reference.dtype == candidate.dtype
        && reference.shape == candidate.shape
        && shadow.shape() == reference.shape;
    let shadow = shadow.values::<f64>().filter(|_| same)?;
    Some(with_element!(reference.dtype, T => {
        let sides = (reference.values::<T>().unwrap_or(&[]), candidate.values::<T>().unwrap_or(&[]));
        let (r, c, _) = fast::<T>(sides.0, sides.1, shadow, bound.scale, bound);
        if r.is_nan() || c.is_nan() { f64::INFINITY } else { r.max(c) }
    }))
}

/// Where an element's channel is found.
#[derive(Clone, Copy)]
struct Strides {
    inner: usize,
    channels: usize,
}

impl Strides {
    fn of(shape: &[usize], axis: Option<usize>) -> Self {
        match axis {
            Some(a) => Self {
                inner: shape[a + 1..].iter().product::<usize>().max(1),
                channels: shape[a].max(1),
            },
            None => Self {
                inner: BLOCK,
                channels: 1,
            },
        }
    }
}

fn scan<T: Number>(r: &[T], c: &[T], shadow: &[f64], bound: Bound, strides: Strides) -> Bounded {
    let mut out = Bounded::default();
    let mut limits = vec![f64::INFINITY; strides.channels];
    // Runs of one channel at a time, so that the inner loop is straight; only a run that is over its bound, or holds the
    // largest ratio of all, is looked at element by element.
    let run = strides.inner.min(r.len()).max(1);
    let (mut calm_worst, mut calm_ratio) = (0..0, -1.0);
    for (k, start) in (0..r.len()).step_by(run).enumerate() {
        let range = start..(start + run).min(r.len());
        let (ratio_r, ratio_c, inverse) = fast(
            &r[range.clone()],
            &c[range.clone()],
            &shadow[range.clone()],
            &bound.scale[range.clone()],
            bound,
        );
        let channel = &mut limits[k % strides.channels];
        *channel = channel.min(2.0 / inverse);
        if ratio_r <= 1.0 && ratio_c <= 1.0 {
            out.reference = out.reference.max(ratio_r);
            out.candidate = out.candidate.max(ratio_c);
            if ratio_r.max(ratio_c) > calm_ratio {
                (calm_worst, calm_ratio) = (range, ratio_r.max(ratio_c));
            }
        } else {
            range.for_each(|i| out.element(i, r[i], c[i], shadow[i], bound));
        }
    }
    if out.failing == 0 {
        calm_worst.for_each(|i| out.element(i, r[i], c[i], shadow[i], bound));
    }
    out.limit = detection(limits);
    out
}

/// Largest ratio of each side and largest |value|/B of one run; NaN where anything, S included, is not finite, so that `scan` looks closer.
#[multiversion::multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512vl+avx512bw+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn fast<T: Number>(
    r: &[T],
    c: &[T],
    shadow: &[f64],
    scale: &[f64],
    bound: Bound,
) -> (f64, f64, f64) {
    const LANES: usize = 8;
    let (mut mr, mut mc, mut mi, mut poison) =
        ([0f64; LANES], [0f64; LANES], [0f64; LANES], [0f64; LANES]);
    let n = r.len();
    let (c, shadow, scale) = (&c[..n], &shadow[..n], &scale[..n]);
    let mut lane = |i: usize, l: usize| {
        let (x, y, s) = (r[i].wide(), c[i].wide(), shadow[i]);
        let inverse = 1.0 / (bound.factor * scale[i] + bound.tiny);
        let (er, ec, size) = (
            (x - s).abs() * inverse,
            (y - s).abs() * inverse,
            x.abs() * inverse,
        );
        mr[l] = if er > mr[l] { er } else { mr[l] };
        mc[l] = if ec > mc[l] { ec } else { mc[l] };
        mi[l] = if size > mi[l] { size } else { mi[l] };
        poison[l] += (er + ec + scale[i]) * 0.0;
    };
    let whole = n / LANES * LANES;
    for i in (0..whole).step_by(LANES) {
        for l in 0..LANES {
            lane(i + l, l);
        }
    }
    for i in whole..n {
        lane(i, i - whole);
    }
    let max = |m: [f64; LANES]| m.into_iter().fold(0.0, f64::max);
    let poison: f64 = poison.iter().sum();
    (max(mr) + poison, max(mc) + poison, max(mi))
}

impl Bounded {
    /// Two sides that were each held against a shadow of their own, as `candidate`: `self` is the reference's.
    pub fn beside(self, candidate: Bounded) -> Bounded {
        let turned = Worst {
            reference: self.worst.candidate,
            candidate: self.worst.reference,
            ..self.worst
        };
        Bounded {
            reference: self.candidate,
            candidate: candidate.candidate,
            failing: self.failing + candidate.failing,
            overflowed: self.overflowed + candidate.overflowed,
            worst: if turned.ratio > candidate.worst.ratio {
                turned
            } else {
                candidate.worst
            },
            limit: candidate.limit,
        }
    }

    /// The careful judgement of one element.
    fn element<T: Number>(&mut self, i: usize, r: T, c: T, shadow: f64, bound: Bound) {
        let (x, y) = (r.wide(), c.wide());
        let b = bound.factor * bound.scale[i] + bound.tiny;
        let (er, ec) = if x.is_finite() && y.is_finite() && shadow.is_finite() && b.is_finite() {
            ((x - shadow).abs() / b, (y - shadow).abs() / b)
        } else {
            self.overflowed += u64::from(
                shadow.is_finite() && (bound.scale[i] + b > bound.largest || !b.is_finite()),
            );
            if bound.may_overflow(bound.scale[i], shadow, b) {
                (0.0, 0.0)
            } else {
                classes(x, y, T::DTYPE.round(shadow), b)
            }
        };
        if er > 1.0 || ec > 1.0 {
            self.failing += 1;
        }
        if er.max(ec) > self.worst.ratio || self.worst.bound == 0.0 {
            self.worst = Worst {
                ratio: er.max(ec),
                index: i,
                reference: x,
                candidate: y,
                shadow,
                bound: b,
            };
        }
        self.reference = self.reference.max(er);
        self.candidate = self.candidate.max(ec);
    }
}

/// Ratios where a value is not finite: equal sides agree; sides that differ are each held against the shadow's class.
fn classes(x: f64, y: f64, shadow: f64, b: f64) -> (f64, f64) {
    let same = |p: f64, q: f64| (p.is_nan() && q.is_nan()) || p == q;
    if same(x, y) {
        return (0.0, 0.0);
    }
    let both_finite = x.is_finite() && y.is_finite();
    if both_finite && (x - y).abs() <= 2.0 * b {
        return (0.0, 0.0);
    }
    let off = |side: f64| {
        if same(side, shadow) || (side.is_finite() && shadow.is_finite()) {
            0.0
        } else {
            f64::INFINITY
        }
    };
    match (off(x), off(y)) {
        // The shadow tells the sides apart in nothing: both are suspect.
        (0.0, 0.0) => (f64::INFINITY, f64::INFINITY),
        ratios => ratios,
    }
}

fn detection(limits: Vec<f64>) -> Option<DetectionLimit> {
    let mut seen: Vec<f64> = limits.into_iter().filter(|l| l.is_finite()).collect();
    seen.sort_by(f64::total_cmp);
    Some(DetectionLimit {
        best: *seen.first()?,
        median: seen[seen.len() / 2],
        worst: *seen.last()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    const NAN: f32 = f32::NAN;
    const INF: f32 = f32::INFINITY;

    fn check(r: f32, c: f32, shadow: f64, want: (f64, f64)) {
        let scale = [1.0];
        let bound = Bound {
            scale: &scale,
            factor: 0.5,
            tiny: 0.0,
            largest: f64::from(f32::MAX),
            summed: true,
        };
        let (r, c, s) = (
            Tensor::of(&[1], &[r]),
            Tensor::of(&[1], &[c]),
            Tensor::of(&[1], &[shadow]),
        );
        let out = judge(r.view(), c.view(), &s, bound, None).unwrap();
        assert_eq!((out.reference, out.candidate), want, "{r:?} {c:?} {shadow}");
    }

    #[test]
    fn each_side_is_held_against_the_shadow_and_special_values_by_their_class() {
        check(1.0, 1.0, 1.0, (0.0, 0.0));
        check(1.5, 1.0, 1.0, (1.0, 0.0));
        check(1.0, 2.0, 1.0, (0.0, 2.0));
        check(NAN, NAN, 1.0, (0.0, 0.0));
        check(NAN, 1.0, 1.0, (f64::INFINITY, 0.0));
        check(1.0, NAN, 1.0, (0.0, f64::INFINITY));
        check(INF, -INF, f64::INFINITY, (0.0, f64::INFINITY));
        check(INF, 1.0, 1e300, (0.0, f64::INFINITY));
        check(1.0, 1.0, f64::NAN, (0.0, 0.0));
        check(1.0, 3.0, f64::NAN, (f64::INFINITY, f64::INFINITY));
        check(INF, INF, 3.0e38, (0.0, 0.0));
    }

    #[test]
    fn a_sum_may_overflow_on_its_way_and_a_single_rounding_may_not() {
        let max = f64::from(f32::MAX);
        let check =
            |r: f32, c: f32, (shadow, scale): (f64, f64), summed: bool, want: (f64, u64)| {
                let bound = Bound {
                    scale: &[scale],
                    factor: 1e-6,
                    tiny: 0.0,
                    largest: max,
                    summed,
                };
                let (r, c, s) = (
                    Tensor::of(&[1], &[r]),
                    Tensor::of(&[1], &[c]),
                    Tensor::of(&[1], &[shadow]),
                );
                let out = judge(r.view(), c.view(), &s, bound, None).unwrap();
                assert_eq!(
                    (out.reference.max(out.candidate), out.overflowed),
                    want,
                    "{shadow} {scale} {summed}"
                );
            };
        let off = f64::INFINITY;
        // Partial sums of either order: inf, NaN or a number.
        check(INF, NAN, (1.0, 2.0 * max), true, (0.0, 1));
        check(INF, 1.0, (1.0, 2.0 * max), true, (0.0, 1));
        check(INF, 1.0, (1.0, 0.5 * max), true, (off, 0));
        // What is finite is judged as ever.
        check(
            1.0,
            1e38,
            (1.0, 2.0 * max),
            true,
            ((1e38f32 as f64 - 1.0) / (2e-6 * max), 0),
        );
        // A product beyond the dtype is infinite everywhere; next to the largest number it may be either.
        check(INF, INF, (2.0 * max, 2.0 * max), false, (0.0, 1));
        check(INF, NAN, (2.0 * max, 2.0 * max), false, (off, 1));
        check(
            INF,
            f32::MAX,
            (max * (1.0 + 1e-7), max * (1.0 + 1e-7)),
            false,
            (0.0, 1),
        );
        // What came in infinite is no overflow.
        check(INF, NAN, (off, off), true, (off, 0));
        check(-INF, -INF, (-off, off), true, (0.0, 0));
    }

    #[test]
    fn what_nothing_bounds_is_counted_and_hides_none_of_its_neighbours() {
        let check = |r: [f32; 2], c: [f32; 2], scale: f64, want: (f64, u64, u64)| {
            let bound = Bound {
                scale: &[scale, 1.0],
                factor: 1e-6,
                tiny: 0.0,
                largest: f64::from(f32::MAX),
                summed: false,
            };
            let shadow = Tensor::of(&[2], &[1.0, 1.0]);
            let (r, c) = (Tensor::of(&[2], &r), Tensor::of(&[2], &c));
            let out = judge(r.view(), c.view(), &shadow, bound, None).unwrap();
            assert_eq!(
                (out.candidate, out.failing, out.overflowed),
                want,
                "{r:?} {c:?} {scale}"
            );
            let ratio = largest_ratio(r.view(), c.view(), &shadow, bound).unwrap();
            assert_eq!(
                ratio <= 1.0,
                scale.is_finite() && want.1 == 0,
                "no element that is not judged is within rounding: {ratio}"
            );
        };
        for unbounded in [f64::INFINITY, f64::NAN] {
            check([1.0, 1.0], [1.0, 1.0], unbounded, (0.0, 0, 1));
            check([1.0, 1.0], [1e30, 1.0], unbounded, (0.0, 0, 1));
            check([1.0, 1.0], [INF, 1.0], unbounded, (0.0, 0, 1));
            check([NAN, 1.0], [0.0, 1.0], unbounded, (0.0, 0, 1));
            let off = (f64::from(1.5f32) - 1.0) / 1e-6;
            check([1.0, 1.0], [7.0, 1.5], unbounded, (off, 1, 1));
        }
        check([1.0, 1.0], [1.0, 1.0], 1.0, (0.0, 0, 0));
    }

    #[test]
    fn the_detection_limit_is_the_smallest_scaling_that_fails() {
        let values: Vec<f32> = (0..64).map(|i| if i < 32 { 1.0 } else { 0.01 }).collect();
        let scale = vec![1.0; 64];
        let bound = Bound {
            scale: &scale,
            factor: 1e-3,
            tiny: 0.0,
            largest: f64::from(f32::MAX),
            summed: true,
        };
        let (r, s) = (
            Tensor::of(&[1, 2, 32], &values),
            Tensor::of(
                &[1, 2, 32],
                &values.iter().map(|v| *v as f64).collect::<Vec<_>>(),
            ),
        );
        let out = judge(r.view(), r.view(), &s, bound, Some(1)).unwrap();
        let limit = out.limit.unwrap();
        assert_relative_eq!(limit.best, 2e-3, max_relative = 1e-6);
        assert_relative_eq!(limit.worst, 0.2, max_relative = 1e-6);
        let scaled: Vec<f32> = values
            .iter()
            .enumerate()
            .map(|(i, v)| if i < 32 { v * 1.0021 } else { *v })
            .collect();
        let out = judge(
            r.view(),
            Tensor::of(&[1, 2, 32], &scaled).view(),
            &s,
            bound,
            Some(1),
        )
        .unwrap();
        assert!(out.candidate > 1.0 && out.reference == 0.0);
        assert_eq!(out.failing, 32);
    }
}
