//! yaml: one document as the values that JSON has, as ultralytics and others write their settings; anchors and nesting have budgets.

use crate::error::{Error, Place, Result};
use serde_json::Value;
use std::path::Path;

/// # Errors
/// No such file, or no YAML, with its line.
pub fn load(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::usage(e.to_string()));
    text.and_then(|text| parse(&text)).at(path.display())
}

/// # Errors
/// No YAML, with its line.
pub fn parse(text: &str) -> Result<Value> {
    serde_saphyr::from_str(text).map_err(|e| Error::usage(format!("no YAML: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_read_with_their_types_and_what_is_none_has_its_line() {
        let text = "path: data\nnames: {0: car, 1: bus}\nchannels: 4\nlr0: 1e-3\nhsv_h: 0.015\nval:\n  - images/a\nrect: false\nnone: null\n";
        let read = parse(text).unwrap();
        assert_eq!(read["names"], json!({"0": "car", "1": "bus"}));
        assert_eq!(read["val"], json!(["images/a"]));
        assert_eq!(read["channels"], 4);
        assert_eq!(
            (&read["rect"], &read["none"]),
            (&json!(false), &Value::Null)
        );
        let says = parse("a: [1, 2\nb: 3\n").unwrap_err().to_string();
        assert!(says.contains("line") || says.contains('2'), "{says}");
    }

    #[test]
    fn a_bomb_of_anchors_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_string();
        for i in 1..12 {
            let many = vec![format!("*a{}", i - 1); 9].join(", ");
            text += &format!("a{i}: &a{i} [{many}]\n");
        }
        assert!(parse(&text).is_err());
    }
}
