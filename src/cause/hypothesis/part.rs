//! part: a stretch for some of the places along one axis of what it gives, so that a change which explains nothing there is not computed for all.
//!
//! What is left on a part is what is left there of the whole: only operators are cut that compute each place along the axis from the same place of
//! their inputs, from a row of their weights, or from whole inputs. Any other node leaves the stretch uncut.

use super::residual::drawn;
use crate::graph::{Attribute, Graph, Node};
use crate::hash::bits;
use crate::tensor::Tensor;
use std::collections::HashMap;

/// Elements that a part has, where its axis can be cut so finely.
const WANTED: usize = 1 << 14;

/// A part is not worth its trouble beyond one in so many.
const SHARE: usize = 2;

/// Operators that compute each element from the elements at its place, inputs broadcast from the right.
const POINTWISE: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "Cast",
    "Ceil",
    "Celu",
    "Clip",
    "Cos",
    "Div",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "Max",
    "Min",
    "Mish",
    "Mod",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "PRelu",
    "Pow",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Sigmoid",
    "Sign",
    "Sin",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Sub",
    "Sum",
    "Tanh",
    "Where",
];

/// Places along one axis, which is counted from the right: there tensors are broadcast.
#[derive(Clone, Debug)]
pub struct Part {
    axis: usize,
    of: usize,
    taken: Vec<usize>,
}

/// How much of a tensor is needed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Need {
    Whole,
    /// The places of the part along this axis from the right.
    Along(usize),
}

/// A stretch of which only a part is computed: its graph and what that takes.
pub struct Cut {
    pub graph: Graph,
    pub feed: HashMap<String, Tensor>,
}

impl Part {
    /// The parts of a tensor of this shape, the smallest first; in each the place along the axis where `off` says most, and others that are drawn.
    pub fn all(shape: &[usize], off: impl Fn(usize) -> f64) -> impl Iterator<Item = Self> {
        let elements: usize = shape.iter().product();
        let size = |axis: usize| {
            let slice = elements / shape[axis].max(1);
            (slice > 0).then(|| WANTED.div_ceil(slice))
        };
        let axes = (0..shape.len()).filter_map(|axis| Some((axis, size(axis)?)));
        let mut small: Vec<(usize, usize)> = axes.filter(|(a, n)| n * SHARE <= shape[*a]).collect();
        small.sort_by_key(|(axis, n)| n * (elements / shape[*axis]));
        let part = move |(axis, n): (usize, usize)| {
            let inner: usize = shape[axis + 1..].iter().product();
            let mut most = vec![0.0; shape[axis]];
            for i in 0..elements {
                let place = i / inner % shape[axis];
                most[place] = f64::max(most[place], off(i));
            }
            Self {
                axis: shape.len() - 1 - axis,
                of: shape[axis],
                taken: chosen(&most, n),
            }
        };
        small.into_iter().map(part)
    }

    /// Its elements of `t`; None where `t` has another length along the axis.
    pub fn elements(&self, t: &Tensor) -> Option<Tensor> {
        self.taken_of(t, self.axis)
            .filter(|p| p.shape() != t.shape())
    }

    /// The same of what stands beside the elements of a tensor of this shape.
    pub fn beside(&self, shape: &[usize], values: &[f64]) -> Option<Vec<f64>> {
        let all = Tensor::from_vec(shape, values.to_vec());
        Some(self.elements(&all)?.to_f64())
    }

    /// `t` at the places of the part along `axis`, or as it is where it is broadcast there.
    fn taken_of(&self, t: &Tensor, axis: usize) -> Option<Tensor> {
        let rank = t.shape().len();
        let at = match rank.checked_sub(axis + 1) {
            Some(at) if t.shape()[at] == self.of => at,
            Some(at) if t.shape()[at] != 1 => return None,
            _ => return Some(t.clone()),
        };
        (t.numel() > 0).then(|| t.taken(at, self.taken.iter().copied()))
    }

