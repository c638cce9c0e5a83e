//! ulp: how many steps between neighbouring numbers lie between two values.
//!
//! Convention: a float is the integer of its bits, negatives mirrored below zero, and the distance is the difference of
//! those integers; so -0 and +0 are 0 apart, a distance across zero counts both sides, and NaN and infinity have none.
//! Integers: the absolute difference.

use half::{bf16, f16};

/// The distance of two values of one type.
pub trait Ulp: Copy {
    type Gap: Gap;
    /// The distance where both are finite; meaningless elsewhere.
    fn gap(self, other: Self) -> Self::Gap;
    /// NaN or infinite: such a value has no distance to anything.
    fn is_special(self) -> bool;
}

/// An unsigned integer wide enough for every distance of its type.
pub trait Gap: Copy + Ord + Into<u64> {
    const ZERO: Self;
    /// Number of significant bits; 0 for a distance of 0.
    fn bits(self) -> u8;
}

/// The distance of `a` and `b`, where both have one.
pub fn distance<T: Ulp>(a: T, b: T) -> Option<u64> {
    (!a.is_special() && !b.is_special()).then(|| a.gap(b).into())
}

macro_rules! gap {
    ($($t:ty),*) => { $(
        impl Gap for $t {
            const ZERO: Self = 0;
            #[inline(always)]
            fn bits(self) -> u8 { (<$t>::BITS - self.leading_zeros()) as u8 }
        }
    )* };
}
gap!(u32, u64);

/// (float, unsigned of its bits, signed of the ordered integer, gap)
macro_rules! float {
    ($($t:ty, $bits:ty, $key:ty, $gap:ty);*) => { $(
        impl Ulp for $t {
            type Gap = $gap;
            #[inline(always)]
            fn gap(self, other: Self) -> $gap {
                let key = |x: $t| {
                    let magnitude = (x.to_bits() & (<$bits>::MAX >> 1)) as $key;
                    if x.to_bits() > <$bits>::MAX >> 1 { magnitude.wrapping_neg() } else { magnitude }
                };
                key(self).abs_diff(key(other))
            }
            #[inline(always)]
            fn is_special(self) -> bool {
                let infinity = <$t>::INFINITY.to_bits();
                self.to_bits() & infinity == infinity
            }
        }
    )* };
}
float!(f64, u64, i64, u64; f32, u32, i32, u32; f16, u16, i32, u32; bf16, u16, i32, u32);

macro_rules! integer {
    ($($t:ty => $gap:ty),*) => { $(
        impl Ulp for $t {
            type Gap = $gap;
            #[inline(always)]
            fn gap(self, other: Self) -> $gap { self.abs_diff(other).into() }
            #[inline(always)]
            fn is_special(self) -> bool { false }
        }
    )* };
}
integer!(i64 => u64, i32 => u32, i16 => u32, i8 => u32, u64 => u64, u32 => u32, u16 => u32, u8 => u32);

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Ulp>(name: &str, a: T, b: T, want: Option<u64>) {
        assert_eq!(distance(a, b), want, "{name}");
        assert_eq!(distance(b, a), want, "{name}, the other way round");
    }

    #[test]
    fn floats_are_counted_on_one_line_through_zero() {
        let tiny = f32::from_bits(1);
        check("the two zeros are one point", 0f32, -0f32, Some(0));
        check("neighbours are 1 apart", 1f32, 1f32.next_up(), Some(1));
        check(
            "a binade boundary is no jump",
            2f32.next_down(),
            2f32.next_up(),
            Some(2),
        );
        check(
            "the smallest subnormals of both signs are 2 apart",
            tiny,
            -tiny,
            Some(2),
        );
        check(
            "the largest subnormal neighbours the smallest normal",
            f32::MIN_POSITIVE,
            f32::MIN_POSITIVE.next_down(),
            Some(1),
        );
        check(
            "a distance across zero counts both sides",
            1f32,
            -1f32,
            Some(2 * 0x3f80_0000),
        );
        check(
            "the widest f32 distance fits",
            f32::MAX,
            f32::MIN,
            Some(2 * 0x7f7f_ffff),
        );
        check(
            "the widest f64 distance fits",
            f64::MAX,
            f64::MIN,
            Some(2 * 0x7fef_ffff_ffff_ffff),
        );
        check(
            "f16 neighbours",
            f16::from_bits(0x3c00),
            f16::from_bits(0x3c01),
            Some(1),
        );
        check(
            "f16 across zero",
            f16::from_bits(0x0001),
            f16::from_bits(0x8001),
            Some(2),
        );
        check(
            "bf16 counts its own steps",
            bf16::from_f32(1.0),
            bf16::from_f32(1.015625),
            Some(2),
        );
    }

    #[test]
    fn special_values_have_no_distance() {
        check("NaN to a number", f64::NAN, 1.0, None);
        check("NaN to NaN", f32::NAN, f32::NAN, None);
        check(
            "infinity to the largest number",
            f32::INFINITY,
            f32::MAX,
            None,
        );
        check("infinity to itself", f16::INFINITY, f16::INFINITY, None);
        check(
            "bf16 infinities of two signs",
            bf16::INFINITY,
            bf16::NEG_INFINITY,
            None,
        );
    }

    #[test]
    fn integers_are_as_far_apart_as_their_difference() {
        check("beyond 2^53", 1i64 << 53, (1 << 53) + 1, Some(1));
        check("the whole range of i64", i64::MIN, i64::MAX, Some(u64::MAX));
        check("the whole range of i8", i8::MIN, i8::MAX, Some(255));
        check("unsigned", 3u8, 5, Some(2));
    }

    #[test]
    fn bits_of_a_gap_are_its_log2_bin() {
        assert_eq!(
            [0u32, 1, 2, 3, 4, u32::MAX].map(Gap::bits),
            [0, 1, 2, 2, 3, 32]
        );
        assert_eq!(u64::MAX.bits(), 64);
    }
}
