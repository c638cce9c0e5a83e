//! open: what had to be judged and was not, each with its reason.

use super::super::Run;
use crate::verdict::{Finding, Severity};

pub fn of(run: &Run) -> Vec<Finding> {
    let says = |u: &crate::verdict::Unjudged| {
        Finding::new("unjudged", &*u.what, format!("{}: {}", u.what, u.why))
            .severity(Severity::Unjudged)
    };
    run.ledger.unjudged.iter().map(says).collect()
}
