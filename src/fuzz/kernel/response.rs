//! response: what a subject says about a case: the outputs of the kernel's ONNX form, and gradients.

use super::rounding::Spread;
use crate::error::{Error, Result};
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::relations::Tensors;
use crate::subject::kernels::{Answer, Kernel};
use crate::tensor::Tensor;
use std::collections::BTreeMap;

/// Tensors by name; gradients by (output, input).
#[derive(Clone, Debug, Default)]
pub struct Response {
    pub tensors: Tensors,
    /// None from a subject without gradients.
    pub gradients: Option<Slopes>,
}

/// Gradients by (output, input); None where no path leads back.
pub type Slopes = BTreeMap<(String, String), Option<Tensor>>;

/// Whatever can be asked about a case.
pub trait Subject {
    /// # Errors
    /// What the subject refuses.
    fn answer(&mut self, kernel: &Kernel, case: &Case, reference: &Answer) -> Result<Response>;

    /// What it says about many cases in as few walks as it can, with the gradients of the sum of all outputs that `reference` differentiates
    /// under the name `oracle::SUM`.
    ///
    /// # Errors
    /// What the subject refuses; a subject that is to be asked one by one.
    fn batch(
        &mut self,
        _kernel: &Kernel,
        _cases: &[&Case],
        _reference: &Answer,
    ) -> Result<Vec<Response>> {
        Err(Error::failed("this subject is asked one by one"))
    }

    /// What the f64 form says with the rounding of the subject's precision after every node, or with that of its stored constants where it
    /// computes in f64: another sample for each `run` from 1 on, run 0 undisturbed. None after the last run, and where nothing is rounded.
    ///
    /// # Errors
    /// What the form refuses.
    fn rounded(
        &mut self,
        _kernel: &Kernel,
        _case: &Case,
        _reference: &Answer,
        _run: u32,
    ) -> Result<Option<Response>> {
        Ok(None)
    }

    /// What these runs are gathered in.
    fn spread(&self) -> Spread {
        Spread::default()
    }
}

/// Opens a subject; every thread has one of its own.
pub type Open<'a> = &'a (dyn Fn() -> Result<Box<dyn Subject>> + Sync);
