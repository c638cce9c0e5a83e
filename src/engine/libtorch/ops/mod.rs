//! ops: the operator table: one file per family, each in the same order: kernels, scales, registry lines, tests.

mod activation;
#[cfg(test)]
mod against_ort;
mod cast;
mod common;
mod compare;
mod conv;
mod coordinate;
mod elementwise;
mod gather;
mod matmul;
mod normalise;
mod pool;
mod reduce;
mod resize;
mod shape;
mod slice;
mod step;
mod window;

use super::call::Call;
use parity::error::Result;
use parity::floor::Family;
use parity::graph::Node;
use tch::Tensor;

/// Evaluates a node; returns its outputs in order (trailing ones that the node does not ask for may be missing).
pub type Kernel = fn(&Call) -> Result<Vec<Tensor>>;

/// How much a correct engine may round, see `parity::floor::Rounding`.
pub enum Scale {
    /// Not at all.
    Exact,
    /// A decision; the function gives the smallest distance from the border between the two decisions (see `Judge::margin`).
    Decision(Margin),
    /// Copies of input elements, where only which one is a decision; integer outputs are decisions themselves.
    Selection(Margin),
    /// S = the kernel on absolute values, K = `terms`: sums of products.
    Absolute(Family, Terms),
    /// S = |y|: one rounding of the result.
    Output(Family),
    /// S = 1: the range of a bounded function.
    One(Family),
    /// S (and K) by the operator's own formula, one per output.
    By(Family, fn(&Call, &[Tensor]) -> Result<Vec<(Tensor, usize)>>),
    /// One of the above, by an attribute of the node (never another `Node`).
    Node(fn(&Node) -> &'static Scale),
}

/// Number of terms that one output element sums.
pub type Terms = fn(&Call) -> Result<usize>;

/// `(call, output index, reference, candidate)`: the distance, in units of the input, at the element where it is largest.
pub type Margin = fn(&Call, usize, &Tensor, &Tensor) -> Result<f64>;

/// One registry line. The same name may stand several times; the largest `since` not above the node's opset is taken.
pub struct Op {
    pub domain: &'static str,
    pub name: &'static str,
    pub since: i64,
    pub kernel: Kernel,
    pub scale: Scale,
}

const FAMILIES: &[&[Op]] = &[
    elementwise::OPS,
    activation::OPS,
    step::OPS,
    compare::OPS,
    cast::OPS,
    shape::OPS,
    slice::OPS,
    gather::OPS,
    conv::OPS,
    pool::OPS,
    matmul::OPS,
    reduce::OPS,
    normalise::OPS,
    resize::OPS,
];

/// Every registered operator.
pub fn all() -> impl Iterator<Item = &'static Op> {
    FAMILIES.iter().copied().flatten()
}

/// The registry line that reads `name` of `domain` at `opset`.
pub fn find(domain: &str, name: &str, opset: i64) -> Option<&'static Op> {
    all().filter(|op| op.domain == domain && op.name == name && op.since <= opset).max_by_key(|op| op.since)
}

/// A registry line of the default domain.
const fn op(name: &'static str, since: i64, kernel: Kernel, scale: Scale) -> Op {
    Op { domain: "", name, since, kernel, scale }
}

impl Op {
    /// The scale that holds for `node`.
    pub fn scale(&self, node: &Node) -> &Scale {
        match &self.scale {
            Scale::Node(choose) => choose(node),
            other => other,
        }
    }

    pub fn family_name(&self) -> &'static str {
        match &self.scale {
            Scale::Exact => "exact",
            Scale::Decision(_) => "decision",
            Scale::Selection(_) => "selection",
            Scale::Absolute(f, _) | Scale::Output(f) | Scale::One(f) | Scale::By(f, _) => f.name(),
            Scale::Node(_) => "by attribute",
        }
    }
}

impl Scale {
    pub fn describe(&self) -> &'static str {
        match self {
            Scale::Exact => "bit-exact",
            Scale::Decision(_) | Scale::Selection(_) => "exact, ties told apart",
            Scale::Absolute(..) => "S = operator on absolute values",
            Scale::Output(_) => "S = |y|",
            Scale::One(_) => "S = 1",
            Scale::By(..) => "S by its own formula",
            Scale::Node(_) => "bound by attribute",
        }
    }
}
