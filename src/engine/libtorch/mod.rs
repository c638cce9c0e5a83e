//! libtorch: the second opinion: the same ONNX graph, interpreted node by node with libtorch kernels, in f32 and in f64.

mod call;
mod convert;
mod gradient;
mod interpret;
mod judge;
mod ops;
mod perturbed;
mod scales;
mod script;
mod scripted;
mod session;
mod value;

use call::Precision;
use parity::error::Result;
use parity::graph::Graph;
use parity::native;
use parity::scenario::TorchScript;
use parity::subject::{Differentiator, Judge, Options, Scripted, Session, Torch, unfed};
use parity::tensor;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use value::Value;

/// The libtorch that this executable is linked with.
pub struct Linked;

pub const LINKED: Linked = Linked;

impl Torch for Linked {
    fn session(&self, graph: Arc<Graph>, options: &Options) -> Result<Box<dyn Session>> {
        Ok(Box::new(session::TorchSession::open(graph, options)?))
    }

    fn lacks(&self, graph: &Graph) -> Vec<usize> {
        let lacking = |s: &parity::graph::Step| s.nodes.iter().any(|n| !interpret::has(n, graph));
        graph
            .steps
            .iter()
            .enumerate()
            .filter(|(_, s)| lacking(s))
            .map(|(i, _)| i)
            .collect()
    }

    fn script(
        &self,
        graph: Arc<Graph>,
        script: &TorchScript,
        options: &Options,
    ) -> Result<Box<dyn Session>> {
        Ok(Box::new(script::Script::open(graph, script, options)?))
    }

    fn scripted(&self, path: &Path, double: bool) -> Result<Box<dyn Scripted>> {
        Ok(Box::new(scripted::ScriptGradient::open(path, double)?))
    }

    fn judge(&self, graph: Arc<Graph>, options: &Options) -> Result<Box<dyn Judge>> {
        Ok(Box::new(judge::TorchJudge::open(graph, options)?))
    }

    fn differentiator(
        &self,
        graph: Arc<Graph>,
        options: &Options,
        double: bool,
    ) -> Result<Box<dyn Differentiator>> {
        let precision = if double {
            Precision::Double
        } else {
            Precision::Declared
        };
        Ok(Box::new(gradient::TorchGradient::open(
            graph, options, precision,
        )?))
    }

    fn values(
        &self,
        graph: &Graph,
        inputs: &HashMap<String, tensor::Value>,
        options: &Options,
    ) -> Result<Vec<tensor::Value>> {
        tch::set_num_threads(options.threads as i32);
        let _no_grad = tch::no_grad_guard();
        let weights: HashMap<&str, Value> = graph
            .weights
            .iter()
            .map(|(n, t)| Ok((n.as_str(), Value::of_tensor(t)?)))
            .collect::<Result<_>>()?;
        let lookup = |name: &str| match (inputs.get(name), weights.get(name)) {
            (Some(v), _) => Value::of(v),
            (None, Some(v)) => Ok(v.clone()),
            (None, None) => Err(unfed(name)),
        };
        interpret::whole(graph, Precision::Declared, &lookup)?
            .iter()
            .map(Value::given)
            .collect()
    }

    fn version(&self) -> String {
        native::libtorch_version().unwrap_or_else(|| "of a version that it does not state".into())
    }
}
