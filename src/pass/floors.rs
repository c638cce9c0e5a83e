//! floors: which tensors wait for a noise floor, and the walk that gives it.

use super::bench::Bench;
use super::layers::{self, Layers};
use super::unobserved::Wholes;
use super::{Watch, noise, witness};
use crate::error::Result;
use crate::floor::noise::Floor;
use crate::tensor::DType;
use std::collections::{HashMap, HashSet};

/// Floors of whatever waits for one; none without a shadow.
pub fn run(bench: &mut Bench, layers: &Layers, wholes: &Wholes, seed: u64, watch: &mut dyn Watch) -> Result<HashMap<String, Floor>> {
    let mut wanted = wanted(layers, bench.record.is_some(), wholes);
    wanted.extend(witness::wanted(&layers.witnessed));
    match &mut bench.judge {
        Some(judge) if !wanted.is_empty() => {
            let (dtypes, replay) = (layers.dtypes(), &layers.replay);
            let task = noise::Task { graph: bench.graph, inputs: bench.inputs, replay, wanted: &wanted, dtypes: &dtypes, seed };
            noise::run(&task, &mut **judge, watch)
        }
        Some(_) | None => Ok(HashMap::new()),
    }
}

/// Tensors whose floor is needed, with their size; `all` where a trace is to carry them.
fn wanted(layers: &Layers, all: bool, wholes: &Wholes) -> HashMap<String, usize> {
    let mut names: HashSet<String> = layers::wanted(layers, all);
    names.extend(wholes.differing(layers).map(str::to_string));
    let known = layers.results.iter().filter(|r| names.contains(&r.name));
    known.filter(|r| r.dtype.is_some_and(DType::is_float)).map(|r| (r.name.clone(), r.shape.iter().product())).collect()
}
