//! tally: what was drawn, and what came of it.

use super::options::End;
use crate::subject::kernels::draw::Case;
use crate::verdict::Finding;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::PathBuf;

/// What is wrong with a case, with its numbers.
pub trait Wrong: Display + Send {
    /// The same without its numbers: cases of one kind are one find.
    fn kind(&self) -> String;

    /// The kind that this one is but a part of, where there may be such a one.
    fn wider(&self) -> Option<String> {
        None
    }

    /// The tensor or node that is wrong.
    fn place(&self) -> &str;

    /// As reports tell it.
    fn finding(&self) -> Finding {
        Finding::new("fuzz", self.place(), self.to_string())
    }

    /// Whether the other is of the same kind.
    fn is_like(&self, other: &Self) -> bool {
        self.kind() == other.kind()
    }
}

/// What comparing one case came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged<F> {
    /// Numbers of a kernel, tensors of a model, held against each other.
    pub compared: usize,
    /// Tensors that were not, by reason.
    pub abstained: BTreeMap<String, usize>,
    /// Decisions that went the other way at a tie.
    pub flips: usize,
    /// Rows on a kink: their gradient is held against the slopes beside it.
    pub kinks: usize,
    /// Numbers that f32 cannot hold or that its rounding makes infinite or no number; they were not compared.
    pub beyond: usize,
    /// Numbers that both sides say are none, and gradients of what is not finite; they were not compared.
    pub outside: usize,
    /// Relations that were tried.
    pub relations: usize,
    /// Whether some tensor held a NaN or an infinity, on either side.
    pub special: bool,
    pub wrong: Option<F>,
}

impl<F> Default for Judged<F> {
    fn default() -> Self {
        Self {
            compared: 0,
            abstained: BTreeMap::new(),
            flips: 0,
            kinks: 0,
            beyond: 0,
            outside: 0,
            relations: 0,
            special: false,
            wrong: None,
        }
    }
}

/// The edges or distributions that a case was drawn from, and what came of it; Err says why it was not compared.
pub struct Came<F> {
    pub edges: BTreeSet<&'static str>,
    pub judged: Result<Judged<F>, String>,
}

/// Cases of one edge or distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cases {
    pub drawn: u64,
    pub compared: u64,
    /// Cases in which some tensor held a NaN or an infinity.
    pub special: u64,
    pub off: u64,
}

/// Cases with a finding of one kind.
#[derive(Clone, Debug, Default)]
pub struct Kind {
    pub cases: u64,
    /// Of them, by edge or distribution.
    pub of: BTreeMap<&'static str, u64>,
}

/// The honest account of one target.
#[derive(Clone, Debug)]
pub struct Tally<F, P> {
    pub drawn: u64,
    /// Cases that were asked for; more than were drawn where something else ended the run.
    pub asked: u64,
    pub end: End,
    /// Cases that were compared.
    pub compared: u64,
    /// Numbers or tensors held against each other, and the rest of what the cases counted.
    pub all: Judged<F>,
    /// Cases that were not compared, by reason.
    pub refused: BTreeMap<String, u64>,
    pub edges: BTreeMap<&'static str, Cases>,
    /// Cases up to and including the first find.
    pub first: Option<u64>,
    pub kinds: BTreeMap<String, Kind>,
    /// One of each kind, shrunk.
    pub finds: Vec<Find<F, P>>,
    /// Finds of earlier runs, tried first.
    pub known: Vec<Known<F>>,
}

impl<F, P> Default for Tally<F, P> {
    fn default() -> Self {
        Self {
            drawn: 0,
            asked: 0,
            end: End::default(),
            compared: 0,
            all: Judged::default(),
            refused: BTreeMap::new(),
            edges: BTreeMap::new(),
            first: None,
            kinds: BTreeMap::new(),
            finds: vec![],
            known: vec![],
        }
    }
}

/// A case that is wrong, shrunk.
#[derive(Clone, Debug)]
pub struct Find<F, P> {
    /// Number of the case from which it was shrunk.
    pub case: u64,
    pub wrong: F,
    pub shrunk: Case,
    pub part: P,
    /// Where it is kept.
    pub kept: Option<PathBuf>,
}

/// A find of an earlier run: what comes of it today.
#[derive(Clone, Debug)]
pub struct Known<F> {
    pub path: PathBuf,
    /// Err says why it could not be tried.
    pub came: Result<Option<F>, String>,
}

impl<F> Judged<F> {
    /// Adds what another case counted.
    fn add(&mut self, other: &Self) {
        self.compared += other.compared;
        self.flips += other.flips;
        self.kinks += other.kinks;
        self.beyond += other.beyond;
        self.outside += other.outside;
        self.relations += other.relations;
        for (reason, n) in &other.abstained {
            *self.abstained.entry(reason.clone()).or_default() += n;
        }
    }
}

impl<F: Wrong, P> Tally<F, P> {
    /// Adds what came of a case; its finding where that is the first of its kind.
    pub fn count(&mut self, came: Came<F>) -> Option<F> {
        self.drawn += 1;
        let judged = came.judged.as_ref().ok();
        let (compared, special, off) = judged.map_or((false, false, false), |j| {
            (j.compared > 0, j.special, j.wrong.is_some())
        });
        for edge in &came.edges {
            let of = self.edges.entry(edge).or_default();
            of.drawn += 1;
            of.compared += u64::from(compared);
            of.special += u64::from(special);
            of.off += u64::from(off);
        }
        self.compared += u64::from(compared);
        match came.judged {
            Ok(judged) => {
                self.all.add(&judged);
                judged.wrong.filter(|f| self.is_first(f, &came.edges))
            }
            Err(reason) => {
                *self.refused.entry(reason).or_default() += 1;
                None
            }
        }
    }

    /// Counts a finding; whether it is the first of its kind.
    fn is_first(&mut self, wrong: &F, edges: &BTreeSet<&'static str>) -> bool {
        self.first.get_or_insert(self.drawn);
        let kind = wrong.kind();
        let is_told = |kind: &String| {
            let shrunk = self.finds.iter().map(|f| &f.wrong);
            self.kinds.contains_key(kind) || self.still().chain(shrunk).any(|k| k.kind() == *kind)
        };
        let is_known = is_told(&kind) || wrong.wider().is_some_and(|wider| is_told(&wider));
        let of = self.kinds.entry(kind).or_default();
        of.cases += 1;
        edges
            .iter()
            .for_each(|edge| *of.of.entry(edge).or_default() += 1);
        !is_known
    }

    /// Known finds that are still there.
    fn still(&self) -> impl Iterator<Item = &F> {
        self.known
            .iter()
            .filter_map(|k| k.came.as_ref().ok()?.as_ref())
    }

    /// Whether anything was found wrong, on a new case or on a known one.
    pub fn diverges(&self) -> bool {
        self.first.is_some() || self.still().next().is_some()
    }

    /// Whether anything was compared, and every known find tried.
    pub fn covers(&self) -> bool {
        self.compared > 0 && self.known.iter().all(|k| k.came.is_ok())
    }
}

/// A message without its numbers, so that equal reasons are counted as one.
pub fn kind(message: &str) -> String {
    message
        .chars()
        .map(|c| if c.is_ascii_digit() { '#' } else { c })
        .collect()
}
