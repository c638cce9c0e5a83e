//! function: two programs on the same inputs: both whole, then every stretch between pairs in f64 on the other side's values. A graph computes in f64; a
//! recording computes nothing, and the graph beside it runs the stretches.

use super::noise;
use super::shaken::shaken;
use super::whole::{self, Stretch, stretch};
use crate::error::Result;
use crate::floor::noise::{Floor, MOST_RUNS, axis_for, deviation};
use crate::graph::Graph;
use crate::judge::function::{self, Allowed};
use crate::pairing::{self, Pair, Pairing, Unshared};
use crate::program::Program;
use crate::subject::Judge;
use crate::tensor::{DType, Tensor};
use crate::verdict::{Blame, Explained};
use crate::watch::{Silent, Watch};
use indexmap::IndexMap;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The noise that floors are measured with, in roundings of f32: far above what f64 itself rounds, far below what bends a graph.
pub const SHAKEN: f64 = 1.0 / 4096.0;

/// From noise of [`SHAKEN`] f32 roundings to f64's own.
pub const TO_F64: f64 = (f64::EPSILON / f32::EPSILON as f64) / SHAKEN;

/// One program, its inputs and what it makes of them.
pub struct Side {
    pub graph: Arc<Graph>,
    /// Computes the graph in f64, piece by piece; of a recording those pieces that are rebuilt, None where nobody can.
    judge: Option<Box<dyn Judge>>,
    is_recorded: bool,
    pub inputs: IndexMap<String, Tensor>,
    pub values: HashMap<String, Tensor>,
    /// What the values were computed in.
    pub dtype: DType,
    /// How far each value may be off by rounding, where a recorder measured it.
    pub recorded: HashMap<String, Floor>,
    /// Those that the program keeps with channels last, and that are held here with channels first.
    pub turned: HashSet<String>,
    /// What was drawn at random, in a run that is recorded.
    drawn: HashSet<String>,
    /// Where each step stands in the user's code, as far as that is known.
    pub places: BTreeMap<String, String>,
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
        let (none, nothing) = (HashMap::new(), HashMap::new());
        let values = whole::run(&mut *judge, &inputs, &none)?;
        let steps: Vec<usize> = (0..graph.steps.len()).collect();
        let places = graph.places();
        let asked = Asked::of(&graph, DType::F64);
        let task = asked.task(&inputs, (&none, &nothing, 0));
        let decisions = noise::decisions(&task, &steps, &mut *judge)?;
        Ok(Self {
            graph,
            judge: Some(judge),
            is_recorded: false,
            inputs,
            values,
            dtype: DType::F64,
            recorded: HashMap::new(),
            turned: HashSet::new(),
            drawn: HashSet::new(),
            places,
            decisions,
        })
    }

    /// A recording, on the inputs that the other side is fed; `open` is asked for what runs its rebuilt pieces.
    pub fn recorded(
        program: Program,
        inputs: IndexMap<String, Tensor>,
        open: Option<Opens>,
    ) -> Result<Self> {
        let graph = Arc::new(program.graph);
        Ok(Self {
            judge: open.map(|open| open(graph.clone())).transpose()?,
            graph,
            is_recorded: true,
            inputs,
            values: program.values,
            dtype: program.dtype,
            recorded: program.floors,
            turned: HashSet::new(),
            drawn: program.drawn,
            places: program.places,
            decisions: HashMap::new(),
        })
    }

    /// The same graph with these tensors in the place of the weights that it holds under their names.
    ///
    /// # Errors
    /// The graph cannot be opened.
    pub fn holding(&self, weights: Vec<(String, Tensor)>, open: Opens) -> Result<Self> {
        Ok(Self {
            judge: Some(open(Arc::new(self.graph.storing(weights)))?),
            // What it computed itself it computed with others: it is not tried on that.
            is_recorded: false,
            graph: self.graph.clone(),
            inputs: self.inputs.clone(),
            values: self.values.clone(),
            dtype: self.dtype,
            recorded: HashMap::new(),
            turned: HashSet::new(),
            drawn: HashSet::new(),
            places: BTreeMap::new(),
            decisions: self.decisions.clone(),
        })
    }

    /// As the pairing sees it.
    pub fn viewed(&self) -> pairing::Side<'_> {
        pairing::Side {
            graph: &self.graph,
            values: &self.values,
            is_recorded: self.is_recorded,
        }
    }

    /// Whether one of these steps draws at random.
    pub fn draws(&self, steps: &[usize]) -> bool {
        let made = steps.iter().flat_map(|i| &self.graph.steps[*i].outputs);
        !self.drawn.is_empty() && made.into_iter().any(|name| self.drawn.contains(name))
    }

    /// Whether it computes all of its graph.
    pub fn computes(&self) -> bool {
        !self.is_recorded
    }

    /// Whether a tensor is decided, not rounded, in this side's graph.
    pub fn decides(&self, name: &str) -> bool {
        self.decisions.contains_key(name)
    }

    /// The spread of these tensors where every node rounds as `dtype` does; for f64 where every node is shaken by [`SHAKEN`] roundings of f32. Empty of
    /// a recording.
    ///
    /// # Errors
    /// Memory that runs out.
    pub fn floors(
        &mut self,
        wanted: &[&str],
        dtype: DType,
        seed: u64,
        watch: &mut dyn Watch,
    ) -> Result<HashMap<String, Floor>> {
        let numel = |name: &&str| Some((name.to_string(), self.values.get(*name)?.numel()));
        let wanted = wanted.iter().filter_map(numel).collect();
        let Some(judge) = self.judge.as_deref_mut().filter(|_| !self.is_recorded) else {
            return Ok(HashMap::new());
        };
        let asked = Asked::of(&self.graph, dtype);
        let task = asked.task(&self.inputs, (&self.decisions, &wanted, seed));
        noise::run(&task, 1..=MOST_RUNS, judge, watch)
    }

    /// What a stretch makes of `feed`, and how far rounding in `dtype` spreads that; None where it cannot be run.
    ///
    /// # Errors
    /// Memory that runs out.
    fn stretch(
        &mut self,
        stretch: &Stretch,
        tensor: &str,
        feed: &HashMap<String, Tensor>,
        (dtype, seed): (DType, u64),
    ) -> Result<Option<(Tensor, Option<Floor>)>> {
        let Some(judge) = self.judge.as_deref_mut() else {
            return Ok(None);
        };
        let Some(made) = whole::over(judge, stretch, tensor, feed)? else {
            return Ok(None);
        };
        if dtype == DType::F64 || !made.dtype().is_float() {
            return Ok(Some((made, None)));
        }
        let asked = Asked::of(&self.graph, dtype);
        let inputs: IndexMap<String, Tensor> =
            feed.iter().map(|(n, t)| (n.clone(), t.clone())).collect();
        let (none, wanted) = (HashMap::new(), [(tensor.to_string(), made.numel())].into());
        let task = asked.task(&inputs, (&none, &wanted, seed));
        let runs = 1..=MOST_RUNS;
        let mut floors = noise::over(&task, &stretch.steps, runs, judge, &mut Silent)?;
        Ok(Some((made, floors.remove(tensor))))
    }

    /// The spread of these tensors where each constant that is `open` is moved by two roundings of `storage`; `judge` opens a graph.
    ///
    /// # Errors
    /// As `floors`.
    pub fn moved(
        &self,
        wanted: &[&str],
        open: &Unshared,
        storage: DType,
        (seed, runs): (u64, RangeInclusive<u32>),
        judge: Opens,
    ) -> Result<HashMap<String, Floor>> {
        let mut floors: HashMap<String, Floor> = HashMap::new();
        for run in runs.filter(|_| self.computes() && !open.is_empty()) {
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
                let fresh = || Floor::along(axis);
                floors
                    .entry(name.to_string())
                    .or_insert_with(fresh)
                    .add(&channels);
            }
        }
        Ok(floors)
    }
}

