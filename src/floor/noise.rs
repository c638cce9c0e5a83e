//! noise: Monte Carlo arithmetic: what rounding at every node makes of a whole network, measured on its f64 graph.
//!
//! After each node ±B/R is added with random signs (a Rademacher variable: mean 0, standard deviation 1); the floor of
//! a tensor is the spread of such runs around the undisturbed f64 run, pooled per channel. Parker, "Monte Carlo Arithmetic" (1997).

use super::family::{self, Family};
use crate::compare::{Channels, json};
use crate::tensor::{DType, Tensor};
use multiversion::multiversion;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// An error beyond this multiple of the spread diverges.
pub const R: f64 = 4.0;

/// Runs, unless a tensor is so small that more samples are needed.
pub const RUNS: u32 = 4;

/// Runs at most: what a scalar needs.
pub const MOST_RUNS: u32 = 16;

/// Noise below this (2⁻¹⁰²) stands for what underflows: that goes to zero, never across it, or the square root of a square would be NaN.
const UNDERFLOW: f64 = 1.0 / (1u128 << 102) as f64;

/// A channel is judged by itself if its pool holds at least this many samples over all runs.
const POOL: usize = 64;

/// The spread of one tensor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// Channel axis; None where the whole tensor is one pool.
    pub axis: Option<usize>,
    /// Largest deviation per channel.
    #[serde(with = "json::list")]
    pub max: Vec<f64>,
    /// Root mean square deviation per channel, of the run in which it is largest: an error that a whole channel shares, such as that of its
    /// scale, is one number a run, however many elements it has.
    #[serde(with = "json::list")]
    pub rms: Vec<f64>,
    pub runs: u32,
}

/// The axis along which a tensor of `shape` is pooled: axis 1, else the last, if its slices are large enough.
pub fn axis_for(shape: &[usize]) -> Option<usize> {
    let numel: usize = shape.iter().product();
    let fits = |a: &usize| shape[*a] > 1 && numel / shape[*a] * RUNS as usize >= POOL;
    [1, shape.len().saturating_sub(1)]
        .into_iter()
        .filter(|a| *a < shape.len() && shape.len() > 1)
        .find(fits)
}

/// How many runs give a tensor of `numel` elements a pool to estimate its spread from.
pub fn runs_for(numel: usize) -> u32 {
    (POOL.div_ceil(numel.max(1)) as u32).clamp(RUNS, MOST_RUNS)
}

impl Floor {
    /// Of no run yet.
    pub fn along(axis: Option<usize>) -> Self {
        Self {
            axis,
            ..Self::default()
        }
    }

    /// Adds other runs of the same tensor.
    pub fn merge(&mut self, other: &Floor) {
        for (own, other) in [(&mut self.max, &other.max), (&mut self.rms, &other.rms)] {
            own.iter_mut().zip(other).for_each(|(a, b)| *a = a.max(*b));
        }
        self.runs += other.runs;
    }

    /// The floor of runs whose noise was so many times as large, where the graph is straight: a share of what they show. Where it is bent, few of the
    /// `count` elements of a pool go far, to the other end of what saturates: how many do is a count, whose root has a standard deviation of ½
    /// (Poisson), and four of these are added.
    pub fn bent(mut self, times: f64, count: usize) -> Self {
        for (rms, max) in self.rms.iter_mut().zip(&self.max) {
            *rms += 2.0 * max / (count.max(1) as f64).sqrt();
        }
        self.max
            .iter_mut()
            .chain(&mut self.rms)
            .for_each(|spread| *spread /= times);
        self
    }

    /// Adds the deviations of one run.
    pub fn add(&mut self, run: &Channels) {
        if self.runs == 0 {
            (self.max, self.rms) = (vec![0.0; run.max.len()], vec![0.0; run.max.len()]);
        }
        for (i, (max, sum)) in run.max.iter().zip(&run.sum_sq).enumerate() {
            self.max[i] = self.max[i].max(*max);
            self.rms[i] = self.rms[i].max((sum / run.count.max(1) as f64).sqrt());
        }
        self.runs += 1;
    }

