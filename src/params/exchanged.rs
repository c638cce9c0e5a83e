//! exchanged: values that stand under each other's names: both sides have the names, so whoever loads by name loads other weights.

use super::names;
use super::pair::{How, Pairing};
use std::collections::{HashMap, HashSet};

/// Marks the pairs by value that only permute names which both sides have. A renaming leads to a new name somewhere; these lead in circles.
pub fn mark(pairing: &mut Pairing) {
    let mut moves = moves(pairing);
    loop {
        let ours: HashSet<String> = moves.keys().cloned().collect();
        let theirs: HashSet<String> = moves.values().map(|m| m.1.clone()).collect();
        let before = moves.len();
        moves.retain(|name, (_, to)| ours.contains(to) && theirs.contains(name));
        if moves.len() == before {
            break;
        }
    }
    for (i, _) in moves.into_values() {
        pairing.told(i, How::Exchanged);
    }
}

/// Pairs by value of other names: name in the reference, place, name in the candidate.
fn moves(pairing: &Pairing) -> HashMap<String, (usize, String)> {
    let by_value = pairing.pairs().filter(|(.., how)| *how == How::Value);
    by_value
        .map(|(i, j, _)| {
            let from = pairing.called[i].clone();
            (from, (i, pairing.candidate.list[j].name.clone()))
        })
        .filter(|(from, (_, to))| from != to && !names::is_generated(from))
        .collect()
}
