//! spread: how far pairs of two programs may be apart: what f64 itself rounds in either graph, what a recording rounded in its own dtype, and what
//! constants that are stored otherwise move.

use crate::error::Result;
use crate::floor::noise::{Floor, MOST_RUNS, RUNS, axis_for};
use crate::graph::Graph;
use crate::judge::function::Allowed;
use crate::pairing::{Pair, Pairing, Unshared, unshared};
use crate::tensor::{DType, Tensor};
use crate::walk::function::{Opens, SHAKEN, Side, TO_F64};
use crate::watch::Watch;
use std::collections::{HashMap, HashSet};

/// What the candidate's own rounding may allow at most, as a share of a channel's root mean square: it must not bring its own tolerance.
const CAP: f64 = 1e-9;

/// The same where the reference is a recording in another dtype than f64, and its recorder measured no floors.
const RECORDED: f64 = 1e-3;

/// What its own constants may, in roundings of the dtype that stores them: of the whole tensor where a channel is smaller, as behind a ReLU that cuts nearly
/// all of it, whose constants moved it before.
const STORED: f64 = 16.0;

/// Measured on both sides.
pub struct Spread {
    /// Of the reference, by its names, where that is a graph: under noise of `SHAKEN` roundings, or of those of the recording beside it.
    pub reference: HashMap<String, Floor>,
    /// Of the candidate, by its names.
    pub candidate: HashMap<String, Floor>,
    /// What either side stores and the other one does not in these bits.
    pub unshared: [Unshared; 2],
    /// Where constants that only this side holds in these bits are moved.
    constants: [HashMap<String, Floor>; 2],
    /// What either stores its constants in at the coarsest.
    storage: DType,
    recorded: [Option<Recorded>; 2],
    /// Floats of the reference that are decisions: its own, or what the candidate's are paired with.
    decided: HashSet<String>,
}

/// A side that is a recording.
struct Recorded {
    /// What it computed in.
    dtype: DType,
    /// What its recorder measured.
    floors: HashMap<String, Floor>,
}

impl Recorded {
    fn of(side: &Side) -> Option<Self> {
        (!side.computes()).then(|| Self {
            dtype: side.dtype,
            floors: side.recorded.clone(),
        })
    }
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
        let unshared = unshared(&reference.viewed(), &candidate.viewed());
        let [own, other] = &unshared;
        let constants = [
            reference.moved(&ours, own, storage, (seed, 1..=RUNS), open)?,
            candidate.moved(&theirs, other, storage, (seed, 1..=RUNS), open)?,
        ];
        let recorded = [Recorded::of(reference), Recorded::of(candidate)];
        let dtypes = recorded.iter().flatten().map(|r| r.dtype);
        let dtype = dtypes.fold(DType::F64, coarser);
        let decides =
            |p: &&Pair| reference.decides(&p.reference) || candidate.decides(&p.candidate);
        let decided = pairing.pairs.iter().filter(decides);
        Ok(Self {
            decided: decided.map(|p| p.reference.clone()).collect(),
            unshared,
            constants,
            storage,
            recorded,
            reference: reference.floors(&ours, dtype, seed, watch)?,
            candidate: candidate.floors(&theirs, dtype, seed, watch)?,
        })
    }

    /// Moves the constants in further runs: what they move a whole channel by as one is one number a run, and of four the largest may be small by chance.
    ///
    /// # Errors
    /// Memory that runs out.
    pub fn refine(
        &mut self,
        sides: [&Side; 2],
        pairing: &Pairing,
        seed: u64,
        open: Opens,
    ) -> Result<()> {
        for (at, own) in self.unshared.iter().enumerate() {
            let names = |p: &'_ Pair| [p.reference.clone(), p.candidate.clone()];
            let wanted: Vec<String> = pairing.pairs.iter().map(|p| names(p)[at].clone()).collect();
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            let runs = (seed, RUNS + 1..=MOST_RUNS);
            for (name, more) in sides[at].moved(&wanted, own, self.storage, runs, open)? {
                if let Some(floor) = self.constants[at].get_mut(&name) {
                    floor.merge(&more);
                }
            }
        }
        Ok(())
    }

    /// What a pair whose reference has this value is held against.
    pub fn allowed(&self, pair: &Pair, value: &Tensor) -> Allowed {
        let fits = |f: &&Floor| f.axis == axis_for(value.shape());
        let [moved, other] = &self.constants;
        let moved = moved.get(&pair.reference).filter(fits).cloned();
        let other = other.get(&pair.candidate).filter(fits);
        let other = other.map(|f| f.capped_whole(value, STORED * self.storage.unit_roundoff()));
        Allowed {
            rounding: self.rounding(pair, value),
            constants: sum([moved, other]),
            decided: self.is_decided(&pair.reference),
        }
    }

    /// Whether a tensor of the reference is a decision, though it is a float.
    pub fn is_decided(&self, name: &str) -> bool {
        self.decided.contains(name)
    }

    /// The same of a stretch alone: `noise` is how far the recording's own rounding spreads it; None where both sides are f64.
    pub fn alone(&self, pair: &Pair, value: &Tensor, noise: Option<&Floor>) -> Allowed {
        let allowed = self.allowed(pair, value);
        let noise = noise.map(|noise| match &self.recorded {
            // The candidate's graph runs it.
            [Some(_), None] => noise.capped(value, RECORDED),
            [Some(_), Some(_)] | [None, _] => noise.clone(),
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
        let bounded = |f: &Floor| f.capped(value, RECORDED);
        let measured =
            |by: &Recorded, name: &str| by.floors.get(name).filter(|f| f.fits(value)).cloned();
        match &self.recorded {
            [Some(a), None] if a.dtype != DType::F64 => {
                measured(a, &pair.reference).or_else(|| theirs.map(bounded))
            }
            [None, Some(b)] if b.dtype != DType::F64 => own.cloned(),
            [Some(a), Some(b)] => {
                let theirs = measured(b, &pair.candidate).as_ref().map(bounded);
                let floor = measured(a, &pair.reference).or(theirs)?;
                // A recorder measures what rounding in f32 does.
                let exact = a.dtype == DType::F64 && b.dtype == DType::F64;
                let by = if exact { TO_F64 * SHAKEN } else { 1.0 };
                Some(scaled(&floor, by))
            }
            [None, _] | [Some(_), None] => sum([own.map(in_f64), theirs.map(capped)]),
        }
    }
}

fn coarser(a: DType, b: DType) -> DType {
    match b.unit_roundoff() > a.unit_roundoff() {
        true => b,
        false => a,
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
    dtypes.reduce(coarser).unwrap_or(DType::F32)
}
