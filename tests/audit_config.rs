//! `parity audit config`: configs are read as mmengine reads them without being run, and what they say is held against what is there.

mod support;

use std::path::{Path, PathBuf};
use support::*;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/configs")
}

/// `parity audit config WORDS` in `folder`.
fn audit(folder: &Path, words: &[&str]) -> Ran {
    let words = [&["audit", "config"], words].concat();
    Call::new(PARITY, folder, &words).run()
}

/// A folder with files of these texts.
fn files(all: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in all {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    dir
}

/// expected.txt is what mmengine 0.10.7 makes of them: scripts/configs --expected wrote it.
#[test]
fn a_config_of_either_style_gives_the_dictionary_that_mmengine_gives() {
    let expected = std::fs::read_to_string(fixtures().join("expected.txt")).unwrap();
    assert_eq!(expected.lines().count(), 9);
    for line in expected.lines() {
        let (file, dictionary) = line.split_once(' ').unwrap();
        let ran = audit(&fixtures(), &[file, "--print", "python"]).exits(0);
        assert_eq!(ran.out.trim_end(), dictionary, "{file}");
    }
    let json = audit(&fixtures(), &["old/grandchild.py", "--print"]).exits(0);
    let read: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(read["model"]["backbone"]["depth"], 18);
}

#[test]
fn what_is_not_evaluated_is_listed_with_its_line_and_nothing_of_it_is_run() {
    let dir = files(&[(
        "c.py",
        "import os\nos.system('touch made')\nopen('made', 'w').write('x')\na = 1\nb = os.environ['HOME']\nclass C:\n    a = 2\nd = dict(x=a, y=open('made'))\ne = [1]\nunknown_to_us = e.sort(key=len)\nf = e\n",
    )]);
    let ran = audit(dir.path(), &["c.py", "--print", "python"]).exits(4);
    assert!(!dir.path().join("made").exists());
    let dictionary = "{'a': 1, 'b': ..., 'C': ..., 'd': {'x': 1, 'y': ...}, 'e': ..., 'unknown_to_us': ..., 'f': ...}";
    assert_eq!(ran.out.trim_end(), dictionary);
    for said in [
        "c.py:2",
        "c.py:5",
        "os.environ",
        "c.py:6",
        "c.py:8",
        "e.sort(key=len)",
    ] {
        assert!(ran.err.contains(said), "{said}: {ran}");
    }
}

#[test]
fn what_mmengine_refuses_is_refused_with_file_and_line() {
    let dir = files(&[
        ("base.py", "a = dict(b=1)\nlist = [1]\n"),
        ("twin.py", "a = 2\n"),
        ("nobase.py", "x = 1\n\n_base_ = 'gone.py'\n"),
        ("twice.py", "_base_ = ['base.py', 'twin.py']\n"),
        ("type.py", "_base_ = 'base.py'\nlist = dict(c=1)\n"),
        ("name.py", "a = 1\nb = c + 1\n"),
        ("key.py", "_base_ = 'base.py'\nb = _base_.a.nothing\n"),
        ("circle.py", "_base_ = 'circle.py'\n"),
        ("syntax.py", "a = 1\nb = = 2\n"),
        ("package.py", "_base_ = 'zorp::a/b.py'\n"),
    ]);
    for (file, says) in [
        ("nobase.py", "nobase.py:3: "),
        ("twice.py", "twice.py:1: KeyError: 'a' is set by twin.py"),
        (
            "type.py",
            "type.py:2: TypeError: list is a dict here and list in the base",
        ),
        ("name.py", "name.py:2: NameError: name 'c'"),
        ("key.py", "key.py:2: AttributeError"),
        ("circle.py", "more than 50 bases"),
        ("syntax.py", "line 2"),
        (
            "package.py",
            "package.py:1: the base zorp::a/b.py is of the package zorp: --search",
        ),
        ("gone.py", "gone.py"),
    ] {
        let ran = audit(dir.path(), &[file, "--print"]).exits(2);
        assert!(ran.err.contains(says), "{file}: {ran}");
    }
}

#[test]
fn hostile_configs_are_refused_or_listed_in_bounded_time() {
    let deep = format!("a = {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!("a = 1{}\n", "+1".repeat(300_000));
    let dir = files(&[
        ("deep.py", &deep),
        ("long.py", &long),
        ("text.py", "a = 'x' * 10**9\n"),
        ("list.py", "a = [0] * 10**12\n"),
        ("loop.py", "for i in range(10**15):\n    a = i\n"),
        ("power.py", "a = 9**9**9**9\n"),
        (
            "double.py",
            "a = [1]\nfor i in range(60):\n    a = [a, a]\n",
        ),
        ("itself.py", "a = [1]\na.append(a)\n"),
        ("nest.py", "a = 1\nfor i in range(200000):\n    a = [a]\n"),
    ]);
    std::fs::write(dir.path().join("bytes.py"), [0xff, 0xfe, 0]).unwrap();
    for (file, code) in [
        ("deep.py", 2),
        ("long.py", 2),
        ("text.py", 2),
        ("list.py", 2),
        ("loop.py", 2),
        ("power.py", 4),
        ("double.py", 2),
        ("itself.py", 2),
        ("nest.py", 2),
        ("bytes.py", 2),
    ] {
        audit(dir.path(), &[file, "--print"]).exits(code);
    }
}
