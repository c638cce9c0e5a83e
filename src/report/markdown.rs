//! markdown: what an audit came to as text for an issue or a record: findings, tables, and where the curves are.

use super::audit::SAID;
use crate::audit::{Audited, Table};
use crate::error::printable;
use crate::verdict::Finding;

#[must_use]
pub fn audit_markdown(audited: &Audited) -> String {
    let mut out = format!("# parity audit {}\n\n", text(&audited.audit));
    for (part, file) in &audited.subjects {
        out += &format!(
            "- {}: `{}`\n",
            text(part),
            printable(file).replace('`', "'")
        );
    }
    for (severity, one, several) in SAID {
        let all: Vec<&Finding> = audited
            .findings
            .iter()
            .filter(|f| f.severity == severity)
            .collect();
        let word = if all.len() == 1 { one } else { several };
        if !all.is_empty() {
            out += &format!("\n## {} {word}\n\n", all.len());
            out += &all.into_iter().map(finding).collect::<String>();
        }
    }
    out += &audited.tables.iter().map(table).collect::<String>();
    if !audited.plots.is_empty() {
        let names: Vec<String> = audited.plots.iter().map(|p| text(&p.title)).collect();
        out += &format!(
            "\n{} curves are in the HTML report: {}\n",
            names.len(),
            names.join("; ")
        );
    }
    out
}

/// What is markup is escaped.
fn text(own: &str) -> String {
    let mark = |c: char| match c {
        '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' => format!("\\{c}"),
        other => other.to_string(),
    };
    printable(own).chars().map(mark).collect()
}

fn finding(found: &Finding) -> String {
    let who = found
        .who
        .as_ref()
        .map_or(String::new(), |w| format!("{}, ", text(w)));
    let mut out = format!(
        "- {who}**{}**: {} ({})\n",
        text(&found.place),
        text(&found.what),
        text(&found.kind)
    );
    for fact in &found.facts {
        out += &format!("  - {}\n", text(fact));
    }
    for next in &found.next {
        out += &format!("  - next: {}\n", text(next));
    }
    out
}

fn table(shown: &Table) -> String {
    let row = |cells: &[String]| {
        format!(
            "| {} |\n",
            cells
                .iter()
                .map(|c| text(c))
                .collect::<Vec<_>>()
                .join(" | ")
        )
    };
    let rows: String = shown.rows.iter().map(|r| row(r)).collect();
    let rule = "|---".repeat(shown.columns.len());
    format!(
        "\n## {}\n\n{}{rule}|\n{rows}",
        text(&shown.title),
        row(&shown.columns)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_a_file_is_no_markup_and_a_table_keeps_its_columns() {
        let found = Finding::new("k", "a|b", "<img> *x*\nnew line");
        let audited = Audited::of("data").found([found]).table(
            "t",
            &["c", "d"],
            vec![vec!["1|2".into(), "3".into()]],
        );
        let page = audit_markdown(&audited);
        assert!(
            page.contains("**a\\|b**") && page.contains("\\<img\\> \\*x\\*"),
            "{page}"
        );
        assert!(
            page.contains("| c | d |\n|---|---|\n| 1\\|2 | 3 |\n"),
            "{page}"
        );
    }
}
