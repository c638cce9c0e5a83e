//! value: what one stored tensor is to another: equal, equal in another layout, near (rounded for storage, or within a few ulp), or other numbers.

use super::fresh::Drawn;
use crate::compare::json;
use crate::compare::layout::{Layout, Order, orders};
use crate::tensor::index::unravel;
use crate::tensor::{DType, Tensor, View};
use serde::{Deserialize, Serialize};

/// Steps between neighbouring numbers of the coarser dtype within which a value is near: a weight that was written as text, or
/// scaled and scaled back, is off by this much; a trained step is not.
pub const ULPS: u8 = 4;

/// What the candidate's value is to the reference's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// A side keeps no value.
    NotCompared,
    /// The same numbers in the same order: bit for bit where the dtype is one.
    Equal,
    /// The same numbers, in another order of axes.
    Layout(Layout),
    Near {
        by: Near,
        layout: Option<Layout>,
    },
    Other(Distance),
    /// Of two untrained models, where the values are drawn or constant.
    Drawn(Drawn),
}

/// Why two values are near.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Near {
    /// One is the other, rounded to this dtype.
    Rounded(DType),
    /// At most so many ulp of the coarser dtype apart.
    Ulps(u8),
}

/// How far two values are apart, in the plain order; nothing but the count of elements where no order of axes fits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distance {
    pub elements: u64,
    pub differing: u64,
    #[serde(with = "json")]
    pub largest: f64,
    pub at: Vec<usize>,
    /// ‖candidate − reference‖ / ‖reference‖.
    #[serde(with = "json")]
    pub relative: f64,
}

impl Relation {
    /// Whether both programs hold the same numbers.
    pub fn same(&self) -> bool {
        matches!(
            self,
            Relation::Equal | Relation::Layout(_) | Relation::Drawn(Drawn::Alike)
        )
    }

    pub fn compared(&self) -> bool {
        *self != Relation::NotCompared
    }

    pub fn layout(&self) -> Option<&Layout> {
        match self {
            Relation::Layout(layout) => Some(layout),
            Relation::Near { layout, .. } => layout.as_ref(),
            Relation::NotCompared | Relation::Equal | Relation::Other(_) | Relation::Drawn(_) => {
                None
            }
        }
    }
}

impl Near {
    pub fn say(self) -> String {
        match self {
            Near::Rounded(dtype) => format!("rounded to {dtype}"),
            Near::Ulps(0) => "but for the sign of zeros".into(),
            Near::Ulps(n) => format!("within {n} ulp"),
        }
    }
}

/// Tries every layout for equality, then every layout for nearness.
pub fn relation(a: &Tensor, b: &Tensor) -> Relation {
    let (a, b) = (a.view(), b.view());
    let orders = orders(a.shape, b.shape);
    let told = |order: &Order| match order.layout.clone() {
        None => Relation::Equal,
        Some(layout) => Relation::Layout(layout),
    };
    if let Some(order) = orders.iter().find(|o| equal(a, b, o)) {
        return told(order);
    }
    let near = orders
        .iter()
        .find_map(|o| near(a, b, o).map(|by| (by, o.layout.clone())));
    match near {
        Some((by, layout)) => Relation::Near { by, layout },
        None => Relation::Other(distance(a, b, orders.first())),
    }
}

fn equal(a: View, b: View, order: &Order) -> bool {
    let size = a.dtype.size();
    let bytes = |view: &View, i: usize| -> [u8; 8] {
        let mut all = [0; 8];
        all[..size].copy_from_slice(&view.bytes[i * size..][..size]);
        all
    };
    match a.dtype == b.dtype {
        true if order.is_plain() => a.bytes == b.bytes,
        true => every(order, |i, j| bytes(&a, i) == bytes(&b, j)),
        // An integer is no float of the same value: 2^53 + 1 would be 2^53.
        false if !a.dtype.is_float() || !b.dtype.is_float() => false,
        false => every(order, |i, j| a.get(i).to_bits() == b.get(j).to_bits()),
    }
}

fn every(order: &Order, is: impl Fn(usize, usize) -> bool) -> bool {
    order.places().enumerate().all(|(j, i)| is(i, j))
}

