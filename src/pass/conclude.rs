//! conclude: what the walks found put together: the verdict with one line per stage, and the ledger of what was compared.

use super::bench::Bench;
use super::given::Given;
use super::inputs;
use crate::graph::Graph;
use crate::judge::alive;
use crate::judge::exercised::{self, Shown, Unexercised};
use crate::scenario::training::{ASSIGNED, LOSSES};
use crate::scenario::{Scenario, Stage};
use crate::stage::regions::Regions;
use crate::stage::{Stages, verdicts};
use crate::tensor::Tensor;
use crate::verdict::{Ancestry, Ledger, Outcome, Required, Special, TensorResult, Unjudged, Unobserved, Verdict, Why, decide, ledger};
use std::collections::HashMap;

/// Everything that was found.
pub struct Found<'a> {
    pub given: &'a Given<'a>,
    pub bench: &'a Bench<'a>,
    pub regions: &'a Regions,
    pub tensors: &'a [TensorResult],
    /// Constants that a recording does not hold.
    pub known: usize,
    /// What each step shows of its inputs.
    pub shown: &'a [Shown],
    /// Declared outputs of both sides.
    pub outputs: [&'a HashMap<String, Tensor>; 2],
    pub unobserved: &'a [Unobserved],
    pub stages: &'a Stages,
    /// What one side sees before its inputs and the other does not.
    pub context: Vec<String>,
    /// Whether the stages behind the activations ran.
    pub behind: bool,
}

/// The verdict and what it rests on.
pub fn conclude(found: &Found) -> (Verdict, Ledger) {
    let Given { scenario, graph, records, plan, .. } = found.given;
    let (sessions, golden) = (found.bench.sessions(), found.bench.golden);
    let recorded = sessions.iter().map(|s| s.recorded_inputs()).chain(golden.iter().map(|g| g.facts.inputs.clone()));
    let blamed = recorded.filter(|_| scenario.runs(Stage::Inputs)).flat_map(|r| inputs::mismatches(&r, records));
    let blamed = blamed.chain(found.context.clone()).collect();
    let ancestry = ancestry(graph);
    let mut verdict = decide(found.tensors, &ancestry, found.unobserved, blamed);
    verdict.born = alive::born(found.tensors, &ancestry, &|step, special| fed(found.given, step, special));
    let asked: Vec<Stage> = Stage::ALL.into_iter().filter(|s| scenario.runs(*s)).collect();
    verdict.conclude(verdicts(&asked, &verdict, found.regions, found.stages, found.behind));
    let unpaired = golden.iter().flat_map(|g| inputs::unpaired(g, graph));
    let leftovers = sessions.iter().flat_map(|s| s.leftovers()).chain(unpaired).collect();
    let outputs = graph.outputs.iter().map(|p| p.name.as_str()).collect();
    let required = Required { excused: &|n| plan.excused(n), outputs, may_lack: !found.bench.both_live() };
    let mut ledger = ledger(found.tensors, leftovers, &required);
    ledger.known = found.known;
    ledger.unexercised = unexercised(found);
    ledger.unjudged.extend(unjudged(found));
    ledger.unjudged.extend(dead(found, scenario));
    for (name, reason) in &plan.hidden {
        ledger.abstain(reason.clone(), plan.excused(name));
    }
    if !scenario.runs(Stage::Activations) {
        only_inputs(&mut verdict, &mut ledger, records.len(), inputs::proved(&sessions, records));
    }
    (verdict, ledger)
}

/// What the inputs did not try; nothing where only a part of the graph was walked.
fn unexercised(found: &Found) -> Unexercised {
    let Given { graph, plan, .. } = found.given;
    if !plan.whole {
        return Unexercised::default();
    }
    let outputs: Vec<&str> = graph.outputs.iter().map(|p| p.name.as_str()).collect();
    let floats = graph.weights.iter().filter(|(_, t)| t.dtype().is_float() && t.numel() > 0);
    let weights: Vec<&str> = floats.map(|(name, _)| name.as_str()).collect();
    exercised::unexercised(&graph.steps, &outputs, &weights, found.shown, &plan.constants)
}

/// Declared outputs that are dead on both sides, but for those that the scenario expects to be. Constant inputs make constant outputs; targets and
/// losses of images without objects are zeros, and the stages say where that is no assignment.
fn dead(found: &Found, scenario: &Scenario) -> Vec<Unjudged> {
    let outputs = found.given.graph.outputs.iter().filter(|p| !found.given.plan.may_be_dead(&p.name));
    let [reference, candidate] = found.outputs;
    let of_training = |name: &str| scenario.training.as_ref().is_some_and(|t| ASSIGNED.iter().chain(&LOSSES).any(|s| t.name(s) == name));
    let size = |t: &Tensor| t.dtype().size();
    let constant = |t: &Tensor| t.bytes().chunks(size(t)).all(|element| element == &t.bytes()[..size(t)]);
    let still = found.given.inputs.values().all(constant);
    let natural = |name: &str| still || of_training(name);
    outputs.filter_map(|p| alive::dead(&p.name, reference.get(&p.name)?, candidate.get(&p.name)?, natural(&p.name))).collect()
}

/// Whether an input or a weight that the step takes holds such values already.
fn fed(given: &Given, step: usize, special: Special) -> bool {
    let holds = |t: &Tensor| {
        let is = |v: &f64| match special {
            Special::NaN => v.is_nan(),
            Special::Infinity => v.is_infinite(),
        };
        t.dtype().is_float() && t.to_f64().iter().any(is)
    };
    let taken = given.graph.steps[step].inputs.iter();
    taken.filter_map(|n| given.inputs.get(n).or_else(|| given.graph.weights.get(n))).any(holds)
}

/// What the golden and the deployed sessions left unjudged.
fn unjudged(found: &Found) -> Vec<Unjudged> {
    let repeats = found.tensors.iter().find_map(|t| Some((t, t.repeat_noise.as_ref()?)));
    let unrepeated =
        repeats.map(|(t, noise)| Unjudged { what: format!("what follows from node '{}' on", t.node), why: Why::Unrepeated(noise.clone()) });
    let lost = found.bench.golden.iter().flat_map(|g| inputs::unpaired(g, &found.given.graph));
    let lost = lost.map(|name| Unjudged { what: name, why: Why::Missing("it pairs with no tensor of the graph".into()) });
    let golden = found.stages.golden.iter().flat_map(|g| &g.tensors).map(|t| (format!("golden tensor '{}'", t.name), &t.judgement));
    let deployed = found.unobserved.iter().map(|u| (format!("un-observed output '{}' of {}", u.name, u.subject), &u.judgement));
    let open = golden.chain(deployed).filter_map(|(what, judgement)| Some((what, judgement.why().filter(|why| !why.excuses())?)));
    open.map(|(what, why)| Unjudged { what, why: why.clone() }).chain(unrepeated).chain(lost).collect()
}

/// Only stage 0 ran: its tensors are the inputs.
fn only_inputs(verdict: &mut Verdict, ledger: &mut Ledger, inputs: usize, proved: usize) {
    (ledger.tensors, ledger.compared) = (inputs, proved);
    if proved > 0 && verdict.outcome == Outcome::Nothing {
        verdict.outcome = Outcome::Agree;
    }
}

fn ancestry(graph: &Graph) -> Ancestry {
    let producers = graph.producers();
    Ancestry(graph.steps.iter().map(|s| s.inputs.iter().filter_map(|n| producers.get(n.as_str()).copied()).collect()).collect())
}
