//! `parity audit data`: each fault that is drawn is found where it is, alone and among all others; sets with odd and legal content are right.

mod faults;
mod sets;
#[path = "../support/mod.rs"]
mod support;

use faults::{Broken, Expected, Fault};
use parity::audit::Audited;
use parity::verdict::{Finding, Severity};
use std::path::{Path, PathBuf};
use support::*;

/// A layout: how a set is made, what else is said on the command line, and which images faults may take.
struct Layout {
    make: fn(&Path, u64, bool) -> PathBuf,
    options: &'static [&'static str],
    faults: &'static [Fault],
    images: fn() -> Vec<String>,
}

const YOLO: Layout = Layout {
    make: sets::yolo,
    options: &["--pixels"],
    faults: faults::YOLO,
    images: || {
        let of = |split: &'static str, n| {
            move |s| (0..n).map(move |i| format!("{s}/{split}/{s}{split}{i:04}"))
        };
        let [train, val] = [of("train", 40), of("val", 12)];
        ["a", "b"]
            .into_iter()
            .flat_map(|s| train(s).chain(val(s)).collect::<Vec<_>>())
            .collect()
    },
};

const COCO: Layout = Layout {
    make: sets::coco,
    options: &["--pixels"],
    faults: faults::COCO,
    images: || (1..100).map(|i| i.to_string()).collect(),
};

const VOC: Layout = Layout {
    make: sets::voc,
    options: &[],
    faults: faults::VOC,
    images: || (0..20).map(|i| format!("val_{i:05}")).collect(),
};

const MAPS: Layout = Layout {
    make: sets::maps,
    options: &[
        "--images",
        "img_dir",
        "--maps",
        "img_dir=ann_dir",
        "--classes",
        "37",
        "--ignore",
        "255",
    ],
    faults: faults::MAPS,
    images: || (0..20).map(|i| format!("{i:04}")).collect(),
};

fn audit(data: &Path, options: &[&str]) -> (Option<i32>, Audited) {
    let folder = tempfile::tempdir().unwrap();
    let args = [&["audit", "data", text(data), "--json"], options].concat();
    let ran = Call::new(PARITY, folder.path(), &args).run();
    ran.is_civil();
    let audited = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran}"));
    (ran.code, audited)
}

fn lines(findings: &[Finding]) -> String {
    let line = |f: &Finding| {
        format!(
            "{:?} {} at {}: {} {:?}\n",
            f.severity, f.kind, f.place, f.what, f.facts
        )
    };
    findings.iter().map(line).collect()
}

fn is_found(audited: &Audited, (kind, place): &Expected) -> bool {
    audited.findings.iter().any(|f| {
        let said = [&f.place, &f.what].into_iter().chain(&f.facts);
        f.kind == *kind
            && f.severity != Severity::Note
            && said.into_iter().any(|s| s.contains(place.as_str()))
    })
}

/// Sets of 20 seeds with odd content: nothing but notes.
fn clean(layout: &Layout) {
    for seed in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let data = (layout.make)(&root, seed, true);
        let (code, audited) = audit(&data, layout.options);
        let wrong: Vec<Finding> = audited
            .findings
            .into_iter()
            .filter(|f| f.severity != Severity::Note)
            .collect();
        assert!(wrong.is_empty(), "seed {seed}:\n{}", lines(&wrong));
        assert_eq!(code, Some(0));
    }
}

/// Each fault alone, and all at once.
fn faulty(layout: &Layout) {
    for (i, (name, fault)) in layout.faults.iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let data = (layout.make)(&root, i as u64, false);
        let broken = Broken::of(&root, i as u64, (layout.images)());
        let expected = fault(&broken);
        let (code, audited) = audit(&data, layout.options);
        let others = lines(&audited.findings);
        assert!(
            is_found(&audited, &expected),
            "{name}: {expected:?} is missed:\n{others}"
        );
        let risk = audited.findings.iter().all(|f| !f.is_fault());
        assert_eq!(code, Some(if risk { 0 } else { 1 }), "{name}: {others}");
    }
    for seed in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let data = (layout.make)(&root, seed, false);
        let broken = Broken::of(&root, seed, (layout.images)());
        let expected: Vec<_> = layout
            .faults
            .iter()
            .map(|(name, fault)| (name, fault(&broken)))
            .collect();
        let (_, audited) = audit(&data, layout.options);
        let missed: Vec<_> = expected
            .iter()
            .filter(|(_, e)| !is_found(&audited, e))
            .collect();
        assert!(
            missed.is_empty(),
            "seed {seed}: {missed:?} among\n{}",
            lines(&audited.findings)
        );
    }
}

