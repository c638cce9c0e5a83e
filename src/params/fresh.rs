//! fresh: two untrained models, held against each other by the rule that drew them: constants must be equal, random tensors as wide and as bounded.
//!
//! Of n draws the logarithm of a standard deviation has variance (κ − 1) / 4n, κ the kurtosis: that of a normal, or the sample's where it is
//! larger. The logarithm of the largest magnitude has a spread of 1 / n where draws are uniform, and of 1 / (2 ln 2n) where they have a
//! tail. A limit is that spread times what a draw exceeds with a chance of [`ALARM`] over all tensors and both tests together.

use super::value::{Relation, relation};
use crate::compare::json;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Chance that any of two models drawn by one rule is called another.
pub const ALARM: f64 = 0.01;

/// Draws below which a uniform distribution cannot be told from one with a tail.
const TELLS: usize = 256;

/// What two values are to each other that may have been drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drawn {
    /// As wide and as bounded as draws of one rule are.
    Alike,
    /// Constants that are not equal, or one constant (zeros, a prior) against a draw.
    Constant {
        reference: Option<f64>,
        candidate: Option<f64>,
    },
    /// The standard deviations are further apart than the limit, as ratios candidate / reference.
    Spread {
        #[serde(with = "json")]
        ratio: f64,
        limit: f64,
    },
    /// The largest magnitudes are.
    Bound {
        #[serde(with = "json")]
        ratio: f64,
        limit: f64,
    },
}

impl Drawn {
    pub fn say(&self) -> String {
        let said = |x: &Option<f64>| x.map_or("drawn".into(), |x| format!("all {x}"));
        let apart = |what: &str, ratio: f64, limit: f64| {
            format!("{what} x {ratio:.3}, drawn alike at most x {limit:.3} or its inverse")
        };
        match self {
            Drawn::Alike => "drawn alike".into(),
            Drawn::Constant {
                reference,
                candidate,
            } => format!(
                "reference {}, candidate {}",
                said(reference),
                said(candidate)
            ),
            Drawn::Spread { ratio, limit } => apart("standard deviation", *ratio, *limit),
            Drawn::Bound { ratio, limit } => apart("largest magnitude", *ratio, *limit),
        }
    }
}

/// What `b` is to `a`, as one of `tensors` pairs.
pub fn held(a: &Tensor, b: &Tensor, tensors: usize) -> Relation {
    let exact = relation(a, b);
    let fits = a.numel() == b.numel() && a.numel() > 0;
    if exact.same() || !fits || !a.dtype().is_float() || !b.dtype().is_float() {
        return exact;
    }
    Relation::Drawn(drawn(&Sample::of(a), &Sample::of(b), chance(tensors)))
}

/// What one test may err by.
fn chance(tensors: usize) -> f64 {
    ALARM / (2.0 * tensors.max(1) as f64)
}

/// What a tensor shows of the rule that drew it.
struct Sample {
    n: f64,
    constant: Option<f64>,
    deviation: f64,
    kurtosis: f64,
    largest: f64,
    /// The largest distance from the mean.
    reach: f64,
}

impl Sample {
    fn of(t: &Tensor) -> Self {
        let view = t.view();
        let all = || (0..t.numel()).map(|i| view.get(i));
        let n = t.numel() as f64;
        let mean = all().sum::<f64>() / n;
        let (mut second, mut fourth, mut largest, mut reach) = (0.0, 0.0, 0f64, 0f64);
        for x in all() {
            let square = (x - mean) * (x - mean);
            (second, fourth) = (second + square, fourth + square * square);
            (largest, reach) = (largest.max(x.abs()), reach.max((x - mean).abs()));
        }
        let first = view.get(0);
        Self {
            n,
            constant: all().all(|x| x == first).then_some(first),
            deviation: (second / (n - 1.0).max(1.0)).sqrt(),
            kurtosis: n * fourth / (second * second),
            largest,
            reach,
        }
    }

    /// No draw lies further out than a uniform distribution of this spread reaches.
    fn is_uniform(&self) -> bool {
        self.n >= TELLS as f64
            && self.reach <= self.deviation * 3f64.sqrt() * (1.0 + 2.0 / self.n.sqrt())
    }
}

fn drawn(a: &Sample, b: &Sample, chance: f64) -> Drawn {
    if a.constant.is_some() || b.constant.is_some() {
        return Drawn::Constant {
            reference: a.constant,
            candidate: b.constant,
        };
    }
    let spread = (b.deviation / a.deviation, spread_limit(a, b, chance));
    let bound = (b.largest / a.largest, bound_limit(a, b, chance));
    // A ratio that is no number is over its limit.
    let over = |(ratio, limit): (f64, f64)| {
        let off = ratio.ln().abs();
        off.is_nan() || off > limit.ln()
    };
    match (over(spread), over(bound)) {
        (true, _) => Drawn::Spread {
            ratio: spread.0,
            limit: spread.1,
        },
        (false, true) => Drawn::Bound {
            ratio: bound.0,
            limit: bound.1,
        },
        (false, false) => Drawn::Alike,
    }
}

