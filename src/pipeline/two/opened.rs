//! opened: both sides with what they make of the same inputs, and their tensors paired.

use super::channels::{self, fitted};
use super::preprocess::{self, Preprocessed};
use super::rounded;
use super::source::{Ports, Source};
use crate::digest;
use crate::error::{Error, Place, Result};
use crate::graph::{Graph, Port};
use crate::input;
use crate::pairing::{self, Pairing, map};
use crate::prepare::{inputs, memory};
use crate::program::Program;
use crate::scenario::{Scenario, Second};
use crate::tensor::{DType, Tensor};
use crate::trace::InputRecord;
use crate::verdict::StageVerdict;
use crate::walk::function::{Opens, Side};
use crate::watch::Watch;
use indexmap::IndexMap;

/// Both sides, run on the same inputs, and what stands for what.
pub struct Opened {
    pub reference: Side,
    pub candidate: Side,
    pub pairing: Pairing,
    pub records: Vec<InputRecord>,
    /// What live ports made of the user's files.
    pub before: Option<StageVerdict>,
    /// What a live port gives in its own dtype, beside what it gives in f64.
    pub own: [Option<Program>; 2],
}

/// # Errors
/// Whatever the files, the inputs or the engine lack.
pub fn opened(
    scenario: &Scenario,
    (second, ports): (&Second, &mut Ports),
    stated: Option<IndexMap<String, Tensor>>,
    open: Opens,
    watch: &mut dyn Watch,
) -> Result<Opened> {
    let mut sources = ports.sources(scenario, second)?;
    let Given {
        named,
        declared,
        fed,
        before,
    } = given(scenario, second, &mut sources, stated)?;
    let [ours, theirs] = [sources[0].inputs(), sources[1].inputs()];
    let fed = laid(fed, &ours);
    let records = inputs::records(&fed);
    watch.ready()?;
    let other = laid(renamed(&fed, &declared), &theirs);
    let computed = sources.iter().zip([&fed, &other]);
    let computed = computed.filter_map(|(s, fed)| Some((s.graph()?, fed)));
    memory::of_two(scenario, computed, watch)?;
    let [ours, theirs] = sources;
    let (seed, beside) = (scenario.seed, [theirs.as_other(), ours.as_other()]);
    let (mut reference, own) = ours.side(fed, beside[0], seed, open).at("reference")?;
    let (mut candidate, other) = theirs.side(other, beside[1], seed, open).at("candidate")?;
    let mut own = [own, other];
    channels::align([&mut reference, &mut candidate], &mut own);
    if !reference.computes() && !candidate.computes() {
        for (side, own) in [&mut reference, &mut candidate].into_iter().zip(&own) {
            if let Some(own) = own.as_ref().filter(|_| side.recorded.is_empty()) {
                side.recorded = rounded::floors(side, own);
            }
        }
    }
    let named = pairing::turned(&reference.graph, &candidate.graph, &named)?;
    let outputs = pairing::outputs(&reference.graph.outputs, &candidate.graph.outputs, &named)?;
    let known: Vec<(String, String)> = [declared, outputs, named].concat();
    let pairing = pairing::pair(&reference.viewed(), &candidate.viewed(), &known);
    Ok(Opened {
        reference,
        candidate,
        pairing,
        records,
        before,
        own,
    })
}

/// What both sides are fed, and what is called how.
struct Given {
    /// Tensors that somebody named.
    named: Vec<(String, String)>,
    /// The inputs.
    declared: Vec<(String, String)>,
    fed: IndexMap<String, Tensor>,
    before: Option<StageVerdict>,
}

fn given(
    scenario: &Scenario,
    second: &Second,
    sources: &mut [Source; 2],
    stated: Option<IndexMap<String, Tensor>>,
) -> Result<Given> {
    let mapped = second.map.as_deref().map(map::read).transpose()?;
    let named: Vec<(String, String)> = second.rename.clone().into_iter().collect();
    let named = [named, mapped.unwrap_or_default()].concat();
    let declared = {
        let turned = named.iter().map(|(a, b)| (b.clone(), a.clone()));
        let either: Vec<_> = named.iter().cloned().chain(turned).collect();
        pairing::inputs(&sources[0].inputs(), &sources[1].inputs(), &either)?
    };
    let (fed, before) = match stated {
        Some(fed) => (fed, None),
        None => {
            let made = preprocess::of(scenario, second, sources, &declared)?;
            let fed = fed(scenario, sources, &declared, &made)?;
            (fed, made.stage)
        }
    };
    Ok(Given {
        named,
        declared,
        fed,
        before,
    })
}

/// What either of two live ports is fed.
///
/// # Errors
/// As [`opened`].
pub fn both_fed(
    scenario: &Scenario,
    second: &Second,
    ports: &mut Ports,
) -> Result<[IndexMap<String, Tensor>; 2]> {
    let mut sources = ports.sources(scenario, second)?;
    let given = given(scenario, second, &mut sources, None)?;
    let [ours, theirs] = [sources[0].inputs(), sources[1].inputs()];
    let fed = laid(given.fed, &ours);
    let other = laid(renamed(&fed, &given.declared), &theirs);
    Ok([fed, other])
}

