//! pipeline: the program on one screen: scenario -> subjects -> layers -> noise -> verdict -> run.

use crate::compare::Tolerance as Stated;
use crate::environment;
use crate::error::{Place, Result};
use crate::golden::store;
use crate::graph::{Graph, load};
use crate::input;
use crate::pass::bench::{Bench, Control, Faulty};
use crate::pass::isolated::Kinship;
use crate::pass::layers::{self, Layers};
use crate::pass::unobserved::{self, Whole};
use crate::pass::{Plan, Watch, accumulated, inputs as stage_0, noise, params as stage_1, preflight, training, witness};
use crate::run::{Run, expectation};
use crate::scenario::{Scenario, Stage, Subject, Tolerance, ToleranceKind};
use crate::stage::regions::Regions;
use crate::stage::verdicts;
use crate::subject::{Engines, Judge, Options, Session, fault, open};
use crate::tensor::{DType, Tensor};
use crate::trace::record::Recorder;
use crate::verdict::{Ancestry, Ledger, Outcome, Verdict, decide, ledger};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Runs `scenario`; `record` is the folder that receives both traces.
pub fn run(scenario: &Scenario, engines: Engines, watch: &mut dyn Watch, record: Option<&Path>) -> Result<Run> {
    let mut clock = Clock::start();
    let graph = Arc::new(load::file(&scenario.model)?);
    scenario.training.iter().try_for_each(|t| preflight::tensors(&graph, t))?;
    preflight::faults(scenario)?;
    let plan = Plan::of(&graph, scenario)?;
    let inputs = input::make(scenario, &graph)?;
    let golden = scenario.golden.as_deref().map(|folder| store::open_for(folder, scenario.name.as_deref().unwrap_or(""))).transpose()?;
    let params = if scenario.runs(Stage::Params) { Some(stage_1::run(scenario, &graph, golden.as_ref())?) } else { None };
    scenario.training.iter().try_for_each(|t| preflight::inputs(&graph, t, &inputs))?;
    let threads = scenario.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let reference = open(&scenario.reference, &graph, threads, engines).at("reference")?;
    let candidate = open(&scenario.candidate, &graph, threads, engines).at("candidate")?;
    let stated = stated(&scenario.tolerance);
    let judge = if stated.is_none() { Some(shadow(scenario, &graph, threads, engines)?) } else { None };
    clock.lap("open");

    let mut bench = Bench {
        graph: &graph,
        inputs: &inputs,
        reference,
        candidate,
        judge,
        stated,
        kinship: Kinship { reference: scenario.reference.engine() == "libtorch", candidate: scenario.candidate.engine() == "libtorch" },
        controls: controls(scenario, &graph, threads, engines)?,
        golden: golden.as_ref(),
        record: record.map(Recorder::create).transpose()?,
    };
    let mut layers = layers::run(&mut bench, &plan, watch)?;
    let traces = bench.record.take();
    clock.lap("layers");

    let runs = |stage| scenario.runs(stage);
    let whole = |s: &mut dyn Session| if runs(Stage::Activations) { s.unobserved(&|n| inputs.get(n).cloned()) } else { Ok(None) };
    let whole_r = whole(&mut *bench.reference).at("reference, un-observed")?;
    let whole_c = whole(&mut *bench.candidate).at("candidate, un-observed")?;
    clock.lap("unobserved");

    let mut wanted = floors_wanted(&layers, record.is_some(), &[&whole_r, &whole_c]);
    wanted.extend(witness::wanted(&layers.witnessed));
    let floors = match &mut bench.judge {
        Some(judge) if !wanted.is_empty() => {
            let (dtypes, replay, seed) = (layers.dtypes(), &layers.replay, scenario.seed);
            let task = noise::Task { graph: &graph, inputs: &inputs, replay, wanted: &wanted, dtypes: &dtypes, seed };
            noise::run(&task, &mut **judge, watch)?
        }
        _ => HashMap::new(),
    };
    clock.lap("noise");
    let regions = scenario.training.as_ref().map_or(Ok(Regions::default()), |t| Regions::of(&graph, t))?;

    let pending = std::mem::take(&mut layers.pending);
    accumulated::settle(&mut layers.results, pending, &floors, &|step| graph.steps[step].inputs.clone());
    let witnessed = witness::settle(std::mem::take(&mut layers.witnessed), &floors);
    let mut stages = match (&scenario.training, &mut bench.judge) {
        (Some(training), Some(judge)) => {
            let (regions, golden) = (&regions, golden.as_ref());
            let task =
                training::Task { scenario, training, graph: &graph, regions, inputs: &inputs, layers: &layers, golden, engines, threads };
            Some(training::run(&task, &mut **judge, watch)?)
        }
        _ => None,
    };
    clock.lap("training");
    let behind = stages.is_some();
    let found = stages.get_or_insert_default();
    found.params = params;
    found.golden = golden.as_ref().map(|g| stage_0::beside(g, scenario.golden.as_deref(), witnessed, engines));
    let names = (environment::describe(&scenario.reference, engines)?, environment::describe(&scenario.candidate, engines)?);
    let records = stage_0::records(&inputs);
    if let Some(traces) = traces {
        traces.finish((&names.0, &names.1), &scenario.model, &graph, &records, &floors)?;
    }
    let mut unobserved = unobserved::judge(&names.0, whole_r, &layers.reference_outputs, &floors, stated.as_ref());
    unobserved.extend(unobserved::judge(&names.1, whole_c, &layers.candidate_outputs, &floors, stated.as_ref()));

    let sessions: [&dyn Session; 2] = [&*bench.reference, &*bench.candidate];
    let recorded = sessions.iter().map(|s| s.recorded_inputs()).chain(golden.iter().map(|g| g.facts.inputs.clone()));
    let blamed = recorded.filter(|_| runs(Stage::Inputs)).flat_map(|r| stage_0::mismatches(&r, &records)).collect();
    let mut verdict = decide(&layers.results, &ancestry(&graph), &unobserved, blamed);
    let asked: Vec<Stage> = Stage::ALL.into_iter().filter(|s| runs(*s)).collect();
    let stages = stages.unwrap_or_default();
    let found = verdicts(&asked, &verdict, &regions, &stages, behind);
    verdict.conclude(found);
    let unpaired = golden.iter().flat_map(|g| stage_0::unpaired(g, &graph));
    let leftovers = sessions.iter().flat_map(|s| s.leftovers()).chain(unpaired).collect();
    let mut ledger = ledger(&layers.results, leftovers, &|n| plan.excused(n));
    if !runs(Stage::Activations) {
        only_inputs(&mut verdict, &mut ledger, records.len(), stage_0::proved(&sessions, &records));
    }
    let environment = environment::record(names, bench.judge.is_some(), threads, &graph);
    clock.lap("verdict");
    Ok(Run {
        format: 1,
        expectation: expectation(&scenario.expect, &verdict, &ledger),
        scenario: Some(scenario.clone()),
        environment,
        inputs: records,
        verdict,
        ledger,
        tensors: layers.results,
        graph_inputs: graph.steps.iter().map(|s| (s.name.clone(), s.inputs.clone())).collect(),
        unobserved,
        stages,
        timings: clock.laps,
    })
}

