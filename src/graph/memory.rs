//! memory: how much a run will need at most, from the graph alone: weights per engine and precision, and the tensors alive at each moment.
//!
//! The model follows the code: what `walk` and the sessions keep, step by step. docs/MEMORY.md holds it against measured peaks.

use super::{Graph, Step, cost};
use crate::tensor::{DType, Tensor};
use std::collections::HashMap;

/// What the libraries and the program take before a model is read: measured on small graphs, with slack (docs/MEMORY.md).
pub const LIBRARIES: u64 = 250 << 20;

/// What a tensor is expected to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub dtype: DType,
    pub shape: Vec<usize>,
}

/// Who computes what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Engines {
    /// Subjects and controls of injected faults that are ONNX Runtime, that are libtorch.
    pub onnxruntime: u64,
    pub libtorch: u64,
    /// Whether the f64 shadow runs, and the sets of f64 tensors that its noise walks keep alive at once.
    pub shadow: bool,
    pub sets: u64,
    /// Those of the first walk, which is always walked.
    pub least: u64,
}

/// The estimate, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    pub peak: u64,
    /// What it needs at least: without the tensors whose shape nobody could tell beforehand, and without the second noise walk.
    pub sure: u64,
    /// Weights, in every engine and precision that holds them from beginning to end.
    pub weights: u64,
    /// What decides the peak.
    pub phase: &'static str,
    /// Tensors whose shape nobody could tell beforehand: each was taken to be as large as the largest input of its node.
    pub assumed: usize,
    pub tensors: usize,
}

/// Bytes of one element, and of the same in the f64 shadow.
fn sizes(dtype: DType) -> (u64, u64) {
    let own = dtype.size() as u64;
    (own, if dtype.is_float() { 8 } else { own })
}

/// Sizes of every tensor of the graph: own dtype, f64.
struct Sizes<'a> {
    of: HashMap<&'a str, (u64, u64)>,
    assumed: usize,
}

impl<'a> Sizes<'a> {
    /// What nobody can tell is as large as the largest input of its node, or nothing.
    fn of(graph: &'a Graph, known: &HashMap<String, Known>, assume: bool) -> Self {
        let size = |dtype: DType, shape: &[usize]| {
            let (numel, (own, wide)) = (
                shape.iter().fold(1u64, |n, d| n.saturating_mul(*d as u64)),
                sizes(dtype),
            );
            (numel.saturating_mul(own), numel.saturating_mul(wide))
        };
        let mut sizes = Self {
            of: HashMap::new(),
            assumed: 0,
        };
        sizes.of.extend(
            graph
                .weights
                .iter()
                .map(|(n, t)| (n.as_str(), size(t.dtype(), t.shape()))),
        );
        sizes.of.extend(graph.inputs.iter().filter_map(|p| {
            Some((
                p.name.as_str(),
                known.get(&p.name).map(|k| size(k.dtype, &k.shape))?,
            ))
        }));
        for step in &graph.steps {
            let largest = step
                .inputs
                .iter()
                .filter_map(|n| sizes.of.get(n.as_str()))
                .max()
                .copied()
                .filter(|_| assume)
                .unwrap_or((0, 0));
            for name in &step.outputs {
                let found = known.get(name).map(|k| size(k.dtype, &k.shape));
                sizes.assumed += usize::from(found.is_none());
                sizes.of.insert(name, found.unwrap_or(largest));
            }
        }
        sizes
    }

    /// Of several tensors together.
    fn sum<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> (u64, u64) {
        names
            .into_iter()
            .filter_map(|n| self.of.get(n.as_str()))
            .fold((0u64, 0u64), |(a, b), (x, y)| {
                (a.saturating_add(*x), b.saturating_add(*y))
            })
    }
}

