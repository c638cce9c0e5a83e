//! Weights: one network as three frameworks keep it, stale, renamed and exchanged ones, and what moved between two checkpoints.
//! tests/fixtures/audits/weights/make.py and tests/fixtures/audits/freeze/make.py wrote the files.

mod support;

use std::path::{Path, PathBuf};
use support::audits::{audit, said, wrong};
use support::*;

fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audits");
    folder.join(name)
}

fn resnet(file: &str) -> PathBuf {
    fixture("weights").join(file)
}

#[test]
fn one_network_in_three_frameworks_holds_the_same_weights_after_its_axes_are_exchanged() {
    let torch = resnet("torch.pth");
    for file in ["mlx.safetensors", "flax.safetensors"] {
        let (ran, found) = audit(&["weights", text(&torch), text(&resnet(file)), "--loaded"]);
        assert_eq!(wrong(&found), [], "{ran}");
        let values = "104 of 104 items that fit hold the checkpoint's values";
        assert_eq!(said(&found, "values"), values, "{ran}");
        assert!(
            said(&found, "transfer").starts_with("104 of 104 items"),
            "{ran}"
        );
        ran.exits(0);
    }
}

#[test]
fn what_is_stale_below_a_prefix_or_in_the_others_place_is_told() {
    let torch = resnet("torch.pth");
    let cases = [
        (
            "stale.safetensors",
            vec![("values", "layer2.0.conv1.weight")],
        ),
        // By value, not by place: both heads have the same shape.
        ("swapped.safetensors", vec![("exchanged", "model")]),
        ("module.safetensors", vec![]),
    ];
    for (file, expected) in cases {
        let (ran, found) = audit(&["weights", text(&torch), text(&resnet(file)), "--loaded"]);
        assert_eq!(wrong(&found), expected, "{file}: {ran}");
        ran.exits(i32::from(!expected.is_empty()));
    }
    // The other way round nothing says that the model was loaded, and a loader that goes by name takes nothing.
    let list = |file: &str| {
        let read = parity::input::parameters::source(&resnet(file)).unwrap();
        let path = std::env::temp_dir().join(format!("{}-{file}.json", std::process::id()));
        std::fs::write(&path, serde_json::to_string(&read.list).unwrap()).unwrap();
        path
    };
    let [wrapped, plain] = ["module.safetensors", "stale.safetensors"].map(list);
    let (ran, found) = audit(&["weights", text(&wrapped), text(&plain)]);
    assert_eq!(
        wrong(&found),
        [("transfer", "model"), ("renamed", "model")],
        "{ran}"
    );
    let renamed = [
        "weights",
        text(&wrapped),
        text(&plain),
        "--rename",
        "module.*=*",
    ];
    assert_eq!(wrong(&audit(&renamed).1), []);
}

#[test]
fn a_head_for_other_classes_is_silent_and_what_begins_anew_can_be_declared() {
    let torch = resnet("torch.pth");
    let held = parity::input::parameters::source(&torch).unwrap().list;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, list: &[parity::params::Param]| {
        let path = folder.path().join(name);
        std::fs::write(&path, serde_json::to_string(list).unwrap()).unwrap();
        path
    };
    let mut classes = held.clone();
    for param in classes.iter_mut().filter(|p| p.name.starts_with("head")) {
        param.shape[0] = 7;
    }
    let (ran, found) = audit(&[
        "weights",
        text(&torch),
        text(&write("classes.json", &classes)),
    ]);
    assert_eq!(wrong(&found), [], "{ran}");
    assert!(said(&found, "head").contains("for other classes"), "{ran}");
    let mut depth = held.clone();
    depth[0].shape[1] = 4;
    let depth = write("depth.json", &depth);
    let (_, found) = audit(&["weights", text(&torch), text(&depth)]);
    assert_eq!(wrong(&found), [("partial", "conv1.weight")]);
    let (_, found) = audit(&["weights", text(&torch), text(&depth), "--except", "conv1"]);
    assert_eq!(wrong(&found), []);
    let dir = tempfile::tempdir().unwrap();
    let words = [
        "audit",
        "weights",
        text(&torch),
        text(&depth),
        "--except",
        "cnv1",
    ];
    Call::new(PARITY, dir.path(), &words)
        .run()
        .refuses(2, &["--except cnv1: the model has no such parameter"]);
}

#[test]
fn what_moved_between_two_checkpoints_is_counted_and_two_copies_are_told() {
    let [begin, end] = ["freeze/frozen-begin.pt", "freeze/frozen.pt"].map(fixture);
    let (ran, found) = audit(&["weights", text(&begin), text(&end), "--moved"]);
    assert_eq!(wrong(&found), [], "{ran}");
    assert_eq!(
        said(&found, "movement"),
        "9 of 15 parameters moved",
        "{ran}"
    );
    let (_, found) = audit(&["weights", text(&end), text(&end), "--moved"]);
    assert_eq!(wrong(&found), [("movement", "later")]);
}
