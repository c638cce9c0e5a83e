//! opinion: what a subject says about a case: the outputs of the kernel's ONNX form, and gradients.

use super::draw::Case;
use crate::error::{Place, Result};
use crate::graph::Graph;
use crate::subject::kernels::{Answer, Kernel};
use crate::subject::{Ask, Differentiator, Judge, Options, Torch};
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

/// The ONNX form of a kernel in libtorch in f64, values and autograd.
pub struct Double {
    graph: Arc<Graph>,
    values: Box<dyn Judge>,
    backward: Box<dyn Differentiator>,
}

impl Double {
    /// # Errors
    /// A graph with an operator that the interpreter does not have.
    pub fn open(torch: &dyn Torch, graph: Arc<Graph>) -> Result<Self> {
        let options = Options { threads: 1, optimisation: Default::default() };
        let values = torch.judge(graph.clone(), &options)?;
        let backward = torch.differentiator(graph.clone(), &options, true)?;
        Ok(Self { graph, values, backward })
    }

    fn gradients(&mut self, case: &Case, reference: &Answer) -> Result<BTreeMap<(String, String), Option<Tensor>>> {
        let unique = |mut names: Vec<String>| {
            names.sort();
            names.dedup();
            names
        };
        let terms = unique(reference.gradients.iter().map(|g| g.of.to_string()).collect());
        let wrt = unique(reference.gradients.iter().map(|g| g.by.to_string()).collect());
        if terms.is_empty() {
            return Ok(BTreeMap::new());
        }
        let replay = HashMap::new();
        let feed = |n: &str| case.inputs.get(n).cloned();
        let ask = Ask { feed: &feed, terms: &terms, wrt: &wrt, replay: &replay, noise: None, slopes: &[] };
        let found = self.backward.run(&ask).at("backward")?;
        let pairs = terms.iter().flat_map(|t| wrt.iter().map(move |w| (t.clone(), w.clone())));
        Ok(pairs.zip(found.by_term.into_iter().flatten()).collect())
    }
}

impl Subject for Double {
    fn opinion(&mut self, kernel: &Kernel, case: &Case, reference: &Answer) -> Result<Opinion> {
        let mut live: HashMap<String, Tensor> = case.inputs.iter().map(|(n, t)| (n.clone(), t.clone())).collect();
        for (i, step) in self.graph.steps.iter().enumerate() {
            let outputs = self.values.eval(i, &|n| live.get(n).cloned()).at(format!("node '{}'", step.name))?;
            live.extend(step.outputs.iter().cloned().zip(outputs));
        }
        let tensors = kernel.outputs.iter().filter_map(|n| Some((n.to_string(), live.remove(*n)?))).collect();
        Ok(Opinion { tensors, gradients: self.gradients(case, reference)? })
    }
}
