//! draw: which inputs does a kernel meet that nobody wrote a test for?
//!
//! Convention: a case holds the inputs of a kernel's ONNX form and the names of the edges that it lies on; half of all draws are
//! biased to edges. Every number is a small multiple of a power of two, so that f32 and f64 start from the same bits and a shrunk case
//! reads well.

pub(super) mod boxes;
pub mod domains;
pub(super) mod numbers;
pub(super) mod queries;
pub(super) mod scenes;

use crate::tensor::Tensor;
use indexmap::IndexMap;
use std::collections::BTreeSet;

/// The inputs of one kernel.
#[derive(Clone, Debug, Default)]
pub struct Case {
    pub inputs: IndexMap<String, Tensor>,
    /// The edges that it lies on.
    pub edges: BTreeSet<&'static str>,
}

impl Case {
    fn with(mut self, name: &str, tensor: Tensor) -> Self {
        self.inputs.insert(name.into(), tensor);
        self
    }

    /// How large it is: ground truths where it has any, else rows.
    pub fn size(&self) -> (usize, &'static str) {
        match (
            self.inputs.get("gt_count").and_then(Tensor::to_i64),
            self.inputs.first(),
        ) {
            (Some(counts), _) => (counts.iter().sum::<i64>() as usize, "ground truths"),
            (None, Some((_, first))) => (first.shape().first().copied().unwrap_or(1), "rows"),
            (None, None) => (0, "rows"),
        }
    }

    fn on(mut self, edges: impl IntoIterator<Item = &'static str>) -> Self {
        self.edges.extend(edges);
        self
    }
}

fn real(shape: &[usize], values: impl IntoIterator<Item = f64>) -> Tensor {
    Tensor::from_vec(
        shape,
        values.into_iter().map(|v| v as f32).collect::<Vec<f32>>(),
    )
}

fn whole(shape: &[usize], values: Vec<i64>) -> Tensor {
    Tensor::from_vec(shape, values)
}
