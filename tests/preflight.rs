//! Preflight: every audit scenario finds the faults that it expects and no others; a mended one is told beside the earlier one.

mod support;

use parity::audit::preflight::Preflight;
use std::path::{Path, PathBuf};
use support::*;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scenarios() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("scenarios/audit")).unwrap();
    let mut all: Vec<PathBuf> = folder.map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

fn preflight(words: &[&str]) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let mut all = vec!["preflight"];
    all.extend(words);
    Call::new(PARITY, dir.path(), &all).run()
}

fn read(path: &Path) -> Preflight {
    let ran = preflight(&[text(path), "--json"]);
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran}"))
}

#[test]
fn every_audit_scenario_finds_what_it_expects_and_there_are_faulty_and_clean_ones() {
    let mut counts = [0, 0];
    for path in scenarios() {
        let ran = preflight(&[text(&path)]);
        assert!(ran.out.contains("as the file expects"), "{ran}");
        let ran = ran.exits(0);
        let is_clean = read(&path).expected.unwrap().is_empty();
        counts[usize::from(is_clean)] += 1;
        let risky = ["\nrisk:", "\ncould not be checked:"]
            .iter()
            .any(|w| ran.out.contains(w));
        assert!(
            !is_clean || !risky,
            "a clean one says nothing but what is right: {ran}"
        );
    }
    assert!(counts.iter().all(|n| *n >= 2), "{counts:?}");
}

#[test]
fn faults_that_are_not_those_expected_are_exit_1_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let written = |name: &str, expect: &str| {
        let text = std::fs::read_to_string(root().join("scenarios/audit").join(name)).unwrap();
        let fixtures = root().join("tests/fixtures").display().to_string();
        let text = text.replace("../../tests/fixtures", &fixtures);
        let at = text.find("faults = ").unwrap();
        let end = at + text[at..].find('\n').unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text[..at].to_string() + expect + &text[end..]).unwrap();
        path
    };
    let less = written(
        "rate_0_for_freezing.toml",
        "faults = [\"not_frozen\", \"size\"]",
    );
    let says = ["not found: size; found besides: statistics_moved"];
    preflight(&[text(&less)]).exits(1).says(&says);
    let none = written("frozen.toml", "faults = [\"not_frozen\"]");
    preflight(&[text(&none)])
        .exits(1)
        .says(&["not found: not_frozen"]);
}

#[test]
fn what_was_mended_since_an_earlier_preflight_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let [faulty, clean] =
        ["rate_0_for_freezing.toml", "frozen.toml"].map(|n| root().join("scenarios/audit").join(n));
    let earlier = dir.path().join("earlier.json");
    std::fs::write(&earlier, preflight(&[text(&faulty), "--json"]).out).unwrap();
    let ran = preflight(&[text(&clean), "--against", text(&earlier)]);
    ran.exits(0).says(&["mended", "stem.norm.running_mean"]);
    let same = preflight(&[text(&faulty), "--against", text(&earlier)]);
    same.says(&["stays"]);
    preflight(&[text(&faulty), "--against", text(&faulty)]).refuses(2, &["no preflight as JSON"]);
}

/// A folder with a bit of everything, links that lead back, and names that are no UTF-8.
fn looped(root: &Path) {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let fixtures = self::root().join("tests/fixtures");
    let odd = |end: &str| {
        let name = [b"\xff\x1b[2J\xfe", end.as_bytes()].concat();
        OsStr::from_bytes(&name).to_os_string()
    };
    for folder in ["run", "src", "maps", "images/train", "labels/train"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
        symlink("..", root.join(folder).join("back")).unwrap();
        symlink("itself", root.join(folder).join("itself")).unwrap();
    }
    let results = fixtures.join("audits/run/results.csv");
    std::fs::copy(&results, root.join("run/results.csv")).unwrap();
    std::fs::copy(&results, root.join("run").join(odd(".log"))).unwrap();
    let saved = fixtures.join("checkpoints/zip.pt");
    std::fs::copy(saved, root.join("run").join(odd(".pt"))).unwrap();
    let config = "model = dict(type='Net', depth=3)\ntrain_pipeline = []\n";
    for path in ["run/config.py".into(), Path::new("run").join(odd(".py"))] {
        std::fs::write(root.join(path), config).unwrap();
    }
    let source = "class Net:\n    def __init__(self, depth):\n        self.depth = depth\n";
    std::fs::write(root.join("src").join(odd(".py")), source).unwrap();
    let map = fixtures.join("../parsers/corpus/image/rgb.png");
    for path in [
        "images/train".into(),
        Path::new("images/train").join(odd("")),
    ] {
        let name = path.with_extension("png");
        let _ = std::fs::create_dir_all(root.join(&name).parent().unwrap());
        std::fs::copy(&map, root.join(name)).unwrap();
    }
    let labels = fixtures.join("../parsers/corpus/label_map/gray");
    std::fs::copy(labels, root.join("maps").join(odd(".png"))).unwrap();
    std::fs::write(
        root.join("labels/train").join(odd(".txt")),
        "0 .5 .5 .2 .2\n",
    )
    .unwrap();
    let yaml = "train: images/train\nval: images/train\nnames: [x]\n";
    std::fs::write(root.join("data.yaml"), yaml).unwrap();
}

#[test]
fn links_that_lead_back_and_names_that_are_no_utf_8_end_no_audit() {
    let dir = tempfile::tempdir().unwrap();
    looped(dir.path());
    let cases: [(&[&str], i32, &str); 8] = [
        (&["preflight", "."], 1, "leads back"),
        (&["bundle", ".", "--out", "b.zip"], 0, "b.zip"),
        (&["audit", "data", "data.yaml"], 1, "leads back"),
        (
            &["audit", "config", "run/config.py", "--source", "src"],
            0,
            "arguments arrive",
        ),
        (
            &[
                "audit",
                "segmentation",
                "--predictions",
                "maps",
                "--labels",
                "maps",
                "--classes",
                "3",
            ],
            1,
            "png",
        ),
        (
            &[
                "audit", "record", "run", "--truth", "labels", "--images", "images",
            ],
            4,
            "run/results.csv",
        ),
        (&["audit", "log", "run"], 2, "run"),
        (&["audit", "weights", "run/itself", "run"], 2, "run/itself"),
    ];
    for (words, code, says) in cases {
        let ran = Call::new(PARITY, dir.path(), words).run().exits(code);
        assert!(
            ran.out.contains(says) || ran.err.contains(says),
            "{says}: {ran}"
        );
    }
}
