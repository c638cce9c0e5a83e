//! pipeline: the program on one screen: scenario -> subjects -> layers -> noise -> verdict -> run.

#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

mod conclude;
mod looks;
mod parameters;
mod samples;
mod two;

use crate::cause::{self, lost_context};
use crate::environment;
use crate::error::{Error, Result};
use crate::floor::noise::Floor;
use crate::input;
use crate::judge::expectation;
use crate::judge::golden;
use crate::judge::stage::Stages;
use crate::judge::stage::golden::Witnessed;
use crate::judge::stage::regions::Regions;
use crate::pairing::Pairing;
use crate::params::Difference;
use crate::prepare::prepared::Prepared;
use crate::prepare::unsupported::Unsupported;
use crate::prepare::{inputs, memory};
use crate::run::{FORMAT, Run};
use crate::scenario::{Scenario, Stage};
use crate::subject::Engines;
use crate::trace::record::{self, Recorder};
use crate::verdict::{Finding, TensorResult, Unobserved};
use crate::walk::layers::{self, Layers};
use crate::walk::sessions::{Opened, Sessions};
use crate::walk::unobserved::{self, Wholes};
use crate::walk::{explained, floors, quantised, training, undecided};
use crate::watch::Watch;
use conclude::Found;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Instant;

/// The phase of a run in which causes are looked for, among its timings.
pub const CAUSES: &str = "causes";

/// Runs `scenario`; `record` is the folder that receives both traces.
pub fn run(
    scenario: &Scenario,
    engines: Engines,
    watch: &mut dyn Watch,
    record: Option<&Path>,
) -> Result<Run> {
    if let Some(each) = input::samples::of(scenario)? {
        if record.is_some() {
            return Err(
                Error::usage("--record writes one run, and these are several samples")
                    .next("state one of them to record it"),
            );
        }
        return samples::all(scenario, &each, engines, watch);
    }
    if let Some(second) = &scenario.second {
        return two::run(scenario, second, engines, watch);
    }
    if scenario.of_parameters_alone() {
        return parameters::run(scenario);
    }
    let clock = Clock::start();
    let prepared = Prepared::read(scenario)?;
    memory::check(&prepared, record.is_some(), watch)?;
    watch.ready()?;
    walk(prepared, None, clock, engines, watch, record).map(|(run, _)| run)
}

/// Which tensor of the scenario's model stands for which of its second one.
///
/// # Errors
/// As `run`.
pub fn paired(scenario: &Scenario, engines: Engines, watch: &mut dyn Watch) -> Result<Pairing> {
    let none = || Error::usage("the scenario has no [second] model");
    let second = scenario.second.as_ref().ok_or_else(none)?;
    two::paired(scenario, second, engines, watch)
}

/// Runs what is given; what was opened for another run of the same graph is used again, and handed on.
pub fn again(
    prepared: Prepared,
    opened: Option<Opened>,
    engines: Engines,
    watch: &mut dyn Watch,
) -> Result<(Run, Opened)> {
    walk(prepared, opened, Clock::start(), engines, watch, None)
}

fn walk(
    mut prepared: Prepared,
    opened: Option<Opened>,
    mut clock: Clock,
    engines: Engines,
    watch: &mut dyn Watch,
    record: Option<&Path>,
) -> Result<(Run, Opened)> {
    let params = prepared.params.take();
    let unsupported = Unsupported::of(&mut prepared, engines)?;
    let mut sessions = Sessions::open(&prepared, unsupported, opened, engines, record)?;
    clock.lap("open");
    let observed = observe(&prepared, &mut sessions, &mut clock, watch)?;
    let judged = judge(&prepared, &mut sessions, &observed, engines, watch)?;
    clock.lap("training");
    let names = names(&prepared, engines)?;
    if let Some(traces) = sessions.record.take() {
        keep(traces, &prepared, &observed, &names, engines)?;
    }
    let deployed = deployed(&prepared, &mut sessions, &observed, &judged, &names, watch)?;
    clock.lap("bisection");
    let run = conclude(
        &prepared,
        &mut sessions,
        Parts {
            observed,
            judged,
            deployed,
            params,
            names,
        },
        engines,
        clock,
    )?;
    Ok((run, sessions.close()))
}

