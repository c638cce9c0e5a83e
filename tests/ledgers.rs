//! No tensor is judged fewer ways than it was: a part of the scenarios against what is kept of them (`scripts/ledgers` takes all, at night).

#![cfg(feature = "torch")]

mod support;

use parity::verdict::TensorResult;
use serde_json::Value;
use std::path::Path;
use support::*;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const SOME: [&str; 6] = [
    "real/magika",
    "real/silero_vad_half",
    "real/silero_vad_sequence",
    "control/constant-ulp",
    "control/relu-for-silu-yolox",
    "control/one-inf",
];

/// The ways in which a tensor is judged: accumulated, isolated.
fn ways(t: &TensorResult) -> String {
    let way = |letter: &str, judged: bool| {
        if judged {
            letter.to_string()
        } else {
            String::new()
        }
    };
    way("a", t.accumulated.compared()) + &way("i", t.isolated.compared())
}

#[test]
fn no_tensor_of_some_scenarios_is_judged_fewer_ways_than_is_kept() {
    let kept =
        std::fs::read_to_string(Path::new(ROOT).join("tests/fixtures/ledgers.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    for name in SOME {
        let scenario = format!("scenarios/{name}.toml");
        let before = &kept[&scenario];
        assert!(
            before["tensors"].as_u64().is_some_and(|n| n > 0),
            "nothing is kept of {scenario}"
        );
        let run = Call::new(PARITY, Path::new(ROOT), &["run", &scenario, "--json"])
            .run()
            .json();
        assert!(
            run.tensors.len() as u64 >= before["tensors"].as_u64().unwrap(),
            "{scenario}: {} tensors",
            run.tensors.len()
        );
        for t in &run.tensors {
            let was = before["fewer"][&t.name].as_str().unwrap_or("ai");
            let now = ways(t);
            assert!(
                was.chars().all(|way| now.contains(way)),
                "{scenario}: '{}' was judged '{was}', is judged '{now}'",
                t.name
            );
        }
    }
}
