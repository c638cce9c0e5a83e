//! tensor: an n-dimensional array of any dtype, owned and shared (`Tensor`) or borrowed (`View`); row-major, never strided.

mod convert;
pub mod dtype;
pub mod index;
pub mod narrow;
pub mod ulp;
pub mod value;

pub use dtype::{DType, Element};
pub use narrow::Narrow;
pub use value::Value;

use crate::error::{Error, Result};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Memory that a tensor lives in: our own, or an engine's, kept alive as long as the tensor.
pub trait Storage: Any + Send + Sync {
    /// The elements in row-major order, aligned for their dtype.
    fn bytes(&self) -> &[u8];
    /// For an engine to find its own tensor again without a copy.
    fn as_any(&self) -> &dyn Any;
}

/// Bytes aligned to 16, owned.
struct Owned {
    words: Vec<u128>,
    len: usize,
}

impl Storage for Owned {
    fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A vector of elements, taken over.
struct Values<T>(Vec<T>);

impl<T: Element + Send + Sync> Storage for Values<T> {
    fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// An immutable tensor; cloning shares the memory.
#[derive(Clone)]
pub struct Tensor {
    dtype: DType,
    shape: Vec<usize>,
    storage: Arc<dyn Storage>,
}

/// A borrowed tensor: what comparisons work on.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub dtype: DType,
    pub shape: &'a [usize],
    pub bytes: &'a [u8],
}

impl Tensor {
    /// A tensor over `storage`; the byte length must be exactly shape × element size.
    pub fn new(dtype: DType, shape: Vec<usize>, storage: Arc<dyn Storage>) -> Result<Self> {
        check_len(dtype, &shape, storage.bytes().len())?;
        Ok(Self {
            dtype,
            shape,
            storage,
        })
    }

    /// A copy of `bytes` (row-major, little-endian).
    pub fn from_bytes(dtype: DType, shape: Vec<usize>, bytes: &[u8]) -> Result<Self> {
        check_len(dtype, &shape, bytes.len())?;
        let mut words = vec![0u128; bytes.len().div_ceil(16)];
        bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Ok(Self {
            dtype,
            shape,
            storage: Arc::new(Owned {
                words,
                len: bytes.len(),
            }),
        })
    }

    /// A copy of typed values; panics if their number is not the shape's (a programming error, not data).
    pub fn of<T: Element>(shape: &[usize], values: &[T]) -> Self {
        Self::from_bytes(T::DTYPE, shape.to_vec(), bytemuck::cast_slice(values))
            .expect("as many values as the shape holds")
    }

    /// Takes `values` over without a copy; panics if their number is not the shape's (a programming error, not data).
    pub fn from_vec<T: Element + Send + Sync>(shape: &[usize], values: Vec<T>) -> Self {
        Self::new(T::DTYPE, shape.to_vec(), Arc::new(Values(values)))
            .expect("as many values as the shape holds")
    }

    /// `values` in `dtype`; as many as `shape` holds.
    pub fn from_f64(dtype: DType, shape: &[usize], values: &[f64]) -> Result<Self> {
        convert::from_floats(dtype, shape, values)
    }

    /// A copy of part `i` of the first axis; panics where there is none (a programming error, not data).
    pub fn row(&self, i: usize) -> Self {
        let shape = self.shape[1..].to_vec();
        let size = shape.iter().product::<usize>() * self.dtype.size();
        Self::from_bytes(self.dtype, shape, &self.bytes()[i * size..(i + 1) * size])
            .expect("a part of what is there")
    }

    /// A copy of these places along `axis`, in this order; panics where there is none (a programming error, not data).
    pub fn taken(&self, axis: usize, places: impl ExactSizeIterator<Item = usize> + Clone) -> Self {
        let inner: usize = self.shape[axis + 1..].iter().product();
        let outer: usize = self.shape[..axis].iter().product();
        let run = inner * self.dtype.size();
        let mut bytes = Vec::with_capacity(outer * places.len() * run);
        for block in 0..outer {
            for place in places.clone() {
                let at = (block * self.shape[axis] + place) * run;
                bytes.extend_from_slice(&self.bytes()[at..at + run]);
            }
        }
        let mut shape = self.shape.clone();
        shape[axis] = places.len();
        Self::from_bytes(self.dtype, shape, &bytes).expect("parts of what is there")
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn bytes(&self) -> &[u8] {
        self.storage.bytes()
    }

    pub fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    pub fn view(&self) -> View<'_> {
        View {
            dtype: self.dtype,
            shape: &self.shape,
            bytes: self.bytes(),
        }
    }

    /// The elements, if the dtype is `T`'s.
    pub fn values<T: Element>(&self) -> Option<&[T]> {
        self.view().values()
    }

    /// Every element as f64 (integers beyond 2^53 round; use only where that is decided).
    pub fn to_f64(&self) -> Vec<f64> {
        self.view().to_f64()
    }

    /// Every element as i64, if the tensor holds integers or booleans that fit.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        convert::integers(self.view())
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.dtype, self.shape)
    }
}

impl<'a> View<'a> {
    pub fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    /// The elements, if the dtype is `T`'s.
    pub fn values<T: Element>(&self) -> Option<&'a [T]> {
        (self.dtype == T::DTYPE).then(|| self.elements())
    }

    /// The bytes as elements of the dtype's own type; what holds none need not be aligned.
    pub(crate) fn elements<T: bytemuck::Pod>(&self) -> &'a [T] {
        if self.bytes.is_empty() {
            &[]
        } else {
            bytemuck::cast_slice(self.bytes)
        }
    }

    /// Every element as f64.
    pub fn to_f64(&self) -> Vec<f64> {
        convert::floats(*self)
    }

    /// Element `i` as f64; panics where there is none (a programming error, not data).
    pub fn get(&self, i: usize) -> f64 {
        let size = self.dtype.size();
        let one = &self.bytes[i * size..(i + 1) * size];
        convert::float(self.dtype, one)
    }
}

/// Number of elements of `shape`, or an error that names the product that overflowed.
pub fn checked_numel(shape: &[usize]) -> Result<usize> {
    shape
        .iter()
        .try_fold(1usize, |n, d| n.checked_mul(*d))
        .filter(|n| *n <= isize::MAX as usize / 16)
        .ok_or_else(|| {
            Error::usage(format!(
                "shape {shape:?} has more elements than memory can address"
            ))
        })
}

fn check_len(dtype: DType, shape: &[usize], len: usize) -> Result<()> {
    let want = checked_numel(shape)? * dtype.size();
    if want == len {
        return Ok(());
    }
    Err(Error::usage(format!(
        "{dtype} tensor of shape {shape:?} needs {want} bytes, has {len}"
    )))
}
