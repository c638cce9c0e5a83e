//! draw: which inputs does a kernel meet that nobody wrote a test for?
//!
//! Convention: a case holds the inputs of a kernel's ONNX form and the names of the edges that it lies on; half of all draws are
//! biased to edges. Every number is a small multiple of a power of two, so that f32 and f64 start from the same bits and a shrunk case
//! reads well.

mod boxes;
mod numbers;
mod scenes;

use crate::subject::kernels::Kernel;
use crate::tensor::Tensor;
use indexmap::IndexMap;
use proptest::strategy::BoxedStrategy;
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

/// Cases for a kernel.
pub fn cases(kernel: &Kernel) -> BoxedStrategy<Case> {
    match kernel.of {
        "iou" => boxes::pairs("a", "b"),
        "box_loss" => boxes::pairs("pred", "target"),
        "size_weight" => boxes::weighted(),
        "anchors" => numbers::planes(),
        "dfl" => numbers::distributions(),
        "cross_entropy" => numbers::pixels(),
        "info_nce" => numbers::queries(),
        "task_aligned" | "atss" => scenes::assigned(kernel),
        "gold_yolo" | "v8_detection" => scenes::trained(kernel),
        _ => numbers::elements(kernel),
    }
}

/// Whether what is drawn for one kernel is an input of the other.
pub fn drawn_alike(a: &Kernel, b: &Kernel) -> bool {
    a.inputs == b.inputs && scenes::columns(a.name) == scenes::columns(b.name)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::kernels::all;
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;
    use std::collections::BTreeMap;

    #[test]
    fn every_kernel_takes_nearly_all_that_is_drawn_for_it_and_meets_plain_cases_and_edges() {
        for kernel in all() {
            let (mut runner, strategy) = (TestRunner::deterministic(), cases(kernel));
            let (mut refused, mut seen) = (0, BTreeMap::new());
            for _ in 0..60 {
                let case = strategy.new_tree(&mut runner).unwrap().current();
                let names: BTreeSet<&str> = case.inputs.keys().map(String::as_str).collect();
                assert_eq!(
                    names,
                    kernel.inputs.iter().copied().collect(),
                    "{}",
                    kernel.name
                );
                case.edges
                    .iter()
                    .for_each(|e| *seen.entry(*e).or_insert(0) += 1);
                let feed = |n: &str| case.inputs.get(n).cloned();
                refused += usize::from(kernel.evaluate(&feed).is_err());
            }
            assert!(refused <= 6, "{}: {refused} of 60 refused", kernel.name);
            assert!(seen.len() >= 2, "{}: edges {seen:?}", kernel.name);
        }
    }
}