/// Puts both traces in place.
fn keep(
    traces: Recorder,
    prepared: &Prepared,
    observed: &Observed,
    names: &(String, String),
    engines: Engines,
) -> Result<()> {
    let scenario = prepared.scenario;
    let of = record::Of {
        model: &scenario.model,
        graph: &prepared.graph,
        inputs: &prepared.records,
        floors: &observed.floors,
        threads: prepared.threads,
        seed: scenario.seed,
    };
    let side = |subject, name| environment::recorded(subject, name, engines);
    let sides = [
        side(&scenario.reference, &names.0)?,
        side(&scenario.candidate, &names.1)?,
    ];
    traces.finish(sides, &of)
}

/// What the walks saw, and what it can be held against.
struct Observed {
    layers: Layers,
    wholes: Wholes,
    floors: HashMap<String, Floor>,
}

/// Both sides piece by piece, both as they are deployed, and the noise of the f64 graph where something waits for it.
fn observe(
    prepared: &Prepared,
    sessions: &mut Sessions,
    clock: &mut Clock,
    watch: &mut dyn Watch,
) -> Result<Observed> {
    let layers = layers::run(sessions, &prepared.plan, watch)?;
    clock.lap("layers");
    let wholes = match prepared.scenario.runs(Stage::Activations) {
        true => unobserved::run(sessions, &layers)?,
        false => Wholes::default(),
    };
    clock.lap("unobserved");
    let floors = floors::run(sessions, &layers, &wholes, prepared.scenario.seed, watch)?;
    clock.lap("noise");
    Ok(Observed {
        layers,
        wholes,
        floors,
    })
}

/// What that comes to.
struct Judged {
    tensors: Vec<TensorResult>,
    golden: Vec<Witnessed>,
    regions: Regions,
    /// Assignment, loss and gradients; None where they did not run.
    training: Option<Stages>,
    /// What one side sees before its inputs and the other does not.
    context: Option<Finding>,
}

/// Every tensor held against its floor, then the stages behind the activations.
fn judge(
    prepared: &Prepared,
    sessions: &mut Sessions,
    observed: &Observed,
    engines: Engines,
    watch: &mut dyn Watch,
) -> Result<Judged> {
    let (scenario, Observed { layers, floors, .. }) = (prepared.scenario, observed);
    let tensors = layers.judged(floors, &prepared.graph);
    let mut tensors = undecided::judged(
        sessions,
        &prepared.plan,
        layers,
        tensors,
        scenario.seed,
        watch,
    )?;
    let context = match scenario.runs(Stage::Inputs) {
        true => context(prepared, sessions, observed, &tensors, engines)?,
        false => None,
    };
    let mut golden = golden::settle(&layers.witnessed, floors);
    let regions = prepared.regions()?;
    let training = training::run(
        prepared,
        &regions,
        sessions,
        (layers, &tensors),
        engines,
        watch,
    )?;
    training::settle(prepared, training.as_ref(), &mut tensors, &mut golden);
    Ok(Judged {
        tensors,
        golden,
        regions,
        training,
        context,
    })
}

/// What one side sees before its inputs and the other does not.
fn context(
    prepared: &Prepared,
    sessions: &Sessions,
    observed: &Observed,
    tensors: &[TensorResult],
    engines: Engines,
) -> Result<Option<Finding>> {
    let outputs = &observed.layers.reference_outputs;
    let over = tensors.iter().filter(|t| t.accumulated.over());
    cause::of_inputs(&lost_context::Fed {
        scenario: prepared.scenario,
        inputs: &prepared.inputs,
        threads: prepared.threads,
        limits: lost_context::Limits {
            floors: &observed.floors,
            stated: sessions.stated.as_ref(),
        },
        over: over
            .map(|t| t.name.as_str())
            .filter(|n| outputs.contains_key(*n))
            .collect(),
        engines,
    })
}

