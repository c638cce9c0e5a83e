//! Two ONNX files of one network: the same function under other names, orders and exporters agrees; a wrong port is found at its node.

#![cfg(feature = "torch")]

#[path = "support/anonymous.rs"]
mod anonymous;
mod support;

use anonymous::{Names, anonymous, original};
use parity::graph::proto::ModelProto;
use parity::run::Run;
use std::path::Path;
use support::*;

const PARITY: &str = env!("CARGO_BIN_EXE_parity-engine");

fn call(folder: &Path, words: &[&str]) -> Ran {
    Call::new(PARITY, folder, words).run()
}

fn fixture(name: &str) -> ModelProto {
    original(&format!("tests/fixtures/ports/{name}.onnx"))
}

/// The run of two files, and the names of both.
fn run(a: ModelProto, b: ModelProto, seed: u64) -> (Run, [Names; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let ((a, ours), (b, theirs)) = (anonymous(a, 2 * seed), anonymous(b, 2 * seed + 1));
    std::fs::write(dir.path().join("a.onnx"), a).unwrap();
    std::fs::write(dir.path().join("b.onnx"), b).unwrap();
    let done = call(dir.path(), &["run", "a.onnx", "b.onnx", "--json"]);
    let run = Run::from_json(&done.out).unwrap_or_else(|e| panic!("{e}: {}", done.err));
    (run, [ours, theirs])
}

#[test]
fn a_network_is_itself_under_any_names_and_in_any_order_and_every_tensor_has_its_own_partner() {
    for (name, seed) in [
        ("clean-legacy", 1),
        ("clean-legacy", 2),
        ("clean-dynamo", 3),
    ] {
        let (run, [ours, theirs]) = run(fixture(name), fixture(name), seed);
        assert_eq!(run.expectation.exit as i32, 0, "{name}: {:?}", run.findings);
        let found = run.correspondence.unwrap();
        let wrong = found
            .pairs
            .iter()
            .filter(|p| ours[&p.reference] != theirs[&p.candidate]);
        assert_eq!(wrong.count(), 0, "{name}");
        assert_eq!(
            found.tensors[0],
            found.pairs.len(),
            "{name}: every tensor is paired"
        );
    }
}

#[test]
fn both_exporters_write_the_same_function_though_one_folds_its_norms() {
    for (a, b, seed) in [
        ("clean-legacy", "clean-dynamo", 1),
        ("clean-dynamo", "clean-legacy", 2),
    ] {
        let (run, _) = run(fixture(a), fixture(b), seed);
        assert_eq!(
            run.expectation.exit as i32, 0,
            "{a} {b}: {:?}",
            run.findings
        );
        let pairs = run.correspondence.unwrap();
        assert_eq!(
            pairs.pairs.len(),
            *pairs.tensors.iter().min().unwrap(),
            "what both have is paired"
        );
    }
}

/// A wrong port, and the node of the right one that no longer is the same.
const MISTAKES: &[(&str, &str)] = &[
    ("train_mode", "/body/norm/BatchNormalization"),
    ("align_corners", "/up/Resize"),
    ("eps", "/body/norm/BatchNormalization"),
    ("cubic", "/cubic/Resize"),
    ("ceil_mode", "/pool/MaxPool"),
    ("pad_side", "/pad/Pad"),
    ("tanh_gelu", "/encoder/act/Erf"),
    ("no_scale", "/encoder/attention/Mul"),
    ("swapped_concat", "/Concat_2"),
    ("stale_weights", "/merge/conv/Conv"),
    ("dropped_bias", "/encoder/grow/Add"),
    ("wrong_axis", "/encoder/attention/Softmax"),
    ("layer_eps", "/encoder/behind/LayerNormalization"),
    ("relu", "/stem/act/Mul"),
];

/// Nodes of a stretch that still is a place.
const FEW: usize = 6;

#[test]
fn each_wrong_port_is_found_at_its_node_and_nowhere_else() {
    let other = ["eps", "tanh_gelu", "swapped_concat"].map(|n| (n, format!("{n}-dynamo")));
    let same = MISTAKES.iter().map(|(n, _)| (*n, format!("{n}-legacy")));
    for (seed, (name, file)) in same.chain(other).enumerate() {
        let culprit = MISTAKES.iter().find(|m| m.0 == name).unwrap().1;
        let (run, [ours, _]) = run(fixture("clean-legacy"), fixture(&file), seed as u64);
        assert_eq!(run.expectation.exit as i32, 1, "{file}");
        let (nodes, _) = only_stretch(&run, &file);
        let nodes: Vec<&str> = nodes[0].iter().map(|n| ours[n].as_str()).collect();
        assert!(
            nodes.contains(&culprit) && nodes.len() <= FEW,
            "{file}: {nodes:?}"
        );
    }
}

#[test]
fn sides_that_cannot_be_held_against_each_other_are_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let clean = root.join("tests/fixtures/ports/clean-legacy.onnx");
    let (clean, small) = (
        clean.display().to_string(),
        root.join("golden/small/average.onnx").display().to_string(),
    );
    std::fs::write(dir.path().join("net.py"), "").unwrap();
    for (args, says) in [
        (vec!["run", &clean, &small], "the two declare other"),
        (
            vec!["run", "s.toml", &clean],
            "a scenario names both of its sides",
        ),
        (
            vec!["run", "a.jit", "b.jit"],
            "neither side is a graph that can be run alone",
        ),
        (
            vec!["run", &clean, "port.bin"],
            "no side that is known by its name",
        ),
        (vec!["run", "a.safetensors"], "name what it is held against"),
        (
            vec!["run", &clean, &clean, "--rename", "nowhere=images"],
            "no tensor 'nowhere'",
        ),
        (vec!["run", &clean, "--rename", "a=b"], "name a second file"),
    ] {
        let done = call(dir.path(), &args).exits(2);
        assert!(done.err.contains(says), "{args:?}: {}", done.err);
    }
}

