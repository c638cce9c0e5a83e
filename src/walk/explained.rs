//! explained: what is at hand of the first nodes that are off alone, kept while the walk goes on, and why they are, asked once it is known which are origins.

use super::live_set::LiveSet;
use super::sessions::Sessions;
use super::step::Walked;
use crate::cause::hypothesis::{self, Evidence};
use crate::error::Result;
use crate::graph::{Graph, hoist};
use crate::scenario::Side;
use crate::subject::{Engines, Options, Output};
use crate::tensor::Tensor;
use crate::verdict::{Isolated, Verdict};
use std::collections::HashMap;
use std::sync::Arc;

/// Nodes of which the values are kept: a cause is looked for at the first origins.
const KEPT: usize = 3;

/// A node that is off alone: what the side that is off was fed, and what it gave.
pub struct Suspect {
    step: usize,
    feed: HashMap<String, Tensor>,
    observed: Vec<(String, Tensor)>,
}

/// Keeps the values of a step that is off alone, unless enough are kept.
pub fn suspect(sessions: &Sessions, walked: &Walked, isolated: &Isolated, kept: &mut Vec<Suspect>) {
    let step = &sessions.graph.steps[walked.step];
    let known = kept.len() >= KEPT || kept.iter().any(|s| s.step == walked.step);
    if known || sessions.judge.is_none() || step.nodes.iter().any(hoist::has_body) {
        return;
    }
    let (outputs, own) = off(walked, isolated);
    let given = step.outputs.iter().zip(outputs);
    let given = given.filter_map(|(n, v)| Some((n.clone(), v.as_ref().ok()?.clone())));
    kept.push(Suspect {
        step: walked.step,
        feed: around(sessions.graph, walked.step, own),
        observed: given.collect(),
    });
}

/// What the side that is off gave, and on what.
fn off<'a>(walked: &Walked<'a>, isolated: &Isolated) -> (&'a [Output], &'a LiveSet) {
    match (isolated.side(), walked.alone) {
        (Some(Side::Reference | Side::ReferenceOrShadow), _) => (walked.reference, walked.own_r),
        (_, Some(alone)) => (alone, walked.own_r),
        (_, None) => (walked.candidate, walked.own_c),
    }
}

/// What the step takes, and what stands in front of that: a fault may read from there.
fn around(graph: &Graph, step: usize, own: &LiveSet) -> HashMap<String, Tensor> {
    let made = graph.producers();
    let taken = graph.steps[step].inputs.iter();
    let before = taken.clone().filter_map(|n| made.get(n.as_str()));
    let before = before.flat_map(|i| &graph.steps[*i].inputs);
    let named = taken.chain(before);
    named
        .filter_map(|n| Some((n.clone(), own.get(n)?)))
        .collect()
}

/// Says why of every origin of which the values were kept.
///
/// # Errors
/// Memory that runs out.
pub fn origins(
    verdict: &mut Verdict,
    suspects: &[Suspect],
    (graph, threads): (&Arc<Graph>, usize),
    engines: Engines,
) -> Result<()> {
    let options = Options {
        threads,
        optimisation: Default::default(),
    };
    let open = |graph| engines.torch()?.judge(graph, &options);
    for origin in &mut verdict.origins {
        let Some(suspect) = suspects.iter().find(|s| s.step == origin.step) else {
            continue;
        };
        let evidence = Evidence {
            graph,
            steps: &[suspect.step],
            feed: &suspect.feed,
            observed: &suspect.observed,
            allowed: None,
            mended: false,
        };
        origin.why = hypothesis::explain(&evidence, &[], &open)?;
    }
    Ok(())
}
