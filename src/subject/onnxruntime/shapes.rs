//! shapes: what ONNX Runtime's shape inference tells of every tensor, without a weight and without running anything.

use super::{DType, element, environment, ort_error};
use crate::error::Result;
use crate::graph::{Graph, cut, hoist, memory::Known};
use crate::tensor::Tensor;
use indexmap::IndexMap;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::ValueType;
use std::collections::HashMap;

/// Dtype and shape of every tensor whose shape follows from the shapes (and the small integer values) of the inputs.
///
/// Constants are folded, because sizes are computed by nodes as well; large weights are declared and not given, so nothing large is held.
pub fn shapes(graph: &Graph, inputs: &IndexMap<String, Tensor>) -> Result<HashMap<String, Known>> {
    // Folding inlines an If that it finds decided, which ends some graphs of nested ones in a crash: where bodies are left, nothing is folded.
    let level = if hoist::hidden(graph).is_empty() { GraphOptimizationLevel::Level1 } else { GraphOptimizationLevel::Disable };
    let session = Session::builder(&environment()?)
        .map_err(ort_error)?
        .with_optimization_level(level)
        .map_err(ort_error)?
        .with_log_level(LogLevel::Fatal)
        .map_err(ort_error)?
        .with_intra_threads(1)
        .map_err(ort_error)?
        .commit_from_memory(&cut::skeleton(graph, inputs))
        .map_err(ort_error)?;
    let one = |o: &ort::value::Outlet| match o.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let dtype = DType::ALL.into_iter().find(|d| element(*d) == *ty)?;
            let shape = shape.iter().map(|d| usize::try_from(*d).ok()).collect::<Option<Vec<_>>>()?;
            Some((o.name().to_string(), Known { dtype, shape }))
        }
        ValueType::Sequence(_) | ValueType::Map { .. } | ValueType::Optional(_) => None,
    };
    Ok(session.outputs().iter().filter_map(one).collect())
}
