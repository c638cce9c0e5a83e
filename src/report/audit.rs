//! audit: what audits came to: how many faults, then each finding with its facts and its next step, then the tables.

use crate::audit::{Audited, Table};
use crate::error::printable;
use crate::text::table;
use crate::verdict::{Finding, Severity};

/// How each severity is said of one finding, and of several.
const SAID: [(Severity, &str, &str); 4] = [
    (Severity::Fault, "fault", "faults"),
    (
        Severity::Unjudged,
        "could not be checked",
        "could not be checked",
    ),
    (Severity::Warning, "risk", "risks"),
    (Severity::Note, "found right", "found right"),
];

/// The report of one audit.
#[must_use]
pub fn audit(audited: &Audited) -> String {
    let mut out = format!("{}: {}\n", audited.audit, counts(audited));
    for (part, file) in &audited.subjects {
        out += &format!("  {part:<12}{}\n", printable(file));
    }
    for (severity, said, _) in SAID {
        let all = audited.findings.iter().filter(|f| f.severity == severity);
        out += &all.map(|f| finding(f, said)).collect::<String>();
    }
    out + &audited.tables.iter().map(titled).collect::<String>()
}

/// "2 faults, 1 risk, 3 found right".
fn counts(audited: &Audited) -> String {
    let said = SAID.iter().filter_map(|(severity, one, several)| {
        let n = audited.count(*severity);
        let word = if n == 1 { one } else { several };
        (n > 0).then(|| format!("{n} {word}"))
    });
    let said: Vec<String> = said.collect();
    match said.is_empty() {
        true => "nothing was looked at".into(),
        false => said.join(", "),
    }
}

fn finding(finding: &Finding, said: &str) -> String {
    let mut out = format!(
        "\n{said}: {}: {} [{}]\n",
        printable(&finding.place),
        printable(&finding.what),
        printable(&finding.kind)
    );
    for fact in &finding.facts {
        out += &format!("  {}\n", printable(fact));
    }
    for next in &finding.next {
        out += &format!("  next: {}\n", printable(next));
    }
    out
}

fn titled(shown: &Table) -> String {
    let clean = |cells: &Vec<String>| cells.iter().map(|c| printable(c)).collect::<Vec<_>>();
    let columns: Vec<&str> = shown.columns.iter().map(String::as_str).collect();
    let rows: Vec<Vec<String>> = shown.rows.iter().map(clean).collect();
    format!("\n{}\n{}", printable(&shown.title), table(&columns, &rows))
}
