//! params: how many trained numbers a model holds, in which module, and which of its stored tensors are constants and no weights.

use super::Graph;
use super::param::{Kind, Param};
use crate::tensor::Tensor;
use indexmap::IndexMap;
use serde::Serialize;
use std::collections::HashSet;

/// The metadata key that names parameters that never train, one space between.
pub const FROZEN: &str = "parity.frozen";

/// Floating-point weights of one module (everything before the last '.' or '/' of a weight's name).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ModuleParams {
    pub tensors: usize,
    pub elements: usize,
}

/// Weights per module, in file order. Integer tensors (shapes, indices, axes) are no parameters.
pub fn per_module(graph: &Graph) -> IndexMap<String, ModuleParams> {
    let mut modules: IndexMap<String, ModuleParams> = IndexMap::new();
    for (name, tensor) in graph.weights.iter().filter(|(_, t)| t.dtype().is_float()) {
        let module = name.rfind(['.', '/']).map_or("", |at| &name[..at]);
        let entry = modules.entry(module.to_string()).or_default();
        entry.tensors += 1;
        entry.elements += tensor.numel();
    }
    for step in graph.steps.iter().filter(|s| s.op() == "Constant") {
        if let Some(Ok(t)) = step.nodes[0]
            .attributes
            .get("value")
            .and_then(|a| a.tensor())
            .filter(|t| t.as_ref().is_ok_and(|t| t.dtype().is_float()))
        {
            let entry = modules.entry("(constants)".to_string()).or_default();
            entry.tensors += 1;
            entry.elements += t.numel();
        }
    }
    modules
}

/// Number of floating-point weight elements, constants of the graph included.
pub fn total(graph: &Graph) -> usize {
    per_module(graph).values().map(|m| m.elements).sum()
}

/// Weights that a BatchNormalization takes as mean or variance, as they are or through other nodes.
fn statistics(graph: &Graph) -> HashSet<&str> {
    let producers = graph.producers();
    let norms = graph
        .steps
        .iter()
        .flat_map(|s| &s.nodes)
        .filter(|n| n.op == "BatchNormalization");
    let mut open: Vec<&str> = norms
        .flat_map(|n| n.inputs.iter().skip(3).take(2))
        .map(String::as_str)
        .collect();
    let mut seen = HashSet::new();
    while let Some(name) = open.pop() {
        if seen.insert(name) {
            open.extend(
                producers
                    .get(name)
                    .iter()
                    .flat_map(|step| &graph.steps[**step].inputs)
                    .map(String::as_str),
            );
        }
    }
    seen
}

/// (operator, inputs that hold weights)
const SLOTS: &[(&str, &[usize])] = &[
    ("Conv", &[1, 2]),
    ("ConvTranspose", &[1, 2]),
    ("Gemm", &[0, 1, 2]),
    ("MatMul", &[0, 1]),
    ("Einsum", &[0, 1, 2]),
    ("BatchNormalization", &[1, 2, 3, 4]),
    ("InstanceNormalization", &[1, 2]),
    ("LayerNormalization", &[1, 2]),
    ("SimplifiedLayerNormalization", &[1]),
    ("GroupNormalization", &[1, 2]),
    ("RMSNormalization", &[1]),
    ("PRelu", &[1]),
    ("LSTM", &[1, 2, 3]),
    ("GRU", &[1, 2, 3]),
    ("RNN", &[1, 2, 3]),
    ("Gather", &[0]),
];

/// Operators that hand a weight on as it is.
const ON: &[&str] = &[
    "Cast",
    "DequantizeLinear",
    "Identity",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// What a layer takes where its weights stand, as it is or turned.
fn in_slots(graph: &Graph) -> HashSet<&str> {
    let producers = graph.producers();
    let slots = |op: &str| SLOTS.iter().find(|row| row.0 == op).map(|row| row.1);
    let taken = |n: &'_ super::Node| -> Vec<usize> { slots(&n.op).unwrap_or_default().to_vec() };
    let nodes = graph.steps.iter().flat_map(|s| &s.nodes);
    let mut open: Vec<&str> = nodes
        .flat_map(|n| taken(n).into_iter().filter_map(|i| n.inputs.get(i)))
        .map(String::as_str)
        .collect();
    let mut seen = HashSet::new();
    while let Some(name) = open.pop() {
        if seen.insert(name) {
            let from = producers.get(name).map(|step| &graph.steps[*step]);
            let from = from.filter(|step| ON.contains(&step.op()));
            open.extend(
                from.iter()
                    .flat_map(|s| s.inputs.first())
                    .map(String::as_str),
            );
        }
    }
    seen
}

/// A name that its exporter made up and that says nothing of where it belongs (`onnx::Conv_123`, `val_7`, `123`).
pub fn is_generated(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let numbered = |rest: &str| rest.rsplit_once('_').is_some_and(|(_, n)| number(n));
    number(name)
        || name.strip_prefix("onnx::").is_some_and(numbered)
        || name.strip_prefix("val_").is_some_and(number)
}

/// How exporters call a constant: of the traced code, or lifted out of it.
fn is_called_constant(name: &str) -> bool {
    is_generated(name)
        || [
            "constant.",
            "/",
            "_tensor_constant",
            "lifted_tensor",
            "scalar_tensor",
        ]
        .iter()
        .any(|start| name.starts_with(start))
        || name.to_lowercase().contains("constant")
}

/// Floating-point initialisers that no layer takes as a weight and that their name calls constants, and what Constant nodes hold:
/// (name or output, elements).
pub fn constants(graph: &Graph) -> Vec<(&str, usize)> {
    let slots = in_slots(graph);
    let stored = graph
        .weights
        .iter()
        .filter(|(name, t)| t.dtype().is_float() && is_constant(name, &slots))
        .map(|(name, t)| (name.as_str(), t.numel()));
    let own: HashSet<&str> = in_nodes(graph, &slots).map(|(name, _)| name).collect();
    let nodes = graph.steps.iter().filter(|s| s.op() == "Constant");
    let held = nodes.filter_map(|s| {
        let value = s.nodes[0].attributes.get("value")?.tensor()?.ok()?;
        let name = s.outputs.first()?.as_str();
        let counts = value.dtype().is_float() && !own.contains(name);
        counts.then_some((name, value.numel()))
    });
    stored.chain(held).collect()
}

fn is_constant(name: &str, slots: &HashSet<&str>) -> bool {
    is_called_constant(name) && !slots.contains(name)
}

/// Weights that the file stores in Constant nodes.
fn in_nodes<'a>(
    graph: &'a Graph,
    slots: &'a HashSet<&str>,
) -> impl Iterator<Item = (&'a str, Tensor)> {
    let all = graph.in_nodes_alone();
    all.filter(|(name, _)| !is_constant(name, slots))
}

