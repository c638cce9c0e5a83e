//! Files of PyTorch's: each way of saving the same network gives the same tensors, and nothing in a file is ever called. tests/fixtures/checkpoints/make.py wrote them.

mod hostile;
#[path = "../support/mod.rs"]
mod support;

use parity::checkpoint::{self, Scalar};
use std::path::{Path, PathBuf};
use support::*;

fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoints");
    folder.join(name)
}

/// `parity params` of the plain file and another one, in an empty folder.
fn params(file: &Path) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let plain = fixture("plain.safetensors");
    let ran = Call::new(PARITY, dir.path(), &["params", text(&plain), text(file)]).run();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{ran}");
    ran
}

#[test]
fn however_a_network_was_saved_its_parameters_are_the_same() {
    for file in [
        "zip.pt",
        "legacy.pth",
        "whole.pt",
        "lightning.ckpt",
        "hostile.pt",
    ] {
        params(&fixture(file))
            .exits(0)
            .says(&["values of 11 of 11 tensors compared: 11 equal"]);
    }
    params(&fixture("bf16.pt"))
        .exits(1)
        .says(&["1 equal, 10 near"]);
}

#[test]
fn what_is_no_array_is_listed_and_a_command_in_a_file_is_not_run() {
    params(&fixture("lightning.ckpt")).says(&[
        "not read    of the candidate: 'hyper_parameters': an object of __main__.Settings, which is not read",
    ]);
    params(&fixture("hostile.pt")).says(&["'more': an object of posix.system, which is not read"]);
    let held = checkpoint::open(&fixture("lightning.ckpt")).unwrap();
    let seen = held.tensor("callbacks.seen").unwrap().unwrap();
    assert_eq!(seen.to_f64(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(held.model(), "state_dict");
    let moved = held
        .tensors()
        .filter(|(path, _)| path.starts_with("optimizer_states.0.state"));
    assert!(moved.count() > 0);
}

#[test]
fn what_an_optimiser_is_set_to_and_what_trains_is_read_beside_the_tensors() {
    let held = checkpoint::open(&fixture("whole.pt")).unwrap();
    let said = |path: &str| held.scalars.get(path).cloned();
    assert_eq!(said("epoch"), Some(Scalar::Int(3)));
    let rate = "optimizer.param_groups.0.lr";
    assert_eq!(said(rate), Some(Scalar::Float(0.001)));
    let last = "optimizer.param_groups.0.params.5";
    assert_eq!(said(last), Some(Scalar::Int(5)));
    assert_eq!(said("model.stem.1.training"), Some(Scalar::Bool(true)));
    let trains = |name: &str| held.tensors().find(|t| t.0 == name).unwrap().1;
    assert_eq!(trains("model.stem.0.weight").requires_grad, Some(true));
    assert_eq!(trains("model.stem.1.running_mean").requires_grad, None);
}

/// Opens a fixture and reads all of it, with its bytes as `change` leaves them.
fn changed(name: &str, change: impl Fn(&mut Vec<u8>)) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(fixture(name)).unwrap();
    change(&mut bytes);
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let held = checkpoint::open(&path).map_err(|e| e.to_string())?;
    for (path, _) in held.tensors() {
        held.tensor(path).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// Puts `by` in the place of the first `what`.
fn replace(bytes: &mut [u8], what: &[u8], by: &[u8]) {
    let at = bytes.windows(what.len()).position(|w| w == what).unwrap();
    bytes[at..at + by.len()].copy_from_slice(by);
}

#[test]
fn a_file_that_lies_or_is_none_is_an_error_that_says_what() {
    assert_eq!(changed("zip.pt", |_| ()), Ok(()));
    type Change<'a> = &'a dyn Fn(&mut Vec<u8>);
    let cases: [(&str, Change, &str); 4] = [
        ("zip.pt", &|b| b.truncate(b.len() / 2), "no whole zip file"),
        (
            "legacy.pth",
            &|b| b.truncate(b.len() - 9),
            "the file ends at",
        ),
        ("legacy.pth", &|b| b.truncate(300), "ends in the middle"),
        // The first weight has 4 x 3 x 3 x 3 elements.
        (
            "zip.pt",
            &|b| replace(b, b"(K\x04K\x03K\x03K\x03t", b"(K\xffK\x03K\x03K\x03t"),
            "reach beyond the 108 elements",
        ),
    ];
    for (name, change, words) in cases {
        let says = changed(name, change).unwrap_err();
        assert!(says.contains(words), "{name}: {says}");
    }
    let no = fixture("no.pkl");
    let says = checkpoint::open(&no).err().unwrap().to_string();
    assert!(
        says.contains("neither of the two that torch.save writes"),
        "{says}"
    );
}
