//! random: which nodes draw random numbers, the one table; and a seed for each, so that equal seeds draw alike.

use super::observe::constant;
use super::proto::GraphProto;
use super::seeded::key;
use super::{Attribute, Graph, Node, Step};

/// Operators whose output is always drawn; Dropout draws where it trains.
pub const DRAWN: [&str; 6] = [
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
];

/// Whether the step draws random numbers, in a body too.
pub fn is_random(graph: &Graph, step: &Step) -> bool {
    step.nodes.iter().any(|n| draws(graph, n))
}

/// Whether the node does.
pub fn draws(graph: &Graph, node: &Node) -> bool {
    match node.op.as_str() {
        op if DRAWN.contains(&op) => true,
        "Dropout" => trains(graph, node),
        _ => node.attributes.values().any(
            |a| matches!(a, Attribute::Other(a) if a.g.iter().chain(&a.graphs).any(draws_inside)),
        ),
    }
}

/// Whether a Dropout trains with a ratio above 0; an input that the graph does not state may say either.
fn trains(graph: &Graph, node: &Node) -> bool {
    let input = |i: usize| node.inputs.get(i).filter(|n| !n.is_empty());
    let stated = |i: usize| {
        input(i)
            .and_then(|n| constant(graph, n))
            .and_then(|t| t.to_f64().first().copied())
    };
    input(2).is_some() && stated(2) != Some(0.0) && stated(1) != Some(0.0)
}

fn draws_inside(body: &GraphProto) -> bool {
    body.node.iter().any(|n| {
        let trains =
            || n.op_type() == "Dropout" && n.input.get(2).is_some_and(|name| !name.is_empty());
        DRAWN.contains(&n.op_type())
            || trains()
            || n.attribute
                .iter()
                .flat_map(|a| a.g.iter().chain(&a.graphs))
                .any(draws_inside)
    })
}

/// The graph with a seed for every node that draws and states none, from this one and the node's name; None where nothing is to be stated.
pub fn seeded(graph: &Graph, seed: u64) -> Option<Graph> {
    let draws = |n: &Node| {
        (DRAWN.contains(&n.op.as_str()) || n.op == "Dropout" && trains(graph, n))
            && !n.attributes.contains_key("seed")
    };
    if !graph.steps.iter().flat_map(|s| &s.nodes).any(draws) {
        return None;
    }
    // The file draws otherwise.
    let mut out = Graph {
        file: None,
        ..graph.clone()
    };
    for node in out
        .steps
        .iter_mut()
        .flat_map(|s| &mut s.nodes)
        .filter(|n| draws(n))
    {
        // A whole number that f32 holds.
        let own = (key(&node.name, seed) & 0xFF_FFFF) as i64;
        let stated = if node.op == "Dropout" {
            Attribute::Int(own)
        } else {
            Attribute::Float(own as f32)
        };
        node.attributes.insert("seed".into(), stated);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::proto::{AttributeProto, NodeProto};
    use crate::tensor::{DType, Tensor};

    fn node(op: &str, inputs: &[&str]) -> Node {
        let inputs = inputs.iter().map(|i| i.to_string()).collect();
        Node {
            name: format!("a/{op}"),
            op: op.into(),
            domain: String::new(),
            inputs,
            outputs: vec!["y".into()],
            attributes: Default::default(),
        }
    }

    fn graph(node: Node, weights: &[(&str, f64, DType)]) -> Graph {
        let weight = |(n, v, d): &(&str, f64, DType)| {
            (n.to_string(), Tensor::from_f64(*d, &[], &[*v]).unwrap())
        };
        Graph {
            file: None,
            digest: String::new(),
            name: String::new(),
            producer: String::new(),
            ir_version: 8,
            opsets: Default::default(),
            inputs: vec![],
            outputs: vec![],
            weights: weights.iter().map(weight).collect(),
            steps: vec![Step::of(node)],
            functions: vec![],
            drawn: Default::default(),
            metadata: Default::default(),
            bodies: Default::default(),
            code: Default::default(),
        }
    }

    #[test]
    fn what_draws_is_told_by_operator_inputs_and_body() {
        let (yes, no) = (("t", 1.0, DType::Bool), ("t", 0.0, DType::Bool));
        let nothing = ("r", 0.0, DType::F32);
        let mut loops = node("Loop", &["n"]);
        let inner = NodeProto {
            op_type: Some("RandomNormal".into()),
            ..Default::default()
        };
        let body = GraphProto {
            node: vec![inner],
            ..Default::default()
        };
        loops.attributes.insert(
            "body".into(),
            Attribute::Other(Box::new(AttributeProto {
                g: Some(body),
                ..Default::default()
            })),
        );
        let cases = [
            (graph(node("RandomNormal", &[]), &[]), true),
            (graph(node("Multinomial", &["x"]), &[]), true),
            (graph(node("Relu", &["x"]), &[]), false),
            (graph(node("Dropout", &["x"]), &[]), false),
            (graph(node("Dropout", &["x", "r"]), &[]), false),
            (graph(node("Dropout", &["x", "", ""]), &[]), false),
            (graph(node("Dropout", &["x", "", "t"]), &[yes]), true),
            (graph(node("Dropout", &["x", "", "t"]), &[]), true),
            (graph(node("Dropout", &["x", "", "t"]), &[no]), false),
            (
                graph(node("Dropout", &["x", "r", "t"]), &[yes, nothing]),
                false,
            ),
            (graph(loops, &[]), true),
        ];
        for (graph, want) in cases {
            assert_eq!(
                is_random(&graph, &graph.steps[0]),
                want,
                "{:?}",
                graph.steps[0]
            );
        }
    }

    #[test]
    fn every_draw_has_a_seed_that_follows_from_the_scenarios_unless_it_states_its_own() {
        let of = |graph: &Graph| graph.steps[0].nodes[0].attributes.get("seed").cloned();
        let plain = graph(node("RandomUniform", &[]), &[]);
        let seeds = [7, 7, 8].map(|seed| of(&seeded(&plain, seed).unwrap()).unwrap());
        assert!(seeds[0] == seeds[1] && seeds[0] != seeds[2]);
        let again = seeded(&plain, 7).unwrap();
        assert!(seeded(&again, 8).is_none(), "what is stated stays");
        let drop = graph(node("Dropout", &["x", "", "t"]), &[("t", 1.0, DType::Bool)]);
        assert!(matches!(
            of(&seeded(&drop, 7).unwrap()),
            Some(Attribute::Int(_))
        ));
        assert!(seeded(&graph(node("Dropout", &["x"]), &[]), 7).is_none());
    }
}
