//! rows: a table as people read it, or as JSON: an object for each row.

use crate::text::table;
use serde_json::{Map, Value};

/// A table that is printed in either form.
pub struct Rows {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Rows {
    pub fn new(header: &[&'static str], rows: Vec<Vec<String>>) -> Self {
        let header = header.to_vec();
        Self { header, rows }
    }

    pub fn text(&self) -> String {
        table(&self.header, &self.rows)
    }

    pub fn json(&self) -> Value {
        let one = |row: &Vec<String>| {
            let cells = self.header.iter().zip(row);
            let object: Map<String, Value> = cells
                .map(|(key, cell)| (key.to_string(), Value::from(cell.as_str())))
                .collect();
            Value::from(object)
        };
        self.rows.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let rows = Rows::new(&["name", "what"], vec![vec!["a".into(), "b".into()]]);
        assert!(rows.text().contains("| a    | b    |"), "{}", rows.text());
        assert_eq!(rows.json(), serde_json::json!([{"name": "a", "what": "b"}]));
    }
}
