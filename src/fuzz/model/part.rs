//! part: the fewest nodes of a model that diverge alike, fed what the reference computed for them.

use super::asker::{Asker, Inputs};
use super::wrong_run::{Kind, WrongRun};
use crate::cause::fault;
use crate::error::{Place, Result};
use crate::fuzz::search::least;
use crate::fuzz::tally::Wrong as _;
use crate::graph::{Graph, cut, load};
use crate::prepare::prepared::Prepared;
use crate::scenario::{Expect, Limit, Scenario};
use crate::tensor::Tensor;
use crate::walk::extract;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Runs of smaller parts that one find may take.
const RUNS: usize = 80;

/// Some nodes of a model as a model of their own.
#[derive(Debug)]
pub struct Part {
    pub model: Vec<u8>,
    pub scenario: Scenario,
    pub inputs: Inputs,
    /// Its nodes, and how many the model has.
    pub nodes: Vec<String>,
    pub of: usize,
    pub wrong: WrongRun,
}

/// Whether only what is deployed shows it.
fn deployed(kind: Kind) -> bool {
    matches!(kind, Kind::Unobserved | Kind::UnobservedRefused)
}

/// Whether a finding can be taken apart: both sides must run any model.
fn divisible(scenario: &Scenario) -> bool {
    [&scenario.reference, &scenario.candidate]
        .iter()
        .all(|s| s.abilities().any_graph)
}

/// The smallest part that diverges as the whole does.
///
/// # Errors
/// Why there is none: a side that runs the whole model only, or a finding that no part shows.
pub fn smallest(
    asker: &mut Asker,
    inputs: &Inputs,
    wrong: &WrongRun,
    hurry: &dyn Fn() -> bool,
) -> std::result::Result<Part, String> {
    if !divisible(asker.scenario()) {
        return Err("one side runs the whole model only".into());
    }
    let Some(tensor) = &wrong.tensor else {
        return Err("no node is at fault".into());
    };
    let search = Search::of(asker, inputs, wrong, tensor).map_err(|e| e.message)?;
    let Some(mut part) = search.grown(hurry) else {
        return Err("only the whole model shows it".into());
    };
    let mut left = RUNS;
    least(part.1.clone(), &mut |steps| {
        if left == 0 || hurry() {
            return false;
        }
        left -= 1;
        let found = search.fails(steps);
        let is = found.is_some();
        if let Some(found) = found {
            part = (found, steps.to_vec());
        }
        is
    });
    Ok(part.0)
}

/// Everything that smaller parts are cut from.
struct Search<'a, 'b> {
    asker: &'a Asker<'b>,
    graph: Arc<Graph>,
    wrong: &'a WrongRun,
    /// What the reference computed.
    values: HashMap<String, Tensor>,
    /// The step that tells the finding.
    target: usize,
}

impl<'a, 'b> Search<'a, 'b> {
    fn of(
        asker: &'a mut Asker<'b>,
        inputs: &Inputs,
        wrong: &'a WrongRun,
        tensor: &str,
    ) -> Result<Self> {
        let graph = asker.ready(inputs)?;
        let asker: &Asker = asker;
        let target = fault::find(&graph, tensor)?;
        let prepared = Prepared::on(asker.scenario(), graph.clone(), inputs.clone())?;
        let mut reference = fault::open(
            &asker.scenario().reference,
            &graph,
            prepared.threads,
            asker.engines(),
        )
        .at("reference")?;
        let values = extract::recorded(&prepared, &mut *reference, target)?;
        drop(prepared);
        Ok(Self {
            asker,
            graph,
            wrong,
            values,
            target,
        })
    }

