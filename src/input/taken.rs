//! taken: a tensor of a file as a scenario says that it is to be taken: its axes in another order, in another shape, in the dtype that the model takes.

use crate::compare::layout::Order;
use crate::error::{Error, Result};
use crate::scenario::Input;
use crate::tensor::{DType, Tensor};

/// # Errors
/// An order that is none of its axes, a shape of another size, a number that the dtype does not hold.
pub fn taken(tensor: Tensor, input: &Input, dtype: Option<DType>) -> Result<Tensor> {
    let tensor = match &input.transpose {
        None => tensor,
        Some(axes) => transposed(&tensor, axes)?,
    };
    let tensor = match &input.reshape {
        None => tensor,
        Some(shape) => reshaped(&tensor, shape)?,
    };
    match dtype.filter(|d| input.cast == Some(true) && *d != tensor.dtype()) {
        None => Ok(tensor),
        Some(dtype) => cast(&tensor, dtype),
    }
}

fn transposed(tensor: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    let shape = tensor.shape();
    if !sorted.iter().copied().eq(0..shape.len()) {
        return Err(Error::usage(format!(
            "transpose = {axes:?} is no order of the axes of {shape:?}"
        ))
        .next("name each axis once, from 0: [0, 3, 1, 2] makes NCHW of NHWC"));
    }
    let turned: Vec<usize> = axes.iter().map(|a| shape[*a]).collect();
    Order::permuted(shape, axes).read(tensor, &turned)
}

fn reshaped(tensor: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let (own, wanted) = (tensor.numel(), crate::tensor::checked_numel(shape)?);
    match own == wanted {
        true => Tensor::from_bytes(tensor.dtype(), shape.to_vec(), tensor.bytes()),
        false => Err(Error::usage(format!(
            "reshape = {shape:?} holds {wanted} elements, the file's {:?} has {own}",
            tensor.shape()
        ))),
    }
}

/// Integers stay what they are, or nothing is cast.
fn cast(tensor: &Tensor, dtype: DType) -> Result<Tensor> {
    let values = tensor.to_f64();
    let made = Tensor::from_f64(dtype, tensor.shape(), &values)?;
    let whole = !dtype.is_float() || !tensor.dtype().is_float();
    let other = made.to_f64().iter().zip(&values).position(|(a, b)| a != b);
    match other.filter(|_| whole) {
        None => Ok(made),
        Some(at) => Err(Error::usage(format!(
            "cast: element {at} is {}, which {dtype} does not hold",
            values[at]
        ))
        .next(format!("save it as {dtype}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(transpose: &[usize], reshape: &[usize], cast: bool) -> Input {
        let said = |of: &[usize]| (!of.is_empty()).then(|| of.to_vec());
        Input {
            transpose: said(transpose),
            reshape: said(reshape),
            cast: cast.then_some(true),
            ..Input::default()
        }
    }

    #[test]
    fn axes_shape_and_dtype_are_as_they_are_said_and_nothing_else_is_changed() {
        let t = || Tensor::of(&[1, 2, 3], &[1f64, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let made = taken(t(), &input(&[0, 2, 1], &[3, 2], true), Some(DType::F32)).unwrap();
        assert_eq!((made.shape(), made.dtype()), (&[3, 2][..], DType::F32));
        assert_eq!(made.to_f64(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let plain = taken(t(), &input(&[], &[], false), Some(DType::F32)).unwrap();
        assert_eq!(plain.dtype(), DType::F64);
    }

    #[test]
    fn what_cannot_be_taken_so_is_refused_with_its_numbers() {
        let t = Tensor::of(&[2, 2], &[1f64, 2.5, 3.0, 4.0]);
        for (how, dtype, words) in [
            (
                input(&[0, 0], &[], false),
                DType::F64,
                "no order of the axes of [2, 2]",
            ),
            (
                input(&[], &[3], false),
                DType::F64,
                "holds 3 elements, the file's [2, 2] has 4",
            ),
            (
                input(&[], &[], true),
                DType::I64,
                "element 1 is 2.5, which i64 does not hold",
            ),
        ] {
            let e = taken(t.clone(), &how, Some(dtype)).unwrap_err();
            assert!(e.message.contains(words), "{e}");
        }
    }
}
