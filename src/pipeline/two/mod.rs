//! two: two programs of one network, of which one is a graph at least: whether they compute the same function, in f64 and stretch by stretch, which digits
//! the candidate's arithmetic loses, and whether engines compute each graph as it says.

mod again;
mod arithmetic;
mod blame;
mod channels;
mod judged;
mod live;
mod looks;
mod names;
mod opened;
mod postprocess;
mod preprocess;
mod results;
mod rounded;
mod sets;
mod source;
mod spread;
mod train;
mod weights;
mod why;

use super::Clock;
use crate::environment::{self, Environment};
use crate::error::{Result, or_refusal};
use crate::graph::Graph;
use crate::judge::stage::Stages;
use crate::judge::stage::train::Report;
use crate::judge::{alive, expectation};
use crate::pairing::{Evidence, Pair, Pairing};
use crate::prepare::plan::patterns;
use crate::prepare::prepared::Prepared;
use crate::run::{Alone, Correspondence, Of, Run};
use crate::scenario::sides::Kind;
use crate::scenario::{Limit, Scenario, Second, Stage};
use crate::subject::{Engines, Judge, Options};
use crate::tensor::Tensor;
use crate::trace::InputRecord;
use crate::verdict::{
    Ancestry, Outcome, Required, StageVerdict, Unjudged, Verdict, Why, decide, ledger,
};
use crate::walk::function::{Between, Cut, Side, between};
use crate::watch::Watch;
use indexmap::IndexMap;
use source::Ports;
use spread::Spread;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use wildmatch::WildMatch;

/// Two graphs as they were compared.
struct Compared<'a> {
    scenario: &'a Scenario,
    second: &'a Second,
    reference: Side,
    candidate: Side,
    pairing: Pairing,
    spread: Spread,
    found: Vec<Between>,
    /// Where a live port's own dtype gives something else than its f64.
    lost: Option<(Pair, String)>,
    records: Vec<InputRecord>,
    /// What became of parameters that a side was given.
    given: Option<StageVerdict>,
    /// What live ports made of the user's files, and of the outputs.
    before: Option<StageVerdict>,
    behind: Option<StageVerdict>,
    /// What steps of training came to.
    trained: Option<(StageVerdict, Option<Report>)>,
    threads: usize,
    /// What is compared; everything where nothing is stated.
    only: Vec<WildMatch>,
}

fn is_asked(only: &[WildMatch], name: &str) -> bool {
    only.is_empty() || only.iter().any(|p| p.matches(name))
}

/// Runs the scenario's model against `second`.
///
/// # Errors
/// Whatever the files, the inputs or the engine lack.
pub fn run(
    scenario: &Scenario,
    second: &Second,
    engines: Engines,
    watch: &mut dyn Watch,
) -> Result<Run> {
    if scenario.of_training_alone() {
        return train::alone(scenario, second);
    }
    let mut clock = Clock::start();
    let mut ports = Ports::start(scenario, second)?;
    let given = weights::put(scenario, second, &mut ports)?;
    clock.lap("start");
    let both = (second, &mut ports);
    let mut compared = compared(scenario, both, None, engines, &mut clock, watch)?;
    compared.given = given;
    compared.behind = postprocess::stage(&compared, &mut ports)?;
    clock.lap("postprocess");
    if scenario.runs(Stage::Train) {
        let fed = [&compared.reference, &compared.candidate].map(|side| side.inputs.clone());
        let (stage, report) = train::stage(scenario, &mut ports, fed)?;
        compared.trained = Some((stage, report));
        clock.lap("train");
    }
    let mut alone = vec![];
    for (side, model) in [
        (&compared.reference, &scenario.model),
        (&compared.candidate, &second.model),
    ] {
        if side.computes() {
            alone.push(in_engines(&compared, side, model, engines, watch)?);
        }
    }
    clock.lap("engines");
    let live = scenario.has_port();
    let sides = [&compared.reference, &compared.candidate];
    let graph = sides.into_iter().find(|s| s.computes()).filter(|_| live);
    let declared = graph
        .map(|s| s.graph.inputs.clone())
        .or_else(|| ports.inputs());
    if let Some(declared) = declared {
        let on = (&compared.reference.inputs, &*declared);
        let both = (second, &mut ports);
        alone.push(again::run(scenario, both, on, engines, watch)?);
    }
    ports.shutdown()?;
    clock.lap("again");
    let run = concluded(compared, alone, engines)?;
    let timings = clock.laps;
    Ok(Run { timings, ..run }.told())
}

