//! findings: all that a run has to say, the most serious first: every report is a view of them.

mod deployed;
mod divergence;
mod notes;
mod open;
mod origin;
mod stage;
mod stretch;
mod values;
mod why;

pub use divergence::UNORDERED;
pub use values::provenance;

use super::Run;
use crate::verdict::{Finding, Outcome};

/// Nodes of one line that are named before the rest is counted.
const NODES: usize = 8;

/// What `run` says: what diverges, the headline first; what had to be judged and was not; what somebody should look at or may want to know.
pub fn of(run: &Run) -> Vec<Finding> {
    let mut all = match run.verdict.outcome {
        Outcome::Diverge => divergence::of(run),
        Outcome::Agree | Outcome::Nothing => vec![],
    };
    all.extend(open::of(run));
    all.extend(notes::of(run));
    all.sort_by_key(|finding| finding.severity);
    all
}