#[test]
fn odd_sets_of_yolo_are_right() {
    clean(&YOLO);
}

#[test]
fn odd_sets_of_coco_are_right() {
    clean(&COCO);
}

#[test]
fn odd_sets_of_voc_are_right() {
    clean(&VOC);
}

#[test]
fn odd_sets_of_label_maps_are_right() {
    clean(&MAPS);
}

#[test]
fn each_fault_of_yolo_is_found_alone_and_among_all() {
    faulty(&YOLO);
}

#[test]
fn each_fault_of_coco_is_found_alone_and_among_all() {
    faulty(&COCO);
}

#[test]
fn each_fault_of_voc_is_found_alone_and_among_all() {
    faulty(&VOC);
}

#[test]
fn each_fault_of_label_maps_is_found_alone_and_among_all() {
    faulty(&MAPS);
}

/// A set of one split of a few images, at `root`.
fn few(root: &Path, split: &str, n: usize, row: &str) {
    let draw = sets::Draw::of(split.len() as u64);
    for i in 0..n {
        let image = root.join(format!("images/rgb/{split}/{i}.png"));
        sets::save(
            &image,
            sets::noise(&draw, sets::SIZE),
            image::ImageFormat::Png,
        );
        sets::write(&root.join(format!("labels/rgb/{split}/{i}.txt")), row);
        let depth = sets::depth(&draw, sets::SIZE);
        sets::save(
            &root.join(format!("images/d/{split}/{i}.png")),
            depth,
            image::ImageFormat::Png,
        );
    }
}

const ROW: &str = "0 0.5 0.5 0.2 0.2\n";

/// A fault's kind, its place and all that is said with it.
fn fault_of(audited: &Audited, kind: &str) -> String {
    let found = audited
        .findings
        .iter()
        .find(|f| f.kind == kind && f.severity != Severity::Note);
    let found = found.unwrap_or_else(|| panic!("no {kind} among\n{}", lines(&audited.findings)));
    lines(std::slice::from_ref(found))
}

fn yaml(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("data.yaml");
    sets::write(&file, text);
    (dir, file)
}

#[test]
fn depth_that_no_key_names_never_reaches_a_network_of_four_channels() {
    let (dir, file) =
        yaml("train: images/rgb/train\nval: images/rgb/val\nnames: [x]\nchannels: 4\n");
    few(dir.path(), "train", 5, ROW);
    few(dir.path(), "val", 3, ROW);
    let (code, audited) = audit(&file, &[]);
    let said = fault_of(&audited, "channels");
    assert!(
        said.contains("3 channels in an image, where 4 are due"),
        "{said}"
    );
    assert!(said.contains("images/d/train"), "{said}");
    assert_eq!(code, Some(1));
    let (code, audited) = audit(&file, &["--depth", "images/rgb=images/d"]);
    assert_eq!(code, Some(0), "{}", lines(&audited.findings));
}

