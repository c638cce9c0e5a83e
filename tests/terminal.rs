//! The terminal: help fits a screen, colours and widths are the reader's, what was saved is shown again, every error has a stable name.

mod support;

use std::path::Path;
use support::*;

/// Two traces that differ, and a model.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let trace = |name: &str, values: &[f32]| {
        write_trace(&dir.path().join(name), &[("t", &[2], values)], None)
    };
    trace("a.safetensors", &[1.0, 2.0]);
    trace("b.safetensors", &[1.0, 3.0]);
    write_model(dir.path(), "m.onnx", &small());
    dir
}

fn run(dir: &Path, args: &[&str]) -> Ran {
    Call::new(PARITY, dir, args).run()
}

/// With these variables of the environment; control characters and all.
fn raw(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> String {
    let mut command = std::process::Command::new(PARITY);
    command.current_dir(dir).args(args).env_remove("NO_COLOR");
    command.envs(env.iter().copied());
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

const COMPARE: [&str; 4] = ["compare", "a.safetensors", "b.safetensors", "--exact"];

#[test]
fn help_fits_a_screen_and_every_command_groups_its_options() {
    let dir = folder();
    let help = run(dir.path(), &["--help"]).exits(0).out;
    assert!(help.lines().count() <= 24, "{help}");
    assert!(help.lines().all(|l| l.chars().count() <= 80), "{help}");
    assert!(
        help.contains("parity run net.py model.onnx") && help.contains("exit codes"),
        "{help}"
    );
    let of_run = run(dir.path(), &["run", "--help"]).exits(0).out;
    for group in [
        "Sides and inputs:",
        "What is judged:",
        "How it is run:",
        "What is said and written:",
    ] {
        assert!(of_run.contains(group), "{of_run}");
    }
    run(dir.path(), &["--version"])
        .exits(0)
        .says(&["parity 0."]);
    run(dir.path(), &["list", "commands"]).exits(0).says(&[
        "demo",
        "export-check",
        "Compare two recorded traces",
    ]);
}

#[test]
fn colours_are_used_where_the_reader_wants_them_and_the_words_are_the_same() {
    let dir = folder();
    let plain = raw(dir.path(), &COMPARE, &[]);
    assert!(
        !plain.contains('\u{1b}') && plain.starts_with("DIVERGE"),
        "{plain}"
    );
    let with =
        |more: &[&str], env: &[(&str, &str)]| raw(dir.path(), &[&COMPARE[..], more].concat(), env);
    let colored = with(&["--color", "always"], &[("COLUMNS", "1000")]);
    assert!(
        colored.starts_with("\u{1b}[1m\u{1b}[31mDIVERGE"),
        "{colored:?}"
    );
    let mut parts = colored.split('\u{1b}');
    let first = parts.next().unwrap().to_string();
    let bare = first
        + &parts
            .map(|p| p.split_once('m').unwrap().1)
            .collect::<String>();
    assert_eq!(bare, plain);
    for (more, env) in [
        (&["--color", "never"][..], &[("CLICOLOR_FORCE", "1")][..]),
        (&[], &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]),
    ] {
        assert_eq!(with(more, env), plain, "{more:?} {env:?}");
    }
    let json = with(&["--json", "--color", "always"], &[]);
    serde_json::from_str::<serde_json::Value>(&json).unwrap();
}

#[test]
fn prose_is_as_wide_as_the_terminal() {
    let dir = folder();
    let args = [&COMPARE[..], &["--color", "always"]].concat();
    let narrow = raw(dir.path(), &args, &[("COLUMNS", "60")]);
    let long = narrow
        .lines()
        .filter(|l| !l.starts_with('|') && l.chars().count() > 70);
    assert_eq!(long.collect::<Vec<_>>(), Vec::<&str>::new());
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words(&narrow),
        words(&raw(dir.path(), &args, &[("COLUMNS", "1000")]))
    );
}

#[test]
fn as_much_is_said_as_is_asked_for() {
    let dir = folder();
    let quiet = run(dir.path(), &[&COMPARE[..], &["-q"]].concat())
        .exits(1)
        .out;
    assert_eq!(quiet.lines().count(), 1, "{quiet}");
    assert!(
        quiet.starts_with("DIVERGE") && quiet.ends_with("(exit 1)\n"),
        "{quiet}"
    );
    let usual = run(dir.path(), &COMPARE).exits(1).out;
    let verbose = run(
        dir.path(),
        &["-v", "compare", "a.safetensors", "b.safetensors", "--exact"],
    )
    .exits(1)
    .out;
    assert!(
        verbose.starts_with(&usual) && verbose.contains("| phase"),
        "{verbose}"
    );
    run(dir.path(), &["-q", "-v", "doctor"]).exits(2);
}

