//! weights: nodes that can be told by what they hold, in whatever layout and storage: what they take and give is a pair.

use super::index::{Index, Side};
use super::{Evidence, Matching};
use crate::compare::layout::{Order, orders};
use crate::graph::Graph;
use crate::hash;
use crate::tensor::{DType, Tensor};
use std::collections::{HashMap, HashSet};

/// Elements from which on a weight is evidence.
const FEW: usize = 4;

/// A weight without its order: the elements, however they lie.
type Digest = (usize, u64);

/// What a node holds, in f32 and as f16 keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Held {
    pub full: Vec<Digest>,
    pub half: Vec<Digest>,
}

/// Operators that are the same product under other names.
fn class(op: &str) -> &str {
    match op {
        "Gemm" | "MatMul" | "FusedMatMul" => "product",
        "FusedConv" => "Conv",
        other => other,
    }
}

impl Held {
    /// Of those of `fixed` that are evidence, in no order.
    pub fn of(fixed: &[&Tensor]) -> Self {
        let told = fixed.iter().filter(|t| is_evidence(t));
        let (mut full, mut half): (Vec<_>, Vec<_>) =
            told.map(|t| (digest(t), digest(&halved(t)))).unzip();
        full.sort_unstable();
        half.sort_unstable();
        Self { full, half }
    }

    /// Elements of each, ascending, as the digests are.
    pub fn sizes(&self) -> Vec<usize> {
        self.full.iter().map(|d| d.0).collect()
    }

    pub fn is_same(&self, other: &Self) -> bool {
        self.full == other.full || self.half == other.half
    }
}

fn is_evidence(t: &Tensor) -> bool {
    let values = t.to_f64();
    t.dtype().is_float() && values.len() >= FEW && values.iter().any(|v| *v != values[0])
}

fn digest(t: &Tensor) -> Digest {
    let values = t.to_f64();
    let one = |v: &f64| hash::bits(v.to_bits(), 0);
    (
        values.len(),
        values.iter().map(one).fold(0, u64::wrapping_add),
    )
}

fn halved(t: &Tensor) -> Tensor {
    Tensor::from_f64(DType::F16, t.shape(), &t.to_f64()).unwrap_or_else(|_| t.clone())
}

/// Floats of a graph that another one does not hold in these bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unshared {
    /// Weights and constants, by name.
    pub tensors: HashSet<String>,
    /// Attributes: (step, name).
    pub settings: HashSet<(usize, String)>,
}

impl Unshared {
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty() && self.settings.is_empty()
    }
}

/// What either side stores and the other one does not, tensors in whatever layout. What a recording sets its modules by is known as numbers of Python, in f64,
/// which no attribute holds.
pub fn unshared(a: &Side, b: &Side) -> [Unshared; 2] {
    [lacking(a, b), lacking(b, a)]
}

/// Inputs that say how large a result is: another number there is another function, however near.
const SIZES: &[(&str, usize)] = &[
    ("Range", 0),
    ("Range", 1),
    ("Range", 2),
    ("Resize", 2),
    ("Upsample", 1),
];

fn sizes(graph: &Graph) -> HashSet<&str> {
    let nodes = graph.steps.iter().flat_map(|s| &s.nodes);
    let taken = nodes.flat_map(|node| {
        let own = SIZES.iter().filter(|(op, _)| *op == node.op);
        own.filter_map(|(_, slot)| node.inputs.get(*slot))
    });
    taken.map(String::as_str).collect()
}

fn lacking(side: &Side, other: &Side) -> Unshared {
    let held: HashSet<Digest> = other.graph.stored().map(|(_, t)| digest(&t)).collect();
    let sizes = sizes(side.graph);
    let tensors = side.graph.stored();
    let tensors = tensors.filter(|(n, t)| !held.contains(&digest(t)) && !sizes.contains(n));
    // One exporter writes an attribute where another one writes a tensor.
    let single = other.graph.stored().filter(|(_, t)| t.numel() == 1);
    let single = single.map(|(_, t)| (t.to_f64()[0] as f32).to_bits());
    let set = other.graph.settings().filter(|_| !other.is_recorded);
    let set: HashSet<u32> = set.map(|(_, _, v)| v.to_bits()).chain(single).collect();
    let settings = side
        .graph
        .settings()
        .filter(|(_, _, v)| !set.contains(&v.to_bits()));
    Unshared {
        tensors: tensors.map(|(name, _)| name.to_string()).collect(),
        settings: settings
            .map(|(step, name, _)| (step, name.to_string()))
            .collect(),
    }
}

