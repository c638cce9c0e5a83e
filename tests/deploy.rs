//! What a deployment needs to know before and after: how much memory a run takes, and what an optimiser does that nothing observed shows.

#![cfg(feature = "torch")]

mod support;

use parity::graph::proto::*;
use std::path::Path;
use support::*;

fn run(folder: &Path, args: &[&str]) -> Ran {
    Call::new(PARITY, folder, &[&["run", "m.onnx"], args].concat()).run()
}

#[test]
fn a_run_beyond_the_limit_is_refused_with_the_estimate_and_runs_above_it() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &small());
    let words =
        ["about ", "MiB at the peak", "the limit is 1 MiB", "[2, 4]", "next: feed smaller inputs", "--max-memory SIZE is your own limit"];
    run(dir.path(), &["--max-memory", "1MiB"]).refuses(2, &words);
    let ran = run(dir.path(), &["--max-memory", "2GiB"]).exits(0);
    assert!(!ran.err.contains("memory:"), "a small run says nothing of memory: {ran}");
    let ran = run(dir.path(), &["--max-memory", "much"]).exits(2);
    assert!(ran.err.contains("--max-memory") && ran.err.contains("such as 2GiB"), "{ran}");
}

#[test]
fn a_large_run_is_refused_before_anything_large_is_held() {
    // 16384 x 16384 f32 is 1 GiB; its input alone, and the engines never start.
    let dir = tempfile::tempdir().unwrap();
    let open = onnx(port("x", F32, &[-1, -1]), vec![node("Relu", "r", &["x"], &["y"]), node("Neg", "n", &["y"], &["z"])], vec![]);
    write_model(dir.path(), "m.onnx", &open);
    run(dir.path(), &["--input", "x=8192x8192", "--max-memory", "1GiB"])
        .refuses(2, &["GiB at the peak", "limit is 1.0 GiB", "[8192, 8192]"]);
}

fn scalar(name: &str, v: f32) -> TensorProto {
    TensorProto { dims: vec![], ..weight(name, &[], &[v]) }
}

fn zero_point(name: &str, v: i32) -> TensorProto {
    TensorProto { name: Some(name.into()), dims: vec![], data_type: Some(2), int32_data: vec![v], ..Default::default() }
}

/// Quantised and dequantised once or twice: two such pairs in a row are one to ONNX Runtime, with another rounding.
fn quantised(twice: bool) -> ModelProto {
    let pair = |i: usize, from: &str| {
        let name = |n: &str| format!("{n}{i}");
        let (q, d, s, z) = (name("q"), name("d"), name("s"), name("z"));
        let give = node("QuantizeLinear", &q, &[from, &s, &z], &[&q]);
        vec![give, node("DequantizeLinear", &d, &[&q, &s, &z], &[&d])]
    };
    let mut nodes = vec![node("Relu", "relu", &["x"], &["r"])];
    nodes.extend(pair(1, "r"));
    let mut last = "d1";
    if twice {
        nodes.extend(pair(2, "d1"));
        last = "d2";
    }
    nodes.push(node("Sigmoid", "out", &[last], &["y"]));
    let mut weights = vec![scalar("s1", 0.02), zero_point("z1", 100)];
    if twice {
        weights.extend([scalar("s2", 0.013), zero_point("z2", 3)]);
    }
    onnx(port("x", F32, &[4, 64]), nodes, weights)
}

#[test]
fn a_divergence_that_only_the_optimised_session_shows_names_the_optimiser_and_the_tensors_around() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &quantised(true));
    let ran = run(dir.path(), &[]).exits(1);
    let because =
        "the un-observed run differs because of optimiser DoubleQDQPairsRemover between tensors 'r' and 'd2', from level basic on";
    ran.says(&[
        "DIVERGE only when not observed",
        because,
        "treated as one: 'q1', 'd1', 'q2', 'd2'",
        "disable_specified_optimizers = \"DoubleQDQPairsRemover\"",
    ]);
}

#[test]
fn an_output_that_is_not_asked_for_is_not_judged_un_observed_either() {
    let dir = tempfile::tempdir().unwrap();
    let mut both = quantised(true);
    both.graph.as_mut().unwrap().output.push(ValueInfoProto { name: Some("r".into()), r#type: None });
    write_model(dir.path(), "m.onnx", &both);
    run(dir.path(), &["--only", "r"]).exits(0);
    run(dir.path(), &[]).exits(1);
}

#[test]
fn one_pair_of_quantisation_is_left_alone_and_agrees() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &quantised(false));
    run(dir.path(), &[]).exits(0);
}
