//! Freezing: what is meant to be frozen and is not, what is frozen though nobody asked, and what must train and does not.
//! tests/fixtures/audits/freeze/make.py trained and saved these files.

mod support;

use parity::audit::Audited;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use support::audits::wrong;
use support::*;

fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audits/freeze");
    folder.join(name)
}

/// The audit of one training with what it was meant to be.
fn audit(name: &str, more: &[&str]) -> (Ran, Audited) {
    let [now, before] = [format!("{name}.pt"), format!("{name}-begin.pt")].map(|n| fixture(&n));
    let mut words = vec!["freeze", text(&now), "--before", text(&before)];
    words.extend(["--frozen", "stem", "--frozen", "layer1"]);
    words.extend(["--train", "pooling=28", "--initial", "alpha=0.5"]);
    words.extend(more);
    support::audits::audit(&words)
}

#[test]
fn each_way_to_freeze_wrongly_is_told_and_the_right_one_is_silent() {
    let cases: [(&str, &[(&str, &str)]); 9] = [
        ("frozen", &[]),
        // A learning rate of 0 is no freezing: the classic.
        (
            "rate",
            &[
                ("not_frozen", "stem.conv.weight"),
                ("statistics_moved", "stem.norm.running_mean"),
            ],
        ),
        (
            "forgotten",
            &[
                ("not_frozen", "stem.conv.weight"),
                ("frozen_moved", "stem.conv.weight"),
                ("statistics_moved", "stem.norm.running_mean"),
            ],
        ),
        (
            "statistics",
            &[("statistics_moved", "stem.norm.running_mean")],
        ),
        (
            "unasked",
            &[
                ("frozen_unasked", "layer2.conv.weight"),
                ("inference_mode", "layer2.norm"),
            ],
        ),
        (
            "nogroup",
            &[
                ("did_not_move", "contrastive.weight"),
                ("no_group", "contrastive.weight"),
                ("no_group", "contrastive"),
                ("did_not_move", "contrastive"),
            ],
        ),
        (
            "dead",
            &[
                ("did_not_move", "alpha"),
                ("no_state", "alpha"),
                ("did_not_move", "contrastive"),
            ],
        ),
        ("inference", &[("inference_mode", "layer2.norm")]),
        ("alpha", &[("initial", "alpha")]),
    ];
    for (name, expected) in cases {
        let (ran, read) = audit(name, &["--train", "contrastive=12"]);
        let found = wrong(&read);
        assert_eq!(found, expected, "{name}: {ran}");
        ran.exits(i32::from(!found.is_empty()));
    }
}

#[test]
fn what_must_train_is_counted_and_what_is_not_there_is_said() {
    let (ran, read) = audit("frozen", &["--train", "contrastive=13", "--train", "queue"]);
    ran.exits(1);
    assert_eq!(
        wrong(&read),
        [("count", "contrastive"), ("absent", "queue")]
    );
    let dir = tempfile::tempdir().unwrap();
    let file = fixture("frozen.pt");
    let words = ["audit", "freeze", text(&file), "--frozen", "stme"];
    let ran = Call::new(PARITY, dir.path(), &words).run();
    ran.refuses(
        2,
        &["--frozen stme: no parameter is called so or lies below it"],
    );
}

/// The parameters of ResNet-50 without its classifier, where `frozen` stages ask for no gradient.
fn resnet_50(frozen: usize) -> Value {
    let mut list = vec![];
    let mut put = |name: String, shape: Vec<usize>, stage: usize| {
        list.push(json!({"name": name, "shape": shape, "dtype": "f32", "kind": "parameter", "trainable": stage > frozen}));
    };
    let norm =
        |put: &mut dyn FnMut(String, Vec<usize>, usize), name: String, width: usize, stage| {
            put(format!("{name}.weight"), vec![width], stage);
            put(format!("{name}.bias"), vec![width], stage);
        };
    put("conv1.weight".into(), vec![64, 3, 7, 7], 1);
    norm(&mut put, "bn1".into(), 64, 1);
    let mut inputs = 64;
    for (stage, blocks) in [(1, 3), (2, 4), (3, 6), (4, 3)] {
        let width = 32 << stage;
        for block in 0..blocks {
            let name = format!("layer{stage}.{block}");
            for (i, (rows, columns, size)) in
                [(width, inputs, 1), (width, width, 3), (4 * width, width, 1)]
                    .into_iter()
                    .enumerate()
            {
                put(
                    format!("{name}.conv{}.weight", i + 1),
                    vec![rows, columns, size, size],
                    stage,
                );
                norm(&mut put, format!("{name}.bn{}", i + 1), rows, stage);
            }
            if block == 0 {
                put(
                    format!("{name}.downsample.0.weight"),
                    vec![4 * width, inputs, 1, 1],
                    stage,
                );
                norm(&mut put, format!("{name}.downsample.1"), 4 * width, stage);
            }
            inputs = 4 * width;
        }
    }
    Value::Array(list)
}

#[test]
fn the_counts_of_resnet_50_are_exact() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("resnet.json");
    for (frozen, exit, words) in [
        (
            1,
            0,
            "225344 of 23508032 parameters are frozen (33 of 159 tensors), 23282688 are trainable",
        ),
        (
            0,
            1,
            "225344 parameters that are meant to be frozen ask for a gradient",
        ),
    ] {
        std::fs::write(&path, resnet_50(frozen).to_string()).unwrap();
        let mut words_in = vec!["audit", "freeze", text(&path)];
        words_in.extend(["--frozen", "conv1", "--frozen", "bn1", "--frozen", "layer1"]);
        let ran = Call::new(PARITY, dir.path(), &words_in).run();
        ran.exits(exit).says(&[words]);
    }
}

#[test]
fn a_rate_of_0_in_a_config_means_frozen_and_freezes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let keys = |keys: &str| {
        let text = format!("optim_wrapper = dict(paramwise_cfg=dict(custom_keys={{{keys}}}))\n");
        write("c.py", &text);
    };
    let ran = |frozen: usize| {
        write("resnet.json", &resnet_50(frozen).to_string());
        let words = ["audit", "freeze", "resnet.json", "--config", "c.py"];
        Call::new(PARITY, dir.path(), &words).run()
    };
    keys("'conv1': dict(lr_mult=0), 'bn1': dict(lr_mult=0)");
    ran(0)
        .exits(1)
        .says(&["that are meant to be frozen ask for a gradient"]);
    // 'conv1' is in the names of all stages; there the longer word decides.
    let others = ["layer2", "layer3", "layer4"].map(|w| format!(", '{w}': dict(lr_mult=1)"));
    let stage = "'conv1': dict(lr_mult=0), 'bn1': dict(lr_mult=0), 'layer1.': dict(lr_mult=0)";
    keys(stage);
    ran(1).exits(1).says(&["layer2.0.conv1.weight"]);
    keys(&format!("{stage}{}", others.concat()));
    ran(1).exits(0);
    ran(0)
        .exits(1)
        .says(&["225344 parameters that are meant to be frozen"]);
    keys("'layer1.': dict(lr_mult=0)");
    ran(0)
        .exits(1)
        .says(&["215808 parameters that are meant to be frozen"]);
    keys("'layr3': dict(lr_mult=0)");
    ran(0)
        .exits(1)
        .says(&["c.py:1", "'layr3' is in the name of no parameter"]);
    keys("'layer1': dict(lr_mult=0.1)");
    ran(1).refuses(2, &["multiplies no rate by 0"]);
}
