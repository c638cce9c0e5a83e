//! session: libtorch as a subject, in the dtypes that the graph declares.

use super::call::Precision;
use super::gradient::TorchGradient;
use super::interpret;
use super::value::Value;
use parity::error::Result;
use parity::graph::Graph;
use parity::graph::cut::Link;
use parity::graph::places::Places;
use parity::subject::gradients::{Given, Named, OwnGradients, Wanted};
use parity::subject::{Ask, Differentiator, Feed, Options, Output, Session, unfed};
use parity::tensor;
use std::collections::HashMap;
use std::sync::Arc;

/// The graph and its weights in libtorch.
pub struct TorchSession {
    graph: Arc<Graph>,
    options: Options,
    places: Places,
    weights: HashMap<String, Value>,
}

impl TorchSession {
    /// A step with an operator that is not registered is refused when it is asked for: the other engine may lend its output.
    pub fn open(graph: Arc<Graph>, options: &Options) -> Result<Self> {
        tch::set_num_threads(options.threads as i32);
        let weights = graph
            .weights
            .iter()
            .map(|(n, t)| Ok((n.clone(), Value::of_tensor(t)?)))
            .collect::<Result<_>>()?;
        let places = Places::of(&graph);
        Ok(Self {
            graph,
            options: options.clone(),
            places,
            weights,
        })
    }
}

impl Session for TorchSession {
    fn tensors(&mut self, names: &[&str], link: Link, feed: Feed) -> Result<Vec<Output>> {
        let steps = self.places.steps(names)?;
        let _no_grad = tch::no_grad_guard();
        let mut own: HashMap<&str, Value> = HashMap::new();
        let mut all = Vec::with_capacity(steps.len());
        for step in steps.iter().map(|i| &self.graph.steps[*i]) {
            let lookup = |name: &str| match (self.weights.get(name), own.get(name)) {
                (Some(t), _) => Ok(t.clone()),
                (None, Some(t)) if link == Link::Connected => Ok(t.clone()),
                _ => Value::of_tensor(
                    &feed(name).ok_or_else(|| unfed(name).at(format!("node '{}'", step.name)))?,
                ),
            };
            let outputs = interpret::step(step, &self.graph, Precision::Declared, &lookup)?;
            all.push(outputs.iter().map(observed).collect::<Result<Vec<_>>>()?);
            own.extend(step.outputs.iter().map(String::as_str).zip(outputs));
        }
        self.places.pick(names, &steps, all)
    }

    fn gradients(&mut self, wanted: &Wanted) -> Result<Option<OwnGradients>> {
        let names = |all: &[Named]| all.iter().map(|n| n.graph.clone()).collect::<Vec<_>>();
        let ask = Ask {
            feed: wanted.feed,
            terms: &names(wanted.terms),
            jointly: false,
            wrt: &names(wanted.by),
            replay: &HashMap::new(),
            noise: None,
            slopes: &[],
            keep: &[],
        };
        let graph = self.graph.clone();
        let done = TorchGradient::open(graph, &self.options, Precision::Declared)?.run(&ask)?;
        let given = |term: Vec<Option<tensor::Tensor>>| term.into_iter().map(Given::from).collect();
        Ok(Some(OwnGradients {
            by_term: done.by_term.into_iter().map(given).collect(),
            weighted: false,
            missing: None,
        }))
    }

    fn forward(&mut self, feed: Feed) -> Result<Option<Vec<(String, tensor::Tensor)>>> {
        let _no_grad = tch::no_grad_guard();
        let lookup = |name: &str| match self.weights.get(name) {
            Some(t) => Ok(t.clone()),
            None => Value::of_tensor(&feed(name).ok_or_else(|| unfed(name))?),
        };
        let outputs = interpret::whole(&self.graph, Precision::Declared, &lookup)?;
        let tensors = self
            .graph
            .outputs
            .iter()
            .zip(&outputs)
            .map(|(port, v)| Ok(observed(v)?.ok().map(|t| (port.name.clone(), t))));
        tensors
            .filter_map(Result::transpose)
            .collect::<Result<_>>()
            .map(Some)
    }
}

/// A tensor, or why there is none to compare.
fn observed(v: &Value) -> Result<Output> {
    Ok(match v.given()? {
        tensor::Value::Tensor(t) => Ok(t),
        other => Err(format!("{other:?}: only tensors are compared")),
    })
}
