//! Every subject of the table does what its row says: the same scenario twice, its name in the report, and each ability either there or refused.

#![cfg(feature = "torch")]

mod support;

use parity::run::Run;
use parity::scenario::SubjectKind;
use parity::scenario::subjects::{ALL, Row};
use parity::verdict::Outcome;
use std::path::Path;
use support::*;

const NORMAL: &str = "[inputs.x]\nrandom = \"normal\"\n";
const LOGITS: &str = "[inputs.p]\nrandom = \"uniform\"\nlow = 0.1\nhigh = 0.9\nshape = [21]\n\
                      [inputs.target]\nrandom = \"uniform\"\nlow = 0\nhigh = 1\nshape = [21]\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A scenario in whose candidate the subject has all that it needs; the reference is ONNX Runtime.
fn scenario(kind: SubjectKind, folder: &Path) -> String {
    let of = |model: &str, rest: &str, keys: &str| {
        let model = root().join(model);
        format!(
            "format = 1\nmodel = '{}'\n{rest}[candidate]\nsubject = \"{kind}\"\n{keys}",
            model.display()
        )
    };
    let small = |keys: &str| of("golden/small/average.onnx", NORMAL, keys);
    match kind {
        SubjectKind::OnnxRuntime => small("optimisation = \"disable\"\n"),
        SubjectKind::Libtorch => small(""),
        SubjectKind::Simulated => small("seed = 1\n"),
        SubjectKind::Faulty => {
            small("of = \"libtorch\"\nfault = \"scale-output\"\nnode = \"shrunk\"\namount = 1.5\n")
        }
        SubjectKind::Recorded => {
            let trace = folder.join("traces/candidate.safetensors");
            if !trace.exists() {
                std::fs::write(
                    folder.join("first.toml"),
                    scenario(SubjectKind::Libtorch, folder),
                )
                .unwrap();
                call(folder, &["run", "first.toml", "--record", "traces"]).exits(0);
            }
            small(&format!("trace = '{}'\n", trace.display()))
        }
        SubjectKind::TorchScript => {
            let script = root().join("tests/fixtures/torchscript/average.pt");
            let limit = format!("{NORMAL}[limit]\nonly = [\"shrunk\"]\n");
            let keys = format!(
                "script = '{}'\nrename = {{ shrunk = \"0\" }}\n",
                script.display()
            );
            of("golden/small/average.onnx", &limit, &keys)
        }
        SubjectKind::Kernel => of("golden/kernels/bce.onnx", LOGITS, ""),
    }
}

fn call(folder: &Path, words: &[&str]) -> Ran {
    Call::new(PARITY, folder, words).run()
}

/// What a run of the scenario finds, its timings aside.
fn found(folder: &Path, text: &str, exit: i32) -> Run {
    std::fs::write(folder.join("s.toml"), text).unwrap();
    let run = call(folder, &["run", "s.toml", "--json"])
        .exits(exit)
        .json();
    Run {
        timings: Default::default(),
        ..run
    }
}

fn each(check: impl Fn(&Row, &Path)) {
    for row in ALL {
        let dir = tempfile::tempdir().unwrap();
        check(row, dir.path());
    }
}

#[test]
fn every_subject_runs_repeats_its_bits_and_is_named() {
    each(|row, folder| {
        let text = scenario(row.kind, folder);
        let (exit, outcome) = match row.kind {
            SubjectKind::Faulty => (1, Outcome::Diverge),
            SubjectKind::OnnxRuntime
            | SubjectKind::Libtorch
            | SubjectKind::TorchScript
            | SubjectKind::Recorded
            | SubjectKind::Kernel
            | SubjectKind::Simulated => (0, Outcome::Agree),
        };
        let first = found(folder, &text, exit);
        assert_eq!(first.verdict.outcome, outcome, "{}", row.name);
        let named = first.environment.candidate.to_lowercase();
        assert!(named.contains(row.name), "{}: {named}", row.name);
        assert_eq!(
            first,
            found(folder, &text, exit),
            "{} repeats itself",
            row.name
        );
    });
}

#[test]
fn only_a_subject_that_runs_any_graph_can_carry_a_fault() {
    each(|row, folder| {
        let faulty = scenario(SubjectKind::Faulty, folder)
            .replace("of = \"libtorch\"", &format!("of = \"{}\"", row.name));
        std::fs::write(folder.join("s.toml"), faulty).unwrap();
        let ran = call(folder, &["run", "s.toml"]);
        match row.abilities.any_graph {
            true => drop(ran.exits(1).says(&["DIVERGE at node 'shrunk'"])),
            false => ran.refuses(2, &["faulty wraps an engine"]),
        }
    });
}

#[test]
fn only_a_subject_that_answers_other_inputs_is_fuzzed() {
    each(|row, folder| {
        std::fs::write(folder.join("s.toml"), scenario(row.kind, folder)).unwrap();
        let ran = call(
            folder,
            &["fuzz", "s.toml", "--cases", "3", "--found", "found"],
        );
        match (row.abilities.answers, row.kind) {
            (false, _) => ran.refuses(2, &["answers the one input"]),
            (true, SubjectKind::Faulty) => drop(ran.exits(1)),
            (true, _) => drop(ran.exits(0)),
        }
    });
}
