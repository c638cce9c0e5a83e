//! pipeline: the program on one screen: scenario -> subjects -> layers -> noise -> verdict -> run.

use crate::compare::Tolerance as Stated;
use crate::error::{Error, Place, Result};
use crate::floor::noise::Floor;
use crate::graph::{Graph, load};
use crate::input;
use crate::pass::isolated::{Kinship, stated_ratio};
use crate::pass::layers::{self, Bench, Control, Faulty, Layers};
use crate::pass::{Plan, Watch, accumulated, noise};
use crate::run::{Environment, InputRecord, Run, expectation};
use crate::scenario::{Scenario, Stage, Subject, Tolerance, ToleranceKind};
use crate::subject::{Engines, Judge, Options, Session, fault, open};
use crate::tensor::Tensor;
use crate::trace::{Entry, write};
use crate::verdict::{Ancestry, Outcome, Unobserved, decide, ledger};
use indexmap::IndexMap;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Runs `scenario`; `record` is the folder that receives both traces.
pub fn run(scenario: &Scenario, engines: Engines, watch: &mut dyn Watch, record: Option<&Path>) -> Result<Run> {
    let mut clock = Clock::start();
    let graph = Arc::new(load::file(&scenario.model)?);
    let plan = Plan::of(&graph, scenario)?;
    let inputs = input::make(scenario, &graph)?;
    let threads = scenario.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let reference = open(&scenario.reference, &graph, threads, engines).at("reference")?;
    let candidate = open(&scenario.candidate, &graph, threads, engines).at("candidate")?;
    let stated = stated(&scenario.tolerance);
    let judge = if stated.is_none() { Some(shadow(scenario, &graph, threads, engines)?) } else { None };
    clock.lap("open");

    let writers =
        record.map(|folder| Ok::<_, Error>((trace_writer(folder, "reference")?, trace_writer(folder, "candidate")?))).transpose()?;
    let mut bench = Bench {
        graph: &graph,
        inputs: &inputs,
        reference,
        candidate,
        judge,
        stated,
        kinship: Kinship { reference: scenario.reference.engine() == "libtorch", candidate: scenario.candidate.engine() == "libtorch" },
        controls: controls(scenario, &graph, threads, engines)?,
        record: writers,
    };
    let mut layers = layers::run(&mut bench, &plan, watch)?;
    let writers = bench.record.take();
    clock.lap("layers");

    let (stage_0, stage_2) = (scenario.stages.contains(&Stage::Inputs), scenario.stages.contains(&Stage::Activations));
    let whole = |session: &mut dyn Session| if stage_2 { session.unobserved(&|n| inputs.get(n).cloned()) } else { Ok(None) };
    let whole_r = whole(&mut *bench.reference).at("reference, un-observed")?;
    let whole_c = whole(&mut *bench.candidate).at("candidate, un-observed")?;
    clock.lap("unobserved");

    let wanted = floors_wanted(&layers, record.is_some(), &[&whole_r, &whole_c]);
    let floors = match &mut bench.judge {
        Some(judge) if !wanted.is_empty() => {
            let task = noise::Task { graph: &graph, inputs: &inputs, replay: &layers.replay, wanted: &wanted, seed: scenario.seed };
            noise::run(&task, &mut **judge, watch)?
        }
        _ => HashMap::new(),
    };
    clock.lap("noise");

    let pending = std::mem::take(&mut layers.pending);
    accumulated::settle(&mut layers.results, pending, &floors, &|step| graph.steps[step].inputs.clone());
    let names = (describe(&scenario.reference, engines)?, describe(&scenario.candidate, engines)?);
    if let Some((to_r, to_c)) = writers {
        to_r.finish(&header(&names.0, scenario, &graph, &inputs, &floors))?;
        to_c.finish(&header(&names.1, scenario, &graph, &inputs, &floors))?;
    }
    let unobserved = [(&names.0, whole_r, &layers.reference_outputs), (&names.1, whole_c, &layers.candidate_outputs)];
    let unobserved: Vec<Unobserved> =
        unobserved.into_iter().flat_map(|(who, whole, own)| judge_unobserved(who, whole, own, &floors, stated.as_ref())).collect();

    let records: Vec<InputRecord> = inputs
        .iter()
        .map(|(name, t)| InputRecord { name: name.clone(), dtype: t.dtype(), shape: t.shape().to_vec(), sha256: input::digest(t) })
        .collect();
    let mismatch: Vec<String> = [&bench.reference, &bench.candidate].into_iter().flat_map(|s| input_mismatch(&**s, &records)).collect();
    let mismatch = if stage_0 { mismatch } else { vec![] };
    let mut verdict = decide(&layers.results, &ancestry(&graph), &unobserved, mismatch);
    let leftovers = [&bench.reference, &bench.candidate].into_iter().flat_map(|s| s.leftovers()).collect();
    let mut ledger = ledger(&layers.results, leftovers, &|n| plan.excused(n));
    if !stage_2 {
        // Only stage 0 ran: its tensors are the inputs.
        (ledger.tensors, ledger.compared) = (records.len(), proved_inputs(&[&*bench.reference, &*bench.candidate], &records));
        if ledger.compared > 0 && verdict.outcome == Outcome::Nothing {
            verdict.outcome = Outcome::Agree;
        }
    }
    let environment = environment(names, bench.judge.is_some(), threads, &scenario.model)?;
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
        timings: clock.laps,
    })
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

