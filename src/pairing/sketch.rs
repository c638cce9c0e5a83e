//! sketch: a tensor as a few numbers that tell how far it is from another one of the same elements, whatever their shape.
//!
//! Sums under random signs (Alon, Matias and Szegedy, "The space complexity of approximating the frequency moments", 1996): that of a difference is
//! about its Euclidean norm, so that two tensors are apart by what their sketches are. The signs have random sizes, too: of two elements that trade
//! places every sum tells, where signs alone may all be alike.

use crate::hash;
use crate::tensor::Tensor;

/// Signed sums of one tensor.
const SUMS: usize = 4;

/// Of one factor, its sign among them.
const BITS: usize = u64::BITS as usize / SUMS;

/// What they are drawn from: any number, the same for both sides.
const KEY: u64 = 0x5ca1_ab1e;

#[derive(Clone, Debug, PartialEq)]
pub struct Sketch {
    numel: usize,
    sums: [f64; SUMS],
    norm: f64,
    /// Which elements are no finite numbers, and which ones.
    specials: u64,
    /// Whether it is one value throughout: such a tensor is like many.
    pub constant: bool,
}

impl Sketch {
    /// None of nothing.
    pub fn of(tensor: &Tensor) -> Option<Self> {
        let values = tensor.to_f64();
        let first = *values.first()?;
        let mut sketch = Self {
            numel: values.len(),
            sums: [0.0; SUMS],
            norm: 0.0,
            specials: 0,
            constant: values.iter().all(|v| v.to_bits() == first.to_bits()),
        };
        for (i, value) in values.iter().enumerate() {
            sketch.add(i as u64, *value);
        }
        sketch.norm = sketch.norm.sqrt();
        Some(sketch)
    }

    fn add(&mut self, at: u64, value: f64) {
        let bits = hash::bits(KEY, at);
        if !value.is_finite() {
            let kind = if value.is_nan() { 1 } else { value.to_bits() };
            self.specials = self.specials.wrapping_add(hash::bits(bits, kind));
            return;
        }
        self.norm += value * value;
        for (k, sum) in self.sums.iter_mut().enumerate() {
            *sum += factor(bits >> (k * BITS)) * value;
        }
    }

    /// About how far the two are apart, as a share of the larger one's norm; infinite where they cannot be the same.
    pub fn distance(&self, other: &Self) -> f64 {
        if (self.numel, self.specials) != (other.numel, other.specials) {
            return f64::INFINITY;
        }
        let norm = self.norm.max(other.norm);
        let apart = self
            .sums
            .iter()
            .zip(&other.sums)
            .map(|(a, b)| (a - b).abs());
        match apart
            .chain([(self.norm - other.norm).abs()])
            .fold(0.0, f64::max)
        {
            0.0 => 0.0,
            most => most / norm,
        }
    }
}

/// Between 0.5 and 1.5 in size, about 1 on average, by the lowest bits: no element is without weight.
fn factor(bits: u64) -> f64 {
    let size = 0.5 + (bits as u16 >> 1) as f64 / f64::from(u16::MAX >> 1);
    if bits & 1 == 1 { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(values: &[f64]) -> Sketch {
        Sketch::of(&Tensor::of(&[values.len()], values)).unwrap()
    }

    /// Numbers without a pattern.
    fn drawn(n: u64) -> Vec<f64> {
        (0..n)
            .map(|i| hash::bits(7, i) as f64 / u64::MAX as f64 - 0.5)
            .collect()
    }

    #[test]
    fn the_distance_is_about_the_relative_difference() {
        let x = drawn(1000);
        for amount in [1e-12, 1e-6, 1e-2] {
            let other: Vec<f64> = x
                .iter()
                .zip(drawn(2000).iter().rev())
                .map(|(x, n)| x + amount * n)
                .collect();
            let distance = sketch(&x).distance(&sketch(&other));
            assert!(
                (0.1 * amount..10.0 * amount).contains(&distance),
                "{amount}: {distance}"
            );
        }
        assert_eq!(sketch(&x).distance(&sketch(&x)), 0.0);
    }

    #[test]
    fn two_of_few_elements_that_trade_places_are_told() {
        for at in 0..200 {
            let one = |place: usize, value: f64| {
                let mut values = [0.0; 201];
                values[place] = value;
                sketch(&values)
            };
            let moved = [one(at, 3.0), one(at + 1, 3.0), one(at + 1, -3.0)];
            assert!(moved[0].distance(&moved[1]) > 1e-4, "{at}");
            assert!(moved[0].distance(&moved[2]) > 1e-4, "{at}");
        }
    }

    #[test]
    fn order_sign_size_and_what_is_not_finite_all_count() {
        let x = drawn(64);
        let mut reversed = x.clone();
        reversed.reverse();
        let negative: Vec<f64> = x.iter().map(|v| -v).collect();
        for other in [reversed, negative, x.iter().map(|v| 2.0 * v).collect()] {
            assert!(sketch(&x).distance(&sketch(&other)) > 0.1);
        }
        assert_eq!(sketch(&x).distance(&sketch(&x[1..])), f64::INFINITY);
        for [a, b] in [[1.0, f64::NAN], [f64::INFINITY, f64::NEG_INFINITY]] {
            assert_eq!(
                sketch(&[1.0, a]).distance(&sketch(&[1.0, b])),
                f64::INFINITY
            );
        }
        assert_eq!(
            sketch(&[f64::NAN, 1.0]).distance(&sketch(&[1.0, f64::NAN])),
            f64::INFINITY
        );
        assert!(sketch(&[2.0, 2.0]).constant && !sketch(&[2.0, 3.0]).constant);
        assert!(Sketch::of(&Tensor::of::<f64>(&[0], &[])).is_none());
    }
}