#[test]
fn a_saved_run_is_shown_in_every_view_without_any_library() {
    let dir = folder();
    let with = |more: &[&str]| run(dir.path(), &[&COMPARE[..], more].concat()).exits(1).out;
    let [terminal, tensors, json] = [
        &[][..],
        &["--all"],
        &["--report", "json=run.json", "--json"],
    ]
    .map(with);
    let show = |more: &[&str]| {
        let args = [&["show", "run.json"], more].concat();
        let call = Call::new(PARITY, dir.path(), &args).without_libraries(dir.path());
        call.run().exits(0).out
    };
    assert_eq!(show(&[]), terminal);
    assert_eq!(show(&["--all"]), tensors);
    assert_eq!(show(&["--json"]), json);
    show(&["--report", "tensors=t.txt"]);
    assert_eq!(
        std::fs::read_to_string(dir.path().join("t.txt")).unwrap(),
        tensors
    );
    std::fs::write(dir.path().join("bad.json"), "{\"format\": 2}").unwrap();
    run(dir.path(), &["show", "bad.json"]).refuses(2, &["bad.json", "no saved Run", "--json"]);
    run(dir.path(), &["show", "a.safetensors"]).refuses(2, &["a.safetensors", "--json"]);
    run(dir.path(), &["show", "gone.json"]).refuses(2, &["gone.json", "[missing-file]"]);
}

#[test]
fn an_error_has_a_stable_name_in_words_and_in_json() {
    let dir = folder();
    std::fs::write(dir.path().join("s.toml"), "format = 1\nmodle = 1\n").unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["run", "gone.onnx"], 2, "missing-file"),
        (&["run", "s.toml"], 2, "scenario"),
        (&["run", "m.onnx", "--map", "x"], 2, "command-line"),
        (&["run", "m.onnx", "--python", "x"], 2, "option"),
        (&["map", "nothing.png"], 2, "missing-file"),
        (&["compare", "a.safetensors", "b.safetensors"], 2, "input"),
        (&["run", "m.onnx"], 3, "no-library"),
        (
            &[
                "compare",
                "a.safetensors",
                "b.safetensors",
                "--exact",
                "--report",
                "json=no/where",
            ],
            3,
            "write",
        ),
    ];
    for (args, code, name) in cases {
        let call = |more: &[&str]| {
            Call::new(PARITY, dir.path(), &[args, more].concat()).without_libraries(dir.path())
        };
        let ran = call(&[]).run().exits(*code);
        if *name != "command-line" {
            assert!(ran.err.contains(&format!("[{name}]")), "{ran}");
        }
        let ran = call(&["--json"]).run().exits(*code);
        let said: serde_json::Value =
            serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e} {ran}"));
        assert_eq!(
            (&said["error"]["code"], &said["error"]["exit"]),
            (&(*name).into(), &(*code).into()),
            "{ran}"
        );
    }
}

#[test]
fn the_codes_of_errors_are_documented() {
    let doc = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ERRORS.md");
    let doc = std::fs::read_to_string(doc).unwrap();
    for (_, name, exit, what) in parity::error::Code::ALL {
        assert!(
            doc.contains(&format!("| `{name}` | {} | {what} |", exit as u8)),
            "{name}"
        );
    }
}

#[test]
fn every_command_that_prints_a_result_prints_it_as_json_too() {
    let dir = folder();
    let help = |command: &str| run(dir.path(), &[command, "--help"]).exits(0).out;
    let all: serde_json::Value = serde_json::from_str(
        &run(dir.path(), &["list", "commands", "--json"])
            .exits(0)
            .out,
    )
    .unwrap();
    let names = all["commands"][0]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["command"].as_str().unwrap());
    // They print text for a shell or for man.
    let text = ["completions", "manual"];
    for name in names.filter(|name| !text.contains(name)) {
        assert!(help(name).contains("--json"), "{name} has no --json");
    }
    for args in [
        &["list", "--json"][..],
        &["map", "m.onnx", "--json"],
        &["params", "m.onnx", "m.onnx", "--json"],
    ] {
        let ran = run(dir.path(), args).exits(0);
        serde_json::from_str::<serde_json::Value>(&ran.out)
            .unwrap_or_else(|e| panic!("{e}: {ran}"));
    }
    let ran = Call::new(PARITY, dir.path(), &["doctor", "--json"])
        .without_libraries(dir.path())
        .run()
        .exits(3);
    let said: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(said["ready"], false);
}

