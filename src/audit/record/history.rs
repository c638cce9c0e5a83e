//! history: the epochs of a training as ultralytics writes them into results.csv, one row each, read as a stream.

use crate::error::{Error, Place, Result};
use std::path::Path;

/// Rows at most; a training has some hundred.
const ROWS: usize = 1 << 20;

/// Columns by name, and the number of each row that is an epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    pub columns: Vec<String>,
    /// By epoch in the order of the file; what is no number is NaN.
    pub rows: Vec<Vec<f64>>,
    /// Lines that are not as wide as the header, or begin again.
    pub odd: Vec<String>,
}

impl History {
    /// # Errors
    /// No such file, or no table with the column `epoch`.
    pub fn load(path: &Path) -> Result<Self> {
        let file = std::fs::File::open(path).map_err(|e| Error::usage(e.to_string()));
        Self::read(file.at(path.display())?).at(path.display())
    }

    fn read(from: impl std::io::Read) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(from);
        let told = |e: csv::Error| Error::usage(format!("no table: {e}"));
        let header = reader.headers().map_err(told)?.clone();
        let columns: Vec<String> = header.iter().map(String::from).collect();
        if !columns.iter().any(|c| c == "epoch") {
            return Err(Error::usage("it has no column 'epoch'")
                .next("give the results.csv of an ultralytics run"));
        }
        let mut out = Self {
            columns,
            ..Self::default()
        };
        for (i, row) in reader.records().enumerate() {
            if i >= ROWS {
                return Err(Error::usage(format!("more than {ROWS} rows")));
            }
            match row {
                Ok(row) => out.push(&row, i + 2),
                Err(e) => out.odd.push(format!("line {}: {e}", i + 2)),
            }
        }
        Ok(out)
    }

    fn push(&mut self, row: &csv::StringRecord, line: usize) {
        if row.len() != self.columns.len() {
            self.odd.push(format!(
                "line {line}: {} values, the header has {}",
                row.len(),
                self.columns.len()
            ));
            return;
        }
        let values: Vec<f64> = row.iter().map(|v| v.parse().unwrap_or(f64::NAN)).collect();
        let epoch = |row: &[f64]| {
            self.columns
                .iter()
                .position(|c| c == "epoch")
                .map(|i| row[i])
        };
        let (own, last) = (epoch(&values), self.rows.last().and_then(|r| epoch(r)));
        if let (Some(own), Some(last)) = (own, last)
            && own <= last
        {
            self.odd
                .push(format!("line {line}: epoch {own} behind epoch {last}"));
            self.rows.retain(|r| epoch(r).is_some_and(|e| e < own));
        }
        self.rows.push(values);
    }

    /// Which epoch each row is, counted from 1 as people do, also where the file counts from 0; a resumed training begins later.
    #[must_use]
    pub fn epochs(&self) -> Vec<f64> {
        let own = self.column("epoch").unwrap_or_default();
        let from = f64::from(u8::from(own.first() == Some(&0.0)));
        own.into_iter().map(|e| e + from).collect()
    }

    /// A column; None where there is none of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<Vec<f64>> {
        let i = self.columns.iter().position(|c| c == name)?;
        Some(self.rows.iter().map(|r| r[i]).collect())
    }

    /// The column whose name begins with `metrics/` and the words, whatever stands in brackets behind: `metrics/mAP50(B)`.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<Vec<f64>> {
        let is = |c: &&String| {
            let own = c.strip_prefix("metrics/").unwrap_or(c);
            own == name || own.strip_suffix("(B)") == Some(name)
        };
        let found = self.columns.iter().find(is)?;
        self.column(found)
    }

    /// Names of columns that are losses of training (`train/`) or validation (`val/`).
    pub fn losses(&self, of: &str) -> impl Iterator<Item = &str> {
        let own = self.columns.iter().map(String::as_str);
        own.filter(move |c| c.starts_with(of) && c.ends_with("loss"))
    }

    /// The sum of the losses of `of`, by epoch; None where there is none.
    #[must_use]
    pub fn total(&self, of: &str) -> Option<Vec<f64>> {
        let all: Vec<Vec<f64>> = self.losses(of).filter_map(|c| self.column(c)).collect();
        (!all.is_empty()).then(|| {
            (0..self.rows.len())
                .map(|i| all.iter().map(|c| c[i]).sum())
                .collect()
        })
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A table of these columns.
    pub fn history(columns: &[&str], rows: &[&[f64]]) -> History {
        History {
            columns: columns.iter().map(|c| (*c).into()).collect(),
            rows: rows.iter().map(|r| r.to_vec()).collect(),
            odd: vec![],
        }
    }

    #[test]
    fn names_with_spaces_are_read_and_brackets_do_not_matter() {
        let text = "                  epoch,         train/box_loss,   metrics/mAP50(B)\n  0, 1.5, 0.2\n 1, nan, 0.3\n";
        let h = History::read(text.as_bytes()).unwrap();
        assert_eq!(h.metric("mAP50"), Some(vec![0.2, 0.3]));
        assert!(h.total("train/").unwrap()[1].is_nan());
        assert_eq!(h.metric("mAP50-95"), None);
        assert_eq!(h.epochs(), [1.0, 2.0]);
    }

    #[test]
    fn a_cut_line_and_a_training_that_begins_again_are_said() {
        let text = "epoch,val/box_loss\n1,5\n2,4\n3\n2,3\n3,2\n";
        let h = History::read(text.as_bytes()).unwrap();
        assert_eq!(h.column("epoch"), Some(vec![1.0, 2.0, 3.0]));
        assert_eq!(h.column("val/box_loss"), Some(vec![5.0, 3.0, 2.0]));
        assert_eq!(
            h.odd,
            [
                "line 4: 1 values, the header has 2",
                "line 5: epoch 2 behind epoch 2"
            ]
        );
        assert!(History::read("a,b\n1,2\n".as_bytes()).is_err());
    }
}
