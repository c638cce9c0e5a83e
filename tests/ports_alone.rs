//! A live port alone: what trains as it should is silent, and each careless port is found by its own finding, without a reference.

mod support;

use parity::audit::Audited;
use parity::audit::preflight::Preflight;
use parity::verdict::Severity;
use std::path::PathBuf;
use support::*;

/// A port that does as tests/fixtures/live/detector.py, but for lines of Python.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn port(&self, name: &str, lines: &str) -> PathBuf {
        live_port(self.0.path(), name, "detector", lines)
    }

    fn audit(&self, lines: &str, more: &[&str]) -> (Ran, Audited) {
        let port = self.port("net", lines);
        let words = [
            &[
                "audit",
                "port",
                text(&port),
                "--may-be-zero",
                "dfl",
                "--json",
            ],
            more,
        ];
        let ran = Call::new(PARITY, self.0.path(), &words.concat()).run();
        let read = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran}"));
        (ran, read)
    }
}

/// Kinds of all that is not found right, each once.
fn wrong(audited: &Audited) -> Vec<String> {
    let all = audited.findings.iter();
    let mut kinds: Vec<String> = all
        .filter(|f| f.severity != Severity::Note)
        .map(|f| f.kind.clone())
        .collect();
    kinds.dedup();
    kinds
}

/// What a careless port does, the first finding, and what it says; all that may follow from it.
const FAULTS: &[(&str, &str, &str, &[&str])] = &[
    (
        "port.cls_term = lambda v: 0.0\nport.slope = lambda s: [[0.0] * 4 for _ in s]",
        "term_zero",
        "exactly 0 in all of",
        &["no_gradient"],
    ),
    (
        "port.DETACHED = ('head.cls.weight', 'head.cls.bias')",
        "no_gradient",
        "2 tensors (28 elements) train and have a gradient of 0 in every step",
        &["does_not_overfit"],
    ),
    (
        "port.FORGOTTEN = ('head.box.weight', 'head.box.bias')",
        "no_group",
        "2 tensors (112 elements) train, and the optimiser does not move them",
        &["does_not_overfit"],
    ),
    (
        "port.FROZEN = ('head.box.weight', 'head.box.bias')",
        "frozen",
        "2 tensors (112 elements) ask for no gradient",
        &["does_not_overfit"],
    ),
    (
        "port.RATE = 20.0",
        "explodes",
        "explodes at the port's own learning rate",
        &[
            "no_group",
            "constant",
            "gradient_not_finite",
            "does_not_learn",
        ],
    ),
    (
        "port.RATE = 1e-4",
        "does_not_learn",
        "it learns from more than 50 % on",
        &[],
    ),
    (
        "port.cls_term = lambda v: 1 - v",
        "term_does_not_fall",
        "it does not fall",
        &["does_not_learn", "does_not_overfit"],
    ),
    (
        "def before_run(shape, training):\n    if training and shape[0] == 1: raise ValueError('Expected more than 1 value per channel')\nport.before_run = before_run",
        "batch_of_one",
        "it fails: ValueError: Expected more than 1 value per channel",
        &["step_fails", "does_not_learn"],
    ),
    (
        "def before_run(shape, training):\n    if shape[2] % 2: raise ValueError('sizes 8 and 7')\nport.before_run = before_run",
        "odd_size",
        "it fails: ValueError: sizes 8 and 7",
        &[],
    ),
    (
        "port.share_of_none = lambda v, positives: v if positives else math.nan",
        "no_object",
        "'loss.iou' holds 1 of 1 that are no finite numbers",
        &[],
    ),
    (
        "port.held['stem.bias'] = [-50.0] * 6",
        "independent",
        "none of its outputs changes where its inputs are others",
        &["no_gradient", "does_not_overfit", "does_not_learn"],
    ),
    (
        "own = port.network\ndef network(seen, p):\n    m = own(seen, p)\n    return {**m, 'scores': [1.0] * 4}\nport.network = network",
        "constant",
        "all elements of f32 [2, 4] are 1",
        &[
            "term_still",
            "does_not_overfit",
            "does_not_learn",
            "explodes",
        ],
    ),
    (
        "port.assigned = lambda boxes: [0, 1, 0, 1]",
        "assigner_all",
        "8 of 8 anchors are positive",
        &["does_not_overfit"],
    ),
    (
        "port.assigned = lambda boxes: [None] * 4",
        "assigner_none",
        "0 of 8 anchors are positive, of 3 objects",
        &["term_zero", "no_gradient"],
    ),
    (
        "port.assigned = lambda boxes: [0, None, 0, None]",
        "assigner_one",
        "in image 0 all belong to one object of 2",
        &[],
    ),
];

