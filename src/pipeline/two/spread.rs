//! spread: how far pairs of two graphs may be apart in f64: what f64 itself rounds in either, and what constants that are stored otherwise move.

use crate::error::Result;
use crate::floor::noise::{Floor, axis_for};
use crate::graph::Graph;
use crate::judge::function::Allowed;
use crate::pairing::{Pair, Pairing, unshared};
use crate::tensor::{DType, Tensor};
use crate::walk::function::{Opens, Side, TO_F64};
use crate::watch::Watch;
use std::collections::HashMap;

/// What the candidate's own rounding may allow at most, as a share of a channel's root mean square: it must not bring its own tolerance.
const CAP: f64 = 1e-9;

/// What its own constants may, in roundings of the dtype that stores them.
const STORED: f64 = 16.0;

/// Measured on both graphs.
pub struct Spread {
    /// Of the reference under noise of `SHAKEN` roundings, by its names.
    pub reference: HashMap<String, Floor>,
    /// Of the candidate, by its names.
    pub candidate: HashMap<String, Floor>,
    /// Where constants that only this side holds in these bits are moved.
    constants: [HashMap<String, Floor>; 2],
    /// What either stores its constants in at the coarsest.
    storage: DType,
}

impl Spread {
    /// # Errors
    /// Memory that runs out.
    pub fn of(
        [reference, candidate]: [&mut Side; 2],
        pairing: &Pairing,
        seed: u64,
        open: Opens,
        watch: &mut dyn Watch,
    ) -> Result<Self> {
        let ours: Vec<&str> = pairing.pairs.iter().map(|p| p.reference.as_str()).collect();
        let theirs: Vec<&str> = pairing.pairs.iter().map(|p| p.candidate.as_str()).collect();
        let storage = coarsest(&[&reference.graph, &candidate.graph]);
        let [own, other] = unshared(&reference.graph, &candidate.graph);
        let constants = [
            reference.moved(&ours, &own, storage, seed, open)?,
            candidate.moved(&theirs, &other, storage, seed, open)?,
        ];
        Ok(Self {
            constants,
            storage,
            reference: reference.floors(&ours, seed, watch)?,
            candidate: candidate.floors(&theirs, seed, watch)?,
        })
    }

    /// What a pair whose reference has this value is held against.
    pub fn allowed(&self, pair: &Pair, value: &Tensor) -> Allowed {
        let fits = |f: &&Floor| f.axis == axis_for(value.shape());
        let own = self
            .reference
            .get(&pair.reference)
            .map(|f| scaled(f, TO_F64));
        let theirs = self.candidate.get(&pair.candidate).filter(fits);
        let theirs = theirs.map(|f| scaled(f, TO_F64).capped(value, CAP));
        let [moved, other] = &self.constants;
        let moved = moved.get(&pair.reference).cloned();
        let other = other.get(&pair.candidate).filter(fits);
        let other = other.map(|f| f.capped(value, STORED * self.storage.unit_roundoff()));
        Allowed {
            rounding: sum([own, theirs]),
            constants: sum([moved, other]),
        }
    }
}

fn sum(parts: [Option<Floor>; 2]) -> Option<Floor> {
    Floor::sum(parts.iter().flatten().map(|f| (f, 1.0)))
}

fn scaled(floor: &Floor, by: f64) -> Floor {
    Floor::sum([(floor, by)].into_iter()).unwrap_or_default()
}

/// The coarsest dtype in which either graph stores a float.
fn coarsest(graphs: &[&Graph]) -> DType {
    let stored = graphs.iter().flat_map(|g| g.stored());
    let dtypes = stored.map(|(_, t)| t.dtype());
    let coarsest = dtypes.max_by(|a, b| a.unit_roundoff().total_cmp(&b.unit_roundoff()));
    coarsest.unwrap_or(DType::F32)
}
