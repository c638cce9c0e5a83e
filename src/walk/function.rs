//! function: two graphs in f64 on the same inputs: both whole, then every stretch of the candidate between pairs on the reference's values.

use super::noise;
use super::whole::{self, Stretch, stretch};
use crate::error::Result;
use crate::floor::noise::{Floor, MOST_RUNS, RUNS, axis_for, deviation, signs};
use crate::graph::Graph;
use crate::pairing::{Pair, Pairing};
use crate::subject::Judge;
use crate::tensor::{DType, Tensor};
use crate::watch::Watch;
use indexmap::IndexMap;
use rand::Rng;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The noise that floors are measured with, in roundings of f32: far above what f64 itself rounds, far below what bends a graph.
pub const SHAKEN: f64 = 1.0 / 4096.0;

/// From noise of [`SHAKEN`] f32 roundings to f64's own.
pub const TO_F64: f64 = (f64::EPSILON / f32::EPSILON as f64) / SHAKEN;

/// One graph, its inputs and what it makes of them.
pub struct Side {
    pub graph: Arc<Graph>,
    pub judge: Box<dyn Judge>,
    pub inputs: IndexMap<String, Tensor>,
    pub values: HashMap<String, Tensor>,
    /// What no noise may move.
    decisions: HashMap<String, Tensor>,
}

impl Side {
    /// # Errors
    /// Memory that runs out.
    pub fn run(
        graph: Arc<Graph>,
        mut judge: Box<dyn Judge>,
        inputs: IndexMap<String, Tensor>,
    ) -> Result<Self> {
        let none = HashMap::new();
        let values = whole::run(&mut *judge, &inputs, &none)?;
        let steps: Vec<usize> = (0..graph.steps.len()).collect();
        let decide = |task: &noise::Task| noise::decisions(task, &steps, &mut *judge);
        let decisions = asked(&graph, &inputs, (&none, &HashMap::new(), 0), decide)?;
        Ok(Self {
            graph,
            judge,
            inputs,
            values,
            decisions,
        })
    }

    /// The spread of these tensors where every node is shaken by [`SHAKEN`] roundings of f32.
    ///
    /// # Errors
    /// Memory that runs out.
    pub fn floors(
        &mut self,
        wanted: &[&str],
        seed: u64,
        watch: &mut dyn Watch,
    ) -> Result<HashMap<String, Floor>> {
        let numel = |name: &&str| Some((name.to_string(), self.values.get(*name)?.numel()));
        let wanted = wanted.iter().filter_map(numel).collect();
        let held = (&self.decisions, &wanted, seed);
        asked(&self.graph, &self.inputs, held, |task| {
            noise::run(task, 1..=MOST_RUNS, &mut *self.judge, watch)
        })
    }

    /// The spread of these tensors where each of the constants called `open` is moved by two roundings of `storage`; `judge` opens a graph.
    ///
    /// # Errors
    /// As `floors`.
    pub fn moved(
        &self,
        wanted: &[&str],
        open: &HashSet<String>,
        storage: DType,
        seed: u64,
        judge: Opens,
    ) -> Result<HashMap<String, Floor>> {
        let mut floors: HashMap<String, Floor> = HashMap::new();
        for run in (1..=RUNS).filter(|_| !open.is_empty()) {
            let graph = Arc::new(shaken(&self.graph, open, storage, (seed, run)));
            let values = whole::run(&mut *judge(graph)?, &self.inputs, &self.decisions)?;
            for name in wanted {
                let (Some(exact), Some(moved)) = (self.values.get(*name), values.get(*name)) else {
                    continue;
                };
                let axis = axis_for(exact.shape());
                let Some(channels) = deviation(exact, moved, axis) else {
                    continue;
                };
                let fresh = || Floor {
                    axis,
                    ..Default::default()
                };
                floors
                    .entry(name.to_string())
                    .or_insert_with(fresh)
                    .add(&channels);
            }
        }
        Ok(floors)
    }
}

/// What `then` makes of noise of [`SHAKEN`] roundings of f32 on every node but `replay`.
fn asked<T>(
    graph: &Graph,
    inputs: &IndexMap<String, Tensor>,
    (replay, wanted, seed): (&HashMap<String, Tensor>, &HashMap<String, usize>, u64),
    then: impl FnOnce(&noise::Task) -> T,
) -> T {
    then(&noise::Task {
        graph,
        inputs,
        replay,
        wanted,
        by_row: &HashSet::new(),
        dtypes: &HashMap::new(),
        seed,
        times: SHAKEN,
        free: None,
    })
}

