//! json: the whole Run, and any other value, as JSON that is safe to print.

use super::Format;
use crate::error::{Error, Result};
use crate::run::Run;

pub const FORMAT: Format = Format {
    name: "json",
    what: "the whole Run, for programs",
    write: json,
};

/// The Run as JSON, one line feed at the end.
pub fn json(run: &Run) -> Result<String> {
    to_json(run)
}

/// Any value as JSON that is safe to print.
pub fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(value)
        .map(|s| escaped(&s) + "\n")
        .map_err(|e| Error::failed(format!("JSON: {e}")))
}

/// JSON in which control and direction-changing characters are written as escapes: the same value, and nothing that steers a terminal.
fn escaped(json: &str) -> String {
    let hostile = |c: char| {
        c != '\n' && crate::error::printable(c.encode_utf8(&mut [0; 4])).len() != c.len_utf8()
    };
    json.chars()
        .flat_map(|c| {
            if hostile(c) {
                format!("\\u{:04x}", c as u32).chars().collect()
            } else {
                vec![c]
            }
        })
        .collect()
}
