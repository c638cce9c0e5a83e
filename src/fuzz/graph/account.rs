//! account: what was drawn for a model, and what came of it.

use super::ask::Inputs;
use super::finding::{Finding, Judged};
use super::part::Part;
use crate::fuzz::options::End;
use crate::subject::kernels::draw::Case;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Cases of one distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cases {
    pub drawn: u64,
    pub compared: u64,
    /// Cases in which some tensor held a NaN or an infinity.
    pub special: u64,
    pub off: u64,
}

/// The honest account of one model.
#[derive(Debug, Default)]
pub struct Account {
    pub drawn: u64,
    /// Cases that were asked for; more than were drawn where something else ended the run.
    pub asked: u64,
    pub end: End,
    pub compared: u64,
    /// Tensors held against each other.
    pub tensors: u64,
    /// Tensors that were not, by reason.
    pub abstained: BTreeMap<String, u64>,
    /// Cases that were not compared, by reason.
    pub refused: BTreeMap<String, u64>,
    pub by_distribution: BTreeMap<&'static str, Cases>,
    pub flips: u64,
    /// Cases up to and including the first find.
    pub first: Option<u64>,
    /// Cases with a finding: the finding without its numbers, and how many of each distribution.
    pub kinds: BTreeMap<String, BTreeMap<&'static str, u64>>,
    pub finds: Vec<Find>,
    pub known: Vec<Known>,
}

/// A case on which the two sides differ, shrunk.
#[derive(Debug)]
pub struct Find {
    /// Number of the case from which it was shrunk.
    pub case: u64,
    /// What the case was drawn from.
    pub drawn: Vec<&'static str>,
    pub finding: Finding,
    pub shrunk: Inputs,
    /// The smallest failing part of the model, or why there is none.
    pub part: Result<Part, String>,
    pub kept: Option<PathBuf>,
}

/// A find of an earlier run: what comes of it today.
#[derive(Clone, Debug)]
pub struct Known {
    pub path: PathBuf,
    pub came: Result<Option<Finding>, String>,
}

impl Account {
    /// Adds a case and what came of it; true where its finding is the first of its kind.
    pub fn count(&mut self, case: &Case, came: &Result<Judged, String>) -> bool {
        self.drawn += 1;
        let (compared, special, off) = match came {
            Ok(j) => (j.tensors > 0, j.special, j.finding.is_some()),
            Err(_) => (false, false, false),
        };
        for name in &case.edges {
            let of = self.by_distribution.entry(name).or_default();
            of.drawn += 1;
            of.compared += u64::from(compared);
            of.special += u64::from(special);
            of.off += u64::from(off);
        }
        let judged = match came {
            Ok(judged) => judged,
            Err(reason) => {
                *self.refused.entry(reason.clone()).or_default() += 1;
                return false;
            }
        };
        self.compared += u64::from(compared);
        self.tensors += judged.tensors as u64;
        self.flips += judged.flips;
        judged
            .abstained
            .iter()
            .for_each(|(r, n)| *self.abstained.entry(r.clone()).or_default() += *n as u64);
        let Some(finding) = &judged.finding else {
            return false;
        };
        self.first.get_or_insert(self.drawn);
        let what = finding.what();
        let known = self.kinds.contains_key(&what) || self.still().any(|k| k.what() == what);
        let kind = self.kinds.entry(what).or_default();
        case.edges
            .iter()
            .for_each(|name| *kind.entry(name).or_default() += 1);
        !known
    }

    /// Known finds that are still there.
    fn still(&self) -> impl Iterator<Item = &Finding> {
        self.known
            .iter()
            .filter_map(|k| k.came.as_ref().ok()?.as_ref())
    }

    /// Whether the two sides disagreed, on a new case or on a known one.
    pub fn diverges(&self) -> bool {
        self.first.is_some() || self.still().next().is_some()
    }

    /// Whether anything was compared, and every known find tried.
    pub fn covers(&self) -> bool {
        self.compared > 0 && self.known.iter().all(|k| k.came.is_ok())
    }
}