/// For every injected fault the same engine without it.
fn controls(scenario: &Scenario, graph: &Arc<Graph>, threads: usize, engines: Engines) -> Result<Vec<Control>> {
    let sides = [(&scenario.reference, Faulty::Reference), (&scenario.candidate, Faulty::Candidate)];
    let faulty = sides.into_iter().filter_map(|(s, side)| s.node.as_ref().map(|n| (s, n, side)));
    faulty
        .map(|(s, node, side)| {
            let clean = Subject { optimisation: s.optimisation, ..Subject::named(s.engine()) };
            Ok((fault::find(graph, node)?, open(&clean, graph, threads, engines)?, side))
        })
        .collect()
}

type Whole = Option<Vec<(String, Tensor)>>;

/// Tensors whose floor is needed, with dtype and size.
fn floors_wanted(layers: &Layers, all: bool, whole: &[&Whole]) -> HashMap<String, (crate::tensor::DType, usize)> {
    let mut names: HashSet<String> = layers::wanted(layers, all);
    let differs = |n: &str, t: &Tensor| {
        [&layers.reference_outputs, &layers.candidate_outputs].iter().any(|o| o.get(n).is_some_and(|own| own.bytes() != t.bytes()))
    };
    names.extend(whole.iter().filter_map(|w| w.as_ref()).flatten().filter(|(n, t)| differs(n, t)).map(|(n, _)| n.clone()));
    let known = layers.results.iter().filter(|r| names.contains(&r.name));
    known.filter_map(|r| r.dtype.filter(|d| d.is_float()).map(|d| (r.name.clone(), (d, r.shape.iter().product())))).collect()
}

/// The declared outputs of the un-observed run against the same subject's observed values.
fn judge_unobserved(
    subject: &str,
    whole: Whole,
    own: &HashMap<String, Tensor>,
    floors: &HashMap<String, Floor>,
    stated: Option<&Stated>,
) -> Vec<Unobserved> {
    let judge = |(name, tensor): (String, Tensor)| {
        let observed = own.get(&name)?;
        let axis = crate::floor::noise::axis_for(observed.shape());
        let comparison = crate::compare::compare(observed.view(), tensor.view(), axis);
        let channels = comparison.metrics().map(|m| m.pools());
        let clean = comparison.metrics().is_some_and(|m| m.specials.conflicts == 0);
        let (ratio, abstained) = match (stated, floors.get(&name), channels) {
            _ if comparison.identical() => (0.0, None),
            (Some(t), _, _) => (stated_ratio(observed, &tensor, t), None),
            (None, Some(floor), Some(channels)) if clean => (floor.ratio(&channels) / crate::floor::noise::R, None),
            (None, None, Some(_)) if clean => (0.0, Some("no noise floor".to_string())),
            _ => (f64::INFINITY, None),
        };
        Some(Unobserved { subject: subject.to_string(), name, comparison, ratio, abstained })
    };
    whole.into_iter().flatten().filter_map(judge).collect()
}

