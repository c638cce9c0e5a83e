//! account: what was drawn, and what came of it.

use super::finding::{Finding, Judged, kind};
use super::options::End;
use crate::subject::kernels::draw::Case;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The honest account of one kernel.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub drawn: u64,
    /// Cases that were asked for; more than were drawn where something else ended the run.
    pub asked: u64,
    pub end: End,
    /// Cases that were compared.
    pub compared: u64,
    /// Numbers held against each other.
    pub numbers: u64,
    /// Cases that the reference refuses, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Cases on each edge.
    pub edges: BTreeMap<&'static str, u64>,
    pub flips: u64,
    pub kinks: u64,
    /// Numbers that f32 cannot hold or that its rounding makes infinite or no number.
    pub beyond: u64,
    /// Relations that were tried.
    pub relations: u64,
    /// Cases up to and including the first find.
    pub first: Option<u64>,
    /// Cases with a finding, by its kind.
    pub kinds: BTreeMap<String, u64>,
    /// One of each kind, shrunk.
    pub finds: Vec<Find>,
    /// Finds of earlier runs, tried first.
    pub known: Vec<Known>,
}

/// A case that a subject gets wrong, shrunk.
#[derive(Clone, Debug)]
pub struct Find {
    /// Number of the case from which it was shrunk.
    pub case: u64,
    pub finding: Finding,
    pub shrunk: Case,
    /// Where it is kept.
    pub kept: Option<PathBuf>,
}

/// A find of an earlier run: what the subject makes of it today.
#[derive(Clone, Debug)]
pub struct Known {
    pub path: PathBuf,
    /// Err says why it could not be tried.
    pub came: Result<Option<Finding>, String>,
}

impl Report {
    /// Adds a case and what came of it; true where its finding is the first of its kind.
    pub fn count(&mut self, edges: &BTreeSet<&'static str>, came: &Result<Judged, String>) -> bool {
        self.drawn += 1;
        edges
            .iter()
            .for_each(|e| *self.edges.entry(e).or_default() += 1);
        let judged = match came {
            Ok(judged) => judged,
            Err(refusal) => {
                *self.refused.entry(refusal.clone()).or_default() += 1;
                return false;
            }
        };
        self.compared += u64::from(judged.compared > 0);
        self.numbers += judged.compared as u64;
        self.flips += judged.flips as u64;
        self.kinks += judged.kinks as u64;
        self.beyond += judged.beyond as u64;
        self.relations += judged.relations as u64;
        let Some(finding) = &judged.finding else {
            return false;
        };
        self.first.get_or_insert(self.drawn);
        let kind = kind(&finding.what);
        let known = self.kinds.contains_key(&kind) || self.known().any(|k| k == kind);
        *self.kinds.entry(kind).or_default() += 1;
        !known
    }

    /// Kinds of the known finds that are still there.
    fn known(&self) -> impl Iterator<Item = String> {
        self.still().map(|f| kind(&f.what))
    }

    /// Known finds that are still there.
    fn still(&self) -> impl Iterator<Item = &Finding> {
        self.known
            .iter()
            .filter_map(|k| k.came.as_ref().ok()?.as_ref())
    }

    /// Whether a subject disagreed with the reference, on a new case or on a known one.
    pub fn diverges(&self) -> bool {
        self.first.is_some() || self.still().next().is_some()
    }

    /// Whether anything was compared, and every known find tried.
    pub fn covers(&self) -> bool {
        self.compared > 0 && self.known.iter().all(|k| k.came.is_ok())
    }
}
