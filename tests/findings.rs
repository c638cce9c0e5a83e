//! What a run says beside its verdict: a node that an engine refuses is a finding and not the end, and an agreement names what its inputs did not try.

#![cfg(feature = "torch")]

mod support;

use parity::graph::proto::*;
use parity::verdict::{Accumulated, Why};
use std::path::Path;
use support::*;

const I32: i64 = 6;
const U64: i64 = 13;

fn cast(name: &str, from: &str, to: i64) -> NodeProto {
    let attribute = AttributeProto {
        name: Some("to".into()),
        i: Some(to),
        r#type: Some(2),
        ..Default::default()
    };
    NodeProto {
        attribute: vec![attribute],
        ..node("Cast", name, &[from], &[name])
    }
}

/// y = half · (what `refused` makes of integers), beside z = three · x.
fn model(refused: Vec<NodeProto>) -> ModelProto {
    let times = vec![node("Mul", "times", &["x", "three"], &["z"])];
    let behind = vec![
        cast("floats", "integers", F32 as i64),
        node("Mul", "behind", &["floats", "half"], &["y"]),
    ];
    let nodes = times.into_iter().chain(refused).chain(behind).collect();
    let mut model = onnx(
        port("x", F32, &[4, 6]),
        nodes,
        vec![weight("three", &[1], &[3.0]), weight("half", &[1], &[0.5])],
    );
    let output = |name: &str| ValueInfoProto {
        name: Some(name.into()),
        r#type: None,
        ..Default::default()
    };
    model
        .graph
        .iter_mut()
        .for_each(|g| g.output = vec![output("y"), output("z")]);
    model
}

/// ONNX Runtime quantises no 32-bit integers; the interpreter orders no numbers beyond 2^63.
fn refused_by(engine: &str) -> ModelProto {
    match engine {
        "onnxruntime" => model(vec![
            cast("whole", "z", I32),
            node(
                "QuantizeLinear",
                "refused",
                &["whole", "three"],
                &["integers"],
            ),
        ]),
        _ => model(vec![
            cast("long", "z", 7),
            cast("far", "long", U64),
            node("Max", "refused", &["far", "far"], &["integers"]),
        ]),
    }
}

fn run(folder: &Path, scenario: &str, more: &[&str]) -> Ran {
    let text =
        format!("format = 1\nmodel = \"m.onnx\"\n[inputs.x]\nrandom = \"normal\"\n{scenario}");
    std::fs::write(folder.join("s.toml"), text).unwrap();
    Call::new(PARITY, folder, &[&["run", "s.toml"], more].concat()).run()
}

#[test]
fn what_lies_before_and_behind_a_refused_node_is_judged_and_the_run_says_who_refuses_it() {
    for engine in ["onnxruntime", "libtorch"] {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "m.onnx", &refused_by(engine));
        for (reference, candidate) in [("onnxruntime", "libtorch"), ("libtorch", "onnxruntime")] {
            let side = if reference == engine {
                "the reference"
            } else {
                "the candidate"
            };
            let sides = format!(
                "[reference]\nsubject = \"{reference}\"\n[candidate]\nsubject = \"{candidate}\"\n"
            );
            run(dir.path(), &sides, &[]).exits(4).says(&[
                "TOO LITTLE COMPARED",
                &format!("{side} refuses it"),
                "'refused'",
            ]);
            let found = run(dir.path(), &sides, &["--json"]).exits(4).json();
            for t in &found.tensors {
                let refused = matches!(
                    &t.accumulated,
                    Accumulated::NotJudged {
                        why: Why::Refused { .. }
                    }
                );
                assert_eq!(
                    (refused, t.isolated.compared()),
                    (t.name == "integers", t.name != "integers"),
                    "{engine} as {side}: {}",
                    t.name
                );
            }
            let fault = "fault = \"scale-output\"\namount = 1.5\nnode = \"behind\"\n";
            let faulty = format!(
                "[reference]\nsubject = \"{reference}\"\n[candidate]\nsubject = \"faulty\"\nof = \"{candidate}\"\n{fault}"
            );
            run(dir.path(), &faulty, &[])
                .exits(1)
                .says(&["DIVERGE at node 'behind'"]);
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
        assert_eq!(
            t.isolated.compared(),
            ["z", "whole"].contains(&t.name.as_str()),
            "{}",
            t.name
        );
    }
    let said = run(dir.path(), sides, &[]).exits(4);
    said.says(&["output 'y'"]);
}