#[test]
fn each_careless_port_is_found_by_its_own_finding_and_by_nothing_that_does_not_follow() {
    let folder = Folder::new();
    for (lines, kind, says, follows) in FAULTS {
        let (ran, audited) = folder.audit(lines, &[]);
        let ran = ran.exits(1);
        let found = audited.findings.iter().find(|f| f.kind == *kind);
        let found = found.unwrap_or_else(|| panic!("no {kind}: {ran}"));
        assert!(
            found.is_fault() && found.what.contains(says),
            "{lines}: {found:#?}"
        );
        let wrong = wrong(&audited);
        let odd = wrong
            .iter()
            .find(|w| w != kind && !follows.contains(&w.as_str()));
        assert_eq!(odd, None, "{lines}: {ran}");
    }
}

#[test]
fn a_port_that_trains_is_silent_and_its_trainings_are_in_a_table() {
    let folder = Folder::new();
    let (ran, audited) = folder.audit("", &[]);
    let ran = ran.exits(0);
    assert!(wrong(&audited).is_empty(), "{ran}");
    let kinds: Vec<&str> = audited.findings.iter().map(|f| f.kind.as_str()).collect();
    for kind in [
        "forward",
        "depends",
        "assigner",
        "trains",
        "term_falls",
        "overfits",
        "learns",
    ] {
        assert!(kinds.contains(&kind) || kind == "learns", "{kind}: {ran}");
    }
    let table = audited
        .tables
        .iter()
        .find(|t| t.title == "training")
        .unwrap();
    assert_eq!(table.rows.len(), 6, "one image and two, at three rates");
    assert_eq!(
        table.columns[5..],
        ["drop of 'iou'", "drop of 'dfl'", "drop of 'cls'"]
    );
}

#[test]
fn what_the_port_lacks_is_not_judged_unless_it_is_said_that_it_need_not() {
    let folder = Folder::new();
    let less = "port.ABILITIES = ['inputs']";
    let (ran, audited) = folder.audit(less, &[]);
    ran.exits(4);
    assert_eq!(wrong(&audited), ["not_trained"]);
    let (ran, audited) = folder.audit(less, &["--inference"]);
    assert!(wrong(&audited).is_empty(), "{ran}");
    ran.exits(0);
    let (ran, audited) = folder.audit("port.ABILITIES.remove('inputs')", &[]);
    ran.exits(4);
    assert_eq!(wrong(&audited), ["not_tried"]);
}

#[test]
fn a_size_that_the_port_does_not_declare_is_a_risk() {
    let folder = Folder::new();
    let odd = "port.OPEN = [2, 1, 16, 16]\ndef before_run(shape, training):\n    if shape[2] % 2: raise ValueError('no')\nport.before_run = before_run";
    let (ran, audited) = folder.audit(odd, &[]);
    ran.exits(0);
    assert_eq!(wrong(&audited), ["odd_size"]);
}

#[test]
fn beside_a_reference_what_it_does_too_is_no_fault_and_its_fall_is_what_is_wanted() {
    let folder = Folder::new();
    let reference = folder.port("reference", "");
    let slow = "port.RATE = 1e-4";
    let (ran, audited) = folder.audit(slow, &["--reference", text(&reference)]);
    ran.exits(1);
    let behind = audited
        .findings
        .iter()
        .find(|f| f.kind == "behind_reference")
        .unwrap();
    assert!(
        behind.what.contains("the reference falls by"),
        "{}",
        behind.what
    );
    let alike = folder.port("reference", slow);
    let (ran, audited) = folder.audit(slow, &["--reference", text(&alike)]);
    assert!(wrong(&audited).is_empty(), "{ran}");
    ran.exits(0);
}

#[test]
fn preflight_takes_a_port_and_a_file_may_name_one() {
    let folder = Folder::new();
    let port = folder.port("net", "port.FROZEN = ('stem.bias',)");
    let ran = Call::new(
        PARITY,
        folder.0.path(),
        &["preflight", text(&port), "--json"],
    )
    .run();
    let flown: Preflight = serde_json::from_str(&ran.out).unwrap();
    assert!(
        flown.faults().contains("frozen") && flown.faults().contains("term_zero"),
        "{ran}"
    );
    let file = folder.0.path().join("audits.toml");
    let stated = "[expect]\nfaults = []\n[port]\nport = \"net\"\nfrozen = [\"stem.bias\"]\nmay_be_zero = [\"dfl\"]\nsteps = 50\nrate = [1]\n";
    std::fs::write(&file, stated).unwrap();
    let ran = Call::new(PARITY, folder.0.path(), &["preflight", text(&file)]).run();
    ran.exits(0).says(&["as the file expects"]);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let folder = Folder::new();
    let port = folder.port("net", "");
    for (words, says) in [
        (&["--rate", "-1"][..], "above 0"),
        (&["--steps", "1"], "--steps"),
        (&["--assigner", "tal"], "unknown kernel 'tal'"),
        (&["--empty", "gt_box=0"], "no target 'gt_box'"),
    ] {
        let all = [&["audit", "port", text(&port)], words].concat();
        let ran = Call::new(PARITY, folder.0.path(), &all).run();
        ran.is_civil();
        assert!(ran.code == Some(2) && ran.err.contains(says), "{ran}");
    }
}
