//! ONNX form: a kernel's ONNX form in libtorch, in f64 or in its own f32: values and autograd out of one walk.

use super::constants;
use crate::error::{Error, Result};
use crate::fuzz::kernel::batched;
use crate::fuzz::kernel::oracle::SUM;
use crate::fuzz::kernel::response::{Response, Subject};
use crate::graph::Graph;
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::{Answer, Kernel};
use crate::subject::{Ask, Differentiator, Noise, Options, Torch};
use crate::tensor::DType;
use std::collections::HashMap;
use std::sync::Arc;

/// The form, opened.
pub struct Form {
    torch: Box<dyn Differentiator>,
    dtype: DType,
    /// The same with every constant that its file rounded moved, one per run.
    moved: Vec<Box<dyn Differentiator>>,
}

/// Runs with constants moved.
const MOVED: u32 = 4;

impl Form {
    /// # Errors
    /// A graph with an operator that the interpreter does not have.
    pub fn open(torch: &dyn Torch, graph: Arc<Graph>, dtype: DType) -> Result<Self> {
        let options = Options {
            threads: 1,
            optimisation: Default::default(),
        };
        Ok(Self {
            torch: torch.differentiator(graph, &options, dtype == DType::F64)?,
            dtype,
            moved: vec![],
        })
    }

    /// The form in f64, whose constants are as exact as its file stores them.
    ///
    /// # Errors
    /// A graph with an operator that the interpreter does not have.
    pub fn exact(torch: &dyn Torch, graph: Arc<Graph>) -> Result<Self> {
        let options = Options {
            threads: 1,
            optimisation: Default::default(),
        };
        let moved = (1..=MOVED).map_while(|run| constants::moved(&graph, run));
        let moved = moved
            .map(|g| torch.differentiator(Arc::new(g), &options, true))
            .collect::<Result<_>>()?;
        Ok(Self {
            moved,
            ..Self::open(torch, graph, DType::F64)?
        })
    }

    /// What it says, with noise behind every node where some is given.
    ///
    /// # Errors
    /// What the form refuses.
    pub fn asked(
        &mut self,
        kernel: &Kernel,
        case: &Case,
        reference: &Answer,
        noise: Option<Noise>,
    ) -> Result<Response> {
        walked(&mut *self.torch, kernel, case, reference, noise, false)
    }
}

/// One walk; `jointly` gives the gradients of the sum of all terms.
fn walked(
    torch: &mut dyn Differentiator,
    kernel: &Kernel,
    case: &Case,
    reference: &Answer,
    noise: Option<Noise>,
    jointly: bool,
) -> Result<Response> {
    let unique = |mut names: Vec<String>| {
        names.sort();
        names.dedup();
        names
    };
    let terms = unique(
        reference
            .gradients
            .iter()
            .map(|g| g.of.to_string())
            .collect(),
    );
    let wrt = unique(
        reference
            .gradients
            .iter()
            .map(|g| g.by.to_string())
            .collect(),
    );
    let keep: Vec<String> = kernel.outputs.iter().map(|n| n.to_string()).collect();
    let (replay, feed) = (HashMap::new(), |n: &str| case.inputs.get(n).cloned());
    let ask = Ask {
        feed: &feed,
        terms: &terms,
        jointly,
        wrt: &wrt,
        replay: &replay,
        noise,
        slopes: &[],
        keep: &keep,
    };
    let found = torch.run(&ask)?;
    let of = if jointly {
        vec![SUM.to_string()]
    } else {
        terms
    };
    let pairs = of
        .iter()
        .flat_map(|t| wrt.iter().map(move |w| (t.clone(), w.clone())));
    Ok(Response {
        tensors: keep.into_iter().zip(found.kept).collect(),
        gradients: Some(pairs.zip(found.by_term.into_iter().flatten()).collect()),
    })
}

impl Subject for Form {
    fn rounded(
        &mut self,
        kernel: &Kernel,
        case: &Case,
        reference: &Answer,
        run: u32,
    ) -> Result<Option<Response>> {
        match (run.checked_sub(1), self.moved.is_empty()) {
            (_, true) => Ok(None),
            (None, false) => self.asked(kernel, case, reference, None).map(Some),
            (Some(i), false) => self
                .moved
                .get_mut(i as usize)
                .map(|torch| walked(&mut **torch, kernel, case, reference, None, false))
                .transpose(),
        }
    }

    fn answer(&mut self, kernel: &Kernel, case: &Case, reference: &Answer) -> Result<Response> {
        self.asked(kernel, case, reference, None)
    }

    fn batch(
        &mut self,
        kernel: &Kernel,
        cases: &[&Case],
        reference: &Answer,
    ) -> Result<Vec<Response>> {
        if self.dtype != DType::F64 {
            return Err(Error::failed("rounding in f32 is judged case by case"));
        }
        let mut out = vec![Response::default(); cases.len()];
        for places in batched::groups(kernel, cases) {
            let group: Vec<&Case> = places.iter().map(|i| cases[*i]).collect();
            let response = walked(
                &mut *self.torch,
                kernel,
                &batched::joined(&group)?,
                reference,
                None,
                true,
            )?;
            for (i, one) in places.into_iter().zip(batched::split(response, &group)?) {
                out[i] = one;
            }
        }
        Ok(out)
    }
}
