//! explained: what is at hand of the first nodes that are off alone, kept while the walk goes on, and why they are, asked once it is known which are origins.

use super::live_set::LiveSet;
use super::sessions::Sessions;
use super::step::Walked;
use crate::cause::hypothesis::again::Values;
use crate::cause::hypothesis::{self, Evidence};
use crate::error::{Result, unless_refused};
use crate::graph::cut::Link;
use crate::graph::{Graph, hoist};
use crate::scenario::Side;
use crate::subject::{Engines, Options, Output, Session};
use crate::tensor::Tensor;
use crate::verdict::{Isolated, Verdict};

/// Nodes of which the values are kept: a cause is looked for at the first origins.
const KEPT: usize = 3;

/// A node that is off alone: what the side that is off was fed, and what it gave.
pub struct Suspect {
    step: usize,
    feed: Values,
    observed: Vec<(String, Tensor)>,
    /// Whether it is the reference that is off.
    reference: bool,
}

/// Keeps the values of a step that is off alone, unless enough are kept.
pub fn suspect(sessions: &Sessions, walked: &Walked, isolated: &Isolated, kept: &mut Vec<Suspect>) {
    let step = &sessions.graph.steps[walked.step];
    let known = kept.len() >= KEPT || kept.iter().any(|s| s.step == walked.step);
    if known || sessions.judge.is_none() || step.nodes.iter().any(hoist::has_body) {
        return;
    }
    let reference = matches!(
        isolated.side(),
        Some(Side::Reference | Side::ReferenceOrShadow)
    );
    let (outputs, own) = off(walked, reference);
    let given = step.outputs.iter().zip(outputs);
    let given = given.filter_map(|(n, v)| Some((n.clone(), v.as_ref().ok()?.clone())));
    kept.push(Suspect {
        step: walked.step,
        feed: around(sessions.graph, walked.step, &|n| own.get(n)),
        observed: given.collect(),
        reference,
    });
}

/// What the side that is off gave, and on what.
fn off<'a>(walked: &Walked<'a>, reference: bool) -> (&'a [Output], &'a LiveSet) {
    match (reference, walked.alone) {
        (true, _) => (walked.reference, walked.own_r),
        (false, Some(alone)) => (alone, walked.own_r),
        (false, None) => (walked.candidate, walked.own_c),
    }
}

/// What the step takes, and what stands in front of that: a fault may read from there.
pub fn around(graph: &Graph, step: usize, own: &dyn Fn(&str) -> Option<Tensor>) -> Values {
    let made = graph.producers();
    let taken = graph.steps[step].inputs.iter();
    let before = taken.clone().filter_map(|n| made.get(n.as_str()));
    let before = before.flat_map(|i| &graph.steps[*i].inputs);
    let named = taken.chain(before);
    named.filter_map(|n| Some((n.clone(), own(n)?))).collect()
}

/// Says why of every origin of which the values were kept.
///
/// # Errors
/// Memory that runs out.
pub fn origins(
    verdict: &mut Verdict,
    suspects: &[Suspect],
    sessions: &mut Sessions,
    engines: Engines,
) -> Result<()> {
    let graph = sessions.graph;
    let options = Options {
        threads: sessions.threads,
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
        let session = match suspect.reference {
            true => &mut sessions.reference,
            false => &mut sessions.candidate,
        };
        let mut again = |feed: &Values| alone(&mut **session, (graph, suspect.step), feed);
        origin.why = hypothesis::explain(&evidence, &[], &open, Some(&mut again))?;
    }
    Ok(())
}

/// What a step gives alone on these inputs; None where the session cannot be asked, or refuses.
///
/// # Errors
/// Memory that runs out.
pub fn alone(
    session: &mut dyn Session,
    (graph, step): (&Graph, usize),
    feed: &Values,
) -> Result<Option<Vec<(String, Tensor)>>> {
    if !session.can_isolate() {
        return Ok(None);
    }
    let given = session.eval(graph, &[step], Link::Isolated, &|n| feed.get(n).cloned());
    let Some(given) = unless_refused(given)? else {
        return Ok(None);
    };
    let names = graph.steps[step].outputs.iter();
    let named = names.zip(given.into_iter().flatten());
    Ok(Some(
        named
            .filter_map(|(n, v)| Some((n.clone(), v.ok()?)))
            .collect(),
    ))
}
