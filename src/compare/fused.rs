//! fused: one pass over both sides that computes every metric; reads each element once from memory and allocates only the channels.
//!
//! Both sides are cut into blocks. The arithmetic sees only full blocks of finite pairs: a pair with a NaN or an infinity
//! is decided by the table and replaced by two zeros in a copy of its block, and the tail is filled up with zeros.

use super::block::{BLOCK, Block};
use super::channels::ChannelTally;
use super::metrics::Metrics;
use super::number::Number;
use super::simd::{Kernel, Level};
use super::tally::Tally;

/// Compares two slices of the same shape.
pub fn metrics<T: Number>(level: Level, reference: &[T], candidate: &[T], shape: &[usize], axis: Option<usize>) -> Metrics {
    let channels = axis.and_then(|axis| ChannelTally::new(shape, axis));
    level.run(Pass { reference, candidate, channels })
}

struct Pass<'a, T> {
    reference: &'a [T],
    candidate: &'a [T],
    channels: Option<ChannelTally>,
}

impl<T: Number> Kernel for Pass<'_, T> {
    type Out = Metrics;

    #[inline(always)]
    fn run(self) -> Metrics {
        let mut tally = Tally::new(self.channels);
        let (blocks, r_rest) = self.reference.as_chunks::<BLOCK>();
        let (others, c_rest) = self.candidate.as_chunks::<BLOCK>();
        for (i, (r, c)) in blocks.iter().zip(others).enumerate() {
            tally.add(i * BLOCK, r, c, BLOCK);
        }
        if !r_rest.is_empty() {
            tally.add(blocks.len() * BLOCK, &filled(r_rest), &filled(c_rest), r_rest.len());
        }
        tally.finish(self.reference, self.candidate)
    }
}

/// A block that starts with `part` and ends with zeros.
fn filled<T: Number>(part: &[T]) -> Block<T> {
    let mut block = [T::zeroed(); BLOCK];
    block[..part.len()].copy_from_slice(part);
    block
}