    /// The floor of a weighted sum, by the triangle inequality: a channel that is open in a part is open. None for a sum of nothing.
    pub fn sum<'a>(parts: impl Iterator<Item = (&'a Floor, f64)>) -> Option<Floor> {
        // What counts 0 times adds nothing, however wide: 0 · inf would be NaN.
        parts.filter(|(_, weight)| *weight != 0.0).fold(
            None,
            |sum: Option<Floor>, (part, weight)| {
                let scaled = |v: &[f64]| v.iter().map(|x| x * weight.abs()).collect::<Vec<f64>>();
                let added = |a: &[f64], b: Vec<f64>| {
                    a.iter().zip(b).map(|(x, y)| x + y).collect::<Vec<f64>>()
                };
                let (max, rms) = (scaled(&part.max), scaled(&part.rms));
                Some(match sum {
                    None => Floor {
                        axis: part.axis,
                        max,
                        rms,
                        runs: part.runs,
                    },
                    Some(s) => Floor {
                        max: added(&s.max, max),
                        rms: added(&s.rms, rms),
                        ..s
                    },
                })
            },
        )
    }

    /// Whether it can be the floor of `tensor`: as many channels, nothing negative or NaN, no mean above the largest, and no spread of which R
    /// are more than the channel itself holds.
    pub fn fits(&self, tensor: &Tensor) -> bool {
        let sizes = channel_rms(tensor, self.axis);
        let sound = |(max, rms): (&f64, &f64)| {
            *rms >= 0.0 && (max.is_infinite() || *rms <= *max * (1.0 + 1e-12))
        };
        let held =
            |(rms, size): (&f64, &f64)| R * rms <= *size || !rms.is_finite() || !size.is_finite();
        let fitting = self.axis == axis_for(tensor.shape())
            && self.max.len() == sizes.len()
            && self.rms.len() == sizes.len();
        fitting
            && self.runs > 0
            && self.max.iter().zip(&self.rms).all(sound)
            && self.rms.iter().zip(&sizes).all(held)
    }

    /// The same floor, no channel above `share` of its root mean square in `tensor`, which it fits.
    pub fn capped(&self, tensor: &Tensor, share: f64) -> Floor {
        let sizes = channel_rms(tensor, self.axis);
        let least = |values: &[f64]| {
            values
                .iter()
                .zip(&sizes)
                .map(|(v, size)| v.min(share * size))
                .collect()
        };
        Floor {
            axis: self.axis,
            max: least(&self.max),
            rms: least(&self.rms),
            runs: self.runs,
        }
    }

    /// The same where a channel that is smaller than the whole tensor counts as that.
    pub fn capped_whole(&self, tensor: &Tensor, share: f64) -> Floor {
        let whole = channel_rms(tensor, None);
        let most = share * whole.first().copied().unwrap_or(0.0);
        let own = self.capped(tensor, share);
        let least = |capped: &[f64], values: &[f64]| -> Vec<f64> {
            let both = capped.iter().zip(values);
            both.map(|(capped, v)| v.min(most).max(*capped)).collect()
        };
        Floor {
            max: least(&own.max, &self.max),
            rms: least(&own.rms, &self.rms),
            ..own
        }
    }

    /// The spread of every channel of `tensor`, which the floor fits, and one rounding of `share` of its size where that is more.
    pub fn one_rounding(&self, tensor: &Tensor, share: f64) -> Vec<f64> {
        let sizes = channel_rms(tensor, self.axis);
        let spreads = self.rms.iter().zip(sizes);
        spreads.map(|(rms, size)| rms.max(share * size)).collect()
    }

    /// Largest error / spread over the channels, of the largest element and of the root mean square alike.
    ///
    /// No spread and no error agree (0); no spread and any error is infinite: exact expected. A channel is open where a noisy run is not finite
    /// and the undisturbed one is: nothing can be said of its spread. None where an open channel decides (what is over in another one is over),
    /// or where the channels are not those of the error.
    pub fn ratio(&self, error: &Channels) -> Option<f64> {
        if self.max.len() != error.max.len() || self.rms.len() != error.max.len() {
            return None;
        }
        let count = error.count.max(1) as f64;
        let (mut worst, mut open) = (0.0, false);
        for (i, (max, sum)) in error.max.iter().zip(&error.sum_sq).enumerate() {
            let rms = (sum / count).sqrt();
            if *max == 0.0 && rms == 0.0 {
                continue;
            }
            if !self.max[i].is_finite() || !self.rms[i].is_finite() {
                open = true;
                continue;
            }
            for ratio in [over(*max, self.max[i]), over(rms, self.rms[i])] {
                // Not `f64::max`, which drops NaN.
                worst = if ratio <= worst { worst } else { ratio };
            }
        }
        (!open || worst > R || worst.is_nan()).then_some(worst)
    }
}