    /// The suspects, then what lies one, two, four, ... nodes above them, until that fails.
    fn grown(&self, hurry: &dyn Fn() -> bool) -> Option<(Part, Vec<usize>)> {
        let mut steps: HashSet<usize> = self
            .wrong
            .suspects
            .iter()
            .filter_map(|n| self.graph.steps.iter().position(|s| s.name == *n))
            .collect();
        if steps.is_empty() {
            steps.insert(self.target);
        }
        if deployed(self.wrong.kind) {
            self.complete(&mut steps);
        }
        let producers = self.graph.producers();
        let mut levels = 1;
        while !hurry() {
            let mut sorted: Vec<usize> = steps.iter().copied().collect();
            sorted.sort_unstable();
            if let Some(part) = self.fails(&sorted) {
                return Some((part, sorted));
            }
            let before = steps.len();
            for _ in 0..levels {
                let above: Vec<usize> = steps
                    .iter()
                    .flat_map(|i| &self.graph.steps[*i].inputs)
                    .filter_map(|n| producers.get(n.as_str()).copied())
                    .collect();
                steps.extend(above);
            }
            if steps.len() == before {
                return None;
            }
            levels *= 2;
        }
        None
    }

    /// An un-observed output is told by what lies between the region and it.
    fn complete(&self, steps: &mut HashSet<usize>) {
        let below: HashSet<usize> = {
            let mut marked = steps.clone();
            for (i, step) in self.graph.steps.iter().enumerate().take(self.target + 1) {
                let takes = self.graph.steps[..i].iter().enumerate();
                if takes
                    .filter(|(k, _)| marked.contains(k))
                    .any(|(_, s)| s.outputs.iter().any(|o| step.inputs.contains(o)))
                {
                    marked.insert(i);
                }
            }
            marked
        };
        if !steps.contains(&self.target)
            && let Ok(above) = self.graph.ancestors(std::slice::from_ref(
                &self.graph.steps[self.target].outputs[0],
            ))
        {
            steps.extend(above.intersection(&below).copied());
            steps.insert(self.target);
        }
    }

    /// The part of these steps (ascending), if it diverges alike.
    fn fails(&self, steps: &[usize]) -> Option<Part> {
        let shown = |n: &str| self.values.get(n).map(|t| (t.dtype(), t.shape().to_vec()));
        let model = cut::part(&self.graph, steps, &shown);
        let graph = Arc::new(load::parse(model.clone().into(), None).ok()?);
        let inputs: Inputs = graph
            .inputs
            .iter()
            .map(|p| Some((p.name.clone(), self.values.get(&p.name)?.clone())))
            .collect::<Option<_>>()?;
        let whole = self.asker.scenario();
        let scenario = Scenario {
            limit: Limit {
                memory: whole.limit.memory.clone(),
                ..Limit::default()
            },
            expect: Expect {
                tie_flips: whole.expect.tie_flips,
                ..Expect::default()
            },
            ..whole.clone()
        };
        if ![&scenario.reference, &scenario.candidate]
            .into_iter()
            .all(|s| carries(s, &graph))
        {
            return None;
        }
        let mut asker = Asker::of(scenario.clone(), graph.clone(), self.asker.engines());
        let found = asker.ask(&inputs, None).ok()?.wrong?;
        // An optimiser names the output of the part, which is another than the model's.
        let alike =
            found.is_like(self.wrong) || found.kind == self.wrong.kind && deployed(found.kind);
        let nodes = steps
            .iter()
            .map(|i| self.graph.steps[*i].name.clone())
            .collect();
        alike.then_some(Part {
            model,
            scenario,
            inputs,
            nodes,
            of: self.graph.steps.len(),
            wrong: found,
        })
    }
}

/// Whether the part has all that the subject's fault needs.
fn carries(subject: &crate::scenario::Subject, part: &Arc<Graph>) -> bool {
    let Ok(graph) = fault::graph_of(subject, part) else {
        return false;
    };
    let produced = graph.producers();
    let known = |n: &String| {
        graph.weights.contains_key(n)
            || produced.contains_key(n.as_str())
            || graph.inputs.iter().any(|p| p.name == *n)
    };
    graph.steps.iter().flat_map(|s| &s.inputs).all(known)
}
