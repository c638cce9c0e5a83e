//! edit: other cases made of a case, and the numbers of its answer in their places.

use super::draw::Case;
use super::relations::Tensors;
use crate::tensor::{DType, Tensor};

/// `case` with every tensor changed.
pub fn changed(case: &Case, change: impl Fn(&str, &Tensor) -> Tensor) -> Case {
    Case {
        inputs: case
            .inputs
            .iter()
            .map(|(n, t)| (n.clone(), change(n, t)))
            .collect(),
        edges: case.edges.clone(),
    }
}

/// A tensor of other numbers.
pub fn floats(t: &Tensor, change: impl Fn(usize, f64) -> f64) -> Tensor {
    if !t.dtype().is_float() {
        return t.clone();
    }
    let values = t
        .to_f64()
        .into_iter()
        .enumerate()
        .map(|(i, v)| change(i, v));
    match t.dtype() {
        DType::F64 => Tensor::from_vec(t.shape(), values.collect::<Vec<f64>>()),
        _ => Tensor::from_vec(t.shape(), values.map(|v| v as f32).collect::<Vec<f32>>()),
    }
}

/// These slices of a tensor along an axis, bytes as they are; as it is where it has no such axis.
pub fn along(t: &Tensor, axis: usize, picks: impl Iterator<Item = usize>) -> Tensor {
    let Some(&all) = t.shape().get(axis) else {
        return t.clone();
    };
    let picks: Vec<usize> = picks.collect();
    let inner = t.shape()[axis + 1..].iter().product::<usize>() * t.dtype().size();
    let of = |chunk: &[u8]| {
        picks
            .iter()
            .flat_map(|p| &chunk[p * inner..(p + 1) * inner])
            .copied()
            .collect::<Vec<u8>>()
    };
    let bytes: Vec<u8> = t
        .bytes()
        .chunks((all * inner).max(1))
        .flat_map(of)
        .collect();
    let mut shape = t.shape().to_vec();
    shape[axis] = picks.len();
    Tensor::from_bytes(t.dtype(), shape, &bytes).unwrap_or_else(|_| t.clone())
}

/// These rows of a tensor.
pub fn picked(t: &Tensor, rows: impl Iterator<Item = usize>) -> Tensor {
    along(t, 0, rows)
}

/// The first `to` slices along an axis.
pub fn cropped(t: &Tensor, axis: usize, to: usize) -> Tensor {
    along(t, axis, 0..to.min(t.shape()[axis]))
}

/// The slices along an axis, the last first.
pub fn reversed(t: &Tensor, axis: usize) -> Tensor {
    along(
        t,
        axis,
        (0..t.shape().get(axis).copied().unwrap_or(0)).rev(),
    )
}

pub fn turned(t: &Tensor) -> Tensor {
    reversed(t, 0)
}

pub fn head(t: &Tensor, to: usize) -> Tensor {
    picked(t, 0..to.min(rows(t)))
}

/// Rows of a tensor; a scalar is one.
pub fn rows(t: &Tensor) -> usize {
    t.shape().first().copied().unwrap_or(1)
}

/// Rows of a case.
pub fn count(case: &Case) -> usize {
    case.inputs.first().map_or(0, |(_, t)| rows(t))
}

/// Whether an input has a row per image; points and squares belong to all images.
pub fn is_of_images(name: &str) -> bool {
    name.starts_with("pred_") || name.starts_with("gt_")
}

/// The numbers of an answer as they are.
pub fn same(_: &Case, _: &Case, first: &Tensors) -> Tensors {
    first.clone()
}

/// `first` with every tensor changed.
pub fn each(first: &Tensors, change: impl Fn(&Tensor) -> Tensor) -> Tensors {
    first.iter().map(|(n, t)| (n.clone(), change(t))).collect()
}

/// A case of these rows alone, changed; None where there are none.
pub fn of_rows(
    case: &Case,
    rows: &[usize],
    change: impl Fn(&str, &Tensor) -> Tensor,
) -> Option<Case> {
    (!rows.is_empty()).then(|| changed(case, |n, t| change(n, &picked(t, rows.iter().copied()))))
}

/// Rows of two boxes whose sides are all at least a pixel, so that an eps is nothing beside them, and none above 1024, so that f64 still
/// holds it beside them: without it mmdet's CIoU divides 0 by 0 on equal boxes.
pub fn roomy(case: &Case) -> Vec<usize> {
    let boxes: Vec<Vec<f64>> = case.inputs.values().map(Tensor::to_f64).collect();
    let fits = |b: &[f64]| {
        [b[2] - b[0], b[3] - b[1]]
            .iter()
            .all(|side| (1.0..=1024.0).contains(side))
    };
    (0..count(case))
        .filter(|i| boxes.iter().all(|b| fits(&b[4 * i..4 * i + 4])))
        .collect()
}

/// Rows whose label is exactly 0 or 1.
pub fn hard(case: &Case) -> Vec<usize> {
    let label = ["target", "positive"]
        .into_iter()
        .find_map(|n| case.inputs.get(n))
        .map_or(vec![], Tensor::to_f64);
    (0..label.len())
        .filter(|i| label[*i] == 0.0 || label[*i] == 1.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_keeps_the_first_slices_of_its_axis() {
        let t = Tensor::of(&[2, 3], &[1f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let check = |axis, to, shape: &[usize], values: &[f64]| {
            let c = cropped(&t, axis, to);
            assert_eq!((c.shape(), c.to_f64().as_slice()), (shape, values));
        };
        check(0, 1, &[1, 3], &[1.0, 2.0, 3.0]);
        check(1, 2, &[2, 2], &[1.0, 2.0, 4.0, 5.0]);
    }
}
