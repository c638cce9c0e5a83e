//! Fuzzing a whole model from the command line: healthy engines agree on every distribution, planted faults are found where they show, shrunk
//! to inputs and nodes, kept and replayed.

#![cfg(feature = "torch")]

mod support;

use parity::fuzz::model::draw::Values;
use parity::graph::proto::*;
use std::path::{Path, PathBuf};
use support::*;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn fuzz(folder: &Path, args: &[&str]) -> Ran {
    Call::new(PARITY, folder, &[&["fuzz"], args].concat()).run()
}

/// The row of a distribution: cases, compared, with NaN or inf, off.
fn row(ran: &Ran, name: &str) -> Vec<u64> {
    let start = format!("| {name} ");
    let line = ran
        .out
        .lines()
        .find(|l| l.starts_with(&start))
        .unwrap_or_else(|| panic!("no row '{name}': {ran}"));
    line.split('|')
        .skip(2)
        .filter_map(|cell| cell.trim().parse().ok())
        .collect()
}

/// The scenarios that were kept: finds, and parts of models.
fn kept(folder: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let all = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"));
    all.partition(|p| !text(p).ends_with(".part.toml"))
}

/// Cuts off at ±10⁵ between two products; how many rows there are is open.
fn clipped() -> ModelProto {
    let square = |name: &str, seed: i32| {
        let values: Vec<f32> = (0..64)
            .map(|i| ((i * 37 + seed) % 29) as f32 / 29.0 - 0.5)
            .collect();
        weight(name, &[8, 8], &values)
    };
    let limit = |name: &str, v: f32| TensorProto {
        dims: vec![],
        ..weight(name, &[], &[v])
    };
    let nodes = vec![
        node("MatMul", "first", &["x", "w"], &["p"]),
        node("Clip", "clip", &["p", "low", "high"], &["c"]),
        node("Relu", "relu", &["c"], &["r"]),
        node("MatMul", "second", &["r", "v"], &["y"]),
    ];
    onnx(
        port("x", F32, &[-1, 8]),
        nodes,
        vec![
            square("w", 3),
            square("v", 11),
            limit("low", -1e5),
            limit("high", 1e5),
        ],
    )
}

#[test]
fn healthy_engines_agree_on_every_distribution() {
    for model in [
        "activations",
        "average",
        "cancelling",
        "classifier",
        "normalised",
        "reductions",
        "resize",
    ] {
        let ran = fuzz(
            Path::new(ROOT),
            &[
                &format!("golden/small/{model}.onnx"),
                "--cases",
                "70",
                "--seed",
                "1",
            ],
        )
        .exits(0);
        assert!(
            ran.out
                .starts_with(&format!("agree: {model} (70 of 70 cases compared")),
            "{ran}"
        );
        for (_, name, _) in Values::ALL {
            let cells = row(&ran, name);
            assert_eq!((cells[0], cells[1], cells[3]), (10, 10, 0), "{name}: {ran}");
        }
    }
}

#[test]
fn a_fault_that_one_distribution_shows_is_found_shrunk_kept_and_replayed() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &clipped());
    let again = |extra: &[&str]| {
        fuzz(
            dir.path(),
            &[
                &[
                    "m.onnx", "--input", "x=4x8", "--cases", "35", "--seed", "1", "--found",
                    "found",
                ],
                extra,
            ]
            .concat(),
        )
    };
    again(&[]).exits(0);
    let ran = again(&["--fault", "bypass@clip"]).exits(1);
    assert!(ran.out.contains("shrunk to 1 of 4 nodes: clip\n"), "{ran}");
    assert!(
        ran.out.contains("| x     | [1, 8] |"),
        "the open size is shrunk to 1: {ran}"
    );
    let kind = ran
        .out
        .lines()
        .find(|l| l.starts_with("  node 'clip' (Clip) is off alone: cases "))
        .unwrap();
    assert!(
        kind.contains("cases huge ") && !kind.contains(','),
        "only huge numbers are cut off: {ran}"
    );
    assert!(
        ran.out.contains(
            "cases not compared: the injected fault changes no output bit of node 'clip'"
        ),
        "{ran}"
    );
    let (finds, parts) = kept(&dir.path().join("found"));
    assert_eq!((finds.len(), parts.len()), (1, 1), "{ran}");
    for path in [&finds[0], &parts[0]] {
        Call::new(PARITY, dir.path(), &["run", text(path)])
            .run()
            .exits(1)
            .says(&["DIVERGE at node 'clip' (Clip)"]);
    }
    let ran = again(&["--fault", "bypass@clip"])
        .exits(1)
        .says(&["still there: node 'clip' (Clip) is off alone"]);
    assert!(
        ran.out.contains("m after ") && kept(&dir.path().join("found")).0.len() == 1,
        "a known kind is counted, not kept again: {ran}"
    );
    again(&[]).exits(0).says(&[": mended"]);
}

