//! forms: tensors that hold the same in another form: an axis of one, labels as floats, a mask of numbers. A convention: said, not judged.

use crate::tensor::{DType, Tensor};
use crate::verdict::{Finding, Severity};

/// What is whole numbers in one program and floats or booleans in another.
const WHOLE: [&str; 5] = [
    "gt_labels",
    "gt_count",
    "assign.fg_mask",
    "assign.gt_index",
    "assign.target_labels",
];

/// What `standard` has to be for its form to be one: of a network's own tensors an axis more is another shape.
fn is_of_training(standard: &str) -> bool {
    WHOLE.contains(&standard) || standard.starts_with("loss.")
}

/// The candidate's tensor in the form of the reference's, and what was another; None where it has that form, or no such form.
pub fn as_reference(standard: &str, ours: &Tensor, theirs: &Tensor) -> Option<(Tensor, Finding)> {
    let same = (ours.dtype(), ours.shape()) == (theirs.dtype(), theirs.shape());
    if same || !is_of_training(standard) || longer(ours.shape()) != longer(theirs.shape()) {
        return None;
    }
    let dtype = ours.dtype();
    let cast = match dtype == theirs.dtype() {
        true => Tensor::from_bytes(dtype, ours.shape().to_vec(), theirs.bytes()).ok()?,
        false if WHOLE.contains(&standard) => whole(dtype, ours.shape(), &theirs.to_f64())?,
        false => return None,
    };
    let what = format!(
        "'{standard}' is {} {:?} in the reference and {} {:?} in the candidate, the same elements in the same order",
        dtype,
        ours.shape(),
        theirs.dtype(),
        theirs.shape()
    );
    let said = Finding::new("convention", standard, what).severity(Severity::Note);
    Some((cast, said))
}

/// A shape without its axes of one.
fn longer(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|n| *n != 1).collect()
}

/// Whole numbers in another dtype; None where one of them is none there.
fn whole(dtype: DType, shape: &[usize], values: &[f64]) -> Option<Tensor> {
    match dtype {
        DType::Bool => {
            let flags = values
                .iter()
                .map(|v| u8::from(*v > 0.0))
                .collect::<Vec<u8>>();
            Tensor::from_bytes(dtype, shape.to_vec(), &flags).ok()
        }
        _ if values.iter().any(|v| v.fract() != 0.0) => None,
        DType::I64 => Some(Tensor::from_vec(
            shape,
            values.iter().map(|v| *v as i64).collect(),
        )),
        DType::I32 => Some(Tensor::from_vec(
            shape,
            values.iter().map(|v| *v as i32).collect(),
        )),
        _ => Tensor::from_f64(dtype, shape, values).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_of_one_and_labels_as_floats_are_the_same_and_other_shapes_are_not() {
        let of = |shape: &[usize], v: &[f32]| Tensor::of(shape, v);
        let labels = Tensor::of(&[1, 3], &[2i64, 0, -1]);
        let cases = [
            (
                "gt_labels",
                labels.clone(),
                of(&[1, 3, 1], &[2.0, 0.0, -1.0]),
                true,
            ),
            (
                "gt_labels",
                labels.clone(),
                of(&[1, 3, 1], &[2.5, 0.0, -1.0]),
                false,
            ),
            ("gt_labels", labels.clone(), labels.clone(), false),
            (
                "loss.iou.per_element",
                of(&[2], &[1.0, 2.0]),
                of(&[2, 1], &[1.0, 2.0]),
                true,
            ),
            (
                "loss.iou.per_element",
                of(&[2], &[1.0, 2.0]),
                of(&[1], &[1.0]),
                false,
            ),
            (
                "loss.iou.per_element",
                of(&[2], &[1.0, 2.0]),
                Tensor::of(&[2], &[1.0f64, 2.0]),
                false,
            ),
            (
                "stem",
                of(&[2], &[1.0, 2.0]),
                of(&[2, 1], &[1.0, 2.0]),
                false,
            ),
        ];
        for (name, ours, theirs, wanted) in cases {
            let found = as_reference(name, &ours, &theirs);
            assert_eq!(found.is_some(), wanted, "{name} {:?}", theirs.shape());
            if let Some((same, said)) = found {
                assert_eq!((same.dtype(), same.shape()), (ours.dtype(), ours.shape()));
                assert_eq!(same.to_f64(), ours.to_f64());
                assert!(said.what.contains(name) && !said.is_fault());
            }
        }
    }
}
