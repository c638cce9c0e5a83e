//! unique_value: pairs whose values prove them: only one tensor of either side has them, in some layout or storage dtype.

use super::evidence;
use super::pair::{How, Pairing};
use super::value::{Relation, relation};
use crate::error::Result;
use std::collections::HashSet;

/// Pairs by value what no name pairs, and what names pair though the values are other.
///
/// # Errors
/// A value that cannot be read.
pub fn join(pairing: &mut Pairing) -> Result<()> {
    let ours = evidence::of(pairing.reference, &unsettled(pairing))?;
    let theirs: Vec<usize> = (0..pairing.candidate.list.len())
        .filter(|j| pairing.owner(*j).is_none_or(|i| contradicted(pairing, i)))
        .collect();
    let theirs = evidence::of(pairing.candidate, &theirs)?;
    let (mut used, mut taken) = (HashSet::new(), HashSet::new());
    for (i, j) in evidence::unique(&ours, &theirs) {
        if used.contains(&i) || taken.contains(&j) {
            continue;
        }
        let proof = pairing.related(i, j, &relation)?;
        if proof.same() || matches!(proof, Relation::Near { .. }) {
            used.insert(i);
            taken.insert(j);
            if pairing.partner(i).map(|p| p.0) != Some(j) {
                pairing.join(i, j, How::Value);
                pairing.relate(i, proof);
            }
        }
    }
    Ok(())
}

fn unsettled(pairing: &Pairing) -> Vec<usize> {
    let open = |i: &usize| pairing.partner(*i).is_none() || contradicted(pairing, *i);
    (0..pairing.reference.list.len()).filter(open).collect()
}

/// A pair of equal names whose values are other is a proposal only; one that was declared is not doubted.
fn contradicted(pairing: &Pairing, i: usize) -> bool {
    pairing.partner(i).is_some_and(|(_, how)| how == How::Name)
        && matches!(pairing.relation(i), Some(Relation::Other(_)))
}
