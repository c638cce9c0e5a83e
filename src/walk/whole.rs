//! whole: a graph in f64, from its inputs to its end, and a stretch of it from values that are given.

use crate::error::{Result, unless_refused};
use crate::graph::Graph;
use crate::subject::Judge;
use crate::tensor::Tensor;
use indexmap::IndexMap;
use std::collections::{BTreeSet, HashMap};

/// Every tensor on these inputs, those of `replay` as they are there; what the judge refuses, and what lies behind it, is missing.
///
/// # Errors
/// Memory that runs out, an engine that is not there.
pub fn run(
    judge: &mut dyn Judge,
    inputs: &IndexMap<String, Tensor>,
    replay: &HashMap<String, Tensor>,
) -> Result<HashMap<String, Tensor>> {
    let mut values: HashMap<String, Tensor> =
        inputs.iter().map(|(n, t)| (n.clone(), t.clone())).collect();
    for step in 0..judge.graph().steps.len() {
        let names = judge.graph().steps[step].outputs.clone();
        if names.iter().any(|n| !replay.contains_key(n))
            && let Some(outputs) = unless_refused(judge.eval(step, &|n| values.get(n).cloned()))?
        {
            values.extend(names.iter().cloned().zip(outputs));
        }
        let taken = |n: &String| Some((n.clone(), replay.get(n)?.clone()));
        values.extend(names.iter().filter_map(taken));
    }
    Ok(values)
}

/// The steps that make a tensor from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Ascending.
    pub steps: Vec<usize>,
    /// What it is fed.
    pub from: BTreeSet<String>,
}

/// What lies between `tensor` and the nearest tensors in front of it that `stops` knows, or the inputs; weights are the graph's own.
pub fn stretch(
    graph: &Graph,
    made: &HashMap<String, usize>,
    tensor: &str,
    stops: &dyn Fn(&str) -> bool,
) -> Stretch {
    let (mut steps, mut from) = (BTreeSet::new(), BTreeSet::new());
    let mut open: Vec<&str> = vec![tensor];
    while let Some(name) = open.pop() {
        match made.get(name) {
            Some(step) if name == tensor || !stops(name) => {
                if steps.insert(*step) {
                    open.extend(graph.steps[*step].inputs.iter().map(String::as_str));
                }
            }
            Some(_) => drop(from.insert(name.to_string())),
            None if graph.weights.contains_key(name) => {}
            None => drop(from.insert(name.to_string())),
        }
    }
    Stretch {
        steps: steps.into_iter().collect(),
        from,
    }
}

/// What the stretch makes of `feed`; None where the judge refuses it.
///
/// # Errors
/// As `run`.
pub fn over(
    judge: &mut dyn Judge,
    stretch: &Stretch,
    tensor: &str,
    feed: &HashMap<String, Tensor>,
) -> Result<Option<Tensor>> {
    let mut values: HashMap<String, Tensor> = HashMap::new();
    for step in &stretch.steps {
        let given = |n: &str| feed.get(n).or_else(|| values.get(n)).cloned();
        let Some(outputs) = unless_refused(judge.eval(*step, &given))? else {
            return Ok(None);
        };
        let names = judge.graph().steps[*step].outputs.clone();
        values.extend(names.into_iter().zip(outputs));
    }
    Ok(values.remove(tensor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::paper;

    #[test]
    fn a_stretch_ends_at_the_nearest_known_tensors_and_never_at_its_own() {
        let nodes = ["a: Double x -> p", "b: Double p -> q", "c: Add q p -> y"];
        let graph = paper::graph(&["x"], &nodes, &["y"]);
        let made: HashMap<String, usize> = ["p", "q", "y"]
            .map(String::from)
            .into_iter()
            .zip(0..)
            .collect();
        for (known, steps, from) in [
            (&[][..], &[0, 1, 2][..], &["x"][..]),
            (&["p"], &[1, 2], &["p"]),
            (&["p", "q"], &[2], &["p", "q"]),
            (&["q", "y"], &[0, 2], &["q", "x"]),
        ] {
            let found = stretch(&graph, &made, "y", &|n| known.contains(&n));
            assert_eq!(
                (found.steps, Vec::from_iter(found.from)),
                (steps.to_vec(), from.iter().map(|n| n.to_string()).collect()),
                "{known:?}"
            );
        }
    }

    #[test]
    fn a_stretch_alone_takes_what_it_is_fed_and_a_whole_graph_what_is_replayed() {
        let graph = paper::graph(&["x"], &["a: Double x -> p", "b: Double p -> y"], &["y"]);
        let mut judge = super::super::paper::Paper(graph);
        let x = paper::floats(&[3.0]);
        let inputs = IndexMap::from([("x".to_string(), x.clone())]);
        let all = run(&mut judge, &inputs, &HashMap::new()).unwrap();
        assert_eq!(
            (all["p"].to_f64(), all["y"].to_f64()),
            (vec![6.0], vec![12.0])
        );
        let replay = HashMap::from([("p".to_string(), x.clone())]);
        assert_eq!(
            run(&mut judge, &inputs, &replay).unwrap()["y"].to_f64(),
            [6.0]
        );
        let behind = Stretch {
            steps: vec![1],
            from: BTreeSet::from(["p".to_string()]),
        };
        let alone = over(&mut judge, &behind, "y", &replay).unwrap();
        assert_eq!(alone.map(|t| t.to_f64()), Some(vec![6.0]));
    }
}
