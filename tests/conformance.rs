//! Every tenth of the official ONNX node tests, in both engines, against what docs/CONFORMANCE.md says of it; workers that die or hang, and
//! what an engine cannot do.

mod support;

use parity::graph::proto::*;
use prost::Message;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{F32, PARITY, node, port, weight};

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
    let section = text
        .split(&format!("## {engine}: every case that did not pass"))
        .nth(1)
        .unwrap();
    let rows = section
        .split("\n## ")
        .next()
        .unwrap()
        .lines()
        .filter(|l| l.starts_with("| test_"));
    let cells = |l: &str| {
        l.split('|')
            .map(|c| c.trim().to_string())
            .collect::<Vec<_>>()
    };
    rows.map(cells)
        .map(|c| (c[1].clone(), c[2].clone()))
        .collect()
}

fn outcome(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(
        || value.as_object().unwrap().keys().next().unwrap().clone(),
        str::to_string,
    )
}

#[test]
fn every_tenth_case_does_what_the_document_says() {
    let folder = Path::new(ROOT).join("models/conformance");
    assert!(
        folder.is_dir(),
        "scripts/conformance --fetch fetches the cases"
    );
    let mut parity = Command::new(PARITY);
    let run = parity
        .arg("conformance")
        .arg(&folder)
        .args(["--every", "10", "--json"])
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let answers: Vec<Answer> = serde_json::from_slice(&run.stdout).unwrap();
    assert!(answers.len() > 170, "{}", answers.len());
    for engine in ["libtorch", "onnxruntime"] {
        let documented = documented(engine);
        for answer in &answers {
            let have = outcome(if engine == "libtorch" {
                &answer.libtorch
            } else {
                &answer.onnxruntime
            });
            let want = documented
                .get(&answer.name)
                .map_or("passed", String::as_str);
            assert_eq!(have, want, "{engine} {}", answer.name);
        }
    }
    let (made, missed) = answers.iter().fold((0, 0), |(m, n), a| {
        (m + a.controls.made, n + a.controls.missed)
    });
    assert!(
        made > 30 && missed == 0,
        "{missed} of {made} corrupted copies passed"
    );
}

#[test]
fn a_folder_without_cases_is_an_error_that_says_where_they_come_from() {
    let mut parity = Command::new(PARITY);
    let run = parity.args(["conformance", "/nowhere"]).output().unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&run.stderr).contains("scripts/conformance"));
}

/// A case of one operator on [1, −2], which expects `want`.
fn write_case(folder: &Path, name: &str, node: NodeProto, want: [f32; 2]) {
    let import = |domain: &str, version| OperatorSetIdProto {
        domain: Some(domain.into()),
        version: Some(version),
    };
    let graph = GraphProto {
        name: Some(name.into()),
        input: vec![port("x", F32, &[1, 2])],
        output: vec![port("y", F32, &[1, 2])],
        node: vec![node],
        ..Default::default()
    };
    let model = ModelProto {
        ir_version: Some(9),
        opset_import: vec![import("", 17), import("com.microsoft", 1)],
        graph: Some(graph),
        ..Default::default()
    };
    let data = folder.join(name).join("test_data_set_0");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(folder.join(name).join("model.onnx"), model.encode_to_vec()).unwrap();
    for (file, values) in [("input_0.pb", [1.0, -2.0]), ("output_0.pb", want)] {
        std::fs::write(
            data.join(file),
            weight("t", &[1, 2], &values).encode_to_vec(),
        )
        .unwrap();
    }
}

/// Four cases that every engine passes, as fast as it can.
fn easy(folder: &Path) {
    ["test_a", "test_b", "test_c", "test_d"]
        .iter()
        .for_each(|n| write_case(folder, n, node("Relu", "relu", &["x"], &["y"]), [1.0, 0.0]));
}

/// Outcomes of both engines by case, after the first worker was sent `signal` the moment that it was there.
fn struck(signal: &str) -> Vec<(String, serde_json::Value)> {
    let dir = tempfile::tempdir().unwrap();
    easy(dir.path());
    let mut parity = Command::new(PARITY);
    parity
        .arg("conformance")
        .arg(dir.path())
        .args(["--json", "--limit", "15"])
        .stdout(Stdio::piped());
    let parity = parity.spawn().unwrap();
    let (pid, start) = (parity.id(), Instant::now());
    let worker = loop {
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        // Before it is a program of its own it is still a copy of the run.
        let is_worker = |c: &&str| {
            std::fs::read_to_string(format!("/proc/{c}/cmdline"))
                .is_ok_and(|l| l.contains("--worker"))
        };
        if let Some(worker) = children.split_whitespace().find(is_worker) {
            break worker.to_string();
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "no worker was started"
        );
    };
    assert!(
        Command::new("kill")
            .args([signal, &worker])
            .status()
            .unwrap()
            .success()
    );
    let run = parity.wait_with_output().unwrap();
    assert!(run.status.success(), "the run goes on to its end");
    let answers: Vec<Answer> = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(answers.len(), 4, "every case has its row");
    answers
        .into_iter()
        .flat_map(|a| [(a.name.clone(), a.libtorch), (a.name, a.onnxruntime)])
        .collect()
}

/// Exactly one of the eight answers is a failure, which says `why`.
fn check_struck(signal: &str, why: &str) {
    let outcomes = struck(signal);
    let (failed, rest): (Vec<_>, Vec<_>) =
        outcomes.iter().partition(|(_, o)| outcome(o) == "failed");
    assert_eq!(failed.len(), 1, "{outcomes:?}");
    assert!(
        failed[0].1["failed"].as_str().unwrap().contains(why),
        "{failed:?}"
    );
    assert!(rest.iter().all(|(_, o)| outcome(o) == "passed"), "{rest:?}");
}

#[test]
fn a_worker_that_is_killed_is_one_failed_case_and_the_run_goes_on() {
    check_struck("-KILL", "the process died");
}

#[test]
fn a_worker_that_hangs_is_one_failed_case_and_the_run_goes_on() {
    check_struck("-STOP", "no answer in 15 s");
}

#[test]
fn what_only_the_other_engine_computes_is_no_pass() {
    let dir = tempfile::tempdir().unwrap();
    easy(dir.path());
    let contrib = NodeProto {
        domain: Some("com.microsoft".into()),
        ..node("Trilu", "triangle", &["x"], &["y"])
    };
    write_case(dir.path(), "test_e_contrib", contrib, [1.0, -2.0]);
    let run = |more: &[&str]| {
        Command::new(PARITY)
            .arg("conformance")
            .arg(dir.path())
            .args(more)
            .output()
            .unwrap()
    };
    let answers: Vec<Answer> = serde_json::from_slice(&run(&["--json"]).stdout).unwrap();
    let last = answers.last().unwrap();
    assert_eq!(outcome(&last.onnxruntime), "passed");
    assert!(
        last.libtorch["unsupported"]
            .as_str()
            .unwrap()
            .contains("libtorch has no operator Trilu of com.microsoft"),
        "{:?}",
        last.libtorch
    );
    let document = String::from_utf8(run(&[]).stdout).unwrap();
    for row in [
        "| libtorch | all | 5 | 4 | 0 | 1 |",
        "| Trilu | 1 | 0 / 0 / 1 | all |",
    ] {
        assert!(document.contains(row), "{row}\n{document}");
    }
}