/// Noise on every node of a graph.
struct Asked<'a> {
    graph: &'a Graph,
    dtypes: HashMap<String, DType>,
    times: f64,
}

impl<'a> Asked<'a> {
    fn of(graph: &'a Graph, dtype: DType) -> Self {
        let made = graph.steps.iter().flat_map(|s| &s.outputs);
        let (dtypes, times) = if dtype == DType::F64 {
            (HashMap::new(), SHAKEN)
        } else {
            (made.map(|n| (n.clone(), dtype)).collect(), 1.0)
        };
        Self {
            graph,
            dtypes,
            times,
        }
    }

    fn task<'t>(
        &'t self,
        inputs: &'t IndexMap<String, Tensor>,
        (replay, wanted, seed): (&'t HashMap<String, Tensor>, &'t HashMap<String, usize>, u64),
    ) -> noise::Task<'t> {
        static NONE: std::sync::LazyLock<HashSet<String>> = std::sync::LazyLock::new(HashSet::new);
        noise::Task {
            graph: self.graph,
            inputs,
            replay,
            wanted,
            by_row: &NONE,
            dtypes: &self.dtypes,
            seed,
            times: self.times,
            free: None,
        }
    }
}

/// Opens the f64 judge of a graph.
pub type Opens<'a> = &'a dyn Fn(Arc<Graph>) -> Result<Box<dyn Judge>>;