#[test]
fn a_row_less_than_the_window_is_found_as_a_shape_and_its_part_kept() {
    let dir = tempfile::tempdir().unwrap();
    let ints = |name: &str| AttributeProto {
        name: Some(name.into()),
        ints: vec![2, 2],
        r#type: Some(7),
        ..Default::default()
    };
    let pool = NodeProto {
        attribute: vec![ints("kernel_shape"), ints("strides")],
        ..node("MaxPool", "pool", &["x"], &["y"])
    };
    write_model(
        dir.path(),
        "m.onnx",
        &onnx(port("x", F32, &[1, 1, -1, 4]), vec![pool], vec![]),
    );
    let ran = fuzz(
        dir.path(),
        &[
            "m.onnx",
            "--input",
            "x=1x1x3x4",
            "--cases",
            "70",
            "--seed",
            "1",
            "--found",
            "found",
        ],
    )
    .exits(1);
    assert!(
        ran.out
            .contains("node 'pool' (MaxPool) is off alone in its shape or dtype: cases "),
        "{ran}"
    );
    assert!(
        ran.out.contains("| x     | [1, 1, 1, 4] |")
            && ran.out.contains("[1, 1, 1, 2] against [1, 1, 0, 2]"),
        "{ran}"
    );
    let (_, parts) = kept(&dir.path().join("found"));
    Call::new(PARITY, dir.path(), &["run", text(&parts[0])])
        .run()
        .exits(1)
        .says(&["DIVERGE at node 'pool' (MaxPool)"]);
}

#[test]
fn every_part_of_a_model_on_which_healthy_engines_differ_still_does_and_is_explained() {
    let root = Path::new(ROOT);
    let explained = std::fs::read_to_string(root.join("tests/fixtures/graph_finds.txt")).unwrap();
    let explained: Vec<_> = explained
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(' '))
        .collect();
    let (_, parts) = kept(&root.join("scenarios/found"));
    assert!(parts.len() >= 2, "{parts:?}");
    for part in parts {
        let (name, says) = (text(&part), std::fs::read_to_string(&part).unwrap());
        let of = |graph: &str| graph == "*" || name.contains(&format!("/{graph}-"));
        assert!(
            explained
                .iter()
                .any(|(graph, what)| of(graph) && says.lines().next().unwrap().contains(what)),
            "{says}"
        );
        Call::new(PARITY, root, &["run", name])
            .run()
            .exits(1)
            .says(&["DIVERGE at node"]);
    }
}

#[test]
fn a_fault_that_needs_its_neighbour_is_shrunk_to_both() {
    let args = [
        "golden/small/activations.onnx",
        "--cases",
        "7",
        "--finds",
        "1",
        "--fault",
        "relu-for-silu@silu",
    ];
    fuzz(Path::new(ROOT), &args).exits(1).says(&[
        "node 'silu' (Mul) is off alone",
        "shrunk to 2 of 11 nodes: sigmoid, silu",
    ]);
}

