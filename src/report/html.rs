//! html: what an audit came to as one page that needs nothing else: findings, tables and curves.

use super::audit::SAID;
use super::svg::svg;
use crate::audit::{Audited, Table};
use crate::error::printable;
use crate::verdict::{Finding, Severity};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:980px;margin:2em auto;padding:0 1em;color:#222}\
table{border-collapse:collapse;margin:.5em 0 1.5em;font-size:13px;display:block;overflow-x:auto}td,th{border:1px solid #ccc;padding:2px 8px;text-align:left}\
svg text{font:11px system-ui,sans-serif}.grid{stroke:#ddd}.axis{stroke:#555}section{border-left:4px solid #999;padding-left:.8em;margin:.8em 0}\
.fault{border-color:#b00020}.unjudged{border-color:#7a5cc0}.risk{border-color:#d98200}.right{border-color:#2e7d32}figure{display:inline-block;margin:.5em}";

/// The page.
#[must_use]
pub fn audit_html(audited: &Audited) -> String {
    let title = format!("parity audit {}", escaped(&audited.audit));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n<ul>\n"
    );
    for (part, file) in &audited.subjects {
        out += &format!("<li>{}: {}</li>\n", escaped(part), escaped(file));
    }
    out += "</ul>\n";
    out += &audited.findings.iter().map(finding).collect::<String>();
    out += &audited.tables.iter().map(table).collect::<String>();
    for plot in &audited.plots {
        out += &format!(
            "<figure><figcaption>{}</figcaption>\n{}</figure>\n",
            escaped(&plot.title),
            svg(plot)
        );
    }
    for picture in &audited.pictures {
        out += &format!(
            "<figure><figcaption>{}</figcaption>\n<img alt=\"\" src=\"data:image/png;base64,{}\"></figure>\n",
            escaped(&picture.title),
            escaped(&picture.png)
        );
    }
    out + "</body></html>\n"
}

/// `text` as it may stand in a page: on one line, and nothing in it is markup.
pub fn escaped(text: &str) -> String {
    let text = printable(text);
    let marks = [
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\"", "&quot;"),
    ];
    marks
        .iter()
        .fold(text, |t, (mark, name)| t.replace(mark, name))
}

fn finding(found: &Finding) -> String {
    let class = match found.severity {
        Severity::Fault => "fault",
        Severity::Unjudged => "unjudged",
        Severity::Warning => "risk",
        Severity::Note => "right",
    };
    let said = SAID
        .iter()
        .find(|s| s.0 == found.severity)
        .map_or("", |s| s.1);
    let who = found
        .who
        .as_ref()
        .map_or(String::new(), |w| format!("{}, ", escaped(w)));
    let mut out = format!(
        "<section class=\"{class}\"><b>{said}</b>: {who}{}: {} [{}]",
        escaped(&found.place),
        escaped(&found.what),
        escaped(&found.kind)
    );
    for fact in &found.facts {
        out += &format!("<br>\n{}", escaped(fact));
    }
    for next in &found.next {
        out += &format!("<br>\n<i>next: {}</i>", escaped(next));
    }
    out + "</section>\n"
}

fn table(shown: &Table) -> String {
    let row = |tag: &str, cells: &[String]| {
        let cells = cells
            .iter()
            .map(|c| format!("<{tag}>{}</{tag}>", escaped(c)));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let rows: String = shown.rows.iter().map(|r| row("td", r)).collect();
    format!(
        "<h2>{}</h2>\n<table>\n{}{rows}</table>\n",
        escaped(&shown.title),
        row("th", &shown.columns)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_a_file_is_no_markup() {
        let found = Finding::new("k", "<script>alert(1)</script>", "a & b\n\u{1b}[2J")
            .facts(["\"x\"".into()]);
        let audited =
            Audited::of("data")
                .found([found])
                .table("<t>", &["<c>"], vec![vec!["<d>".into()]]);
        let page = audit_html(&audited);
        for word in ["<script", "<t>", "<c>", "<d>", "\u{1b}"] {
            assert!(!page.contains(word), "{word}: {page}");
        }
        assert!(page.contains("&lt;script&gt;") && page.contains("a &amp; b"));
    }
}
