//! histogram: ULP distances in log2 bins, so that a percentile needs no memory that grows with the tensor.

use super::block::{BLOCK, Block};
use super::number::Number;
use crate::tensor::ulp::Gap;

/// A distance has 0 to 64 significant bits.
const BINS: usize = 65;
/// Lanes of the distances, and of the bytes that hold their bits.
const LANES: usize = 16;
const BYTES: usize = 64;

/// Bin 0 holds the distance 0, bin k the distances of k significant bits: 2^(k-1) to 2^k - 1.
pub struct Histogram {
    bins: [u64; BINS],
    largest: u64,
}

impl Histogram {
    pub fn new() -> Self {
        Self {
            bins: [0; BINS],
            largest: 0,
        }
    }

    /// Counts `n` pairs without distance.
    pub fn add_equal(&mut self, n: usize) {
        self.bins[0] += n as u64;
    }

    /// Counts a block of finite pairs, of which `padding` are equal pairs that are not there; gives how many have a distance.
    #[inline(always)]
    pub fn add<T: Number>(
        &mut self,
        reference: &Block<T>,
        candidate: &Block<T>,
        padding: usize,
    ) -> u64 {
        let (bits, largest) = gaps(reference, candidate);
        self.largest = self.largest.max(largest.into());
        let mut rest = BLOCK as u64;
        // A block's distances lie in few bins: one pass over the bytes per bin, down from the largest, beats one increment per element.
        for k in (1..=largest.bits()).rev() {
            let n = count(&bits, k);
            self.bins[k as usize] += n;
            rest -= n;
            if rest == 0 {
                break;
            }
        }
        self.bins[0] += rest - padding as u64;
        BLOCK as u64 - rest
    }

    pub fn largest(&self) -> u64 {
        self.largest
    }

    /// The upper edge of the bin in which the smallest distance lies that at least `percent` of the pairs do not exceed.
    pub fn percentile(&self, percent: u64) -> u64 {
        let total: u64 = self.bins.iter().sum();
        let rank = (u128::from(total) * u128::from(percent)).div_ceil(100) as u64;
        let mut seen = 0;
        let k = self.bins.iter().position(|n| {
            seen += n;
            seen >= rank
        });
        let edge = u64::MAX
            .checked_shr(64 - k.unwrap_or(64) as u32)
            .unwrap_or(0);
        edge.min(self.largest)
    }
}

/// How many of the bytes are `k`.
#[inline(always)]
fn count(bytes: &[u8; BLOCK], k: u8) -> u64 {
    const { assert!(BLOCK / BYTES <= u8::MAX as usize) };
    let mut lanes = [0u8; BYTES];
    for chunk in bytes.as_chunks::<BYTES>().0 {
        for l in 0..BYTES {
            lanes[l] = lanes[l].wrapping_add((chunk[l] == k) as u8);
        }
    }
    lanes
        .iter()
        .fold(0u32, |sum, n| sum.wrapping_add(u32::from(*n)))
        .into()
}

/// The significant bits of each distance of a block, and the largest distance.
#[inline(always)]
fn gaps<T: Number>(reference: &Block<T>, candidate: &Block<T>) -> ([u8; BLOCK], T::Gap) {
    let mut bits = [0; BLOCK];
    let mut largest = [T::Gap::ZERO; LANES];
    for at in (0..BLOCK).step_by(LANES) {
        for lane in 0..LANES {
            let gap = reference[at + lane].gap(candidate[at + lane]);
            bits[at + lane] = gap.bits();
            largest[lane] = largest[lane].max(gap);
        }
    }
    (bits, largest.into_iter().max().unwrap_or(T::Gap::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(gaps: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        for chunk in gaps.chunks(BLOCK) {
            let mut candidate = [0u64; BLOCK];
            candidate[..chunk.len()].copy_from_slice(chunk);
            histogram.add(&[0; BLOCK], &candidate, BLOCK - chunk.len());
        }
        histogram
    }

    fn check(name: &str, gaps: &[u64], p99: u64, largest: u64) {
        let histogram = of(gaps);
        assert_eq!(
            (histogram.percentile(99), histogram.largest()),
            (p99, largest),
            "{name}"
        );
    }

    #[test]
    fn the_percentile_is_the_upper_edge_of_its_bin_and_never_above_the_largest() {
        check("nothing", &[], 0, 0);
        check("one distance is its own percentile", &[5], 5, 5);
        check("equal pairs only", &[0; 3000], 0, 0);
        check(
            "one outlier in a hundred is beyond the percentile",
            &[[0u64; 99].as_slice(), &[1000]].concat(),
            0,
            1000,
        );
        check(
            "two outliers in a hundred are not",
            &[[0u64; 98].as_slice(), &[1000, 4000]].concat(),
            1023,
            4000,
        );
        check("the widest distance", &[u64::MAX; 7], u64::MAX, u64::MAX);
        check(
            "distances of one bit are exact",
            &[[1u64; 2000].as_slice(), &[9]].concat(),
            1,
            9,
        );
    }
}
