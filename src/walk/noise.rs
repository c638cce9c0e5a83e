//! noise: the second walk: the f64 graph once undisturbed and K times with rounding noise after every node; run k is the same whatever
//! other runs are walked with it.

use super::computed::missing;
use super::live_set::{LiveSet, Release};
use crate::compare::Channels;
use crate::error::{Result, unless_refused};
use crate::floor::noise::{self, Amplitude, Floor, MOST_RUNS, R};
use crate::floor::{Family, Rounding};
use crate::graph::{Graph, Step};
use crate::subject::Judge;
use crate::tensor::{DType, Tensor};
use crate::watch::Watch;
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

/// What the walk needs to know.
pub struct Task<'a> {
    pub graph: &'a Graph,
    pub inputs: &'a IndexMap<String, Tensor>,
    /// Values of the reference that no noise may move: decisions, integers, what reaches a shape.
    pub replay: &'a HashMap<String, Tensor>,
    /// Tensors whose floor is asked for, with their number of elements.
    pub wanted: &'a HashMap<String, usize>,
    /// Those of them, of three axes, whose spread is asked for by their first two: what is pooled over images tells nothing of one.
    pub by_row: &'a HashSet<String>,
    /// The dtype that an engine computes a tensor in; f32 where it was not seen.
    pub dtypes: &'a HashMap<String, DType>,
    pub seed: u64,
    /// How many times B/R the noise is.
    pub times: f64,
    /// Decisions that are taken in every run and not replayed.
    pub free: Option<Free<'a>>,
}

/// Steps that decide anew in every run, on a first input that is moved by R of its spreads: one way in a run, the other way in the next.
#[derive(Clone, Copy)]
pub struct Free<'a> {
    pub steps: &'a HashSet<usize>,
    pub spreads: &'a HashMap<String, Floor>,
}

impl Free<'_> {
    /// The first input of output `at`'s step as run `run` takes it.
    fn moved(&self, name: &str, value: Tensor, seed: u64, run: u32, at: usize) -> Tensor {
        let Some(floor) = self.spreads.get(name).filter(|_| run > 0) else {
            return value;
        };
        let up = if run % 2 == 1 { R } else { -R };
        noise::moved(
            &value,
            floor,
            up,
            &mut noise::signs(seed, MOST_RUNS + run.div_ceil(2), at),
        )
        .unwrap_or(value)
    }
}

/// Inputs by which an operator is told a shape, a size, a scale or a place: (operator, first such input).
const TELLS_SHAPE: &[(&str, usize)] = &[
    ("Resize", 1),
    ("Upsample", 1),
    ("Range", 0),
    ("OneHot", 1),
    ("ConstantOfShape", 0),
];

/// Names of the tensors that decide a shape somewhere in the graph.
pub fn shaping(graph: &Graph) -> HashSet<&str> {
    let nodes = graph.steps.iter().flat_map(|s| &s.nodes);
    let first = |op: &str| {
        TELLS_SHAPE
            .iter()
            .find(|row| row.0 == op)
            .map_or(usize::MAX, |row| row.1)
    };
    nodes
        .flat_map(|n| n.inputs.iter().skip(first(&n.op)))
        .map(String::as_str)
        .collect()
}

/// Floors of the wanted tensors from these runs (the first is 1), as far as each takes them.
pub fn run(
    task: &Task,
    runs: RangeInclusive<u32>,
    judge: &mut dyn Judge,
    watch: &mut dyn Watch,
) -> Result<HashMap<String, Floor>> {
    over(
        task,
        &(0..task.graph.steps.len()).collect::<Vec<_>>(),
        runs,
        judge,
        watch,
    )
}

