//! known: what is equal on both sides by construction, because no input's value decides it.

use super::Graph;
use super::random::is_random;
use std::collections::HashSet;

/// Steps whose outputs no input's value decides: constants, what is computed from them alone, and arithmetic on shapes.
pub fn constant_steps(graph: &Graph) -> HashSet<usize> {
    const SHAPES: [&str; 2] = ["Shape", "Size"];
    let mut known: HashSet<&str> = graph.weights.keys().map(String::as_str).collect();
    let mut steps = HashSet::new();
    for (i, step) in graph
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| !is_random(graph, step))
    {
        if SHAPES.contains(&step.op()) || step.inputs.iter().all(|n| known.contains(n.as_str())) {
            known.extend(step.outputs.iter().map(String::as_str));
            steps.insert(i);
        }
    }
    steps
}

/// Names of the tensors that no input's value decides: weights, and what [`constant_steps`] give.
pub fn constants(graph: &Graph) -> HashSet<&str> {
    let made = constant_steps(graph)
        .into_iter()
        .flat_map(|i| &graph.steps[i].outputs);
    let all = graph.weights.keys().chain(made);
    all.map(String::as_str).collect()
}

/// Names of the tensors that are equal on both sides by construction: inputs and [`constants`].
pub fn known(graph: &Graph) -> HashSet<&str> {
    let mut all = constants(graph);
    all.extend(graph.inputs.iter().map(|p| p.name.as_str()));
    all
}
