//! No fault in a decision is ever called a tie: by operator, by the side that carries it, and by the form in which that side comes.

#![cfg(feature = "torch")]

mod support;

use parity::graph::proto::*;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::path::Path;
use support::*;

fn scalar(name: &str, value: f32) -> TensorProto {
    TensorProto {
        dims: vec![],
        ..weight(name, &[], &[value])
    }
}

fn integer(name: &str, value: i64, dims: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(I64),
        int64_data: vec![value],
        ..Default::default()
    }
}

fn cast(name: &str, from: &str, to: &str) -> NodeProto {
    let attribute = AttributeProto {
        name: Some("to".into()),
        i: Some(I64 as i64),
        r#type: Some(2),
        ..Default::default()
    };
    NodeProto {
        attribute: vec![attribute],
        ..node("Cast", name, &[from], &[to])
    }
}

/// y = op(...) of an input of normal numbers `x` [4, 6]; the node is called 'decide'.
fn deciding(op: &str) -> ModelProto {
    let less = || node("Less", "less", &["x", "h"], &["b"]);
    let greater = || node("Greater", "greater", &["x", "n"], &["g"]);
    let times = || node("Mul", "times", &["x", "three"], &["t"]);
    let decide = |inputs: &[&str]| node(op, "decide", inputs, &["y"]);
    let nodes = match op {
        "Equal" => vec![times(), cast("labels", "t", "i"), decide(&["i", "one"])],
        "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" => vec![decide(&["x", "h"])],
        "And" | "Or" | "Xor" => vec![less(), greater(), decide(&["b", "g"])],
        "Not" => vec![less(), decide(&["b"])],
        "Where" => vec![
            less(),
            node("Neg", "neg", &["x"], &["m"]),
            decide(&["b", "x", "m"]),
        ],
        "Floor" | "Ceil" | "Round" | "Sign" => vec![times(), decide(&["t"])],
        "Cast" => vec![times(), cast("decide", "t", "y")],
        "TopK" => vec![node(op, "decide", &["x", "k"], &["best", "y"])],
        "ArgMax" | "ArgMin" => vec![decide(&["x"])],
        other => panic!("no model for {other}"),
    };
    let used = |name: &str| nodes.iter().any(|n| n.input.iter().any(|i| i == name));
    let weights = [
        scalar("h", 0.5),
        scalar("n", -0.25),
        scalar("three", 3.0),
        integer("one", 1, &[]),
        integer("k", 2, &[1]),
    ]
    .into_iter();
    let weights = weights
        .filter(|w| used(w.name.as_deref().unwrap_or_default()))
        .collect();
    let mut model = onnx(port("x", F32, &[4, 6]), nodes, weights);
    model.graph.iter_mut().for_each(|g| {
        g.output = vec![ValueInfoProto {
            name: Some("y".into()),
            r#type: None,
            ..Default::default()
        }]
    });
    model
}

const DECIDING: [&str; 18] = [
    "Equal",
    "Less",
    "LessOrEqual",
    "Greater",
    "GreaterOrEqual",
    "And",
    "Or",
    "Xor",
    "Not",
    "Where",
    "Floor",
    "Ceil",
    "Round",
    "Sign",
    "Cast",
    "TopK",
    "ArgMax",
    "ArgMin",
];

const INPUT: &str = "[inputs.x]\nrandom = \"normal\"\n";

fn run(folder: &Path, scenario: &str, more: &[&str]) -> Ran {
    std::fs::write(
        folder.join("s.toml"),
        format!("format = 1\nmodel = \"m.onnx\"\n{INPUT}{scenario}"),
    )
    .unwrap();
    Call::new(PARITY, folder, &[&["run", "s.toml"], more].concat()).run()
}

/// A copy of a recording in which some elements of tensor 'y' decide otherwise.
fn decided_otherwise(folder: &Path, from: &str, to: &str) {
    let bytes = std::fs::read(folder.join(from)).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let views = SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<_> = views
        .tensors()
        .into_iter()
        .map(|(n, v)| (n, v.dtype(), v.shape().to_vec(), v.data().to_vec()))
        .collect();
    let (_, dtype, _, data) = all.iter_mut().find(|t| t.0 == "y").unwrap();
    match dtype {
        Dtype::BOOL => data[0] ^= 1,
        Dtype::I64 => data[0] = if data[0] == 0 { 1 } else { 0 },
        Dtype::F32 => {
            let first = f32::from_le_bytes(data[..4].try_into().unwrap());
            data[..4]
                .copy_from_slice(&(if first == 1.0 { -1.0 } else { first + 1.0 }).to_le_bytes());
        }
        other => panic!("no other decision for {other:?}"),
    }
    let views = all
        .iter()
        .map(|(n, d, s, b)| (n.as_str(), TensorView::new(*d, s.clone(), b).unwrap()));
    safetensors::serialize_to_file(views, metadata.metadata().clone(), &folder.join(to)).unwrap();
}