/// The same over some of the steps (ascending); what they take from others is among the inputs, undisturbed.
pub fn over(
    task: &Task,
    steps: &[usize],
    runs: RangeInclusive<u32>,
    judge: &mut dyn Judge,
    watch: &mut dyn Watch,
) -> Result<HashMap<String, Floor>> {
    let most = task
        .wanted
        .values()
        .map(|numel| noise::runs_for(*numel))
        .max()
        .unwrap_or(0);
    // Run 0 is undisturbed; what it decides and the reference does not, the others take over.
    let runs: Vec<u32> = std::iter::once(0)
        .chain(runs.filter(|run| *run <= most))
        .collect();
    let last = steps.iter().rposition(|i| {
        task.graph.steps[*i]
            .outputs
            .iter()
            .any(|o| task.wanted.contains_key(o))
    });
    let Some(last) = last else {
        return Ok(HashMap::new());
    };
    let release = Release::of(&[task.graph, judge.graph()]);
    let mut alive: Vec<(u32, LiveSet)> = runs
        .into_iter()
        .map(|run| (run, LiveSet::of(task.inputs)))
        .collect();
    let mut floors = HashMap::new();
    watch.phase("noise", last + 1);
    for (done, &i) in steps[..=last].iter().enumerate() {
        one_step(
            task,
            i,
            &task.graph.steps[i],
            judge,
            &mut alive,
            &mut floors,
        )?;
        alive
            .iter_mut()
            .for_each(|(_, v)| v.drop_after(i, &release));
        watch.step(done + 1);
    }
    Ok(floors)
}

fn one_step(
    task: &Task,
    i: usize,
    step: &Step,
    judge: &mut dyn Judge,
    alive: &mut [(u32, LiveSet)],
    floors: &mut HashMap<String, Floor>,
) -> Result<()> {
    let free = task.free.filter(|f| f.steps.contains(&i));
    if free.is_none() && step.outputs.iter().all(|o| task.replay.contains_key(o)) {
        for (_, values) in alive.iter_mut() {
            step.outputs
                .iter()
                .for_each(|n| values.put(n, task.replay[n].clone()));
        }
        return Ok(());
    }
    // What the shadow refuses, and what lies behind it, has no floor.
    let at_hand = missing(task.graph, step, &alive[0].1).is_none();
    let exact = if at_hand {
        unless_refused(judge.eval(i, &|n| alive[0].1.get(n)))?
    } else {
        None
    };
    let Some(exact) = exact else { return Ok(()) };
    // What a node rounds depends on which of its terms are equal, and that on how they are stored.
    let mut rounding = judge.rounding(
        i,
        &|n| alive[0].1.get(n).map(|t| stored(t, dtype(task, n))),
        &exact,
    )?;
    let narrows: Vec<bool> = exact
        .iter()
        .map(|t| !step.inputs.is_empty() && is_half(t))
        .collect();
    let exact: Vec<Tensor> = exact
        .into_iter()
        .zip(&narrows)
        .map(|(t, n)| if *n { widened(&t) } else { t })
        .collect();
    for ((rounding, value), _) in rounding
        .iter_mut()
        .zip(&exact)
        .zip(&narrows)
        .filter(|(_, n)| **n)
    {
        *rounding = narrowing(value);
    }
    for (run, values) in alive.iter_mut() {
        let run = *run;
        let fed = |n: &str| match (values.get(n), free) {
            (Some(value), Some(free)) if step.inputs.first().is_some_and(|f| f == n) => {
                Some(free.moved(n, value, task.seed, run, i << 8))
            }
            (value, _) => value,
        };
        let outputs = if run == 0 {
            exact.clone()
        } else {
            unless_refused(judge.eval(i, &fed))?.unwrap_or_else(|| refused(&exact))
        };
        for (k, (name, value)) in step.outputs.iter().zip(outputs).enumerate() {
            let value = if narrows[k] { widened(&value) } else { value };
            let value = match task.replay.get(name).filter(|_| free.is_none()) {
                Some(recorded) => recorded.clone(),
                None if run == 0 || free.is_none() && decides(&value, &rounding[k]) => {
                    exact[k].clone()
                }
                None => disturb(
                    value,
                    (dtype(task, name), task.times),
                    &rounding[k],
                    noise::signs(task.seed, run, i << 8 | k),
                ),
            };
            let rows = task.by_row.contains(name);
            let axis = if rows {
                Some(0)
            } else {
                noise::axis_for(exact[k].shape())
            };
            let wanted = run > 0
                && task
                    .wanted
                    .get(name)
                    .is_some_and(|numel| run <= noise::runs_for(*numel));
            if let Some(channels) = wanted
                .then(|| deviation(&exact[k], &value, axis, rows))
                .flatten()
            {
                floors
                    .entry(name.clone())
                    .or_insert_with(|| Floor {
                        axis,
                        ..Default::default()
                    })
                    .add(&channels);
            }
            values.put(name, value);
        }
    }
    Ok(())
}