/// What stands between a pair and the pairs in front of it.
pub struct Between {
    pub pair: Pair,
    pub reference: Stretch,
    pub candidate: Stretch,
    /// None where the stretch could not be run on the other side's values.
    pub alone: Option<Alone>,
    /// Why it is off alone, where that was found out.
    pub blame: Option<Blame>,
    /// The cause that explains it, where one was looked for.
    pub why: Option<Explained>,
    /// Whether a decision inside that rounding can flip explains that it is off.
    pub flips: bool,
}

impl Between {
    /// Of either side, by its place.
    pub fn stretch(&self, by: usize) -> &Stretch {
        [&self.reference, &self.candidate][by]
    }
}

/// A stretch on the other side's values.
pub struct Alone {
    /// The reference's tensor and the candidate's, of which one was computed from the other side's values.
    pub held: [Tensor; 2],
    /// How far the other side's rounding spreads it; None where that is f64's own.
    pub noise: Option<Floor>,
}

/// Every pair of which both sides have a value, alone.
///
/// # Errors
/// As `Side::run`.
pub fn between(
    sides: &mut [&mut Side; 2],
    pairing: &Pairing,
    seed: u64,
    watch: &mut dyn Watch,
) -> Result<Vec<Between>> {
    let cut = Cut::of([&*sides[0], &*sides[1]], pairing, seed);
    watch.phase("pairs", pairing.pairs.len());
    let mut all = Vec::with_capacity(pairing.pairs.len());
    for (done, pair) in pairing.pairs.iter().enumerate() {
        let side = &mut *sides[cut.by];
        let name = cut.computed(pair);
        if cut.made[cut.by].contains_key(name) && side.values.contains_key(name) {
            all.push(cut.between(side, pair, &HashSet::new())?);
        }
        watch.step(done + 1);
    }
    Ok(all)
}

/// The side that runs stretches: the candidate, then the reference, where it computes; else a recording that is rebuilt, the reference first.
fn runs(sides: [&Side; 2]) -> usize {
    let first = |is: &dyn Fn(&Side) -> bool| [1, 0].into_iter().find(|at| is(sides[*at]));
    let rebuilt = || [0, 1].into_iter().find(|at| sides[*at].judge.is_some());
    first(&|s| s.computes()).or_else(rebuilt).unwrap_or(0)
}

