//! convert: elements of every dtype as f64 and i64, and numbers into any dtype.

use super::{DType, Tensor, View};
use crate::error::Result;
use half::{bf16, f16};

/// Every element as f64; exact for all dtypes but 64-bit integers beyond 2^53.
pub(super) fn floats(view: View<'_>) -> Vec<f64> {
    macro_rules! cast {
        ($t:ty, $f:expr) => {
            view.elements::<$t>().iter().map($f).collect()
        };
    }
    match view.dtype {
        DType::F64 => cast!(f64, |x| *x),
        DType::F32 => cast!(f32, |x| *x as f64),
        DType::F16 => cast!(f16, |x| x.to_f64()),
        DType::BF16 => cast!(bf16, |x| x.to_f64()),
        DType::I64 => cast!(i64, |x| *x as f64),
        DType::I32 => cast!(i32, |x| *x as f64),
        DType::I16 => cast!(i16, |x| *x as f64),
        DType::I8 => cast!(i8, |x| *x as f64),
        DType::U64 => cast!(u64, |x| *x as f64),
        DType::U32 => cast!(u32, |x| *x as f64),
        DType::U16 => cast!(u16, |x| *x as f64),
        DType::U8 | DType::Bool => cast!(u8, |x| *x as f64),
    }
}

/// The element that `bytes` are, as f64.
pub(super) fn float(dtype: DType, bytes: &[u8]) -> f64 {
    macro_rules! cast {
        ($t:ty, $f:expr) => {
            $f(bytemuck::pod_read_unaligned::<$t>(bytes))
        };
    }
    match dtype {
        DType::F64 => cast!(f64, |x| x),
        DType::F32 => cast!(f32, |x| x as f64),
        DType::F16 => cast!(f16, |x: f16| x.to_f64()),
        DType::BF16 => cast!(bf16, |x: bf16| x.to_f64()),
        DType::I64 => cast!(i64, |x| x as f64),
        DType::I32 => cast!(i32, |x| x as f64),
        DType::I16 => cast!(i16, |x| x as f64),
        DType::I8 => cast!(i8, |x| x as f64),
        DType::U64 => cast!(u64, |x| x as f64),
        DType::U32 => cast!(u32, |x| x as f64),
        DType::U16 => cast!(u16, |x| x as f64),
        DType::U8 | DType::Bool => cast!(u8, |x| x as f64),
    }
}

/// Every element as i64, exact; none for floats, nor for a u64 beyond i64.
pub(super) fn integers(view: View<'_>) -> Option<Vec<i64>> {
    macro_rules! cast {
        ($t:ty) => {
            Some(view.elements::<$t>().iter().map(|x| *x as i64).collect())
        };
    }
    match view.dtype {
        DType::F64 | DType::F32 | DType::F16 | DType::BF16 => None,
        DType::U64 => view
            .elements::<u64>()
            .iter()
            .map(|x| i64::try_from(*x).ok())
            .collect(),
        DType::I64 => cast!(i64),
        DType::I32 => cast!(i32),
        DType::I16 => cast!(i16),
        DType::I8 => cast!(i8),
        DType::U32 => cast!(u32),
        DType::U16 => cast!(u16),
        DType::U8 | DType::Bool => cast!(u8),
    }
}

/// `values` in `dtype`, rounded as Rust's `as` does.
pub(super) fn from_floats(dtype: DType, shape: &[usize], values: &[f64]) -> Result<Tensor> {
    macro_rules! of {
        ($t:ty, $f:expr) => {
            Tensor::of::<$t>(shape, &values.iter().map($f).collect::<Vec<$t>>())
        };
    }
    Ok(match dtype {
        DType::F64 => of!(f64, |v| *v),
        DType::F32 => of!(f32, |v| *v as f32),
        DType::F16 => of!(f16, |v| f16::from_f64(*v)),
        DType::BF16 => of!(bf16, |v| bf16::from_f64(*v)),
        DType::I64 => of!(i64, |v| *v as i64),
        DType::I32 => of!(i32, |v| *v as i32),
        DType::I16 => of!(i16, |v| *v as i16),
        DType::I8 => of!(i8, |v| *v as i8),
        DType::U64 => of!(u64, |v| *v as u64),
        DType::U32 => of!(u32, |v| *v as u32),
        DType::U16 => of!(u16, |v| *v as u16),
        DType::U8 => of!(u8, |v| *v as u8),
        DType::Bool => {
            let bytes: Vec<u8> = values.iter().map(|v| u8::from(*v != 0.0)).collect();
            return Tensor::from_bytes(DType::Bool, shape.to_vec(), &bytes);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    #[test]
    fn a_view_without_an_element_may_lie_at_any_address() {
        let bytes = [0u128; 1];
        let odd = &bytemuck::cast_slice::<u128, u8>(&bytes)[1..1];
        for dtype in DType::ALL {
            let view = View {
                dtype,
                shape: &[2, 0],
                bytes: odd,
            };
            assert_eq!(
                (floats(view), integers(view).unwrap_or_default()),
                (vec![], vec![]),
                "{dtype}"
            );
        }
        assert_eq!(
            View {
                dtype: DType::F64,
                shape: &[0],
                bytes: odd
            }
            .values::<f64>(),
            Some(&[][..])
        );
        assert_eq!(Tensor::of(&[1], &[7i16]).to_i64(), Some(vec![7]));
    }
}
