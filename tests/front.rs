//! The front: help, doctor, list, map and compare start without libtorch and ONNX Runtime; a run is what its record says.

mod support;

use std::path::PathBuf;
use support::*;

/// `parity` alone in a folder, as on a machine that has none of its libraries.
struct Alone {
    dir: tempfile::TempDir,
    parity: PathBuf,
}

impl Alone {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let parity = dir.path().join("parity");
        std::fs::copy(PARITY, &parity).unwrap();
        std::fs::create_dir(dir.path().join("nothing")).unwrap();
        write_model(dir.path(), "m.onnx", &small());
        write_trace(
            &dir.path().join("a.safetensors"),
            &[("t", &[2], &[1.0, 2.0])],
            None,
        );
        Self { dir, parity }
    }

    fn run(&self, args: &[&str]) -> Ran {
        Call::new(&self.parity, self.dir.path(), args)
            .without_libraries(&self.dir.path().join("nothing"))
            .run()
    }
}

#[test]
fn everything_but_run_works_where_no_library_is() {
    let alone = Alone::new();
    let cases: &[(&[&str], i32, &[&str])] = &[
        (
            &["--help"],
            0,
            &["run", "compare", "map", "list", "doctor", "exit codes"],
        ),
        (&["--version"], 0, &["parity"]),
        (&["run", "--help"], 0, &["--only", "--record"]),
        (
            &["doctor"],
            3,
            &[
                "libtorch",
                "onnxruntime",
                "missing",
                "nothing",
                "scripts/setup",
                "not complete",
            ],
        ),
        (&["list"], 0, &["libtorch"]),
        (
            &["map", "m.onnx", "--nodes"],
            0,
            &["MatMul 1", "[2, 3]", "relu", "parameters 16"],
        ),
        (
            &["compare", "a.safetensors", "a.safetensors", "--exact"],
            0,
            &["AGREE", "1 of 1"],
        ),
    ];
    for (args, code, words) in cases {
        alone.run(args).exits(*code).says(words);
    }
}

#[test]
fn a_run_without_its_engine_says_what_to_do() {
    let alone = Alone::new();
    alone
        .run(&["run", "m.onnx"])
        .refuses(3, &["next:", "parity doctor"]);
    std::fs::write(
        alone.dir.path().join("s.toml"),
        "format = 1\nmodel = \"m.onnx\"\n",
    )
    .unwrap();
    alone.run(&["selftest", "s.toml"]).refuses(3, &["next:"]);
    // What is missing of the user's own is said first: no library would help.
    alone
        .run(&["selftest", "gone.toml"])
        .refuses(2, &["gone.toml", "No such file"]);
}

#[test]
fn every_table_is_listed_alone_and_together() {
    let alone = Alone::new();
    let tables: &[(&str, &[&str])] = &[
        (
            "subjects",
            &["onnxruntime", "libtorch", "recorded", "faulty"],
        ),
        ("operators", &["Conv", "MatMul", "Resize", "MaxPool"]),
        (
            "faults",
            &[
                "transpose-weight",
                "swap-channels",
                "drop-bias",
                "one-nan",
                "negate-output",
            ],
        ),
        ("families", &["family"]),
        (
            "distributions",
            &["uniform", "normal", "integers", "constant"],
        ),
        ("goldens", &["golden", "made by", "parity bless"]),
        ("exits", &["| 0 ", "| 1 ", "| 2 ", "| 3 ", "| 4 ", "| 130 "]),
    ];
    for (name, words) in tables {
        alone.run(&["list", name]).exits(0).says(words);
    }
    let every: Vec<&str> = tables
        .iter()
        .flat_map(|(_, words)| words.iter().copied())
        .collect();
    let all = alone.run(&["list"]).exits(0).says(&every);
    for fault in parity::cause::fault::all() {
        assert!(all.out.contains(fault.name), "fault {}", fault.name);
    }
    for subject in parity::scenario::subjects::ALL {
        assert!(all.out.contains(subject.name), "subject {}", subject.name);
    }
    for (exit, meaning) in parity::exit::Exit::ALL {
        assert!(
            all.out.contains(&format!("{} ", exit as u8)) && all.out.contains(meaning),
            "exit {meaning}"
        );
    }
    let refused = alone.run(&["list", "fault"]).exits(2);
    assert!(refused.err.contains("faults"), "{refused}");
}

/// The libraries that an executable is linked against, as `readelf` tells them.
#[cfg(target_os = "linux")]
fn needed(file: &str) -> Option<Vec<String>> {
    let out = std::process::Command::new("readelf")
        .args(["-d", file])
        .env("LC_ALL", "C")
        .output()
        .ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    let library = |l: &str| Some(l.split_once('[')?.1.split_once(']')?.0.to_string());
    Some(
        text.lines()
            .filter(|l| l.contains("(NEEDED)"))
            .filter_map(library)
            .collect(),
    )
}

