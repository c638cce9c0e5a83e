//! The house is in order: arrows run down only, every file says what it is, nothing is computed in place.

use parity::subject::kernels::ALL;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rooms of the library from the front to the ground: a file takes from its own room and from those below it.
const ROOMS: &[&str] = &[
    "main",
    "lib",
    "cli",
    "report",
    "audit",
    "config",
    "python",
    "dataset",
    "conformance",
    "fuzz",
    "study",
    "pipeline",
    "recordings",
    "run",
    "environment",
    "walk",
    "prepare",
    "cause",
    "judge",
    "pairing",
    "program",
    "subject",
    "input",
    "training_log",
    "golden",
    "params",
    "verdict",
    "scenario",
    "port",
    "trace",
    "checkpoint",
    "floor",
    "kernel",
    "graph",
    "compare",
    "digest",
    "hash",
    "tensor",
    "machine",
    "native",
    "file",
    "watch",
    "error",
    "exit",
    "text",
];

/// Every Rust file below `folder`, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect();
    all.sort();
    all
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The room of a file of the library; None for the other executable, which is above all of it.
fn room(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(source()).unwrap();
    let first = inside.iter().next().unwrap().to_str().unwrap();
    let room = first.trim_end_matches(".rs").to_string();
    (room != "engine").then_some(room)
}

/// The rooms that a text takes from by `crate::ROOM`, those of `crate::{A, B}` too.
fn taken(text: &str) -> BTreeSet<String> {
    let word = |s: &str| {
        s.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let listed = |s: &str| match s.strip_prefix('{') {
        None => vec![word(s)],
        Some(list) => {
            let list = list.split("};").next().unwrap_or_default();
            let mut depth = 0;
            let top = |c: char| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                c == ',' && depth == 0
            };
            list.split(top)
                .map(|part| word(part.trim_start()))
                .collect()
        }
    };
    let all = text.split("crate::").skip(1).flat_map(listed);
    all.filter(|room| ROOMS.contains(&room.as_str())).collect()
}

fn rank(room: &str) -> usize {
    let found = ROOMS.iter().position(|known| *known == room);
    found.unwrap_or_else(|| panic!("src/{room} is not among the rooms of this test"))
}

#[test]
fn what_is_taken_is_read_from_every_form_of_a_path() {
    let of = |text: &str| taken(text).into_iter().collect::<Vec<_>>();
    assert_eq!(of("use crate::judge::{Limit, against};"), ["judge"]);
    assert_eq!(
        of("use crate::{run, walk::{a, graph}, text::few};"),
        ["run", "text", "walk"]
    );
    assert_eq!(
        of("fn f() -> crate::tensor::Tensor { crate::other() }"),
        ["tensor"]
    );
}

#[test]
fn arrows_run_down_only() {
    let mut upward = vec![];
    for path in files(&source()) {
        let Some(own) = room(&path) else { continue };
        let text = std::fs::read_to_string(&path).unwrap();
        let up = taken(&text)
            .into_iter()
            .filter(|other| rank(other) < rank(&own));
        upward.extend(up.map(|other| format!("{} takes from {other}", path.display())));
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<PathBuf> = files(&source())
        .into_iter()
        .filter(|path| !std::fs::read_to_string(path).unwrap().starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "{silent:?}");
}

/// The largest there are; whoever makes one smaller may lower these.
const LINES_OF_A_FILE: usize = 565;
const LINES_OF_A_FUNCTION: usize = 126;

/// The text before its tests.
fn without_tests(text: &str) -> &str {
    let tests = ["mod tests", "pub mod sample {"].map(|begin| format!("#[cfg(test)]\n{begin}"));
    let begin = tests.iter().filter_map(|head| text.find(head)).min();
    &text[..begin.unwrap_or(text.len())]
}

/// Functions of rustfmt's making, with their lines: from `fn` to the brace at the same depth.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let one = |(i, line): (usize, &&'_ str)| {
        let begin = line.trim_start();
        let is = begin.starts_with("fn ") || begin.starts_with("pub fn ");
        let ends = |l: &&str| l.trim_start() == "}" && depth(l) == depth(line);
        // A declaration has no body.
        let body = lines[i..].iter().position(|l| l.ends_with(['{', ';']))?;
        (is && lines[i + body].ends_with('{')).then_some(())?;
        Some((lines[i], lines[i..].iter().position(ends)? + 1))
    };
    lines.iter().enumerate().filter_map(one).collect()
}

#[test]
fn a_function_is_counted_to_its_own_brace() {
    let text =
        "fn a() {\n    if b {\n    }\n}\ntrait T {\n    fn c(&self);\n    fn d() {\n    }\n}\n";
    assert_eq!(functions(text), [("fn a() {", 4), ("    fn d() {", 2)]);
}

#[test]
fn no_file_and_no_function_is_larger_than_the_largest_was() {
    let mut large = vec![];
    for path in files(&source()) {
        // A table of what is tried, one row a form; what prost-build writes.
        if path.ends_with("ops/sums.rs") || path.ends_with("graph/onnx.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = without_tests(&text);
        let lines = code.lines().count();
        if lines > LINES_OF_A_FILE {
            large.push(format!("{}: {lines} lines", path.display()));
        }
        let long = functions(code)
            .into_iter()
            .filter(|f| f.1 > LINES_OF_A_FUNCTION);
        large.extend(long.map(|(name, n)| format!("{}: {name} {n} lines", path.display())));
    }
    assert!(large.is_empty(), "{}", large.join("\n"));
}

#[test]
fn a_kernel_is_named_in_its_row_and_in_its_own_file_only() {
    let mut named = vec![];
    for path in files(&source()) {
        if path.ends_with("subject/kernels/table.rs") || path.ends_with("sample.rs") {
            continue;
        }
        let own = path.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let code = without_tests(&text);
        let is_there = |name: &&str| *name != own && code.contains(&format!("\"{name}\""));
        let names = ALL.iter().flat_map(|k| [k.name, k.of.name]);
        named.extend(
            names
                .filter(is_there)
                .map(|name| format!("{}: {name}", path.display())),
        );
    }
    assert!(named.is_empty(), "{}", named.join("\n"));
}
