//! values: how many values were held against each other, what they are to each other, and which differ by how much.

use super::fresh::Drawn;
use super::pair::{Pair, Paired};
use super::source::Source;
use super::value::Relation;
use serde::{Deserialize, Serialize};

/// Tensors by what the candidate's value is to the reference's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Values {
    /// Whether either side keeps values at all.
    pub reference: bool,
    pub candidate: bool,
    /// Pairs; those whose values were compared are the sum of what follows.
    pub pairs: u64,
    pub equal: u64,
    pub layout: u64,
    pub near: u64,
    pub other: u64,
    /// Of untrained models: drawn alike, and by another rule.
    #[serde(default)]
    pub alike: u64,
    #[serde(default)]
    pub unlike: u64,
}

impl Values {
    pub fn of(pairs: &[Paired], [reference, candidate]: [&Source; 2]) -> Self {
        let mut values = Self {
            reference: reference.has_values(),
            candidate: candidate.has_values(),
            ..Self::default()
        };
        for pair in both(pairs) {
            values.pairs += 1;
            match pair.relation {
                Relation::NotCompared => {}
                Relation::Equal => values.equal += 1,
                Relation::Layout(_) => values.layout += 1,
                Relation::Near { .. } => values.near += 1,
                Relation::Other(_) => values.other += 1,
                Relation::Drawn(Drawn::Alike) => values.alike += 1,
                Relation::Drawn(_) => values.unlike += 1,
            }
        }
        values
    }

    pub fn compared(&self) -> u64 {
        self.equal + self.layout + self.near + self.other + self.alike + self.unlike
    }
}

/// A pair whose values are not the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differing {
    pub reference: String,
    pub candidate: String,
    pub relation: Relation,
}

impl Differing {
    /// In the reference's order.
    pub fn of(pairs: &[Paired]) -> Vec<Self> {
        let differs = |p: &&Pair| p.relation.compared() && !p.relation.same();
        let one = |p: &Pair| Self {
            reference: p.reference.name.clone(),
            candidate: p.candidate.name.clone(),
            relation: p.relation.clone(),
        };
        both(pairs).filter(differs).map(one).collect()
    }
}

fn both<'a, 'b>(pairs: &'a [Paired<'b>]) -> impl Iterator<Item = &'a Pair<'b>> {
    pairs.iter().filter_map(|p| match p {
        Paired::Both(pair) => Some(pair),
        Paired::OnlyReference(_) | Paired::OnlyCandidate(_) => None,
    })
}
