//! again: causes that explain what was observed, held against other inputs: one that computes another function than the side does is left behind there.

use super::evaluate::Bench;
use super::trial::{self, On, Trial};
use super::{Evidence, Opens};
use crate::error::Result;
use crate::graph::Graph;
use crate::graph::known::constants;
use crate::hash::bits;
use crate::tensor::Tensor;
use std::collections::HashMap;

/// Tensors by name.
pub type Values = HashMap<String, Tensor>;

/// What the side that is off gives on other inputs, in the place of what was observed; None where it cannot be asked.
pub type Again<'a> = &'a mut dyn FnMut(&Values) -> Result<Option<Vec<(String, Tensor)>>>;

/// Of 64 numbers how many change their sign: enough to tell functions apart that agree on positive ones, few enough to leave a root its domain.
const TURNED: u64 = 8;

/// The inputs at hand in another order, some smaller, some larger, some of the other sign: exact in every dtype. What the graph states stays.
pub fn others(graph: &Graph, feed: &Values) -> Result<Values> {
    let stated = constants(graph);
    let changed = |(name, t): (&String, &Tensor)| {
        if !t.dtype().is_float() || stated.contains(name.as_str()) {
            return Ok((name.clone(), t.clone()));
        }
        let values = t.to_f64().into_iter().rev().enumerate();
        let drawn = values.map(|(i, v)| {
            let draw = bits(3, i as u64);
            let size = [0.5, 1.0, 2.0, 8.0][(draw % 4) as usize];
            v * if draw >> 58 < TURNED { -size } else { size }
        });
        let drawn: Vec<f64> = drawn.collect();
        Ok((
            name.clone(),
            Tensor::from_f64(t.dtype(), t.shape(), &drawn)?,
        ))
    };
    feed.iter().map(changed).collect()
}

/// Takes the confirmation from whatever does not explain what the side gives on other inputs, and leaves it with what is left there.
///
/// # Errors
/// Memory that runs out, whatever stops the side.
pub fn hold(
    evidence: &Evidence,
    trials: &mut [Trial],
    open: Opens,
    again: &mut Option<Again>,
) -> Result<()> {
    // How far another program may be off was measured on the inputs at hand.
    let (Some(again), None) = (again.as_mut(), evidence.allowed) else {
        return Ok(());
    };
    if !trials.iter().any(|t| t.confirmed) {
        return Ok(());
    }
    let feed = others(evidence.graph, evidence.feed)?;
    let Some(observed) = again(&feed)? else {
        return Ok(());
    };
    let alike =
        |(a, b): (&(String, Tensor), &(String, Tensor))| a.0 == b.0 && a.1.dtype() == b.1.dtype();
    if observed.len() != evidence.observed.len()
        || !observed.iter().zip(evidence.observed).all(alike)
    {
        return Ok(());
    }
    let evidence = Evidence {
        feed: &feed,
        observed: &observed,
        ..*evidence
    };
    let bench = Bench::of(&evidence, open);
    let Some(on) = On::of(&bench, &bench.near, None)? else {
        return Ok(());
    };
    for t in trials.iter_mut().filter(|t| t.confirmed) {
        if let Some(after) = trial::on_others(&on, t)? {
            t.confirmed = after.explained();
            t.after = if t.confirmed { t.after } else { after };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::paper;

    #[test]
    fn other_inputs_are_the_floats_at_hand_moved_and_turned_and_what_the_graph_states_stays() {
        let nodes = [
            "c: Constant -> k",
            "i: Identity k -> held",
            "n: Add x k -> y",
        ];
        let graph = paper::graph(&["x"], &nodes, &["y"]);
        let x: Vec<f32> = (1..=64).map(|i| i as f32).collect();
        let fed = [
            ("x", paper::floats(&x)),
            ("k", paper::floats(&[3.0])),
            ("held", paper::floats(&[3.0])),
            ("count", paper::integers(&[7])),
        ];
        let fed: Values = fed.into_iter().map(|(n, t)| (n.to_string(), t)).collect();
        let other = others(&graph, &fed).unwrap();
        for kept in ["k", "held", "count"] {
            assert_eq!(other[kept].to_f64(), fed[kept].to_f64(), "{kept}");
        }
        let moved = other["x"].to_f64();
        assert!(moved.iter().any(|v| *v < 0.0) && moved.iter().any(|v| *v > 64.0));
        let sizes = moved.iter().zip((1..=64).rev());
        assert!(
            sizes
                .clone()
                .all(|(m, x)| [0.5, 1.0, 2.0, 8.0].contains(&(m.abs() / f64::from(x))))
        );
    }
}