#[test]
fn where_the_rule_finds_no_label_and_another_would_both_are_said() {
    let (dir, file) = yaml("train: images/rgb/train\nval: images/rgb/val\nnames: [x]\n");
    few(dir.path(), "train", 5, ROW);
    few(dir.path(), "val", 3, ROW);
    std::fs::rename(
        dir.path().join("labels/rgb"),
        dir.path().join("labels/visible"),
    )
    .unwrap();
    let (_, audited) = audit(&file, &[]);
    let said = fault_of(&audited, "labels_not_found");
    for words in [
        "the last /images/ becomes /labels/",
        "looks for labels/rgb/train/0.txt",
        "5 of these 5",
        "lie in labels/visible/train",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let (code, audited) = audit(&file, &["--pair", "images/rgb=labels/visible"]);
    assert_eq!(code, Some(0), "{}", lines(&audited.findings));
}

#[test]
fn fewer_aligned_images_than_declared_are_counted_and_what_they_lack_is_said() {
    let (dir, file) =
        yaml("train: images/rgb/train\ntrain_depth: images/d/train\nnames: [x]\nchannels: 4\n");
    few(dir.path(), "train", 12, ROW);
    let (code, _) = audit(&file, &["--count", "train=12"]);
    assert_eq!(code, Some(0));
    for i in 0..3 {
        std::fs::remove_file(dir.path().join(format!("images/d/train/{i}.png"))).unwrap();
    }
    let (_, audited) = audit(&file, &["--count", "train=12"]);
    let said = fault_of(&audited, "count");
    assert!(
        said.contains("12 images are declared, 12 are there, 9 of them whole"),
        "{said}"
    );
    let call = Call::new(
        PARITY,
        dir.path(),
        &["audit", "data", "data.yaml", "--count", "train"],
    );
    call.run().refuses(2, &["--count train: no SPLIT=N"]);
    let call = Call::new(
        PARITY,
        dir.path(),
        &["audit", "data", "data.yaml", "--count", "val=3"],
    );
    call.run().refuses(2, &["there is no split 'val'", "train"]);
}

/// What is said of `lost` of 20 images without a label file, where one of the others has an empty one if `empty`.
fn without_labels(lost: usize, empty: bool) -> Vec<(String, Severity)> {
    let (dir, file) = yaml("train: images/rgb/train\nval: images/rgb/val\nnames: [x]\n");
    few(dir.path(), "train", 20, ROW);
    few(dir.path(), "val", 3, ROW);
    let label = |i: usize| dir.path().join(format!("labels/rgb/train/{i}.txt"));
    (0..lost).for_each(|i| std::fs::remove_file(label(i)).unwrap());
    if empty {
        sets::write(&label(19), "");
    }
    let (code, audited) = audit(&file, &[]);
    assert_eq!(code, Some(0), "{}", lines(&audited.findings));
    let said = audited.findings.into_iter();
    said.filter(|f| f.place.contains("labels/rgb/train/0.txt"))
        .map(|f| (f.kind, f.severity))
        .collect()
}

#[test]
fn images_without_a_label_are_background_up_to_a_tenth_and_a_risk_beyond_or_beside_empty_labels() {
    let note = || vec![("background".into(), Severity::Note)];
    let risk = || vec![("missing_label".into(), Severity::Warning)];
    assert_eq!(without_labels(0, false), vec![]);
    assert_eq!(without_labels(1, false), note());
    assert_eq!(without_labels(2, false), note());
    assert_eq!(without_labels(3, false), risk());
    assert_eq!(without_labels(1, true), risk());
}

#[test]
fn a_cache_is_stale_only_where_a_label_was_changed_after_it() {
    let (dir, file) = yaml("train: images\nval: images\nnames: [x]\n");
    for i in 0..12 {
        sets::save(
            &dir.path().join(format!("images/{i}.png")),
            sets::noise(&sets::Draw::of(i), sets::SIZE),
            image::ImageFormat::Png,
        );
        sets::write(&dir.path().join(format!("labels/{i}.txt")), ROW);
    }
    let cache = dir.path().join("labels.cache");
    sets::write(&cache, "numpy");
    let said = || audit(&file, &[]).1;
    let stale = |a: &Audited| a.findings.iter().any(|f| f.kind == "stale_cache");
    assert!(!stale(&said()), "{}", lines(&said().findings));
    let path = dir.path().join("labels/7.txt");
    let label = std::fs::File::options().write(true).open(path);
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    label.unwrap().set_modified(later).unwrap();
    let told = fault_of(&said(), "stale_cache");
    assert!(
        told.contains("labels.cache") && told.contains("labels/7.txt"),
        "{told}"
    );
}

#[test]
fn lists_of_images_folders_without_a_yaml_and_one_json_are_sets_too() {
    let (dir, file) = yaml("train: lists/train.txt\nval: images/rgb/val\nnames: [x]\n");
    few(dir.path(), "train", 5, ROW);
    few(dir.path(), "val", 3, ROW);
    sets::write(
        &dir.path().join("lists/train.txt"),
        "../images/rgb/train/0.png\r\n\nimages/rgb/train/1.png\n",
    );
    let (code, audited) = audit(&file, &["--count", "train=2"]);
    assert_eq!(code, Some(0), "{}", lines(&audited.findings));
    sets::write(
        &dir.path().join("lists/train.txt"),
        "./gone.png\nimages/rgb/train/1.png\n",
    );
    assert!(fault_of(&audit(&file, &[]).1, "missing_image").contains("gone.png"));
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_dir_all(dir.path().join("images/d")).unwrap();
    let (code, audited) = audit(dir.path(), &["--images", "images/rgb", "--count", "val=3"]);
    assert_eq!(code, Some(0), "{}", lines(&audited.findings));
    let dir = tempfile::tempdir().unwrap();
    sets::coco(dir.path(), 1, false);
    let (code, audited) = audit(
        &dir.path().join("annotations/instances_val2017.json"),
        &["--count", "val2017=30"],
    );
    assert_eq!(code, Some(0), "{}", lines(&audited.findings));
}

#[test]
fn shares_where_pixels_belong_are_said() {
    let dir = tempfile::tempdir().unwrap();
    sets::coco(dir.path(), 1, false);
    let file = dir.path().join("annotations/instances_val2017.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let shares = |line: &str| match line.find("\"bbox\"") {
        Some(at) => {
            let end = if line.ends_with("}],") { "]" } else { "" };
            format!("{}\"bbox\": [0.1, 0.2, 0.3, 0.4]}}{end},\n", &line[..at])
        }
        None => format!("{line}\n"),
    };
    std::fs::write(&file, text.lines().map(shares).collect::<String>()).unwrap();
    assert!(fault_of(&audit(dir.path(), &[]).1, "normalised_boxes").contains("val2017"));
}

#[test]
fn names_that_are_no_utf_8_pipes_and_folders_called_as_images_end_no_run() {
    use std::os::unix::ffi::OsStrExt;
    let (dir, file) = yaml("train: images/rgb/train\nval: images/rgb/val\nnames: [x]\n");
    few(dir.path(), "train", 5, ROW);
    few(dir.path(), "val", 3, ROW);
    let folder = dir.path().join("images/rgb/train");
    let name = std::ffi::OsStr::from_bytes(b"\xff\x1b[2J.png");
    std::fs::copy(folder.join("0.png"), folder.join(name)).unwrap();
    std::fs::create_dir(folder.join("folder.jpg")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.join("broken.jpg")).unwrap();
    let label = dir.path().join("labels/rgb/train/1.txt");
    std::fs::remove_file(&label).unwrap();
    for pipe in [folder.join("pipe.jpg"), label] {
        let made = std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap();
        assert!(made.success());
    }
    let (code, audited) = audit(&file, &["--pixels"]);
    assert_eq!(code, Some(1));
    assert!(fault_of(&audited, "not_read").contains("broken.jpg"));
    assert!(fault_of(&audited, "unreadable").contains("labels/rgb/train/1.txt"));
    Call::new(PARITY, dir.path(), &["audit", "data", "data.yaml"])
        .run()
        .exits(1)
        .says(&["images/rgb/train"]);
}

#[test]
fn what_is_no_data_set_is_refused_with_what_would_be_one() {
    let dir = tempfile::tempdir().unwrap();
    let of =
        |args: &[&str]| Call::new(PARITY, dir.path(), &[&["audit", "data"], args].concat()).run();
    of(&["none.yaml"]).refuses(2, &["none.yaml"]);
    of(&["."]).refuses(2, &["neither a data yaml", "images/", "--images DIR"]);
    std::fs::create_dir(dir.path().join("images")).unwrap();
    of(&["."]).refuses(2, &["no image lies there"]);
    sets::write(&dir.path().join("d.yaml"), "\u{0}\u{1}: [");
    of(&["d.yaml"]).refuses(2, &["no YAML"]);
    sets::write(&dir.path().join("d.yaml"), "names: [x]\n");
    of(&["d.yaml"])
        .exits(1)
        .says(&["no train, val or test is stated"]);
    of(&["d.yaml", "--pair", "x"]).refuses(2, &["--pair x: no FROM=TO"]);
}
