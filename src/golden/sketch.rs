//! sketch: what is kept of a tensor too large to keep: how much of it is finite, order statistics, sampled values, sums per channel,
//! and a linear random projection from which the L2 distance of two tensors is estimated.
//!
//! The projection is the Count-Sketch: every element is added to one of m buckets with one sign, both drawn by its place. It is linear,
//! S(a) − S(b) = S(a − b), and E‖S(x)‖² = ‖x‖² with Var‖S(x)‖² ≤ 2‖x‖⁴ / m: the squared distance has the relative standard error √(2/m).
//! Alon, Matias and Szegedy, "The space complexity of approximating the frequency moments", 1996; Charikar, Chen and Farach-Colton,
//! "Finding frequent items in data streams", 2002. Sums are f64 in the order of the elements: equal bits in, equal bits out, anywhere.

use crate::hash;
use crate::tensor::{DType, Tensor, View};
use serde::{Deserialize, Serialize};

/// Percentiles kept; each is an element of the tensor, the one at rank ⌊percent · (finite − 1) / 100⌋.
pub const PERCENT: [u64; 9] = [0, 1, 5, 25, 50, 75, 95, 99, 100];

/// Sums per channel are kept along axis 1, where a tensor has from 2 to this many channels.
pub const CHANNELS: usize = 1024;

/// Elements hashed by one draw of 64 bits: 16 bits each, of which one is the sign.
const PER_DRAW: usize = 4;
const MOST_BUCKETS: usize = 1 << 15;

/// What a sketch was made with; two sketches of other settings cannot be held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub seed: u64,
    /// m, a power of two up to 32768.
    pub buckets: usize,
    /// Values kept at drawn places.
    pub samples: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            buckets: 256,
            samples: 64,
        }
    }
}

impl Settings {
    /// What no sketch can be made with, in words.
    pub fn fault(&self) -> Option<String> {
        let fits = self.buckets.is_power_of_two() && (2..=MOST_BUCKETS).contains(&self.buckets);
        (!fits).then(|| {
            format!(
                "a sketch of {} buckets: a power of two from 2 to {MOST_BUCKETS} is needed",
                self.buckets
            )
        })
    }
}

/// Elements that are not finite, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotFinite {
    pub nan: u64,
    pub positive: u64,
    pub negative: u64,
}

/// The sketch of one tensor.
#[derive(Clone, Debug)]
pub struct Sketch {
    pub settings: Settings,
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub not_finite: NotFinite,
    /// The finite elements at [`PERCENT`]; empty where none is finite.
    pub quantiles: Vec<f64>,
    /// ‖x‖ over the finite elements.
    pub norm: f64,
    /// Flat places of the sampled values, rising; one drawn from each stride.
    pub sample_at: Vec<u64>,
    /// The values there, in the tensor's own dtype.
    pub sample: Tensor,
    /// Sum of the finite elements per channel; empty where the tensor has no channels.
    pub channels: Vec<f64>,
    /// The Count-Sketch of the finite elements; what is not finite counts as 0.
    pub projection: Vec<f64>,
}

/// Sketches `tensor`.
///
/// # Panics
/// Where the settings have a [`Settings::fault`] (a programming error: what is read from a file is checked there).
pub fn of(tensor: View<'_>, settings: Settings) -> Sketch {
    assert!(settings.fault().is_none(), "{settings:?}");
    let mut values = if tensor.bytes.is_empty() {
        vec![]
    } else {
        tensor.to_f64()
    };
    let (not_finite, sample_at) = (classes(&values), places(values.len() as u64, settings));
    let finite: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    values
        .iter_mut()
        .filter(|x| !x.is_finite())
        .for_each(|x| *x = 0.0);
    Sketch {
        settings,
        dtype: tensor.dtype,
        shape: tensor.shape.to_vec(),
        not_finite,
        quantiles: quantiles(finite),
        norm: sum(values.iter().map(|x| x * x)).sqrt(),
        sample: pick(tensor, &sample_at),
        sample_at,
        channels: channel_sums(&values, tensor.shape),
        projection: project(&values, settings),
    }
}

