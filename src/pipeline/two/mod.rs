//! two: two graphs of one network: whether they compute the same function, in f64 and stretch by stretch, which digits the candidate's arithmetic
//! loses, and whether engines compute either file as it says.

mod judged;
mod spread;

use super::Clock;
use crate::environment::{self, Environment};
use crate::error::{Place, Result, or_refusal};
use crate::graph::{Graph, load, random};
use crate::input;
use crate::judge::{alive, expectation};
use crate::pairing::{self, Evidence, Pair, Pairing, map};
use crate::prepare::plan::patterns;
use crate::prepare::prepared::{Prepared, ready};
use crate::prepare::{inputs, memory};
use crate::run::{Alone, Correspondence, FORMAT, Run};
use crate::scenario::{Limit, Scenario, Second, Stage};
use crate::subject::{Engines, Judge, Options};
use crate::tensor::Tensor;
use crate::trace::InputRecord;
use crate::verdict::{
    Ancestry, Outcome, Required, StageVerdict, Unjudged, Verdict, Why, decide, ledger,
};
use crate::walk::function::{Between, Cut, Opens, Side, between};
use crate::watch::Watch;
use indexmap::IndexMap;
use spread::Spread;
use std::collections::{BTreeMap, HashSet};
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
    records: Vec<InputRecord>,
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
    let mut clock = Clock::start();
    let compared = compared(scenario, second, engines, &mut clock, watch)?;
    let mut alone = vec![];
    for (side, model) in [
        (&compared.reference, &scenario.model),
        (&compared.candidate, &second.model),
    ] {
        alone.push(in_engines(&compared, side, model, engines, watch)?);
    }
    clock.lap("engines");
    let run = conclude(compared, alone, engines)?;
    let timings = clock.laps;
    Ok(Run { timings, ..run }.told())
}

/// Both graphs with what they make of the same inputs, and their tensors paired.
struct Opened {
    reference: Side,
    candidate: Side,
    pairing: Pairing,
    records: Vec<InputRecord>,
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
    opened(scenario, second, &open, watch).map(|o| o.pairing)
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

fn opened(
    scenario: &Scenario,
    second: &Second,
    open: Opens,
    watch: &mut dyn Watch,
) -> Result<Opened> {
    let graphs = (load::file(&scenario.model)?, load::file(&second.model)?);
    let mapped = second.map.as_deref().map(map::read).transpose()?;
    let named: Vec<(String, String)> = second.rename.clone().into_iter().collect();
    let named = [named, mapped.unwrap_or_default()].concat();
    let named = pairing::turned(&graphs.0, &graphs.1, &named)?;
    let fed = input::make(scenario, &graphs.0)?;
    let records = inputs::records(&fed);
    watch.ready()?;
    let declared = pairing::inputs(&graphs.0.inputs, &graphs.1.inputs, &named)?;
    let theirs = renamed(&fed, &declared);
    memory::of_two(scenario, [(&graphs.0, &fed), (&graphs.1, &theirs)], watch)?;
    let reference = side(graphs.0, fed, scenario.seed, open).at("reference")?;
    let candidate = side(graphs.1, theirs, scenario.seed, open).at("candidate")?;
    let outputs = pairing::outputs(&reference.graph.outputs, &candidate.graph.outputs, &named)?;
    let known: Vec<(String, String)> = [declared, outputs, named].concat();
    let pairing = pairing::pair(&viewed(&reference), &viewed(&candidate), &known);
    Ok(Opened {
        reference,
        candidate,
        pairing,
        records,
    })
}

fn compared<'a>(
    scenario: &'a Scenario,
    second: &'a Second,
    engines: Engines,
    clock: &mut Clock,
    watch: &mut dyn Watch,
) -> Result<Compared<'a>> {
    let open = opens(scenario, engines);
    let Opened {
        mut reference,
        mut candidate,
        mut pairing,
        records,
    } = opened(scenario, second, &open, watch)?;
    clock.lap("open");
    let both = [&mut reference, &mut candidate];
    let spread = Spread::of(both, &pairing, scenario.seed, &open, watch)?;
    clock.lap("noise");
    let found = between(&reference, &mut candidate, &pairing, watch)?;
    let mut found = confirmed(&reference, &mut candidate, &mut pairing, found, &spread)?;
    let names: Vec<&String> = pairing.pairs.iter().map(|p| &p.reference).collect();
    let only = patterns("limit.only", &scenario.limit.only, &names)?;
    found.retain(|b| is_asked(&only, &b.pair.reference));
    clock.lap("pairs");
    Ok(Compared {
        scenario,
        second,
        reference,
        candidate,
        pairing,
        spread,
        found,
        records,
        threads: scenario.cores(),
        only,
    })
}

