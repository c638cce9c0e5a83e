//! weights: nodes that can be told by what they hold, in whatever layout and storage: what they take and give is a pair.

use super::index::Index;
use super::{Evidence, Matching};
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

/// Floats that either graph stores and the other one does not in these bits, in whatever layout.
pub fn unshared(a: &Graph, b: &Graph) -> [HashSet<String>; 2] {
    let digests = |g: &Graph| {
        g.stored()
            .map(|(_, t)| digest(&t))
            .collect::<HashSet<Digest>>()
    };
    let lacks = |g: &Graph, other: &HashSet<Digest>| {
        let alone = g.stored().filter(|(_, t)| !other.contains(&digest(t)));
        alone.map(|(name, _)| name.to_string()).collect()
    };
    [lacks(a, &digests(b)), lacks(b, &digests(a))]
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
    for (x, y) in outputs.filter(|(x, y)| fits(x, y)) {
        found.pair(x, y, Evidence::Weights);
    }
}

/// The one input that moves.
fn moving<'i>(index: &Index<'i>, step: usize) -> Option<&'i str> {
    let mut all = index.node(step).inputs.iter().filter(|n| index.moves(n));
    all.next()
        .filter(|_| all.next().is_none())
        .map(String::as_str)
}