/// A number in the dtype in which the side that runs computes with it, where that holds it: an index may be of any width, or of a float's dtype already,
/// and what is subtracted from it wraps in some.
fn as_own(value: &Tensor, dtype: Option<DType>) -> Tensor {
    let is_number = |d: DType| d != DType::Bool;
    let wanted = dtype.filter(|d| *d != value.dtype() && is_number(*d) && is_number(value.dtype()));
    let cast = wanted.and_then(|d| Tensor::from_f64(d, value.shape(), &value.to_f64()).ok());
    let same = cast.filter(|cast| cast.to_f64() == value.to_f64());
    same.unwrap_or_else(|| value.clone())
}

/// Where stretches may begin: paired tensors, with the values of the side that does not run them.
pub struct Cut {
    /// Which side runs the stretches.
    pub by: usize,
    /// What the other one computed in.
    dtype: DType,
    seed: u64,
    /// By name in the side that runs, the other's value.
    pub known: HashMap<String, Tensor>,
    /// By name in the reference, the name in the candidate.
    partner: HashMap<String, String>,
    /// Names of pairs in the candidate.
    paired: HashSet<String>,
    graphs: [Arc<Graph>; 2],
    /// Which step of either makes a tensor.
    made: [HashMap<String, usize>; 2],
}

impl Cut {
    pub fn of(sides: [&Side; 2], pairing: &Pairing, seed: u64) -> Self {
        Self::by(runs(sides), sides, pairing, seed)
    }

    /// The same where side `by` runs the stretches.
    pub fn by(by: usize, sides: [&Side; 2], pairing: &Pairing, seed: u64) -> Self {
        let other = sides[1 - by];
        let value = |p: &Pair| {
            let names = [&p.reference, &p.candidate];
            let value = other.values.get(names[1 - by])?;
            let own = sides[by].values.get(names[by]).map(Tensor::dtype);
            Some((names[by].clone(), as_own(value, own)))
        };
        let names = |p: &Pair| (p.reference.clone(), p.candidate.clone());
        let graphs = sides.map(|s| s.graph.clone());
        let made = |g: &Arc<Graph>| {
            let made = g.producers().into_iter();
            made.map(|(n, step)| (n.to_string(), step)).collect()
        };
        let known: HashMap<String, Tensor> = pairing.pairs.iter().filter_map(value).collect();
        let held = pairing.pairs.iter();
        let held = held.filter(|p| known.contains_key([&p.reference, &p.candidate][by]));
        Self {
            by,
            dtype: other.dtype,
            seed,
            paired: held.map(|p| p.candidate.clone()).collect(),
            known,
            partner: pairing.pairs.iter().map(names).collect(),
            made: [made(&graphs[0]), made(&graphs[1])],
            graphs,
        }
    }

