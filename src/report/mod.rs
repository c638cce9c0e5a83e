//! report: views of a Run: the terminal for people, JSON for everything else; and of what a golden or a count of parameters differs in.

mod fuzz;
mod fuzz_graph;
mod golden;
mod headline;
mod params;
mod reasons;
mod stages;
mod terminal;

pub use fuzz::{fuzz, replay};
pub use fuzz_graph::fuzz_graph;
pub use golden::golden;
pub use headline::headline;
pub use params::params;
pub use reasons::{few, reasons};
pub use terminal::terminal;

use crate::error::{Error, Result};
use crate::run::Run;
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{ContentArrangement, Table};

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

/// A plain table, readable without colour.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table
        .load_style(ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.to_vec());
    rows.iter().for_each(|r| {
        table.add_row(r.clone());
    });
    format!("{table}\n")
}

/// A number as a person reads it: four significant digits.
pub fn number(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 || !x.is_finite() || (1e-3..1e5).contains(&size) {
        let digits = if size > 0.0 && size.is_finite() {
            (3 - size.log10().floor() as i32).clamp(0, 6) as usize
        } else {
            0
        };
        format!("{x:.digits$}")
    } else {
        format!("{x:.3e}")
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_keep_four_significant_digits() {
        for (x, text) in [
            (0.0, "0"),
            (1.23456, "1.235"),
            (0.00123456, "0.001235"),
            (1.23456e-7, "1.235e-7"),
            (416.0, "416.0"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(x), text);
        }
    }
}
