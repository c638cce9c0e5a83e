//! Goldens: proposed, shown, accepted by hand; whole at every moment; refused when anything in them is not what it was.

mod support;

use parity::golden::difference::{Status, against};
use parity::golden::{Value, store};
use parity::params::{Kind, Param};
use parity::tensor::{DType, Tensor};
use parity::trace::file;
use parity::trace::write::Writer;
use parity::trace::{Entry, FORMAT, Header};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::*;

const GOLDEN: [&str; 4] = ["--golden", "golden/net", "--scenario", "net"];

/// A trace of one small and `large` large tensors; `scale` multiplies the large ones.
fn trace(folder: &Path, name: &str, scale: f32, large: usize) {
    let mut writer = Writer::create(&folder.join(name)).unwrap();
    writer
        .add("small", &Tensor::of(&[2, 3], &[1f32, 2., 3., 4., 5., 6.]))
        .unwrap();
    let mut tensors = vec!["small".to_string()];
    for j in 0..large {
        let values: Vec<f32> = (0..6144)
            .map(|i| scale * ((i * 37 + j * 11) % 997) as f32 / 997.0)
            .collect();
        writer
            .add(&format!("large{j}"), &Tensor::of(&[1, 6, 32, 32], &values))
            .unwrap();
        tensors.push(format!("large{j}"));
    }
    let entry = |n: &String| {
        (
            n.clone(),
            Entry {
                node: n.clone(),
                op: "Conv".into(),
                ..Default::default()
            },
        )
    };
    writer.parameters(vec![Param {
        name: "w".into(),
        shape: vec![3],
        dtype: DType::F32,
        kind: Kind::Parameter,
        trainable: Some(true),
    }]);
    let header = Header {
        format: 1,
        subject: "engine 1.0".into(),
        command: "record it".into(),
        inputs: [("x".to_string(), "00".repeat(32))].into(),
        tensors: tensors.iter().map(entry).collect(),
        ..Header::default()
    };
    writer.finish(&header).unwrap();
}

fn bless(folder: &Path, args: &[&str]) -> Ran {
    Call::new(PARITY, folder, &[&["bless"], args].concat())
        .without_libraries(folder)
        .run()
}

/// A folder with the golden of `a.safetensors` and another trace, `b.safetensors`, 1 % larger in its large tensor.
fn blessed() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    trace(dir.path(), "a.safetensors", 1.0, 1);
    trace(dir.path(), "b.safetensors", 1.01, 1);
    bless(dir.path(), &[&["a.safetensors"], &GOLDEN[..]].concat()).exits(0);
    bless(dir.path(), &["--golden", "golden/net", "--accept"]).exits(0);
    dir
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

