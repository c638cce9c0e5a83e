//! stories: what the logs of stories 1, 2, 4 and 5 said, and what they should have said.

use super::{audit, bad, kinds, names};
use parity::audit::log::Log;
use parity::verdict::Severity;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Story 1's printed log: the total falls to `end`, the class term is printed 0.0000, DFL is 0 by design.
fn overfitting(begin: f64, end: f64, class: f64) -> String {
    let row = |i: u32| {
        let share = f64::from(i) / 49.0;
        let iou = begin + (end - begin) * share;
        let class = class * (1.0 - 0.95 * share);
        format!(
            "Epoch {}/50: total: {:.4}, cls_loss: {class:.4}, iou_loss: {iou:.4}, dfl_loss: 0.0000\n",
            i + 1,
            iou + class
        )
    };
    (0..50).map(row).collect()
}

fn one_image() -> Log {
    Log {
        overfit: true,
        may_be_zero: names(&["dfl_loss"]),
        expect: names(&["cls_loss", "iou_loss"]),
        ..Log::default()
    }
}

#[test]
fn story_1_a_dead_class_term_and_a_total_that_falls_by_a_fifth() {
    let dir = folder();
    for (end, said) in [
        (146.16, "18.8 %"),
        (144.9, "19.5 %"),
        (141.48, "21.4 %"),
        (169.2, "6.0 %"),
    ] {
        let found = audit(
            dir.path(),
            "train.log",
            overfitting(180.0, end, 0.0),
            one_image(),
        );
        assert_eq!(kinds(&found), ["dead_term", "does_not_overfit"]);
        let total = bad(&found)[1];
        // The end is the median of the last tenth.
        let drop = 100.0 * total.numbers[0].value;
        let wanted: f64 = said.trim_end_matches(" %").parse().unwrap();
        assert!((drop - wanted).abs() < 0.06 * wanted, "{drop} {said}");
        assert!(total.facts[0].contains(said), "{:?}", total.facts);
        let dead = bad(&found)[0];
        assert!(
            dead.what
                .contains("'cls_loss' is exactly 0 at all 50 points"),
            "{}",
            dead.what
        );
        assert_eq!(
            dead.place,
            format!(
                "{}, epoch 1, line 1",
                dir.path().join("train.log").display()
            )
        );
    }
}

#[test]
fn story_1_overfits_one_image() {
    let dir = folder();
    let right = audit(
        dir.path(),
        "train.log",
        overfitting(151.0, 6.0, 4.0),
        one_image(),
    );
    assert_eq!(kinds(&right), Vec::<&str>::new());
    let said: Vec<&str> = right.findings.iter().map(|f| f.what.as_str()).collect();
    assert!(
        said.iter()
            .any(|s| s.contains("'dfl_loss' is 0 as declared")),
        "{said:?}"
    );
}

#[test]
fn story_1_a_rate_that_blows_up() {
    let dir = folder();
    let text: String = (1..=20)
        .map(|i| format!("epoch {i} total_loss {}\n", 180.0 * 3.6_f64.powi(i - 1)))
        .collect();
    let found = audit(dir.path(), "train.log", text, Log::default());
    assert!(
        kinds(&found).contains(&"exploding_term"),
        "{:?}",
        kinds(&found)
    );
}

/// Story 2's table: mAP50 ends at 22.27 %.
fn detection(end: f64) -> String {
    let mut text =
        "epoch,train/box_loss,train/cls_loss,train/dfl_loss,metrics/mAP50(B),metrics/mAP50-95(B)\n"
            .to_string();
    for i in 1..=200 {
        let t = (f64::from(i) / 200.0).powf(0.3);
        text += &format!(
            "{i},{},{},{},{},{}\n",
            3.0 - 2.0 * t,
            4.0 - 3.0 * t,
            2.0 - t,
            end * t,
            0.6 * end * t
        );
    }
    text
}

fn targets() -> Log {
    let all = [
        "mAP50 > 15 % at epoch 10",
        "mAP50 > 30 % at epoch 50",
        "mAP50 > 40 % at epoch 150",
        "mAP50 >= 45 % by epoch 200",
    ];
    Log {
        milestone: all.iter().map(|m| m.parse().unwrap()).collect(),
        ..Log::default()
    }
}

