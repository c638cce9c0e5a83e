//! finding: what comparing a case came to, and the first number of it that is wrong.

use std::fmt;

/// What comparing one case came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// Numbers held against each other.
    pub compared: usize,
    /// Anchors that went to another owner at a tie.
    pub flips: usize,
    /// Rows on a kink: their gradient is held against the slopes beside it.
    pub kinks: usize,
    /// Numbers that f32 cannot hold or that its rounding makes infinite or no number; they were not compared.
    pub beyond: usize,
    /// Relations that were tried.
    pub relations: usize,
    pub finding: Option<Finding>,
}

/// The first number that is not what the reference says.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Value, gradient or assignment, and of what.
    pub what: String,
    pub index: usize,
    pub reference: f64,
    pub candidate: f64,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            index,
            reference,
            candidate,
        } = self;
        write!(
            f,
            "{what} [{index}] is {candidate:e}, the reference says {reference:e}"
        )
    }
}

impl Finding {
    /// Whether the other is of the same kind.
    pub fn is_like(&self, other: &Self) -> bool {
        kind(&self.what) == kind(&other.what)
    }
}

/// A message without its numbers, so that equal reasons are counted as one.
pub fn kind(message: &str) -> String {
    message
        .chars()
        .map(|c| if c.is_ascii_digit() { '#' } else { c })
        .collect()
}
