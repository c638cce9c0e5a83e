//! Whatever reads a file survives every seed of its corpus, every truncated one, and damaged copies of it.

#[path = "parsers/targets.rs"]
mod targets;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;

const DAMAGED: usize = 200;

/// Bytes that are numbers somewhere: lengths, counts, offsets.
const EDGES: [u8; 5] = [0, 1, 0x7f, 0x80, 0xff];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/parsers/corpus")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.iter().map(|f| std::fs::read(f).unwrap()).collect()
}

fn damaged(seed: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rng.random_range(1..5) {
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..4) {
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = EDGES[rng.random_range(0..EDGES.len())],
            2 => drop(bytes.splice(at..at, seed.iter().skip(at).take(9).copied())),
            _ => drop(bytes.drain(at..bytes.len().min(at + 3))),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

fn survives(target: &str) {
    let read = targets::ALL
        .iter()
        .find(|(name, _)| *name == target)
        .unwrap()
        .1;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for seed in seeds(target) {
        read(&seed);
        let step = seed.len().div_ceil(DAMAGED).max(1);
        (0..seed.len()).step_by(step).for_each(|n| read(&seed[..n]));
        (0..DAMAGED).for_each(|_| read(&damaged(&seed, &mut rng)));
    }
}

#[test]
fn a_damaged_scenario_is_an_error() {
    survives("scenario");
}

#[test]
fn a_damaged_model_is_an_error() {
    survives("model");
}

#[test]
fn a_damaged_trace_is_an_error() {
    survives("trace");
}

#[test]
fn a_damaged_index_of_shards_is_an_error() {
    survives("index");
}

#[test]
fn a_damaged_sketch_is_an_error() {
    survives("sketch");
}

#[test]
fn a_damaged_manifest_is_an_error() {
    survives("manifest");
}

#[test]
fn a_damaged_array_is_an_error() {
    survives("array");
}

#[test]
fn a_damaged_checkpoint_is_an_error() {
    survives("checkpoint");
}

#[test]
fn a_damaged_log_is_an_error_or_a_finding() {
    survives("log");
}

#[test]
fn a_damaged_label_map_is_an_error() {
    survives("label_map");
}

#[test]
fn damaged_files_of_a_run_are_errors_or_findings() {
    survives("detections");
}

#[test]
fn a_damaged_image_is_an_error() {
    survives("image");
}

#[test]
fn a_damaged_label_is_an_error() {
    survives("label");
}

#[test]
fn every_reader_has_a_corpus_and_every_corpus_a_reader() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parsers/corpus");
    let mut corpora: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut readers: Vec<_> = targets::ALL
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    corpora.sort();
    readers.sort();
    assert_eq!(corpora, readers);
}

#[test]
fn a_damaged_config_is_an_error_or_a_finding() {
    survives("config");
}
