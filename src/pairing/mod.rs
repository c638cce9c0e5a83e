//! pairing: which tensor of one graph stands for which of another, each pair with its evidence; what is ambiguous is left, never guessed.
//!
//! Names say nothing: exporters, simplifiers and ports give their own. What counts is, in this order: what is declared, equal values on equal
//! inputs, weights that only one node of each side has, and edges from what is paired already.

mod folds;
mod growth;
mod index;
pub mod map;
mod ports;
mod sketch;
mod values;
mod weights;

pub use index::Side;
pub use ports::{inputs, outputs, turned};
pub use weights::unshared;

use index::Index;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Why two tensors are taken for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Both files declare it, or the user says so.
    Declared,
    /// Equal values, on equal inputs.
    Values,
    /// The only node of either side with these weights.
    Weights,
    /// The same operator at the same place beside a pair.
    Edge,
}

/// Two tensors that stand for each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    pub reference: String,
    pub candidate: String,
    pub by: Evidence,
}

/// The pairs, in the reference's executable order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    pub pairs: Vec<Pair>,
    /// Tensors of either side that could have a partner: what the inputs decide, constants excepted.
    pub tensors: [usize; 2],
    /// Those that have none.
    pub unpaired: [Vec<String>; 2],
}

/// Pairs `reference` with `candidate`; `declared` is known beforehand.
pub fn pair(reference: &Side, candidate: &Side, declared: &[(String, String)]) -> Pairing {
    let (a, b) = (Index::of(reference), Index::of(candidate));
    let mut found = Matching::default();
    for (ours, theirs) in declared {
        found.pair(ours, theirs, Evidence::Declared);
    }
    values::pair(&a, &b, &mut found);
    weights::pair(&a, &b, &mut found);
    folds::pair(&a, &b, &mut found);
    growth::pair(&a, &b, &mut found);
    let tensors = [a.order.len(), b.order.len()];
    let alone = |order: &[&str], is_paired: &dyn Fn(&str) -> bool| {
        let names = order.iter().filter(|n| !is_paired(n));
        names.map(|n| n.to_string()).collect::<Vec<_>>()
    };
    let unpaired = [
        alone(&a.order, &|n| found.to.contains_key(n)),
        alone(&b.order, &|n| found.from.contains_key(n)),
    ];
    let pairs = a.order.iter().filter_map(|name| found.of(name)).collect();
    Pairing {
        pairs,
        tensors,
        unpaired,
    }
}

/// Pairs as they are found; a tensor has one partner.
#[derive(Default)]
struct Matching {
    to: HashMap<String, (String, Evidence)>,
    from: HashMap<String, String>,
}

impl Evidence {
    pub fn say(self) -> &'static str {
        match self {
            Evidence::Declared => "declared",
            Evidence::Values => "equal values",
            Evidence::Weights => "the only node with these weights",
            Evidence::Edge => "the same operator beside a pair",
        }
    }
}

impl Matching {
    /// Whether the two are a pair now that were none.
    fn pair(&mut self, ours: &str, theirs: &str, by: Evidence) -> bool {
        if self.to.contains_key(ours) || self.from.contains_key(theirs) {
            return false;
        }
        self.to.insert(ours.into(), (theirs.into(), by));
        self.from.insert(theirs.into(), ours.into());
        true
    }

    fn partner(&self, ours: &str) -> Option<&str> {
        self.to.get(ours).map(|(theirs, _)| theirs.as_str())
    }

    fn is_free(&self, ours: &str, theirs: &str) -> bool {
        !self.to.contains_key(ours) && !self.from.contains_key(theirs)
    }

    fn of(&self, ours: &str) -> Option<Pair> {
        let (theirs, by) = self.to.get(ours)?;
        Some(Pair {
            reference: ours.into(),
            candidate: theirs.clone(),
            by: *by,
        })
    }
}
