//! memory: how much a run will need at most, from the graph alone: its weights and the tensors alive at once, each so many times.
//!
//! No model of allocators: docs/MEMORY.md says what the factors stand for, and holds the estimate against measured peaks.

use super::{Graph, Step};
use crate::tensor::DType;
use std::collections::HashMap;

/// What the libraries and the program take before a model is read: measured on small graphs, with slack (docs/MEMORY.md).
pub const LIBRARIES: u64 = 250 << 20;

/// What a tensor is expected to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub dtype: DType,
    pub shape: Vec<usize>,
}

/// How often a run holds what the graph has once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Copies {
    pub weights: u64,
    /// Of the tensors alive at once, at the most and at least.
    pub alive: u64,
    pub least: u64,
    /// Whether these are in f64, as the shadow has them.
    pub wide: bool,
}

/// The estimate, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    pub peak: u64,
    /// What it needs at least: without the tensors whose shape nobody could tell beforehand, and what is not always walked.
    pub sure: u64,
    /// All copies of the weights.
    pub weights: u64,
    /// Tensors whose shape nobody could tell beforehand: each was taken to be as large as the largest input of its node.
    pub assumed: usize,
    pub tensors: usize,
}

/// What a run of `graph` needs; `known` are the shapes of inputs and tensors, as far as they can be told.
pub fn estimate(graph: &Graph, known: &HashMap<String, Known>, copies: Copies) -> Estimate {
    let own: u64 = graph.weights.values().map(|t| t.bytes().len() as u64).sum();
    let weights = own.saturating_mul(copies.weights);
    let of = |steps: u64| LIBRARIES.saturating_add(weights).saturating_add(steps);
    let (most, assumed) = steps(graph, known, copies.alive, copies.wide, true);
    let (least, _) = steps(graph, known, copies.least, copies.wide, false);
    Estimate {
        peak: of(most),
        sure: of(least),
        weights,
        assumed,
        tensors: graph.steps.iter().map(|s| s.outputs.len()).sum(),
    }
}

/// The most that a step needs, what is alive there so many `times`; and how many shapes nobody could tell.
fn steps(
    graph: &Graph,
    known: &HashMap<String, Known>,
    times: u64,
    wide: bool,
    assume: bool,
) -> (u64, usize) {
    let last = graph.last_uses();
    let size = |name: &str| known.get(name).map(|k| bytes(k, wide));
    let inputs = graph.inputs.iter().map(|p| p.name.as_str());
    let mut alive: HashMap<&str, u64> = inputs.filter_map(|n| Some((n, size(n)?))).collect();
    let (mut most, mut assumed) = (0, 0);
    for (i, step) in graph.steps.iter().enumerate() {
        let fed = |n: &String| alive.get(n.as_str()).copied().or(size(n));
        let largest = step.inputs.iter().filter_map(fed).max().filter(|_| assume);
        for name in &step.outputs {
            assumed += usize::from(size(name).is_none());
            alive.insert(name, size(name).or(largest).unwrap_or(0));
        }
        let all = alive.values().fold(0, |sum: u64, b| sum.saturating_add(*b));
        let columns = unrolled(graph, step, known).filter(|_| wide).unwrap_or(0);
        most = most.max(all.saturating_mul(times).saturating_add(columns));
        alive.retain(|name, _| last.get(name).is_some_and(|l| *l > i));
    }
    (most, assumed)
}

/// Bytes of a tensor; of floats in f64 where they are `wide`.
fn bytes(known: &Known, wide: bool) -> u64 {
    let element = match wide && known.dtype.is_float() {
        true => 8,
        false => known.dtype.size() as u64,
    };
    product(&known.shape).saturating_mul(element)
}

/// Bytes of the f64 matrix that a convolution of one image is computed by, where the kernel unrolls it.
fn unrolled(graph: &Graph, step: &Step, known: &HashMap<String, Known>) -> Option<u64> {
    let node = step.nodes.iter().find(|n| n.op == "Conv")?;
    let weight = graph.weights.get(node.inputs.get(1)?)?.shape();
    let places = known.get(node.outputs.first()?)?.shape.get(2..)?;
    let taps = product(weight.get(1..)?);
    Some(taps.saturating_mul(product(places)).saturating_mul(8))
}

fn product(shape: &[usize]) -> u64 {
    shape
        .iter()
        .fold(1, |n: u64, d| n.saturating_mul(*d as u64))
}

/// "1536MiB", "2 GiB", "500 MB" or bytes, as bytes.
pub fn size(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 9] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("kB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("B", 1),
    ];
    let text = text.trim();
    let (number, unit) = UNITS
        .into_iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))
        .unwrap_or((text, 1));
    let bytes = number
        .trim()
        .parse::<f64>()
        .ok()
        .filter(|v| v.is_finite() && *v > 0.0)?
        * unit as f64;
    (bytes < 1e18).then_some(bytes as u64)
}

