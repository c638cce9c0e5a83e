//! A healthy engine that nobody owns agrees with either real one, and a fault in its neighbour is found all the same.
//!
//! `PARITY_FULL=1` takes twenty of them instead of two (`scripts/nightly.d/14-simulated`, which adds the real models).

#![cfg(feature = "torch")]

mod support;

use std::path::Path;
use support::*;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const NORMAL: &str = "[inputs.x]\nrandom = \"normal\"\n";
const TOKENS: &str = "[inputs.ids]\nrandom = \"integers\"\nlow = 0\nhigh = 11\n";
const GRAPHS: [&str; 13] = [
    "activations",
    "attention",
    "average",
    "cancelling",
    "classifier",
    "constants",
    "half",
    "indexing",
    "mixed",
    "normalised",
    "pooling",
    "reductions",
    "resize",
];

fn run(graph: &str, rest: &str) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let model = Path::new(ROOT).join(format!("golden/small/{graph}.onnx"));
    let input = if graph == "attention" { TOKENS } else { NORMAL };
    std::fs::write(
        dir.path().join("s.toml"),
        format!("format = 1\nmodel = '{}'\n{input}{rest}", model.display()),
    )
    .unwrap();
    Call::new(PARITY, dir.path(), &["run", "s.toml"]).run()
}

fn seeds() -> u64 {
    if std::env::var_os("PARITY_FULL").is_some() {
        20
    } else {
        2
    }
}

#[test]
fn it_agrees_with_either_engine_on_every_small_graph() {
    for graph in GRAPHS {
        for engine in ["onnxruntime", "libtorch"] {
            for seed in 0..seeds() {
                let rest = format!(
                    "[reference]\nsubject = \"{engine}\"\n[candidate]\nsubject = \"simulated\"\nseed = {seed}\n"
                );
                run(graph, &rest).exits(0).says(&["AGREE"]);
            }
        }
    }
}

#[test]
fn a_fault_beside_it_is_found_at_its_node() {
    for (graph, fault, node, amount) in [
        ("pooling", "scale-channel", "conv1", "amount = 1.01\n"),
        ("normalised", "other-eps", "norm1", "amount = 1e-2\n"),
    ] {
        for engine in ["onnxruntime", "libtorch"] {
            let faulty = format!(
                "[reference]\nsubject = \"faulty\"\nof = \"{engine}\"\nfault = \"{fault}\"\nnode = \"{node}\"\n{amount}"
            );
            run(
                graph,
                &format!("{faulty}[candidate]\nsubject = \"simulated\"\n"),
            )
            .exits(1)
            .says(&[&format!("'{node}'")]);
        }
    }
}
