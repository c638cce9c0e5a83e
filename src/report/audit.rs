//! audit: what audits came to: how many faults, then each finding with its facts and its next step, then the tables.

use super::told::{OF_AUDITS, Told, counts};
use super::{csv, github, html, junit, markdown, sarif, summary, to_json};
use crate::audit::preflight::{Change, Preflight};
use crate::audit::{self, Audited, Table};
use crate::error::{Error, Result, hint, printable};
use crate::text::table;
use crate::verdict::{Finding, Severity};

/// A view of an audit.
pub type View = fn(&Audited) -> Result<String>;

/// Every view that `--report NAME=FILE` writes.
const VIEWS: [(&str, View); 9] = [
    ("terminal", |a| Ok(audit(a))),
    ("json", |a| to_json(a)),
    ("markdown", |a| Ok(markdown::markdown(&Told::of_audit(a)))),
    ("html", |a| Ok(html::audit(a))),
    ("csv", |a| csv::of_audit(a)),
    ("junit", |a| junit::junit(&a.audit, &[Told::of_audit(a)])),
    ("sarif", |a| sarif::sarif(&Told::of_audit(a))),
    ("github", |a| Ok(github::github(&Told::of_audit(a)))),
    ("summary", |a| Ok(summary::summary(&Told::of_audit(a)))),
];

/// Looks a view up.
///
/// # Errors
/// A name that no view has.
pub fn audit_view(name: &str) -> Result<View> {
    let known = || VIEWS.iter().map(|v| v.0);
    let found = VIEWS.iter().find(|v| v.0 == name).map(|v| v.1);
    found.ok_or_else(|| {
        let all = known().collect::<Vec<_>>().join(", ");
        Error::usage(format!("unknown report '{name}'"))
            .next(format!("{}known: {all}", hint(name, known())))
    })
}

/// The report of one audit.
#[must_use]
pub fn audit(audited: &Audited) -> String {
    let mut out = format!(
        "{}: {}\n",
        audited.audit,
        counts(&audited.findings, &OF_AUDITS)
    );
    for (part, file) in &audited.subjects {
        out += &format!("  {part:<12}{}\n", printable(file));
    }
    for (severity, said, _) in OF_AUDITS {
        let all = audited.findings.iter().filter(|f| f.severity == severity);
        out += &all.map(|f| finding(f, said)).collect::<String>();
    }
    out + &audited.tables.iter().map(titled).collect::<String>()
}

/// All audits on one screen: what is wrong in full, what was found right a line each.
#[must_use]
pub fn preflight(flown: &Preflight) -> String {
    let all = flown.findings();
    let mut out = format!(
        "preflight: {}\n",
        counts(all.iter().map(|f| f.1), &OF_AUDITS)
    );
    for (severity, said, _) in OF_AUDITS.iter().filter(|s| s.0 != Severity::Note) {
        let own = all.iter().filter(|(_, f)| f.severity == *severity);
        out += &own
            .map(|(audit, f)| finding(f, &format!("{said}: {audit}")))
            .collect::<String>();
    }
    let right: Vec<String> = all
        .iter()
        .filter(|(_, f)| f.severity == Severity::Note)
        .map(|(audit, f)| {
            format!(
                "  {audit}: {}: {}\n",
                printable(&f.place),
                printable(&f.what)
            )
        })
        .collect();
    if !right.is_empty() {
        out += &format!("\nfound right\n{}", right.concat());
    }
    out + &expected(flown)
}

/// Whether the faults are those that the file expects.
fn expected(flown: &Preflight) -> String {
    let Some(expected) = &flown.expected else {
        return String::new();
    };
    let found = flown.faults();
    let list = |all: Vec<&String>| {
        all.iter()
            .map(|k| k.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let missing = list(expected.difference(&found).collect());
    let more = list(found.difference(expected).collect());
    match (missing.is_empty(), more.is_empty()) {
        (true, true) => "\nas the file expects\n".into(),
        (false, true) => format!("\nnot as the file expects: not found: {missing}\n"),
        (true, false) => format!("\nnot as the file expects: found besides: {more}\n"),
        (false, false) => {
            format!("\nnot as the file expects: not found: {missing}; found besides: {more}\n")
        }
    }
}

/// What was mended since an earlier preflight, what stays, what is new.
#[must_use]
pub fn changes(earlier: &Preflight, now: &Preflight) -> String {
    let row = |c: Change| {
        let said = |f: &Option<Finding>| f.as_ref().map_or("-".into(), |f| printable(&f.what));
        let state = match (&c.before, &c.now) {
            (Some(_), Some(_)) => "stays",
            (None, _) => "new",
            (Some(_), None) => "mended",
        };
        vec![
            c.audit,
            printable(&c.place),
            said(&c.before),
            said(&c.now),
            state.into(),
        ]
    };
    let rows: Vec<Vec<String>> = audit::preflight::changes(earlier, now)
        .into_iter()
        .map(row)
        .collect();
    match rows.is_empty() {
        true => "\nbefore and now: nothing is wrong\n".into(),
        false => format!(
            "\n{}",
            table(&["audit", "where", "before", "now", ""], &rows)
        ),
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
