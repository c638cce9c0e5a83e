//! convention: tensors that the candidate holds otherwise by convention alone: a last axis of one, another width of an integer. Their numbers were compared.

use super::super::Run;
use crate::compare::Convention;
use crate::verdict::{Accumulated, Finding, Severity, TensorResult};

/// Tensors of one convention that are named before the rest is counted.
const NAMED: usize = 3;

pub fn of(run: &Run) -> Vec<Finding> {
    let mut kinds: Vec<(&Convention, Vec<&str>)> = vec![];
    for (name, convention) in run.tensors.iter().filter_map(by) {
        match kinds.iter_mut().find(|(known, _)| *known == convention) {
            Some((_, names)) => names.push(name),
            None => kinds.push((convention, vec![name])),
        }
    }
    kinds
        .iter()
        .map(|(convention, names)| said(convention, names))
        .collect()
}

fn by(t: &TensorResult) -> Option<(&str, &Convention)> {
    let Accumulated::Compared { comparison, .. } = &t.accumulated else {
        return None;
    };
    Some((&t.name, comparison.metrics()?.convention.as_ref()?))
}

fn said(convention: &Convention, names: &[&str]) -> Finding {
    let shown: Vec<String> = names.iter().take(NAMED).map(|n| format!("'{n}'")).collect();
    let more = match names.len() - shown.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let what = format!(
        "{}{more}: {}, a convention: its numbers are what was compared",
        shown.join(", "),
        convention.say()
    );
    Finding::new("convention", names[0], what).severity(Severity::Note)
}
