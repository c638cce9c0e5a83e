//! Every tenth of the official ONNX node tests, in both engines, against what docs/CONFORMANCE.md says of it.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[derive(Deserialize)]
struct Answer {
    name: String,
    libtorch: serde_json::Value,
    onnxruntime: serde_json::Value,
    controls: Controls,
}

#[derive(Deserialize)]
struct Controls {
    made: usize,
    missed: usize,
}

/// What the document says of the cases of one engine that did not pass: name -> failed or unsupported.
fn documented(engine: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(Path::new(ROOT).join("docs/CONFORMANCE.md")).unwrap();
    let section = text.split(&format!("## {engine}: every case that did not pass")).nth(1).unwrap();
    let rows = section.split("\n## ").next().unwrap().lines().filter(|l| l.starts_with("| test_"));
    let cells = |l: &str| l.split('|').map(|c| c.trim().to_string()).collect::<Vec<_>>();
    rows.map(cells).map(|c| (c[1].clone(), c[2].clone())).collect()
}

fn outcome(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.as_object().unwrap().keys().next().unwrap().clone(), str::to_string)
}

#[test]
fn every_tenth_case_does_what_the_document_says() {
    let folder = Path::new(ROOT).join("models/conformance");
    assert!(folder.is_dir(), "scripts/conformance --fetch fetches the cases");
    let mut parity = Command::new(env!("CARGO_BIN_EXE_parity"));
    let run = parity.arg("conformance").arg(&folder).args(["--every", "10", "--json"]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let answers: Vec<Answer> = serde_json::from_slice(&run.stdout).unwrap();
    assert!(answers.len() > 170, "{}", answers.len());
    for engine in ["libtorch", "onnxruntime"] {
        let documented = documented(engine);
        for answer in &answers {
            let have = outcome(if engine == "libtorch" { &answer.libtorch } else { &answer.onnxruntime });
            let want = documented.get(&answer.name).map_or("passed", String::as_str);
            assert_eq!(have, want, "{engine} {}", answer.name);
        }
    }
    let (made, missed) = answers.iter().fold((0, 0), |(m, n), a| (m + a.controls.made, n + a.controls.missed));
    assert!(made > 30 && missed == 0, "{missed} of {made} corrupted copies passed");
}

#[test]
fn a_folder_without_cases_is_an_error_that_says_where_they_come_from() {
    let mut parity = Command::new(env!("CARGO_BIN_EXE_parity"));
    let run = parity.args(["conformance", "/nowhere"]).output().unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&run.stderr).contains("scripts/conformance"));
}
