//! quantised: what the deployed session of a quantised model may differ by, in quantisation steps.
//!
//! Where a number lies within R spreads of the border between two steps, an optimiser may move it across, and what lies behind goes along. So the
//! f64 graph is walked again with its quantisers free.

use super::freed;
use super::layers::Layers;
use super::sessions::Sessions;
use crate::watch::Watch;

use crate::error::Result;
use crate::floor::noise::Floor;
use crate::graph::Graph;
use crate::subject::Judge;
use crate::tensor::DType;
use std::collections::{HashMap, HashSet};

/// Floors of un-observed outputs, and of what decides them, with the quantisers in front of them free.
#[derive(Default)]
pub struct Stepped {
    pub floors: HashMap<String, Floor>,
    /// The steps that were free: a flip there is accounted for.
    pub steps: HashSet<usize>,
}

fn quantises(op: &str) -> bool {
    ["QuantizeLinear", "DynamicQuantizeLinear"].contains(&op) || op.starts_with("QLinear")
}

/// Quantisers, and what moves or sums the integers that they give.
fn free(
    graph: &Graph,
    judge: &dyn Judge,
    dtypes: &HashMap<String, DType>,
    unsupported: &HashSet<usize>,
) -> HashSet<usize> {
    let (mut steps, mut integers): (HashSet<usize>, HashSet<&str>) = Default::default();
    for (i, step) in graph
        .steps
        .iter()
        .enumerate()
        .filter(|(i, _)| !unsupported.contains(i))
    {
        let along = step.inputs.iter().any(|n| integers.contains(n.as_str())) && !judge.decides(i);
        if quantises(step.op()) || along {
            steps.insert(i);
            let discrete = |n: &&String| dtypes.get(*n).is_some_and(|d| !d.is_float());
            integers.extend(step.outputs.iter().filter(discrete).map(String::as_str));
        }
    }
    steps
}

/// The floors of `wanted` (with sizes), which are over those that hold the quantisers; nothing where none lies in front.
pub fn stepped(
    sessions: &mut Sessions,
    layers: &Layers,
    wanted: &HashMap<String, usize>,
    seed: u64,
    watch: &mut dyn Watch,
) -> Result<Stepped> {
    let Some(judge) = sessions.judge.as_ref().filter(|_| !wanted.is_empty()) else {
        return Ok(Stepped::default());
    };
    let (graph, dtypes) = (sessions.graph, layers.dtypes());
    let names: Vec<String> = wanted.keys().cloned().collect();
    let front = graph.ancestors(&names).unwrap_or_default();
    let mut steps = free(graph, &**judge, &dtypes, &sessions.unsupported.steps);
    steps.retain(|i| front.contains(i));
    let floors = freed::floors(sessions, layers, (&steps, wanted), seed, watch)?;
    if floors.is_empty() {
        return Ok(Stepped::default());
    }
    Ok(Stepped { floors, steps })
}

#[cfg(test)]
mod tests {
    use super::super::paper::{self, Paper, floats, integers};
    use super::super::sessions;
    use super::*;
    use crate::tensor::Tensor;
    use crate::verdict::{Observed, Pending, sample};
    use crate::watch::Silent;
    use indexmap::IndexMap;

    #[test]
    fn what_quantises_is_known_by_its_operator() {
        let ops = [
            "QuantizeLinear",
            "DynamicQuantizeLinear",
            "QLinearConv",
            "DequantizeLinear",
            "Round",
            "MatMulInteger",
        ];
        assert_eq!(ops.map(quantises), [true, true, true, false, false, false]);
    }

