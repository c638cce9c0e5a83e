//! Mutants of models as files of their own, under other names and in another order, held against the original: each that moves an output is found, at its
//! node, and no copy without a fault is called one. PARITY_MUTANTS says how many are drawn.

#![cfg(feature = "torch")]

#[path = "support/anonymous.rs"]
mod anonymous;
mod support;

use anonymous::{Names, anonymous, original};
use parity::cause::fault::{self, Fault};
use parity::compare::Comparison;
use parity::graph::cut::{self, Link};
use parity::graph::proto::ModelProto;
use parity::graph::{Graph, load};
use parity::hash;
use parity::run::Run;
use parity::verdict::{Accumulated, Isolated};
use prost::Message;
use std::collections::BTreeMap;
use std::path::Path;
use support::*;

const PARITY: &str = env!("CARGO_BIN_EXE_parity-engine");

const MODELS: &[&str] = &[
    "tests/fixtures/ports/clean-legacy.onnx",
    "tests/fixtures/ports/clean-dynamo.onnx",
    "golden/small/activations.onnx",
    "golden/small/average.onnx",
    "golden/small/classifier.onnx",
    "golden/small/constants.onnx",
    "golden/small/mixed.onnx",
    "golden/small/normalised.onnx",
    "golden/small/pooling.onnx",
    "golden/small/reductions.onnx",
    "golden/small/resize.onnx",
];

/// What an output has to move by, as a share of its norm, for the mutant to count.
const MOVES: f64 = 1e-5;

/// Shares of the mutants that count.
const FOUND: f64 = 0.99;
const AT_ITS_NODE: f64 = 0.95;

/// The share of mutants that may not count.
const IDLE: f64 = 0.15;

/// Numbers drawn for one mutant.
struct Draw {
    seed: u64,
    count: u64,
}

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.count += 1;
        (hash::bits(hash::key(self.seed, 1), self.count) % n as u64) as usize
    }

    /// Between 1e-5 and 1, every power alike.
    fn small(&mut self) -> f64 {
        10f64.powf(-5.0 * self.below(1000) as f64 / 1000.0)
    }
}

/// A fault that changes values and is drawn with the amount that it takes.
fn amount(fault: &Fault, draw: &mut Draw) -> Option<f64> {
    match fault.name {
        "scale-output" | "scale-channel" => Some(1.0 + draw.small()),
        "shift-output" => Some(draw.small()),
        _ => None,
    }
}

struct Mutant {
    model: &'static str,
    fault: &'static str,
    node: String,
    graph: Graph,
}

/// The first fault that can be injected where it is drawn.
fn mutant(seed: u64) -> Mutant {
    let mut draw = Draw { seed, count: 0 };
    let faults: Vec<&Fault> = fault::all()
        .filter(|f| !fault::only_gradients(f.name))
        .collect();
    loop {
        let model = MODELS[draw.below(MODELS.len())];
        let graph = load::file(&Path::new(env!("CARGO_MANIFEST_DIR")).join(model)).unwrap();
        let fault = faults[draw.below(faults.len())];
        let fits = |op: &str| fault.ops.is_empty() || fault.ops.contains(&op);
        let places: Vec<&str> = graph
            .steps
            .iter()
            .filter(|s| fits(s.op()))
            .map(|s| s.name.as_str())
            .collect();
        if places.is_empty() {
            continue;
        }
        let node = places[draw.below(places.len())].to_string();
        let amount = amount(fault, &mut draw);
        if let Ok(graph) = fault::inject(&graph, fault.name, &node, amount) {
            return Mutant {
                model,
                fault: fault.name,
                node,
                graph,
            };
        }
    }
}

/// The graph as a file with the ports of its original.
fn written(original: &ModelProto, graph: &Graph) -> ModelProto {
    let steps: Vec<usize> = (0..graph.steps.len()).collect();
    let cut = cut::cut(graph, &steps, Link::Connected, &|_| None);
    let mut model = ModelProto::decode(&*cut.model).unwrap();
    let (ports, own) = (
        original.graph.as_ref().unwrap(),
        model.graph.as_mut().unwrap(),
    );
    (own.input, own.output) = (ports.input.clone(), ports.output.clone());
    model
}

