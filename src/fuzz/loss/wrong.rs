//! wrong: the first number in which two forms of a loss differ, and whether it takes an edge to see it.

use crate::fuzz::kernel::wrong_number::WrongNumber;
use crate::fuzz::tally;
use crate::subject::kernels::draw::Case;
use crate::verdict::Finding;
use std::fmt;

/// A wrong number of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct WrongLoss {
    pub number: WrongNumber,
    /// Whether the case lies on an edge.
    pub on_edge: bool,
}

/// What comparing one case came to.
pub type Judged = tally::Judged<WrongLoss>;

impl WrongLoss {
    pub fn of(number: WrongNumber, case: &Case) -> Self {
        Self {
            number,
            on_edge: !case.edges.is_empty(),
        }
    }
}

impl fmt::Display for WrongLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

impl tally::Wrong for WrongLoss {
    fn kind(&self) -> String {
        let edge = if self.on_edge { ", on an edge" } else { "" };
        self.number.kind() + edge
    }

    /// What is wrong on plain inputs needs no edge to be wrong there too.
    fn wider(&self) -> Option<String> {
        self.on_edge.then(|| self.number.kind())
    }

    fn place(&self) -> &str {
        self.number.place()
    }

    fn finding(&self) -> Finding {
        self.number.finding()
    }

    /// A case may leave the edges on which it was found.
    fn is_like(&self, other: &Self) -> bool {
        self.number.kind() == other.number.kind()
    }
}