#[test]
fn a_map_is_written_read_and_corrected_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ports");
    let file = |name: &str| root.join(name).display().to_string();
    let (legacy, dynamo) = (file("clean-legacy.onnx"), file("clean-dynamo.onnx"));
    let map = call(dir.path(), &["map", &legacy, &dynamo]).exits(0).out;
    let line = "\"/body/norm/BatchNormalization_output_0\" = \"getitem_3\"";
    assert!(
        map.contains(line) && map.contains("images = \"images\" # declared"),
        "{map}"
    );
    let path = dir.path().join("map.toml");
    std::fs::write(&path, &map).unwrap();
    call(dir.path(), &["run", &legacy, &dynamo, "--map", "map.toml"]).exits(0);
    // A wrong line is taken as it is, and found to differ.
    let wrong = "\"/body/conv/Conv_output_0\" = \"getitem_3\"";
    std::fs::write(&path, map.replace(line, wrong)).unwrap();
    let done = call(dir.path(), &["run", &legacy, &dynamo, "--map", "map.toml"]).exits(1);
    assert!(
        done.out.contains("DIVERGE at node '/body/conv/Conv'"),
        "{}",
        done.out
    );
}

#[test]
fn names_are_understood_either_way_round_and_by_their_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ports");
    let file = |name: &str| root.join(name).display().to_string();
    let (legacy, dynamo) = (file("clean-legacy.onnx"), file("clean-dynamo.onnx"));
    let own = "/body/norm/BatchNormalization_output_0";
    for said in [format!("{own}=getitem_3"), format!("getitem_3={own}")] {
        let map = call(dir.path(), &["map", &legacy, &dynamo, "--rename", &said])
            .exits(0)
            .out;
        assert!(
            map.contains(&format!("\"{own}\" = \"getitem_3\" # declared")),
            "{map}"
        );
    }
    let same = call(
        dir.path(),
        &["map", &legacy, &legacy, "--rename", "/body/*=/body/*"],
    )
    .exits(0)
    .out;
    assert!(
        same.contains(&format!("\"{own}\" = \"{own}\" # declared")),
        "{same}"
    );
    call(
        dir.path(),
        &["map", &legacy, &dynamo, "--rename", "/body/*=nowhere*"],
    )
    .refuses(2, &["no such pair of tensors"]);
}

