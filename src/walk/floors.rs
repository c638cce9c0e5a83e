//! floors: which tensors wait for a noise floor, and the walk that gives it.

use super::layers::{self, Layers};
use super::noise;
use super::sessions::Sessions;
use super::unobserved::{Against, Wholes};
use crate::judge::golden;
use crate::watch::Watch;

use crate::error::Result;
use crate::floor::noise::{Floor, MOST_RUNS, R, RUNS, runs_for};
use crate::graph::Graph;
use crate::judge::{Limit, against};
use crate::tensor::DType;
use crate::verdict::{Ancestry, Pending};
use std::collections::{HashMap, HashSet};

/// Error / limit up to which more runs are asked whether it is a rare deviation.
const RARE: f64 = 4.0;

/// What saturates differs by 2 at most, less what the disturbed node rounds itself: β of a function, 16 u.
const OWN: f64 = 1.0 / (1 << 20) as f64;

/// Floors of whatever waits for one; none without a shadow.
///
/// Small tensors, and those that are over by little, take up to [`MOST_RUNS`] runs: the rest is walked only where it could change a verdict, or, of
/// small tensors, where a trace is to carry floors.
pub fn run(
    sessions: &mut Sessions,
    layers: &Layers,
    wholes: &Wholes,
    seed: u64,
    watch: &mut dyn Watch,
) -> Result<HashMap<String, Floor>> {
    let record = sessions.record.is_some();
    let mut wanted = wanted(layers, record, wholes);
    wanted.extend(golden::wanted(&layers.witnessed));
    let Some(judge) = sessions.judge.as_mut().filter(|_| !wanted.is_empty()) else {
        return Ok(HashMap::new());
    };
    let (dtypes, replay) = (layers.dtypes(), &layers.replay);
    let mut task = noise::Task {
        graph: sessions.graph,
        inputs: sessions.inputs,
        replay,
        wanted: &wanted,
        by_row: &HashSet::new(),
        dtypes: &dtypes,
        seed,
        times: 1.0,
        free: None,
    };
    let mut floors = noise::run(
        &task,
        1..=if record { MOST_RUNS } else { RUNS },
        &mut **judge,
        watch,
    )?;
    let open = if record {
        HashMap::new()
    } else {
        open(
            standing(&floors, layers, sessions.graph, wholes),
            &floors,
            &wanted,
            layers,
            wholes,
        )
    };
    if !open.is_empty() {
        task.wanted = &open;
        for (name, rest) in noise::run(&task, RUNS + 1..=MOST_RUNS, &mut **judge, watch)? {
            floors
                .entry(name)
                .and_modify(|floor| floor.merge(&rest))
                .or_insert(rest);
        }
    }
    let steep = steep(
        standing(&floors, layers, sessions.graph, wholes),
        &wanted,
        layers,
        sessions.graph,
    );
    if !steep.is_empty() {
        (task.wanted, task.times) = (&steep, R);
        for (name, large) in noise::run(&task, 1..=MOST_RUNS, &mut **judge, watch)? {
            let count = wanted
                .get(&name)
                .map_or(1, |numel| numel / large.max.len().max(1));
            floors
                .entry(name)
                .and_modify(|floor| floor.merge(&large.bent(R * (1.0 - OWN), count)));
        }
    }
    Ok(floors)
}

/// Tensors that are over, and behind no node that is off alone. Where the graph is bent (what saturates, divides, changes its sign) an engine that is R
/// spreads off in front is not R spreads off behind: so they are walked with noise of B itself before they diverge.
fn steep(
    standing: Vec<(String, f64)>,
    wanted: &HashMap<String, usize>,
    layers: &Layers,
    graph: &Graph,
) -> HashMap<String, usize> {
    let is_over = |(name, ratio): &(String, f64)| {
        (ratio.is_nan() || *ratio > 1.0) && wanted.contains_key(name)
    };
    let over: Vec<String> = standing
        .into_iter()
        .filter(is_over)
        .map(|(name, _)| name)
        .collect();
    if over.is_empty() {
        return HashMap::new();
    }
    let off: HashSet<usize> = layers
        .tensors
        .iter()
        .filter(|r| r.isolated.over())
        .map(|r| r.step)
        .collect();
    let below = Ancestry::of(graph).descendants(&off);
    let inherited = |name: &str| {
        layers
            .tensors
            .iter()
            .any(|r| r.name == name && (below[r.step] || off.contains(&r.step)))
    };
    over.into_iter()
        .filter(|name| !inherited(name))
        .map(|name| (name, 1))
        .collect()
}

