//! fuzz_graph: what a fuzzed model came to, finds first, then the accounts.

use super::fuzz::{came, ended, passed};
use crate::error::printable;
use crate::fuzz::graph::account::{Account, Find, Known};
use crate::fuzz::graph::draw::Values;
use crate::text::{reasons, table};
use std::fmt::Write;

/// The report of one scenario.
pub fn fuzz_graph(name: &str, account: &Account) -> String {
    let mut out = format!("{}\n", printable(&headline(name, account)));
    account.known.iter().for_each(|k| known(&mut out, k));
    account.finds.iter().for_each(|f| find(&mut out, f));
    for (kind, by) in &account.kinds {
        let by: Vec<String> = by.iter().map(|(name, n)| format!("{name} {n}")).collect();
        let _ = writeln!(out, "  {}: cases {}", printable(kind), by.join(", "));
    }
    out.push_str(&distributions(account));
    for (reason, n) in &account.refused {
        let _ = writeln!(out, "  {n} cases not compared: {}", printable(reason));
    }
    for line in reasons(account.abstained.iter().map(|(r, n)| (r, *n)), |n, why| {
        format!("  {n} tensors not compared: {why}")
    }) {
        let _ = writeln!(out, "{}", printable(&line));
    }
    let _ = writeln!(
        out,
        "  {}",
        ended(account.end, account.drawn, account.asked)
    );
    out
}

fn headline(name: &str, account: &Account) -> String {
    let Account {
        drawn,
        compared,
        tensors,
        flips,
        ..
    } = account;
    let accounts =
        format!("{compared} of {drawn} cases compared, {tensors} tensors, {flips} tie flips");
    match (account.first, account.diverges()) {
        (Some(n), _) => format!("DIVERGE: {name} after {n} cases ({accounts})"),
        (None, true) => format!("DIVERGE: {name} on a known find ({accounts})"),
        (None, false) => format!(
            "{}: {name} ({accounts})",
            passed(account.end, *compared, account.covers())
        ),
    }
}

fn known(out: &mut String, known: &Known) {
    let _ = writeln!(
        out,
        "  known {}: {}",
        printable(&known.path.display().to_string()),
        printable(&came(&known.came))
    );
}

fn find(out: &mut String, find: &Find) {
    let _ = writeln!(
        out,
        "  case {} ({}): {}",
        find.case,
        find.drawn.join(", "),
        printable(&find.finding.to_string())
    );
    let part = match &find.part {
        Ok(part) => format!(
            "shrunk to {} of {} nodes: {}",
            part.nodes.len(),
            part.of,
            part.nodes.join(", ")
        ),
        Err(why) => format!("no smaller part of the model: {why}"),
    };
    let _ = writeln!(out, "  {}", printable(&part));
    let _ = match &find.kept {
        Some(path) => writeln!(out, "  kept: {}", printable(&path.display().to_string())),
        None => writeln!(
            out,
            "  not kept: --found FOLDER keeps it as a scenario that parity run replays"
        ),
    };
    let rows: Vec<_> = find
        .shrunk
        .iter()
        .map(|(n, t)| {
            vec![
                printable(n),
                format!("{:?}", t.shape()),
                super::fuzz::numbers(t),
            ]
        })
        .collect();
    out.push_str(&table(&["input", "shape", "values"], &rows));
}

/// How many cases of each distribution there were, and what they came to.
fn distributions(account: &Account) -> String {
    let row = |(_, name, _): &(Values, &'static str, &str)| {
        let c = account.by_distribution.get(name)?;
        Some(
            [
                name.to_string(),
                c.drawn.to_string(),
                c.compared.to_string(),
                c.special.to_string(),
                c.off.to_string(),
            ]
            .to_vec(),
        )
    };
    let rows: Vec<_> = Values::ALL.iter().filter_map(row).collect();
    if rows.is_empty() {
        String::new()
    } else {
        table(
            &[
                "distribution",
                "cases",
                "compared",
                "with NaN or inf",
                "off",
            ],
            &rows,
        )
    }
}