/// Root mean square of every channel along `axis`, of the whole tensor where there is none.
fn channel_rms(tensor: &Tensor, axis: Option<usize>) -> Vec<f64> {
    let (shape, values) = (tensor.shape(), tensor.to_f64());
    let (channels, inner) = match axis.filter(|a| *a < shape.len()) {
        Some(a) => (shape[a], shape[a + 1..].iter().product::<usize>()),
        None => (1, values.len()),
    };
    let mut squares = vec![0.0; channels];
    for (k, run) in values.chunks(inner.max(1)).enumerate() {
        squares[k % channels.max(1)] += run.iter().map(|v| v * v).sum::<f64>();
    }
    let count = (values.len() / channels.max(1)).max(1) as f64;
    squares.into_iter().map(|s| (s / count).sqrt()).collect()
}

fn over(error: f64, floor: f64) -> f64 {
    match (error == 0.0, floor > 0.0) {
        (true, _) => 0.0,
        (false, true) => error / floor,
        (false, false) => f64::INFINITY,
    }
}

/// The signs of one run of one output: the same bits for the same seed, run and output, whatever ran before.
pub fn signs(seed: u64, run: u32, output: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((run as u64 + 1) << 40) | output as u64);
    rng
}

/// The noise that stands for one rounding of a node, B/R: a share of S, and what underflow may add.
#[derive(Clone, Copy, Debug)]
pub struct Amplitude {
    share: f64,
    underflow: f64,
    /// What underflow may add at most, as a share of S.
    underflow_share: f64,
}

impl Amplitude {
    /// Of a sum of `terms` computed in `dtype`.
    pub fn of(family: Family, terms: usize, dtype: DType) -> Self {
        let share = family::noise(family, terms, dtype.unit_roundoff());
        Self {
            share,
            underflow: terms as f64 * dtype.tiny() / R,
            underflow_share: 2.0 / R,
        }
    }

    /// The same so many times as large.
    pub fn times(self, by: f64) -> Self {
        Self {
            share: by * self.share,
            underflow: by * self.underflow,
            underflow_share: by * self.underflow_share,
        }
    }

    /// At an element with this S. Two engines round a term t that underflows to 0 or to a neighbour that is no further than 2|t|, so the K
    /// terms of a sum differ by K smallest subnormals, and never by more than 2S: where S is 0 nothing underflows.
    pub fn at(self, scale: f64) -> f64 {
        self.share * scale + self.underflow.min(self.underflow_share * scale)
    }

    /// S from which on underflow adds less than half a last bit, and no noise is as small as [`UNDERFLOW`].
    fn plain_from(self) -> f64 {
        (self.underflow / (f64::EPSILON / 4.0)).max(UNDERFLOW) / self.share
    }
}

