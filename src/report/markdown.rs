//! markdown: findings and tables as text for an issue, a pull request or a record; what a page draws is named.

use super::spot::Spot;
use super::told::Told;
use crate::audit::Table;
use crate::error::printable;
use crate::verdict::Finding;

/// A part that stands or falls as one, and what it is counted as where it falls.
pub struct Piece {
    pub text: String,
    pub of: Option<&'static str>,
}

pub fn markdown(told: &Told) -> String {
    pieces(told).into_iter().map(|p| p.text).collect()
}

/// All of it, part by part.
pub fn pieces(told: &Told) -> Vec<Piece> {
    let mut all = vec![bare(head(told))];
    for (severity, one, several) in *told.words {
        let own = told.located().filter(|(f, _)| f.severity == severity);
        let own: Vec<_> = own.collect();
        let word = if own.len() == 1 { one } else { several };
        if !own.is_empty() {
            all.push(bare(format!("\n## {} {word}\n\n", own.len())));
        }
        all.extend(own.into_iter().map(|(found, spot)| Piece {
            text: finding(found, spot),
            of: Some("findings"),
        }));
    }
    all.extend(told.tables.iter().flat_map(table));
    if !told.curves.is_empty() {
        let names: Vec<String> = told.curves.iter().map(|c| text(c)).collect();
        let count = names.len();
        let says = format!(
            "\n{count} curves are in the HTML report: {}\n",
            names.join("; ")
        );
        all.push(bare(says));
    }
    all
}

fn bare(text: String) -> Piece {
    Piece { text, of: None }
}

fn head(told: &Told) -> String {
    let mut out = format!("# parity {} {}\n\n", told.what, text(&told.name));
    out += &format!("**{}**\n\n", text(&told.headline));
    for unmet in told.unmet {
        out += &format!("- not as expected: {}\n", text(unmet));
    }
    for (part, is) in &told.subjects {
        out += &format!("- {}: {}\n", text(part), text(is));
    }
    out
}

/// What is markup is escaped.
pub fn text(own: &str) -> String {
    let mark = |c: char| match c {
        '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' | '~' | '@' => {
            format!("\\{c}")
        }
        other => other.to_string(),
    };
    printable(own).chars().map(mark).collect()
}

/// A name as it is, between marks that it cannot end.
fn code(own: &str) -> String {
    format!("`{}`", printable(own).replace('`', "'"))
}

fn finding(found: &Finding, spot: Option<&Spot>) -> String {
    let who = found.who.as_ref();
    let who = who.map_or(String::new(), |w| format!("{}, ", text(w)));
    let mut out = format!(
        "- {who}**{}**: {} ({})\n",
        text(&found.place),
        text(&found.what),
        text(&found.kind)
    );
    if let Some(spot) = spot {
        out += &format!("  - at {}\n", code(&format!("{}:{}", spot.file, spot.line)));
    }
    for fact in &found.facts {
        out += &format!("  - {}\n", text(fact));
    }
    for next in &found.next {
        out += &format!("  - next: {}\n", text(next));
    }
    out
}

fn table(shown: &Table) -> Vec<Piece> {
    let row = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|c| text(c)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule = "|---".repeat(shown.columns.len());
    let head = format!(
        "\n## {}\n\n{}{rule}|\n",
        text(&shown.title),
        row(&shown.columns)
    );
    let rows = shown.rows.iter().map(|r| Piece {
        text: row(r),
        of: Some("rows"),
    });
    std::iter::once(bare(head)).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Audited;

    #[test]
    fn a_name_from_a_file_is_no_markup_and_a_table_keeps_its_columns() {
        let found = Finding::new("k", "a|b", "<img> *x*\nnew line, @all &lt;");
        let audited = Audited::of("data").found([found]).table(
            "t",
            &["c", "d"],
            vec![vec!["1|2".into(), "3".into()]],
        );
        let page = markdown(&Told::of_audit(&audited));
        let marked = "\\<img\\> \\*x\\*\\u{a}new line, \\@all \\&lt;";
        assert!(page.contains("**a\\|b**"), "{page}");
        assert!(
            page.contains(&marked.replace("\\u{a}", "\\\\u{a}")),
            "{page}"
        );
        assert!(
            page.contains("| c | d |\n|---|---|\n| 1\\|2 | 3 |\n"),
            "{page}"
        );
    }
}