    /// What gives only the part of `output`; None where a node on the way cannot be cut.
    pub fn of(&self, graph: &Graph, feed: &HashMap<String, Tensor>, output: &str) -> Option<Cut> {
        let mut cut = Cut {
            graph: graph.clone(),
            feed: feed.clone(),
        };
        let all = Tensors { graph, feed };
        let mut needs = HashMap::from([(output.to_string(), Need::Along(self.axis))]);
        for step in cut.graph.steps.iter_mut().rev() {
            for node in step.nodes.iter_mut().rev() {
                let asked: Vec<Need> = node
                    .outputs
                    .iter()
                    .filter_map(|o| needs.get(o).copied())
                    .collect();
                let inputs = match asked[..] {
                    [Need::Along(axis)] if node.outputs.len() == 1 => {
                        self.inputs(node, axis, &all)?
                    }
                    _ if asked.contains(&Need::Whole) || asked.is_empty() => {
                        vec![Need::Whole; node.inputs.len()]
                    }
                    _ => return None,
                };
                for (name, need) in node.inputs.iter().zip(inputs) {
                    let known = *needs.entry(name.clone()).or_insert(need);
                    if known != need && !name.is_empty() {
                        return None;
                    }
                }
            }
        }
        for (name, need) in needs {
            let (Need::Along(axis), Some(t)) = (need, all.get(&name)) else {
                continue;
            };
            let t = self.taken_of(t, axis)?;
            match cut.graph.weights.get_mut(&name) {
                Some(weight) => *weight = t,
                None => drop(cut.feed.insert(name, t)),
            }
        }
        Some(cut)
    }

    /// What a node needs of its inputs to give the part along `axis`.
    fn inputs(&self, node: &mut Node, axis: usize, all: &Tensors) -> Option<Vec<Need>> {
        use Need::{Along, Whole};
        let many = node.inputs.len();
        let first = |need: Need, others: Need| {
            let others = std::iter::repeat_n(others, many.saturating_sub(1));
            Some(std::iter::once(need).chain(others).collect())
        };
        if !node.domain.is_empty() && node.domain != "ai.onnx" {
            return None;
        }
        let rank = |i: usize| all.rank(node.inputs.get(i)?);
        match node.op.as_str() {
            op if POINTWISE.contains(&op) => Some(vec![Along(axis); many]),
            "BatchNormalization" => match (rank(0)?, training(node)) {
                (_, true) => None,
                (r, _) if axis + 2 == r => first(Along(axis), Along(0)),
                _ => first(Along(axis), Whole),
            },
            "InstanceNormalization" => match axis + 2 == rank(0)? {
                true => first(Along(axis), Along(0)),
                false => None,
            },
            "MaxPool" | "AveragePool" | "GlobalAveragePool" | "GlobalMaxPool" => {
                (axis + 2 >= rank(0)?).then(|| vec![Along(axis); many])
            }
            "Softmax" | "LogSoftmax" | "LayerNormalization" => {
                let r = rank(0)? as i64;
                let own = integer(node, "axis").unwrap_or(all.axis_of(node));
                let own = if own < 0 { own + r } else { own };
                ((r - 1 - axis as i64) < own).then(|| vec![Along(axis); many])
            }
            "MatMul" => {
                let ranks = (rank(0)?, rank(1)?);
                match axis {
                    _ if ranks.0.min(ranks.1) < 2 => None,
                    0 => Some(vec![Whole, Along(0)]),
                    1 => Some(vec![Along(1), Whole]),
                    _ => Some(vec![Along(axis); 2]),
                }
            }
            "Gemm" => {
                let turned = |name| usize::from(integer(node, name).unwrap_or(0) != 0);
                let [a, b] = ["transA", "transB"].map(turned);
                let needs = match axis {
                    0 => [Whole, Along(b), Along(0)],
                    _ => [Along(1 - a), Whole, Along(1)],
                };
                Some(needs[..many].to_vec())
            }
            "Conv" => {
                let r = rank(1)?;
                let groups = integer(node, "group").unwrap_or(1);
                let own = groups == self.of as i64;
                if axis + 2 != r || groups != 1 && !own {
                    return None;
                }
                let x = match groups {
                    1 => Whole,
                    _ => all.is_depthwise(node, self.of).then_some(Along(axis))?,
                };
                if groups != 1 {
                    let taken = Attribute::Int(self.taken.len() as i64);
                    node.attributes.insert("group".into(), taken);
                }
                Some([x, Along(r - 1), Along(0)][..many].to_vec())
            }
            _ => None,
        }
    }
}