    #[test]
    fn quantisers_are_free_and_so_is_what_moves_their_integers_but_no_decision_on_them() {
        let nodes = [
            "double: Double x -> a",
            "quantise: QuantizeLinear a -> q",
            "move: Identity q -> m",
            "further: Reshape m -> k",
            "decide: Round m -> r",
            "back: Cast m -> f",
            "behind: Double f -> y",
            "lacking: QuantizeLinear x -> l",
            "beside: Round x -> s",
        ];
        let graph = paper::graph(&["x"], &nodes, &["y"]);
        let of = |name: &str| {
            if ["a", "f", "y"].contains(&name) {
                DType::F32
            } else {
                DType::I8
            }
        };
        let dtypes = graph
            .steps
            .iter()
            .map(|s| (s.outputs[0].clone(), of(&s.outputs[0])))
            .collect();
        assert_eq!(
            free(&graph, &Paper(graph.clone()), &dtypes, &HashSet::from([7])),
            HashSet::from([1, 2, 3, 5])
        );
    }

    /// The floors of `wanted` behind the nodes, and the steps that were free; the input holds 0.499 and 3, f32.
    fn floors(nodes: &[&str], wanted: &[&str]) -> (Vec<(String, f64)>, Vec<usize>) {
        let graph = paper::graph(&["x"], nodes, &[]);
        let inputs = IndexMap::from([("x".to_string(), floats(&[0.4999999, 3.0]))]);
        let dtype = |step: &crate::graph::Step| {
            if step.op() == "QuantizeLinear" {
                DType::I64
            } else {
                DType::F32
            }
        };
        let observed = |(i, s): (usize, &crate::graph::Step)| Observed {
            name: s.outputs[0].clone(),
            dtype: Some(dtype(s)),
            shape: vec![2],
            ..sample::tensor(i).with(Pending::Done(sample::own(0.0)))
        };
        let mut layers = Layers {
            tensors: graph.steps.iter().enumerate().map(observed).collect(),
            ..Default::default()
        };
        layers.replay.extend([("q".to_string(), integers(&[0, 3]))]);
        let wanted = wanted.iter().map(|n| (n.to_string(), 2)).collect();
        let found = stepped(
            &mut paper::sessions(&graph, &inputs, [true; 2]),
            &layers,
            &wanted,
            1,
            &mut Silent,
        )
        .unwrap();
        let mut spreads: Vec<(String, f64)> = found
            .floors
            .iter()
            .map(|(n, f)| (n.clone(), f.max[0]))
            .collect();
        spreads.sort_by(|a, b| a.0.cmp(&b.0));
        let mut steps: Vec<usize> = found.steps.into_iter().collect();
        steps.sort();
        (spreads, steps)
    }

    #[test]
    fn a_number_near_a_border_moves_what_lies_behind_the_quantiser_by_a_step() {
        let nodes = [
            "same: Add x -> a",
            "quantise: QuantizeLinear a -> q",
            "twice: Double q -> y",
            "beside: QuantizeLinear a -> other",
        ];
        let (spreads, steps) = floors(&nodes, &["y"]);
        assert_eq!(
            (spreads.len(), spreads[0].0.as_str(), steps),
            (1, "y", vec![1, 2]),
            "the quantiser, and what sums its integers"
        );
        assert!(
            (spreads[0].1 - 2.0).abs() < 1e-3,
            "one step, doubled: {}",
            spreads[0].1
        );
        assert_eq!(floors(&nodes, &[]), (vec![], vec![]), "nothing is wanted");
        assert_eq!(
            floors(&["same: Add x -> a", "twice: Double a -> y"], &["y"]),
            (vec![], vec![]),
            "nothing quantises"
        );
        assert_eq!(
            floors(&["quantise: QuantizeLinear x -> q"], &["q"]),
            (vec![], vec![]),
            "what is fed does not move"
        );
    }

    #[test]
    fn without_a_judge_nothing_is_walked() {
        let graph = paper::graph(&["x"], &["quantise: QuantizeLinear x -> q"], &[]);
        let inputs: IndexMap<String, Tensor> = IndexMap::new();
        let mut sessions: sessions::Sessions = paper::sessions(&graph, &inputs, [true; 2]);
        sessions.judge = None;
        let wanted = HashMap::from([("q".to_string(), 2)]);
        assert!(
            stepped(&mut sessions, &Layers::default(), &wanted, 1, &mut Silent)
                .unwrap()
                .floors
                .is_empty()
        );
    }
}