/// Which tensor stands for which.
///
/// # Errors
/// As `run`.
pub fn paired(
    scenario: &Scenario,
    second: &Second,
    engines: Engines,
    watch: &mut dyn Watch,
) -> Result<Pairing> {
    let open = opens(scenario, engines);
    let mut ports = Ports::start(scenario, second)?;
    weights::put(scenario, second, &mut ports)?;
    let opened = opened::opened(scenario, (second, &mut ports), None, &open, watch)?;
    ports.shutdown().map(|()| opened.pairing)
}

/// Opens the f64 judge of a graph.
fn opens<'a>(
    scenario: &Scenario,
    engines: Engines<'a>,
) -> impl Fn(Arc<Graph>) -> Result<Box<dyn Judge>> + 'a {
    let options = Options {
        threads: scenario.cores(),
        optimisation: Default::default(),
    };
    move |graph| engines.torch()?.judge(graph, &options)
}

fn compared<'a>(
    scenario: &'a Scenario,
    (second, ports): (&'a Second, &mut Ports),
    fed: Option<IndexMap<String, Tensor>>,
    engines: Engines,
    clock: &mut Clock,
    watch: &mut dyn Watch,
) -> Result<Compared<'a>> {
    let open = opens(scenario, engines);
    let opened::Opened {
        mut reference,
        mut candidate,
        mut pairing,
        records,
        before,
        own,
    } = opened::opened(scenario, (second, ports), fed, &open, watch)?;
    clock.lap("open");
    let mut both = [&mut reference, &mut candidate];
    let seed = scenario.seed;
    let mut spread = Spread::of(&mut both, &pairing, seed, &open, watch)?;
    clock.lap("noise");
    let found = between(&mut both, &pairing, seed, watch)?;
    let sides = [&*both[0], &*both[1]];
    if found.iter().any(|b| judged::is_doubtful(b, sides, &spread)) {
        spread.refine(sides, &pairing, seed, &open)?;
    }
    let mut found = confirmed(&mut both, &mut pairing, found, &spread, seed)?;
    blame::lay(&mut both, &pairing, &mut found, &spread, seed, &open)?;
    let sides = [&*both[0], &*both[1]];
    let cut = Cut::of(sides, &pairing, seed);
    why::explain(sides, &cut, &mut found, &spread, &open)?;
    live::judge(ports, sides, &pairing, &mut found, (&spread, seed))?;
    let names: Vec<&String> = pairing.pairs.iter().map(|p| &p.reference).collect();
    let only = patterns("limit.only", &scenario.limit.only, &names)?;
    found.retain(|b| is_asked(&only, &b.pair.reference));
    clock.lap("pairs");
    let mut lost = None;
    for (at, own) in own.into_iter().enumerate() {
        if let Some(own) = own {
            let sides = (at, &mut both);
            lost = arithmetic::lost(own, sides, &pairing, &spread, seed, watch)?.or(lost);
        }
    }
    clock.lap("arithmetic");
    Ok(Compared {
        scenario,
        second,
        reference,
        candidate,
        pairing,
        spread,
        found,
        lost,
        records,
        given: None,
        before,
        behind: None,
        trained: None,
        threads: scenario.cores(),
        only,
    })
}