/// Opens the f64 judge of a graph.
pub type Opens<'a> = &'a dyn Fn(Arc<Graph>) -> Result<Box<dyn Judge>>;

/// The graph with each of these constants moved up or down.
fn shaken(graph: &Graph, open: &HashSet<String>, storage: DType, (seed, run): (u64, u32)) -> Graph {
    let by = 2.0 * storage.unit_roundoff();
    let stored = graph
        .stored()
        .enumerate()
        .filter(|(_, (n, _))| open.contains(*n));
    let moved = stored.map(|(at, (name, tensor))| {
        let mut rng = signs(seed, run, at);
        let values = tensor
            .to_f64()
            .into_iter()
            .map(|v| match rng.next_u64() & 1 {
                0 => v * (1.0 - by),
                _ => v * (1.0 + by),
            });
        let values: Vec<f64> = values.collect();
        (name.to_string(), Tensor::from_vec(tensor.shape(), values))
    });
    graph.storing(moved.collect())
}

/// What stands between a pair and the pairs in front of it.
pub struct Between {
    pub pair: Pair,
    pub reference: Stretch,
    pub candidate: Stretch,
    /// What the candidate's stretch makes of the reference's values; None where it could not be run on them.
    pub alone: Option<Tensor>,
}

/// Every pair of which both sides have a value, alone.
///
/// # Errors
/// As `Side::run`.
pub fn between(
    reference: &Side,
    candidate: &mut Side,
    pairing: &Pairing,
    watch: &mut dyn Watch,
) -> Result<Vec<Between>> {
    let cut = Cut::of(reference, candidate, pairing);
    watch.phase("pairs", pairing.pairs.len());
    let mut all = Vec::with_capacity(pairing.pairs.len());
    for (done, pair) in pairing.pairs.iter().enumerate() {
        let made = cut.made[1].contains_key(&pair.candidate);
        if made && candidate.values.contains_key(&pair.candidate) {
            all.push(cut.between(candidate, pair, &HashSet::new())?);
        }
        watch.step(done + 1);
    }
    Ok(all)
}

/// Where stretches may begin: paired tensors, with the reference's values for them.
pub struct Cut {
    /// By name in the candidate, the reference's value.
    known: HashMap<String, Tensor>,
    /// By name in the reference, the name in the candidate.
    partner: HashMap<String, String>,
    graphs: [Arc<Graph>; 2],
    /// Which step of either makes a tensor.
    made: [HashMap<String, usize>; 2],
}

impl Cut {
    pub fn of(reference: &Side, candidate: &Side, pairing: &Pairing) -> Self {
        let value = |p: &Pair| {
            let value = reference.values.get(&p.reference)?.clone();
            Some((p.candidate.clone(), value))
        };
        let names = |p: &Pair| (p.reference.clone(), p.candidate.clone());
        let graphs = [reference.graph.clone(), candidate.graph.clone()];
        let made = |g: &Arc<Graph>| {
            let made = g.producers().into_iter();
            made.map(|(n, step)| (n.to_string(), step)).collect()
        };
        Self {
            known: pairing.pairs.iter().filter_map(value).collect(),
            partner: pairing.pairs.iter().map(names).collect(),
            made: [made(&graphs[0]), made(&graphs[1])],
            graphs,
        }
    }

    /// The pair alone, where no stretch begins at any of `without` (names in the candidate).
    ///
    /// # Errors
    /// As `Side::run`.
    pub fn between(
        &self,
        candidate: &mut Side,
        pair: &Pair,
        without: &HashSet<&str>,
    ) -> Result<Between> {
        let theirs_stop = |n: &str| self.known.contains_key(n) && !without.contains(n);
        let ours_stop = |n: &str| self.partner.get(n).is_some_and(|n| theirs_stop(n));
        let [ours, theirs] = &self.graphs;
        let reference = stretch(ours, &self.made[0], &pair.reference, &ours_stop);
        let stretch = stretch(theirs, &self.made[1], &pair.candidate, &theirs_stop);
        let value = |n: &String| Some((n.clone(), self.known.get(n)?.clone()));
        let feed: HashMap<String, Tensor> = stretch.from.iter().filter_map(value).collect();
        let alone = match feed.len() == stretch.from.len() {
            true => whole::over(&mut *candidate.judge, &stretch, &pair.candidate, &feed)?,
            false => None,
        };
        Ok(Between {
            pair: pair.clone(),
            reference,
            candidate: stretch,
            alone,
        })
    }
}
