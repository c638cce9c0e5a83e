//! ops: the operator table: one file per family, each in the same order: kernels, scales, registry lines, tests.

mod activation;
#[cfg(test)]
pub mod against_ort;
pub mod alike;
mod attention;
mod batch_norm;
mod bits;
mod cast;
mod common;
mod compare;
mod control;
mod conv;
mod coordinate;
mod cumulative;
mod deform;
mod detect;
pub mod dtypes;
mod elementwise;
mod features;
mod fused;
mod fused_attention;
#[cfg(test)]
mod garbage;
mod gather;
mod gradient;
mod grid;
#[cfg(test)]
mod infinite;
mod linear_attention;
#[cfg(test)]
mod listed;
mod loss;
mod matmul;
mod norm;
mod normalise;
mod place;
mod pool;
mod quantise;
mod quantised_lstm;
mod quantised_product;
mod random;
mod recurrent;
mod reduce;
mod resize;
mod resize_plan;
mod retype;
mod sequence;
mod shape;
mod signal;
mod slice;
mod step;
#[cfg(test)]
mod sums;
mod taps;
mod text;
mod train;
mod trigonometric;
mod window;

pub use common::{done, is_float};

use super::call::Call;
use super::value::Value;
use parity::error::Result;
use parity::floor::{Alone, Family};
use parity::graph::Node;
use std::collections::HashMap;
use std::sync::LazyLock;
use tch::Tensor;

/// Evaluates a node; returns its outputs in order (trailing ones that the node does not ask for may be missing).
#[derive(Clone, Copy)]
pub enum Kernel {
    /// On tensors; `dtypes` takes care of those that libtorch lacks.
    Tensors(fn(&Call) -> Result<Vec<Tensor>>),
    /// On whatever passes between nodes: dtypes by their mark, strings, sequences, optionals.
    Values(fn(&Call) -> Result<Vec<Value>>),
}

/// How much a correct engine may round, see `parity::floor::Rounding`.
pub enum Scale {
    /// Not at all.
    Exact,
    /// Copies; the function says NaN where the standard leaves open what the elements are in which the sides differ.
    Copies(Margin),
    /// A decision; the function gives the smallest distance from the border between the two decisions (see `Judge::margin`).
    Decision(Alone, Margin),
    /// Copies of input elements, where only which one is a decision; integer outputs are decisions themselves.
    Selection(Alone, Margin),
    /// Floats are rounded once (S = |y|), integers are decisions.
    Graded(Family, Margin),
    /// Floats are rounded by the operator's own formula; integers are decisions, made of a number that was rounded before.
    Stepped(Family, Formula, Margin),
    /// A draw.
    Random,
    /// S = the kernel on absolute values, K = `terms`: sums of products of a number from each of these inputs (see `alike`).
    Absolute(Family, Terms, &'static [usize]),
    /// S = |y|: one rounding of the result.
    Output(Family),
    /// S = 1: the range of a bounded function.
    One(Family),
    /// No S of its own: the largest change that perturbing the inputs by one unit roundoff makes, pooled per channel (see `perturbed`).
    Perturbed(Family),
    /// S (and K) by the operator's own formula, one per output.
    By(Family, Formula),
    /// One of the above, by an attribute of the node (never another `Node`).
    Node(fn(&Node) -> &'static Scale),
}

/// `(call, outputs)`: S and K of each output.
pub type Formula = fn(&Call, &[Tensor]) -> Result<Vec<(Tensor, usize)>>;

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
    trigonometric::OPS,
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
    cumulative::OPS,
    normalise::OPS,
    batch_norm::OPS,
    gradient::OPS,
    resize::OPS,
    random::OPS,
    retype::OPS,
    bits::OPS,
    loss::OPS,
    norm::OPS,
    attention::OPS,
    linear_attention::OPS,
    recurrent::OPS,
    control::OPS,
    sequence::OPS,
    quantise::OPS,
    quantised_product::OPS,
    quantised_lstm::OPS,
    fused::OPS,
    fused_attention::OPS,
    signal::OPS,
    grid::OPS,
    detect::OPS,
    deform::OPS,
    place::OPS,
    text::OPS,
    features::OPS,
    train::OPS,
];

/// Every registered operator.
pub fn all() -> impl Iterator<Item = &'static Op> {
    FAMILIES.iter().copied().flatten()
}

/// The registry line that reads `name` of `domain` at `opset`.
pub fn find(domain: &str, name: &str, opset: i64) -> Option<&'static Op> {
    // Every node of every walk asks.
    static BY_NAME: LazyLock<HashMap<&str, Vec<&Op>>> = LazyLock::new(|| {
        let mut lines: HashMap<&str, Vec<&Op>> = HashMap::new();
        all().for_each(|op| lines.entry(op.name).or_default().push(op));
        lines
    });
    BY_NAME
        .get(name)?
        .iter()
        .copied()
        .filter(|op| op.domain == domain && op.since <= opset)
        .max_by_key(|op| op.since)
}

/// A registry line of the default domain.
const fn op(
    name: &'static str,
    since: i64,
    kernel: fn(&Call) -> Result<Vec<Tensor>>,
    scale: Scale,
) -> Op {
    Op {
        domain: "",
        name,
        since,
        kernel: Kernel::Tensors(kernel),
        scale,
    }
}

/// A registry line of the default domain for an operator that knows more than tensors.
const fn values(
    name: &'static str,
    since: i64,
    kernel: fn(&Call) -> Result<Vec<Value>>,
    scale: Scale,
) -> Op {
    Op {
        domain: "",
        name,
        since,
        kernel: Kernel::Values(kernel),
        scale,
    }
}

impl Op {
    /// The scale that holds for `node`.
    pub fn scale(&self, node: &Node) -> &Scale {
        match &self.scale {
            Scale::Node(choose) => choose(node),
            other => other,
        }
    }
}
