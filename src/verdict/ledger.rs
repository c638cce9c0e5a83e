//! ledger: every tensor accounted for: compared, abstained, or unobservable, with the reasons counted.

use super::TensorResult;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The count of tensors by what happened to them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    pub tensors: usize,
    /// Judged at least one way.
    pub compared: usize,
    /// Judged both ways.
    pub both_ways: usize,
    /// Not judged and not excused, by reason.
    pub abstained: BTreeMap<String, usize>,
    /// Not judged, and named in `expect.abstain`.
    pub excused: usize,
    /// Tensors that one recording holds and nothing pairs with.
    pub leftovers: Vec<String>,
    /// Bytes compared, both sides counted once.
    pub bytes: u64,
    /// Multiply-accumulates of one forward run.
    pub macs: u64,
}

impl Ledger {
    /// Counts a tensor that no comparison has seen.
    pub fn abstain(&mut self, reason: String, excused: bool) {
        self.tensors += 1;
        match excused {
            true => self.excused += 1,
            false => *self.abstained.entry(reason).or_default() += 1,
        }
    }

    /// Compared share of the tensors that had to be compared; 0 where there was none.
    pub fn coverage(&self) -> f64 {
        let required = self.tensors - self.excused;
        if required == 0 { 0.0 } else { self.compared as f64 / required as f64 }
    }
}

/// Counts `tensors`; `excused` says whether a tensor may abstain.
pub fn ledger(tensors: &[TensorResult], leftovers: Vec<String>, excused: &dyn Fn(&str) -> bool) -> Ledger {
    let mut out = Ledger { tensors: tensors.len(), leftovers, ..Default::default() };
    for t in tensors {
        let (a, i) = (t.accumulated.compared(), t.isolated.compared());
        out.both_ways += usize::from(a && i);
        out.macs += t.macs;
        if a || i {
            out.compared += 1;
            out.bytes += t.dtype.map_or(0, |d| d.size() * t.shape.iter().product::<usize>()) as u64;
        } else if excused(&t.name) {
            out.excused += 1;
        } else if let super::Accumulated::Abstained { reason } = &t.accumulated {
            *out.abstained.entry(reason.clone()).or_default() += 1;
        }
    }
    out
}
