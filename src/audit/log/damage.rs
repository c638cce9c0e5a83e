//! damage: what of a log could not be read, and where it began anew.

use super::Held;
use crate::training_log::{Damage, Form};
use crate::verdict::{Finding, Severity};

#[must_use]
pub fn findings(held: &Held) -> Vec<Finding> {
    let mut found: Vec<Finding> = held
        .log
        .damages
        .iter()
        .map(|(kind, all)| {
            let (word, says, severity) = said(*kind);
            let first = all.first.first().map_or("", String::as_str);
            let what = format!(
                "{says} ({} in all); {} rows are read and judged",
                all.count, held.log.rows
            );
            Finding::new(word, held.at(first), what)
                .facts(all.first.iter().skip(1).cloned())
                .number("count", all.count as f64)
                .severity(severity)
        })
        .collect();
    if let Some(first) = held.log.restarts.first() {
        let what = "the count of epochs or steps goes back here: a run that was resumed, or two that write into one file";
        let more = held.log.restarts.iter().skip(1).map(ToString::to_string);
        found.push(
            Finding::new("restarted", held.at(first), what)
                .facts(more)
                .severity(Severity::Note),
        );
    }
    if held.log.rows == 0 && held.log.form != Form::Plain {
        let what = "no row of it could be read";
        found.push(Finding::new("nothing_logged", &held.file, what).severity(Severity::Unjudged));
    }
    found
}

/// The kind, what is said of it, and how bad it is: a log that is still written may end anywhere.
fn said(kind: Damage) -> (&'static str, &'static str, Severity) {
    match kind {
        Damage::Cut => (
            "truncated",
            "the file ends in the middle of this",
            Severity::Warning,
        ),
        Damage::Unreadable => (
            "unreadable",
            "it is nothing that such a log holds",
            Severity::Unjudged,
        ),
        Damage::Ragged => (
            "ragged_row",
            "the row has another number of values than the header has names",
            Severity::Fault,
        ),
        Damage::TooLong => (
            "long_line",
            "the line is longer than 1 MiB, and is not read",
            Severity::Unjudged,
        ),
        Damage::Checksum => (
            "wrong_checksum",
            "the record does not have its checksum: the file is damaged",
            Severity::Fault,
        ),
        Damage::Names => (
            "many_names",
            "the log has more than 2000 names, and this one is not read",
            Severity::Unjudged,
        ),
    }
}
