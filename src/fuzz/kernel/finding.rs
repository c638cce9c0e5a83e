//! finding: the first number of a case that is wrong.

use crate::fuzz::tally::{self, kind};
use std::fmt;

/// What comparing one case came to.
pub type Judged = tally::Judged<Finding>;

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

impl tally::Finding for Finding {
    fn kind(&self) -> String {
        kind(&self.what)
    }
}