/// How far two standard deviations of one rule may be apart: a normal deviate exceeds √(2 ln (2 / p)) with a chance below p.
fn spread_limit(a: &Sample, b: &Sample, chance: f64) -> f64 {
    let kurtosis = a.kurtosis.max(b.kurtosis).max(3.0);
    let variance = |n: f64| (kurtosis - 1.0) / (4.0 * (n - 2.0).max(0.25));
    let deviate = (2.0 * (2.0 / chance).ln()).sqrt();
    let many = deviate * (variance(a.n) + variance(b.n)).sqrt();
    // Of few draws the ratio has a tail that falls off with a power, one for each degree of freedom.
    let few = (2.0 / chance).ln() / (a.n.min(b.n) - 1.0);
    many.max(few).exp()
}

/// The same of two largest magnitudes, whose difference falls off exponentially.
fn bound_limit(a: &Sample, b: &Sample, chance: f64) -> f64 {
    let n = a.n.min(b.n);
    let scale = match a.is_uniform() && b.is_uniform() {
        true => 1.0 / n,
        // Of few draws it is as unsure as that of a uniform distribution.
        false => (1.0 / n).max(1.0 / (2.0 * (2.0 * n).ln())),
    };
    (scale * (2.0 / chance).ln()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash;

    fn uniform(seed: u64, n: usize, bound: f64) -> Tensor {
        let of = |i: usize| (hash::bits(seed, i as u64) >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
        Tensor::from_vec(&[n], (0..n).map(|i| bound * of(i)).collect::<Vec<f64>>())
    }

    /// Box and Muller.
    fn normal(seed: u64, n: usize, deviation: f64) -> Tensor {
        let unit = |k: u64| ((hash::bits(seed, k) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let of = |i: usize| {
            let (u, v) = (unit(2 * i as u64), unit(2 * i as u64 + 1));
            deviation * (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        };
        Tensor::from_vec(&[n], (0..n).map(of).collect::<Vec<f64>>())
    }

    fn of(a: &Tensor, b: &Tensor) -> Drawn {
        drawn(&Sample::of(a), &Sample::of(b), chance(700))
    }

    #[test]
    fn draws_of_one_rule_are_alike_as_often_as_is_promised() {
        // A test errs with a chance of 1e-3 here, so that errors would be seen.
        for n in [2, 3, 4, 8, 16, 64, 256, 1024] {
            for rule in [uniform, normal] {
                let wrong = (0..4000).filter(|seed| {
                    let (a, b) = (rule(2 * seed, n, 0.3), rule(2 * seed + 1, n, 0.3));
                    drawn(&Sample::of(&a), &Sample::of(&b), 1e-3) != Drawn::Alike
                });
                let wrong = wrong.count();
                assert!(wrong <= 16, "n = {n}: {wrong} of 4000, promised 8");
            }
        }
    }

    #[test]
    fn another_spread_bound_or_family_is_found() {
        for seed in 0..20 {
            let (a, b) = (2 * seed, 2 * seed + 1);
            let gain = of(&uniform(a, 576, 0.1), &uniform(b, 576, 0.1 * 2f64.sqrt()));
            assert!(matches!(gain, Drawn::Spread { .. }), "gain √2: {gain:?}");
            let wide = of(&normal(a, 4096, 0.02), &normal(b, 4096, 0.025));
            assert!(matches!(wide, Drawn::Spread { .. }), "{wide:?}");
            // The same spread, drawn from a uniform and from a normal distribution.
            let family = of(&uniform(a, 65_536, 3f64.sqrt()), &normal(b, 65_536, 1.0));
            assert!(matches!(family, Drawn::Bound { .. }), "{family:?}");
        }
    }

    #[test]
    fn constants_are_equal_in_value_and_a_draw_is_no_constant() {
        let (zeros, prior) = (
            Tensor::of(&[4], &[0f32; 4]),
            Tensor::of(&[4], &[-4.595f32; 4]),
        );
        assert_eq!(held(&zeros, &zeros, 1), Relation::Equal);
        let Relation::Drawn(Drawn::Constant {
            reference,
            candidate,
        }) = held(&prior, &zeros, 1)
        else {
            panic!("a prior is no zero")
        };
        assert_eq!((reference, candidate), (Some(-4.595f32 as f64), Some(0.0)));
        let head = held(&zeros, &uniform(1, 4, 0.1), 1);
        assert!(matches!(head, Relation::Drawn(Drawn::Constant { .. })));
        let nan = Tensor::of(&[4], &[f32::NAN, 0.0, 1.0, 2.0]);
        let broken = held(&uniform(1, 4, 1.0), &nan, 1);
        assert!(
            matches!(broken, Relation::Drawn(Drawn::Spread { .. })),
            "{broken:?}"
        );
    }
}
