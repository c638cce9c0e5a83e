//! Floors that exist: masks of minus infinity hide nothing behind them, and what draws random numbers says so instead of agreeing.

#![cfg(feature = "torch")]

mod support;

use parity::graph::proto::*;
use parity::verdict::{Accumulated, Why};
use std::path::Path;
use support::*;

const INF: f32 = f32::INFINITY;

fn floats(n: usize, seed: usize) -> Vec<f32> {
    (0..n)
        .map(|i| ((i * 37 + seed * 11) % 29) as f32 / 7.0 - 2.0)
        .collect()
}

fn axis(name: &str, to: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        i: Some(to),
        r#type: Some(2),
        ..Default::default()
    }
}

/// Scores of 4 queries and 4 keys, masked, as shares of values, projected; `hidden` stands where a query must not look.
fn attention(form: &str, hidden: f32, factor: f32) -> ModelProto {
    let causal: Vec<f32> = (0..16)
        .map(|i| if i % 4 > i / 4 { hidden } else { 0.0 })
        .collect();
    let seen = TensorProto {
        name: Some("seen".into()),
        dims: vec![4, 4],
        data_type: Some(9),
        int32_data: causal.iter().map(|m| i32::from(*m == 0.0)).collect(),
        ..Default::default()
    };
    let mask = match form {
        "where" => vec![node("Where", "mask", &["seen", "s", "hidden"], &["m"])],
        // As exporters make it of the mask of tokens: (1 - seen) * hidden.
        "tokens" => vec![
            NodeProto {
                attribute: vec![axis("to", 1)],
                ..node("Cast", "kept", &["seen"], &["kept"])
            },
            node("Sub", "rest", &["one", "kept"], &["rest"]),
            node("Mul", "far", &["rest", "hidden"], &["far"]),
            node("Add", "mask", &["s", "far"], &["m"]),
        ],
        _ => vec![node("Add", "mask", &["s", "causal"], &["m"])],
    };
    let shares = match form {
        "log" => vec![
            node("LogSoftmax", "log", &["m"], &["l"]),
            node("Exp", "shares", &["l"], &["a"]),
        ],
        _ => vec![NodeProto {
            attribute: vec![axis("axis", -1)],
            ..node("Softmax", "shares", &["m"], &["a"])
        }],
    };
    let start = vec![node("MatMul", "scores", &["x", "w"], &["s"])];
    let end = vec![
        node("MatMul", "values", &["a", "v"], &["o"]),
        node("MatMul", "project", &["o", "u"], &["y"]),
    ];
    let last: Vec<f32> = floats(16, 3)
        .iter()
        .enumerate()
        .map(|(i, v)| if i % 4 == 2 { v * factor } else { *v })
        .collect();
    let weights = vec![
        weight("w", &[4, 4], &floats(16, 1)),
        weight("v", &[4, 4], &floats(16, 2)),
        weight("u", &[4, 4], &last),
        weight("causal", &[4, 4], &causal),
        TensorProto {
            dims: vec![],
            ..weight("hidden", &[], &[hidden])
        },
        weight("one", &[1], &[1.0]),
        seen,
    ];
    onnx(
        port("x", F32, &[4, 4]),
        [start, mask, shares, end].concat(),
        weights,
    )
}