fn classes(values: &[f64]) -> NotFinite {
    let count = |is: fn(&f64) -> bool| values.iter().filter(|x| is(x)).count() as u64;
    NotFinite {
        nan: count(|x| x.is_nan()),
        positive: count(|x| *x == f64::INFINITY),
        negative: count(|x| *x == f64::NEG_INFINITY),
    }
}

/// One place out of each of `samples` equal strides, or every place of a tensor that has no more.
fn places(numel: u64, settings: Settings) -> Vec<u64> {
    let samples = (settings.samples as u64).min(numel);
    let key = hash::key(settings.seed, 1);
    let edge = |j: u64| (numel as u128 * j as u128 / samples as u128) as u64;
    (0..samples)
        .map(|j| edge(j) + hash::bits(key, j) % (edge(j + 1) - edge(j)))
        .collect()
}

/// The elements at `places`, bit for bit.
fn pick(tensor: View<'_>, places: &[u64]) -> Tensor {
    let size = tensor.dtype.size();
    let bytes: Vec<u8> = places
        .iter()
        .flat_map(|at| &tensor.bytes[*at as usize * size..][..size])
        .copied()
        .collect();
    Tensor::from_bytes(tensor.dtype, vec![places.len()], &bytes).expect("as many bytes as places")
}

/// The Count-Sketch of `values`.
fn project(values: &[f64], settings: Settings) -> Vec<f64> {
    let key = hash::key(settings.seed, 0);
    let (mut sums, mask) = (vec![0.0; settings.buckets], settings.buckets - 1);
    for (draw, elements) in values.chunks(PER_DRAW).enumerate() {
        let mut bits = hash::bits(key, draw as u64);
        for x in elements {
            let bucket = (bits >> 1) as usize & mask;
            sums[bucket] += f64::from_bits(x.to_bits() ^ bits << 63);
            bits >>= 16;
        }
    }
    sums
}

fn channel_sums(values: &[f64], shape: &[usize]) -> Vec<f64> {
    let Some(channels) = shape
        .get(1)
        .copied()
        .filter(|c| (2..=CHANNELS).contains(c) && !values.is_empty())
    else {
        return vec![];
    };
    let inner: usize = shape[2..].iter().product();
    let mut sums = vec![0.0; channels];
    for (slice, part) in values.chunks_exact(inner).enumerate() {
        sums[slice % channels] += sum(part.iter().copied());
    }
    sums
}

/// A plain sum in order, from +0: what every later version must give too.
fn sum(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, x| sum + x)
}

/// The elements of `values`, all finite, at the ranks of [`PERCENT`].
fn quantiles(mut values: Vec<f64>) -> Vec<f64> {
    let Some(last) = values.len().checked_sub(1) else {
        return vec![];
    };
    let ranks = PERCENT.map(|percent| (last as u128 * percent as u128 / 100) as usize);
    settle(&mut values, 0, &ranks);
    ranks.map(|rank| values[rank]).to_vec()
}