/// `exact` ± `amplitude` at S, with random signs:
///
/// | undisturbed | S | disturbed |
/// |---|---|---|
/// | NaN, ±inf | any | the same: an infinite mask rounds nothing |
/// | finite | finite | ± noise |
/// | finite | inf, NaN | NaN: nothing bounds what an engine gives, so what follows from it has no floor |
pub fn disturbed(
    exact: &Tensor,
    scale: &Tensor,
    amplitude: Amplitude,
    rng: &mut ChaCha8Rng,
) -> Option<Tensor> {
    let (y, s) = (exact.values::<f64>()?, scale.values::<f64>()?);
    let mut out = vec![0.0; y.len()];
    let plain_from = amplitude.plain_from();
    for ((to, y), s) in out.chunks_mut(64).zip(y.chunks(64)).zip(s.chunks(64)) {
        match is_plain(y, s, plain_from) {
            true => add_plain(to, y, s, amplitude.share, rng.next_u64()),
            false => add_signed(to, y, s, amplitude, rng.next_u64()),
        }
    }
    Some(Tensor::from_vec(exact.shape(), out))
}

/// `value` moved by `times` the largest deviation of its channel, with random signs; None where the channels are not those of the floor.
pub fn moved(value: &Tensor, floor: &Floor, times: f64, rng: &mut ChaCha8Rng) -> Option<Tensor> {
    let (shape, values) = (value.shape(), value.values::<f64>()?);
    let (channels, inner) = floor.axis.map_or((1, values.len()), |a| {
        (shape[a], shape[a + 1..].iter().product())
    });
    if floor.max.len() != channels {
        return None;
    }
    let mut out = values.to_vec();
    for (k, v) in out.iter_mut().enumerate() {
        let by = times * floor.max[k / inner.max(1) % channels];
        let sign = if rng.next_u64() & 1 == 1 { by } else { -by };
        *v += if by.is_finite() { sign } else { 0.0 };
    }
    Some(Tensor::from_vec(shape, out))
}

/// Whether all of it is finite and nothing of it comes near to underflow: where [`add_plain`] gives the bits of [`add_signed`].
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl+avx512bw", "x86_64+avx2"))]
fn is_plain(y: &[f64], s: &[f64], from: f64) -> bool {
    y.iter().zip(s).fold(true, |plain, (y, s)| {
        plain & (y.abs() <= f64::MAX) & (*s >= from) & (*s <= f64::MAX)
    })
}

/// One bit of `bits` is the sign of one element's noise.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl+avx512bw", "x86_64+avx2"))]
fn add_plain(to: &mut [f64], y: &[f64], s: &[f64], share: f64, bits: u64) {
    for (i, ((to, y), s)) in to.iter_mut().zip(y).zip(s).enumerate() {
        *to = y + f64::from_bits((share * s).to_bits() ^ ((bits >> i & 1) << 63));
    }
}

/// The same for whatever may be infinite, or so small that it underflows.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl+avx512bw", "x86_64+avx2"))]
fn add_signed(to: &mut [f64], y: &[f64], s: &[f64], amplitude: Amplitude, bits: u64) {
    for (i, ((to, y), s)) in to.iter_mut().zip(y).zip(s).enumerate() {
        let noise = amplitude.at(*s);
        let moved = y + f64::from_bits(noise.to_bits() ^ ((bits >> i & 1) << 63));
        let across = (noise < UNDERFLOW) & ((moved < 0.0) != (*y < 0.0));
        let rounds = if across { 0.0 } else { moved };
        let bounded = if s.is_finite() { rounds } else { f64::NAN };
        *to = if y.is_finite() { bounded } else { *y };
    }
}

/// Per channel: largest |noisy − exact| and the sum of its squares; the whole tensor is one channel where `axis` is None. What is
/// infinite or NaN undisturbed spreads nothing; what only noise makes so spreads without end. None where the shapes differ.
pub fn deviation(exact: &Tensor, noisy: &Tensor, axis: Option<usize>) -> Option<Channels> {
    let (a, b) = (exact.values::<f64>()?, noisy.values::<f64>()?);
    if exact.shape() != noisy.shape() {
        return None;
    }
    let (channels, inner) = match axis {
        Some(x) => (
            exact.shape()[x],
            exact.shape()[x + 1..].iter().product::<usize>(),
        ),
        None => (1, a.len()),
    };
    let count = (a.len() / channels.max(1)) as u64;
    let mut out = Channels {
        axis: axis.unwrap_or(0),
        max: vec![0.0; channels],
        sum_sq: vec![0.0; channels],
        count,
    };
    for (k, (x, y)) in a
        .chunks(inner.max(1))
        .zip(b.chunks(inner.max(1)))
        .enumerate()
    {
        let (max, sum) = spread(x, y);
        let c = k % channels;
        out.max[c] = out.max[c].max(max);
        out.sum_sq[c] += sum;
    }
    Some(out)
}