#[test]
fn a_mask_hides_no_tensor_behind_it_and_a_fault_behind_it_is_found_in_recordings_too() {
    let dir = tempfile::tempdir().unwrap();
    for (form, hidden) in [
        ("add", -INF),
        ("add", -1e9),
        ("add", f32::MIN),
        ("where", -INF),
        ("where", f32::MIN),
        ("log", -INF),
        ("tokens", f32::MIN),
        ("tokens", -1e9),
    ] {
        let run = |name: &str, factor: f32| {
            write_model(dir.path(), "m.onnx", &attention(form, hidden, factor));
            let ran = Call::new(
                PARITY,
                dir.path(),
                &["run", "m.onnx", "--record", name, "--json"],
            )
            .run()
            .exits(0)
            .json();
            for t in &ran.tensors {
                assert!(
                    matches!(t.accumulated, Accumulated::Compared { .. }),
                    "{form} {hidden}: '{}' {:?}",
                    t.name,
                    t.accumulated
                );
            }
        };
        run("healthy", 1.0);
        run("faulty", 1.01);
        let pair = [
            "compare",
            "healthy/reference.safetensors",
            "faulty/reference.safetensors",
        ];
        Call::new(PARITY, dir.path(), &pair)
            .run()
            .exits(1)
            .says(&["first at tensor 'y'"]);
        let pair = [
            "compare",
            "healthy/reference.safetensors",
            "healthy/candidate.safetensors",
        ];
        Call::new(PARITY, dir.path(), &pair).run().exits(0);
    }
}

/// `first` of x, then its product with weights, then a relu.
fn drawing(first: NodeProto) -> ModelProto {
    let nodes = vec![
        first,
        node("MatMul", "mm", &["d", "w"], &["p"]),
        node("Relu", "relu", &["p"], &["y"]),
    ];
    let training = TensorProto {
        name: Some("t".into()),
        dims: vec![],
        data_type: Some(9),
        int32_data: vec![1],
        ..Default::default()
    };
    onnx(
        port("x", F32, &[8, 4]),
        nodes,
        vec![weight("w", &[4, 4], &floats(16, 1)), training],
    )
}

fn drawings() -> [(&'static str, ModelProto); 3] {
    [
        (
            "normal",
            drawing(node("RandomNormalLike", "draw", &["x"], &["d"])),
        ),
        (
            "uniform",
            drawing(node("RandomUniformLike", "draw", &["x"], &["d"])),
        ),
        (
            "dropout",
            drawing(node("Dropout", "draw", &["x", "", "t"], &["d"])),
        ),
    ]
}

/// The Run's JSON, timings aside.
fn told(folder: &Path, reference: &str, seed: u64) -> serde_json::Value {
    let toml = format!(
        "format = 1\nmodel = \"m.onnx\"\nseed = {seed}\n[inputs.x]\nrandom = \"normal\"\nshape = [8, 4]\n[reference]\nsubject = \"{reference}\"\n"
    );
    std::fs::write(folder.join("s.toml"), toml).unwrap();
    let ran = Call::new(
        PARITY,
        folder,
        &["run", "s.toml", "--json", "--record", "r"],
    )
    .run();
    let mut all: serde_json::Value =
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran}"));
    all.as_object_mut().unwrap().remove("timings");
    all
}

/// x(f16) through two nodes that ONNX Runtime has no f16 kernel for, between which it would keep f32.
fn half(nodes: Vec<NodeProto>) -> ModelProto {
    const F16: i32 = 10;
    onnx(port("x", F16, &[64, 16]), nodes, vec![])
}

#[test]
fn half_precision_between_two_nodes_is_what_was_observed() {
    let dir = tempfile::tempdir().unwrap();
    let times = |function: &str| {
        vec![
            node(function, "f", &["x"], &["f"]),
            node("Mul", "mul", &["x", "f"], &["y"]),
        ]
    };
    let deep = vec![
        node("Sigmoid", "s", &["x"], &["s"]),
        node("Mul", "m", &["x", "s"], &["m"]),
        node("Relu", "r", &["m"], &["r"]),
        node("Exp", "e", &["r"], &["e"]),
        node("Neg", "n", &["e"], &["n"]),
        node("Add", "a", &["n", "m"], &["y"]),
    ];
    for (name, nodes) in [
        ("silu", times("Sigmoid")),
        ("tanh", times("Tanh")),
        ("exp", times("Exp")),
        ("softplus", times("Softplus")),
        ("deep", deep),
    ] {
        write_model(dir.path(), "m.onnx", &half(nodes));
        for drawn in [
            "random = \"normal\"",
            "random = \"uniform\"\nlow = -16.0\nhigh = 8.0",
        ] {
            let toml =
                format!("format = 1\nmodel = \"m.onnx\"\n[inputs.x]\n{drawn}\nshape = [64, 16]\n");
            std::fs::write(dir.path().join("s.toml"), toml).unwrap();
            let run = Call::new(PARITY, dir.path(), &["run", "s.toml", "--json"])
                .run()
                .exits(0)
                .json();
            assert!(
                run.tensors
                    .iter()
                    .all(|t| t.isolated.compared() && t.accumulated.compared()),
                "{name}, {drawn}"
            );
        }
    }
}