/// Inputs whose bits are known to be the same on both sides: fed to a live subject, or recorded with this digest.
fn proved_inputs(sessions: &[&dyn Session], records: &[InputRecord]) -> usize {
    let same = |s: &&dyn Session, r: &InputRecord| s.can_isolate() || s.recorded_inputs().get(&r.name).is_some_and(|d| *d == r.sha256);
    records.iter().filter(|r| sessions.iter().all(|s| same(s, r))).count()
}

fn input_mismatch(session: &dyn Session, records: &[InputRecord]) -> Vec<String> {
    let recorded = session.recorded_inputs();
    let differs = |r: &&InputRecord| recorded.get(&r.name).is_some_and(|digest| *digest != r.sha256);
    records
        .iter()
        .filter(differs)
        .map(|r| format!("input '{}' is not the one that was recorded (sha256 {} here)", r.name, r.sha256))
        .collect()
}

fn ancestry(graph: &Graph) -> Ancestry {
    let producers = graph.producers();
    Ancestry(graph.steps.iter().map(|s| s.inputs.iter().filter_map(|n| producers.get(n.as_str()).copied()).collect()).collect())
}

fn trace_writer(folder: &Path, side: &str) -> Result<write::Writer> {
    write::Writer::create(&folder.join(format!("{side}.safetensors")))
}

fn header(
    subject: &str,
    scenario: &Scenario,
    graph: &Graph,
    inputs: &IndexMap<String, Tensor>,
    floors: &HashMap<String, Floor>,
) -> crate::trace::Header {
    let digests: BTreeMap<String, String> = inputs.iter().map(|(n, t)| (n.clone(), input::digest(t))).collect();
    let entry = |s: &crate::graph::Step, o: &String| {
        (o.clone(), Entry { node: s.name.clone(), op: s.op().into(), inputs: s.inputs.clone(), floor: floors.get(o).cloned() })
    };
    let entries = graph.steps.iter().flat_map(|s| s.outputs.iter().map(move |o| (s, o))).map(|(s, o)| entry(s, o)).collect();
    write::header(subject.into(), format!("parity run {} --record", scenario.model.display()), digests, entries)
}

/// A subject with its version, as the record keeps it.
fn describe(subject: &Subject, engines: Engines) -> Result<String> {
    let engine = match subject.engine() {
        "libtorch" => format!("libtorch {}", engines.torch()?.version()),
        "onnxruntime" => {
            format!("onnxruntime {}, optimisation {:?}", open::onnxruntime_version()?, subject.optimisation.unwrap_or_default())
                .to_lowercase()
        }
        _ => subject.trace.as_ref().map_or(String::new(), |p| format!("recorded {}", p.display())),
    };
    Ok(match (&subject.fault, &subject.node) {
        (Some(fault), Some(node)) => format!("faulty ({fault} at {node}) {engine}"),
        _ => engine,
    })
}

fn environment(names: (String, String), shadow: bool, threads: usize, model: &Path) -> Result<Environment> {
    let bytes = std::fs::read(model).map_err(|e| Error::usage(format!("model {}: {e}", model.display())))?;
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .map_or(String::new(), |l| l.trim_start_matches([' ', '\t', ':']).to_string());
    let tensor = Tensor::from_bytes(crate::tensor::DType::U8, vec![bytes.len()], &bytes)?;
    Ok(Environment {
        parity: env!("CARGO_PKG_VERSION").into(),
        reference: names.0,
        candidate: names.1,
        shadow: shadow.then(|| "libtorch f64".into()),
        threads,
        os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        cpu,
        model_digest: input::digest(&tensor),
    })
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
