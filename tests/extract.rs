//! `--extract`: the first node at fault, alone in a folder, diverges there again; a clean run writes nothing.

#![cfg(feature = "torch")]

mod support;

use std::path::Path;
use support::*;

/// What a folder holds after an extraction.
const FILES: [&str; 6] = [
    "README.md",
    "candidate.safetensors",
    "inputs.safetensors",
    "node.onnx",
    "reference.safetensors",
    "replay.toml",
];

/// Extracts from a control, which exits 0 because it expects its fault, and replays: exit 1 at the same node, which is the whole model.
fn check(control: &str, node: &str) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("out");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scenario = root.join(format!("scenarios/control/{control}.toml"));
    let ran = Call::new(
        PARITY,
        root,
        &["run", text(&scenario), "--extract", text(&folder)],
    )
    .run()
    .exits(0);
    let ran = ran.says(&[
        "--extract FOLDER",
        &format!("node '{node}' with its inputs"),
        "it diverges there again",
        "replay.toml",
    ]);
    assert_eq!(files(&folder), FILES, "{ran}");
    let replay = || {
        Call::new(PARITY, dir.path(), &["run", "out/replay.toml", "--json"])
            .run()
            .exits(1)
            .json()
    };
    let run = replay();
    let first = run.verdict.first().unwrap_or_default();
    assert!(
        run.tensors.iter().all(|t| t.node == node)
            && run
                .tensors
                .iter()
                .any(|t| [&t.node, &t.name].contains(&&first.to_string()))
    );
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    for word in [
        node,
        "onnxruntime 1.",
        "libtorch 2.",
        "parity run replay.toml",
        "threads",
    ] {
        assert!(readme.contains(word), "'{word}' is not in\n{readme}");
    }
}

fn files(folder: &Path) -> Vec<String> {
    let names = folder
        .read_dir()
        .map(|all| all.map(|e| e.unwrap().file_name().into_string().unwrap()));
    let mut names: Vec<String> = names.map(Iterator::collect).unwrap_or_default();
    names.sort();
    names
}

#[test]
fn a_fault_that_is_taken_out_diverges_at_the_same_node() {
    for (control, node) in [("drop-bias", "conv3"), ("one-nan-onnxruntime", "gap")] {
        check(control, node);
    }
}

#[test]
fn a_fault_that_needs_more_than_its_node_is_replayed_from_its_recording() {
    check("relu-for-silu", "silu");
}

#[test]
fn a_clean_run_writes_nothing_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &small());
    Call::new(PARITY, dir.path(), &["run", "m.onnx", "--extract", "out"])
        .run()
        .exits(0)
        .says(&["nothing written to out", "nothing diverges"]);
    assert!(!dir.path().join("out").exists());
}