#[test]
fn what_a_trace_says_of_itself_is_the_goldens_unless_something_else_is_stated() {
    let said = |header: Header, args: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(&dir.path().join("t.safetensors")).unwrap();
        writer.add("y", &Tensor::of(&[2], &[1f32, 2.0])).unwrap();
        writer.finish(&header).unwrap();
        let words = [&["t.safetensors"], &GOLDEN[..], args].concat();
        bless(dir.path(), &words).exits(0);
        bless(dir.path(), &["--golden", "golden/net", "--accept"]).exits(0);
        let text = std::fs::read_to_string(dir.path().join("golden/net/manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
        ["versions", "threads", "seed"].map(|key| manifest[key].to_string())
    };
    let first = || Header {
        format: 1,
        subject: "engine 1.0".into(),
        command: "record it".into(),
        ..Header::default()
    };
    let second = || Header {
        format: FORMAT,
        versions: [("torch".to_string(), "2.13.0".to_string())].into(),
        threads: Some(2),
        seed: Some(7),
        ..first()
    };
    assert_eq!(said(first(), &[]), ["{}", "null", "null"]);
    let own = ["{\"torch\":\"2.13.0\"}", "2", "7"];
    assert_eq!(said(second(), &[]), own);
    let stated = ["--framework", "torch=2.14", "--threads", "1", "--seed", "9"];
    let other = ["{\"torch\":\"2.14\"}", "1", "9"];
    assert_eq!(said(second(), &stated), other);
}

#[test]
fn a_golden_is_proposed_shown_and_accepted() {
    let dir = tempfile::tempdir().unwrap();
    trace(dir.path(), "a.safetensors", 1.0, 1);
    bless(
        dir.path(),
        &[
            &["a.safetensors"],
            &GOLDEN[..],
            &["--framework", "torch=2.13.0", "--seed", "7"],
        ]
        .concat(),
    )
    .exits(0)
    .says(&["CHANGES", "2 new", "large0", "--accept"]);
    assert!(
        !dir.path().join("golden/net").exists(),
        "a proposal is no golden"
    );
    bless(dir.path(), &["--golden", "golden/net"])
        .exits(0)
        .says(&["2 new"]);
    bless(dir.path(), &["--golden", "golden/net", "--accept"])
        .exits(0)
        .says(&["accepted", "2 tensors", "'net'"]);
    assert_eq!(names(&dir.path().join("golden")), ["net"]);
    let golden = store::open_for(&dir.path().join("golden/net"), "net").unwrap();
    let facts = &golden.facts;
    assert_eq!(
        (facts.subject.as_str(), facts.command.as_str(), facts.seed),
        ("engine 1.0", "record it", Some(7))
    );
    assert_eq!(
        (facts.versions["torch"].as_str(), facts.inputs["x"].len()),
        ("2.13.0", 64)
    );
    assert_eq!(
        golden.tensors.keys().collect::<Vec<_>>(),
        ["small", "large0"],
        "in recorded order"
    );
    assert!(matches!(&golden.tensors["small"].value, Value::Full(t) if t.to_f64()[5] == 6.0));
    assert!(
        matches!(&golden.tensors["large0"].value, Value::Sketch(s) if s.shape == [1, 6, 32, 32])
    );
    assert_eq!(golden.parameters.unwrap()[0].name, "w");
}

#[test]
fn the_same_trace_changes_nothing_and_another_is_measured() {
    let dir = blessed();
    bless(dir.path(), &[&["a.safetensors"], &GOLDEN[..]].concat())
        .exits(0)
        .says(&["UNCHANGED", "2 same bits"]);
    bless(dir.path(), &["--golden", "golden/net", "--reject"])
        .exits(0)
        .says(&["rejected"]);
    bless(dir.path(), &[&["b.safetensors"], &GOLDEN[..]].concat())
        .exits(0)
        .says(&[
            "CHANGES",
            "1 same bits, 1 differ",
            "large0",
            "± 4 % (sketch)",
            "percentile",
            "relative L2 about 0.0",
        ]);
    bless(
        dir.path(),
        &[
            &["b.safetensors"],
            &GOLDEN[..],
            &["--full", "9999", "--command", "another"],
        ]
        .concat(),
    )
    .exits(0)
    .says(&["1 differ", "full", "\"another\""]);
    let kept = std::fs::read(dir.path().join("golden/net/manifest.json")).unwrap();
    bless(dir.path(), &["--golden", "golden/net", "--reject"]).exits(0);
    assert_eq!(
        std::fs::read(dir.path().join("golden/net/manifest.json")).unwrap(),
        kept
    );
    assert_eq!(names(&dir.path().join("golden")), ["net"]);
    bless(dir.path(), &["--golden", "golden/net", "--accept"])
        .refuses(2, &["no proposal waits", "next:"]);
    bless(dir.path(), &["--golden", "golden/net", "--reject"]).refuses(2, &["no proposal waits"]);
    bless(dir.path(), &["--golden", "golden/net"]).refuses(2, &["no proposal waits"]);
}

#[test]
fn every_golden_here_or_above_is_listed_and_one_that_cannot_be_read_says_why() {
    let dir = blessed();
    let below = dir.path().join("scenarios/deep");
    std::fs::create_dir_all(&below).unwrap();
    bless(
        dir.path(),
        &[
            "b.safetensors",
            "--golden",
            "golden/port/jax",
            "--scenario",
            "port",
            "--framework",
            "jax=0.4",
        ],
    )
    .exits(0);
    let list = |folder: &Path| {
        Call::new(PARITY, folder, &["list", "goldens"])
            .without_libraries(folder)
            .run()
            .exits(0)
    };
    let present = ["net", "record it", " 2 ", " kB"];
    assert!(
        !list(dir.path()).says(&present).out.contains("jax"),
        "a proposal is no golden"
    );
    bless(dir.path(), &["--golden", "golden/port/jax", "--accept"]).exits(0);
    list(&below).says(&present).says(&["port/jax", "jax 0.4"]);
    std::fs::write(dir.path().join("golden/net/manifest.json"), "{").unwrap();
    list(dir.path()).says(&["net", "cannot be read", "manifest.json", "port/jax"]);
}

#[test]
fn equal_traces_give_equal_bytes() {
    let (one, two) = (blessed(), blessed());
    for name in names(&one.path().join("golden/net")) {
        let read = |d: &Path| std::fs::read(d.join("golden/net").join(&name)).unwrap();
        assert_eq!(read(one.path()), read(two.path()), "{name}");
    }
}

#[test]
fn continuous_integration_never_blesses() {
    let dir = blessed();
    let ci = |args: &[&str]| {
        Call::new(PARITY, dir.path(), &[&["bless"], args].concat())
            .env("CI", Path::new("true"))
            .run()
    };
    ci(&[&["b.safetensors"], &GOLDEN[..]].concat())
        .refuses(2, &["CI=true", "nothing was written", "next:"]);
    ci(&["--golden", "golden/net", "--accept"]).refuses(2, &["CI=true"]);
    ci(&["--golden", "golden/net", "--reject"]).refuses(2, &["CI=true"]);
    assert_eq!(names(&dir.path().join("golden")), ["net"]);
    bless(dir.path(), &[&["b.safetensors"], &GOLDEN[..]].concat()).exits(0);
    ci(&["--golden", "golden/net"]).exits(0).says(&["CHANGES"]);
}

#[test]
fn a_proposal_is_accepted_only_against_the_golden_it_was_shown_against() {
    let dir = blessed();
    bless(dir.path(), &[&["b.safetensors"], &GOLDEN[..]].concat()).exits(0);
    let manifest = dir.path().join("golden/net/manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("record it", "record it again")).unwrap();
    bless(dir.path(), &["--golden", "golden/net", "--accept"])
        .refuses(2, &["has changed since", "next:"]);
    std::fs::write(&manifest, text).unwrap();
    bless(
        dir.path(),
        &["--golden", "golden/net", "--accept", "--scenario", "other"],
    )
    .refuses(2, &["'net'", "'other'"]);
    bless(dir.path(), &["--golden", "golden/net", "--accept"]).exits(0);
}

#[test]
fn words_that_contradict_each_other_are_refused() {
    let dir = blessed();
    let cases: &[(&[&str], &str)] = &[
        (&["a.safetensors", "--golden", "golden/net"], "--scenario"),
        (
            &[
                "a.safetensors",
                "--golden",
                "golden/net",
                "--scenario",
                "other",
            ],
            "belongs to scenario 'net'",
        ),
        (
            &[
                "a.safetensors",
                "--golden",
                "golden/net.proposed",
                "--scenario",
                "net",
            ],
            "not a golden's folder",
        ),
        (
            &["a.safetensors", "--golden", "..", "--scenario", "net"],
            "not a golden's folder",
        ),
        (
            &[
                "a.safetensors",
                "a.safetensors",
                "--golden",
                "golden/net",
                "--scenario",
                "net",
            ],
            "in another trace too",
        ),
        (
            &[
                "a.safetensors",
                "--golden",
                "golden/net",
                "--scenario",
                "net",
                "--framework",
                "torch",
            ],
            "NAME=VERSION",
        ),
        (
            &[
                "a.safetensors",
                "--golden",
                "golden/net",
                "--scenario",
                "net",
                "--model",
                "gone.onnx",
            ],
            "gone.onnx",
        ),
        (
            &[
                "gone.safetensors",
                "--golden",
                "golden/net",
                "--scenario",
                "net",
            ],
            "gone.safetensors",
        ),
    ];
    for (args, word) in cases {
        bless(dir.path(), args).refuses(2, &[word]);
    }
    for args in [
        &["a.safetensors", "--golden", "golden/net", "--accept"][..],
        &["--golden", "g", "--seed", "1"],
        &["--golden", "g", "--accept", "--reject"],
    ] {
        let ran = bless(dir.path(), args).exits(2);
        assert!(ran.out.is_empty(), "{ran}");
    }
    write_trace(&dir.path().join("nothing.safetensors"), &[], None);
    bless(
        dir.path(),
        &[
            "nothing.safetensors",
            "--golden",
            "golden/new",
            "--scenario",
            "s",
        ],
    )
    .refuses(4, &["no tensor"]);
    assert_eq!(names(&dir.path().join("golden")), ["net"]);
}

/// Edits one file of the golden, and expects whoever opens it to be refused with `words`.
fn damaged(edit: impl Fn(&Path), words: &[&str]) {
    let dir = blessed();
    edit(&dir.path().join("golden/net"));
    let ran = Call::new(PARITY, dir.path(), &["params", "golden/net", "golden/net"]).run();
    ran.refuses(2, &[&["golden golden/net"], words].concat());
    bless(dir.path(), &[&["b.safetensors"], &GOLDEN[..]].concat()).refuses(2, words);
}

fn data(folder: &Path, kind: &str) -> PathBuf {
    folder.join(
        names(folder)
            .into_iter()
            .find(|n| n.starts_with(kind))
            .unwrap(),
    )
}

/// Replaces text in the manifest.
fn said(folder: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    std::fs::write(folder.join("manifest.json"), text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_damaged_golden_is_refused_with_the_fact_and_the_next_step() {
    for kind in ["values-", "sketches-"] {
        let flip = |d: &Path| {
            let mut bytes = std::fs::read(data(d, kind)).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(data(d, kind), bytes).unwrap();
        };
        damaged(flip, &[kind, "SHA-256", "the manifest says", "next:"]);
        let cut = |d: &Path| {
            let bytes = std::fs::read(data(d, kind)).unwrap();
            std::fs::write(data(d, kind), &bytes[..bytes.len() / 2]).unwrap();
        };
        damaged(cut, &[kind, "bytes, the manifest says", "next:"]);
        damaged(
            |d| std::fs::remove_file(data(d, kind)).unwrap(),
            &[kind, "No such file", "next:"],
        );
    }
    damaged(
        |d| said(d, "\"format\": 1", "\"format\": 9"),
        &["format 9 is not known", "format 1", "next:"],
    );
    damaged(
        |d| said(d, "\"seed\": null", "\"seed\": null, \"thraeds\": 2"),
        &["manifest.json", "`thraeds`", "did you mean 'threads'"],
    );
    damaged(
        |d| said(d, "\"file\": \"values-", "\"file\": \"../values-"),
        &["../values-", "refused"],
    );
    damaged(
        |d| said(d, "\"buckets\": 256", "\"buckets\": 255"),
        &["255 buckets", "power of two"],
    );
    damaged(
        |d| said(d, "\"buckets\": 256", "\"buckets\": 128"),
        &["'large0'", "256 numbers of 'projection', expected 128"],
    );
    damaged(
        |d| said(d, "\"stored\": \"full\"", "\"stored\": \"sketch\""),
        &["'small'", "counts:small"],
    );
    damaged(
        |d| said(d, "\"small\": {", "\"smal\": {"),
        &["'smal'", "not in the file of values"],
    );
    damaged(
        |d| std::fs::write(d.join("manifest.json"), "{").unwrap(),
        &["manifest.json", "EOF"],
    );
    damaged(
        |d| std::fs::write(d.join("manifest.json"), [0xff, 0xfe]).unwrap(),
        &["manifest.json", "UTF-8"],
    );
}

#[test]
fn a_manifest_that_lies_about_a_tensor_is_refused() {
    let dir = blessed();
    let golden = dir.path().join("golden/net");
    let text = std::fs::read_to_string(golden.join("manifest.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let digest = json["tensors"]["small"]["sha256"]
        .as_str()
        .unwrap()
        .to_string();
    damaged(
        |d| said(d, &digest, &"0".repeat(64)),
        &["'small'", "SHA-256", "000000"],
    );
    damaged(
        |d| said(d, "\"dtype\": \"f32\"", "\"dtype\": \"i32\""),
        &["'small'", "f32 [2, 3], the manifest says i32 [2, 3]"],
    );
}

#[test]
fn a_mutated_manifest_is_read_or_refused_and_never_panics() {
    let dir = blessed();
    let golden = dir.path().join("golden/net");
    let text = std::fs::read(golden.join("manifest.json")).unwrap();
    let (mut opened, mut tried) = (0, 0);
    for at in (0..text.len()).step_by(2) {
        for byte in [None, Some(b'9'), Some(b'"'), Some(b'-')] {
            let mut mutated = text.clone();
            mutated.splice(at..=at, byte);
            std::fs::write(golden.join("manifest.json"), &mutated).unwrap();
            let read = std::panic::catch_unwind(|| store::open(&golden).is_ok());
            opened += usize::from(read.unwrap_or_else(|_| panic!("{byte:?} at {at} panics")));
            tried += 1;
        }
    }
    assert!(
        (50..tried - 50).contains(&opened),
        "{opened} of {tried} mutations still open: they test too little"
    );
}

#[test]
fn a_folder_without_a_manifest_is_no_golden() {
    let dir = blessed();
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    Call::new(PARITY, dir.path(), &["params", "empty", "empty"])
        .run()
        .refuses(
            2,
            &["golden empty", "manifest.json", "No such file", "next:"],
        );
}

#[test]
fn names_in_a_golden_cannot_steer_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    write_trace(
        &dir.path().join("a.safetensors"),
        &[("t\u{1b}[2J", &[1], &[1.0])],
        None,
    );
    bless(
        dir.path(),
        &[
            "a.safetensors",
            "--golden",
            "g\u{1b}[2J",
            "--scenario",
            "s\u{1b}c",
        ],
    )
    .exits(0)
    .says(&["t\\u{1b}[2J", "g\\u{1b}[2J"]);
    bless(dir.path(), &["--golden", "g\u{1b}[2J", "--accept"])
        .exits(0)
        .says(&["s\\u{1b}c"]);
    bless(
        dir.path(),
        &["a.safetensors", "--golden", "g\u{1b}[2J", "--scenario", "s"],
    )
    .refuses(2, &["s\\u{1b}c"]);
}

/// A file-size limit stands in for a disk that is full: writes beyond it fail the same way.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_golden_whole() {
    let dir = blessed();
    let before = store::manifest_digest(&dir.path().join("golden/net")).unwrap();
    let limited = |args: &str| {
        let line = format!("trap '' XFSZ; ulimit -f 1; exec '{PARITY}' {args}");
        Call::new("/bin/sh", dir.path(), &["-c", &line]).run()
    };
    limited("bless b.safetensors --golden golden/net --scenario net").exits(3);
    assert!(
        names(&dir.path().join("golden/net.proposed"))
            .iter()
            .all(|n| n.starts_with("values-")),
        "nothing half written stays"
    );
    bless(dir.path(), &["--golden", "golden/net"]).refuses(2, &["no proposal waits"]);
    bless(dir.path(), &[&["b.safetensors"], &GOLDEN[..]].concat()).exits(0);
    limited("bless --golden golden/net --accept").refuses(3, &["golden/net", "next:"]);
    assert_eq!(
        store::manifest_digest(&dir.path().join("golden/net")).unwrap(),
        before
    );
    store::open(&dir.path().join("golden/net")).unwrap();
    bless(dir.path(), &["--golden", "golden/net", "--accept"]).exits(0);
    assert_ne!(
        store::manifest_digest(&dir.path().join("golden/net")).unwrap(),
        before
    );
}

/// Every state that an accept passes through, as a kill would leave it.
#[test]
fn every_interrupted_state_opens_whole_and_is_completed() {
    let new = {
        let dir = blessed();
        bless(dir.path(), &[&["b.safetensors"], &GOLDEN[..]].concat()).exits(0);
        bless(dir.path(), &["--golden", "golden/net", "--accept"]).exits(0);
        std::fs::read(dir.path().join("golden/net/manifest.json")).unwrap()
    };
    for state in 0..4 {
        let dir = blessed();
        let (golden, proposed) = (
            dir.path().join("golden/net"),
            dir.path().join("golden/net.proposed"),
        );
        let old = std::fs::read(golden.join("manifest.json")).unwrap();
        bless(dir.path(), &[&["b.safetensors"], &GOLDEN[..]].concat()).exits(0);
        // A file that was being written, then the data, then the manifest, then the proposal's own file.
        std::fs::write(golden.join(".parity-k1ll3d"), b"half").unwrap();
        if state >= 1 {
            for name in names(&proposed)
                .iter()
                .filter(|n| n.ends_with(".safetensors"))
            {
                std::fs::copy(proposed.join(name), golden.join(name)).unwrap();
            }
        }
        if state >= 2 {
            std::fs::write(golden.join("manifest.json"), &new).unwrap();
        }
        if state >= 3 {
            std::fs::remove_file(proposed.join("proposal.json")).unwrap();
        }
        store::open_for(&golden, "net").unwrap();
        assert_eq!(
            std::fs::read(golden.join("manifest.json")).unwrap() == old,
            state < 2
        );
        if state < 3 {
            bless(dir.path(), &["--golden", "golden/net", "--accept"]).exits(0);
            assert_eq!(
                names(&golden).len(),
                3,
                "state {state}: what nothing names is swept: {:?}",
                names(&golden)
            );
            assert_eq!(names(&dir.path().join("golden")), ["net"]);
        } else {
            bless(dir.path(), &["--golden", "golden/net", "--accept"])
                .refuses(2, &["no proposal waits"]);
            bless(dir.path(), &[&["b.safetensors"], &GOLDEN[..]].concat())
                .exits(0)
                .says(&["UNCHANGED"]);
        }
        assert_eq!(
            std::fs::read(golden.join("manifest.json")).unwrap(),
            new,
            "state {state}"
        );
    }
}

#[test]
fn killed_at_any_moment_the_old_golden_or_the_new_one_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let golden = path.join("golden/net");
    trace(path, "a.safetensors", 1.0, 24);
    trace(path, "b.safetensors", 1.01, 24);
    bless(path, &[&["a.safetensors"], &GOLDEN[..]].concat()).exits(0);
    let start = Instant::now();
    bless(path, &["--golden", "golden/net", "--accept"]).exits(0);
    // How long to wait for a kill in the middle; adapted, for the machine may be busy.
    let mut span = start.elapsed();
    let (mut random, mut kept, mut changed) = (Random(9), 0, 0);
    for round in 0..24 {
        let before = store::manifest_digest(&golden).unwrap();
        let next = if round % 2 == 0 {
            "b.safetensors"
        } else {
            "a.safetensors"
        };
        if round % 3 == 0 {
            killed(
                path,
                &[&["bless", next], &GOLDEN[..]].concat(),
                random.below(span),
            );
            assert_eq!(
                store::manifest_digest(&golden).unwrap(),
                before,
                "a proposal does not touch the golden"
            );
        }
        bless(path, &[&[next], &GOLDEN[..]].concat()).exits(0);
        killed(
            path,
            &["bless", "--golden", "golden/net", "--accept"],
            random.below(span),
        );
        store::open_for(&golden, "net").unwrap_or_else(|e| panic!("round {round}: {e}"));
        let after = store::manifest_digest(&golden).unwrap();
        *if after == before {
            &mut kept
        } else {
            &mut changed
        } += 1;
        span = if after == before {
            span * 5 / 4
        } else {
            span * 4 / 5
        };
        let again = bless(path, &["--golden", "golden/net", "--accept"]);
        assert!(
            again.code == Some(0) || (after != before && again.code == Some(2)),
            "{again}"
        );
        assert_ne!(
            store::manifest_digest(&golden).unwrap(),
            before,
            "round {round}: accepting again completes it"
        );
        bless(path, &[&[next], &GOLDEN[..]].concat())
            .exits(0)
            .says(&["UNCHANGED"]);
    }
    assert!(
        kept > 0 && changed > 0,
        "killed before the change {kept} times, after it {changed} times: both must be tried"
    );
}

/// Starts `parity` and kills it after `delay`.
fn killed(folder: &Path, args: &[&str], delay: Duration) {
    let mut command = Command::new(PARITY);
    command
        .current_dir(folder)
        .args(args)
        .env_remove("CI")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(delay);
    let _ = child.kill();
    child.wait().unwrap();
}

/// A small deterministic generator.
struct Random(u64);

impl Random {
    fn below(&mut self, span: Duration) -> Duration {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        span * ((self.0 >> 33) % 1000) as u32 / 1000
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// The fixture was written by the first version of the format and is never written again.
#[test]
fn a_golden_of_format_1_is_read_and_compared_by_every_later_version() {
    let golden = store::open_for(&fixture("golden-v1"), "fixture").unwrap();
    assert_eq!(
        (
            golden.facts.versions["torch"].as_str(),
            golden.facts.threads,
            golden.facts.seed
        ),
        ("2.13.0", Some(2), Some(7))
    );
    assert_eq!(golden.parameters.as_ref().unwrap().len(), 3);
    let trace = file::open(&fixture("trace.safetensors")).unwrap();
    for (name, held) in &golden.tensors {
        let mut tensor = trace.tensor(name).unwrap().unwrap();
        assert!(
            matches!(
                against(held, &tensor, golden.settings).unwrap(),
                Status::Same
            ),
            "{name}"
        );
        if let Value::Sketch(kept) = &held.value {
            let again = parity::golden::estimate::against(kept, tensor.view());
            assert!(
                matches!(&again, parity::golden::estimate::Seen::Values(e) if !e.differs),
                "{name}: {again:?}"
            );
        }
        let mut bytes = tensor.bytes().to_vec();
        bytes[1] ^= 1;
        tensor = Tensor::from_bytes(tensor.dtype(), tensor.shape().to_vec(), &bytes).unwrap();
        assert!(
            !matches!(
                against(held, &tensor, golden.settings).unwrap(),
                Status::Same
            ),
            "{name}: one bit is seen"
        );
    }
    assert_eq!(golden.tensors.len(), 3);
}
