//! docs/PEERS.md lists what the comparisons found: cases and tie flips exactly, the largest difference as a bound that is not far off.

use crate::LIMIT;
use crate::check::{Outcome, Row};
use crate::fixture::manifest;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/PEERS.md");

/// Peer, version, kernel, cases, edges and tie flips as the table shows them, then the bound of the largest difference.
fn cells(row: &Row, outcome: &Outcome, bound: &str) -> String {
    let Outcome {
        cases,
        flips,
        skipped,
        ..
    } = outcome;
    format!(
        "| {} | {} | {} | {cases} | {} | {bound} | {flips} | {skipped} |",
        row.peer,
        version(row.peer),
        row.kernel,
        row.set
    )
}

/// The version of what the peer is named after.
fn version(peer: &str) -> String {
    let versions = manifest(peer)["versions"].clone();
    let name = peer.split('-').next().unwrap();
    let name = if versions[name].is_string() {
        name
    } else {
        "torch"
    };
    format!("{name} {}", versions[name].as_str().unwrap())
}

/// A power of ten above `largest`, with room for another processor's last digits.
fn bound(largest: f64) -> String {
    if largest == 0.0 {
        "1e-15".into()
    } else {
        format!("1e{}", (largest.log10().ceil() as i32 + 1).min(-9))
    }
}

pub fn check(rows: &[(&Row, Outcome)]) {
    let document = std::fs::read_to_string(DOCUMENT).unwrap_or_default();
    let table: Vec<String> = rows
        .iter()
        .map(|(row, o)| cells(row, o, &bound(o.largest)))
        .collect();
    let wanted = || format!("docs/PEERS.md should list\n{}", table.join("\n"));
    let listed: Vec<&str> = document
        .lines()
        .filter(|l| {
            rows.iter()
                .any(|(row, _)| l.starts_with(&format!("| {} |", row.peer)))
        })
        .collect();
    assert_eq!(listed.len(), rows.len(), "{}", wanted());
    for (line, (row, o)) in listed.iter().zip(rows) {
        let shown = line.split('|').nth(6).unwrap_or_default().trim();
        let limit: f64 = shown
            .parse()
            .unwrap_or_else(|_| panic!("{line}: '{shown}' is no number"));
        assert_eq!(*line, cells(row, o, shown), "{}", wanted());
        assert!(
            o.largest <= limit && limit <= LIMIT,
            "{line}: measured {:.1e}",
            o.largest
        );
        assert!(
            limit <= (o.largest * 1e4).max(1e-15),
            "{line}: far above the measured {:.1e}",
            o.largest
        );
    }
}

/// The document lists every edge of every set.
pub fn edges(set: &str, edges: &[&str]) {
    let document = std::fs::read_to_string(DOCUMENT).unwrap_or_default();
    let line = format!("- **{set}**: {}", edges.join(", "));
    assert!(
        document.lines().any(|l| l == line),
        "docs/PEERS.md should say\n{line}"
    );
}