#[test]
fn where_a_side_refuses_every_node_nothing_has_run() {
    let dir = tempfile::tempdir().unwrap();
    let whole = vec![node("QuantizeLinear", "refused", &["x", "scale"], &["y"])];
    write_model(
        dir.path(),
        "m.onnx",
        &onnx(
            port("x", I32 as i32, &[4]),
            whole,
            vec![weight("scale", &[1], &[0.5])],
        ),
    );
    std::fs::write(
        dir.path().join("s.toml"),
        "format = 1\nmodel = \"m.onnx\"\n[inputs.x]\nrandom = \"integers\"\nlow = 0\nhigh = 9\n",
    )
    .unwrap();
    Call::new(PARITY, dir.path(), &["run", "s.toml"])
        .run()
        .refuses(3, &["reference", "'refused'"]);
}

/// y = relu(x · shut − 99) · behind + min(x · open, 1e6), where less than −1e6 takes x instead: one branch is shut, the cut and the mask never act.
fn half_tried() -> ModelProto {
    let nodes = vec![
        node("MatMul", "down", &["x", "shut"], &["p"]),
        node("Add", "low", &["p", "minus"], &["q"]),
        node("Relu", "dead", &["q"], &["r"]),
        node("MatMul", "over", &["r", "behind"], &["s"]),
        node("MatMul", "up", &["x", "open"], &["t"]),
        node("Clip", "cut", &["t", "", "million"], &["u"]),
        node("Less", "mask", &["u", "low_million"], &["m"]),
        node("Where", "choose", &["m", "x", "u"], &["v"]),
        node("Add", "sum", &["s", "v"], &["y"]),
    ];
    let square = |name: &str| {
        weight(
            name,
            &[6, 6],
            &(0..36)
                .map(|i| 0.1 * ((i * 7) % 11) as f32 - 0.5)
                .collect::<Vec<_>>(),
        )
    };
    let scalar = |name: &str, value: f32| TensorProto {
        dims: vec![],
        ..weight(name, &[], &[value])
    };
    let scalars =
        [("minus", -99.0), ("million", 1e6), ("low_million", -1e6)].map(|(n, v)| scalar(n, v));
    let weights = ["shut", "behind", "open"]
        .map(square)
        .into_iter()
        .chain(scalars)
        .collect();
    onnx(port("x", F32, &[4, 6]), nodes, weights)
}

#[test]
fn an_agreement_names_the_weights_cuts_and_decisions_that_its_inputs_did_not_try() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &half_tried());
    let said = run(dir.path(), "", &[]).exits(0).says(&[
        "AGREE",
        "not tried",
        "3 weights move no output ('shut', 'behind', 'minus')",
    ]);
    said.says(&[
        "1 node that cuts off cuts nothing ('cut')",
        "1 decision is the same everywhere ('mask')",
    ]);
    let found = run(dir.path(), "", &["--json"])
        .exits(0)
        .json()
        .ledger
        .unexercised;
    assert_eq!(
        (found.weights.len(), found.cuts.len(), found.decisions.len()),
        (3, 1, 1),
        "{found:?}"
    );
    // Where the same network is tried, nothing is said.
    let text = "format = 1\nmodel = \"m.onnx\"\n[inputs.x]\nrandom = \"uniform\"\nlow = -1e8\nhigh = 1e8\n";
    std::fs::write(dir.path().join("wide.toml"), text).unwrap();
    let wide = Call::new(PARITY, dir.path(), &["run", "wide.toml"])
        .run()
        .exits(0);
    assert!(!wide.out.contains("not tried"), "{wide}");
}

/// y = table[argmax(x · w)], where the first two columns of w are equal but for the last bits of their sums.
fn near_tie() -> ModelProto {
    let column = |k: usize| match (k / 3, k % 3) {
        (63, 1) => 0.100_000_01f32,
        (i, 0 | 1) => 0.1 + 0.01 * ((i * 7) % 9) as f32,
        _ => -0.1,
    };
    let w: Vec<f32> = (0..64 * 3).map(column).collect();
    let axis = |value: i64| AttributeProto {
        name: Some("axis".into()),
        i: Some(value),
        r#type: Some(2),
        ..Default::default()
    };
    let keep = AttributeProto {
        name: Some("keepdims".into()),
        i: Some(0),
        r#type: Some(2),
        ..Default::default()
    };
    let best = NodeProto {
        attribute: vec![axis(1), keep],
        ..node("ArgMax", "decide", &["p"], &["i"])
    };
    let nodes = vec![
        node("MatMul", "mm", &["x", "w"], &["p"]),
        best,
        node("Gather", "take", &["table", "i"], &["y"]),
    ];
    onnx(
        port("x", F32, &[4, 64]),
        nodes,
        vec![
            weight("w", &[64, 3], &w),
            weight("table", &[3], &[1.0, 2.0, 900.0]),
        ],
    )
}