/// The same without pairs that a longer stretch contradicts: what differs there and nowhere behind was never the same tensor.
fn confirmed(
    sides: &mut [&mut Side; 2],
    pairing: &mut Pairing,
    mut found: Vec<Between>,
    spread: &Spread,
    seed: u64,
) -> Result<Vec<Between>> {
    let cut = Cut::of([&*sides[0], &*sides[1]], pairing, seed);
    let over = |b: &Between| judged::alone(Default::default(), b, spread).over();
    let doubtful = found
        .iter()
        .filter(|b| b.pair.by == Evidence::Edge && over(b));
    let doubtful: Vec<Pair> = doubtful.map(|b| b.pair.clone()).collect();
    let mut withdrawn: HashSet<String> = HashSet::new();
    for pair in doubtful {
        let behind =
            (0..found.len()).filter(|i| found[*i].candidate.from.contains(&pair.candidate));
        let mut without: HashSet<&str> = withdrawn.iter().map(String::as_str).collect();
        without.insert(&pair.candidate);
        let mut longer = vec![];
        for i in behind {
            longer.push((i, cut.between(sides[cut.by], &found[i].pair, &without)?));
        }
        if longer.iter().any(|(_, b)| b.alone.is_some() && !over(b)) {
            withdrawn.insert(pair.candidate);
            longer.into_iter().for_each(|(i, b)| found[i] = b);
        }
    }
    pairing.pairs.retain(|p| !withdrawn.contains(&p.candidate));
    found.retain(|b| !withdrawn.contains(&b.pair.candidate));
    Ok(found)
}

/// The inputs in the dtypes that the graph declares: one in half precision is fed what it holds of them.
fn declared(side: &Side) -> Result<IndexMap<String, Tensor>> {
    let dtype = |name: &str| side.graph.inputs.iter().find(|p| p.name == name)?.dtype;
    let cast = |(name, t): (&String, &Tensor)| {
        let wanted = dtype(name).filter(|d| d.is_float() && t.dtype().is_float());
        let t = match wanted.filter(|d| *d != t.dtype()) {
            Some(dtype) => Tensor::from_f64(dtype, t.shape(), &t.to_f64())?,
            None => t.clone(),
        };
        Ok((name.clone(), t))
    };
    side.inputs.iter().map(cast).collect()
}

/// One of the graphs alone, in both engines and as it is deployed.
fn in_engines(
    compared: &Compared,
    side: &Side,
    model: &Path,
    engines: Engines,
    watch: &mut dyn Watch,
) -> Result<Alone> {
    let own = Scenario {
        model: model.into(),
        name: None,
        second: None,
        expect: Default::default(),
        limit: Limit {
            memory: compared.scenario.limit.memory.clone(),
            ..Limit::default()
        },
        inputs: Default::default(),
        ..compared.scenario.clone()
    };
    let mut run = || {
        let prepared = Prepared::on(&own, side.graph.clone(), declared(side)?)?;
        super::again(prepared, None, engines, watch).map(|(run, _)| run)
    };
    let (run, refused) = match or_refusal(run())? {
        Ok(run) => (Some(Box::new(run)), None),
        Err(says) => (None, Some(says)),
    };
    Ok(Alone {
        of: Of::File,
        file: model.display().to_string(),
        run,
        refused,
    })
}

