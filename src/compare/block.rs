//! block: the arithmetic on one block of finite pairs, in a fixed number of lanes, so that every instruction set adds in the same order.

use super::number::Number;
use crate::tensor::DType;

/// Elements per block: both sides and the scratch fit the first-level cache.
pub const BLOCK: usize = 1024;
/// Lanes of every sum in f64, whatever the width of the registers.
const LANES: usize = 8;

pub type Block<T> = [T; BLOCK];
type Lanes = [f64; LANES];

/// What a first look at a block finds.
pub struct Glance {
    /// Pairs that differ in their bits.
    pub changed: u32,
    /// Some element is NaN or infinite.
    pub special: bool,
}

#[inline(always)]
pub fn glance<T: Number>(reference: &Block<T>, candidate: &Block<T>) -> Glance {
    let (mut changed, mut special) = (0u32, false);
    for (r, c) in reference.iter().zip(candidate) {
        changed = changed.wrapping_add(!r.same_bits(*c) as u32);
        special |= r.is_special() | c.is_special();
    }
    Glance { changed, special }
}

/// Sums over finite pairs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    pub abs: f64,
    pub signed: f64,
    pub square: f64,
    pub dot: f64,
    pub reference: f64,
    pub candidate: f64,
}

impl Sums {
    #[inline(always)]
    pub fn add(&mut self, other: Sums) {
        self.abs += other.abs;
        self.signed += other.signed;
        self.square += other.square;
        self.dot += other.dot;
        self.reference += other.reference;
        self.candidate += other.candidate;
    }
}

/// One block, measured.
pub struct Measured {
    pub sums: Sums,
    pub max_abs: f64,
    /// Some relative difference may exceed the limit; none does where this is false.
    pub over: bool,
}

/// All sums of a block; `limit` is the `limit_of` the largest relative difference so far.
#[inline(always)]
pub fn measure<T: Number>(reference: &Block<T>, candidate: &Block<T>, limit: f64) -> Measured {
    let zero: Lanes = [0.0; LANES];
    let (mut abs, mut signed, mut square, mut dot, mut rr, mut cc) =
        (zero, zero, zero, zero, zero, zero);
    let mut max = zero;
    // In lanes as well: one flag would be a chain through every iteration.
    let mut over = [0u64; LANES];
    for (r, c) in reference
        .as_chunks::<LANES>()
        .0
        .iter()
        .zip(candidate.as_chunks::<LANES>().0)
    {
        fetch_next_block(r);
        fetch_next_block(c);
        for l in 0..LANES {
            let (a, b, d) = (r[l].wide(), c[l].wide(), c[l].minus(r[l]));
            abs[l] += d.abs();
            signed[l] += d;
            square[l] += d * d;
            dot[l] += a * b;
            rr[l] += a * a;
            cc[l] += b * b;
            max[l] = larger(max[l], d.abs());
            let product = limit * a.abs();
            // Below the normal numbers, where only f64 gets, the product is too coarse to decide.
            let coarse = T::DTYPE == DType::F64 && (product < f64::MIN_POSITIVE) & (d != 0.0);
            over[l] |= ((d.abs() > product) | coarse) as u64;
        }
    }
    let sums = Sums {
        abs: sum(abs),
        signed: sum(signed),
        square: sum(square),
        dot: sum(dot),
        reference: sum(rr),
        candidate: sum(cc),
    };
    Measured {
        sums,
        max_abs: largest(max),
        over: over.into_iter().fold(0, |any, lane| any | lane) != 0,
    }
}

/// Sum of squares of a block whose two sides have the same bits: all that it adds; as `measure` would add it.
#[inline(always)]
pub fn energy<T: Number>(reference: &Block<T>, candidate: &Block<T>) -> f64 {
    let mut squares = [0.0; LANES];
    for (r, c) in reference
        .as_chunks::<LANES>()
        .0
        .iter()
        .zip(candidate.as_chunks::<LANES>().0)
    {
        fetch_next_block(r);
        fetch_next_block(c);
        let wide = r.map(T::wide);
        for l in 0..LANES {
            squares[l] += wide[l] * wide[l];
        }
    }
    sum_apart(squares)
}