fn near(a: View, b: View, order: &Order) -> Option<Near> {
    if !a.dtype.is_float() || !b.dtype.is_float() {
        return None;
    }
    let coarser = if a.dtype.unit_roundoff() < b.dtype.unit_roundoff() {
        b.dtype
    } else {
        a.dtype
    };
    let by_ulps = || steps(a, b, order, coarser).map(Near::Ulps);
    match a.dtype == b.dtype {
        // A step of one dtype is told before a rounding that happens to explain it.
        true => by_ulps().or_else(|| rounded(a, b, order)),
        false => rounded(a, b, order).or_else(by_ulps),
    }
}

/// The dtype to which one of the two was rounded.
fn rounded(a: View, b: View, order: &Order) -> Option<Near> {
    let to = |dtype: DType, x: f64, y: f64| {
        let narrow = dtype.round(x);
        // What leaves the dtype's range is not near.
        (narrow.is_finite() || !x.is_finite()) && same(narrow, y)
    };
    let is = |dtype: &DType| {
        every(order, |i, j| to(*dtype, a.get(i), b.get(j)))
            || every(order, |i, j| to(*dtype, b.get(j), a.get(i)))
    };
    let narrower = [DType::F32, DType::F16, DType::BF16];
    narrower.into_iter().find(is).map(Near::Rounded)
}

/// The largest gap in ulp; None where it is more than [`ULPS`].
fn steps(a: View, b: View, order: &Order, dtype: DType) -> Option<u8> {
    let mut most = 0f64;
    for (j, i) in order.places().enumerate() {
        let gap = ulps(a.get(i), b.get(j), dtype);
        // A gap that is no number is too wide as well.
        if gap.is_nan() || gap > ULPS as f64 {
            return None;
        }
        most = most.max(gap);
    }
    Some(most.ceil() as u8)
}

/// Equal as numbers: zeros of both signs, and NaN.
fn same(x: f64, y: f64) -> bool {
    x == y || x.is_nan() && y.is_nan()
}

/// The gap in steps of `dtype` at the larger of the two.
fn ulps(x: f64, y: f64, dtype: DType) -> f64 {
    if same(x, y) {
        return 0.0;
    }
    let size = x.abs().max(y.abs());
    let step = 2.0 * dtype.unit_roundoff() * size.log2().floor().exp2();
    (x - y).abs() / step.max(dtype.tiny())
}

