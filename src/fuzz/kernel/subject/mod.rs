//! subject: who can be fuzzed: a kernel's ONNX form in libtorch or ONNX Runtime, and the reference of another dialect.

pub(in crate::fuzz) mod constants;
mod f32;
mod onnx_form;
mod other_kernel;

use super::response::Subject;
use crate::cause::fault;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::scenario;
use crate::scenario::SubjectKind;
use crate::subject::kernels::Kernel;
use crate::subject::{Engines, open};
use crate::tensor::DType;
use f32::{Deployed, Single};
use onnx_form::Form;
use other_kernel::OtherKernel;
use std::fmt;
use std::sync::Arc;

/// Who is held against the reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub subject: scenario::Subject,
    /// What it computes in.
    pub dtype: DType,
}

impl Candidate {
    /// What the command line calls `word`: an engine that runs the form, or another kernel of the same inputs and outputs.
    ///
    /// # Errors
    /// A word that is neither; a kernel of other inputs or outputs.
    pub fn called(word: &str, kernel: &'static Kernel) -> Result<Self> {
        let (subject, dtype) = match word {
            "libtorch" => (scenario::Subject::libtorch(), DType::F64),
            "libtorch-f32" => (scenario::Subject::libtorch(), DType::F32),
            "onnxruntime" => (scenario::Subject::onnxruntime(), DType::F32),
            other => {
                let name = other_kernel::find(other, kernel)?.name.to_string();
                (scenario::Subject::Kernel { kernel: Some(name) }, DType::F64)
            }
        };
        Ok(Self { subject, dtype })
    }

    /// Opens it on `form`, the kernel's ONNX form.
    ///
    /// # Errors
    /// An engine that is not there; a fault that does not fit; a subject that cannot be fuzzed.
    pub fn open(&self, form: &Arc<Graph>, engines: Engines) -> Result<Box<dyn Subject>> {
        let own = fault::graph_of(&self.subject, form)?;
        let subject: Box<dyn Subject> = match (self.subject.engine(), self.dtype) {
            (SubjectKind::Libtorch, DType::F64) => Box::new(Form::exact(engines.torch()?, own)?),
            (SubjectKind::Libtorch, dtype) => Box::new(Form::open(engines.torch()?, own, dtype)?),
            (SubjectKind::OnnxRuntime, DType::F32) => Box::new(Deployed(open::whole(&own, 1)?)),
            (SubjectKind::Kernel, DType::F64) => Box::new(OtherKernel::named(self.kernel())?),
            (other, dtype) => {
                return Err(Error::usage(format!("'{other}' in {dtype} cannot be fuzzed"))
                    .next("libtorch in f64 or f32, onnxruntime in f32, another kernel in f64, or a fault in an engine"));
            }
        };
        match self.dtype {
            // What rounding does is measured on the clean form: no subject's own error widens a tolerance.
            DType::F32 => Ok(Box::new(Single {
                subject,
                shadow: Form::open(engines.torch()?, form.clone(), DType::F64)?,
            })),
            _ => Ok(subject),
        }
    }

    /// The other kernel that it is, if it is one.
    pub fn kernel(&self) -> Option<&str> {
        match &self.subject {
            scenario::Subject::Kernel { kernel } => kernel.as_deref(),
            _ => None,
        }
    }

    /// Whether both are the same but for a fault.
    pub fn is_alike(&self, other: &Self) -> bool {
        let of = |c: &Self| (c.subject.engine(), c.kernel().map(str::to_string), c.dtype);
        of(self) == of(other)
    }

    /// Whether it is what is fuzzed where nobody is named: the form in libtorch in f64.
    pub fn is_default(&self) -> bool {
        self.subject.engine() == SubjectKind::Libtorch && self.dtype == DType::F64
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.subject.engine(), self.kernel(), self.dtype) {
            (_, Some(kernel), _) => write!(f, "{kernel}"),
            (SubjectKind::Libtorch, None, DType::F32) => write!(f, "libtorch-f32"),
            (engine, None, _) => write!(f, "{engine}"),
        }
    }
}