#[test]
fn a_file_is_known_by_what_it_holds() {
    let dir = folder();
    std::fs::copy(dir.path().join("m.onnx"), dir.path().join("model")).unwrap();
    std::fs::copy(
        dir.path().join("a.safetensors"),
        dir.path().join("weights.bin"),
    )
    .unwrap();
    let none = |args: &[&str]| {
        Call::new(PARITY, dir.path(), args)
            .without_libraries(dir.path())
            .run()
    };
    // Both get as far as a model and a trace do: to the engine that is not there.
    none(&["run", "model"]).refuses(3, &["[no-library]"]);
    none(&["run", "weights.bin", "model"]).refuses(3, &["[no-library]"]);
    run(dir.path(), &["map", "model"])
        .exits(0)
        .says(&["MatMul 1"]);
    run(dir.path(), &["params", "model", "m.onnx"]).exits(0);
    run(
        dir.path(),
        &["compare", "weights.bin", "a.safetensors", "--exact"],
    )
    .exits(0);
    std::fs::write(dir.path().join("words"), "hello").unwrap();
    run(dir.path(), &["run", "words", "model"]).refuses(
        2,
        &["'words' is no side that is known by its name or by what it holds"],
    );
}

#[test]
fn shells_and_man_have_their_pages() {
    let dir = folder();
    for (shell, word) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef parity"),
        ("fish", "complete -c parity"),
    ] {
        run(dir.path(), &["completions", shell]).exits(0).says(&[
            word,
            "export-check",
            "max-memory",
        ]);
    }
    run(dir.path(), &["manual"])
        .exits(0)
        .says(&[".TH parity 1"]);
    run(dir.path(), &["manual", "--out", "man"])
        .exits(0)
        .says(&["pages in man"]);
    let page = |name: &str| std::fs::read_to_string(dir.path().join("man").join(name)).unwrap();
    assert!(
        page("parity-run.1").contains("max\\-memory"),
        "{}",
        page("parity-run.1")
    );
    assert!(page("parity.1").contains("demo"));
}

#[test]
fn a_scenario_that_is_there_is_not_written_over() {
    let dir = folder();
    std::fs::write(dir.path().join("m.toml"), "mine").unwrap();
    run(dir.path(), &["init", "m.onnx"]).refuses(2, &["m.toml is there already", "--out"]);
    assert_eq!(
        std::fs::read_to_string(dir.path().join("m.toml")).unwrap(),
        "mine"
    );
}

#[cfg(feature = "torch")]
mod engines {
    use super::*;
    use parity::run::Run;

    #[test]
    fn the_demo_finds_what_it_planted_and_needs_nothing_of_this_folder() {
        let dir = tempfile::tempdir().unwrap();
        let begin = std::time::Instant::now();
        let ran = run(dir.path(), &["demo"]).exits(0).says(&[
            "DIVERGE at node 'dense2'",
            "as the scenario expects (exit 0)",
            "the candidate",
            "AGREE",
            "parity run net.py model.onnx",
        ]);
        assert!(begin.elapsed().as_secs() < 20, "{ran}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let run: Run = run(dir.path(), &["demo", "--json"]).exits(0).json();
        assert_eq!(run.verdict.origins[0].node, "dense2");
    }

    #[test]
    fn a_first_scenario_is_written_run_and_runs_again() {
        let dir = folder();
        run(dir.path(), &["init", "m.onnx"])
            .exits(0)
            .says(&["AGREE", "3 of 3"]);
        run(dir.path(), &["run", "m.toml"])
            .exits(0)
            .says(&["AGREE"]);
        run(dir.path(), &["test", "m.toml"])
            .exits(0)
            .says(&["PASSED: 1 passed"]);
        run(
            dir.path(),
            &["init", "m.onnx", "m.onnx", "--out", "both.toml"],
        )
        .exits(0);
        run(dir.path(), &["run", "both.toml"]).exits(0);
    }

    #[test]
    fn what_a_forward_pass_costs_is_told_where_shapes_follow() {
        let dir = folder();
        // 2 x 3 x 4 multiply-accumulates.
        run(dir.path(), &["map", "m.onnx"])
            .exits(0)
            .says(&["cost       48 FLOPs of convolutions"]);
    }

    #[test]
    fn a_long_report_ends_with_its_verdict() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let args = [
            "run",
            "scenarios/control/transpose-weight-gemm.toml",
            "--all",
        ];
        let out = run(root, &args).exits(0).out;
        let [first, last] = [out.lines().next(), out.lines().last()].map(Option::unwrap);
        assert_eq!(first, last);
        assert!(
            first.starts_with("DIVERGE at node 'dense2'")
                && first.ends_with("as the scenario expects (exit 0)"),
            "{first}"
        );
    }
}
