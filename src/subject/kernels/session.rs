//! session: a reference as a subject: it answers the declared outputs of its ONNX form, rounded to the dtypes that the graph declares.

use super::{Kernel, of};
use crate::error::{Error, Place, Result};
use crate::graph::Graph;
use crate::graph::cut::Link;
use crate::scenario::training::PREDICTIONS;
use crate::subject::gradients::{Given, Named, OwnGradients, Wanted};
use crate::subject::{Feed, Output, Session};
use crate::tensor::{DType, Tensor};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A kernel in the place of the graph that is its ONNX form.
pub struct Reference {
    graph: Arc<Graph>,
    kernel: &'static Kernel,
    /// What it said of the inputs; they are the same in every call.
    answer: Option<BTreeMap<&'static str, Tensor>>,
}

impl Reference {
    /// `name`, or the kernel that the graph's metadata name.
    ///
    /// # Errors
    /// No name at all; an unknown one; a graph that lacks an input or output of the kernel.
    pub fn open(graph: Arc<Graph>, name: Option<&str>) -> Result<Self> {
        let kernel = of(&graph, name)?;
        let has = |ports: &[crate::graph::Port], n: &str| ports.iter().any(|p| p.name == n);
        let missing = kernel
            .inputs
            .iter()
            .find(|n| !has(&graph.inputs, n))
            .map(|n| ("input", n));
        match missing.or(kernel
            .outputs
            .iter()
            .find(|n| !has(&graph.outputs, n))
            .map(|n| ("output", n)))
        {
            None => Ok(Self {
                graph,
                kernel,
                answer: None,
            }),
            Some((kind, n)) => Err(Error::usage(format!(
                "the graph has no {kind} '{n}', which kernel '{}' has",
                kernel.name
            ))
            .next("rename it in the export, or choose the kernel that the graph is a form of")),
        }
    }

    fn answer(&mut self, feed: Feed) -> Result<&BTreeMap<&'static str, Tensor>> {
        if self.answer.is_none() {
            let said = self
                .kernel
                .evaluate(feed)
                .at(format!("kernel '{}'", self.kernel.name))?;
            self.answer = Some(
                said.tensors
                    .into_iter()
                    .map(|(n, t)| Ok((n, self.declared(n, t)?)))
                    .collect::<Result<_>>()?,
            );
        }
        Ok(self.answer.get_or_insert_default())
    }

    /// In the dtype that the graph declares.
    fn declared(&self, name: &str, t: Tensor) -> Result<Tensor> {
        match self
            .graph
            .outputs
            .iter()
            .find(|p| p.name == name)
            .and_then(|p| p.dtype)
        {
            Some(dtype) if t.dtype() == DType::F64 && dtype.is_float() => {
                Tensor::from_f64(dtype, t.shape(), &t.to_f64())
            }
            _ => Ok(t),
        }
    }
}

impl Session for Reference {
    fn tensors(&mut self, names: &[&str], _link: Link, feed: Feed) -> Result<Vec<Output>> {
        let name = self.kernel.name;
        let answer = self.answer(feed)?;
        let one = |n: &&str| {
            answer
                .get(*n)
                .cloned()
                .ok_or_else(|| format!("kernel '{name}' answers outputs only"))
        };
        Ok(names.iter().map(one).collect())
    }

    /// Of its terms and their sum by the predictions: it knows no parameter.
    fn gradients(&mut self, wanted: &Wanted) -> Result<Option<OwnGradients>> {
        let answer = self.kernel.evaluate(wanted.feed)?;
        let of = |term: &Named, by: &Named| {
            let mut all = answer.gradients.iter();
            all.find(|g| (g.of, g.by) == (term.graph.as_str(), by.graph.as_str()))
                .map_or(Given::Unknown, |g| Given::Value(g.value.clone()))
        };
        let by_term = |term: &Named| wanted.by.iter().map(|by| of(term, by)).collect();
        let parameters = wanted
            .by
            .iter()
            .filter(|by| !PREDICTIONS.contains(&by.standard.as_str()));
        let parameters = parameters.count();
        Ok(Some(OwnGradients {
            by_term: wanted.terms.iter().map(by_term).collect(),
            weighted: false,
            missing: (parameters > 0)
                .then(|| format!("a kernel gives no gradients by {parameters} parameters")),
        }))
    }

    fn can_isolate(&self) -> bool {
        false
    }
}
