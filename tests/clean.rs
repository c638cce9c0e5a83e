//! Healthy engines agree: the real models, all tensors accounted for, no false divergence.

use parity::run::Run;
use parity::scenario::Stage;
use parity::verdict::Outcome;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs a scenario with more arguments; it must agree with every tensor accounted for.
fn check(scenario: &str, arguments: &[&str]) -> Run {
    let run = Command::new(env!("CARGO_BIN_EXE_parity"))
        .current_dir(ROOT)
        .args(["run", scenario, "--json"])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    assert_eq!(
        run.status.code(),
        Some(0),
        "{scenario} {arguments:?}\n{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let run = Run::from_json(&text).unwrap();
    assert_eq!(run.verdict.outcome, Outcome::Agree, "{scenario}");
    let accounted =
        run.ledger.compared + run.ledger.excused + run.ledger.abstained.values().sum::<usize>();
    assert_eq!(
        accounted, run.ledger.tensors,
        "{scenario}: every tensor is in the ledger"
    );
    assert!(
        run.ledger.coverage() >= 0.99,
        "{scenario}: {}",
        run.ledger.coverage()
    );
    assert!(
        run.tensors.iter().all(|t| t.repeat_noise.is_none()),
        "{scenario}: an engine does not repeat its bits"
    );
    run
}

#[test]
fn the_yolox_detector_agrees_on_a_photograph() {
    let run = check("scenarios/real/yolox_det.toml", &[]);
    assert_eq!((run.ledger.tensors, run.ledger.both_ways), (279, 279));
    assert!(
        !run.unobserved.is_empty(),
        "the un-observed run is compared too"
    );
}

#[test]
fn the_layout_detector_agrees_on_a_photograph() {
    assert_eq!(
        check("scenarios/real/layout_cdla.toml", &[]).ledger.tensors,
        1497
    );
}

#[test]
fn the_text_detector_agrees_on_a_photograph() {
    assert_eq!(
        check("scenarios/real/ppocr_det.toml", &[]).ledger.tensors,
        464
    );
}

#[test]
fn the_byte_classifier_agrees_for_several_seeds_and_threads() {
    for (seed, threads) in [("0", "1"), ("1", "2"), ("2", "1"), ("3", "2")] {
        check(
            "scenarios/real/magika.toml",
            &["--seed", seed, "--threads", threads],
        );
    }
}

#[test]
fn the_direction_classifier_agrees_on_a_photograph() {
    assert_eq!(
        check("scenarios/real/ppocr_cls.toml", &[]).ledger.tensors,
        566
    );
}

#[test]
fn the_voice_detector_agrees_with_and_without_its_branches() {
    assert_eq!(
        check("scenarios/real/silero_vad_op18_ifless.toml", &[])
            .ledger
            .tensors,
        49
    );
    assert_eq!(
        check("scenarios/real/silero_vad_openvino_16k.toml", &[])
            .ledger
            .tensors,
        169
    );
    assert_eq!(
        check("scenarios/real/silero_vad_sequence.toml", &[])
            .ledger
            .tensors,
        65
    );
}

#[test]
fn branches_that_shapes_decide_are_taken_apart_and_nothing_inside_is_left_out() {
    for (scenario, tensors) in [
        ("silero_vad", 205),
        ("silero_vad_16k_op15", 209),
        ("silero_vad_half", 184),
    ] {
        let ledger = check(&format!("scenarios/real/{scenario}.toml"), &[]).ledger;
        assert_eq!(
            (ledger.tensors, ledger.both_ways),
            (tensors, tensors),
            "{scenario}"
        );
    }
}

#[test]
fn the_voice_detector_agrees_with_the_script_of_its_own_wheel_in_both_engines() {
    for scenario in [
        "scenarios/real/silero_vad_torchscript.toml",
        "scenarios/real/silero_vad_torchscript_libtorch.toml",
    ] {
        assert_eq!(check(scenario, &[]).ledger.compared, 1, "{scenario}");
    }
}

#[test]
fn the_raters_of_speech_agree_through_their_recurrent_layers() {
    assert_eq!(
        check("scenarios/real/aecmos_1663915512.toml", &[])
            .ledger
            .tensors,
        43
    );
    assert_eq!(check("scenarios/real/plcmos.toml", &[]).ledger.tensors, 80);
}

#[test]
fn half_precision_agrees_both_ways_in_every_tensor() {
    for model in ["golden/small/half.onnx", "golden/small/mixed.onnx"] {
        for (seed, threads) in [("0", "1"), ("1", "2"), ("2", "1"), ("3", "2")] {
            let run = check(model, &["--seed", seed, "--threads", threads]);
            assert_eq!(
                run.ledger.both_ways, run.ledger.tensors,
                "{model} seed {seed}"
            );
        }
    }
}

/// A whole loss as a form of its own: places and counts are inputs like any other, and every stage agrees with the kernel, which makes
/// its own of them.
fn check_loss(scenario: &str) {
    for (seed, threads) in [("0", "1"), ("1", "2"), ("2", "1"), ("3", "2")] {
        let run = check(scenario, &["--seed", seed, "--threads", threads]);
        let found: Vec<_> = run
            .verdict
            .stages
            .iter()
            .map(|s| (s.stage, s.outcome))
            .collect();
        let all = [
            Stage::Inputs,
            Stage::Activations,
            Stage::Assign,
            Stage::Loss,
            Stage::Grad,
        ];
        assert_eq!(
            found,
            all.map(|s| (s, Outcome::Agree)),
            "{scenario} seed {seed}"
        );
        let counts: Vec<usize> = run
            .stages
            .assign
            .iter()
            .flat_map(|a| &a.counts)
            .map(|c| c.positives)
            .collect();
        assert!(
            counts.len() == 2 && counts.iter().all(|n| *n > 0),
            "{scenario} seed {seed}: {counts:?} positives"
        );
    }
}

#[test]
fn the_loss_with_dfl_and_giou_agrees_in_every_stage_with_targets_beyond_the_last_bin() {
    check_loss("scenarios/gold_yolo_sml.toml");
}

#[test]
fn the_loss_of_the_first_epochs_agrees_in_every_stage() {
    check_loss("scenarios/gold_yolo_warm_up.toml");
}
