//! pending: both sides' own values of one tensor, compared and not yet held against a floor.

use super::{Accumulated, TensorResult};
use crate::compare::Comparison;

/// A tensor as a walk has observed it.
pub type Observed = TensorResult<Pending>;

/// What a comparison of own values waits for.
#[derive(Clone, Debug)]
pub enum Pending {
    /// Nothing is left to decide.
    Done(Accumulated),
    /// The noise floor decides.
    Noise(Comparison),
    /// Infinite on one side only, and right on either: the node gives it on that side's own inputs. What that comes to where these disagree.
    Infinite(Accumulated),
    /// A decision or an integer differs: a tie where that is proved.
    Decision {
        comparison: Comparison,
        evidence: Evidence,
    },
}

/// What is known of an output on which the sides decide otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Whether both decisions are the node's own on their own inputs; None where some of these are not at hand.
    pub own: Option<bool>,
    /// Distance from the border on the reference's inputs, at the differing element where it is largest; infinite where nobody can tell.
    pub margin: f64,
}
