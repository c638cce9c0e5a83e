//! audited: what an audit came to: findings, the most serious first, and tables of numbers.

use crate::exit::Exit;
use crate::verdict::{Finding, Severity};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What one audit came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audited {
    /// Its name, as on the command line.
    pub audit: String,
    /// What was looked at: the part that a file plays, and the file.
    pub subjects: Vec<(String, String)>,
    /// Faults, what could not be checked, risks (warnings), and what was found right (notes) with its number.
    pub findings: Vec<Finding>,
    pub tables: Vec<Table>,
    /// What was asked for instead of a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub printed: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plots: Vec<Plot>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<Picture>,
}

/// Numbers of an audit, as they are printed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub title: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// What something looks like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    pub title: String,
    /// A PNG file in base64.
    pub png: String,
}

/// Curves in one plot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plot {
    pub title: String,
    /// What runs to the right.
    pub x: String,
    pub lines: Vec<Line>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

impl Audited {
    #[must_use]
    pub fn of(audit: &str) -> Self {
        Self {
            audit: audit.into(),
            subjects: vec![],
            findings: vec![],
            tables: vec![],
            printed: None,
            plots: vec![],
            pictures: vec![],
        }
    }

    #[must_use]
    pub fn subject(mut self, part: &str, file: &Path) -> Self {
        let file = file.display().to_string();
        self.subjects.push((part.into(), file));
        self
    }

    /// With more findings; the most serious come first, those of one severity in the order in which they were found.
    #[must_use]
    pub fn found(mut self, findings: impl IntoIterator<Item = Finding>) -> Self {
        self.findings.extend(findings);
        self.findings.sort_by_key(|f| f.severity);
        self
    }

    #[must_use]
    pub fn table(mut self, title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Self {
        self.tables.push(Table {
            title: title.into(),
            columns: columns.iter().map(|c| (*c).into()).collect(),
            rows,
        });
        self
    }

    /// How many findings are of `severity`.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let alike = self.findings.iter().filter(|f| f.severity == severity);
        alike.count()
    }

    /// An audit without any finding has looked at nothing.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let all = self.findings.iter().map(|f| f.severity.exit());
        all.reduce(Exit::or_worse).unwrap_or(Exit::Uncovered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_first_and_decide_and_nothing_looked_at_is_not_agreed() {
        let finding = |s: Severity| Finding::new("k", "w", "x").severity(s);
        let all = [Severity::Note, Severity::Unjudged, Severity::Fault];
        let audited = Audited::of("a").found(all.map(finding));
        assert_eq!(audited.findings[0].severity, Severity::Fault);
        assert_eq!(audited.exit(), Exit::Diverge);
        assert_eq!(Audited::of("a").exit(), Exit::Uncovered);
        let right = Audited::of("a").found([finding(Severity::Note)]);
        assert_eq!(right.exit(), Exit::Agree);
    }
}
