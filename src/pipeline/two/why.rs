//! why: a stretch that computes another function: every fault applied to the nodes of the reference between the same two pairs; where the reference is a
//! recording, to those of the graph beside it, on what was recorded.

use super::judged;
use super::spread::Spread;
use crate::cause::hypothesis::{self, Evidence};
use crate::error::Result;
use crate::floor::noise::{Floor, R};
use crate::tensor::Tensor;
use crate::verdict::Explained;
use crate::walk::function::{Between, Cut, Opens, Side};
use std::collections::HashMap;

/// Nodes between two pairs beyond which the table is not tried at every one of them.
const NODES: usize = 16;

/// Stretches for which a cause is looked for.
const FIRST: usize = 2;

/// Looks for the causes of the first stretches that are off alone.
///
/// # Errors
/// Memory that runs out.
pub fn explain(
    sides: [&Side; 2],
    cut: &Cut,
    found: &mut [Between],
    spread: &Spread,
    open: Opens,
) -> Result<()> {
    let off = |b: &Between| judged::alone(Default::default(), b, spread).over();
    let mut off: Vec<usize> = (0..found.len()).filter(|i| off(&found[*i])).collect();
    off.sort_by_key(|i| found[*i].reference.steps.last().copied());
    for i in off.into_iter().take(FIRST) {
        found[i].why = at(sides, cut, &found[i], spread, open)?;
    }
    Ok(())
}

fn at(
    sides: [&Side; 2],
    cut: &Cut,
    between: &Between,
    spread: &Spread,
    open: Opens,
) -> Result<Option<Explained>> {
    // The reference's own graph, on the values of the side that was not run; else whatever ran.
    let by = if sides[0].computes() { 0 } else { cut.by };
    let Some(alone) = &between.alone else {
        return Ok(None);
    };
    let stretch = between.stretch(by);
    let names = [&between.pair.reference, &between.pair.candidate];
    let known = match by == cut.by {
        true => &cut.known,
        false => &sides[by].values,
    };
    let taken = stretch.from.iter();
    let feed: HashMap<String, Tensor> = taken
        .filter_map(|n| Some((n.clone(), known.get(n)?.clone())))
        .collect();
    let other = &alone.held[1 - by];
    let allowed = spread.alone(&between.pair, &alone.held[0], alone.noise.as_ref());
    let parts = [allowed.rounding.as_ref(), allowed.constants.as_ref()];
    let floor = Floor::sum(parts.into_iter().flatten().map(|f| (f, 1.0)));
    let ends_alone = stretch
        .steps
        .last()
        .is_some_and(|last| sides[by].graph.steps[*last].outputs.contains(names[by]));
    if feed.len() < stretch.from.len() || stretch.steps.len() > NODES || !ends_alone {
        return Ok(None);
    }
    let limits = [limits(floor.as_ref(), other)];
    let observed = [(names[by].clone(), other.clone())];
    let evidence = Evidence {
        graph: &sides[by].graph,
        steps: &stretch.steps,
        feed: &feed,
        observed: &observed,
        allowed: Some(&limits),
        mended: by == 1,
    };
    hypothesis::explain(&evidence, &[], open, None)
}

/// How far each element of `t` may be off: R spreads of its channel.
fn limits(floor: Option<&Floor>, t: &Tensor) -> Vec<f64> {
    let channel = |i: usize, floor: &Floor| match floor.axis {
        Some(axis) => {
            let inner: usize = t.shape()[axis + 1..].iter().product();
            i / inner.max(1) % t.shape()[axis].max(1)
        }
        None => 0,
    };
    let limit = |i: usize| {
        let floor = floor?;
        floor.max.get(channel(i, floor)).map(|spread| R * spread)
    };
    (0..t.numel()).map(|i| limit(i).unwrap_or(0.0)).collect()
}
