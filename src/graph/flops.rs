//! flops: what a forward pass of a graph costs, from shapes that follow from those of its inputs; two operations per multiply-accumulate.

use super::cost::macs;
use super::infer::{Expected, Infer};
use super::{Dim, Graph};
use crate::tensor::DType;
use indexmap::IndexMap;
use std::collections::BTreeMap;

/// What is known of the cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    Known(u64),
    /// Why nobody can tell.
    Open(String),
}

impl Cost {
    pub fn flops(&self) -> Option<u64> {
        match self {
            Self::Known(flops) => Some(*flops),
            Self::Open(_) => None,
        }
    }

    /// As people read it.
    pub fn say(&self) -> String {
        match self {
            Self::Open(why) => format!("not known: {why}"),
            Self::Known(flops) => format!(
                "{} of convolutions and matrix products, two for each multiply-accumulate",
                shown(*flops)
            ),
        }
    }
}

fn shown(flops: u64) -> String {
    const UNITS: [(&str, f64); 4] = [
        ("TFLOPs", 1e12),
        ("GFLOPs", 1e9),
        ("MFLOPs", 1e6),
        ("kFLOPs", 1e3),
    ];
    let fits = UNITS.iter().find(|(_, size)| flops as f64 >= *size);
    match fits {
        Some((unit, size)) => format!("{:.2} {unit}", flops as f64 / size),
        None => format!("{flops} FLOPs"),
    }
}

/// The cost of `graph`, whose inputs have the `stated` shapes where some are, else those that it declares.
pub fn of(graph: &Graph, stated: &BTreeMap<String, Vec<usize>>, infer: Infer) -> Cost {
    let mut inputs = IndexMap::new();
    for port in &graph.inputs {
        let declared = || port.shape.as_deref().and_then(fixed);
        let Some(shape) = stated.get(&port.name).cloned().or_else(declared) else {
            return Cost::Open(format!(
                "the axes of input '{}' are open (--input {}=SHAPE states them)",
                port.name, port.name
            ));
        };
        let dtype = port.dtype.unwrap_or(DType::F32);
        let shape = Some(shape);
        inputs.insert(port.name.clone(), Expected { dtype, shape });
    }
    let mut known = infer(graph, &inputs);
    known.extend(inputs);
    counted(
        graph,
        &known
            .into_iter()
            .filter_map(|(n, e)| Some((n, e.shape?)))
            .collect(),
    )
}

/// The shape of a port that has no open axis.
fn fixed(shape: &[Dim]) -> Option<Vec<usize>> {
    let one = |d: &Dim| match d {
        Dim::Known(n) => Some(*n),
        Dim::Named(_) | Dim::Unknown => None,
    };
    shape.iter().map(one).collect()
}

fn counted(graph: &Graph, known: &BTreeMap<String, Vec<usize>>) -> Cost {
    let weight = |n: &String| graph.weights.get(n).map(|t| t.shape());
    let shape = |n: &String| known.get(n).map(Vec::as_slice).or_else(|| weight(n));
    let (mut all, mut open) = (0u64, 0);
    for node in graph.steps.iter().flat_map(|s| &s.nodes) {
        let inputs: Vec<Option<&[usize]>> = node.inputs.iter().map(shape).collect();
        let counts = ["Conv", "ConvTranspose", "MatMul", "Gemm"].contains(&node.op.as_str());
        let output = node.outputs.first().and_then(shape);
        match output.and_then(|output| macs(node, &inputs, output)) {
            Some(macs) => all = all.saturating_add(macs.saturating_mul(2)),
            None => open += usize::from(counts),
        }
    }
    match open {
        0 => Cost::Known(all),
        n => Cost::Open(format!(
            "the shapes of {n} convolutions or matrix products do not follow from the inputs' (ONNX Runtime infers shapes: parity doctor)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::load;
    use std::collections::HashMap;

    fn classifier() -> Graph {
        load::parse(
            bytes::Bytes::from_static(include_bytes!("../../golden/small/classifier.onnx")),
            None,
        )
        .unwrap()
    }

    #[test]
    fn what_does_not_follow_is_not_counted_as_nothing() {
        let silent = |_: &Graph, _: &IndexMap<String, Expected>| HashMap::new();
        let cost = of(&classifier(), &BTreeMap::new(), &silent);
        assert!(
            matches!(&cost, Cost::Open(why) if why.contains("do not follow")),
            "{cost:?}"
        );
        let mut open = classifier();
        open.inputs[0].shape = Some(vec![Dim::Unknown]);
        let cost = of(&open, &BTreeMap::new(), &silent);
        assert!(cost.say().contains("--input x=SHAPE"), "{cost:?}");
    }

    #[test]
    fn a_cost_is_said_in_its_unit() {
        for (flops, says) in [
            (12, "12 FLOPs"),
            (48_000, "48.00 kFLOPs"),
            (3_210_000_000, "3.21 GFLOPs"),
        ] {
            assert!(Cost::Known(flops).say().starts_with(says), "{says}");
        }
    }
}
