//! A golden in a run: who computed it, and with which versions, is said beside what it says.

mod support;

use std::path::Path;
use support::*;

const SMALL: &str = "golden/small/pooling.onnx";

/// A run of a small graph beside a golden of the same run that states these versions: what is reported of other versions, as text.
fn beside(versions: &[&str]) -> (Option<String>, String) {
    let dir = tempfile::tempdir().unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join(SMALL);
    let text = format!(
        "format = 1\nname = \"s\"\nmodel = '{}'\nstages = [\"inputs\", \"activations\"]\n[inputs.x]\nrandom = \"normal\"\n",
        model.display()
    );
    let parity = |args: &[&str]| Call::new(PARITY, dir.path(), args).run().exits(0);
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("live.toml", &text);
    parity(&["run", "live.toml", "--record", "traces"]);
    let stated: Vec<&str> = versions.iter().flat_map(|v| ["--framework", v]).collect();
    parity(
        &[
            &[
                "bless",
                "traces/reference.safetensors",
                "--golden",
                "golden/s",
                "--scenario",
                "s",
            ],
            &stated[..],
        ]
        .concat(),
    );
    parity(&["bless", "--golden", "golden/s", "--accept"]);
    write(
        "s.toml",
        &text.replacen("name", "golden = \"golden/s\"\nname", 1),
    );
    let run = parity(&["run", "s.toml", "--json"]).json();
    let golden = run.stages.golden.unwrap();
    assert!(golden.compared() > 0 && golden.tensors.iter().all(|t| !t.over()));
    (golden.other_versions, parity(&["run", "s.toml"]).out)
}

/// The version that the libtorch of this checkout states of itself.
fn here() -> String {
    let library = parity::native::libtorch().path.unwrap();
    let stated = library
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("build-version");
    std::fs::read_to_string(stated).unwrap().trim().to_string()
}

#[test]
fn a_golden_recorded_by_another_version_of_the_framework_is_said_with_both_versions() {
    let (other, report) = beside(&["torch=1.2.3", "numpy=1.0"]);
    let said = format!("recorded with torch 1.2.3, libtorch is {} here", here());
    assert_eq!(other.as_deref(), Some(said.as_str()));
    assert!(report.contains(&said), "{report}");
}

#[test]
fn a_golden_of_the_version_that_runs_here_or_of_another_framework_says_nothing() {
    for versions in [
        &[format!("torch={}", here())][..],
        &["jittor=1.3.11".to_string()],
        &[],
    ] {
        let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
        let (other, report) = beside(&versions);
        assert_eq!(other, None, "{versions:?}");
        assert!(!report.contains("recorded with torch"), "{report}");
    }
}
