//! fuzz: what a fuzzed kernel came to, finds first, then the accounts.

use super::table;
use crate::error::printable;
use crate::fuzz::Report;
use crate::fuzz::run::Find;
use crate::subject::kernels::Kernel;
use crate::tensor::Tensor;
use std::fmt::Write;

/// Numbers of one input that are shown.
const SHOWN: usize = 24;

/// The report of one kernel.
pub fn fuzz(kernel: &Kernel, report: &Report) -> String {
    let mut out = format!("{}\n", headline(kernel, report));
    report.finds.iter().for_each(|f| find(&mut out, f));
    let edges: Vec<String> = report.edges.iter().map(|(e, n)| format!("{e} {n}")).collect();
    let _ = writeln!(out, "  edges: {}", if edges.is_empty() { "none".into() } else { edges.join(", ") });
    for (reason, n) in &report.refused {
        let _ = writeln!(out, "  refused by the reference {n} times: {}", printable(reason));
    }
    out
}

fn headline(kernel: &Kernel, report: &Report) -> String {
    let Report { drawn, compared, numbers, flips, kinks, .. } = report;
    let accounts = format!("{compared} of {drawn} cases compared, {numbers} numbers, {flips} tie flips, {kinks} rows on a kink");
    match (report.first, compared) {
        (Some(n), _) => format!("DIVERGE: {} after {n} cases ({accounts})", kernel.name),
        (None, 0) => format!("NOTHING COMPARED: {} ({accounts})", kernel.name),
        (None, _) => format!("agree: {} ({accounts})", kernel.name),
    }
}

fn find(out: &mut String, find: &Find) {
    let _ = writeln!(out, "  case {}: {}", find.case, printable(&find.finding.to_string()));
    let rows: Vec<_> = find.shrunk.inputs.iter().map(|(n, t)| vec![n.clone(), format!("{:?}", t.shape()), numbers(t)]).collect();
    out.push_str(&table(&["input", "shape", "values"], &rows));
}

fn numbers(t: &Tensor) -> String {
    let values = t.to_f64();
    let shown: Vec<String> = values.iter().take(SHOWN).map(f64::to_string).collect();
    let rest = values.len().saturating_sub(SHOWN);
    if rest == 0 { shown.join(" ") } else { format!("{} … and {rest} more", shown.join(" ")) }
}