/// What a noisy run makes of a step that refuses its inputs: nothing can be said of the spread.
fn refused(exact: &[Tensor]) -> Vec<Tensor> {
    let open = |t: &Tensor| {
        if t.dtype().is_float() {
            Tensor::from_vec(t.shape(), vec![f64::NAN; t.numel()])
        } else {
            t.clone()
        }
    };
    exact.iter().map(open).collect()
}

/// What the undisturbed run decides over some of the steps, and the reference does not.
pub fn decisions(
    task: &Task,
    steps: &[usize],
    judge: &mut dyn Judge,
) -> Result<HashMap<String, Tensor>> {
    let release = Release::of(&[task.graph, judge.graph()]);
    let (mut values, mut found) = (LiveSet::of(task.inputs), HashMap::new());
    for &i in steps {
        let step = &task.graph.steps[i];
        let at_hand = missing(task.graph, step, &values).is_none();
        let exact = if at_hand {
            unless_refused(judge.eval(i, &|n| values.get(n)))?
        } else {
            None
        };
        // What the shadow refuses it decides nothing of.
        let Some(exact) = exact else { continue };
        let rounding = judge.rounding(i, &|n| values.get(n), &exact)?;
        for ((name, value), rounding) in step.outputs.iter().zip(exact).zip(&rounding) {
            match task.replay.get(name) {
                Some(recorded) => values.put(name, recorded.clone()),
                None => {
                    found.extend(decides(&value, rounding).then(|| (name.clone(), value.clone())));
                    values.put(name, value);
                }
            }
        }
        values.drop_after(i, &release);
    }
    Ok(found)
}

/// Whether no noise may move a value: an integer, a truth value, a decision.
fn decides(value: &Tensor, rounding: &Rounding) -> bool {
    !value.dtype().is_float() || matches!(rounding, Rounding::Decision(_))
}

fn deviation(exact: &Tensor, noisy: &Tensor, axis: Option<usize>, rows: bool) -> Option<Channels> {
    match (exact.shape(), rows) {
        (&[b, g, a], true) => {
            let flat = |t: &Tensor| Tensor::from_vec(&[b * g, a], t.to_f64());
            (exact.shape() == noisy.shape())
                .then(|| noise::deviation(&flat(exact), &flat(noisy), axis))?
        }
        _ => noise::deviation(exact, noisy, axis),
    }
}

/// Half precision, which the shadow has only where a node casts to it.
fn is_half(t: &Tensor) -> bool {
    matches!(t.dtype(), DType::F16 | DType::BF16)
}

/// The values as a tensor of half precision holds them; what it does not hold, and every other dtype, as it is.
fn stored(t: Tensor, dtype: DType) -> Tensor {
    let Some(values) = t
        .values::<f64>()
        .filter(|_| matches!(dtype, DType::F16 | DType::BF16))
    else {
        return t;
    };
    let Ok(narrow) = Tensor::from_f64(dtype, t.shape(), values) else {
        return t;
    };
    let held = narrow
        .to_f64()
        .into_iter()
        .zip(values)
        .map(|(held, value)| if held.is_finite() { held } else { *value });
    Tensor::from_vec(t.shape(), held.collect::<Vec<f64>>())
}

fn widened(t: &Tensor) -> Tensor {
    Tensor::from_vec(t.shape(), t.to_f64())
}

/// What a cast to half precision does to inputs that are off already: bit-exact alone, it may round them the other way.
fn narrowing(value: &Tensor) -> Rounding {
    let scale = Tensor::from_vec(
        value.shape(),
        value.to_f64().iter().map(|v| v.abs()).collect::<Vec<f64>>(),
    );
    Rounding::Within {
        family: Family::Arithmetic,
        scale,
        terms: 1,
    }
}

fn dtype(task: &Task, name: &str) -> DType {
    task.dtypes.get(name).copied().unwrap_or(DType::F32)
}

fn disturb(
    value: Tensor,
    (dtype, times): (DType, f64),
    rounding: &Rounding,
    mut rng: rand_chacha::ChaCha8Rng,
) -> Tensor {
    match rounding {
        Rounding::Within {
            family,
            scale,
            terms,
        } if scale.shape() == value.shape() => noise::disturbed(
            &value,
            scale,
            Amplitude::of(*family, *terms, dtype).times(times),
            &mut rng,
        )
        .unwrap_or(value),
        Rounding::Within { .. }
        | Rounding::Exact
        | Rounding::Decision(_)
        | Rounding::Selection(_)
        | Rounding::Random => value,
    }
}