/// The run of the original against the copy, and the names of both.
fn run(original: &ModelProto, copy: ModelProto, seed: u64) -> (Option<Run>, [Names; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let ((a, ours), (b, theirs)) = (
        anonymous(original.clone(), 2 * seed),
        anonymous(copy, 2 * seed + 1),
    );
    std::fs::write(dir.path().join("a.onnx"), a).unwrap();
    std::fs::write(dir.path().join("b.onnx"), b).unwrap();
    let done = Call::new(PARITY, dir.path(), &["run", "a.onnx", "b.onnx", "--json"]).run();
    (Run::from_json(&done.out).ok(), [ours, theirs])
}

/// How far the declared output that moves most does, as a share of its norm, whatever it was held against.
fn moved(run: &Run, outputs: &[String]) -> f64 {
    let tensors = run.tensors.iter().filter(|t| outputs.contains(&t.name));
    let by = |a: &Accumulated| match a {
        Accumulated::Compared {
            comparison: Comparison::Values(m),
            ..
        } if m.specials.conflicts == 0 => m.rel_l2,
        Accumulated::Compared { .. } => f64::INFINITY,
        Accumulated::TieFlip { .. } => f64::INFINITY,
        Accumulated::NotJudged { .. } => 0.0,
    };
    tensors.map(|t| by(&t.accumulated)).fold(0.0, f64::max)
}

/// Whether the stretch of an origin that no other one explains holds the node, or one of those that the fault has put in its place.
fn is_at(run: &Run, [ours, theirs]: &[Names; 2], mutant: &Mutant) -> bool {
    let step = mutant.graph.steps.iter().find(|s| s.name == mutant.node);
    let wrong: Vec<&str> = step
        .iter()
        .flat_map(|s| &s.nodes)
        .map(|n| n.name.as_str())
        .collect();
    let called = |names: &Names, of: &[&str], name: &String| {
        let name = names.get(name).map(|n| n.split('@').next().unwrap());
        name.is_some_and(|n| of.contains(&n))
    };
    run.verdict
        .origins
        .iter()
        .filter(|o| o.independent)
        .any(|o| {
            let tensor = run.tensors.iter().find(|t| t.name == o.tensor);
            tensor.is_some_and(|t| match &t.isolated {
                Isolated::Stretch {
                    nodes: [own, other],
                    ..
                } => {
                    own.iter().any(|n| called(ours, &[&mutant.node], n))
                        || other.iter().any(|n| called(theirs, &wrong, n))
                }
                _ => false,
            })
        })
}

#[derive(Default)]
struct Count {
    drawn: usize,
    count: usize,
    found: usize,
    at: usize,
}

#[test]
fn every_mutant_that_moves_an_output_is_found_at_its_node() {
    let mutants: u64 = std::env::var("PARITY_MUTANTS").map_or(24, |n| n.parse().unwrap());
    let mut by_size: BTreeMap<i32, Count> = BTreeMap::new();
    let (mut refused, mut idle, mut missed) = (0, 0, vec![]);
    for seed in 0..mutants {
        let mutant = mutant(seed);
        let model = original(mutant.model);
        let outputs: Vec<String> = model
            .graph
            .iter()
            .flat_map(|g| &g.output)
            .map(|p| p.name().to_string())
            .collect();
        let (run, names) = run(&model, written(&model, &mutant.graph), seed);
        // What f64 refuses outright is no port.
        let Some(run) = run else {
            refused += 1;
            continue;
        };
        let own = names[0].iter().filter(|(_, old)| outputs.contains(old));
        let renamed: Vec<String> = own.map(|(new, _)| new.clone()).collect();
        let by = moved(&run, &renamed);
        // What changes no bit of any output is no mutant, as no control may be one.
        if by == 0.0 {
            idle += 1;
            continue;
        }
        let size = match by.is_finite() {
            true => (by.log10().floor() as i32).clamp(-9, 1),
            false => 2,
        };
        let count = by_size.entry(size).or_default();
        count.drawn += 1;
        if by <= MOVES {
            continue;
        }
        count.count += 1;
        count.found += usize::from(run.expectation.exit as i32 == 1);
        let at = is_at(&run, &names, &mutant);
        count.at += usize::from(at);
        if !at {
            let first = run
                .verdict
                .first()
                .map(|n| names[0].get(n).map_or(n, |n| n.as_str()).to_string());
            missed.push(format!(
                "{seed}: {} at '{}' of {} moves {by:.1e}: {first:?}",
                mutant.fault, mutant.node, mutant.model
            ));
        }
    }
    println!(
        "| an output moves by | mutants | count | found | at its node |\n|---|---|---|---|---|"
    );
    for (size, c) in by_size.iter().rev() {
        println!(
            "| 1e{size} | {} | {} | {} | {} |",
            c.drawn, c.count, c.found, c.at
        );
    }
    let sum = |of: fn(&Count) -> usize| by_size.values().map(of).sum::<usize>();
    let (drawn, count, found, at) = (
        sum(|c| c.drawn),
        sum(|c| c.count),
        sum(|c| c.found),
        sum(|c| c.at),
    );
    println!(
        "{mutants} mutants, {refused} refused, {idle} move nothing; of {drawn} {count} count, {found} found, {at} at their node\n{}",
        missed.join("\n")
    );
    assert!(
        found as f64 >= FOUND * count as f64,
        "{found} of {count} found"
    );
    assert!(
        at as f64 >= AT_ITS_NODE * count as f64,
        "{at} of {count} at their node"
    );
    assert!(
        mutants < 100 || ((drawn - count) as f64) < IDLE * drawn as f64,
        "{count} of {drawn} count"
    );
}

#[test]
fn no_copy_without_a_fault_is_called_one() {
    for (seed, model) in MODELS.iter().enumerate() {
        let original = original(model);
        let graph = load::file(&Path::new(env!("CARGO_MANIFEST_DIR")).join(model)).unwrap();
        let (run, _) = run(&original, written(&original, &graph), seed as u64);
        let run = run.unwrap_or_else(|| panic!("{model}: no run"));
        assert!(
            run.verdict.origins.is_empty() && run.expectation.exit as i32 != 1,
            "{model}: {:?}",
            run.findings
        );
    }
}
