//! words: warnings and errors of a plain log, those alike as one, with their lines.

use super::Held;
use crate::training_log::{Level, Words};
use crate::verdict::{Finding, Severity};

#[must_use]
pub fn findings(held: &Held) -> Vec<Finding> {
    held.log.said.words.iter().map(|w| one(held, w)).collect()
}

fn one(held: &Held, words: &Words) -> Finding {
    let (kind, severity) = match words.level {
        Level::Harmless => ("library_warning", Severity::Note),
        Level::Warning => ("warning", Severity::Warning),
        Level::Error => ("error", Severity::Fault),
    };
    let first = words.lines.first().copied().unwrap_or(0);
    let times = if words.count > 1 {
        format!(" ({} times)", words.count)
    } else {
        String::new()
    };
    let lines: Vec<String> = words.lines.iter().map(u64::to_string).collect();
    let more = if words.count > words.lines.len() as u64 {
        ", ..."
    } else {
        ""
    };
    let facts = (lines.len() > 1).then(|| format!("lines {}{more}", lines.join(", ")));
    Finding::new(
        kind,
        held.at(format!("line {first}")),
        format!("{}{times}", words.text),
    )
    .facts(facts)
    .severity(severity)
}
