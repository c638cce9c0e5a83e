//! gradients: the third walk: the f64 graph forward and backward, once undisturbed and K times with rounding noise, and the candidate's
//! own graph in its own dtypes.
//!
//! Noise is added behind every node, forward and backward. A batch norm's backward subtracts means, and what rounding makes of a
//! mean is the same for a whole channel: such noise is added per channel, in units of the mean |gradient|.

use crate::error::{Error, Result};
use crate::floor::family::{self, Family};
use crate::floor::noise::{self, Floor, RUNS};
use crate::graph::params::FROZEN;
use crate::graph::{Attribute, Graph, Node};
use crate::subject::{Ask, Coherent, Differentiator, Feed, Gradients, Noise};
use crate::tensor::{DType, Tensor};
use crate::watch::Watch;
use indexmap::IndexMap;
use rand::Rng;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Where operators take parameters: (operator, inputs).
const TAKES: &[(&str, &[usize])] = &[
    ("Conv", &[1, 2]),
    ("ConvTranspose", &[1, 2]),
    ("Gemm", &[1, 2]),
    ("MatMul", &[0, 1]),
    ("BatchNormalization", &[1, 2]),
    ("LayerNormalization", &[1, 2]),
    ("InstanceNormalization", &[1, 2]),
    ("GroupNormalization", &[1, 2]),
    ("PRelu", &[1]),
];

/// What the walk needs to know.
pub struct Task<'a> {
    pub graph: &'a Graph,
    pub inputs: &'a IndexMap<String, Tensor>,
    /// Decisions of the reference, which the f64 graph takes over.
    pub replay: &'a HashMap<String, Tensor>,
    pub dtypes: &'a HashMap<String, DType>,
    /// Tensors to differentiate.
    pub terms: &'a [String],
    /// What to differentiate them by.
    pub wrt: &'a [String],
    pub seed: u64,
}

/// The f64 gradients with their floors; both by term, then by `wrt`.
pub struct Reference {
    pub exact: Vec<Vec<Option<Tensor>>>,
    pub floors: Vec<Vec<Option<Floor>>>,
}

/// Float weights that train, in backward order: those that the last node takes come first. Where the model leaves its parameters to a
/// rule, no other weight is one.
pub fn trainable(graph: &Graph) -> Vec<String> {
    let frozen: HashSet<&str> = graph
        .metadata
        .get(FROZEN)
        .map_or(HashSet::new(), |t| t.split(' ').collect());
    let mut seen = HashSet::new();
    let mut out: Vec<String> = Vec::new();
    for node in graph.steps.iter().flat_map(|s| &s.nodes) {
        let takes = TAKES
            .iter()
            .find(|row| row.0 == node.op)
            .map_or(&[][..], |row| row.1);
        for name in takes.iter().filter_map(|i| node.inputs.get(*i)) {
            let weight = graph
                .weights
                .get(name)
                .is_some_and(|t| t.dtype().is_float());
            let weight = weight && (graph.drawn.is_empty() || graph.drawn.contains(name));
            let weight = weight && !graph.weights.get(name).is_some_and(counts);
            if weight && !frozen.contains(name.as_str()) && seen.insert(name) {
                out.push(name.clone());
            }
        }
    }
    out.reverse();
    out
}

/// Whether a weight holds 0, 1, 2, … and so is the bins of a distribution: a constant, which no training leaves whole numbers.
fn counts(weight: &Tensor) -> bool {
    weight.numel() > 2
        && weight
            .to_f64()
            .iter()
            .enumerate()
            .all(|(i, v)| *v == i as f64)
}

/// The f64 graph: exact gradients, and how far rounding moves them.
///
/// `sums` says which terms are weighted sums of others, (term, [(other, weight)]): their floor is the sum of the others', which is not
/// below their own, and saves a backward. A term without any gradient stays without one, whatever the noise.
pub fn reference(
    task: &Task,
    sums: &Sums,
    shadow: &mut dyn Differentiator,
    watch: &mut dyn Watch,
) -> Result<Reference> {
    watch.phase("gradients", RUNS as usize + 1);
    let normed = normed(task.graph, task.terms)?;
    let feed = |n: &str| task.inputs.get(n).cloned();
    let exact = shadow.run(&ask(task, task.terms, &feed, None, &normed))?;
    watch.step(1);
    let mut floors: Vec<Vec<Option<Floor>>> =
        exact.by_term.iter().map(|g| vec![None; g.len()]).collect();
    let moves = |t: &usize| {
        !sums.contains_key(t)
            && exact.by_term[*t]
                .iter()
                .flatten()
                .any(|g| g.to_f64().iter().any(|v| *v != 0.0))
    };
    let noisy_terms: Vec<usize> = (0..task.terms.len()).filter(moves).collect();
    let terms: Vec<String> = noisy_terms.iter().map(|t| task.terms[*t].clone()).collect();
    for run in 1..=RUNS {
        let coherent = coherent(task, &normed, &exact, &noisy_terms, run);
        let noise = Noise {
            seed: task.seed,
            run,
            dtypes: task.dtypes,
            coherent: &coherent,
            exact_stays: false,
        };
        let noisy = shadow.run(&ask(task, &terms, &feed, Some(noise), &[]))?;
        for (t, noisy) in noisy_terms.iter().zip(&noisy.by_term) {
            floors[*t]
                .iter_mut()
                .zip(exact.by_term[*t].iter().zip(noisy))
                .for_each(|(floor, pair)| add(floor, pair));
        }
        watch.step(run as usize + 1);
    }
    for (sum, parts) in sums {
        let row = (0..task.wrt.len()).map(|k| {
            Floor::sum(
                parts
                    .iter()
                    .filter_map(|(t, w)| Some((floors[*t][k].as_ref()?, *w))),
            )
        });
        floors[*sum] = row.collect();
    }
    Ok(Reference {
        exact: exact.by_term,
        floors,
    })
}

