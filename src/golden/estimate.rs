//! estimate: two sketches, or a sketch and a tensor: attributes first, then what is finite, then how far apart, with the error of that number.

use super::sketch::{self, NotFinite, PERCENT, Sketch};
use crate::compare::{Attributes, Metrics, compare};
use crate::error::{Error, Result};
use crate::tensor::View;

/// What two sketches tell about their tensors.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// Another dtype or shape: nothing else was looked at.
    Attributes(Attributes),
    /// Another number of NaN or infinities: no distance is stated.
    NotFinite {
        reference: NotFinite,
        candidate: NotFinite,
    },
    Values(Box<Estimate>),
}

/// How far two tensors are apart, as far as their sketches tell. The difference is always candidate − reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Some part of the sketches differs, so the tensors do. `false` does not prove them equal: a digest does.
    pub differs: bool,
    /// Estimated ‖candidate − reference‖ over the finite elements; NaN where the projections left the range of f64.
    pub distance: f64,
    /// Relative standard error of the squared distance, √(2/m); that of the distance is half of it.
    pub error: f64,
    /// `distance` / ‖reference‖; 0 where both are 0, infinite where only the reference is.
    pub relative: f64,
    /// Distances below this are lost in the rounding of the projections' sums.
    pub resolution: f64,
    /// Exact metrics over the sampled places.
    pub sample: Metrics,
    /// Flat place, in the tensor, of the largest sampled difference.
    pub sample_at: Option<u64>,
    /// The percentile that moved most.
    pub quantile: Option<Moved>,
    /// The channel whose sum moved most.
    pub channel: Option<Moved>,
}

/// A statistic that differs: which, and both sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moved {
    /// Percent, or channel.
    pub index: u64,
    pub reference: f64,
    pub candidate: f64,
}

/// Holds `candidate` against the sketch of the reference, with the sketch's own settings.
pub fn against(reference: &Sketch, candidate: View<'_>) -> Seen {
    seen(reference, &sketch::of(candidate, reference.settings))
}

/// Holds two sketches against each other.
///
/// # Errors
/// They were made with different settings.
pub fn between(reference: &Sketch, candidate: &Sketch) -> Result<Seen> {
    if reference.settings != candidate.settings {
        return Err(Error::usage(format!(
            "sketches of {:?} and of {:?} cannot be compared",
            reference.settings, candidate.settings
        ))
        .next("sketch both with the same seed, buckets and samples"));
    }
    Ok(seen(reference, candidate))
}

fn seen(a: &Sketch, b: &Sketch) -> Seen {
    let dtype = (a.dtype != b.dtype).then_some((a.dtype, b.dtype));
    let shape = (a.shape != b.shape).then(|| (a.shape.clone(), b.shape.clone()));
    if dtype.is_some() || shape.is_some() {
        return Seen::Attributes(Attributes {
            dtype,
            shape,
            exchanged: None,
        });
    }
    if a.not_finite != b.not_finite {
        return Seen::NotFinite {
            reference: a.not_finite,
            candidate: b.not_finite,
        };
    }
    let sampled = compare(a.sample.view(), b.sample.view(), None);
    match sampled.metrics() {
        Some(metrics) => Seen::Values(Box::new(values(a, b, metrics.clone()))),
        // Equal dtypes and shapes have equally many samples of one dtype.
        None => Seen::Attributes(Attributes {
            dtype,
            shape,
            exchanged: None,
        }),
    }
}