/// A graph made ready, with what it makes of its inputs.
fn side(graph: Graph, fed: IndexMap<String, Tensor>, seed: u64, open: Opens) -> Result<Side> {
    let graph = Arc::new(ready(graph, &fed)?);
    let graph = random::seeded(&graph, seed).map_or(graph, Arc::new);
    let judge = open(graph.clone())?;
    Side::run(graph, judge, fed)
}

fn viewed(side: &Side) -> pairing::Side<'_> {
    pairing::Side {
        graph: &side.graph,
        values: &side.values,
    }
}

/// The candidate's inputs: the same bits under its own names.
fn renamed(fed: &IndexMap<String, Tensor>, pairs: &[(String, String)]) -> IndexMap<String, Tensor> {
    let value = |(ours, theirs): &(String, String)| Some((theirs.clone(), fed.get(ours)?.clone()));
    pairs.iter().filter_map(value).collect()
}

/// The same without pairs that a longer stretch contradicts: what differs there and nowhere behind was never the same tensor.
fn confirmed(
    reference: &Side,
    candidate: &mut Side,
    pairing: &mut Pairing,
    mut found: Vec<Between>,
    spread: &Spread,
) -> Result<Vec<Between>> {
    let cut = Cut::of(reference, candidate, pairing);
    let over = |b: &Between| judged::alone(reference, Default::default(), b, spread).over();
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
            longer.push((i, cut.between(candidate, &found[i].pair, &without)?));
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
        file: model.display().to_string(),
        run,
        refused,
    })
}

/// Everything put together.
fn conclude(compared: Compared, alone: Vec<Alone>, engines: Engines) -> Result<Run> {
    let (scenario, reference) = (compared.scenario, &compared.reference);
    let tensors = judged::results(&compared);
    let ancestry = Ancestry::of(&reference.graph);
    let mut verdict = decide(&tensors, &ancestry, &[], vec![]);
    verdict.born = alive::born(&tensors, &ancestry, &|_, _| false);
    let stage = stage(&verdict, &compared);
    verdict.conclude(vec![stage]);
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
    let dead = declared().filter_map(|n| alive::dead(n, value(n)?, value(n)?, false));
    ledger.unjudged.extend(dead);
    ledger.unjudged.extend(alone.iter().filter_map(unjudged));
    let called = |p: &Path| format!("{} in f64", p.display());
    let names = (called(&scenario.model), called(&compared.second.model));
    let environment = Environment {
        shadow: Some(format!("libtorch {} f64", engines.torch()?.version())),
        ..environment::record(names, true, compared.threads, &reference.graph.digest)
    };
    Ok(Run {
        format: FORMAT,
        expectation: expectation(&scenario.expect, &verdict, &ledger, &|_| HashSet::new()),
        scenario: Some(scenario.clone()),
        environment,
        graph_inputs: reference.graph.taken(),
        inputs: compared.records,
        verdict,
        ledger,
        tensors,
        unobserved: vec![],
        stages: Default::default(),
        correspondence: Some(Correspondence {
            pairs: compared.pairing.pairs,
            tensors: compared.pairing.tensors,
        }),
        alone,
        findings: vec![],
        timings: BTreeMap::new(),
    })
}

/// What of a file alone had to be judged and was not.
fn unjudged(alone: &Alone) -> Option<Unjudged> {
    let why = match &alone.run {
        None => Why::NotTested(alone.refused.clone().unwrap_or_default()),
        Some(run) if run.verdict.outcome == Outcome::Diverge => return None,
        Some(run) => Why::NotTested(run.expectation.unmet.first()?.clone()),
    };
    let what = format!("'{}' in the engines", alone.file);
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