/// For a term that is a weighted sum of others: which, with which weights.
pub type Sums = BTreeMap<usize, Vec<(usize, f64)>>;

fn ask<'a>(
    task: &Task<'a>,
    terms: &'a [String],
    feed: Feed<'a>,
    noise: Option<Noise<'a>>,
    slopes: &'a [String],
) -> Ask<'a> {
    Ask {
        feed,
        terms,
        jointly: false,
        wrt: task.wrt,
        replay: task.replay,
        noise,
        slopes,
        keep: &[],
    }
}

fn add(floor: &mut Option<Floor>, (exact, noisy): (&Option<Tensor>, &Option<Tensor>)) {
    let (Some(exact), Some(noisy)) = (exact, noisy) else {
        return;
    };
    let axis = noise::axis_for(exact.shape());
    if let Some(channels) = noise::deviation(exact, noisy, axis) {
        floor
            .get_or_insert_with(|| Floor {
                axis,
                ..Default::default()
            })
            .add(&channels);
    }
}

/// What batch norms in training mode normalise, on the way to the terms.
fn normed(graph: &Graph, terms: &[String]) -> Result<Vec<String>> {
    let training = |n: &Node| {
        n.op == "BatchNormalization"
            && matches!(n.attributes.get("training_mode"), Some(Attribute::Int(1)))
    };
    let steps = graph.ancestors(terms)?;
    let mut steps: Vec<usize> = steps.into_iter().collect();
    steps.sort_unstable();
    let nodes = steps.iter().flat_map(|i| &graph.steps[*i].nodes);
    let inputs = nodes
        .filter(|n| training(n))
        .filter_map(|n| n.inputs.first().cloned());
    Ok(inputs
        .filter(|n| !graph.inputs.iter().any(|p| p.name == *n) && !graph.weights.contains_key(n))
        .collect())
}

/// ± amplitude · mean |gradient| per channel, for every normed tensor and term.
fn coherent(
    task: &Task,
    normed: &[String],
    exact: &Gradients,
    terms: &[usize],
    run: u32,
) -> Vec<Coherent> {
    let one = |(k, name): (usize, &String)| {
        let mut signs = noise::signs(task.seed ^ 0x6772_6164, run, k);
        let by_term = terms.iter().map(|t| {
            let slope = exact.slopes[*t].get(k)?.as_ref()?;
            let unit = task
                .dtypes
                .get(name)
                .copied()
                .unwrap_or(DType::F32)
                .unit_roundoff();
            let amplitude = family::noise(Family::Normalisation, slope.terms, unit);
            Some(
                slope
                    .mean
                    .iter()
                    .map(|m| {
                        if signs.next_u32() & 1 == 0 {
                            amplitude * m
                        } else {
                            -amplitude * m
                        }
                    })
                    .collect(),
            )
        });
        Coherent {
            name: name.clone(),
            by_term: by_term.collect(),
        }
    };
    normed.iter().enumerate().map(one).collect()
}

/// Refuses a graph without anything to differentiate by.
pub fn check(wrt: &[String]) -> Result<()> {
    match wrt.is_empty() {
        true => Err(Error::usage(
            "the graph has no trainable parameter and no prediction to differentiate by",
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bins_of_a_distribution_are_no_parameter_and_weights_of_a_few_whole_numbers_are() {
        for (weight, is_constant) in [
            ((0..17).map(f64::from).collect::<Vec<_>>(), true),
            (vec![0.0, 1.0, 2.0], true),
            (vec![0.0, 1.0], false),
            (vec![1.0; 17], false),
            (vec![0.0; 17], false),
            ((0..17).map(|i| f64::from(i) * 1.001).collect(), false),
        ] {
            assert_eq!(
                counts(&Tensor::from_vec(&[1, weight.len(), 1, 1], weight.clone())),
                is_constant,
                "{weight:?}"
            );
        }
    }
}
