//! gradients: what a subject is asked for of its own gradients, and what it says.

use super::Feed;
use crate::tensor::Tensor;

/// A tensor that is differentiated, or by which: as the graph calls it, and as recordings do.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    pub graph: String,
    pub standard: String,
}

/// What is asked for: the gradient of each term by each of `by`.
pub struct Wanted<'a> {
    /// The graph's inputs.
    pub feed: Feed<'a>,
    pub terms: &'a [Named],
    pub by: &'a [Named],
}

/// One gradient, as a subject has it.
#[derive(Clone, Debug)]
pub enum Given {
    Value(Tensor),
    /// No path leads from there to the term.
    NoPath,
    /// It was not recorded, or is not known.
    Unknown,
}

/// The gradients of one subject.
pub struct OwnGradients {
    /// By term, then by what it is differentiated by.
    pub by_term: Vec<Vec<Given>>,
    /// Whether they are of the weighted terms.
    pub weighted: bool,
    /// What it has none of, for a report.
    pub missing: Option<String>,
}

impl From<Option<Tensor>> for Given {
    fn from(gradient: Option<Tensor>) -> Self {
        gradient.map_or(Self::NoPath, Self::Value)
    }
}

impl OwnGradients {
    /// Whether both have the same bits.
    pub fn same(&self, other: &Self) -> bool {
        let bytes = |own: &Self| -> Vec<Option<Vec<u8>>> {
            let of = |g: &Given| match g {
                Given::Value(t) => Some(t.bytes().to_vec()),
                Given::NoPath | Given::Unknown => None,
            };
            own.by_term.iter().flatten().map(of).collect()
        };
        bytes(self) == bytes(other)
    }
}
