//! What a user feeds: files as other programs write them, from whatever folder, and words on the command line that do not apply.

#[allow(dead_code)]
mod support;

use parity::graph::proto::*;
use std::path::Path;
use support::*;

/// y = x + w, w in a file beside the model.
fn external(location: &str) -> ModelProto {
    let entry = |k: &str, v: &str| StringStringEntryProto { key: Some(k.into()), value: Some(v.into()) };
    let w = TensorProto { data_location: Some(1), external_data: vec![entry("location", location)], ..weight("w", &[2], &[]) };
    onnx(port("x", F32, &[2]), vec![node("Add", "add", &["x", "w"], &["y"])], vec![w])
}

fn write_weights(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, [1.5f32, -2.0].map(f32::to_le_bytes).concat()).unwrap();
}

#[cfg(unix)]
#[test]
fn external_data_is_found_from_wherever_the_model_is_named() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let (models, work) = (dir.path().join("models"), dir.path().join("work"));
    for folder in [&models, &work] {
        std::fs::create_dir(folder).unwrap();
    }
    write_model(&models, "m.onnx", &external("w.bin"));
    write_model(&models, "deep.onnx", &external("sub/w.bin"));
    write_weights(&models.join("w.bin"));
    write_weights(&models.join("sub/w.bin"));
    symlink(models.join("m.onnx"), work.join("linked.onnx")).unwrap();
    symlink(&models, work.join("folder")).unwrap();
    // As a cache of downloads keeps them: the model and its data are links to files that lie together elsewhere.
    let snapshot = dir.path().join("snapshot");
    std::fs::create_dir(&snapshot).unwrap();
    symlink(models.join("m.onnx"), snapshot.join("m.onnx")).unwrap();
    symlink(models.join("w.bin"), snapshot.join("w.bin")).unwrap();
    let absolute = models.join("m.onnx");
    for (from, name) in [
        (&models, "m.onnx"),
        (&models, "./m.onnx"),
        (&models, "deep.onnx"),
        (&work, "../models/m.onnx"),
        (&work, text(&absolute)),
        (&work, "linked.onnx"),
        (&work, "folder/m.onnx"),
        (&work, "folder/deep.onnx"),
        (&snapshot, "m.onnx"),
        (&snapshot, "./m.onnx"),
    ] {
        Call::new(PARITY, from, &["map", name]).run().exits(0).says(&["parameters 2"]);
    }
}

#[cfg(unix)]
#[test]
fn external_data_outside_of_the_models_folder_stays_refused_from_a_bare_name() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    write_weights(&dir.path().join("secret"));
    write_weights(&models.join("w.bin"));
    symlink(dir.path().join("secret"), models.join("out")).unwrap();
    symlink(dir.path(), models.join("up")).unwrap();
    let absolute = dir.path().join("secret");
    for location in ["../secret", "sub/../../secret", text(&absolute), "out", "up/secret"] {
        write_model(&models, "m.onnx", &external(location));
        for name in ["m.onnx", "./m.onnx"] {
            Call::new(PARITY, &models, &["map", name]).run().refuses(2, &["'w'", location, "refused"]);
        }
    }
    write_model(&models, "m.onnx", &external("gone.bin"));
    Call::new(PARITY, &models, &["map", "m.onnx"]).run().refuses(2, &["'w'", "gone.bin", "No such file"]);
}