fn values(a: &Sketch, b: &Sketch, sample: Metrics) -> Estimate {
    let distance = distance(&a.projection, &b.projection);
    let (quantile, channel) = (
        moved(&a.quantiles, &b.quantiles),
        moved(&a.channels, &b.channels),
    );
    let worst = sample
        .specials
        .first_conflict
        .as_ref()
        .unwrap_or(&sample.max_abs);
    let buckets = a.settings.buckets as f64;
    let per_bucket = a.shape.iter().product::<usize>() as f64 / buckets;
    Estimate {
        differs: bits(&a.projection) != bits(&b.projection)
            || quantile.is_some()
            || channel.is_some()
            || !sample.identical(),
        distance,
        error: (2.0 / buckets).sqrt(),
        relative: if distance == 0.0 {
            0.0
        } else {
            distance / a.norm
        },
        // Each of m sums of n/m terms is off by about √(n/m)·u of its size; together √(n/m)·u·‖x‖, and 4 of it for safety.
        resolution: 4.0 * per_bucket.sqrt() * (f64::EPSILON / 2.0) * (a.norm + b.norm),
        sample_at: (!sample.identical())
            .then(|| a.sample_at.get(worst.index).copied())
            .flatten(),
        sample,
        quantile: quantile.map(|m| Moved {
            index: PERCENT[m.index as usize],
            ..m
        }),
        channel,
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// ‖a − b‖, scaled so that no square overflows.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let differences = || a.iter().zip(b).map(|(x, y)| y - x);
    if differences().any(|d| !d.is_finite()) {
        return f64::NAN;
    }
    let scale = differences().fold(0.0, |most: f64, d| most.max(d.abs()));
    if scale == 0.0 {
        0.0
    } else {
        scale
            * differences()
                .map(|d| (d / scale) * (d / scale))
                .sum::<f64>()
                .sqrt()
    }
}

/// The statistic that moved most, by bits first: −0 and +0 are two values.
fn moved(a: &[f64], b: &[f64]) -> Option<Moved> {
    let all = a
        .iter()
        .zip(b)
        .enumerate()
        .filter(|(_, (x, y))| x.to_bits() != y.to_bits());
    let size = |m: &Moved| (m.candidate - m.reference).abs();
    all.map(|(i, (x, y))| Moved {
        index: i as u64,
        reference: *x,
        candidate: *y,
    })
    .max_by(|m, n| size(m).total_cmp(&size(n)))
}

#[cfg(test)]
mod tests {
    use super::super::sketch::Settings;
    use super::*;
    use crate::tensor::Tensor;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    const SHAPE: [usize; 4] = [2, 16, 32, 32];

    type Draw = fn(&mut ChaCha8Rng, usize) -> f64;

    fn normal(seed: u64, n: usize) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n).map(|_| StandardNormal.sample(&mut rng)).collect()
    }

    fn base() -> Vec<f32> {
        normal(1, SHAPE.iter().product())
    }

    fn held(values: &[f32], against_values: &[f32]) -> Seen {
        against(
            &sketch::of(Tensor::of(&SHAPE, values).view(), Settings::default()),
            Tensor::of(&SHAPE, against_values).view(),
        )
    }

    fn estimate(candidate: &[f32]) -> Estimate {
        match held(&base(), candidate) {
            Seen::Values(e) => *e,
            other => panic!("{other:?}"),
        }
    }

    fn true_distance(a: &[f32], b: &[f32]) -> f64 {
        a.iter()
            .zip(b)
            .map(|(x, y)| (*y as f64 - *x as f64).powi(2))
            .sum::<f64>()
            .sqrt()
    }

    /// The change is seen, and its size is told within six standard errors.
    fn check(name: &str, candidate: &[f32]) -> Estimate {
        let (e, truth) = (estimate(candidate), true_distance(&base(), candidate));
        assert!(e.differs, "{name}");
        let off = (e.distance / truth).powi(2) - 1.0;
        assert!(
            off.abs() < 6.0 * e.error,
            "{name}: estimated {}, true {truth}: {off} with standard error {}",
            e.distance,
            e.error
        );
        e
    }

    #[test]
    fn the_clean_control_is_told_apart_from_nothing() {
        let e = estimate(&base());
        assert!(!e.differs && e.sample.identical());
        assert_eq!(
            (e.distance, e.relative, e.quantile, e.channel, e.sample_at),
            (0.0, 0.0, None, None, None)
        );
    }

    #[test]
    fn one_nan_or_infinity_is_found_before_any_distance() {
        for (wrong, want) in [
            (
                f32::NAN,
                NotFinite {
                    nan: 1,
                    ..Default::default()
                },
            ),
            (
                f32::INFINITY,
                NotFinite {
                    positive: 1,
                    ..Default::default()
                },
            ),
            (
                f32::NEG_INFINITY,
                NotFinite {
                    negative: 1,
                    ..Default::default()
                },
            ),
        ] {
            let mut values = base();
            values[12_345] = wrong;
            assert_eq!(
                held(&base(), &values),
                Seen::NotFinite {
                    reference: NotFinite::default(),
                    candidate: want
                }
            );
            assert!(
                matches!(held(&values, &values), Seen::Values(e) if !e.differs),
                "equal on both sides is no difference"
            );
        }
    }

    #[test]
    fn a_scale_of_one_percent_is_found_and_measured() {
        let scaled: Vec<f32> = base().iter().map(|x| x * 1.01).collect();
        let e = check("scaled", &scaled);
        assert!((0.007..0.013).contains(&e.relative), "{}", e.relative);
        assert_eq!(
            e.quantile.map(|q| q.index),
            Some(if e.quantile.unwrap().reference < 0.0 {
                0
            } else {
                100
            })
        );
        assert_eq!(e.sample.mismatches, 64);
    }

    #[test]
    fn one_ulp_in_one_element_is_found() {
        let mut values = base();
        values[30_001] = f32::from_bits(values[30_001].to_bits() + 1);
        let e = check("one ulp", &values);
        assert!(
            e.distance > e.resolution,
            "{} is above the resolution {}",
            e.distance,
            e.resolution
        );
        assert_eq!(e.channel.map(|c| c.index), Some((30_001 / 1024) % 16));
    }

    #[test]
    fn a_transposition_is_found_though_every_statistic_is_equal() {
        let mut transposed = base();
        for plane in transposed.chunks_exact_mut(1024) {
            let copy = plane.to_vec();
            (0..1024).for_each(|i| plane[i] = copy[i % 32 * 32 + i / 32]);
        }
        let e = check("transposed", &transposed);
        assert_eq!(e.quantile, None, "order statistics are blind to it");
    }

    #[test]
    fn two_swapped_channels_are_found_and_named() {
        let mut swapped = base();
        for image in swapped.chunks_exact_mut(16 * 1024) {
            let (left, right) = image.split_at_mut(5 * 1024);
            left[2 * 1024..3 * 1024].swap_with_slice(&mut right[..1024]);
        }
        let e = check("swapped", &swapped);
        assert_eq!(e.quantile, None);
        assert!(
            matches!(e.channel, Some(m) if m.index == 2 || m.index == 5),
            "{:?}",
            e.channel
        );
    }

    #[test]
    fn another_dtype_or_shape_is_the_whole_answer() {
        let s = sketch::of(Tensor::of(&[2, 3], &[1f32; 6]).view(), Settings::default());
        let shape = against(&s, Tensor::of(&[3, 2], &[1f32; 6]).view());
        assert!(matches!(
            shape,
            Seen::Attributes(Attributes {
                exchanged: None,
                dtype: None,
                shape: Some(_)
            })
        ));
        let dtype = against(&s, Tensor::of(&[2, 3], &[1f64; 6]).view());
        assert!(matches!(
            dtype,
            Seen::Attributes(Attributes {
                exchanged: None,
                dtype: Some(_),
                shape: None
            })
        ));
    }

    #[test]
    fn sketches_of_other_settings_are_not_held_against_each_other() {
        let make = |seed| {
            sketch::of(
                Tensor::of(&[2], &[1f32, 2.0]).view(),
                Settings {
                    seed,
                    ..Default::default()
                },
            )
        };
        assert!(between(&make(0), &make(0)).is_ok());
        assert!(
            between(&make(0), &make(1))
                .unwrap_err()
                .message
                .contains("seed: 1")
        );
    }

    #[test]
    fn values_beyond_the_range_of_f64_are_never_called_equal() {
        let make = |x: f64| Tensor::of(&[1000], &[x; 1000]);
        let s = sketch::of(make(f64::MAX).view(), Settings::default());
        let Seen::Values(e) = against(&s, make(f64::MAX / 2.0).view()) else {
            panic!()
        };
        assert!(e.differs && e.distance.is_nan());
    }

    #[test]
    fn the_stated_error_is_the_error_over_many_seeds_and_shapes_of_difference() {
        let shapes: [(&str, Draw); 3] = [
            ("dense", |rng, _| StandardNormal.sample(rng)),
            ("one sign", |rng, _| rng.random::<f64>() + 0.5),
            ("sparse and strided", |rng, i| {
                if i % 64 == 0 {
                    rng.random::<f64>() + 0.1
                } else {
                    0.0
                }
            }),
        ];
        for (name, draw) in shapes {
            for buckets in [64, 256] {
                let errors: Vec<f64> = (0..300)
                    .map(|seed| {
                        let mut rng = ChaCha8Rng::seed_from_u64(seed);
                        let d: Vec<f64> = (0..3000).map(|i| draw(&mut rng, i)).collect();
                        let truth: f64 = d.iter().map(|x| x * x).sum();
                        let s = sketch::of(
                            Tensor::of(&[3000], &d).view(),
                            Settings {
                                seed,
                                buckets,
                                samples: 0,
                            },
                        );
                        s.projection.iter().map(|x| x * x).sum::<f64>() / truth - 1.0
                    })
                    .collect();
                let stated = (2.0 / buckets as f64).sqrt();
                let rms = (errors.iter().map(|e| e * e).sum::<f64>() / 300.0).sqrt();
                let mean = errors.iter().sum::<f64>() / 300.0;
                // A little over for the 300 draws: their rms is itself known to about 4 %.
                assert!(
                    rms < 1.15 * stated && rms > 0.7 * stated,
                    "{name}, {buckets}: rms {rms}, stated {stated}"
                );
                assert!(
                    mean.abs() < 4.0 * stated / 300f64.sqrt(),
                    "{name}, {buckets}: unbiased, but mean {mean}"
                );
                assert!(
                    errors.iter().all(|e| e.abs() < 6.0 * stated),
                    "{name}, {buckets}"
                );
            }
        }
    }
}