/// Largest |x − y| and the sum of its squares, in eight lanes whatever the processor offers.
#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl+avx512bw", "x86_64+avx2"))]
fn spread(x: &[f64], y: &[f64]) -> (f64, f64) {
    const LANES: usize = 8;
    let (mut max, mut sum) = ([0f64; LANES], [0f64; LANES]);
    let mut lane = |l: usize, p: f64, q: f64| {
        let d = (p - q).abs();
        let d = if d.is_nan() {
            if p.is_finite() { f64::INFINITY } else { 0.0 }
        } else {
            d
        };
        max[l] = if d > max[l] { d } else { max[l] };
        sum[l] += d * d;
    };
    let whole = x.len() / LANES * LANES;
    for (p, q) in x[..whole]
        .chunks_exact(LANES)
        .zip(y[..whole].chunks_exact(LANES))
    {
        for l in 0..LANES {
            lane(l, p[l], q[l]);
        }
    }
    for (l, (p, q)) in x[whole..].iter().zip(&y[whole..]).enumerate() {
        lane(l, *p, *q);
    }
    (max.into_iter().fold(0.0, f64::max), sum.into_iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    fn channels(max: &[f64], sum_sq: &[f64], count: u64) -> Channels {
        Channels {
            axis: 0,
            max: max.to_vec(),
            sum_sq: sum_sq.to_vec(),
            count,
        }
    }

    #[test]
    fn no_floor_and_no_error_agree_and_no_floor_with_an_error_is_exact_expected() {
        let mut floor = Floor::default();
        floor.add(&channels(&[0.0, 2.0], &[0.0, 8.0], 2));
        assert_eq!(
            floor.ratio(&channels(&[0.0, 0.0], &[0.0, 0.0], 2)),
            Some(0.0)
        );
        assert_eq!(
            floor.ratio(&channels(&[1e-30, 0.0], &[1e-60, 0.0], 2)),
            Some(f64::INFINITY)
        );
        assert_relative_eq!(
            floor.ratio(&channels(&[0.0, 6.0], &[0.0, 8.0], 2)).unwrap(),
            3.0
        );
    }

    #[test]
    fn what_is_moved_one_way_and_then_the_other_is_moved_by_its_own_channels_spread() {
        let floor = Floor {
            axis: Some(1),
            max: vec![0.5, f64::INFINITY, 2.0],
            rms: vec![0.1; 3],
            runs: 4,
        };
        let y = Tensor::of(&[2, 3, 2], &[1.0; 12]);
        let by = |times: f64| {
            moved(&y, &floor, times, &mut signs(7, 1, 3))
                .unwrap()
                .to_f64()
        };
        let (up, down) = (by(4.0), by(-4.0));
        for (k, (a, b)) in up.iter().zip(&down).enumerate() {
            let size = [2.0, 0.0, 8.0][k / 2 % 3];
            assert_eq!(((a - 1.0).abs(), a - 1.0), (size, 1.0 - b));
        }
        assert!(
            moved(
                &y,
                &Floor {
                    axis: None,
                    ..floor
                },
                1.0,
                &mut signs(7, 1, 3)
            )
            .is_none()
        );
    }

    #[test]
    fn the_noise_has_the_stated_size_random_signs_and_repeats() {
        let (y, s) = (
            Tensor::of(&[1000], &vec![1.0; 1000]),
            Tensor::of(&[1000], &vec![2.0; 1000]),
        );
        let quarter = Amplitude {
            share: 0.25,
            underflow: 0.0,
            underflow_share: 0.5,
        };
        let run = |r| {
            disturbed(&y, &s, quarter, &mut signs(7, r, 3))
                .unwrap()
                .to_f64()
        };
        assert!(run(0).iter().all(|v| *v == 0.5 || *v == 1.5));
        let up = run(0).iter().filter(|v| **v > 1.0).count();
        assert!((400..600).contains(&up), "{up}");
        assert_eq!(run(0), run(0));
        assert_ne!(run(0), run(1));
    }

    #[test]
    fn what_is_far_from_underflow_is_disturbed_to_the_same_bits_by_the_shorter_way() {
        for (terms, dtype) in [
            (1, DType::F32),
            (4096, DType::F32),
            (9, DType::F16),
            (9, DType::BF16),
        ] {
            let amplitude = Amplitude::of(Family::Matmul, terms, dtype);
            let from = amplitude.plain_from();
            let sizes: Vec<f64> = (0..64)
                .map(|i| from * (1.0 + i as f64 * 0.37).powi(i))
                .collect();
            let y: Vec<f64> = sizes
                .iter()
                .enumerate()
                .map(|(i, s)| s * [0.0, -1.0, 0.3, 1e-3][i % 4])
                .collect();
            assert!(is_plain(&y, &sizes, from));
            let (mut plain, mut careful) = ([0.0; 64], [0.0; 64]);
            add_plain(
                &mut plain,
                &y,
                &sizes,
                amplitude.share,
                0x9e37_79b9_7f4a_7c15,
            );
            add_signed(&mut careful, &y, &sizes, amplitude, 0x9e37_79b9_7f4a_7c15);
            assert_eq!(
                plain.map(f64::to_bits),
                careful.map(f64::to_bits),
                "{terms} in {dtype}"
            );
            for (at, y, s) in [
                (3, f64::NAN, from),
                (9, f64::INFINITY, from),
                (11, 1.0, f64::NAN),
                (12, 1.0, 0.99 * from),
                (13, 1.0, f64::INFINITY),
            ] {
                let (mut odd_y, mut odd_s) = (plain, sizes.clone());
                (odd_y[at], odd_s[at]) = (y, s);
                assert!(!is_plain(&odd_y, &odd_s, from), "{y} at {s}");
            }
        }
    }

    #[test]
    fn what_underflows_goes_to_zero_and_not_across_it() {
        let (y, s) = (
            Tensor::of(&[3], &[0.0, 1e-40, -1e-40]),
            Tensor::of(&[3], &[UNDERFLOW; 3]),
        );
        for run in 0..8 {
            let moved = disturbed(
                &y,
                &s,
                Amplitude {
                    share: 1e-3,
                    underflow: 0.0,
                    underflow_share: 0.5,
                },
                &mut signs(7, run, 3),
            )
            .unwrap()
            .to_f64();
            assert!(
                moved[0] >= 0.0 && moved[1] >= 0.0 && moved[2] <= 0.0,
                "{moved:?}"
            );
        }
    }

    /// The floor of a tensor `y` whose noise is that of one node alone.
    fn floor_of(y: &[f64], s: &[f64], amplitude: Amplitude) -> (Floor, Vec<Vec<f64>>) {
        let (y, s) = (Tensor::of(&[y.len()], y), Tensor::of(&[s.len()], s));
        let mut floor = Floor::default();
        let runs =
            (1..=RUNS).map(|run| disturbed(&y, &s, amplitude, &mut signs(7, run, 3)).unwrap());
        let runs = runs
            .inspect(|noisy| floor.add(&deviation(&y, noisy, None).unwrap()))
            .map(|t| t.to_f64())
            .collect();
        (floor, runs)
    }

    #[test]
    fn a_subnormal_that_another_engine_rounds_the_other_way_is_within_the_floor_and_two_of_them_are_not()
     {
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let (tiny, step) = (dtype.tiny(), |of: f64| {
                channels(&[of * dtype.tiny()], &[(of * dtype.tiny()).powi(2)], 1)
            });
            // A single rounding; half a step is rounded to 0 or to 1; a sum of eight terms may take eight steps.
            for (terms, sizes, steps) in [(1, [0.5, 1.0, 3.0], 1.0), (8, [4.0, 100.0, 300.0], 8.0)]
            {
                for size in sizes {
                    let (floor, _) = floor_of(
                        &[size * tiny],
                        &[size * tiny],
                        Amplitude::of(Family::Arithmetic, terms, dtype),
                    );
                    assert!(
                        floor.ratio(&step(steps)).unwrap() / R <= 1.0,
                        "{dtype} K = {terms} at {size} steps: {floor:?}"
                    );
                    assert!(
                        floor.ratio(&step(2.0 * steps)).unwrap() / R > 1.0,
                        "{dtype} K = {terms} at {size} steps: {floor:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn underflow_moves_no_zero_of_zeros_and_takes_no_square_below_zero() {
        let tiny = DType::F32.tiny();
        let squares = [0.0, 1e-60, 0.3 * tiny, tiny, 5.0 * tiny];
        let (_, runs) = floor_of(
            &squares,
            &squares,
            Amplitude::of(Family::Arithmetic, 1, DType::F32),
        );
        assert!(
            runs.iter().flatten().all(|y| y.sqrt().is_finite())
                && runs.iter().all(|r| r[0] == 0.0 && r[4] != squares[4]),
            "{runs:?}"
        );
        // Of a difference in f32 that is 0, a step below 0 is as good as one above, but not through a square root.
        let (_, runs) = floor_of(
            &[0.0],
            &[tiny],
            Amplitude::of(Family::Arithmetic, 1, DType::F32),
        );
        assert!(
            runs.iter().flatten().all(|y| *y >= 0.0) && runs.iter().flatten().any(|y| *y > 0.0),
            "{runs:?}"
        );
    }

    #[test]
    fn what_is_infinite_takes_no_noise_and_what_nothing_bounds_spreads_without_end() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let table = [
            (-inf, inf, -inf),
            (inf, inf, inf),
            (nan, nan, nan),
            (-inf, 1.0, -inf),
            (nan, 1.0, nan),
            (1.0, inf, nan),
            (0.0, nan, nan),
        ];
        let (y, s) = (table.map(|row| row.0), table.map(|row| row.1));
        let (_, runs) = floor_of(
            &y,
            &s,
            Amplitude {
                share: 1e-3,
                underflow: 1e-40,
                underflow_share: 0.5,
            },
        );
        for ((y, s, want), have) in table.iter().zip(&runs[0]) {
            assert!(
                have == want || have.is_nan() && want.is_nan(),
                "{y} with S = {s}: {have}"
            );
        }
        let spread = |y: f64, s: f64| {
            floor_of(
                &[y, 1.0],
                &[s, 1.0],
                Amplitude {
                    share: 1e-3,
                    underflow: 0.0,
                    underflow_share: 0.5,
                },
            )
            .0
            .max[0]
        };
        assert!(
            [(-inf, inf), (nan, nan), (inf, 1.0)]
                .iter()
                .all(|(y, s)| (spread(*y, *s) - 1e-3).abs() < 1e-12),
            "a mask hides nothing"
        );
        assert!(spread(1.0, inf) == inf && spread(1.0, nan) == inf);
    }

    #[test]
    fn a_sum_is_as_open_as_its_parts_and_what_counts_nothing_opens_nothing() {
        let of = |max: [f64; 2]| Floor {
            axis: None,
            max: max.to_vec(),
            rms: max.to_vec(),
            runs: RUNS,
        };
        let (open, closed) = (of([f64::INFINITY, 1.0]), of([1.0, 2.0]));
        let sum = |weight: f64| {
            Floor::sum([(&open, weight), (&closed, -3.0)].into_iter())
                .unwrap()
                .max
        };
        assert_eq!(
            (sum(2.0), sum(0.0)),
            (vec![f64::INFINITY, 8.0], vec![3.0, 6.0])
        );
    }

    #[test]
    fn a_run_that_leaves_a_domain_leaves_no_floor() {
        let of = |v: f64| Tensor::of(&[2], &[1.0, v]);
        let floor = |exact: f64, noisy: f64| {
            let mut floor = Floor::default();
            floor.add(&deviation(&of(exact), &of(noisy), None).unwrap());
            floor
        };
        let open = |f: Floor| f.ratio(&channels(&[1e-9], &[1e-18], 2)).is_none();
        assert!(open(floor(0.0, f64::NAN)) && open(floor(1.0, f64::INFINITY)));
        assert!(
            !open(floor(f64::NAN, f64::NAN))
                && !open(floor(f64::INFINITY, f64::INFINITY))
                && !open(floor(1.0, 2.0))
        );
    }

    #[test]
    fn a_small_tensor_takes_more_runs() {
        assert_eq!([1, 4, 12, 16, 1000].map(runs_for), [16, 16, 6, 4, 4]);
    }

    #[test]
    fn more_runs_take_no_spread_back() {
        let mut floor = Floor::default();
        (0..RUNS).for_each(|_| floor.add(&channels(&[1.0], &[1.0], 1)));
        let mut rest = Floor::default();
        (RUNS..MOST_RUNS).for_each(|_| rest.add(&channels(&[0.0], &[0.0], 1)));
        floor.merge(&rest);
        assert_eq!(
            (floor.runs, &floor.max, &floor.rms),
            (MOST_RUNS, &vec![1.0], &vec![1.0])
        );
    }

    #[test]
    fn of_a_bent_graph_the_number_of_elements_that_go_far_may_be_another_in_every_engine() {
        // Of 100 elements two went to the other end of [-1, 1] in one of the runs, under four times the noise.
        let bent = Floor {
            axis: None,
            max: vec![2.0],
            rms: vec![(2.0 * 4.0 / 100f64).sqrt()],
            runs: 16,
        }
        .bent(R, 100);
        let of = |n: f64| bent.ratio(&channels(&[2.0], &[4.0 * n], 100)).unwrap() / R;
        assert!(
            of(2.0) <= 1.0 && of(3.0) <= 1.0 && of(11.0) <= 1.0 && of(12.0) > 1.0,
            "{} {}",
            of(11.0),
            of(12.0)
        );
        assert!(
            bent.ratio(&channels(&[2.1], &[4.41], 100)).unwrap() / R > 1.0,
            "none goes further than that"
        );
    }

    #[test]
    fn what_a_whole_channel_shares_is_as_wide_as_the_same_deviation_of_one_number() {
        // Root mean squares of one run each: three of no account, and one in which all elements go the same way.
        let (mut shared, mut single) = (Floor::default(), Floor::default());
        for by in [0.1, 0.0, 2.0, 0.3] {
            shared.add(&channels(&[by], &[100.0 * by * by], 100));
            single.add(&channels(&[by], &[by * by], 1));
        }
        assert_relative_eq!(shared.rms[0], 2.0);
        assert_eq!((single.rms[0], single.max[0]), (2.0, 2.0));
    }

    #[test]
    fn merged_runs_are_as_if_they_had_been_added() {
        let runs: Vec<Channels> = (1..=6)
            .map(|i| channels(&[i as f64, 0.5], &[(i * i) as f64, 0.25], 1))
            .collect();
        let of = |part: &[Channels]| {
            part.iter().fold(Floor::default(), |mut f, c| {
                f.add(c);
                f
            })
        };
        let (mut merged, all) = (of(&runs[..2]), of(&runs));
        merged.merge(&of(&runs[2..]));
        assert_eq!((merged.runs, &merged.max), (all.runs, &all.max));
        merged
            .rms
            .iter()
            .zip(&all.rms)
            .for_each(|(a, b)| assert_relative_eq!(a, b, max_relative = 1e-14));
    }

    #[test]
    fn small_channels_are_pooled() {
        assert_eq!(axis_for(&[1, 32, 26, 26]), Some(1));
        assert_eq!(axis_for(&[1, 3549, 6]), Some(2));
        assert_eq!(axis_for(&[1, 128, 1, 1]), None);
        assert_eq!(axis_for(&[5]), None);
    }
}
