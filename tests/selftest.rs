//! A self-test measures healthy engines, on ordinary inputs of every kind, and fails where one is over its bound.

#![cfg(feature = "torch")]

mod support;

use std::path::Path;
use support::*;

fn selftest(folder: &Path, candidate: &str) -> Ran {
    write_model(folder, "m.onnx", &small());
    let scenario = format!(
        "format = 1\nmodel = \"m.onnx\"\nthreads = 1\n[inputs.x]\nrandom = \"normal\"\n[candidate]\n{candidate}\n"
    );
    std::fs::write(folder.join("s.toml"), scenario).expect("a writable folder");
    Call::new(PARITY, folder, &["selftest", "s.toml", "--seeds", "1"]).run()
}

#[test]
fn healthy_engines_pass_on_every_kind_of_input() {
    let dir = tempfile::tempdir().unwrap();
    let ran = selftest(dir.path(), "subject = \"libtorch\"").exits(0);
    assert!(
        ran.out.contains("matmul") && ran.out.contains("accumulated error / spread"),
        "{ran}"
    );
    assert!(!ran.out.contains("over their bound"), "{ran}");
}

#[test]
fn an_engine_that_is_over_its_bound_fails_the_test_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let faulty = "subject = \"faulty\"\nof = \"libtorch\"\nfault = \"one-nan\"\nnode = \"add\"";
    selftest(dir.path(), faulty).exits(1).says(&[
        "over their bound",
        "s.toml, seed 0, constant inputs",
        "'q' (Add), alone",
    ]);
}

/// Drawn faults in small graphs: every one is found at its place, nine in ten are explained by their own row, none by another, and clean runs agree.
#[test]
fn drawn_faults_are_found_placed_and_explained_and_clean_runs_raise_no_alarm() {
    let control = |name: &str| {
        format!(
            "{}/scenarios/control/{name}.toml",
            env!("CARGO_MANIFEST_DIR")
        )
    };
    let scenarios = [
        "relu-instead",
        "other-eps",
        "other-axis",
        "sum-for-mean",
        "other-cubic",
        "other-permutation",
        "narrow-inputs-f16",
        "double-bias",
        "other-dilation",
        "constant-ulp",
    ];
    let scenarios = scenarios.map(control);
    let arguments = [
        vec!["selftest", "--mutants", "30", "--clean", "2"],
        scenarios.iter().map(String::as_str).collect(),
    ];
    let dir = tempfile::tempdir().unwrap();
    let ran = Call::new(PARITY, dir.path(), &arguments.concat())
        .run()
        .exits(0);
    assert!(ran.out.contains("clean runs: 20, false alarms: 0"), "{ran}");
    assert!(
        !ran.out.contains("missed:") && !ran.out.contains("found elsewhere:"),
        "{ran}"
    );
}
