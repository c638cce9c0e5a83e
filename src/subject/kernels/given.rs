//! given: the inputs of a kernel by name, checked for rank and dtype, floats widened.

use super::Kernel;
use crate::error::{Error, Result};
use crate::subject::Feed;
use crate::tensor::{DType, Tensor};

/// Where a kernel finds its inputs.
pub struct Given<'a> {
    pub kernel: &'a Kernel,
    pub feed: Feed<'a>,
}

/// An input with its shape, row-major.
pub struct Values<T> {
    pub shape: Vec<usize>,
    pub values: Vec<T>,
}

impl<T> Values<T> {
    /// Rows of `width` values.
    pub fn rows(&self, width: usize) -> impl Iterator<Item = &[T]> {
        self.values.chunks_exact(width.max(1))
    }
}

impl Values<f64> {
    /// Four values each.
    pub fn boxes(&self) -> Vec<[f64; 4]> {
        self.values
            .chunks_exact(4)
            .map(|b| [b[0], b[1], b[2], b[3]])
            .collect()
    }
}

impl Given<'_> {
    fn tensor(&self, name: &str, rank: usize) -> Result<Tensor> {
        let found = (self.feed)(name).ok_or_else(|| {
            Error::usage(format!(
                "kernel '{}' needs the tensor '{name}'",
                self.kernel.name
            ))
        })?;
        match found.shape().len() == rank {
            true => Ok(found),
            false => Err(self.wrong(
                name,
                format!(
                    "has shape {:?}, but {rank} dimensions are taken",
                    found.shape()
                ),
            )),
        }
    }

    fn wrong(&self, name: &str, fact: String) -> Error {
        Error::usage(format!("kernel '{}': '{name}' {fact}", self.kernel.name))
            .next("compare the input with parity list kernels")
    }

    /// Floats as f64.
    pub fn real(&self, name: &str, rank: usize) -> Result<Values<f64>> {
        let t = self.tensor(name, rank)?;
        match t.dtype().is_float() {
            true => Ok(Values {
                shape: t.shape().to_vec(),
                values: t.to_f64(),
            }),
            false => Err(self.wrong(name, format!("holds {}, not real numbers", t.dtype()))),
        }
    }

    /// `[…, width]` floats.
    pub fn columns(&self, name: &str, rank: usize, width: usize) -> Result<Values<f64>> {
        let v = self.real(name, rank)?;
        match v.shape.last() == Some(&width) {
            true => Ok(v),
            false => Err(self.wrong(
                name,
                format!(
                    "has shape {:?}, but the last dimension must be {width}",
                    v.shape
                ),
            )),
        }
    }

    /// `[A, 2]` anchor points.
    pub fn points(&self) -> Result<Vec<[f64; 2]>> {
        Ok(self
            .columns("points", 2, 2)?
            .rows(2)
            .map(|p| [p[0], p[1]])
            .collect())
    }

    /// Integers.
    pub fn whole(&self, name: &str, rank: usize) -> Result<Values<i64>> {
        let t = self.tensor(name, rank)?;
        match t.to_i64().filter(|_| t.dtype() != DType::Bool) {
            Some(values) => Ok(Values {
                shape: t.shape().to_vec(),
                values,
            }),
            None => Err(self.wrong(name, format!("holds {}, not integers", t.dtype()))),
        }
    }

    /// Truth values.
    pub fn flags(&self, name: &str, rank: usize) -> Result<Values<bool>> {
        let t = self.tensor(name, rank)?;
        match t.dtype() {
            DType::Bool => Ok(Values {
                shape: t.shape().to_vec(),
                values: t.bytes().iter().map(|b| *b != 0).collect(),
            }),
            other => Err(self.wrong(name, format!("holds {other}, not bool"))),
        }
    }

    /// Height and width of a feature map `[1, 1, h, w]`; its values are not read.
    pub fn plane(&self, name: &str) -> Result<[usize; 2]> {
        let t = self.tensor(name, 4)?;
        Ok([t.shape()[2], t.shape()[3]])
    }

    /// Refuses inputs whose first dimensions differ.
    pub fn same_rows(&self, of: &[(&str, &[usize])]) -> Result<usize> {
        let (first, shape) = of[0];
        match of.iter().find(|(_, s)| s[0] != shape[0]) {
            None => Ok(shape[0]),
            Some((name, s)) => Err(self.wrong(
                name,
                format!("has {} rows, '{first}' has {}", s[0], shape[0]),
            )),
        }
    }
}
