//! Our assigners and losses against the public code bases: their recorded outputs on the same generated cases.
//!
//! `scripts/peers` runs the peers and records; nothing of a peer is needed here. docs/PEERS.md is checked row by row.

mod assignment;
mod cases;
mod check;
mod detection;
mod element;
mod fixture;
mod table;

use check::{ALL, Outcome, Row, SETS};
use fixture::{File, Values};
use std::collections::BTreeSet;

/// Every difference is below this, relative to what check.rs says.
const LIMIT: f64 = 1e-9;

fn outcome(row: &Row) -> Outcome {
    let file = File::of(row);
    (row.check)(row, &file).unwrap_or_else(|e| panic!("{} {}: {e}", row.peer, row.kernel))
}

#[test]
fn our_kernels_equal_every_peer_and_the_document_says_so() {
    let rows: Vec<(&Row, Outcome)> = ALL.iter().map(|row| (row, outcome(row))).collect();
    for (row, o) in &rows {
        println!("{:<20} {:<18} {}", row.peer, row.kernel, o.say());
    }
    table::check(&rows);
}

#[test]
fn every_kernel_of_every_peer_has_fifty_cases_and_every_edge() {
    for row in ALL {
        let facts = fixture::manifest(row.peer)["kernels"][row.kernel].clone();
        let (cases, edges) = (
            facts["cases"].as_u64().unwrap(),
            facts["edges"].as_array().unwrap(),
        );
        let edges: BTreeSet<&str> = edges.iter().map(|e| e.as_str().unwrap()).collect();
        assert!(cases >= 50, "{} {}: {cases} cases", row.peer, row.kernel);
        assert_eq!(
            cases as usize,
            outcome(row).cases,
            "{} {}",
            row.peer,
            row.kernel
        );
        for edge in row.edges {
            assert!(
                edges.contains(edge),
                "{} {} has no case '{edge}'",
                row.peer,
                row.kernel
            );
        }
    }
    SETS.iter()
        .for_each(|(set, edges)| table::edges(set, edges));
}

#[test]
fn every_recorded_file_is_compared() {
    let compared: BTreeSet<String> = ALL.iter().map(Row::file).collect();
    for file in std::fs::read_dir(fixture::FOLDER).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if let Some(name) = name.strip_suffix(".safetensors").filter(|n| *n != "cases") {
            assert!(compared.contains(name), "nothing compares {name}");
        }
    }
}

/// The comparison of `row` after `change` was made to the first tensor whose name ends in `suffix` and which it applies to.
fn corrupted(
    row: &Row,
    suffix: &str,
    change: impl Fn(&mut Values) -> bool,
) -> Result<Outcome, String> {
    let mut file = File::of(row);
    let hit = file
        .tensors
        .iter_mut()
        .filter(|(name, _)| name.ends_with(suffix))
        .any(|(_, values)| change(values));
    assert!(hit, "{} has nothing to corrupt in '{suffix}'", row.file());
    (row.check)(row, &file)
}

/// The largest real number, one part in 10^8 larger.
fn nudge(values: &mut Values) -> bool {
    let Values::Real(v) = values else {
        return false;
    };
    let largest = v
        .iter_mut()
        .max_by(|a, b| a.abs().total_cmp(&b.abs()))
        .filter(|v| **v != 0.0);
    largest.map(|v| *v *= 1.0 + 1e-8).is_some()
}

/// The first integer that is no background, changed to `to` of it.
fn change(to: fn(i64) -> i64) -> impl Fn(&mut Values) -> bool {
    move |values| match values {
        Values::Whole(v) => v
            .iter_mut()
            .find(|v| **v >= 0)
            .map(|v| *v = to(*v))
            .is_some(),
        Values::Real(_) => false,
    }
}

#[test]
fn a_corrupted_value_of_any_kind_in_any_file_is_noticed() {
    for row in ALL {
        outcome(row);
        let names: BTreeSet<String> = File::of(row)
            .tensors
            .keys()
            .map(|n| n.rsplit('.').next().unwrap().to_string())
            .collect();
        for kind in names {
            // Which elements were sampled is no result; a wrong one shows as a wrong gradient.
            let shift: fn(i64) -> i64 = if kind.ends_with("rows") {
                |v| v + 1
            } else {
                |v| (v + 1) % 3
            };
            let noticed = corrupted(row, &kind, |v| nudge(v) || change(shift)(v));
            assert!(
                noticed.is_err(),
                "{} took a wrong '{kind}': {noticed:?}",
                row.file()
            );
        }
    }
}

#[test]
fn a_positive_that_the_peer_did_not_have_is_noticed() {
    for row in ALL.iter().filter(|r| r.set == "images") {
        let background = |values: &mut Values| match values {
            Values::Whole(v) => v.iter_mut().rfind(|v| **v == -1).map(|v| *v = 0).is_some(),
            Values::Real(_) => false,
        };
        let noticed = corrupted(row, "60.owner", background);
        assert!(noticed.is_err(), "{}: {noticed:?}", row.file());
    }
}