    /// What the side that runs calls the pair.
    pub fn computed<'p>(&self, pair: &'p Pair) -> &'p String {
        [&pair.reference, &pair.candidate][self.by]
    }

    /// What the side that runs made of the other one's values, beside what that had there; the reference's first.
    pub fn held(&self, name: &str, made: Tensor) -> Option<[Tensor; 2]> {
        let mut held = [self.known.get(name)?.clone(), made];
        if self.by == 0 {
            held.reverse();
        }
        Some(held)
    }

    /// Whether the stretch is what the side itself computed: a piece of a recording is rebuilt by what its recorder says, and tried on what was recorded.
    fn holds(&self, side: &mut Side, stretch: &Stretch, tensor: &str) -> Result<bool> {
        if !side.is_recorded {
            return Ok(true);
        }
        let own = |n: &String| Some((n.clone(), side.values.get(n)?.clone()));
        let feed: HashMap<String, Tensor> = stretch.from.iter().filter_map(own).collect();
        let (Some(was), true) = (
            side.values.get(tensor).cloned(),
            feed.len() == stretch.from.len(),
        ) else {
            return Ok(false);
        };
        let made = side.stretch(stretch, tensor, &feed, (side.dtype, self.seed))?;
        let Some((made, noise)) = made else {
            return Ok(false);
        };
        let allowed = Allowed {
            rounding: noise,
            ..Allowed::default()
        };
        let alone = function::alone(&was, &made, &allowed, Default::default());
        Ok(alone.compared() && !alone.over())
    }

    /// How far rounding spreads the pair alone where the decisions inside the stretch are taken anew in every run; None where nothing decides there.
    ///
    /// # Errors
    /// As `Side::run`.
    pub fn undecided(&self, side: &mut Side, between: &Between) -> Result<Option<Floor>> {
        let stretch = between.stretch(self.by);
        let name = self.computed(&between.pair);
        let value = |n: &String| Some((n.clone(), self.known.get(n)?.clone()));
        let feed: IndexMap<String, Tensor> = stretch.from.iter().filter_map(value).collect();
        let (Some(judge), Some(own)) = (side.judge.as_deref_mut(), side.values.get(name)) else {
            return Ok(None);
        };
        let decide = stretch.steps.iter().copied().filter(|i| judge.decides(*i));
        let decide: HashSet<usize> = decide.collect();
        if decide.is_empty() || self.dtype == DType::F64 || feed.len() < stretch.from.len() {
            return Ok(None);
        }
        let of = |i: &usize| side.graph.steps[*i].inputs.first().cloned();
        let border: Vec<String> = decide.iter().filter_map(of).collect();
        let wanted: HashMap<String, usize> = border.into_iter().map(|n| (n, own.numel())).collect();
        let (none, asked) = (HashMap::new(), Asked::of(&side.graph, self.dtype));
        let task = asked.task(&feed, (&none, &wanted, self.seed));
        let runs = 1..=MOST_RUNS;
        let spreads = noise::over(&task, &stretch.steps, runs.clone(), judge, &mut Silent)?;
        let wanted = HashMap::from([(name.clone(), own.numel())]);
        let task = noise::Task {
            free: Some(noise::Free {
                steps: &decide,
                spreads: &spreads,
            }),
            ..asked.task(&feed, (&none, &wanted, self.seed))
        };
        let mut floors = noise::over(&task, &stretch.steps, runs, judge, &mut Silent)?;
        Ok(floors.remove(name))
    }

    /// The pair alone, where no stretch begins at any of `without` (names in the candidate); `side` is the one that runs.
    ///
    /// # Errors
    /// As `Side::run`.
    pub fn between(
        &self,
        side: &mut Side,
        pair: &Pair,
        without: &HashSet<&str>,
    ) -> Result<Between> {
        let theirs_stop = |n: &str| self.paired.contains(n) && !without.contains(n);
        let ours_stop = |n: &str| self.partner.get(n).is_some_and(|n| theirs_stop(n));
        let [ours, theirs] = &self.graphs;
        let stretches = [
            stretch(ours, &self.made[0], &pair.reference, &ours_stop),
            stretch(theirs, &self.made[1], &pair.candidate, &theirs_stop),
        ];
        let (own, name) = (&stretches[self.by], self.computed(pair));
        let value = |n: &String| Some((n.clone(), self.known.get(n)?.clone()));
        let feed: HashMap<String, Tensor> = own.from.iter().filter_map(value).collect();
        let known = feed.len() == own.from.len() && self.holds(side, own, name)?;
        let made = match known {
            true => side.stretch(own, name, &feed, (self.dtype, self.seed))?,
            false => None,
        };
        let alone = made.and_then(|(made, noise)| {
            let held = self.held(name, made)?;
            Some(Alone { held, noise })
        });
        let [reference, candidate] = stretches;
        Ok(Between {
            pair: pair.clone(),
            reference,
            candidate,
            alone,
            blame: None,
            why: None,
            flips: false,
        })
    }
}