#[test]
fn only_what_is_asked_for_is_compared_and_a_pattern_without_a_pair_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ports");
    let file = |name: &str| root.join(name).display().to_string();
    let (clean, wrong) = (file("clean-legacy.onnx"), file("eps-legacy.onnx"));
    let only = |what: &str| call(dir.path(), &["run", &clean, &wrong, "--only", what]);
    only("/stem/*").exits(0);
    only("/body/norm/*")
        .exits(1)
        .says(&["/body/norm/BatchNormalization"]);
    only("nowhere").refuses(2, &["limit.only", "'nowhere' matches no tensor"]);
}

/// The variance of x + 100 by these nodes.
fn variance(nodes: Vec<parity::graph::proto::NodeProto>) -> ModelProto {
    let shift = node("Add", "shift", &["x", "c"], &["z"]);
    let nodes = std::iter::once(shift).chain(nodes).collect();
    onnx(
        port("x", F32, &[8, 64]),
        nodes,
        vec![weight("c", &[1], &[100.0])],
    )
}

#[test]
fn a_formula_that_loses_digits_is_the_same_function_and_said_to_lose_them() {
    let dir = tempfile::tempdir().unwrap();
    let mean = |x: &str, y: &str| node("ReduceMean", y, &[x], &[y]);
    let centred = vec![
        mean("z", "mean"),
        node("Sub", "centre", &["z", "mean"], &["d"]),
        node("Mul", "square", &["d", "d"], &["dd"]),
        mean("dd", "v"),
    ];
    let raw = vec![
        mean("z", "mean"),
        node("Mul", "square", &["z", "z"], &["zz"]),
        mean("zz", "second"),
        node("Mul", "of_mean", &["mean", "mean"], &["mm"]),
        node("Sub", "left", &["second", "mm"], &["v"]),
    ];
    write_model(dir.path(), "centred.onnx", &variance(centred));
    write_model(dir.path(), "raw.onnx", &variance(raw));
    let run = |a: &str, b: &str, exit: i32| call(dir.path(), &["run", a, b]).exits(exit);
    run("centred.onnx", "raw.onnx", 1)
        .says(&["DIVERGE at 'v': the same function, in arithmetic that loses digits"]);
    // The other way round digits are won.
    run("raw.onnx", "centred.onnx", 0);
    run("centred.onnx", "centred.onnx", 0);
}

#[test]
fn a_float_that_is_decided_is_the_same_number_or_the_place_where_the_graphs_part() {
    let dir = tempfile::tempdir().unwrap();
    let w: Vec<f32> = (0..12).map(|i| 0.37 * i as f32 - 2.0).collect();
    let graph = |op: &str| {
        let nodes = vec![
            node("MatMul", "mm", &["x", "w"], &["p"]),
            node(op, "decide", &["p"], &["k"]),
            node("Mul", "scale", &["k", "c"], &["s"]),
            node("Add", "add", &["s", "p"], &["y"]),
        ];
        let weights = vec![weight("w", &[3, 4], &w), weight("c", &[1], &[0.3])];
        onnx(port("x", F32, &[2, 3]), nodes, weights)
    };
    let ops = ["Floor", "Ceil", "Round", "Sign"];
    for op in ops {
        write_model(dir.path(), &format!("{op}.onnx"), &graph(op));
    }
    for (i, op) in ops.iter().enumerate() {
        let (own, other) = (format!("{op}.onnx"), format!("{}.onnx", ops[(i + 1) % 4]));
        call(dir.path(), &["run", &own, &own]).exits(0);
        call(dir.path(), &["run", &own, &other])
            .exits(1)
            .says(&["DIVERGE at node 'decide'"]);
    }
}