#[test]
fn story_2_milestones_are_held_against_the_table() {
    let dir = folder();
    let found = audit(dir.path(), "results.csv", detection(0.2227), targets());
    assert_eq!(kinds(&found), ["milestone"; 4]);
    let last = bad(&found)[3];
    assert!(last.what.contains("22.27 %"), "{}", last.what);
    assert!(
        last.place.ends_with("epoch 200, line 201"),
        "{}",
        last.place
    );
    let right = audit(dir.path(), "results.csv", detection(0.47), targets());
    assert_eq!(kinds(&right), Vec::<&str>::new());
}

#[test]
fn story_2_what_was_transferred_and_counted_is_held_against_what_was_declared() {
    let dir = folder();
    let printed = |items: u64, labelled: u64| {
        format!(
            "Transferred {items}/691 items from pretrained weights\ntrain: Scanning /d/labels/rgb/train... {labelled} images, {} backgrounds, 0 corrupt: 100%|###| 30300/30300\nval: Scanning /d/labels/rgb/val... 548 images, 0 backgrounds, 0 corrupt: 100%\n",
            30300 - labelled
        )
    };
    let asked = || Log {
        images: vec!["train=30300".parse().unwrap(), "val=548".parse().unwrap()],
        ..Log::default()
    };
    let found = audit(dir.path(), "train.log", printed(151, 23829), asked());
    assert_eq!(kinds(&found), ["transferred", "images_without_labels"]);
    assert!(
        bad(&found)[1]
            .what
            .contains("6471 of 30300 images have no labels"),
        "{:?}",
        bad(&found)
    );
    assert!(bad(&found)[0].place.ends_with("line 1"));
    let right = audit(dir.path(), "train.log", printed(691, 30300), asked());
    assert_eq!(kinds(&right), Vec::<&str>::new());
}

#[test]
fn story_2_what_was_transferred_is_explained_where_both_files_are_at_hand() {
    let dir = folder();
    let fixtures =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoints");
    let asked = Log {
        checkpoint: Some(fixtures.join("zip.pt")),
        model: Some(fixtures.join("plain.safetensors")),
        ..Log::default()
    };
    let text = "Transferred 11/11 items from pretrained weights\n";
    let found = audit(dir.path(), "train.log", text, asked);
    let explained = |f: &&parity::verdict::Finding| {
        f.facts
            .iter()
            .any(|s| s.contains("line 1, Transferred 11/11"))
    };
    assert!(
        found.findings.iter().any(|f| explained(&f)),
        "{:?}",
        found.findings
    );
}

/// Story 4 as watch sees it: each line from the classes predicted, the highest label, the share ignored and the sum of the matrix.
fn watched(lines: impl Iterator<Item = (Vec<u64>, i64, f64, u64)>) -> String {
    let mut text = "{\"parity_watch\": 1, \"classes\": 37, \"ignore\": -1}\n".to_string();
    for (i, (classes, highest, ignored, sum)) in lines.enumerate() {
        let share = 1.0 / classes.len() as f64;
        let predicted: Vec<String> = classes
            .iter()
            .map(|c| format!("\"{c}\": {share}"))
            .collect();
        let mut matrix = vec![vec![0; 37]; 37];
        matrix[0][0] = sum;
        text += &format!(
            "{{\"step\": {}, \"grad_norm\": {{\"backbone\": 0.5, \"head\": 1.5}}, \"predicted\": {{{}}}, \"labels\": {{\"min\": -1, \"max\": {highest}}}, \"ignored\": {ignored}, \"confusion\": {matrix:?}}}\n",
            10 * i,
            predicted.join(", ")
        );
    }
    text
}

#[test]
fn story_4_a_collapse_a_label_out_of_range_all_ignored_and_a_matrix_never_updated() {
    let dir = folder();
    let healthy = |i: u64| ((0..18).collect::<Vec<u64>>(), 36, 0.136, 100 * (i + 1));
    let of = |lines: &dyn Fn(u64) -> (Vec<u64>, i64, f64, u64)| {
        let found = audit(
            dir.path(),
            "watch.jsonl",
            watched((0..10).map(lines)),
            Log::default(),
        );
        bad(&found)
            .iter()
            .map(|f| (f.kind.clone(), f.severity))
            .collect::<Vec<_>>()
    };
    let is = |kind: &str, severity| vec![(kind.to_string(), severity)];
    assert_eq!(of(&healthy), []);
    assert_eq!(
        of(&|i| (vec![0], 36, 0.136, i + 1)),
        is("collapse", Severity::Fault)
    );
    assert_eq!(
        of(&|i| (vec![0, 3, 4], 36, 0.136, i + 1)),
        is("few_classes_predicted", Severity::Warning)
    );
    assert_eq!(
        of(&|i| (healthy(i).0, 37, 0.136, i + 1)),
        is("label_range", Severity::Fault)
    );
    assert_eq!(
        of(&|i| (healthy(i).0, 36, 1.0, i + 1)),
        is("ignored_labels", Severity::Fault)
    );
    assert_eq!(
        of(&|i| (healthy(i).0, 36, 0.136, 0)),
        is("confusion_empty", Severity::Fault)
    );
    assert_eq!(
        of(&|i| (healthy(i).0, 36, 0.136, 7)),
        is("confusion_never_updated", Severity::Fault)
    );
}

