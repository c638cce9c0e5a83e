//! settings: what the modules of a trace and the nodes of a graph are set to, under one name for each attribute that decides numbers.

use crate::graph::{Attribute, Graph, Node, params};
use crate::params::attributes::{Attributes, Stated, canonical};
use crate::params::module;
use crate::params::names::{dotted, parts};
use crate::trace::Header;
use serde_json::Value;
use std::collections::BTreeMap;

/// By path of the module.
pub type Settings = BTreeMap<String, Attributes>;

/// What a recorder listed.
pub fn of_trace(header: &Header) -> Settings {
    let one = |(name, value): (&String, &Value)| Some((canonical(name)?, stated(value)?));
    let modules = header.modules.iter();
    modules
        .map(|(path, m)| (dotted(path), m.hyper.iter().filter_map(one).collect()))
        .collect()
}

fn stated(value: &Value) -> Option<Stated> {
    match value {
        Value::Number(n) => n.as_f64().map(|x| Stated::Numbers(vec![x])),
        Value::Bool(b) => Some(Stated::Numbers(vec![f64::from(u8::from(*b))])),
        Value::String(word) => Some(Stated::Word(word.clone())),
        Value::Array(all) => {
            let numbers: Option<Vec<f64>> = all.iter().map(Value::as_f64).collect();
            numbers.filter(|n| !n.is_empty()).map(Stated::Numbers)
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// What nodes state, under the module of their weights or of the scope that an exporter put into their names.
pub fn of_graph(graph: &Graph) -> Settings {
    let mut settings = Settings::new();
    for node in graph.steps.iter().flat_map(|s| &s.nodes) {
        let own = attributes(node);
        if let Some(path) = place(graph, node).filter(|_| !own.is_empty()) {
            settings.entry(path).or_insert(own);
        }
    }
    settings
}

fn attributes(node: &Node) -> Attributes {
    let one = |(name, value): (&String, &Attribute)| {
        let name = canonical(name).filter(|_| node.op != "Gemm")?;
        let said = match value {
            // What ONNX keeps of the old statistics, frameworks call what they take of the new.
            Attribute::Float(x) if name == "momentum" => Stated::Numbers(vec![rest_of(*x)]),
            Attribute::Float(x) => Stated::Numbers(vec![*x as f64]),
            Attribute::Int(x) => Stated::Numbers(vec![*x as f64]),
            Attribute::Ints(all) => Stated::Numbers(all.iter().map(|x| *x as f64).collect()),
            Attribute::Str(word) => Stated::Word(word.clone()),
            Attribute::Floats(_) | Attribute::Strs(_) | Attribute::Other(_) => return None,
        };
        Some((name, said))
    };
    node.attributes.iter().filter_map(one).collect()
}

/// What is left to 1, to the digits that f32 keeps of it.
fn rest_of(x: f32) -> f64 {
    ((1.0 - x as f64) * 1e6).round() / 1e6
}

fn place(graph: &Graph, node: &Node) -> Option<String> {
    let own = |name: &&String| graph.weights.contains_key(*name) && !params::is_generated(name);
    let weight = node.inputs.iter().skip(1).find(own);
    let of_weight = weight.map(|name| dotted(module(name)));
    let scope: Vec<&str> = parts(&node.name).collect();
    let of_name = || {
        (node.name.starts_with('/') && scope.len() > 1).then(|| scope[..scope.len() - 1].join("."))
    };
    of_weight.filter(|path| !path.is_empty()).or_else(of_name)
}