/// Everything put together.
fn concluded(compared: Compared, alone: Vec<Alone>, engines: Engines) -> Result<Run> {
    let (scenario, reference) = (compared.scenario, &compared.reference);
    let tensors = judged::results(&compared);
    let ancestry = Ancestry::of(&reference.graph);
    let mut verdict = decide(&tensors, &ancestry, &[], vec![]);
    verdict.born = alive::born(&tensors, &ancestry, &|_, _| false);
    for origin in &mut verdict.origins {
        let mut found = compared.found.iter();
        let at = found.find(|b| b.pair.reference == origin.tensor);
        origin.why = at.and_then(|b| b.why.clone());
    }
    let stage = stage(&verdict, &compared);
    let [before, behind] = [&compared.before, &compared.behind].map(|s| s.iter().cloned());
    let (last, report) = compared.trained.clone().unzip();
    let given = compared.given.iter().cloned();
    let all = before.chain(given).chain([stage]).chain(behind).chain(last);
    verdict.conclude(all.collect());
    if alone.iter().any(Alone::diverges) {
        verdict.outcome = Outcome::Diverge;
    }
    let declared = || {
        let names = reference.graph.outputs.iter().map(|p| p.name.as_str());
        names.filter(|n| is_asked(&compared.only, n))
    };
    let required = Required {
        excused: &|_| false,
        outputs: declared().collect(),
        may_lack: false,
    };
    let mut ledger = ledger(&tensors, vec![], &required);
    let value = |name: &str| reference.values.get(name);
    let still = alive::still(reference.inputs.values());
    let dead = declared().filter_map(|n| alive::dead(n, value(n)?, value(n)?, still));
    ledger.unjudged.extend(dead);
    ledger.unjudged.extend(alone.iter().filter_map(unjudged));
    let called = |side: &Side, p: &Path| match side.computes() {
        true => format!("{} in f64", p.display()),
        false if Kind::of(p).is_ok_and(|k| k == Kind::Port) => {
            format!("port {} ({})", p.display(), side.graph.producer)
        }
        false => format!("recorded {} ({})", p.display(), side.graph.producer),
    };
    let candidate = &compared.candidate;
    let names = (
        called(reference, &scenario.model),
        called(candidate, &compared.second.model),
    );
    let graph = if reference.computes() {
        reference
    } else {
        candidate
    };
    let environment = Environment {
        shadow: Some(format!("libtorch {} f64", engines.torch()?.version())),
        ..environment::record(names, true, compared.threads, &graph.graph.digest)
    };
    let expected = expectation(&scenario.expect, &verdict, &ledger, &|_| HashSet::new());
    let looks = looks::of(&compared, &verdict);
    Ok(Run {
        scenario: Some(scenario.clone()),
        graph_inputs: reference.graph.taken(),
        inputs: compared.records,
        tensors,
        stages: Stages {
            train: report.flatten(),
            ..Stages::default()
        },
        correspondence: Some(Correspondence {
            pairs: compared.pairing.pairs,
            tensors: compared.pairing.tensors,
            recorded: [reference, candidate].map(|side| !side.computes()),
            places: [reference.places.clone(), candidate.places.clone()],
        }),
        alone,
        graphs: vec![reference.graph.flow(), candidate.graph.flow()],
        looks,
        ..Run::bare(environment, verdict, expected, ledger)
    })
}

/// What of a file alone had to be judged and was not.
fn unjudged(alone: &Alone) -> Option<Unjudged> {
    let why = match &alone.run {
        None => Why::NotTested(alone.refused.clone().unwrap_or_default()),
        Some(run) if run.verdict.outcome == Outcome::Diverge => return None,
        Some(run) => Why::NotTested(run.expectation.unmet.first()?.clone()),
    };
    let what = format!("what is run {}", alone.place());
    Some(Unjudged { what, why })
}

/// What the comparison comes to as a stage.
fn stage(verdict: &Verdict, compared: &Compared) -> StageVerdict {
    let diverges = |first: Option<String>, says: String| StageVerdict {
        outcome: Outcome::Diverge,
        first,
        ..StageVerdict::agree(Stage::Activations, says)
    };
    match (verdict.outcome, judged::loses_digits(compared)) {
        (Outcome::Diverge, _) => {
            let first = verdict.first().map(str::to_string);
            diverges(first, "another function".into())
        }
        (Outcome::Nothing, _) => {
            StageVerdict::nothing(Stage::Activations, "no pair was compared".into())
        }
        (Outcome::Agree, Some((pair, says))) => diverges(Some(pair.reference.clone()), says),
        (Outcome::Agree, None) => {
            let says = format!("same function at {} pairs", compared.found.len());
            StageVerdict::agree(Stage::Activations, says)
        }
    }
}
