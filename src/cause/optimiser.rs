//! optimiser: what in an optimised session makes its outputs differ, or makes it refuse: the level, the optimisers, and the smallest region between two
//! tensors.
//!
//! Every question is one more session of the whole model; halving keeps them few.

use super::{Cause, Test};
use crate::error::Result;
use crate::graph::Graph;
use crate::scenario::Optimisation;
use crate::subject::{Deployed, Feed, Session};
use crate::tensor::Tensor;
use crate::verdict::Rewrite;
use std::collections::HashSet;

/// Tensors of a region that are tried one by one.
const SINGLY: usize = 32;

/// Declared outputs of one session.
pub type Outputs = Vec<(String, Tensor)>;

pub const CAUSE: Cause = Cause {
    name: "optimiser",
    asks: "without which optimisers, and with which tensor observed, does the deployed session give what the observed one gives?",
    test: Test::Deployed(test),
};

/// A session that is off, or refuses, as it is deployed.
pub struct Off<'a> {
    pub session: &'a mut dyn Session,
    pub graph: &'a Graph,
    pub feed: Feed<'a>,
    /// Whether outputs are off.
    pub off: &'a dyn Fn(&Result<Outputs>) -> bool,
}

/// Why it is; None where it cannot be asked, or where asking again shows nothing.
fn test(of: &mut Off) -> Result<Option<Rewrite>> {
    let Off {
        session,
        graph,
        feed,
        off,
    } = of;
    // The last first: where leaving out either of two is enough, a fusion is named, and not the clean-up that led to it.
    let all: Vec<&str> = session.optimisers().iter().rev().copied().collect();
    let mut ask = |level: Optimisation, without: &[&str], observed: &[String]| {
        session
            .deployed(
                feed,
                &Deployed {
                    level,
                    without,
                    observed,
                },
            )
            .transpose()
    };
    let mut found = None;
    for level in [
        Optimisation::Disable,
        Optimisation::Basic,
        Optimisation::Extended,
        Optimisation::All,
    ] {
        let Some(outputs) = ask(level, &[], &[]) else {
            return Ok(None);
        };
        if off(&outputs) {
            found = Some(level);
            break;
        }
    }
    let Some(level) = found else { return Ok(None) };
    // What refuses is not well, though it may not be what is looked for.
    let mut well = |without: &[&str], observed: &[String]| {
        Ok(ask(level, without, observed).is_some_and(|o| o.is_ok() && !off(&o)))
    };
    let optimisers = fewest(all.len(), &mut |chosen| {
        let without: Vec<&str> = chosen.iter().map(|i| all[*i]).collect();
        well(&without, &[])
    })?;
    let region = region(graph, &mut |observed| well(&[], observed))?;
    let optimisers = optimisers
        .unwrap_or_default()
        .into_iter()
        .map(|i| all[i].to_string())
        .collect();
    Ok(Some(Rewrite {
        level,
        optimisers,
        ..region.unwrap_or_default()
    }))
}

/// A smallest set of 0..n for which `holds`, in which none can be spared; None where not even all of them do.
fn fewest(n: usize, holds: &mut dyn FnMut(&[usize]) -> Result<bool>) -> Result<Option<Vec<usize>>> {
    let mut kept: Vec<usize> = Vec::new();
    let with =
        |kept: &[usize], first: usize| kept.iter().copied().chain(0..first).collect::<Vec<_>>();
    let mut most = n;
    if !holds(&with(&kept, most))? {
        return Ok(None);
    }
    while !holds(&kept)? {
        // The last of the first that are needed is needed itself.
        let first = least(most, &mut |k| holds(&with(&kept, k)))?;
        let Some(last) = first.checked_sub(1) else {
            break;
        };
        kept.push(last);
        most = last;
    }
    Ok(Some(kept))
}

/// The least k of 0..=n with `holds(k)`, which holds at n.
fn least(n: usize, holds: &mut dyn FnMut(usize) -> Result<bool>) -> Result<usize> {
    let (mut below, mut at) = (0, n);
    while below < at {
        let middle = below + (at - below) / 2;
        if holds(middle)? {
            at = middle
        } else {
            below = middle + 1
        }
    }
    Ok(at)
}

/// The nodes across whose tensors something is fused: observing one of these tensors is enough to end the difference.
fn region(
    graph: &Graph,
    agrees: &mut dyn FnMut(&[String]) -> Result<bool>,
) -> Result<Option<Rewrite>> {
    let declared: HashSet<&str> = graph.outputs.iter().map(|p| p.name.as_str()).collect();
    let tensors: Vec<String> = graph
        .steps
        .iter()
        .flat_map(|s| &s.outputs)
        .filter(|n| !declared.contains(n.as_str()))
        .cloned()
        .collect();
    let n = tensors.len();
    if n == 0 || !agrees(&tensors)? {
        return Ok(None);
    }
    let from = least(n, &mut |k| agrees(&tensors[..k]))?.saturating_sub(1);
    let to = n - least(n, &mut |k| agrees(&tensors[n - k..]))?;
    let between = &tensors[from.min(to)..=to.max(from).min(n - 1)];
    let mut inside: Vec<&String> = Vec::new();
    for name in between.iter().filter(|_| between.len() <= SINGLY) {
        if agrees(std::slice::from_ref(name))? {
            inside.push(name);
        }
    }
    if inside.is_empty() {
        inside = between.iter().collect();
    }
    Ok(Some(around(graph, &inside)))
}

/// The nodes that give or take the tensors `inside`, and what lies before and behind them.
fn around(graph: &Graph, inside: &[&String]) -> Rewrite {
    let touches = |s: &&crate::graph::Step| {
        s.inputs
            .iter()
            .chain(&s.outputs)
            .any(|n| inside.contains(&n))
    };
    let steps: Vec<_> = graph.steps.iter().filter(touches).collect();
    let given = |n: &&String| steps.iter().any(|s| s.outputs.contains(n));
    let mut from: Vec<String> = steps
        .iter()
        .flat_map(|s| &s.inputs)
        .filter(|n| !given(n) && !graph.weights.contains_key(*n))
        .cloned()
        .collect();
    from.dedup();
    let to = steps
        .iter()
        .flat_map(|s| &s.outputs)
        .filter(|n| !inside.contains(n))
        .cloned()
        .collect();
    Rewrite {
        nodes: steps.iter().map(|s| s.name.clone()).collect(),
        from,
        to,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_are_found_alone_together_or_not_at_all() {
        for needed in [vec![], vec![0], vec![6], vec![2, 5], vec![0, 3, 6]] {
            let mut asked = 0;
            let mut holds = |chosen: &[usize]| {
                asked += 1;
                Ok(needed.iter().all(|i| chosen.contains(i)))
            };
            let mut found = fewest(7, &mut holds).unwrap().unwrap();
            found.sort_unstable();
            assert_eq!(found, needed);
            assert!(asked <= 16, "{asked} sessions for {needed:?}");
        }
        assert_eq!(fewest(7, &mut |_| Ok(false)).unwrap(), None);
    }
}