/// Quantised and dequantised twice, with another rounding: two such pairs are one to ONNX Runtime's optimiser.
fn quantised() -> ModelProto {
    let scalar = |name: &str, v: f32| TensorProto {
        dims: vec![],
        ..weight(name, &[], &[v])
    };
    let zero = |name: &str, v: i32| TensorProto {
        name: Some(name.into()),
        data_type: Some(2),
        int32_data: vec![v],
        ..Default::default()
    };
    let nodes = vec![
        node("Relu", "relu", &["x"], &["r"]),
        node("QuantizeLinear", "q1", &["r", "s1", "z1"], &["q1"]),
        node("DequantizeLinear", "d1", &["q1", "s1", "z1"], &["d1"]),
        node("QuantizeLinear", "q2", &["d1", "s2", "z2"], &["q2"]),
        node("DequantizeLinear", "d2", &["q2", "s2", "z2"], &["d2"]),
        node("Sigmoid", "out", &["d2"], &["y"]),
    ];
    onnx(
        port("x", F32, &[4, 64]),
        nodes,
        vec![
            scalar("s1", 0.02),
            zero("z1", 100),
            scalar("s2", 0.013),
            zero("z2", 3),
        ],
    )
}

#[test]
fn what_only_the_deployed_session_shows_is_shrunk_to_the_region_that_it_fuses() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &quantised());
    let ran = fuzz(
        dir.path(),
        &["m.onnx", "--cases", "7", "--finds", "1", "--found", "found"],
    )
    .exits(1);
    assert!(
        ran.out
            .contains("output 'y' is off only when nothing is observed"),
        "{ran}"
    );
    assert!(ran.out.contains("of 6 nodes: q1, d1, q2, d2"), "{ran}");
    let (_, parts) = kept(&dir.path().join("found"));
    Call::new(PARITY, dir.path(), &["run", text(&parts[0])])
        .run()
        .exits(1)
        .says(&["DIVERGE only when not observed"]);
}

#[test]
fn threads_change_no_letter_of_the_report_and_shards_add_up() {
    let on = |extra: &[&str]| {
        fuzz(
            Path::new(ROOT),
            &[
                &[
                    "golden/small/classifier.onnx",
                    "--cases",
                    "42",
                    "--seed",
                    "5",
                ],
                extra,
            ]
            .concat(),
        )
        .exits(0)
    };
    let whole = on(&["--jobs", "1"]);
    assert_eq!(whole.out, on(&["--jobs", "3"]).out);
    let parts = ["1/2", "2/2"].map(|shard| on(&["--shard", shard]));
    for (_, name, _) in Values::ALL {
        let sum: u64 = parts
            .iter()
            .filter(|p| p.out.contains(&format!("| {name} ")))
            .map(|p| row(p, name)[1])
            .sum();
        assert_eq!(sum, row(&whole, name)[1], "{name}");
    }
}

#[test]
fn a_fuzz_that_compared_nothing_says_so_and_exits_4() {
    let args = [
        "golden/small/classifier.onnx",
        "--cases",
        "3",
        "--fault",
        "scale-output@dense1=1",
    ];
    let ran = fuzz(Path::new(ROOT), &args).exits(4);
    assert!(
        ran.out
            .starts_with("NOTHING COMPARED: classifier (0 of 3 cases compared"),
        "{ran}"
    );
}

#[test]
fn what_cannot_be_fuzzed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &clipped());
    let scenario = |name: &str, body: &str| {
        std::fs::write(
            dir.path().join(name),
            format!("format = 1\nmodel = \"m.onnx\"\n[inputs.x]\nrandom = \"normal\"\nshape = [2, 8]\n{body}"),
        )
        .unwrap();
    };
    scenario(
        "recorded.toml",
        "[reference]\nsubject = \"recorded\"\ntrace = \"t.safetensors\"\n",
    );
    scenario(
        "faulty.toml",
        "[candidate]\nsubject = \"faulty\"\nof = \"libtorch\"\nfault = \"bypass\"\nnode = \"clip\"\n",
    );
    let cases: [(&[&str], &str); 5] = [
        (&["recorded.toml"], "answers the one input"),
        (
            &["faulty.toml", "--fault", "bypass@clip"],
            "carries a fault already",
        ),
        (
            &["faulty.toml", "--input", "x=2x8"],
            "--input does not apply to a scenario",
        ),
        (&["m.onnx"], "leaves open: 'x' f32 [?, 8]: its shape"),
        (
            &["m.onnx", "--input", "x=2x8", "--fault", "bypass@clop"],
            "the graph has no node 'clop'",
        ),
    ];
    for (args, says) in cases {
        fuzz(dir.path(), args).refuses(2, &[says]);
    }
}
