//! fuzz: what a fuzzed kernel came to, finds first, then the accounts.

use crate::error::printable;
use crate::fuzz::account::{Find, Known};
use crate::fuzz::finding::Finding;
use crate::fuzz::{Candidate, End, Report};
use crate::subject::kernels::Kernel;
use crate::tensor::Tensor;
use crate::text::table;
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
    let edges: Vec<String> = report
        .edges
        .iter()
        .map(|(e, n)| format!("{e} {n}"))
        .collect();
    let _ = writeln!(
        out,
        "  edges: {}",
        if edges.is_empty() {
            "none".into()
        } else {
            edges.join(", ")
        }
    );
    for (reason, n) in &report.refused {
        let _ = writeln!(
            out,
            "  refused by the reference {n} times: {}",
            printable(reason)
        );
    }
    let _ = writeln!(out, "  {}", ended(report.end, report.drawn, report.asked));
    out
}

/// What ended a run, and how far it had come.
pub(super) fn ended(end: End, drawn: u64, asked: u64) -> String {
    // Without --cases there are more numbers than any run draws.
    let of = if asked > u64::MAX >> 16 {
        String::new()
    } else {
        format!(" of {asked}")
    };
    let by = match end {
        End::Cases => "all cases were drawn",
        End::Time => "out of time (--time)",
        End::Finds => "enough finds (--finds)",
        End::Interrupt => "interrupted",
    };
    format!("ended after {drawn}{of} cases: {by}")
}

/// What a run without a finding came to: agreement only where it was not broken off and nothing is open.
pub(super) fn passed(end: End, compared: u64, covers: bool) -> &'static str {
    match (end, compared, covers) {
        (_, 0, _) => "NOTHING COMPARED",
        (_, _, false) => "A KNOWN FIND COULD NOT BE TRIED",
        (End::Interrupt, _, true) => "INTERRUPTED, nothing found so far",
        (End::Cases | End::Time | End::Finds, _, true) => "agree",
    }
}

/// What a replayed find came to.
pub fn replay(name: &str, kernel: &str, finding: Option<&Finding>) -> String {
    match finding {
        Some(finding) => format!(
            "DIVERGE: {} of kernel {kernel}: {}\n",
            printable(name),
            printable(&finding.to_string())
        ),
        None => format!(
            "agree: {} of kernel {kernel}: the subject says what the reference says\n",
            printable(name)
        ),
    }
}

fn headline(kernel: &Kernel, candidate: &Candidate, report: &Report) -> String {
    let Report {
        drawn,
        compared,
        numbers,
        flips,
        kinks,
        relations,
        ..
    } = report;
    let beyond = if report.beyond > 0 {
        format!(", {} numbers beyond f32", report.beyond)
    } else {
        String::new()
    };
    let accounts = format!(
        "{compared} of {drawn} cases compared, {numbers} numbers, {flips} tie flips, {kinks} rows on a kink, {relations} relations{beyond}"
    );
    let who = if candidate.is_default() {
        kernel.name.to_string()
    } else {
        format!("{}, {candidate}", kernel.name)
    };
    match (report.first, report.diverges()) {
        (Some(n), _) => format!("DIVERGE: {who} after {n} cases ({accounts})"),
        (None, true) => format!("DIVERGE: {who} on a known find ({accounts})"),
        (None, false) => format!(
            "{}: {who} ({accounts})",
            passed(report.end, *compared, report.covers())
        ),
    }
}

/// What came of a known find.
pub(super) fn came<F: std::fmt::Display>(came: &Result<Option<F>, String>) -> String {
    match came {
        Ok(Some(finding)) => format!("still there: {finding}"),
        Ok(None) => "mended".into(),
        Err(why) => format!("could not be tried: {why}"),
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
    let (size, of) = find.shrunk.size();
    let _ = writeln!(
        out,
        "  case {}, shrunk to {size} {of}: {}",
        find.case,
        printable(&find.finding.to_string())
    );
    let _ = match &find.kept {
        Some(path) => writeln!(out, "  kept: {}", printable(&path.display().to_string())),
        None => writeln!(
            out,
            "  not kept: --found FOLDER keeps it as a scenario that parity run replays"
        ),
    };
    let rows: Vec<_> = find
        .shrunk
        .inputs
        .iter()
        .map(|(n, t)| vec![n.clone(), format!("{:?}", t.shape()), numbers(t)])
        .collect();
    out.push_str(&table(&["input", "shape", "values"], &rows));
}

pub(super) fn numbers(t: &Tensor) -> String {
    let values = t.to_f64();
    let shown: Vec<String> = values.iter().take(SHOWN).map(f64::to_string).collect();
    let rest = values.len().saturating_sub(SHOWN);
    if rest == 0 {
        shown.join(" ")
    } else {
        format!("{} … and {rest} more", shown.join(" "))
    }
}
