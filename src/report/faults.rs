//! faults: the places that are at fault, a line each.

use super::Format;
use crate::error::printable;
use crate::verdict::Finding;

pub const FORMAT: Format = Format {
    name: "faults",
    what: "the places that are at fault, a line each",
    write: |run| {
        let faults = run.findings.iter().filter(|f| f.is_fault());
        let line = |f: &Finding| printable(&format!("{}: {}", f.place, f.facts.join(", "))) + "\n";
        Ok(faults.map(line).collect())
    },
};