/// Tensors whose verdict the runs that are still to come could change.
fn open(
    standing: Vec<(String, f64)>,
    floors: &HashMap<String, Floor>,
    wanted: &HashMap<String, usize>,
    layers: &Layers,
    wholes: &Wholes,
) -> HashMap<String, usize> {
    // What lies in front of a decision tells whether it may flip.
    let decisive = wholes
        .wanted(layers)
        .into_keys()
        .filter(|n| layers.decisive.iter().any(|d| d.contains_key(n)));
    let all = standing
        .into_iter()
        .chain(decisive.map(|n| (n, f64::INFINITY)));
    let known = all.filter(|(name, _)| floors.contains_key(name));
    let sized =
        known.filter_map(|(name, ratio)| wanted.get(&name).map(|numel| (name, ratio, *numel)));
    sized
        .filter_map(|(name, ratio, numel)| Some((name, more(ratio, numel)?)))
        .collect()
}

/// Error / limit of whatever is held against a floor.
fn standing(
    floors: &HashMap<String, Floor>,
    layers: &Layers,
    graph: &Graph,
    wholes: &Wholes,
) -> Vec<(String, f64)> {
    let walked = layers.tensors.iter().filter_map(|t| match &t.accumulated {
        Pending::Noise(comparison) => {
            let limit = Limit::Spread(floors.get(&t.name)?);
            Some((t.name.clone(), against(comparison, limit).ratio()?))
        }
        Pending::Done(_) | Pending::Infinite(_) | Pending::Decision { .. } => None,
    });
    let witnessed = layers
        .witnessed
        .iter()
        .map(|w| golden::held(w, floors))
        .filter_map(|w| Some((w.judgement.ratio()?, w.name)))
        .map(|(ratio, name)| (name, ratio));
    let tensors = layers.judged(floors, graph);
    let unobserved = wholes
        .judge(
            ["", ""],
            &Against {
                layers,
                tensors: &tensors,
                graph,
                floors,
                stepped: &Default::default(),
                stated: None,
            },
        )
        .into_iter();
    let unobserved = unobserved
        .filter_map(|u| Some((u.judgement.ratio()?, u.name)))
        .map(|(ratio, name)| (name, ratio));
    walked.chain(witnessed).chain(unobserved).collect()
}

/// The size by which a tensor that stands at `ratio` takes further runs; None where they change nothing.
///
/// A few runs may miss what is rare: a number that saturates, and then a whole channel with it. Before a tensor diverges that is over by little, it
/// is walked as often as one number is.
fn more(ratio: f64, numel: usize) -> Option<usize> {
    match runs_for(numel) > RUNS {
        // Further runs take no spread back.
        true => (ratio.is_nan() || ratio > 1.0).then_some(numel),
        false => (ratio > 1.0 && ratio <= RARE).then_some(1),
    }
}

/// Tensors whose floor is needed, with their size; `all` where a trace is to carry them.
fn wanted(layers: &Layers, all: bool, wholes: &Wholes) -> HashMap<String, usize> {
    let names: HashSet<String> = layers::wanted(layers, all);
    let known = layers.tensors.iter().filter(|r| names.contains(&r.name));
    let floats = known
        .filter(|r| r.dtype.is_some_and(DType::is_float))
        .map(|r| (r.name.clone(), r.shape.iter().product()));
    floats.chain(wholes.wanted(layers)).collect()
}
