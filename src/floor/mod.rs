//! floor: where a tolerance comes from: the rounding bound of one node, and the noise that a whole network makes of it.

pub mod bound;
pub mod family;
pub mod noise;

pub use family::Family;

use crate::tensor::Tensor;

/// What a correct engine may do to one output of one step.
#[derive(Clone, Debug)]
pub enum Rounding {
    /// Nothing: data movement, selection, integers. Every bit is decided by the inputs.
    Exact,
    /// |engine − f64| ≤ B = max(β, γ·√K)·u·S, element by element.
    Within {
        family: Family,
        /// S: the operator on absolute values, f64, in the output's shape.
        scale: Tensor,
        /// K: how many terms are summed; 1 where nothing is.
        terms: usize,
    },
    /// A decision (index, comparison, step function).
    Decision(Alone),
    /// Elements of the input, where only which one is a decision (nearest neighbours, the values of TopK).
    Selection(Alone),
    /// Drawn at random: taken from the reference, never compared.
    Random,
}

/// What a decision may do that is fed the same bits twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// It is a function of its inputs: equal bits in, equal decision out, however near the border is.
    Function,
    /// The standard leaves an order among equals open: what is chosen must be equal in value.
    Order,
    /// It rounds before it decides: it may decide otherwise where the border is nearer than that rounding (a margin of 0).
    Rounds,
}
