//! Reports as the executables write them: what a real run prints fits the published schema, and every file is written beside what is printed.

mod support;

use serde_json::Value;
use std::path::Path;
use support::*;

/// What of the text the published schema does not take.
fn wrong(text: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/run.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let run: Value = serde_json::from_str(text).unwrap();
    let errors = schema.iter_errors(&run);
    errors
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect()
}

/// Two recordings of one tensor, in which one number differs.
fn recordings() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, last) in [("a", 4.0), ("b", 5.0)] {
        let file = dir.path().join(format!("{name}.safetensors"));
        write_trace(&file, &[("y", &[2, 2], &[1.0, 2.0, 3.0, last])], None);
    }
    dir
}

#[test]
fn a_comparison_fits_the_schema_and_its_page_holds_its_tensor() {
    let dir = recordings();
    let compare = ["compare", "a.safetensors", "b.safetensors", "--exact"];
    let files = [
        "--html",
        "p.html",
        "--report",
        "junit=j.xml",
        "--report",
        "csv=-",
        "--json",
    ];
    let ran = Call::new(PARITY, dir.path(), &[&compare[..], &files].concat()).run();
    let ran = ran.exits(1);
    let (json, csv) = ran.out.split_once("\n}\n").unwrap();
    assert_eq!(wrong(&format!("{json}\n}}")), Vec::<String>::new());
    assert!(
        csv.starts_with("step,tensor,") && csv.lines().count() == 2,
        "{csv}"
    );
    let page = std::fs::read_to_string(dir.path().join("p.html")).unwrap();
    assert!(
        page.starts_with("<!DOCTYPE html>")
            && page.contains("id=\"t0\"")
            && page.contains("worst at"),
        "{page}"
    );
    let cases = std::fs::read_to_string(dir.path().join("j.xml")).unwrap();
    assert!(cases.contains("failures=\"1\""), "{cases}");
}

#[test]
fn a_report_that_cannot_be_written_is_refused_with_its_place() {
    let dir = recordings();
    let nowhere = [
        "compare",
        "a.safetensors",
        "b.safetensors",
        "--exact",
        "--html",
        "nowhere/p.html",
    ];
    Call::new(PARITY, dir.path(), &nowhere)
        .run()
        .refuses(3, &["nowhere"]);
}

#[cfg(feature = "torch")]
mod engines {
    use super::*;

    fn run(args: &[&str]) -> Ran {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        Call::new(PARITY, root, &[&["run"], args].concat()).run()
    }

    #[test]
    fn a_run_of_two_programs_that_differ_fits_the_schema_holds_both_graphs_and_what_is_off() {
        let dir = tempfile::tempdir().unwrap();
        let page = dir.path().join("p.html");
        let files = ["--json", "--html", page.to_str().unwrap()];
        let wrong_norm = [
            "tests/fixtures/ports/modules.safetensors",
            "tests/fixtures/ports/eps-legacy.onnx",
        ];
        let ran = run(&[&wrong_norm[..], &files].concat()).exits(1);
        assert_eq!(wrong(&ran.out), Vec::<String>::new());
        let value: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(value["graphs"].as_array().unwrap().len(), 2);
        let origin = &value["verdict"]["origins"][0]["tensor"];
        assert_eq!(&value["looks"][0]["tensor"], origin);
        let page = std::fs::read_to_string(page).unwrap();
        assert_eq!(page.matches("<svg class=\"graph\"").count(), 2);
        assert!(
            page.contains("scripts/models/ports/network.py:20"),
            "file and line"
        );
    }

    #[test]
    fn a_run_of_one_graph_fits_the_schema() {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "m.onnx", &small());
        let text = "format = 1\nmodel = \"m.onnx\"\n[inputs.x]\nrandom = \"normal\"\n";
        std::fs::write(dir.path().join("s.toml"), text).unwrap();
        let ran = Call::new(PARITY, dir.path(), &["run", "s.toml", "--json"])
            .run()
            .exits(0);
        assert_eq!(wrong(&ran.out), Vec::<String>::new());
    }
}
