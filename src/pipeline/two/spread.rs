//! spread: how far pairs of two programs may be apart: what f64 itself rounds in either graph, what a recording rounded in its own dtype, and what
//! constants that are stored otherwise move.

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

/// The same where the reference is a recording in another dtype than f64, and its recorder measured no floors.
const RECORDED: f64 = 1e-3;

/// What its own constants may, in roundings of the dtype that stores them.
const STORED: f64 = 16.0;

/// Measured on both sides.
pub struct Spread {
    /// Of the reference, by its names, where that is a graph: under noise of `SHAKEN` roundings, or of those of the recording beside it.
    pub reference: HashMap<String, Floor>,
    /// Of the candidate, by its names.
    pub candidate: HashMap<String, Floor>,
    /// Where constants that only this side holds in these bits are moved.
    constants: [HashMap<String, Floor>; 2],
    /// What either stores its constants in at the coarsest.
    storage: DType,
    recorded: Option<Recorded>,
}

/// The side that is a recording.
struct Recorded {
    is_reference: bool,
    /// What it computed in.
    dtype: DType,
    /// What its recorder measured.
    floors: HashMap<String, Floor>,
}

impl Spread {
    /// # Errors
    /// Memory that runs out.
    pub fn of(
        [reference, candidate]: &mut [&mut Side; 2],
        pairing: &Pairing,
        seed: u64,
        open: Opens,
        watch: &mut dyn Watch,
    ) -> Result<Self> {
        let ours: Vec<&str> = pairing.pairs.iter().map(|p| p.reference.as_str()).collect();
        let theirs: Vec<&str> = pairing.pairs.iter().map(|p| p.candidate.as_str()).collect();
        let storage = coarsest(&[&reference.graph, &candidate.graph]);
        let [own, other] = unshared(&reference.viewed(), &candidate.viewed());
        let constants = [
            reference.moved(&ours, &own, storage, seed, open)?,
            candidate.moved(&theirs, &other, storage, seed, open)?,
        ];
        let sides = [(true, &**reference), (false, &**candidate)];
        let recorded = sides.into_iter().find(|(_, side)| !side.computes());
        let recorded = recorded.map(|(is_reference, side)| Recorded {
            is_reference,
            dtype: side.dtype,
            floors: side.recorded.clone(),
        });
        let dtype = recorded.as_ref().map_or(DType::F64, |r| r.dtype);
        Ok(Self {
            constants,
            storage,
            recorded,
            reference: reference.floors(&ours, dtype, seed, watch)?,
            candidate: candidate.floors(&theirs, dtype, seed, watch)?,
        })
    }

    /// What a pair whose reference has this value is held against.
    pub fn allowed(&self, pair: &Pair, value: &Tensor) -> Allowed {
        let fits = |f: &&Floor| f.axis == axis_for(value.shape());
        let [moved, other] = &self.constants;
        let moved = moved.get(&pair.reference).filter(fits).cloned();
        let other = other.get(&pair.candidate).filter(fits);
        let other = other.map(|f| f.capped(value, STORED * self.storage.unit_roundoff()));
        Allowed {
            rounding: self.rounding(pair, value),
            constants: sum([moved, other]),
        }
    }

    /// The same of a stretch alone: `noise` is how far the recording's own rounding spreads it; None where both sides are f64.
    pub fn alone(&self, pair: &Pair, value: &Tensor, noise: Option<&Floor>) -> Allowed {
        let allowed = self.allowed(pair, value);
        let noise = noise.map(|noise| match &self.recorded {
            Some(recorded) if recorded.is_reference => noise.capped(value, RECORDED),
            Some(_) | None => noise.clone(),
        });
        Allowed {
            rounding: noise.or(allowed.rounding),
            ..allowed
        }
    }

    /// What both graphs round in f64, the candidate no more than its cap; beside a recording what that rounded, by its recorder or by the graph.
    fn rounding(&self, pair: &Pair, value: &Tensor) -> Option<Floor> {
        let fits = |f: &&Floor| f.axis == axis_for(value.shape());
        let own = self.reference.get(&pair.reference).filter(fits);
        let theirs = self.candidate.get(&pair.candidate).filter(fits);
        let in_f64 = |f: &Floor| scaled(f, TO_F64);
        let capped = |f: &Floor| in_f64(f).capped(value, CAP);
        match &self.recorded {
            Some(Recorded {
                is_reference: true,
                dtype,
                floors,
            }) if *dtype != DType::F64 => {
                let measured = floors.get(&pair.reference).filter(|f| f.fits(value));
                let bounded = || theirs.map(|f| f.capped(value, RECORDED));
                measured.cloned().or_else(bounded)
            }
            Some(recorded) if recorded.dtype != DType::F64 => own.cloned(),
            Some(_) | None => sum([own.map(in_f64), theirs.map(capped)]),
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
