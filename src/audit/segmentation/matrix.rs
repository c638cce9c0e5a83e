//! matrix: a confusion matrix from a file: counts as .npy, or JSON, alone or as `confusion` of an object.

use crate::error::{Error, Place, Result};
use crate::input::file;
use crate::kernel::metric::pixel_confusion::Confusion;
use crate::tensor::Tensor;
use serde_json::Value;
use std::path::Path;

/// Names under which JSON has one.
const KEYS: [&str; 3] = ["confusion", "confusion_matrix", "matrix"];
/// Classes at most.
const SIDE: usize = 1 << 14;

/// Rows are labels, or predictions.
///
/// # Errors
/// It cannot be read, or is no square matrix of counts.
pub fn load(path: &Path, rows_are_predictions: bool) -> Result<Confusion> {
    let json = path.extension().is_some_and(|e| e == "json");
    let (side, values) = match json {
        true => of_json(path),
        false => of_array(&file::load(path, KEYS[0])?),
    }
    .at(path.display())?;
    let counts = counts(side, &values).at(path.display())?;
    let m = Confusion::of(side, &counts);
    Ok(if rows_are_predictions {
        m.transposed()
    } else {
        m
    })
}

fn of_array(held: &Tensor) -> Result<(usize, Vec<f64>)> {
    match held.shape() {
        [a, b] if a == b && *a > 0 && *a <= SIDE => Ok((*a, held.to_f64())),
        other => Err(Error::usage(format!(
            "{other:?} is no square matrix of 1 to {SIDE} classes"
        ))),
    }
}

fn of_json(path: &Path) -> Result<(usize, Vec<f64>)> {
    let bytes = crate::file::read(path)?;
    let read: Value =
        serde_json::from_slice(&bytes).map_err(|e| Error::usage(format!("no JSON: {e}")))?;
    let held = KEYS.iter().find_map(|k| read.get(k)).unwrap_or(&read);
    let rows: Vec<Vec<f64>> = serde_json::from_value(held.clone()).map_err(|e| {
        Error::usage(format!("no matrix: {e}")).next(format!(
            "[[1, 0], [0, 1]], or an object with one as '{}'",
            KEYS[0]
        ))
    })?;
    let side = rows.len();
    match rows.iter().position(|r| r.len() != side) {
        _ if side == 0 || side > SIDE => {
            Err(Error::usage(format!("{side} rows; 1 to {SIDE} are read")))
        }
        Some(i) => Err(Error::usage(format!(
            "row {i} has {} values, the matrix {side} rows",
            rows[i].len()
        ))),
        None => Ok((side, rows.concat())),
    }
}

fn counts(side: usize, values: &[f64]) -> Result<Vec<u64>> {
    let is_count = |v: &f64| *v >= 0.0 && v.fract() == 0.0 && *v <= 9e15;
    match values.iter().position(|v| !is_count(v)) {
        None => Ok(values.iter().map(|v| *v as u64).collect()),
        Some(i) => Err(Error::usage(format!("row {}, column {}: {} is no count", i / side, i % side, values[i]))
            .next("save the matrix before it is normalised: shares of rows do not say how large their classes are")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, turned: bool) -> Result<Confusion> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.json");
        std::fs::write(&path, text).unwrap();
        load(&path, turned)
    }

    #[test]
    fn a_matrix_is_read_either_way_round_and_what_is_none_is_refused() {
        let m = read("[[1, 2], [3, 4]]", false).unwrap();
        assert_eq!((m.at(0, 1), m.at(1, 0)), (2, 3));
        let turned = read(r#"{"confusion": [[1, 2.0], [3, 4]]}"#, true).unwrap();
        assert_eq!(turned.at(0, 1), 3);
        for (text, words) in [
            ("[[1, 2], [3]]", "row 1 has 1 values"),
            ("[[0.5, 0.5], [0, 1]]", "row 0, column 0: 0.5 is no count"),
            ("[[1, -2], [0, 1]]", "-2 is no count"),
            ("[]", "0 rows"),
            ("{}", "no matrix"),
            ("nothing", "no JSON"),
        ] {
            let e = read(text, false).unwrap_err().to_string();
            assert!(e.contains(words), "{e}");
        }
    }
}
