//! channels: the error per index along one axis, added up block by block as the fused pass goes.

use super::block::{larger, spread};
use super::metrics::Channels;
use super::number::Number;

/// Where a flat index lies along the axis: channel = flat / inner % count.
pub struct ChannelTally {
    axis: usize,
    inner: usize,
    elements: u64,
    max: Vec<f64>,
    sum_sq: Vec<f64>,
}

impl ChannelTally {
    /// None where `shape` has no such axis.
    pub fn new(shape: &[usize], axis: usize) -> Option<Self> {
        let count = *shape.get(axis)?;
        let numel: usize = shape.iter().product();
        // With one channel the whole tensor is one run.
        let inner = if count == 1 {
            numel
        } else {
            shape[axis + 1..].iter().product()
        };
        let elements = numel.checked_div(count).unwrap_or(0) as u64;
        Some(Self {
            axis,
            inner: inner.max(1),
            elements,
            max: vec![0.0; count],
            sum_sq: vec![0.0; count],
        })
    }

    /// Adds finite pairs that start at flat index `at`; `whole` is what `spread` gives for all of them together.
    #[inline(always)]
    pub fn add<T: Number>(
        &mut self,
        at: usize,
        reference: &[T],
        candidate: &[T],
        whole: (f64, f64),
    ) {
        let (first, last) = (at / self.inner, (at + reference.len() - 1) / self.inner);
        if first == last {
            self.add_to(first % self.max.len(), whole);
        } else if self.inner == 1 {
            self.add_rows(at, reference, candidate);
        } else {
            self.add_runs(at, reference, candidate);
        }
    }

    #[inline(always)]
    fn add_to(&mut self, channel: usize, (max, square): (f64, f64)) {
        self.max[channel] = larger(self.max[channel], max);
        self.sum_sq[channel] += square;
    }

    /// Several runs of one channel each; the first and the last may be parts of one.
    #[inline(always)]
    fn add_runs<T: Number>(&mut self, at: usize, reference: &[T], candidate: &[T]) {
        let mut from = 0;
        while from < reference.len() {
            let run = (at + from) / self.inner;
            let to = reference.len().min((run + 1) * self.inner - at);
            self.add_to(
                run % self.max.len(),
                spread(&reference[from..to], &candidate[from..to]),
            );
            from = to;
        }
    }

    /// The axis is the last: neighbours belong to neighbouring channels. Two whole rows at a time, where there are two.
    #[inline(always)]
    fn add_rows<T: Number>(&mut self, at: usize, reference: &[T], candidate: &[T]) {
        let count = self.max.len();
        let mut from = 0;
        while from < reference.len() {
            let (channel, left) = ((at + from) % count, reference.len() - from);
            if channel == 0 && left >= 2 * count {
                let rows = from..from + 2 * count;
                self.add_two_rows(
                    reference[rows.clone()].split_at(count),
                    candidate[rows].split_at(count),
                );
                from += 2 * count;
            } else {
                let len = left.min(count - channel);
                let (maxes, squares) = (
                    &mut self.max[channel..][..len],
                    &mut self.sum_sq[channel..][..len],
                );
                let pairs = reference[from..][..len]
                    .iter()
                    .zip(&candidate[from..][..len]);
                for ((r, c), (max, square)) in pairs.zip(maxes.iter_mut().zip(squares)) {
                    let d = c.minus(*r);
                    *max = larger_size(*max, d);
                    *square += d * d;
                }
                from += len;
            }
        }
    }

    #[inline(always)]
    fn add_two_rows<T: Number>(&mut self, (r0, r1): (&[T], &[T]), (c0, c1): (&[T], &[T])) {
        let n = self.max.len();
        let (max, square) = (&mut self.max[..n], &mut self.sum_sq[..n]);
        let (r0, r1, c0, c1) = (&r0[..n], &r1[..n], &c0[..n], &c1[..n]);
        for i in 0..n {
            let (d, e) = (c0[i].minus(r0[i]), c1[i].minus(r1[i]));
            max[i] = larger_size(larger_size(max[i], d), e);
            square[i] += d * d + e * e;
        }
    }

    pub fn finish(self) -> Channels {
        Channels {
            axis: self.axis,
            max: self.max,
            sum_sq: self.sum_sq,
            count: self.elements,
        }
    }
}

/// The larger of `max` and |d|, none of them NaN. As bits, which order as the numbers do from 0 up: a select between floats
/// becomes a masked store, and stalls.
#[inline(always)]
fn larger_size(max: f64, d: f64) -> f64 {
    f64::from_bits(max.to_bits().max(d.abs().to_bits()))
}
