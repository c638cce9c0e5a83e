//! pipeline: the program on one screen: scenario -> subjects -> layers -> noise -> verdict -> run.

use crate::environment;
use crate::error::Result;
use crate::judge::expectation;
use crate::pass::bench::{Bench, Opened};
use crate::pass::conclude::{Found, conclude};
use crate::pass::given::Given;
use crate::pass::lacking::Lacking;
use crate::pass::{
    Watch, accumulated, context, floors, inputs, layers, memory, quantised, training, undecided,
    unobserved, witness,
};
use crate::run::Run;
use crate::scenario::{Scenario, Stage};
use crate::subject::Engines;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Runs `scenario`; `record` is the folder that receives both traces.
pub fn run(
    scenario: &Scenario,
    engines: Engines,
    watch: &mut dyn Watch,
    record: Option<&Path>,
) -> Result<Run> {
    let clock = Clock::start();
    let given = Given::read(scenario)?;
    memory::check(&given, record.is_some(), watch)?;
    watch.ready()?;
    walk(given, None, clock, engines, watch, record).map(|(run, _)| run)
}

/// Runs what is given; what was opened for another run of the same graph is used again, and handed on.
pub fn again(
    given: Given,
    opened: Option<Opened>,
    engines: Engines,
    watch: &mut dyn Watch,
) -> Result<(Run, Opened)> {
    walk(given, opened, Clock::start(), engines, watch, None)
}

fn walk(
    mut given: Given,
    opened: Option<Opened>,
    mut clock: Clock,
    engines: Engines,
    watch: &mut dyn Watch,
    record: Option<&Path>,
) -> Result<(Run, Opened)> {
    let scenario = given.scenario;
    let params = given.params.take();
    let lacking = Lacking::of(&mut given, engines)?;
    let mut bench = Bench::open(&given, lacking, opened, engines, record)?;
    clock.lap("open");
    let layers = layers::run(&mut bench, &given.plan, watch)?;
    clock.lap("layers");
    let wholes = if scenario.runs(Stage::Activations) {
        unobserved::run(&mut bench, &layers)?
    } else {
        Default::default()
    };
    clock.lap("unobserved");
    let floors = floors::run(&mut bench, &layers, &wholes, scenario.seed, watch)?;
    clock.lap("noise");
    let tensors = accumulated::judged(&layers, &floors, &given.graph);
    let mut tensors = undecided::judged(
        &mut bench,
        &given.plan,
        &layers,
        tensors,
        scenario.seed,
        watch,
    )?;
    let limits = context::Limits {
        floors: &floors,
        stated: bench.stated.as_ref(),
    };
    let context = if scenario.runs(Stage::Inputs) {
        context::missing(&given, (&layers, &tensors), &limits, engines)?
    } else {
        vec![]
    };
    let mut witnessed = witness::settle(&layers.witnessed, &floors);
    let regions = given.regions()?;
    let observed = (&layers, &*tensors);
    let behind = training::run(&given, &regions, &mut bench, observed, engines, watch)?;
    training::settle(&given, behind.as_ref(), &mut tensors, &mut witnessed);
    clock.lap("training");

    let names = (
        environment::describe(&scenario.reference, engines)?,
        environment::describe(&scenario.candidate, engines)?,
    );
    if let Some(traces) = bench.record.take() {
        traces.finish(
            (&names.0, &names.1),
            &scenario.model,
            &given.graph,
            &given.records,
            &floors,
        )?;
    }
    let stated = bench.stated;
    let held = unobserved::Against {
        layers: &layers,
        tensors: &tensors,
        graph: &given.graph,
        floors: &floors,
        stepped: &Default::default(),
        stated: stated.as_ref(),
    };
    let stepped = quantised::stepped(
        &mut bench,
        &layers,
        &wholes.unsettled(&held),
        scenario.seed,
        watch,
    )?;
    let on = unobserved::Against {
        stepped: &stepped,
        ..held
    };
    let unobserved = wholes.explained([&names.0, &names.1], &mut bench, &on)?;
    clock.lap("bisection");
    let ran = behind.is_some();
    let mut stages = behind.unwrap_or_default();
    stages.params = params;
    stages.inputs = Some((
        inputs::proved(&bench.sessions(), &given.records),
        given.records.len(),
    ));
    stages.golden = bench
        .golden
        .map(|g| inputs::beside(g, scenario.golden.as_deref(), witnessed, engines));
    let found = Found {
        given: &given,
        bench: &bench,
        regions: &regions,
        tensors: &tensors,
        known: layers.known,
        shown: &layers.shown,
        outputs: [&layers.reference_outputs, &layers.candidate_outputs],
        unobserved: &unobserved,
        stages: &stages,
        behind: ran,
        context,
    };
    let (verdict, ledger) = conclude(&found);
    clock.lap("verdict");
    let run = Run {
        format: 1,
        expectation: expectation(&scenario.expect, &verdict, &ledger, &|place| {
            given.above(place)
        }),
        scenario: Some(scenario.clone()),
        environment: environment::record(names, bench.judge.is_some(), given.threads, &given.graph),
        graph_inputs: given.graph.taken(),
        inputs: given.records.clone(),
        verdict,
        ledger,
        tensors,
        unobserved,
        stages,
        timings: clock.laps,
    };
    Ok((run, bench.close()))
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
