//! folds: a convolution with its batch norm folded into the weights stands for both: what the two take and give is a pair.
//!
//! y = γ (W x + b − μ) / √(σ² + ε) + β is a convolution with W γ / √(σ² + ε) (Jacob et al., "Quantization and training of neural networks", 2018, 3.2).

use super::index::Index;
use super::sketch::Sketch;
use super::values::nearest;
use super::{Evidence, Matching};
use crate::graph::Attribute;
use crate::tensor::Tensor;
use std::collections::HashMap;

/// How far folded weights may be from those that f64 folds: an ε of its own is found at its place.
const NEAR: f64 = 1e-2;

/// A convolution as its weights tell it: with what it takes and gives.
struct Told<'a> {
    input: &'a str,
    output: &'a str,
    weights: Sketch,
}

pub fn pair(a: &Index, b: &Index, found: &mut Matching) {
    for (x, y) in matched(&folded(a), &plain(b)) {
        found.pair(x.input, y.input, Evidence::Weights);
        found.pair(x.output, y.output, Evidence::Weights);
    }
    for (x, y) in matched(&plain(a), &folded(b)) {
        found.pair(x.input, y.input, Evidence::Weights);
        found.pair(x.output, y.output, Evidence::Weights);
    }
}

/// Those of both sides of which each is the other's nearest by far.
fn matched<'t, 'a, 'b>(
    ours: &'t [Told<'a>],
    theirs: &'t [Told<'b>],
) -> Vec<(&'t Told<'a>, &'t Told<'b>)> {
    let to = |x: &Told| {
        nearest(
            theirs
                .iter()
                .map(|y| (y.output, x.weights.distance(&y.weights))),
            NEAR,
        )
    };
    let from: HashMap<&str, Option<&str>> = theirs
        .iter()
        .map(|y| {
            (
                y.output,
                nearest(
                    ours.iter()
                        .map(|x| (x.output, x.weights.distance(&y.weights))),
                    NEAR,
                ),
            )
        })
        .collect();
    let pair = |x: &'t Told<'a>| {
        let partner = to(x)?;
        let back = from[partner] == Some(x.output);
        let y = theirs.iter().find(|y| y.output == partner)?;
        back.then_some((x, y))
    };
    ours.iter().filter_map(pair).collect()
}

/// Every convolution.
fn plain<'a>(index: &Index<'a>) -> Vec<Told<'a>> {
    let steps = 0..index.graph.steps.len();
    let told = |step: usize| {
        let weight = weight(index, step)?;
        Some(Told {
            input: index.node(step).inputs.first()?,
            output: index.node(step).outputs.first()?,
            weights: Sketch::of(weight)?,
        })
    };
    steps.filter_map(told).collect()
}

/// Every convolution whose only reader is a batch norm, with that one's factors in its weights.
fn folded<'a>(index: &Index<'a>) -> Vec<Told<'a>> {
    let norms = index
        .graph
        .steps
        .iter()
        .filter(|s| s.op() == "BatchNormalization");
    let told = |norm: &'a crate::graph::Step| {
        let node = &norm.nodes[0];
        let conv = *index.made.get(node.inputs.first()?.as_str())?;
        let alone = index.taken.get(node.inputs[0].as_str())?.len() == 1;
        let weights = scaled(
            weight(index, conv).filter(|_| alone)?,
            &factors(index, node)?,
        )?;
        Some(Told {
            input: index.node(conv).inputs.first()?,
            output: norm.outputs.first()?,
            weights: Sketch::of(&weights)?,
        })
    };
    norms.filter_map(told).collect()
}

fn weight<'a>(index: &Index<'a>, step: usize) -> Option<&'a Tensor> {
    let node = index.node(step);
    let name = node.inputs.get(1).filter(|_| node.op == "Conv")?;
    index.value(name)
}

/// γ / √(σ² + ε) by channel.
fn factors(index: &Index, norm: &crate::graph::Node) -> Option<Vec<f64>> {
    let value = |slot: usize| {
        let name = norm.inputs.get(slot)?;
        index.value(name).map(Tensor::to_f64)
    };
    let epsilon = match norm.attributes.get("epsilon") {
        Some(Attribute::Float(e)) => f64::from(*e),
        _ => 1e-5,
    };
    let factor = |(gamma, variance): (f64, f64)| gamma / (variance + epsilon).sqrt();
    Some(value(1)?.into_iter().zip(value(4)?).map(factor).collect())
}

/// The weights `[O, ...]` with each output channel times its factor.
fn scaled(weight: &Tensor, factors: &[f64]) -> Option<Tensor> {
    let channels = *weight.shape().first()?;
    let each = weight.numel() / channels.max(1);
    let by = |(i, v): (usize, f64)| v * factors[i / each.max(1)];
    (channels == factors.len()).then(|| {
        let values: Vec<f64> = weight.to_f64().into_iter().enumerate().map(by).collect();
        Tensor::from_vec(weight.shape(), values)
    })
}