#[test]
fn behind_a_decision_that_nobody_recorded_what_a_flip_explains_is_not_judged_and_what_none_explains_is_off()
 {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &near_tie());
    let text = |sides: &str| {
        format!(
            "format = 1\nmodel = \"m.onnx\"\n[inputs.x]\nrandom = \"uniform\"\nlow = 0.5\nhigh = 1.0\n{sides}[expect]\ndead = [\"y\"]\n"
        )
    };
    let run = |sides: &str, more: &[&str]| {
        std::fs::write(dir.path().join("s.toml"), text(sides)).unwrap();
        Call::new(PARITY, dir.path(), &[&["run", "s.toml"], more].concat()).run()
    };
    run("", &["--record", "r"]).exits(0);
    let bytes = std::fs::read(dir.path().join("r/reference.safetensors")).unwrap();
    let views = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let y: Vec<f32> = views
        .tensor("y")
        .unwrap()
        .data()
        .chunks(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    let other: Vec<f32> = y
        .iter()
        .enumerate()
        .map(|(k, v)| if k == 0 { 3.0 - v } else { *v })
        .collect();
    let far: Vec<f32> = y
        .iter()
        .enumerate()
        .map(|(k, v)| if k == 0 { 900.0 } else { *v })
        .collect();
    for (side, engine) in [("candidate", "reference"), ("reference", "candidate")] {
        for (values, exit, words) in [
            (&y, 0, "AGREE"),
            (&other, 4, "record 'i'"),
            (&far, 1, "DIVERGE"),
        ] {
            write_trace(
                &dir.path().join("t.safetensors"),
                &[("y", &[4], values)],
                None,
            );
            let sides = format!(
                "[{engine}]\nsubject = \"onnxruntime\"\n[{side}]\nsubject = \"recorded\"\ntrace = \"t.safetensors\"\n"
            );
            run(&sides, &[]).exits(exit).says(&[words]);
        }
    }
}

#[test]
fn a_recording_in_half_precision_of_a_graph_in_single_is_said_to_be_that_whichever_side_it_is() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &small());
    run(dir.path(), "", &["--record", "r"]).exits(0);
    let bytes = std::fs::read(dir.path().join("r/candidate.safetensors")).unwrap();
    let views = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let halves = |data: &[u8]| {
        data.chunks(4)
            .flat_map(|b| half(f32::from_le_bytes(b.try_into().unwrap())))
            .collect::<Vec<u8>>()
    };
    let all: Vec<_> = views
        .tensors()
        .into_iter()
        .map(|(n, v)| (n, v.shape().to_vec(), halves(v.data())))
        .collect();
    let f16 = |s: &[usize], b| {
        safetensors::tensor::TensorView::new(safetensors::Dtype::F16, s.to_vec(), b).unwrap()
    };
    let views = all.iter().map(|(n, s, b)| (n.as_str(), f16(s, b)));
    safetensors::serialize_to_file(views, None, &dir.path().join("half.safetensors")).unwrap();
    for (side, says) in [
        (
            "reference",
            "the reference holds f16 where the candidate holds f32, in 3 of 3 tensors",
        ),
        (
            "candidate",
            "the reference holds f32 where the candidate holds f16, in 3 of 3 tensors",
        ),
    ] {
        let sides = format!("[{side}]\nsubject = \"recorded\"\ntrace = \"half.safetensors\"\n");
        run(dir.path(), &sides, &[])
            .exits(1)
            .says(&["DIVERGE in dtype", says, "next"]);
    }
}

/// A number in half precision, for ordinary ones: the sign, five bits of exponent, ten of the fraction, cut off.
fn half(x: f32) -> [u8; 2] {
    let bits = x.to_bits();
    let exponent = ((bits >> 23 & 0xff) as i32 - 127 + 15).clamp(0, 30) as u32;
    ((bits >> 16 & 0x8000 | exponent << 10 | bits >> 13 & 0x3ff) as u16).to_le_bytes()
}