/// The declared outputs of both sides as users deploy them, held against the observed ones.
fn deployed(
    prepared: &Prepared,
    sessions: &mut Sessions,
    observed: &Observed,
    judged: &Judged,
    names: &(String, String),
    watch: &mut dyn Watch,
) -> Result<Vec<Unobserved>> {
    let Observed {
        layers,
        wholes,
        floors,
    } = observed;
    let stated = sessions.stated;
    let held = unobserved::Against {
        layers,
        tensors: &judged.tensors,
        graph: &prepared.graph,
        floors,
        stepped: &Default::default(),
        stated: stated.as_ref(),
    };
    let open = wholes.unsettled(&held);
    let stepped = quantised::stepped(sessions, layers, &open, prepared.scenario.seed, watch)?;
    let on = unobserved::Against {
        stepped: &stepped,
        ..held
    };
    wholes.explained([&names.0, &names.1], sessions, &on)
}

/// Both subjects with their versions.
fn names(prepared: &Prepared, engines: Engines) -> Result<(String, String)> {
    let name = |subject| environment::describe(subject, engines);
    Ok((
        name(&prepared.scenario.reference)?,
        name(&prepared.scenario.candidate)?,
    ))
}

/// What a run is made of.
struct Parts {
    observed: Observed,
    judged: Judged,
    deployed: Vec<Unobserved>,
    params: Option<Difference>,
    names: (String, String),
}

/// Verdict, ledger and expectation of it all.
fn conclude(
    prepared: &Prepared,
    sessions: &mut Sessions,
    parts: Parts,
    engines: Engines,
    mut clock: Clock,
) -> Result<Run> {
    let (
        scenario,
        Parts {
            observed,
            judged,
            deployed,
            params,
            names,
        },
    ) = (prepared.scenario, parts);
    let behind = judged.training.is_some();
    let proved = inputs::proved(&sessions.both(), &prepared.records);
    let golden = sessions
        .golden
        .map(|g| inputs::beside(g, scenario.golden.as_deref(), judged.golden, engines));
    let stages = Stages {
        params,
        inputs: Some((proved, prepared.records.len())),
        golden,
        ..judged.training.unwrap_or_default()
    };
    let layers = observed.layers;
    let (mut verdict, ledger) = conclude::conclude(&Found {
        prepared,
        sessions,
        regions: &judged.regions,
        tensors: &judged.tensors,
        known: layers.known,
        shown: &layers.shown,
        outputs: [&layers.reference_outputs, &layers.candidate_outputs],
        unobserved: &deployed,
        stages: &stages,
        behind,
        context: judged.context,
    });
    clock.lap("verdict");
    explained::origins(&mut verdict, &layers.suspects, sessions, engines)?;
    clock.lap(CAUSES);
    let looks = looks::of(&layers, &judged.tensors);
    let mut places = prepared.graph.places();
    places.retain(|node, _| verdict.origins.iter().any(|o| o.node == *node));
    let run = Run {
        format: FORMAT,
        expectation: expectation(&scenario.expect, &verdict, &ledger, &|place| {
            prepared.above(place)
        }),
        scenario: Some(scenario.clone()),
        environment: environment::record(
            names,
            sessions.judge.is_some(),
            prepared.threads,
            &prepared.graph.digest,
        ),
        graph_inputs: prepared.graph.taken(),
        inputs: prepared.records.clone(),
        verdict,
        ledger,
        tensors: judged.tensors,
        unobserved: deployed,
        stages,
        places,
        correspondence: None,
        alone: vec![],
        samples: vec![],
        graphs: vec![prepared.graph.flow()],
        looks,
        findings: vec![],
        timings: clock.laps,
    };
    Ok(run.told())
}

/// Seconds per phase.
struct Clock {
    last: Instant,
    laps: BTreeMap<String, f64>,
}

impl Clock {
    fn start() -> Self {
        Self {
            last: Instant::now(),
            laps: BTreeMap::new(),
        }
    }

    fn lap(&mut self, name: &str) {
        self.laps
            .insert(name.into(), self.last.elapsed().as_secs_f64());
        self.last = Instant::now();
    }
}
