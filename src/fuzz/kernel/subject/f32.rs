//! f32: an engine in f32 beside the f64 form, which says what rounding in f32 may do to a case (Monte Carlo arithmetic, `floor::noise`).

use super::onnx_form::Form;
use crate::error::{Error, Result};
use crate::floor::noise::MOST_RUNS;
use crate::fuzz::kernel::response::{Response, Subject};
use crate::fuzz::kernel::rounding::Spread;
use crate::hash;
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::{Answer, Kernel};
use crate::subject::{Noise, Whole};
use crate::tensor::Tensor;
use std::collections::HashMap;

/// A subject that computes in f32.
pub struct Single {
    pub subject: Box<dyn Subject>,
    /// The clean form in f64.
    pub shadow: Form,
}

impl Subject for Single {
    fn answer(&mut self, kernel: &Kernel, case: &Case, reference: &Answer) -> Result<Response> {
        self.subject.answer(kernel, case, reference)
    }

    fn spread(&self) -> Spread {
        Spread::single()
    }

    fn rounded(
        &mut self,
        kernel: &Kernel,
        case: &Case,
        reference: &Answer,
        run: u32,
    ) -> Result<Option<Response>> {
        // A scalar needs this many runs, and every number is judged by its own spread.
        if run > MOST_RUNS {
            return Ok(None);
        }
        let dtypes = HashMap::new();
        let noise = Noise {
            seed: seed(case),
            run,
            dtypes: &dtypes,
            coherent: &[],
            exact_stays: true,
        };
        self.shadow
            .asked(kernel, case, reference, (run > 0).then_some(noise))
            .map(Some)
    }
}

/// The signs of the noise differ from case to case and are the same for the same case.
fn seed(case: &Case) -> u64 {
    hash::fnv(case.inputs.values().flat_map(Tensor::bytes))
}

/// A form in ONNX Runtime as users run it, optimised and with nothing observed: values alone.
pub struct Deployed(pub Box<dyn Whole>);

impl Subject for Deployed {
    fn answer(&mut self, kernel: &Kernel, case: &Case, _: &Answer) -> Result<Response> {
        let mut said: HashMap<String, Tensor> = self
            .0
            .run(&|n| case.inputs.get(n).cloned())?
            .into_iter()
            .collect();
        let mut one = |name: &&str| match said.remove(*name) {
            Some(tensor) => Ok((name.to_string(), tensor)),
            None => Err(Error::failed(format!("the form has no output '{name}'"))),
        };
        Ok(Response {
            tensors: kernel.outputs.iter().map(&mut one).collect::<Result<_>>()?,
            gradients: None,
        })
    }
}