/// The floating-point initialisers that are no [`constants`] as a list of parameters, or what Constant nodes hold where there are none.
/// The mean and variance of a BatchNormalization are buffers. A graph does not say what was trained, unless its metadata name what is frozen; where it leaves its parameters to a rule, no other weight is one.
pub fn list(graph: &Graph) -> Vec<Param> {
    let statistics = statistics(graph);
    let kind = |name: &str| {
        if statistics.contains(name) {
            Kind::Buffer
        } else {
            Kind::Parameter
        }
    };
    let frozen: Option<HashSet<&str>> = graph
        .metadata
        .get(FROZEN)
        .map(|names| names.split(' ').collect());
    let trains = |name: &str| {
        frozen
            .as_ref()
            .map(|f| kind(name) == Kind::Parameter && !f.contains(name))
    };
    let slots = in_slots(graph);
    let own = |name: &String| match graph.drawn.is_empty() {
        true => !is_constant(name, &slots),
        false => graph.drawn.contains(name),
    };
    let floats = graph
        .weights
        .iter()
        .filter(|(name, t)| t.dtype().is_float() && own(name));
    let floats = floats.map(|(name, t)| (name.as_str(), t.clone()));
    let param = |(name, t): (&str, Tensor)| Param {
        name: name.to_string(),
        shape: t.shape().to_vec(),
        dtype: t.dtype(),
        kind: kind(name),
        trainable: trains(name),
    };
    floats.chain(in_nodes(graph, &slots)).map(param).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attribute, load, paper};
    use std::path::Path;

    /// As paddle2onnx writes a network: weights in Constant nodes, beside constants of the code; a file that has initialisers keeps none there.
    #[test]
    fn weights_in_nodes_are_parameters_where_no_float_is_stored_otherwise() {
        let nodes = [
            "w: Constant  -> conv.w",
            "m: Constant  -> bn.mean",
            "c: Constant  -> helper.constant.1",
            "n: BatchNormalization x s b bn.mean v -> y",
            "k: Conv y conv.w -> z",
        ];
        let mut graph = (*paper::graph(&["x"], &nodes, &["z"])).clone();
        for step in &mut graph.steps[..3] {
            let value = Attribute::Floats(vec![1.0, 2.0]);
            step.nodes[0]
                .attributes
                .insert("value_floats".into(), value);
        }
        let names = |graph: &Graph| {
            let kinds = list(graph).into_iter().map(|p| (p.name, p.kind));
            kinds.collect::<Vec<_>>()
        };
        let (weight, mean) = ("conv.w".to_string(), "bn.mean".to_string());
        let expected = [(weight, Kind::Parameter), (mean, Kind::Buffer)];
        assert_eq!(names(&graph), expected);
        graph.weights.insert("v".into(), paper::floats(&[1.0]));
        assert_eq!(names(&graph), [("v".to_string(), Kind::Buffer)]);
    }

    /// The training graph of Gold-YOLO corrects the running variance before and after its norms.
    #[test]
    fn gold_yolo_has_the_parameters_of_the_fact_sheet_and_statistics_are_none_of_them() {
        for form in ["train", "eval"] {
            let graph = load::file(
                &Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join(format!("golden/gold_yolo/{form}.onnx")),
            )
            .unwrap();
            let list = list(&graph);
            let count = |of: &dyn Fn(&&Param) -> bool| {
                list.iter().filter(of).map(Param::elements).sum::<u64>()
            };
            assert_eq!(count(&|p| p.kind == Kind::Parameter), 5_617_930, "{form}");
            assert_eq!(count(&|p| p.kind == Kind::Buffer), 17_888, "{form}");
            assert_eq!(
                count(&|p| p.kind == Kind::Parameter && p.trainable == Some(false)),
                34,
                "{form}"
            );
        }
    }
}