/// Bytes as a person reads them.
pub fn shown(bytes: u64) -> String {
    let (mib, gib) = (
        bytes as f64 / (1u64 << 20) as f64,
        bytes as f64 / (1u64 << 30) as f64,
    );
    if gib >= 1.0 {
        format!("{gib:.1} GiB")
    } else {
        format!("{mib:.0} MiB")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Node, Port};
    use super::*;
    use crate::tensor::Tensor;

    /// x -> a -> b -> ... of `n` elements each, with one weight of `w` elements.
    fn chain(steps: usize, n: usize, w: usize) -> (Graph, HashMap<String, Known>) {
        let name = |i: usize| format!("t{i}");
        let node = |i: usize| Node {
            name: name(i + 1),
            op: "Add".into(),
            domain: String::new(),
            inputs: vec![name(i), "w".into()],
            outputs: vec![name(i + 1)],
            attributes: Default::default(),
        };
        let graph = Graph {
            digest: String::new(),
            file: None,
            name: String::new(),
            producer: String::new(),
            ir_version: 8,
            opsets: Default::default(),
            inputs: vec![Port {
                name: name(0),
                dtype: None,
                shape: None,
            }],
            outputs: vec![],
            weights: [("w".to_string(), Tensor::from_vec(&[w], vec![0f32; w]))]
                .into_iter()
                .collect(),
            steps: (0..steps).map(|i| Step::of(node(i))).collect(),
            functions: vec![],
            drawn: Default::default(),
            metadata: Default::default(),
            bodies: Default::default(),
            code: Default::default(),
        };
        let known = (0..=steps)
            .map(|i| {
                (
                    name(i),
                    Known {
                        dtype: DType::F32,
                        shape: vec![n],
                    },
                )
            })
            .collect();
        (graph, known)
    }

    const COPIES: Copies = Copies {
        weights: 3,
        alive: 5,
        least: 2,
        wide: true,
    };

    #[test]
    fn weights_count_so_many_times_and_tensors_by_how_long_they_live() {
        let of = |steps: usize, copies| {
            let (graph, known) = chain(steps, 10, 1000);
            estimate(&graph, &known, copies)
        };
        let e = of(3, COPIES);
        assert_eq!((e.weights, e.assumed, e.tensors), (12_000, 0, 3));
        // Two tensors are alive at each step.
        assert_eq!(e.peak, LIBRARIES + 12_000 + 5 * 2 * 80);
        assert_eq!(e.sure, LIBRARIES + 12_000 + 2 * 2 * 80);
        // What is dead does not count: a longer chain needs no more.
        assert_eq!(of(30, COPIES).peak, e.peak);
        let narrow = Copies {
            wide: false,
            ..COPIES
        };
        assert_eq!(of(3, narrow).peak, LIBRARIES + 12_000 + 5 * 2 * 40);
    }

    #[test]
    fn a_shape_that_nobody_can_tell_is_taken_from_the_largest_input_and_counted() {
        let (graph, mut known) = chain(2, 100, 1);
        let full = estimate(&graph, &known, COPIES);
        known.remove("t2");
        let e = estimate(&graph, &known, COPIES);
        assert_eq!((e.peak, e.assumed), (full.peak, 1));
        known.remove("t1");
        let e = estimate(&graph, &known, COPIES);
        assert!(e.sure < full.sure, "what is only assumed refuses nothing");
    }

    #[test]
    fn a_convolution_is_unrolled_and_no_size_overflows() {
        let (mut graph, mut known) = chain(1, 1, 1);
        let w = Tensor::from_vec(&[4, 3, 5, 5], vec![0f32; 300]);
        graph.weights.insert("w".into(), w);
        graph.steps[0].nodes[0].op = "Conv".into();
        let mut peak = |shape: &[usize]| {
            known.get_mut("t1").unwrap().shape = shape.to_vec();
            estimate(&graph, &known, COPIES).peak
        };
        let alive = 5 * 8 * (1 + 4 * 7 * 9);
        let columns = 8 * (3 * 5 * 5) * (7 * 9);
        assert_eq!(peak(&[1, 4, 7, 9]), LIBRARIES + 3600 + alive + columns);
        assert_eq!(peak(&[usize::MAX; 4]), u64::MAX);
    }

    #[test]
    fn a_size_is_read_with_its_unit() {
        let cases = [
            ("2GiB", Some(2 << 30)),
            ("1.5 MiB", Some(3 << 19)),
            ("500 MB", Some(500_000_000)),
            ("77", Some(77)),
            ("1B", Some(1)),
        ];
        for (text, bytes) in cases.into_iter().chain([
            ("", None),
            ("-1GiB", None),
            ("GiB", None),
            ("1e30GiB", None),
            ("two", None),
        ]) {
            assert_eq!(size(text), bytes, "{text}");
        }
        assert_eq!(
            (shown(3 << 29), shown(5 << 20)),
            ("1.5 GiB".to_string(), "5 MiB".to_string())
        );
    }
}