/// What a run of `graph` in these `pieces` needs at most; `known` are the shapes of inputs and tensors, as far as they can be told.
pub fn estimate(
    graph: &Graph,
    pieces: &[Vec<usize>],
    known: &HashMap<String, Known>,
    engines: Engines,
) -> Estimate {
    let (peak, weights, phase, assumed) = phases(graph, pieces, known, engines, true);
    let (sure, ..) = phases(
        graph,
        pieces,
        known,
        Engines {
            sets: engines.least,
            ..engines
        },
        false,
    );
    let tensors = graph.steps.iter().map(|s| s.outputs.len()).sum();
    Estimate {
        peak,
        sure,
        weights,
        phase,
        assumed,
        tensors,
    }
}

/// The peak, the weights, the phase that decides the peak, and how many shapes nobody could tell.
fn phases(
    graph: &Graph,
    pieces: &[Vec<usize>],
    known: &HashMap<String, Known>,
    engines: Engines,
    assume: bool,
) -> (u64, u64, &'static str, usize) {
    let sizes = Sizes::of(graph, known, assume);
    let (own, wide) = sizes.sum(graph.weights.keys());
    let weights = own * (1 + engines.libtorch) + if engines.shadow { wide } else { 0 };
    let alive = Alive::of(graph);
    // The whole model for the un-observed run: its bytes, ONNX Runtime's copy of them, its weights, and the weights packed for its kernels.
    let whole = if engines.onnxruntime > 0 { 4 * own } else { 0 };
    let most = |f: &dyn Fn(usize) -> u64| (0..graph.steps.len()).map(f).max().unwrap_or(0);
    let unobserved = whole
        + if engines.onnxruntime > 0 {
            most(&|i| sizes.sum(alive.at(i)).0)
        } else {
            0
        };
    let shadow = |i: usize| {
        if engines.shadow {
            judged(graph, i, &sizes, known)
        } else {
            0
        }
    };
    let layers = pieces.iter().map(|piece| {
        walked(graph, piece, &alive, &sizes, engines)
            + piece.iter().map(|i| shadow(*i)).max().unwrap_or(0)
    });
    let noise = if engines.shadow {
        most(&|i| sizes.sum(alive.at(i)).1.saturating_mul(engines.sets) + shadow(i))
    } else {
        0
    };
    let phases = [
        ("the walk over the layers", layers.max().unwrap_or(0)),
        ("the un-observed run", unobserved),
        ("the noise walk", noise),
    ];
    let (phase, rest) = phases.into_iter().max_by_key(|p| p.1).unwrap_or_default();
    (
        LIBRARIES.saturating_add(weights).saturating_add(rest),
        weights,
        phase,
        sizes.assumed,
    )
}

/// A piece: what both sides have alive before it, its outputs on both sides, again as proof, and the candidate's alone; ONNX Runtime's sessions.
fn walked(graph: &Graph, piece: &[usize], alive: &Alive, sizes: &Sizes, engines: Engines) -> u64 {
    let steps = || piece.iter().map(|i| &graph.steps[*i]);
    let before = piece.first().map_or(0, |i| sizes.sum(alive.before(*i)).0);
    let outputs: u64 = steps().map(|s| sizes.sum(&s.outputs).0).sum();
    let weights = sizes
        .sum(
            steps()
                .flat_map(|s| &s.inputs)
                .filter(|n| graph.weights.contains_key(*n)),
        )
        .0;
    2 * before + 4 * outputs + engines.onnxruntime * 3 * weights
}

/// The f64 shadow of one step: its inputs widened, its output, the same of absolute values for the bound, and the columns of a convolution.
fn judged(graph: &Graph, i: usize, sizes: &Sizes, known: &HashMap<String, Known>) -> u64 {
    let step = &graph.steps[i];
    let fed = sizes
        .sum(
            step.inputs
                .iter()
                .filter(|n| !graph.weights.contains_key(*n)),
        )
        .1;
    2 * fed + 3 * sizes.sum(&step.outputs).1 + 8 * columns(graph, step, known).unwrap_or(0)
}