#[test]
fn a_difference_behind_what_is_not_the_same_is_no_tie() {
    // The integers differ because what they are cast from does.
    let dir = tempfile::tempdir().unwrap();
    let graph = |op: &str| {
        let mut cast = node("Cast", "cast", &["k"], &["y"]);
        cast.attribute = vec![parity::graph::proto::AttributeProto {
            name: Some("to".into()),
            r#type: Some(2),
            i: Some(I64.into()),
            ..Default::default()
        }];
        let nodes = vec![
            node("Mul", "scale", &["x", "c"], &["p"]),
            node(op, "decide", &["p"], &["k"]),
            cast,
        ];
        let weights = vec![weight("c", &[1], &[7.3])];
        onnx(port("x", F32, &[2, 30]), nodes, weights)
    };
    write_model(dir.path(), "round.onnx", &graph("Round"));
    write_model(dir.path(), "floor.onnx", &graph("Floor"));
    let ran = call(dir.path(), &["run", "round.onnx", "floor.onnx", "--json"]).exits(1);
    let run = ran.json();
    assert_eq!(run.verdict.origins[0].node, "decide");
    assert_eq!(run.verdict.tie_flips, 0);
}

#[test]
fn constant_inputs_make_constant_outputs_of_two_graphs_too() {
    let dir = tempfile::tempdir().unwrap();
    let graph = || {
        let nodes = vec![node("Mul", "scale", &["x", "c"], &["y"])];
        onnx(
            port("x", F32, &[2, 3]),
            nodes,
            vec![weight("c", &[1], &[7.3])],
        )
    };
    write_model(dir.path(), "a.onnx", &graph());
    write_trace(
        &dir.path().join("flat.safetensors"),
        &[("x", &[2, 3], &[0.5; 6])],
        None,
    );
    let flat = ["run", "a.onnx", "a.onnx", "--input", "x=flat.safetensors"];
    call(dir.path(), &flat).exits(0);
    let mut dead = graph();
    dead.graph.as_mut().unwrap().initializer = vec![weight("c", &[1], &[0.0])];
    write_model(dir.path(), "dead.onnx", &dead);
    let fed = ["run", "dead.onnx", "dead.onnx"];
    call(dir.path(), &fed)
        .exits(4)
        .says(&["that they agree says nothing"]);
}

#[test]
fn a_wrong_norm_is_found_whichever_side_writes_it_out() {
    let dir = tempfile::tempdir().unwrap();
    let (g, b): (Vec<f32>, Vec<f32>) = (0..8)
        .map(|i| (1.0 + 0.1 * i as f32, 0.3 - 0.1 * i as f32))
        .unzip();
    let behind = || vec![weight("g", &[8], &g), weight("b", &[8], &b)];
    let written_out = |eps: f32| {
        let mean = |x: &str, y: &str| {
            let mut mean = node("ReduceMean", y, &[x], &[y]);
            mean.attribute = vec![parity::graph::proto::AttributeProto {
                name: Some("axes".into()),
                r#type: Some(7),
                ints: vec![-1],
                ..Default::default()
            }];
            mean
        };
        let nodes = vec![
            mean("x", "m"),
            node("Sub", "centre", &["x", "m"], &["d"]),
            node("Pow", "square", &["d", "two"], &["dd"]),
            mean("dd", "v"),
            node("Add", "open", &["v", "eps"], &["e"]),
            node("Sqrt", "root", &["e"], &["s"]),
            node("Div", "norm", &["d", "s"], &["n"]),
            node("Mul", "scale", &["n", "g"], &["k"]),
            node("Add", "shift", &["k", "b"], &["y"]),
        ];
        let own = [weight("two", &[], &[2.0]), weight("eps", &[], &[eps])];
        let weights = behind().into_iter().chain(own).collect();
        onnx(port("x", F32, &[4, 8]), nodes, weights)
    };
    let nodes = vec![node("LayerNormalization", "norm", &["x", "g", "b"], &["y"])];
    let fused = onnx(port("x", F32, &[4, 8]), nodes, behind());
    write_model(dir.path(), "fused.onnx", &fused);
    write_model(dir.path(), "right.onnx", &written_out(1e-5));
    write_model(dir.path(), "wrong.onnx", &written_out(1e-3));
    for (file, exit) in [("right.onnx", 0), ("wrong.onnx", 1)] {
        call(dir.path(), &["run", "fused.onnx", file]).exits(exit);
        call(dir.path(), &["run", file, "fused.onnx"]).exits(exit);
    }
}
