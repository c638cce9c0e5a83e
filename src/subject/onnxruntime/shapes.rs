//! shapes: what ONNX Runtime's shape inference tells of every tensor, without a weight and without running anything.

use super::session::builder;
use super::{DType, element, ort_error};
use crate::error::Result;
use crate::graph::infer::Expected;
use crate::graph::{Graph, cut, hoist};
use indexmap::IndexMap;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Outlet, ValueType};
use std::collections::{HashMap, HashSet};

/// Dtype and shape of every tensor that follow from those of the inputs.
///
/// Constants are folded, because sizes are computed by nodes as well; large weights are declared and not given, so nothing large is held.
pub fn shapes(
    graph: &Graph,
    inputs: &IndexMap<String, Expected>,
) -> Result<HashMap<String, Expected>> {
    let mut all: HashMap<String, Expected> = session(graph, inputs, &[])?
        .outputs()
        .iter()
        .filter_map(expected)
        .collect();
    // A tensor without dimensions and one whose number of dimensions is not known look alike: the shape of its shape tells them apart.
    let open: Vec<String> = all
        .iter()
        .filter(|(_, e)| e.shape.as_ref().is_some_and(Vec::is_empty))
        .map(|(n, _)| n.clone())
        .collect();
    if !open.is_empty() {
        let ranks: HashSet<String> = session(graph, inputs, &open)?
            .outputs()
            .iter()
            .filter(|o| is_zero(o))
            .map(|o| o.name().into())
            .collect();
        for name in open.iter().filter(|n| !ranks.contains(&cut::rank_name(n))) {
            all.entry(name.clone()).and_modify(|e| e.shape = None);
        }
    }
    Ok(all)
}

fn session(
    graph: &Graph,
    inputs: &IndexMap<String, Expected>,
    ranked: &[String],
) -> Result<Session> {
    // Folding inlines an If that it finds decided, which ends some graphs of nested ones in a crash: where bodies are left, nothing is folded.
    let bodies = graph
        .steps
        .iter()
        .flat_map(|s| &s.nodes)
        .any(hoist::has_body);
    let level = if !bodies {
        GraphOptimizationLevel::Level1
    } else {
        GraphOptimizationLevel::Disable
    };
    builder(1, |builder| Ok(builder.with_optimization_level(level)?))?
        .commit_from_memory(&cut::skeleton(graph, inputs, ranked))
        .map_err(ort_error)
}

fn expected(o: &Outlet) -> Option<(String, Expected)> {
    match o.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let dtype = DType::ALL.into_iter().find(|d| element(*d) == *ty)?;
            let shape = shape
                .iter()
                .map(|d| usize::try_from(*d).ok())
                .collect::<Option<Vec<_>>>();
            Some((o.name().to_string(), Expected { dtype, shape }))
        }
        ValueType::Sequence(_) | ValueType::Map { .. } | ValueType::Optional(_) => None,
    }
}

/// Whether it is a list of no dimensions.
fn is_zero(o: &Outlet) -> bool {
    expected(o).is_some_and(|(_, e)| e.shape.as_deref() == Some(&[0]))
}