/// Only stage 0 ran: its tensors are the inputs.
fn only_inputs(verdict: &mut Verdict, ledger: &mut Ledger, inputs: usize, proved: usize) {
    (ledger.tensors, ledger.compared) = (inputs, proved);
    if proved > 0 && verdict.outcome == Outcome::Nothing {
        verdict.outcome = Outcome::Agree;
    }
}

/// The user's own tolerance; None for the floor.
fn stated(t: &Tolerance) -> Option<Stated> {
    match t.kind.unwrap_or(ToleranceKind::Floor) {
        ToleranceKind::Floor => None,
        ToleranceKind::Exact => Some(Stated::Exact),
        ToleranceKind::Flat => Some(Stated::Flat { atol: t.atol.unwrap_or(0.0), rtol: t.rtol.unwrap_or(0.0) }),
        ToleranceKind::Ulp => Some(Stated::Ulp(t.ulp.unwrap_or(0))),
    }
}

/// The f64 shadow; it carries the injected fault only where the scenario says so, to try the judge itself.
fn shadow(scenario: &Scenario, graph: &Arc<Graph>, threads: usize, engines: Engines) -> Result<Box<dyn Judge>> {
    let sick = [&scenario.reference, &scenario.candidate].into_iter().find(|s| s.and_shadow);
    let graph = sick.map_or(Ok(graph.clone()), |s| open::graph_of(s, graph))?;
    let options = Options { threads, optimisation: Default::default() };
    engines.torch()?.judge(graph, &options).at("f64 shadow").map_err(|e| match e.next {
        Some(_) => e,
        None => e.next("or state a tolerance of your own: tolerance = { kind = \"flat\", atol = ..., rtol = ..., why = \"...\" }"),
    })
}

/// For every injected fault of outputs the same engine without it.
fn controls(scenario: &Scenario, graph: &Arc<Graph>, threads: usize, engines: Engines) -> Result<Vec<Control>> {
    let sides = [(&scenario.reference, Faulty::Reference), (&scenario.candidate, Faulty::Candidate)];
    let of_outputs = |s: &&Subject| !s.fault.as_deref().is_some_and(fault::only_gradients);
    let faulty = sides.into_iter().filter(|(s, _)| of_outputs(s)).filter_map(|(s, side)| s.node.as_ref().map(|n| (s, n, side)));
    faulty
        .map(|(s, node, side)| {
            let clean = Subject { optimisation: s.optimisation, ..Subject::named(s.engine()) };
            Ok((fault::find(graph, node)?, open(&clean, graph, threads, engines)?, side))
        })
        .collect()
}

/// Tensors whose floor is needed, with their size.
fn floors_wanted(layers: &Layers, all: bool, whole: &[&Whole]) -> HashMap<String, usize> {
    let mut names: HashSet<String> = layers::wanted(layers, all);
    let differs = |n: &str, t: &Tensor| {
        [&layers.reference_outputs, &layers.candidate_outputs].iter().any(|o| o.get(n).is_some_and(|own| own.bytes() != t.bytes()))
    };
    names.extend(whole.iter().filter_map(|w| w.as_ref()).flatten().filter(|(n, t)| differs(n, t)).map(|(n, _)| n.clone()));
    let known = layers.results.iter().filter(|r| names.contains(&r.name));
    known.filter(|r| r.dtype.is_some_and(DType::is_float)).map(|r| (r.name.clone(), r.shape.iter().product())).collect()
}

fn ancestry(graph: &Graph) -> Ancestry {
    let producers = graph.producers();
    Ancestry(graph.steps.iter().map(|s| s.inputs.iter().filter_map(|n| producers.get(n.as_str()).copied()).collect()).collect())
}

/// Seconds per phase.
struct Clock {
    last: Instant,
    laps: BTreeMap<String, f64>,
}

impl Clock {
    fn start() -> Self {
        Self { last: Instant::now(), laps: BTreeMap::new() }
    }

    fn lap(&mut self, name: &str) {
        self.laps.insert(name.into(), self.last.elapsed().as_secs_f64());
        self.last = Instant::now();
    }
}