#[test]
fn story_4_a_metric_that_is_stuck() {
    let dir = folder();
    let rows = (1..=12).map(|i| {
        let step = 1000 * i;
        format!("{{\"lr\": 0.01, \"data_time\": 0.1, \"loss\": {}, \"decode.loss_ce\": {}, \"iter\": {step}, \"step\": {step}}}\n{{\"aAcc\": 31.2, \"mIoU\": 2.7, \"data_time\": 0.1, \"time\": 0.1, \"step\": {step}}}\n", 3.0 / f64::from(i), 3.0 / f64::from(i))
    });
    let found = audit(
        dir.path(),
        "scalars.json",
        rows.collect::<String>(),
        Log::default(),
    );
    assert_eq!(kinds(&found), ["constant_metric"; 2]);
}

#[test]
fn story_2_a_channel_that_is_constant_and_one_that_does_not_matter() {
    let dir = folder();
    let text = |depth: f64, moves: f64| {
        let input = |channels: usize, std: f64| {
            format!(
                "{{\"shape\": [2, {channels}, 64, 64], \"dtype\": \"float32\", \"min\": 0, \"max\": 1, \"mean\": {:?}, \"std\": {:?}}}",
                vec![0.5; channels],
                vec![std; channels]
            )
        };
        format!(
            "{{\"parity_watch\": 1}}\n{{\"step\": 0, \"inputs\": {{\"rgb\": {}, \"depth\": {}}}, \"moves\": {{\"rgb\": [0.1, 0.2, 0.1], \"depth\": [{moves}]}}}}\n",
            input(3, 0.2),
            input(1, depth)
        )
    };
    let asked = || Log {
        input: vec![
            "rgb=2x3x64x64".parse().unwrap(),
            "depth=2x1x64x64".parse().unwrap(),
        ],
        ..Log::default()
    };
    assert_eq!(
        kinds(&audit(dir.path(), "w.jsonl", text(0.2, 0.1), asked())),
        Vec::<&str>::new()
    );
    let found = audit(dir.path(), "w.jsonl", text(0.0, 0.0), asked());
    assert_eq!(kinds(&found), ["constant_channel", "input_does_not_matter"]);
    let other = Log {
        input: vec![
            "depth=2x1x640x640".parse().unwrap(),
            "thermal=2x1x64x64".parse().unwrap(),
        ],
        ..Log::default()
    };
    assert_eq!(
        kinds(&audit(dir.path(), "w.jsonl", text(0.2, 0.1), other)),
        ["input_shape"; 2]
    );
}

#[test]
fn story_5_a_loss_that_is_configured_and_never_logged() {
    let dir = folder();
    let text = |more: &str| {
        let row = |i: u32| {
            format!(
                "{{\"lr\": 0.01, \"data_time\": 0.1, \"loss\": {}, \"decode.loss_ce\": {}{more}, \"epoch\": {i}, \"iter\": {i}}}\n",
                3.0 / f64::from(i),
                2.0 / f64::from(i)
            )
        };
        (1..=12).map(row).collect::<String>()
    };
    let asked = || Log {
        expect: names(&["loss_macl", "loss_ce"]),
        ..Log::default()
    };
    let found = audit(dir.path(), "scalars.json", text(""), asked());
    assert_eq!(kinds(&found), ["never_logged"]);
    assert!(
        bad(&found)[0]
            .what
            .contains("'loss_macl' is expected and never appears in 12 rows")
    );
    assert!(bad(&found)[0].next[0].contains("parity audit config"));
    let right = audit(
        dir.path(),
        "scalars.json",
        text(", \"loss_macl\": 0.5, \"x\": 1"),
        asked(),
    );
    assert_eq!(kinds(&right), ["constant_term"]);
}
