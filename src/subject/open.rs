//! open: from a subject's name in a scenario to a session.

use super::{Options, Session, Torch, Whole, kernels, recorded, simulated};
use crate::error::{Error, Place, Result};
use crate::graph::Graph;
use crate::graph::infer::Expected;
use crate::input::parameters;
use crate::params::Source;
use crate::scenario::{Optimisation, Subject};
use crate::tensor::Value;
use crate::trace::file;
use indexmap::IndexMap;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The engines that this executable has.
#[derive(Clone, Copy)]
pub struct Engines<'a> {
    pub torch: Option<&'a dyn Torch>,
}

impl<'a> Engines<'a> {
    /// libtorch, or an error that says how to get it.
    pub fn torch(&self) -> Result<&'a dyn Torch> {
        self.torch.ok_or_else(|| {
            Error::failed("this executable was built without libtorch").next(
                "run scripts/setup, then cargo build --release; parity doctor says what is missing",
            )
        })
    }
}

/// The parameters that `subject` holds itself: those of the graph that it runs, or those that were recorded with it; None where it lists none.
///
/// # Errors
/// A trace that cannot be read.
pub fn parameters(subject: &Subject, graph: &Arc<Graph>) -> Result<Option<Source>> {
    match subject {
        Subject::OnnxRuntime { .. }
        | Subject::Libtorch {}
        | Subject::Simulated { .. }
        | Subject::Faulty(_) => Ok(Some(parameters::of_graph(graph.clone()))),
        Subject::Recorded(recorded) => recorded_with(&recorded.trace),
        Subject::TorchScript(_) | Subject::Kernel { .. } => Ok(None),
    }
}

/// What a trace lists; a file that says nothing of parameters holds tensors of a run.
fn recorded_with(path: &Path) -> Result<Option<Source>> {
    let trace = file::open(path)?;
    match trace.parameters {
        Some(_) => parameters::of_trace(trace),
        None => Ok(None),
    }
}

/// Opens `subject` on `graph`; `threads` for engines. One with a fault is opened by `cause::fault`.
pub fn open(
    subject: &Subject,
    graph: &Arc<Graph>,
    threads: usize,
    engines: Engines,
) -> Result<Box<dyn Session>> {
    let options = |optimisation: &Option<Optimisation>| Options {
        threads,
        optimisation: optimisation.unwrap_or_default(),
    };
    let graph = graph.clone();
    match subject {
        Subject::Libtorch {} => {
            let torch = engines.torch()?;
            torch.session(graph, &options(&None)).at("libtorch")
        }
        Subject::OnnxRuntime { optimisation } => onnxruntime(graph, &options(optimisation)),
        Subject::Recorded(recorded) => Ok(Box::new(recorded::Recorded::open(graph, recorded)?)),
        Subject::TorchScript(script) => engines
            .torch()?
            .script(graph, script, &options(&None))
            .at("torchscript"),
        Subject::Simulated { seed } => {
            let (torch, judge) = (
                engines.torch()?.session(graph.clone(), &options(&None))?,
                engines.torch()?.judge(graph.clone(), &options(&None))?,
            );
            let seed = seed.unwrap_or_default();
            Ok(Box::new(simulated::Simulated::new(
                graph, torch, judge, seed,
            )))
        }
        Subject::Kernel { kernel } => Ok(Box::new(kernels::Reference::open(
            graph,
            kernel.as_deref(),
        )?)),
        Subject::Faulty(_) => Err(Error::usage(
            "faulty is an engine on a graph that carries its fault",
        )),
    }
}

#[cfg(feature = "ort")]
fn onnxruntime(graph: Arc<Graph>, options: &Options) -> Result<Box<dyn Session>> {
    Ok(Box::new(super::onnxruntime::OnnxRuntime::open(
        graph, options,
    )?))
}

#[cfg(not(feature = "ort"))]
fn onnxruntime(_: Arc<Graph>, _: &Options) -> Result<Box<dyn Session>> {
    Err(
        Error::failed("this executable was built without ONNX Runtime")
            .next("cargo build --release (with default features)"),
    )
}

/// `graph` in ONNX Runtime as users run it.
///
/// # Errors
/// ONNX Runtime cannot be found, or refuses the graph.
#[cfg(feature = "ort")]
pub fn whole(graph: &Arc<Graph>, threads: usize) -> Result<Box<dyn Whole>> {
    Ok(Box::new(super::onnxruntime::OnnxRuntime::whole(
        graph, threads,
    )?))
}

/// `graph` in ONNX Runtime as users run it.
///
/// # Errors
/// Always: this executable has no ONNX Runtime.
#[cfg(not(feature = "ort"))]
pub fn whole(_: &Arc<Graph>, _: usize) -> Result<Box<dyn Whole>> {
    Err(
        Error::failed("this executable was built without ONNX Runtime")
            .next("cargo build --release (with default features)"),
    )
}

/// The outputs of `model` in ONNX Runtime as it comes, whatever it takes and gives.
#[cfg(feature = "ort")]
pub fn onnxruntime_values(
    model: &[u8],
    inputs: &[(String, Value)],
    threads: usize,
) -> Result<Vec<Value>> {
    super::onnxruntime::values(model, inputs, threads)
}

/// The outputs of `model` in ONNX Runtime as it comes, whatever it takes and gives.
#[cfg(not(feature = "ort"))]
pub fn onnxruntime_values(_: &[u8], _: &[(String, Value)], _: usize) -> Result<Vec<Value>> {
    Err(Error::failed("built without ONNX Runtime"))
}

/// Dtype and shape of every tensor of `graph` that ONNX Runtime can tell beforehand; nothing where it is not there, or refuses the graph.
#[cfg(feature = "ort")]
pub fn onnxruntime_shapes(
    graph: &Graph,
    inputs: &IndexMap<String, Expected>,
) -> HashMap<String, Expected> {
    super::onnxruntime::shapes(graph, inputs).unwrap_or_default()
}

/// Dtype and shape of every tensor of `graph` that ONNX Runtime can tell beforehand: nothing without it.
#[cfg(not(feature = "ort"))]
pub fn onnxruntime_shapes(_: &Graph, _: &IndexMap<String, Expected>) -> HashMap<String, Expected> {
    HashMap::new()
}

/// Version of ONNX Runtime, where it can be loaded.
#[cfg(feature = "ort")]
pub fn onnxruntime_version() -> Result<String> {
    super::onnxruntime::version()
}

/// Version of ONNX Runtime, where it can be loaded.
#[cfg(not(feature = "ort"))]
pub fn onnxruntime_version() -> Result<String> {
    Err(Error::failed("built without ONNX Runtime"))
}