/// Elements of the matrix that a convolution of one image is computed by, where the kernel unrolls it.
fn columns(graph: &Graph, step: &Step, known: &HashMap<String, Known>) -> Option<u64> {
    let node = step.nodes.iter().find(|n| n.op == "Conv")?;
    let weight = |n: &String| graph.weights.get(n).map(Tensor::shape);
    let shapes: Vec<Option<&[usize]>> = node
        .inputs
        .iter()
        .map(|n| weight(n).or(known.get(n).map(|k| k.shape.as_slice())))
        .collect();
    let output = &known.get(node.outputs.first()?)?.shape;
    let channels = (*output.first()? as u64)
        .saturating_mul(*output.get(1)? as u64)
        .max(1);
    Some(cost::macs(node, &shapes, output)? / channels)
}

/// Which tensors are alive when.
struct Alive<'a> {
    graph: &'a Graph,
    /// Name -> first and last step that needs it; inputs from 0 on.
    spans: HashMap<&'a String, (usize, usize)>,
}

impl<'a> Alive<'a> {
    fn of(graph: &'a Graph) -> Self {
        let mut spans: HashMap<&String, (usize, usize)> = HashMap::new();
        for (i, step) in graph.steps.iter().enumerate() {
            spans.extend(step.outputs.iter().map(|o| (o, (i, i))));
            for name in step
                .inputs
                .iter()
                .filter(|n| !graph.weights.contains_key(*n))
            {
                spans.entry(name).or_insert((0, i)).1 = i;
            }
        }
        Self { graph, spans }
    }

    fn at(&self, step: usize) -> impl Iterator<Item = &'a String> {
        self.spans
            .iter()
            .filter(move |(_, (from, to))| *from <= step && step <= *to)
            .map(|(n, _)| *n)
    }

    /// Those that an earlier step gave, and the graph's inputs.
    fn before(&self, step: usize) -> impl Iterator<Item = &'a String> {
        let given = |n: &String| self.graph.inputs.iter().any(|p| p.name == *n);
        self.spans
            .iter()
            .filter(move |(n, (from, to))| step <= *to && (*from < step || given(n)))
            .map(|(n, _)| *n)
    }
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

    fn peak(steps: usize, n: usize, w: usize, engines: Engines) -> Estimate {
        let (graph, known) = chain(steps, n, w);
        let pieces: Vec<Vec<usize>> = (0..steps).map(|i| vec![i]).collect();
        estimate(&graph, &pieces, &known, engines)
    }

    #[test]
    fn weights_count_once_per_engine_and_precision_and_tensors_by_how_long_they_live() {
        let both = Engines {
            onnxruntime: 1,
            libtorch: 1,
            shadow: true,
            sets: 5,
            least: 2,
        };
        let e = peak(3, 10, 1000, both);
        assert_eq!(
            (e.weights, e.phase),
            (4000 + 4000 + 8000, "the un-observed run")
        );
        assert_eq!(e.peak, LIBRARIES + 16000 + 16000 + 2 * 40);
        // What is dead does not count: a longer chain needs no more.
        assert_eq!(peak(30, 10, 1000, both).peak, e.peak);
        let noisy = peak(3, 1_000_000, 1, both);
        assert_eq!(
            (noisy.phase, noisy.assumed, noisy.tensors),
            ("the noise walk", 0, 3)
        );
        assert!(noisy.peak > LIBRARIES + 5 * 2 * 8_000_000);
        assert_eq!(
            noisy.peak - noisy.sure,
            3 * 2 * 8_000_000,
            "the sets that are not always walked"
        );
    }

    #[test]
    fn a_shape_that_nobody_can_tell_is_taken_from_the_largest_input_and_counted() {
        let (graph, mut known) = chain(2, 100, 1);
        let full = estimate(&graph, &[vec![0], vec![1]], &known, Engines::default());
        known.remove("t2");
        let e = estimate(&graph, &[vec![0], vec![1]], &known, Engines::default());
        assert_eq!((e.peak, e.assumed), (full.peak, 1));
        known.remove("t1");
        let e = estimate(&graph, &[vec![0], vec![1]], &known, Engines::default());
        assert!(
            e.sure < e.peak && full.sure == full.peak,
            "what is only assumed refuses nothing"
        );
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