#[cfg(target_os = "linux")]
#[test]
fn the_front_is_not_linked_against_libtorch_and_the_engine_is() {
    let native = |libraries: &[String]| {
        libraries
            .iter()
            .any(|l| l.contains("torch") || l.contains("c10") || l.contains("onnxruntime"))
    };
    let Some(front) = needed(PARITY) else {
        // No readelf here: the import of a C++ symbol of libtorch would stand in the file by name.
        let bytes = std::fs::read(PARITY).unwrap();
        assert!(
            !bytes
                .windows(11)
                .any(|w| w == b"libc10.so\0\0" || w == b"_ZN2at6Tens")
        );
        return;
    };
    assert!(front.iter().any(|l| l.starts_with("libc.")), "{front:?}");
    assert!(!native(&front), "{front:?}");
    #[cfg(feature = "torch")]
    {
        let engine = needed(env!("CARGO_BIN_EXE_parity-engine")).unwrap();
        assert!(native(&engine), "the control: {engine:?}");
    }
}

#[cfg(feature = "torch")]
mod engines {
    use super::*;
    use parity::run::Run;
    use parity::verdict::Outcome;
    use std::path::Path;

    const BYTES: &str = "bytes=1x2048:0..256";
    const CONV: &str = "jax2tf_get_logits_/pjit_get_logits_/MagikaV2/Conv_0/Conv2D:0";

    fn run(folder: &Path, args: &[&str]) -> Ran {
        Call::new(PARITY, folder, args).run().exits(0)
    }

    fn bits(mut run: Run) -> String {
        run.timings.clear();
        serde_json::to_string(&run).unwrap()
    }

    #[test]
    fn a_bare_model_runs_and_its_saved_scenario_runs_to_the_same_bits() {
        let (dir, magika) = (tempfile::tempdir().unwrap(), model("magika.onnx"));
        let args = [
            "run",
            text(&magika),
            "--input",
            BYTES,
            "--threads",
            "2",
            "--save",
            "f.toml",
            "--json",
        ];
        let first = run(dir.path(), &args).json();
        assert_eq!(
            (first.verdict.outcome, first.ledger.tensors),
            (Outcome::Agree, 95)
        );
        let saved = run(dir.path(), &["run", "f.toml", "--json"]).json();
        let again = run(dir.path(), &["run", "f.toml", "--json"]).json();
        assert_eq!(bits(saved.clone()), bits(again.clone()));
        assert_eq!(bits(first), bits(saved));
        let other = run(
            dir.path(),
            &["run", "f.toml", "--seed", "1", "--json", "--until", CONV],
        )
        .json();
        assert_ne!(
            other.inputs[0].sha256, again.inputs[0].sha256,
            "another seed makes another input"
        );
    }

    #[test]
    fn a_limit_limits_the_work() {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "m.onnx", &small());
        let judged = |limit: &[&str]| {
            let run = run(dir.path(), &[&["run", "m.onnx", "--json"], limit].concat()).json();
            (
                run.ledger.tensors,
                run.tensors
                    .iter()
                    .map(|t| t.name.clone())
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        };
        let cases: &[(&[&str], &str)] = &[
            (&[], "p q y"),
            (&["--until", "q"], "p q"),
            (&["--from", "q"], "q y"),
            (&["--from", "q", "--until", "q"], "q"),
            (&["--only", "p", "--only", "y"], "p y"),
            (&["--only", "*"], "p q y"),
        ];
        for (limit, want) in cases {
            assert_eq!(
                judged(limit),
                (want.split(' ').count(), want.to_string()),
                "{limit:?}"
            );
        }
    }

    #[test]
    fn the_scenario_built_from_a_bare_model_is_shown_and_can_be_read_back() {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "m.onnx", &small());
        let shown = run(
            dir.path(),
            &[
                "run", "m.onnx", "--input", "x=2x3", "--seed", "5", "--save", "f.toml",
            ],
        )
        .says(&["AGREE", "3 of 3", "[inputs.x]"]);
        let saved = std::fs::read_to_string(dir.path().join("f.toml")).unwrap();
        assert!(
            shown.out.contains(&saved),
            "what is shown is what is saved: {shown}"
        );
        assert_eq!(parity::scenario::load::parse(&saved).unwrap().seed, 5);
    }

    #[test]
    fn a_saved_scenario_finds_its_model_from_another_folder() {
        let dir = tempfile::tempdir().unwrap();
        write_model(dir.path(), "m.onnx", &small());
        std::fs::create_dir(dir.path().join("kept")).unwrap();
        run(dir.path(), &["run", "m.onnx", "--save", "kept/f.toml"]);
        run(dir.path(), &["run", "kept/f.toml"]).says(&["AGREE", "3 of 3"]);
    }
}
