//! fuzz: what a fuzzed kernel came to, finds first, then the accounts.

use super::table;
use crate::error::printable;
use crate::fuzz::account::{Find, Known};
use crate::fuzz::finding::Finding;
use crate::fuzz::{Candidate, Report};
use crate::subject::kernels::Kernel;
use crate::tensor::Tensor;
use std::fmt::Write;

/// Numbers of one input that are shown.
const SHOWN: usize = 24;

/// The report of one kernel.
pub fn fuzz(kernel: &Kernel, candidate: &Candidate, report: &Report) -> String {
    let mut out = format!("{}\n", headline(kernel, candidate, report));
    report.known.iter().for_each(|k| known(&mut out, k));
    report.finds.iter().for_each(|f| find(&mut out, f));
    for (kind, n) in &report.kinds {
        let _ = writeln!(out, "  {n} cases: {}", printable(kind));
    }
    let edges: Vec<String> = report.edges.iter().map(|(e, n)| format!("{e} {n}")).collect();
    let _ = writeln!(out, "  edges: {}", if edges.is_empty() { "none".into() } else { edges.join(", ") });
    for (reason, n) in &report.refused {
        let _ = writeln!(out, "  refused by the reference {n} times: {}", printable(reason));
    }
    if report.drawn < report.asked {
        let _ = writeln!(out, "  ended before all cases were drawn: interrupted, out of time, or enough finds (--finds)");
    }
    out
}

/// What a replayed find came to.
pub fn replay(name: &str, kernel: &str, finding: Option<&Finding>) -> String {
    match finding {
        Some(finding) => format!("DIVERGE: {} of kernel {kernel}: {}\n", printable(name), printable(&finding.to_string())),
        None => format!("agree: {} of kernel {kernel}: the subject says what the reference says\n", printable(name)),
    }
}

fn headline(kernel: &Kernel, candidate: &Candidate, report: &Report) -> String {
    let Report { drawn, compared, numbers, flips, kinks, relations, .. } = report;
    let beyond = if report.beyond > 0 { format!(", {} numbers beyond f32", report.beyond) } else { String::new() };
    let accounts = format!(
        "{compared} of {drawn} cases compared, {numbers} numbers, {flips} tie flips, {kinks} rows on a kink, {relations} relations{beyond}"
    );
    let who = if candidate.is_default() { kernel.name.to_string() } else { format!("{}, {candidate}", kernel.name) };
    match (report.first, report.diverges(), compared) {
        (Some(n), _, _) => format!("DIVERGE: {who} after {n} cases ({accounts})"),
        (None, true, _) => format!("DIVERGE: {who} on a known find ({accounts})"),
        (None, false, 0) => format!("NOTHING COMPARED: {who} ({accounts})"),
        (None, false, _) => format!("agree: {who} ({accounts})"),
    }
}

fn known(out: &mut String, known: &Known) {
    let came = known.finding.as_ref().map_or("mended".to_string(), |f| format!("still there: {}", printable(&f.to_string())));
    let _ = writeln!(out, "  known {}: {came}", printable(&known.path.display().to_string()));
}

fn find(out: &mut String, find: &Find) {
    let (size, of) = find.shrunk.size();
    let _ = writeln!(out, "  case {}, shrunk to {size} {of}: {}", find.case, printable(&find.finding.to_string()));
    if let Some(path) = &find.kept {
        let _ = writeln!(out, "  kept: {}", printable(&path.display().to_string()));
    }
    let rows: Vec<_> = find.shrunk.inputs.iter().map(|(n, t)| vec![n.clone(), format!("{:?}", t.shape()), numbers(t)]).collect();
    out.push_str(&table(&["input", "shape", "values"], &rows));
}

pub(super) fn numbers(t: &Tensor) -> String {
    let values = t.to_f64();
    let shown: Vec<String> = values.iter().take(SHOWN).map(f64::to_string).collect();
    let rest = values.len().saturating_sub(SHOWN);
    if rest == 0 { shown.join(" ") } else { format!("{} … and {rest} more", shown.join(" ")) }
}
