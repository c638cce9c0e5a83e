//! text: numbers, names and tables as people read them.

mod paint;
mod reasons;
mod wrap;

pub use paint::paint;
pub use reasons::{few, reasons};
pub use wrap::wrap;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{ContentArrangement, Table};

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
