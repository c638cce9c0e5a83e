//! shaken: a graph whose stored constants are moved by what storing them rounds.

use crate::floor::noise::signs;
use crate::graph::Graph;
use crate::pairing::Unshared;
use crate::tensor::{DType, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;

/// The graph with each of these constants moved up or down by two roundings.
pub fn shaken(graph: &Graph, open: &Unshared, storage: DType, (seed, run): (u64, u32)) -> Graph {
    let by = 2.0 * storage.unit_roundoff();
    let stored = graph
        .stored()
        .enumerate()
        .filter(|(_, (n, _))| open.tensors.contains(*n));
    let exponents = exponents(graph);
    let moved = stored
        .filter(|(_, (name, tensor))| !(exponents.contains(name) && is_whole(tensor)))
        .map(|(at, (name, tensor))| (name.to_string(), nudged(&tensor, by, signs(seed, run, at))));
    let mut rng = signs(seed, run, usize::MAX >> 24);
    let mut set = graph.clone();
    for (step, name, value) in graph.settings() {
        if open.settings.contains(&(step, name.to_string())) {
            // An attribute is f32: two roundings are the next number.
            let up = rng.next_u64() & 1 == 0;
            let moved = if up {
                value.next_up()
            } else {
                value.next_down()
            };
            set.setting(step, name, moved);
        }
    }
    set.storing(moved.collect())
}

/// What Pow takes as exponents: a whole one is the same number in every dtype, and beside it a negative number has no power.
fn exponents(graph: &Graph) -> HashSet<&str> {
    let nodes = graph.steps.iter().flat_map(|s| &s.nodes);
    let powers = nodes.filter(|n| n.op == "Pow");
    powers
        .filter_map(|n| n.inputs.get(1).map(String::as_str))
        .collect()
}

fn is_whole(tensor: &Tensor) -> bool {
    tensor.to_f64().iter().all(|v| v.fract() == 0.0)
}

/// Every element up or down by this share, and every slice along the first two axes as one: a scale that was folded in rounds for a whole channel.
fn nudged(tensor: &Tensor, by: f64, mut rng: ChaCha8Rng) -> Tensor {
    let mut share = |n: usize| -> Vec<f64> {
        let sign = |bit: u64| if bit == 0 { -by } else { by };
        (0..n).map(|_| sign(rng.next_u64() & 1)).collect()
    };
    let shape = tensor.shape();
    let [rows, columns] = match *shape {
        [rows, columns, ..] => [rows, columns],
        _ => [1, 1],
    };
    let inner = (tensor.numel() / (rows * columns).max(1)).max(1);
    let (whole, row, column) = (share(tensor.numel()), share(rows), share(columns));
    let sliced = shape.len() > 1;
    let moved = |(i, value): (usize, f64)| {
        let slices = row[i / inner / columns] + column[i / inner % columns];
        value * (1.0 + whole[i] + if sliced { slices } else { 0.0 })
    };
    let values = tensor.to_f64().into_iter().enumerate().map(moved);
    Tensor::from_vec(shape, values.collect::<Vec<f64>>())
}
