//! csv: a row for each tensor of a run, or for each finding of an audit, for a spreadsheet.
//!
//! A name that a spreadsheet would take for a formula begins with an apostrophe.

use super::cells;
use crate::audit::Audited;
use crate::compare::Metrics;
use crate::error::{Error, Result, printable};
use crate::run::Run;
use crate::text::shape;
use crate::verdict::{Accumulated, Isolated, TensorResult};

const COLUMNS: [&str; 20] = [
    "step",
    "tensor",
    "node",
    "operator",
    "dtype",
    "shape",
    "macs",
    "accumulated",
    "ratio",
    "max_abs",
    "at",
    "rel_l2",
    "cosine",
    "ulp_max",
    "differ",
    "isolated",
    "ratio_alone",
    "ratio_alone_reference",
    "ratio_alone_candidate",
    "detection_limit",
];

/// # Errors
/// What cannot be written as text.
pub fn of_run(run: &Run) -> Result<String> {
    written(&COLUMNS, run.tensors.iter().map(row))
}

/// # Errors
/// As [`of_run`].
pub fn of_audit(audited: &Audited) -> Result<String> {
    let row = |f: &crate::verdict::Finding| {
        let numbers: Vec<String> = f
            .numbers
            .iter()
            .map(|n| format!("{}={}", n.name, n.value))
            .collect();
        let severity = serde_json::to_value(f.severity).unwrap_or_default();
        vec![
            severity.as_str().unwrap_or_default().into(),
            f.kind.clone(),
            f.who.clone().unwrap_or_default(),
            f.place.clone(),
            f.what.clone(),
            numbers.join("; "),
            f.facts.join("; "),
            f.next.join("; "),
        ]
    };
    let columns = [
        "severity", "kind", "who", "where", "what", "numbers", "facts", "next",
    ];
    written(&columns, audited.findings.iter().map(row))
}

fn written(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<String> {
    let failed = |e: &dyn std::fmt::Display| Error::failed(format!("CSV: {e}"));
    let mut file = csv::Writer::from_writer(vec![]);
    file.write_record(columns).map_err(|e| failed(&e))?;
    for row in rows {
        file.write_record(row.iter().map(|c| plain(c)))
            .map_err(|e| failed(&e))?;
    }
    let bytes = file.into_inner().map_err(|e| failed(&e))?;
    String::from_utf8(bytes).map_err(|e| failed(&e))
}

/// No control characters, and no formula.
fn plain(cell: &str) -> String {
    let cell = printable(cell);
    let formula = cell.starts_with(['=', '+', '-', '@']) && cell.parse::<f64>().is_err();
    if formula { format!("'{cell}") } else { cell }
}

fn row(t: &TensorResult) -> Vec<String> {
    let m = metrics(t);
    let of = |get: &dyn Fn(&Metrics) -> String| m.map(get).unwrap_or_default();
    let (reference, candidate) = match &t.isolated {
        Isolated::Bounded { bounded, .. } => (Some(bounded.reference), Some(bounded.candidate)),
        Isolated::Exact { .. }
        | Isolated::Stated { .. }
        | Isolated::Stretch { .. }
        | Isolated::TieFlip { .. }
        | Isolated::RuleDifference { .. }
        | Isolated::NotJudged { .. } => (None, None),
    };
    let number = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
    vec![
        t.step.to_string(),
        t.name.clone(),
        t.node.clone(),
        t.op.clone(),
        t.dtype.map_or(String::new(), |d| d.to_string()),
        shape(&t.shape),
        t.macs.to_string(),
        cells::accumulated(t),
        number(t.accumulated.ratio()),
        of(&|m| m.max_abs.value.to_string()),
        of(&|m| m.max_abs.index.to_string()),
        of(&|m| m.rel_l2.to_string()),
        of(&|m| m.cosine.to_string()),
        of(&|m| m.ulp_max.to_string()),
        of(&|m| m.mismatches.to_string()),
        cells::isolated(t),
        number(cells::ratio_alone(t)),
        number(reference),
        number(candidate),
        number(t.isolated.limit().map(|l| l.median)),
    ]
}

/// Of both sides' own values.
pub fn metrics(t: &TensorResult) -> Option<&Metrics> {
    match &t.accumulated {
        Accumulated::Compared { comparison, .. } => comparison.metrics(),
        Accumulated::TieFlip { .. } | Accumulated::NotJudged { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::sample;

    #[test]
    fn there_is_a_row_for_each_tensor_with_its_ratio_and_no_name_is_a_formula() {
        let mut run = sample::diverging();
        run.tensors[0].name = "=HYPERLINK(\"x\"),\n1".into();
        let text = of_run(&run).unwrap();
        let mut read = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = read.records().map(|r| r.unwrap()).collect();
        assert_eq!(rows.len(), run.tensors.len());
        assert_eq!(&rows[0][1], "'=HYPERLINK(\"x\"),\\u{a}1");
        assert_eq!((&rows[0][8], &rows[0][18]), ("12.5", "51"));
        assert_eq!(&rows[3][8], "", "what was not judged has no ratio");
    }
}