/// Asks for the elements one block further on, so that memory works while the arithmetic does: the processor's own
/// prefetching waits for the first access.
#[inline(always)]
fn fetch_next_block<T>(chunk: &[T; LANES]) {
    let next = chunk.as_ptr().wrapping_add(BLOCK);
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64, and a prefetch is a hint that cannot fault at any address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(next.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = next;
}

/// What stands for the relative difference `max` in `measure`, which multiplies instead of dividing: |d| / |r| > max
/// implies |d| > limit · |r|. The product is rounded, so the limit is a little lower; but not for a power of two, whose
/// product is exact, or else every pair of a zeroed, negated or doubled tensor would have to be looked at again.
pub fn limit_of(max: f64) -> f64 {
    let power_of_two = max.to_bits() << 12 == 0;
    if max < 2.0 * f64::MIN_POSITIVE {
        0.0
    } else if power_of_two {
        max
    } else {
        max * (1.0 - f64::EPSILON)
    }
}

/// |difference| / |reference|: 0 where they are equal, infinite where only the reference is 0.
#[inline(always)]
pub fn relative<T: Number>(reference: T, candidate: T) -> f64 {
    let d = candidate.minus(reference).abs();
    if d == 0.0 {
        0.0
    } else {
        d / reference.wide().abs()
    }
}

/// The largest relative difference of a block.
#[inline(always)]
pub fn max_relative<T: Number>(reference: &Block<T>, candidate: &Block<T>) -> f64 {
    let mut max = [0.0; LANES];
    for (r, c) in reference
        .as_chunks::<LANES>()
        .0
        .iter()
        .zip(candidate.as_chunks::<LANES>().0)
    {
        for l in 0..LANES {
            max[l] = larger(max[l], relative(r[l], c[l]));
        }
    }
    largest(max)
}

/// Largest |difference| and sum of squared differences of a part of a block, of any length.
#[inline(always)]
pub fn spread<T: Number>(reference: &[T], candidate: &[T]) -> (f64, f64) {
    let (mut max, mut square) = ([0.0; LANES], [0.0; LANES]);
    let ((rs, r_rest), (cs, c_rest)) = (
        reference.as_chunks::<LANES>(),
        candidate.as_chunks::<LANES>(),
    );
    for (r, c) in rs.iter().zip(cs) {
        for l in 0..LANES {
            let d = c[l].minus(r[l]);
            max[l] = larger(max[l], d.abs());
            square[l] += d * d;
        }
    }
    let (mut max, mut square) = (largest(max), sum_apart(square));
    for (r, c) in r_rest.iter().zip(c_rest) {
        let d = c.minus(*r);
        max = larger(max, d.abs());
        square += d * d;
    }
    (max, square)
}

/// The larger of two numbers that are not NaN: one instruction, which `f64::max` is not, and never a conditional store.
#[inline(always)]
pub fn larger(a: f64, b: f64) -> f64 {
    std::hint::select_unpredictable(b > a, b, a)
}

#[inline(always)]
fn largest(lanes: Lanes) -> f64 {
    lanes.into_iter().fold(0.0, larger)
}

/// The lanes in pairs, in an order that no instruction set changes.
#[inline(always)]
fn sum(l: Lanes) -> f64 {
    ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}

/// `sum` behind a call: a short loop before it is otherwise cut into registers of two lanes, to suit this last step.
#[inline(never)]
fn sum_apart(l: Lanes) -> f64 {
    sum(l)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A relative difference one step above the largest so far is looked at again, wherever its product is rounded.
    fn check<T: Number>(reference: T, candidate: T) {
        let max = relative(reference, candidate);
        let over = |max: f64| measure(&[reference; BLOCK], &[candidate; BLOCK], limit_of(max)).over;
        assert!(
            max == 0.0 || over(max.next_down()),
            "{} against {}",
            candidate.wide(),
            reference.wide()
        );
    }

    proptest! {
        #[test]
        fn no_larger_relative_difference_is_passed_over(r in any::<f32>(), c in any::<f32>(), small in 1u64..50, other in 1u64..50) {
            check(r, c);
            check(r as f64, c as f64);
            check(f64::from_bits(small), f64::from_bits(other));
            check(f64::from_bits(small), c as f64);
            check(r as f64, f64::from_bits(other));
            check(r.to_bits() as i32, c.to_bits() as i32);
        }
    }

    #[test]
    fn a_doubled_negated_or_zeroed_tensor_is_not_looked_at_twice() {
        for factor in [2.0, -1.0, 0.0, 0.5f32] {
            let (r, c) = ([0.3f32; BLOCK], [0.3 * factor; BLOCK]);
            assert!(
                !measure(&r, &c, limit_of(relative(r[0], c[0]))).over,
                "{factor}"
            );
        }
    }
}
