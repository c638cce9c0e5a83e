//! opinion: what a subject says about a case: the outputs of the kernel's ONNX form, and gradients.

use super::draw::Case;
use crate::error::Result;
use crate::graph::Graph;
use crate::subject::kernels::{Answer, Kernel};
use crate::subject::{Ask, Differentiator, Options, Torch};
use crate::tensor::Tensor;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Outputs by name; gradients by (output, input), None where no path leads back.
#[derive(Default)]
pub struct Opinion {
    pub tensors: BTreeMap<String, Tensor>,
    pub gradients: BTreeMap<(String, String), Option<Tensor>>,
}

/// Whatever can be asked about a case.
pub trait Subject {
    /// # Errors
    /// What the subject refuses.
    fn opinion(&mut self, kernel: &Kernel, case: &Case, reference: &Answer) -> Result<Opinion>;
}

/// Opens a subject; every thread has one of its own.
pub type Open<'a> = &'a (dyn Fn() -> Result<Box<dyn Subject>> + Sync);

/// The ONNX form of a kernel in libtorch in f64: values and autograd out of one walk.
pub struct Double(Box<dyn Differentiator>);

impl Double {
    /// # Errors
    /// A graph with an operator that the interpreter does not have.
    pub fn open(torch: &dyn Torch, graph: Arc<Graph>) -> Result<Self> {
        let options = Options { threads: 1, optimisation: Default::default() };
        Ok(Self(torch.differentiator(graph, &options, true)?))
    }
}

impl Subject for Double {
    fn opinion(&mut self, kernel: &Kernel, case: &Case, reference: &Answer) -> Result<Opinion> {
        let unique = |mut names: Vec<String>| {
            names.sort();
            names.dedup();
            names
        };
        let terms = unique(reference.gradients.iter().map(|g| g.of.to_string()).collect());
        let wrt = unique(reference.gradients.iter().map(|g| g.by.to_string()).collect());
        let keep: Vec<String> = kernel.outputs.iter().map(|n| n.to_string()).collect();
        let (replay, feed) = (HashMap::new(), |n: &str| case.inputs.get(n).cloned());
        let found = self.0.run(&Ask { feed: &feed, terms: &terms, wrt: &wrt, replay: &replay, noise: None, slopes: &[], keep: &keep })?;
        let pairs = terms.iter().flat_map(|t| wrt.iter().map(move |w| (t.clone(), w.clone())));
        Ok(Opinion {
            tensors: keep.into_iter().zip(found.kept).collect(),
            gradients: pairs.zip(found.by_term.into_iter().flatten()).collect(),
        })
    }
}