fn distance(a: View, b: View, plain: Option<&Order>) -> Distance {
    let elements = b.numel() as u64;
    let none = Distance {
        elements,
        differing: elements,
        largest: f64::NAN,
        at: vec![],
        relative: f64::NAN,
    };
    let Some(order) = plain else { return none };
    let (mut at, mut largest, mut differing) = (0, 0.0, 0);
    let (mut off, mut whole) = (0.0, 0.0);
    for (j, i) in order.places().enumerate() {
        let (x, y) = (a.get(i), b.get(j));
        let gap = if same(x, y) { 0.0 } else { (x - y).abs() };
        differing += u64::from(gap != 0.0);
        (off, whole) = (off + gap * gap, whole + x * x);
        if gap > largest || gap.is_nan() && !f64::is_nan(largest) {
            (at, largest) = (j, gap);
        }
    }
    Distance {
        differing,
        largest,
        at: unravel(at, b.shape),
        relative: (off / whole).sqrt(),
        ..none
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that no two layouts share.
    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * i + 7 * i) as f32).sin()).collect()
    }

    fn of(shape: &[usize]) -> Tensor {
        Tensor::of(shape, &numbers(shape.iter().product()))
    }

    fn permuted(t: &Tensor, order: &[usize]) -> Tensor {
        let shape: Vec<usize> = order.iter().map(|i| t.shape()[*i]).collect();
        let want = Layout::Permuted(order.to_vec());
        let all = orders(t.shape(), &shape);
        let order = all.iter().find(|o| o.layout == Some(want.clone())).unwrap();
        let values = t.to_f64();
        let moved: Vec<f64> = order.places().map(|i| values[i]).collect();
        Tensor::from_f64(t.dtype(), &shape, &moved).unwrap()
    }

    fn cast(t: &Tensor, dtype: DType) -> Tensor {
        Tensor::from_f64(dtype, t.shape(), &t.to_f64()).unwrap()
    }

    #[test]
    fn the_same_bits_are_equal_and_one_bit_is_not() {
        let a = of(&[3, 4]);
        assert_eq!(relation(&a, &a), Relation::Equal);
        let mut values = numbers(12);
        values[5] += 0.5;
        let Relation::Other(d) = relation(&a, &Tensor::of(&[3, 4], &values)) else {
            panic!("one element differs")
        };
        assert_eq!((d.differing, d.elements, &*d.at), (1, 12, &[1, 1][..]));
        assert_eq!(d.largest, 0.5);
    }

    #[test]
    fn every_layout_is_found_and_two_elements_exchanged_are_not_one() {
        for (shape, order) in [
            (&[3, 4][..], &[1, 0][..]),
            (&[4, 4], &[1, 0]),
            (&[8, 3, 3, 3], &[2, 3, 1, 0]),
            (&[8, 3, 3, 3], &[0, 2, 3, 1]),
            (&[6, 2, 5], &[2, 1, 0]),
            (&[4, 3, 2, 5, 6], &[2, 3, 4, 1, 0]),
        ] {
            let a = of(shape);
            let b = permuted(&a, order);
            let want = Layout::Permuted(order.to_vec());
            assert_eq!(
                relation(&a, &b),
                Relation::Layout(want.clone()),
                "{order:?}"
            );
            let half = relation(&a, &cast(&b, DType::F16));
            let by = Near::Rounded(DType::F16);
            let layout = Some(want);
            assert_eq!(half, Relation::Near { by, layout }, "{order:?}");
            let mut values = b.to_f64();
            values.swap(0, 1);
            let wrong = Tensor::from_f64(DType::F32, b.shape(), &values).unwrap();
            assert!(
                matches!(relation(&a, &wrong), Relation::Other(_)),
                "{order:?}"
            );
        }
        assert_eq!(
            relation(&of(&[3, 4, 1, 1]), &of(&[3, 4])),
            Relation::Layout(Layout::Reshaped)
        );
        let wrong = relation(&of(&[3, 4]), &of(&[4, 3]));
        assert!(
            matches!(wrong, Relation::Other(_)),
            "reshaped is not transposed"
        );
    }

    #[test]
    fn rounding_for_storage_is_near_and_one_step_more_is_not() {
        let a = of(&[64]);
        for dtype in [DType::F16, DType::BF16] {
            let narrow = cast(&a, dtype);
            let (by, layout) = (Near::Rounded(dtype), None);
            let want = Relation::Near { by, layout };
            assert_eq!(relation(&a, &narrow), want);
            assert_eq!(relation(&narrow, &a), want, "either way");
            let widened = cast(&narrow, DType::F32);
            assert_eq!(relation(&a, &widened), want, "stored wide again");
            assert_eq!(relation(&narrow, &widened), Relation::Equal, "widened");
            let mut values = narrow.to_f64();
            values[9] *= 1.05;
            let off = Tensor::from_f64(dtype, &[64], &values).unwrap();
            assert!(matches!(relation(&a, &off), Relation::Other(_)));
        }
    }

    #[test]
    fn a_few_ulp_are_near_and_more_are_not() {
        let a = Tensor::of(&[2], &[1.1f32, -3.3]);
        let off = |n: u32| {
            let moved = [1.1f32, -3.3].map(|x| f32::from_bits(x.to_bits() + n));
            relation(&a, &Tensor::of(&[2], &moved))
        };
        let near = |n| Relation::Near {
            by: Near::Ulps(n),
            layout: None,
        };
        assert_eq!((off(1), off(4)), (near(1), near(4)));
        let zeros = |x: f32| Tensor::of(&[2], &[x, 1.0]);
        assert_eq!(relation(&zeros(0.0), &zeros(-0.0)), near(0));
        assert!(matches!(off(5), Relation::Other(_)));
    }

    #[test]
    fn integers_beyond_floats_and_special_values_are_told_apart() {
        let long = |x: i64| Tensor::of(&[1], &[x]);
        let other = |r: Relation| matches!(r, Relation::Other(_));
        assert!(other(relation(&long(1 << 53), &long((1 << 53) + 1))));
        let float = |x: f32| Tensor::of(&[2], &[x, 1.0]);
        assert!(other(relation(&float(f32::INFINITY), &float(f32::MAX))));
        assert!(other(relation(&float(f32::NAN), &float(0.0))));
        assert_eq!(
            relation(&float(f32::NAN), &float(f32::NAN)),
            Relation::Equal
        );
        let Relation::Other(d) = relation(&float(0.0), &float(f32::NAN)) else {
            panic!("a NaN is no zero")
        };
        assert!(d.largest.is_nan() && d.differing == 1);
    }
}
