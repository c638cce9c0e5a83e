//! transfer: which items of a checkpoint a loader takes that goes by name and shape.

use crate::params::Param;
use crate::verdict::{Finding, Severity};
use std::collections::HashMap;

/// What is transferred, and what is not.
pub fn findings(checkpoint: &[Param], model: &[Param]) -> Vec<Finding> {
    let held: HashMap<&str, &Param> = checkpoint.iter().map(|p| (p.name.as_str(), p)).collect();
    let fits = |p: &&Param| {
        held.get(p.name.as_str())
            .is_some_and(|c| c.shape == p.shape)
    };
    let items = model.iter().filter(fits).count();
    let elements: u64 = model.iter().filter(fits).map(Param::elements).sum();
    let all: u64 = model.iter().map(Param::elements).sum();
    let severity = match items == model.len() {
        true => Severity::Note,
        false => Severity::Fault,
    };
    let what = format!(
        "{items} of {} items and {elements} of {all} elements are transferred",
        model.len()
    );
    vec![Finding::new("transfer", "model", what).severity(severity)]
}