/// Puts into place what a sort would put at `ranks`; `values` starts at rank `start`.
fn settle(values: &mut [f64], start: usize, ranks: &[usize]) {
    let Some(rank) = ranks.get(ranks.len() / 2).copied() else {
        return;
    };
    let (below, _, above) = values.select_nth_unstable_by(rank - start, f64::total_cmp);
    settle(below, start, &ranks[..ranks.partition_point(|r| *r < rank)]);
    settle(
        above,
        rank + 1,
        &ranks[ranks.partition_point(|r| *r <= rank)..],
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tensor(values: &[f32]) -> Tensor {
        Tensor::of(&[values.len()], values)
    }

    #[test]
    fn a_worked_example_is_as_computed_by_hand() {
        let t = Tensor::of(
            &[1, 2, 3],
            &[3f32, f32::NAN, -4.0, f32::INFINITY, 0.0, f32::NEG_INFINITY],
        );
        let s = of(t.view(), Settings::default());
        assert_eq!(
            s.not_finite,
            NotFinite {
                nan: 1,
                positive: 1,
                negative: 1
            }
        );
        assert_eq!((s.norm, s.channels.as_slice()), (5.0, &[-1.0, 0.0][..]));
        assert_eq!(
            s.quantiles,
            [-4.0, -4.0, -4.0, -4.0, 0.0, 0.0, 0.0, 0.0, 3.0]
        );
        assert_eq!(
            s.sample_at,
            [0, 1, 2, 3, 4, 5],
            "a tensor with fewer elements than samples is sampled whole"
        );
        assert_eq!(s.sample.bytes(), t.bytes());
    }

    #[test]
    fn nothing_and_a_scalar_have_a_sketch_in_every_dtype() {
        for dtype in DType::ALL {
            for shape in [vec![0], vec![2, 0, 3], vec![], vec![1], vec![1, 3]] {
                let bytes = vec![0u8; shape.iter().product::<usize>() * dtype.size()];
                let t = Tensor::from_bytes(dtype, shape.clone(), &bytes).unwrap();
                let s = of(t.view(), Settings::default());
                assert_eq!(
                    (s.dtype, s.sample.numel(), s.norm),
                    (dtype, t.numel(), 0.0),
                    "{dtype} {shape:?}"
                );
            }
        }
    }

    #[test]
    fn the_bits_of_a_sketch_are_the_same_on_every_machine() {
        let values: Vec<f32> = (0..10_000)
            .map(|i| (i as f32 * 0.37 - 1800.0) * 1.0e-3)
            .collect();
        let s = of(
            Tensor::of(&[10, 20, 50], &values).view(),
            Settings {
                seed: 5,
                ..Default::default()
            },
        );
        let bytes: Vec<u8> = [&s.projection, &s.channels, &s.quantiles, &vec![s.norm]]
            .iter()
            .flat_map(|v| v.iter())
            .flat_map(|x| x.to_le_bytes())
            .collect();
        // Computed by another program from the description above. Another value means that stored goldens no longer compare.
        assert_eq!(
            crate::digest::of_bytes(&bytes),
            "67305a074a3121c810433c5cf2df03c3de052d885ef1d80143f79d87926555c3"
        );
    }

    proptest! {
        #[test]
        fn a_projection_is_linear(a in prop::collection::vec(-1000i32..1000, 1..600), seed: u64) {
            // Small integers: no sum rounds, so that linearity holds to the last bit.
            let b: Vec<f32> = a.iter().map(|x| (x * 7 % 311) as f32).collect();
            let a: Vec<f32> = a.iter().map(|x| *x as f32).collect();
            let difference: Vec<f32> = a.iter().zip(&b).map(|(x, y)| x - y).collect();
            let project = |v: &[f32]| of(tensor(v).view(), Settings { seed, ..Default::default() }).projection;
            let (sa, sb, sd) = (project(&a), project(&b), project(&difference));
            for j in 0..sd.len() {
                prop_assert_eq!(sa[j] - sb[j], sd[j]);
            }
        }

        #[test]
        fn quantiles_are_the_sorted_elements_at_their_ranks(values in prop::collection::vec(prop::num::f32::ANY, 0..300)) {
            let mut finite: Vec<f64> = values.iter().map(|x| *x as f64).filter(|x| x.is_finite()).collect();
            finite.sort_by(f64::total_cmp);
            let want: Vec<u64> = PERCENT.iter().filter_map(|p| finite.get((finite.len().max(1) - 1) * *p as usize / 100)).map(|x| x.to_bits()).collect();
            let got: Vec<u64> = of(tensor(&values).view(), Settings::default()).quantiles.iter().map(|x| x.to_bits()).collect();
            prop_assert_eq!(got, want);
        }

        #[test]
        fn the_same_tensor_has_the_same_sketch_bit_for_bit(values in prop::collection::vec(prop::num::f64::ANY, 1..300), seed: u64) {
            let make = || of(Tensor::of(&[values.len()], &values).view(), Settings { seed, ..Default::default() });
            let bits = |s: &Sketch| s.projection.iter().chain(&s.quantiles).map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&make()), bits(&make()));
            prop_assert_eq!(make().sample_at, make().sample_at);
        }

        #[test]
        fn sampled_places_are_one_of_each_stride(numel in 0u64..5000, samples in 0usize..100, seed: u64) {
            let at = places(numel, Settings { seed, samples, ..Default::default() });
            prop_assert_eq!(at.len() as u64, numel.min(samples as u64));
            prop_assert!(at.windows(2).all(|w| w[0] < w[1]) && at.iter().all(|p| *p < numel));
        }
    }
}
