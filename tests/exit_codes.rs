//! Every row of the README's exit codes, by a case that ends with it.

#![cfg(feature = "torch")]

mod support;

use support::*;

/// The numbers of the README's table.
fn documented() -> Vec<i32> {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let table = readme
        .split("| exit | meaning |")
        .nth(1)
        .expect("a table of exit codes");
    let rows = table.lines().skip(2).take_while(|l| l.starts_with('|'));
    rows.filter_map(|l| l.split('|').nth(1)?.trim().parse().ok())
        .collect()
}

#[test]
fn each_row_of_the_readme_is_what_a_case_ends_with() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &small());
    let faulty = "format = 1\nmodel = \"m.onnx\"\n[candidate]\nsubject = \"faulty\"\nof = \"libtorch\"\nfault = \"bypass\"\nnode = \"add\"\n";
    std::fs::write(dir.path().join("faulty.toml"), faulty).unwrap();
    write_trace(
        &dir.path().join("a.safetensors"),
        &[("u", &[1], &[1.0])],
        None,
    );
    write_trace(
        &dir.path().join("b.safetensors"),
        &[("v", &[1], &[1.0])],
        None,
    );
    let run = |args: &[&str]| Call::new(PARITY, dir.path(), args);
    let cases = [
        (0, run(&["run", "m.onnx"])),
        (1, run(&["run", "faulty.toml"])),
        (2, run(&["run", "gone.onnx"])),
        (3, run(&["run", "m.onnx"]).without_libraries(dir.path())),
        (
            4,
            run(&["compare", "a.safetensors", "b.safetensors", "--exact"]),
        ),
    ];
    // An interrupted run is tests/options.rs's.
    let tried: Vec<i32> = cases.iter().map(|(code, _)| *code).chain([130]).collect();
    assert_eq!(tried, documented());
    for (code, call) in cases {
        call.run().exits(code);
    }
}