/// Weights of `side` of which the other one has the elements, and in no order of axes the weight: rows or gates in another order. With the name there.
pub fn reordered(side: &Side, other: &Side) -> HashMap<String, String> {
    let mut held: HashMap<Digest, Vec<(&String, &Tensor)>> = HashMap::new();
    for (name, value) in &other.graph.weights {
        held.entry(digest(value)).or_default().push((name, value));
    }
    let own = side.graph.weights.iter().filter(|(_, t)| is_evidence(t));
    let one = |(name, value): (&String, &Tensor)| {
        let all = held.get(&digest(value))?;
        let [(there, other)] = all[..] else {
            return None;
        };
        let numbers = value.to_f64();
        let is_order = |order: &Order| {
            let read = order.read(other, value.shape());
            read.is_ok_and(|read| read.to_f64() == numbers)
        };
        let any = orders(other.shape(), value.shape()).iter().any(is_order);
        (!any).then(|| (name.clone(), there.clone()))
    };
    own.filter_map(one).collect()
}

/// Pairs what the only nodes with the same weights take and give.
pub fn pair(a: &Index, b: &Index, found: &mut Matching) {
    for pick in [
        |held: &Held| held.full.clone(),
        |held: &Held| held.half.clone(),
    ] {
        let (ours, theirs) = (unique(a, pick), unique(b, pick));
        let mut both: Vec<(usize, usize)> = ours
            .iter()
            .filter_map(|(key, s)| Some((*s, *theirs.get(key)?)))
            .collect();
        both.sort_unstable();
        for (ours, theirs) in both {
            beside(a, b, (ours, theirs), found);
        }
    }
}

/// Steps by what they hold, where no other step of the side holds the same.
fn unique<'i>(
    index: &Index<'i>,
    pick: fn(&Held) -> Vec<Digest>,
) -> HashMap<(&'i str, Vec<Digest>), usize> {
    let mut all: HashMap<(&str, Vec<Digest>), Vec<usize>> = HashMap::new();
    for step in 0..index.graph.steps.len() {
        let held = pick(&index.held[step]);
        let moves = index.graph.steps[step]
            .outputs
            .first()
            .is_some_and(|o| index.moves(o));
        if moves && !held.is_empty() {
            all.entry((class(&index.node(step).op), held))
                .or_default()
                .push(step);
        }
    }
    all.into_iter()
        .filter(|(_, steps)| steps.len() == 1)
        .map(|(key, steps)| (key, steps[0]))
        .collect()
}

/// The one moving input of both, and their outputs.
fn beside(a: &Index, b: &Index, (ours, theirs): (usize, usize), found: &mut Matching) {
    let fits = |x: &str, y: &str| a.shape(x).is_some() && a.shape(x) == b.shape(y);
    if let (Some(x), Some(y)) = (moving(a, ours), moving(b, theirs))
        && fits(x, y)
    {
        found.pair(x, y, Evidence::Weights);
    }
    let outputs = a.graph.steps[ours]
        .outputs
        .iter()
        .zip(&b.graph.steps[theirs].outputs);
    for (x, y) in outputs {
        let x = behind(a, (b, y), x);
        if fits(x, y) {
            found.pair(x, y, Evidence::Weights);
        }
    }
}

/// A tensor of a recording, or, where that does not hold it because it lies inside a module, what its reader makes of it, if nobody reads `theirs` so.
fn behind<'i>(index: &Index<'i>, (other, theirs): (&Index, &str), name: &'i str) -> &'i str {
    let readers = |of: &Index, name: &str| -> Vec<usize> {
        let all = of.taken.get(name).into_iter().flatten();
        all.map(|(step, _)| *step).collect()
    };
    let [reader] = readers(index, name)[..] else {
        return name;
    };
    let op = &index.node(reader).op;
    let also = readers(other, theirs)
        .iter()
        .any(|s| other.node(*s).op == *op);
    let inside = index.is_recorded && index.shape(name).is_none();
    match index.graph.steps[reader].outputs.first() {
        Some(output) if inside && !also => output,
        _ => name,
    }
}

/// The one input that moves.
fn moving<'i>(index: &Index<'i>, step: usize) -> Option<&'i str> {
    let mut all = index.node(step).inputs.iter().filter(|n| index.moves(n));
    all.next()
        .filter(|_| all.next().is_none())
        .map(String::as_str)
}
