//! Copies of models under names that say nothing.

use parity::graph::proto::{GraphProto, ModelProto, NodeProto};
use parity::hash;
use prost::Message;
use std::collections::HashMap;
use std::path::Path;

/// The model in a file of this project.
pub fn original(path: &str) -> ModelProto {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    ModelProto::decode(&*std::fs::read(path).unwrap()).unwrap()
}

/// Names of one copy -> names of the original.
pub type Names = HashMap<String, String>;

/// The same model under names that say nothing, its nodes and initialisers in another order.
pub fn anonymous(mut model: ModelProto, seed: u64) -> (Vec<u8>, Names) {
    let mut graph = model.graph.take().unwrap();
    model.metadata_props.clear();
    graph.value_info.clear();
    graph.node = shuffled(&graph, seed);
    let key = |name: &Option<String>| {
        hash::bits(seed, hash::fnv(name.as_deref().unwrap_or("").as_bytes()))
    };
    graph.initializer.sort_by_key(|t| key(&t.name));
    let mut names = Names::new();
    let mut rename = |name: &mut String| {
        if !name.is_empty() {
            let new = format!("t{:016x}", hash::bits(seed, hash::fnv(name.as_bytes())));
            names.insert(new.clone(), std::mem::replace(name, new));
        }
    };
    graph
        .input
        .iter_mut()
        .chain(&mut graph.output)
        .flat_map(|p| &mut p.name)
        .for_each(&mut rename);
    graph
        .initializer
        .iter_mut()
        .flat_map(|t| &mut t.name)
        .for_each(&mut rename);
    for node in &mut graph.node {
        node.input
            .iter_mut()
            .chain(&mut node.output)
            .chain(&mut node.name)
            .for_each(&mut rename);
        node.metadata_props.clear();
        node.doc_string = None;
    }
    model.graph = Some(graph);
    (model.encode_to_vec(), names)
}

/// Some order in which every node stands behind those that feed it.
fn shuffled(graph: &GraphProto, seed: u64) -> Vec<NodeProto> {
    let mut left: Vec<&NodeProto> = graph.node.iter().collect();
    let mut order = vec![];
    while !left.is_empty() {
        let waits = |node: &NodeProto| {
            let made = left.iter().flat_map(|n| &n.output);
            made.into_iter().any(|o| node.input.contains(o))
        };
        let free: Vec<usize> = (0..left.len()).filter(|i| !waits(left[*i])).collect();
        let pick = hash::bits(seed, order.len() as u64) as usize % free.len();
        order.push(left.remove(free[pick]).clone());
    }
    order
}
