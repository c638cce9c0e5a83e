//! convention: another dtype or shape that frameworks choose for what is the same: a last axis of one, and how wide an integer is and whether it has a sign.
//!
//! Only where the numbers are compared afterwards, exactly as they are: a value that the other's integers cannot hold is another value, and no convention.

use crate::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};

/// What the candidate has otherwise, as (reference, candidate); at least one is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Convention {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<(DType, DType)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<(Vec<usize>, Vec<usize>)>,
}

impl Convention {
    /// What differs, and what that is called.
    pub fn say(&self) -> String {
        let dtype = self
            .dtype
            .map(|(r, c)| format!("{r} against {c} (how wide an integer is)"));
        let shape = self.shape.as_ref();
        let shape = shape.map(|(r, c)| format!("{r:?} against {c:?} (a last axis of one)"));
        Vec::from_iter(dtype.into_iter().chain(shape)).join(", ")
    }
}

/// The candidate as the reference would hold it; None where they are alike already, or apart by more than a convention: of floats an axis of one is that of
/// a single number, and of a loss, which frameworks keep or reduce; any other tensor with an axis more may broadcast against what is next.
pub fn laid(reference: &Tensor, candidate: &Tensor, loss: bool) -> Option<(Tensor, Convention)> {
    let (r, c) = (reference.shape(), candidate.shape());
    let (wanted, given) = (reference.dtype(), candidate.dtype());
    let may = loss || reference.numel() == 1 || is_integer(wanted);
    let apart = r != c && !(may && (is_last_axis(r, c) || is_last_axis(c, r)));
    if apart || (r == c && wanted == given) {
        return None;
    }
    let shape = (r != c).then(|| (r.to_vec(), c.to_vec()));
    let dtype = (wanted != given).then_some((wanted, given));
    let bytes = match dtype {
        None => candidate.bytes().to_vec(),
        Some(_) => as_wide(candidate, wanted)?,
    };
    let tensor = Tensor::from_bytes(wanted, r.to_vec(), &bytes).ok()?;
    Some((tensor, Convention { dtype, shape }))
}

/// Whether `longer` is `shape` and an axis of one behind it.
fn is_last_axis(shape: &[usize], longer: &[usize]) -> bool {
    longer.split_last() == Some((&1, shape))
}

/// The bytes of integers in another integer's dtype; None where one does not fit.
fn as_wide(t: &Tensor, dtype: DType) -> Option<Vec<u8>> {
    if !is_integer(t.dtype()) || !is_integer(dtype) {
        return None;
    }
    let values = t.to_i64()?;
    let low = values
        .iter()
        .flat_map(|v| v.to_le_bytes().into_iter().take(dtype.size()));
    let bytes: Vec<u8> = low.collect();
    let again = Tensor::from_bytes(dtype, t.shape().to_vec(), &bytes).ok()?;
    (again.to_i64()? == values).then_some(bytes)
}

fn is_integer(dtype: DType) -> bool {
    !dtype.is_float() && dtype != DType::Bool
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the table says of a reference and a candidate: the convention, or nothing.
    fn said(reference: &Tensor, candidate: &Tensor, loss: bool) -> String {
        laid(reference, candidate, loss).map_or(String::new(), |(t, said)| {
            assert_eq!(
                (t.dtype(), t.shape()),
                (reference.dtype(), reference.shape())
            );
            said.say()
        })
    }

    #[test]
    fn every_cell_is_a_convention_or_none() {
        let f = |shape: &[usize]| Tensor::of(shape, &vec![1.5f32; shape.iter().product()]);
        let i64s = |shape: &[usize]| Tensor::of(shape, &vec![7i64; shape.iter().product()]);
        let (axis, wide) = ("(a last axis of one)", "(how wide an integer is)");
        let cells = [
            (f(&[]), f(&[1]), format!("[] against [1] {axis}")),
            (f(&[1]), f(&[]), format!("[1] against [] {axis}")),
            (f(&[3]), f(&[3, 1]), format!("[3] against [3, 1] {axis}")),
            (
                f(&[2, 3, 1]),
                f(&[2, 3]),
                format!("[2, 3, 1] against [2, 3] {axis}"),
            ),
            (
                i64s(&[3]),
                Tensor::of(&[3], &[7i32; 3]),
                format!("i64 against i32 {wide}"),
            ),
            (
                Tensor::of(&[2], &[7i32; 2]),
                i64s(&[2]),
                format!("i32 against i64 {wide}"),
            ),
            (
                i64s(&[2]),
                Tensor::of(&[2], &[7u32; 2]),
                format!("i64 against u32 {wide}"),
            ),
            (
                i64s(&[3]),
                Tensor::of(&[3, 1], &[7i32; 3]),
                format!("i64 against i32 {wide}, [3] against [3, 1] {axis}"),
            ),
            // Alike, or more than a convention.
            (f(&[3]), f(&[3]), String::new()),
            (f(&[3]), f(&[1, 3]), String::new()),
            (f(&[3]), f(&[3, 1, 1]), String::new()),
            (f(&[3]), f(&[3, 3]), String::new()),
            (f(&[1]), f(&[1, 2]), String::new()),
            (f(&[2]), Tensor::of(&[2], &[1.5f64; 2]), String::new()),
            (i64s(&[2]), f(&[2]), String::new()),
            (
                i64s(&[2]),
                Tensor::of(&[2], &[true; 2].map(u8::from)),
                format!("i64 against u8 {wide}"),
            ),
            (
                i64s(&[1]),
                Tensor::from_bytes(DType::Bool, vec![1], &[1]).unwrap(),
                String::new(),
            ),
            // 0 − 3 without a sign is another number.
            (
                Tensor::of(&[1], &[-3i32]),
                Tensor::of(&[1], &[4294967293u32]),
                String::new(),
            ),
            (
                Tensor::of(&[1], &[-3i64]),
                Tensor::of(&[1], &[u64::MAX - 2]),
                String::new(),
            ),
            (
                Tensor::of(&[1], &[0i32]),
                Tensor::of(&[1], &[1i64 << 40]),
                String::new(),
            ),
        ];
        for (reference, candidate, wanted) in cells {
            assert_eq!(
                said(&reference, &candidate, true),
                wanted,
                "{reference:?} {candidate:?}"
            );
        }
    }

    #[test]
    fn a_tensor_of_the_network_with_an_axis_more_is_another_shape() {
        let f = |shape: &[usize]| Tensor::of(shape, &vec![1.5f32; shape.iter().product()]);
        assert_eq!(said(&f(&[3]), &f(&[3, 1]), false), "");
        assert_eq!(said(&f(&[2, 3, 1]), &f(&[2, 3]), false), "");
        assert_ne!(said(&f(&[]), &f(&[1]), false), "");
    }

    #[test]
    fn the_numbers_stay_what_they_are() {
        let (a, b) = (
            Tensor::of(&[3], &[5i64, -2, 9]),
            Tensor::of(&[3, 1], &[5i32, -2, 8]),
        );
        let (t, _) = laid(&a, &b, false).unwrap();
        assert_eq!(t.to_i64(), Some(vec![5, -2, 8]));
    }
}
