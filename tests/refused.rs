//! A node that one live engine refuses is a finding: what lies before and behind it is judged, and the report says who refuses and why.

#![cfg(feature = "torch")]

mod support;

use parity::graph::proto::*;
use parity::verdict::{Accumulated, Why};
use std::path::Path;
use support::*;

const I32: i64 = 6;
const U64: i64 = 13;

fn cast(name: &str, from: &str, to: i64) -> NodeProto {
    let attribute = AttributeProto { name: Some("to".into()), i: Some(to), r#type: Some(2), ..Default::default() };
    NodeProto { attribute: vec![attribute], ..node("Cast", name, &[from], &[name]) }
}

/// y = half · (what `refused` makes of integers), beside z = three · x.
fn model(refused: Vec<NodeProto>) -> ModelProto {
    let times = vec![node("Mul", "times", &["x", "three"], &["z"])];
    let behind = vec![cast("floats", "integers", F32 as i64), node("Mul", "behind", &["floats", "half"], &["y"])];
    let nodes = times.into_iter().chain(refused).chain(behind).collect();
    let mut model = onnx(port("x", F32, &[4, 6]), nodes, vec![weight("three", &[1], &[3.0]), weight("half", &[1], &[0.5])]);
    let output = |name: &str| ValueInfoProto { name: Some(name.into()), r#type: None };
    model.graph.iter_mut().for_each(|g| g.output = vec![output("y"), output("z")]);
    model
}

/// ONNX Runtime quantises no 32-bit integers; the interpreter orders no numbers beyond 2^63.
fn refused_by(engine: &str) -> ModelProto {
    match engine {
        "onnxruntime" => model(vec![cast("whole", "z", I32), node("QuantizeLinear", "refused", &["whole", "three"], &["integers"])]),
        _ => model(vec![cast("long", "z", 7), cast("far", "long", U64), node("Max", "refused", &["far", "far"], &["integers"])]),
    }
}

fn run(folder: &Path, scenario: &str, more: &[&str]) -> Ran {
    let text = format!("format = 1\nmodel = \"m.onnx\"\n[inputs.x]\nrandom = \"normal\"\n{scenario}");
    std::fs::write(folder.join("s.toml"), text).unwrap();
    Call::new(PARITY, folder, &[&["run", "s.toml"], more].concat()).run()
}

#[test]
fn what_lies_before_and_behind_a_refused_node_is_judged_and_the_run_says_who_refuses_it() {
    for engine in ["onnxruntime", "libtorch"] {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "m.onnx", &refused_by(engine));
        for (reference, candidate) in [("onnxruntime", "libtorch"), ("libtorch", "onnxruntime")] {
            let side = if reference == engine { "the reference" } else { "the candidate" };
            let sides = format!("[reference]\nsubject = \"{reference}\"\n[candidate]\nsubject = \"{candidate}\"\n");
            run(dir.path(), &sides, &[]).exits(4).says(&["TOO LITTLE COMPARED", &format!("{side} refuses it"), "'refused'"]);
            let found = run(dir.path(), &sides, &["--json"]).exits(4).json();
            for t in &found.tensors {
                let refused = matches!(&t.accumulated, Accumulated::NotJudged { why: Why::Refused { .. } });
                assert_eq!(
                    (refused, t.isolated.compared()),
                    (t.name == "integers", t.name != "integers"),
                    "{engine} as {side}: {}",
                    t.name
                );
            }
            let fault = "fault = \"scale\"\namount = 1.5\nnode = \"behind\"\n";
            let faulty =
                format!("[reference]\nsubject = \"{reference}\"\n[candidate]\nsubject = \"faulty\"\nof = \"{candidate}\"\n{fault}");
            run(dir.path(), &faulty, &[]).exits(1).says(&["DIVERGE at node 'behind'"]);
        }
    }
}

#[test]
fn what_both_sides_refuse_is_not_judged_nor_what_lies_behind_it_and_the_rest_is() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &refused_by("onnxruntime"));
    let sides = "[candidate]\nsubject = \"onnxruntime\"\noptimisation = \"all\"\n";
    let found = run(dir.path(), sides, &["--json"]).exits(4).json();
    for t in &found.tensors {
        assert_eq!(t.isolated.compared(), ["z", "whole"].contains(&t.name.as_str()), "{}", t.name);
    }
    let said = run(dir.path(), sides, &[]).exits(4);
    said.says(&["output 'y'"]);
}

#[test]
fn where_a_side_refuses_every_node_nothing_has_run() {
    let dir = tempfile::tempdir().unwrap();
    let whole = vec![node("QuantizeLinear", "refused", &["x", "scale"], &["y"])];
    write_model(dir.path(), "m.onnx", &onnx(port("x", I32 as i32, &[4]), whole, vec![weight("scale", &[1], &[0.5])]));
    std::fs::write(dir.path().join("s.toml"), "format = 1\nmodel = \"m.onnx\"\n[inputs.x]\nrandom = \"integers\"\nlow = 0\nhigh = 9\n")
        .unwrap();
    Call::new(PARITY, dir.path(), &["run", "s.toml"]).run().refuses(3, &["reference", "'refused'"]);
}