/// The place where most is off, and as many as are wanted of the others, each drawn from its own stretch.
fn chosen(most: &[f64], wanted: usize) -> Vec<usize> {
    let worst = (0..most.len()).max_by(|a, b| most[*a].total_cmp(&most[*b]));
    let others = (1..wanted).map(|k| {
        let draw = bits(2, k as u64);
        drawn(draw, (k - 1, wanted - 1), most.len())
    });
    let mut all: Vec<usize> = worst.into_iter().chain(others).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn integer(node: &Node, name: &str) -> Option<i64> {
    match node.attributes.get(name) {
        Some(Attribute::Int(v)) => Some(*v),
        _ => None,
    }
}

/// Whether a batch normalisation takes the statistics of what it is fed.
fn training(node: &Node) -> bool {
    integer(node, "training_mode").unwrap_or(0) != 0
}

/// What is known of tensors before anything runs.
struct Tensors<'a> {
    graph: &'a Graph,
    feed: &'a HashMap<String, Tensor>,
}

impl Tensors<'_> {
    fn get(&self, name: &str) -> Option<&Tensor> {
        self.graph.weights.get(name).or_else(|| self.feed.get(name))
    }

    /// How many axes it has: that of a tensor at hand, or of one that is cast.
    fn rank(&self, name: &str) -> Option<usize> {
        if let Some(t) = self.get(name) {
            return Some(t.shape().len());
        }
        let mut nodes = self.graph.steps.iter().flat_map(|s| &s.nodes);
        let made = nodes.find(|n| n.outputs.iter().any(|o| o == name))?;
        match made.op.as_str() {
            "Cast" | "Identity" => self.rank(made.inputs.first()?),
            _ => None,
        }
    }

    /// The axis of a node that states none.
    fn axis_of(&self, node: &Node) -> i64 {
        let flattens = node.op != "LayerNormalization" && self.graph.opset("").unwrap_or(13) < 13;
        if flattens { 1 } else { -1 }
    }

    /// Whether each of the channels has a filter of its own.
    fn is_depthwise(&self, node: &Node, channels: usize) -> bool {
        let shape = |i: usize| self.get(node.inputs.get(i)?).map(Tensor::shape);
        let of = shape(0).map(|s| s.get(1) == Some(&channels));
        of == Some(true) && shape(1).is_some_and(|s| s[0] == channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::paper;

    fn ascending(shape: &[usize]) -> Tensor {
        let many: usize = shape.iter().product();
        Tensor::from_vec(shape, (0..many).map(|i| i as f32).collect::<Vec<_>>())
    }

    /// What is fed to the part of a graph of these nodes: the shapes of its tensors by name.
    fn cut(nodes: &[&str], fed: &[(&str, &[usize])], (axis, of): (usize, usize)) -> Option<String> {
        let part = Part {
            axis,
            of,
            taken: vec![1, of - 1],
        };
        let graph = paper::graph(&[], nodes, &["y"]);
        let fed = fed.iter().map(|(n, s)| (n.to_string(), ascending(s)));
        let cut = part.of(&graph, &fed.collect(), "y")?;
        let mut all: Vec<String> = cut
            .feed
            .iter()
            .map(|(n, t)| format!("{n}{:?}", t.shape()))
            .collect();
        all.sort();
        Some(all.join(" "))
    }

    #[test]
    fn each_operator_is_fed_what_its_part_is_computed_from_and_what_mixes_places_is_not_cut() {
        type Fed<'a> = &'a [(&'a str, &'a [usize])];
        type Case<'a> = (&'a [&'a str], Fed<'a>, (usize, usize), Option<&'a str>);
        let image: &[usize] = &[1, 8, 4, 6];
        let norm = "n: BatchNormalization x s b m v -> y";
        let five: Fed = &[
            ("x", image),
            ("s", &[8]),
            ("b", &[8]),
            ("m", &[8]),
            ("v", &[8]),
        ];
        let cases: [Case; 13] = [
            (
                &["a: Add x b -> y"],
                &[("x", image), ("b", &[8, 1, 1])],
                (2, 8),
                Some("b[2, 1, 1] x[1, 2, 4, 6]"),
            ),
            (
                &["a: Mul x b -> h", "c: Tanh h -> y"],
                &[("x", image), ("b", &[6])],
                (2, 8),
                Some("b[6] x[1, 2, 4, 6]"),
            ),
            (
                &[norm],
                five,
                (2, 8),
                Some("b[2] m[2] s[2] v[2] x[1, 2, 4, 6]"),
            ),
            (
                &[norm],
                five,
                (0, 6),
                Some("b[8] m[8] s[8] v[8] x[1, 8, 4, 2]"),
            ),
            (
                &["c: Conv x w b -> y"],
                &[("x", image), ("w", &[5, 8, 3, 3]), ("b", &[5])],
                (2, 5),
                Some("b[2] w[2, 8, 3, 3] x[1, 8, 4, 6]"),
            ),
            (
                &["c: Conv x w -> y"],
                &[("x", image), ("w", &[5, 8, 3, 3])],
                (0, 6),
                None,
            ),
            (
                &["m: MatMul x w -> y"],
                &[("x", &[2, 3, 4]), ("w", &[4, 7])],
                (0, 7),
                Some("w[4, 2] x[2, 3, 4]"),
            ),
            (
                &["m: MatMul x w -> y"],
                &[("x", &[2, 3, 4]), ("w", &[4, 7])],
                (1, 3),
                Some("w[4, 7] x[2, 2, 4]"),
            ),
            (
                &["m: MatMul x w -> y"],
                &[("x", &[3, 4]), ("w", &[4])],
                (0, 3),
                None,
            ),
            (
                &["s: Softmax x -> y"],
                &[("x", &[5, 4])],
                (1, 5),
                Some("x[2, 4]"),
            ),
            (&["s: Softmax x -> y"], &[("x", &[5, 4])], (0, 4), None),
            (&["t: Transpose x -> y"], &[("x", image)], (2, 8), None),
            // Whole for the one and cut for the other.
            (
                &["m: MatMul x x -> h", "a: Add h x -> y"],
                &[("x", &[4, 4])],
                (1, 4),
                None,
            ),
        ];
        for (nodes, fed, axis, want) in cases {
            assert_eq!(cut(nodes, fed, axis).as_deref(), want, "{nodes:?} {axis:?}");
        }
    }

    #[test]
    fn a_part_holds_the_place_that_is_off_most_and_the_elements_of_its_places() {
        let shape = [2, 4096, 16];
        let off = |i: usize| f64::from(u8::from(i / 16 % 4096 == 77));
        let mut parts = Part::all(&shape, off);
        let part = parts.next().expect("a part of so many");
        assert_eq!((part.axis, part.of), (1, 4096));
        assert!(part.taken.contains(&77) && part.taken.is_sorted());
        let some = part.elements(&ascending(&shape)).unwrap();
        assert_eq!(some.shape(), [2, part.taken.len(), 16]);
        let at = part.taken.iter().position(|p| *p == 77).unwrap();
        assert_eq!(some.to_f64()[16 * at], 16.0 * 77.0);
        assert!(
            Part::all(&[3, 5], off).next().is_none(),
            "so few are all looked at"
        );
    }
}
