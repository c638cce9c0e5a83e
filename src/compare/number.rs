//! number: what the comparison asks of an element: its value in f64, its difference to another, its exact digits.

use crate::tensor::Element;
use crate::tensor::ulp::Ulp;
use half::{bf16, f16};

/// An element type as the comparison sees it. Booleans are u8: a byte that is neither 0 nor 1 is a value of its own.
pub trait Number: Element + Ulp + PartialEq {
    /// Finite values below it in magnitude are subnormal (or zero); 0 for integers.
    const SMALLEST_NORMAL: f64;
    /// The value in f64: exact but for integers beyond 2^53, which round to nearest.
    fn wide(self) -> f64;
    /// `self - reference` in f64, rounded at most once; zero only where the two are equal.
    fn minus(self, reference: Self) -> f64;
    /// The very same bits.
    fn same_bits(self, other: Self) -> bool;
    /// The digits of an integer where those of its f64 are others.
    fn digits(self) -> Option<String>;
}

macro_rules! float {
    ($($t:ty, $smallest_normal:expr, $wide:expr);*) => { $(
        impl Number for $t {
            const SMALLEST_NORMAL: f64 = $smallest_normal;
            #[inline(always)]
            fn wide(self) -> f64 { $wide(self) }
            #[inline(always)]
            fn minus(self, reference: Self) -> f64 { self.wide() - reference.wide() }
            #[inline(always)]
            fn same_bits(self, other: Self) -> bool { self.to_bits() == other.to_bits() }
            fn digits(self) -> Option<String> { None }
        }
    )* };
}
float!(
    f64, f64::MIN_POSITIVE, |x: f64| x;
    f32, f32::MIN_POSITIVE as f64, |x: f32| x as f64;
    f16, 1.0 / 16384.0, |x: f16| widen(x) as f64;
    bf16, f32::MIN_POSITIVE as f64, |x: bf16| f32::from_bits((x.to_bits() as u32) << 16) as f64
);

macro_rules! integer {
    ($($t:ty),*) => { $(
        impl Number for $t {
            const SMALLEST_NORMAL: f64 = 0.0;
            #[inline(always)]
            fn wide(self) -> f64 { self as f64 }
            #[inline(always)]
            fn minus(self, reference: Self) -> f64 {
                // Subtracted as integers first: 2^53 + 1 and 2^53 are one number in f64.
                let distance = self.abs_diff(reference) as f64;
                if self < reference { -distance } else { distance }
            }
            #[inline(always)]
            fn same_bits(self, other: Self) -> bool { self == other }
            fn digits(self) -> Option<String> {
                let text = self.to_string();
                (text != (self as f64).to_string()).then_some(text)
            }
        }
    )* };
}
integer!(i64, i32, i16, i8, u64, u32, u16, u8);

/// f16 to f32 without branches or a feature test per value, so that the loop around it is vectorised.
#[inline(always)]
fn widen(x: f16) -> f32 {
    let magnitude = ((x.to_bits() & 0x7fff) as u32) << 13;
    // The exponent bias of f16 is 15, of f32 127; the product is exact, subnormals included.
    let finite = (f32::from_bits(magnitude) * f32::from_bits((127 + 112) << 23)).to_bits();
    let value = if magnitude >= 0x0f80_0000 {
        magnitude | 0x7f80_0000
    } else {
        finite
    };
    f32::from_bits(value | ((x.to_bits() & 0x8000) as u32) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_precision_value_widens_as_the_half_crate_does() {
        for bits in 0..=u16::MAX {
            let (a, b) = (f16::from_bits(bits), bf16::from_bits(bits));
            assert!(
                a.wide().to_bits() == a.to_f64().to_bits() || (a.is_nan() && a.wide().is_nan()),
                "f16 {bits:#x}"
            );
            assert!(
                b.wide().to_bits() == b.to_f64().to_bits() || (b.is_nan() && b.wide().is_nan()),
                "bf16 {bits:#x}"
            );
        }
    }

    #[test]
    fn integers_are_subtracted_before_they_are_rounded() {
        assert_eq!(((1i64 << 53) + 1).minus(1 << 53), 1.0);
        assert_eq!(i64::MIN.minus(i64::MAX), -2f64.powi(64));
        assert_eq!(0u64.minus(u64::MAX), -2f64.powi(64));
        assert_eq!(3u8.minus(5), -2.0);
        assert_eq!(16777217i32.minus(16777216), 1.0);
    }

    #[test]
    fn only_an_integer_whose_f64_prints_otherwise_needs_its_digits() {
        assert_eq!(
            ((1i64 << 53) + 1).digits().as_deref(),
            Some("9007199254740993")
        );
        assert_eq!(u64::MAX.digits().as_deref(), Some("18446744073709551615"));
        assert_eq!(
            (1i64 << 60).digits().as_deref(),
            Some("1152921504606846976"),
            "exact in f64, which prints fewer digits"
        );
        assert_eq!((1i64 << 53).digits(), None);
        assert_eq!(0.1f32.digits(), None);
    }
}