/// What both sides are fed, by the reference's names: what a port made of the user's file, what the scenario states, else what a recording was fed or a
/// port brings, else what is drawn for a graph.
fn fed(
    scenario: &Scenario,
    sources: &mut [Source; 2],
    declared: &[(String, String)],
    made: &Preprocessed,
) -> Result<IndexMap<String, Tensor>> {
    let brought = brought(sources, declared, &made.fed)?;
    for (ours, theirs) in declared.iter().filter(|d| made.fed.contains_key(&d.0)) {
        agrees(sources, [ours, theirs], &brought[ours])?;
    }
    let mut scenario = scenario.clone();
    scenario.inputs.retain(|name, _| !made.files.contains(name));
    if scenario.inputs.is_empty() && brought.len() == declared.len() {
        return Ok(brought);
    }
    let graphs = |at: &usize| sources[*at].graph().is_some();
    let at = (0..2).find(graphs).unwrap_or(0);
    let own = of_graph(&scenario, at, declared);
    let of_file = match sources[at].graph() {
        Some(graph) => input::make(&own, graph)?,
        None => stated(&own, &sources[at])?,
    };
    let mut fed = IndexMap::new();
    for (ours, theirs) in declared {
        let own = made.fed.get(ours).and(brought.get(ours));
        let own = own.or_else(|| of_file.get([ours, theirs][at]));
        let value = own.or_else(|| brought.get(ours)).ok_or_else(unfed)?;
        agrees(sources, [ours, theirs], value)?;
        fed.insert(ours.clone(), value.clone());
    }
    Ok(fed)
}

fn unfed() -> Error {
    Error::usage("nothing says what the two are to be fed")
        .next("record the inputs with their values, or have the port's `inputs()` return them")
}

/// Of inputs that a program which is no graph declares, those that the scenario states.
fn stated(scenario: &Scenario, source: &Source) -> Result<IndexMap<String, Tensor>> {
    let mut inputs = source.inputs();
    if let Some(name) = scenario
        .inputs
        .keys()
        .find(|n| !inputs.iter().any(|p| p.name == **n))
    {
        let known: Vec<&str> = inputs.iter().map(|p| p.name.as_str()).collect();
        return Err(Error::usage(format!("neither side has an input '{name}'"))
            .next(format!("its inputs: {}", known.join(", "))));
    }
    inputs.retain(|p| scenario.inputs.contains_key(&p.name));
    let graph = Graph {
        inputs,
        ..Graph::default()
    };
    input::make(scenario, &graph)
}

/// Whether a recording may have been fed this.
fn agrees(sources: &[Source; 2], own: [&String; 2], value: &Tensor) -> Result<()> {
    let sha256 = digest::of_tensor(value);
    if (0..2).any(|side| sources[side].contradicts(own[side], &sha256)) {
        let next = "leave --input out where the trace holds its inputs, or state the file that they come from";
        let what = format!("input '{}' is not what the recording was fed", own[0]);
        return Err(Error::usage(what).next(next));
    }
    Ok(())
}

/// What was made of files, else what recordings and ports bring, in the dtypes that a graph declares.
fn brought(
    sources: &mut [Source; 2],
    declared: &[(String, String)],
    made: &IndexMap<String, Tensor>,
) -> Result<IndexMap<String, Tensor>> {
    let ports = [sources[0].inputs(), sources[1].inputs()];
    let wanted = |pair: &(String, String)| -> Option<DType> {
        let names = [&pair.0, &pair.1];
        let graphs = (0..2).filter(|side| sources[*side].graph().is_some());
        let mut ports =
            graphs.flat_map(|side| ports[side].iter().filter(move |p| p.name == *names[side]));
        ports.find_map(|p| p.dtype)
    };
    let wanted: Vec<Option<DType>> = declared.iter().map(wanted).collect();
    let held = [sources[0].fed()?, sources[1].fed()?];
    let mut all = IndexMap::new();
    for (pair, dtype) in declared.iter().zip(wanted) {
        let held = || held[0].get(&pair.0).or(held[1].get(&pair.1));
        let value = made.get(&pair.0).or_else(held);
        if let Some(value) = value {
            all.insert(pair.0.clone(), cast(value, dtype)?);
        }
    }
    Ok(all)
}

/// A float in the dtype that is wanted, which holds it.
fn cast(value: &Tensor, dtype: Option<DType>) -> Result<Tensor> {
    match dtype.filter(|d| d.is_float() && value.dtype().is_float() && *d != value.dtype()) {
        None => Ok(value.clone()),
        Some(dtype) => Tensor::from_f64(dtype, value.shape(), &value.to_f64()),
    }
}

/// The scenario whose inputs are called as side `at` calls them.
fn of_graph(scenario: &Scenario, at: usize, declared: &[(String, String)]) -> Scenario {
    let mut own = scenario.clone();
    own.inputs = scenario
        .inputs
        .iter()
        .map(|(name, input)| {
            let pair = declared.iter().find(|(a, b)| a == name || b == name);
            let called = pair.map_or(name, |(a, b)| [a, b][at]);
            (called.clone(), input.clone())
        })
        .collect();
    own
}

/// The same, each as its port declares it.
fn laid(fed: IndexMap<String, Tensor>, ports: &[Port]) -> IndexMap<String, Tensor> {
    let one = |(name, value): (String, Tensor)| {
        let port = ports.iter().find(|p| p.name == name);
        (name, fitted(&value, port))
    };
    fed.into_iter().map(one).collect()
}

/// The candidate's inputs: the same bits under its own names.
fn renamed(fed: &IndexMap<String, Tensor>, pairs: &[(String, String)]) -> IndexMap<String, Tensor> {
    let value = |(ours, theirs): &(String, String)| Some((theirs.clone(), fed.get(ours)?.clone()));
    pairs.iter().filter_map(value).collect()
}