#[test]
fn equal_seeds_draw_alike_in_either_engine_and_other_seeds_do_not() {
    let dir = tempfile::tempdir().unwrap();
    for (name, model) in drawings() {
        write_model(dir.path(), "m.onnx", &model);
        for reference in ["onnxruntime", "libtorch"] {
            let draw = |seed| {
                let all = told(dir.path(), reference, seed);
                (
                    all,
                    std::fs::read(dir.path().join("r/reference.safetensors")).unwrap(),
                )
            };
            let (once, again, other) = (draw(1), draw(1), draw(2));
            assert!(once == again, "{name}, {reference}: {} {}", once.0, again.0);
            assert!(once.1 != other.1, "{name}, {reference}");
        }
    }
}

#[test]
fn a_reference_that_did_not_record_its_draw_leaves_what_lies_behind_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (_, model) = drawings().into_iter().next_back().unwrap();
    write_model(dir.path(), "m.onnx", &model);
    write_trace(
        &dir.path().join("x.safetensors"),
        &[("x", &[8, 4], &floats(32, 5))],
        None,
    );
    write_trace(
        &dir.path().join("y.safetensors"),
        &[("y", &[8, 4], &[7.0; 32])],
        None,
    );
    for only in [&[][..], &["--only", "y"]] {
        let args = [
            &[
                "run",
                "m.onnx",
                "--input",
                "x=x.safetensors",
                "--against",
                "y.safetensors",
            ],
            only,
        ]
        .concat();
        Call::new(PARITY, dir.path(), &args)
            .run()
            .exits(4)
            .says(&["behind 'draw', which draws at random"]);
    }
}

#[test]
fn a_recording_that_drew_its_own_is_not_judged_behind_its_draw() {
    let dir = tempfile::tempdir().unwrap();
    for (name, model) in drawings() {
        write_model(dir.path(), "m.onnx", &model);
        told(dir.path(), "onnxruntime", 2);
        std::fs::rename(
            dir.path().join("r/candidate.safetensors"),
            dir.path().join("other.safetensors"),
        )
        .unwrap();
        let toml = "format = 1\nmodel = \"m.onnx\"\nseed = 1\n[inputs.x]\nrandom = \"normal\"\nshape = [8, 4]\n";
        let candidate = "[candidate]\nsubject = \"recorded\"\ntrace = \"other.safetensors\"\n";
        for only in ["", "[limit]\nonly = [\"y\"]\n"] {
            std::fs::write(
                dir.path().join("s.toml"),
                format!("{toml}{candidate}{only}"),
            )
            .unwrap();
            let ran = Call::new(PARITY, dir.path(), &["run", "s.toml", "--json"]).run();
            assert!(ran.code == Some(4) || ran.code == Some(1), "{name}: {ran}");
            let run = ran.json();
            let y = run.tensors.iter().find(|t| t.name == "y").unwrap();
            let behind = |why: &Why| matches!(why, Why::BehindDraw { node } if node == "draw");
            assert!(
                matches!(&y.accumulated, Accumulated::NotJudged { why } if behind(why)),
                "{name}: {:?}",
                y.accumulated
            );
        }
    }
}