#[test]
fn a_recorded_decision_that_its_inputs_do_not_give_is_at_fault_whatever_the_operator_and_the_side()
{
    for op in DECIDING {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "m.onnx", &deciding(op));
        run(dir.path(), "", &["--record", "r"]).exits(0);
        let recorded = |trace: &str| format!("subject = \"recorded\"\ntrace = \"{trace}\"\n");
        for side in ["candidate", "reference"] {
            decided_otherwise(
                dir.path(),
                &format!("r/{side}.safetensors"),
                "other.safetensors",
            );
            run(
                dir.path(),
                &format!("[{side}]\n{}", recorded(&format!("r/{side}.safetensors"))),
                &[],
            )
            .exits(0)
            .says(&["AGREE"]);
            let off = run(
                dir.path(),
                &format!("[{side}]\n{}", recorded("other.safetensors")),
                &[],
            )
            .exits(1);
            off.says(&["DIVERGE", "'decide'"]);
        }
    }
}

#[test]
fn a_live_decision_by_another_rule_is_at_fault_whatever_the_operator_the_engine_and_the_side() {
    let faults = [
        ("Equal", "other-constant", "amount = -1\n"),
        ("Less", "other-constant", "amount = 2.5\n"),
        ("Greater", "swap-inputs", ""),
        ("GreaterOrEqual", "all-true", ""),
        ("And", "all-true", ""),
        ("Where", "swap-inputs", ""),
        ("TopK", "fewer-top-k", ""),
        ("ArgMax", "max-for-min", ""),
        ("ArgMin", "max-for-min", ""),
    ];
    for (op, fault, amount) in faults {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "m.onnx", &deciding(op));
        for (side, engine) in [
            ("candidate", "libtorch"),
            ("reference", "libtorch"),
            ("reference", "onnxruntime"),
        ] {
            let other = if side == "candidate" {
                ""
            } else {
                "[candidate]\nsubject = \"libtorch\"\n"
            };
            let other = if engine == "libtorch" && side == "reference" {
                "[candidate]\nsubject = \"onnxruntime\"\n"
            } else {
                other
            };
            let scenario = format!(
                "{other}[{side}]\nsubject = \"faulty\"\nof = \"{engine}\"\nfault = \"{fault}\"\nnode = \"decide\"\n{amount}"
            );
            run(dir.path(), &scenario, &[])
                .exits(1)
                .says(&["DIVERGE at node 'decide'"]);
        }
    }
}

/// Two rows whose numbers are one but for the last bit, after a product that engines round apart; y says which is larger.
fn near_tie() -> ModelProto {
    let w: Vec<f32> = (0..64)
        .map(|i| 0.1 + 0.01 * ((i * 7) % 11) as f32)
        .collect();
    let nodes = vec![
        node("MatMul", "mm", &["x", "w"], &["p"]),
        node("Greater", "decide", &["p", "q"], &["y"]),
    ];
    onnx(
        port("x", F32, &[8, 64]),
        nodes,
        vec![weight("w", &[64, 1], &w), weight("q", &[1], &[0.0])],
    )
}

#[test]
fn what_nobody_recorded_proves_no_tie_and_outputs_alone_are_judged() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &near_tie());
    run(dir.path(), "", &["--record", "r"]).exits(0);
    for (from, exit) in [("r/candidate.safetensors", 0), ("other.safetensors", 1)] {
        decided_otherwise(dir.path(), "r/candidate.safetensors", "other.safetensors");
        // Only the output is left in the trace.
        let bytes = std::fs::read(dir.path().join(from)).unwrap();
        let views = SafeTensors::deserialize(&bytes).unwrap();
        let only = [("y", views.tensor("y").unwrap())];
        safetensors::serialize_to_file(only, None, &dir.path().join("only.safetensors")).unwrap();
        run(
            dir.path(),
            "[candidate]\nsubject = \"recorded\"\ntrace = \"only.safetensors\"\n",
            &[],
        )
        .exits(exit);
        run(
            dir.path(),
            "[reference]\nsubject = \"recorded\"\ntrace = \"only.safetensors\"\n",
            &[],
        )
        .exits(exit);
    }
}
