//! finding: the first number of a case that is wrong.

use crate::fuzz::tally::{self, kind};
use crate::verdict::Finding;
use std::fmt;

/// What comparing one case came to.
pub type Judged = tally::Judged<WrongNumber>;

/// The first number that is not what the reference says.
#[derive(Clone, Debug, PartialEq)]
pub struct WrongNumber {
    /// Value, gradient or assignment, and of what.
    pub what: String,
    pub index: usize,
    pub reference: f64,
    pub candidate: f64,
}

impl fmt::Display for WrongNumber {
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

impl tally::Wrong for WrongNumber {
    fn kind(&self) -> String {
        kind(&self.what)
    }

    fn place(&self) -> &str {
        &self.what
    }

    fn finding(&self) -> Finding {
        Finding::new("fuzz", &*self.what, self.to_string())
            .number("candidate", self.candidate)
            .number("reference", self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::tally::Wrong as _;

    #[test]
    fn a_wrong_number_is_told_as_a_fault_at_its_tensor_with_both_numbers() {
        let wrong = WrongNumber {
            what: "value 'loss'".into(),
            index: 3,
            reference: 1.0,
            candidate: f64::NAN,
        };
        let found = wrong.finding();
        assert!(found.is_fault() && found.place == "value 'loss'");
        assert_eq!(found.what, wrong.to_string());
        let names: Vec<&str> = found.numbers.iter().map(|n| n.name.as_str()).collect();
        assert_eq!(names, ["candidate", "reference"]);
    }
}
