//! targets: every reader of a file, asked for all that it can tell about the bytes; any answer will do, a panic or a hang will not.

#![allow(dead_code, reason = "each fuzz binary calls one of them")]

use parity::audit::Asked;
use parity::audit::config::{Config, Form};
use parity::audit::log::{Held, Log};
use parity::audit::record::Record;
use parity::dataset;
use parity::golden::sketch::Settings;
use parity::golden::{manifest, pack};
use parity::graph::{cost, cut, load, params};
use parity::input::label_map::Maps;
use parity::tensor::DType;
use parity::trace::file;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

type Reader = fn(&[u8]);

/// Name of the target, which is that of its corpus, and the reader.
pub const ALL: [(&str, Reader); 14] = [
    ("scenario", scenario),
    ("model", model),
    ("trace", trace),
    ("index", index),
    ("sketch", sketch),
    ("manifest", manifest),
    ("array", array),
    ("checkpoint", checkpoint),
    ("log", log),
    ("label_map", label_map),
    ("detections", detections),
    ("image", image),
    ("label", label),
    ("config", config),
];

/// Scenario TOML.
pub fn scenario(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = parity::scenario::load::parse(text);
    }
}

/// An ONNX model: loaded, counted, and written again for an engine.
pub fn model(bytes: &[u8]) {
    let Ok(graph) = load::parse(bytes::Bytes::copy_from_slice(bytes), None) else {
        return;
    };
    let _ = (
        params::per_module(&graph),
        params::total(&graph),
        params::list(&graph).len(),
    );
    let _ = (
        graph.ancestors(
            &graph
                .outputs
                .iter()
                .map(|p| p.name.clone())
                .collect::<Vec<_>>(),
        ),
        graph.last_uses().len(),
    );
    for node in graph.steps.iter().flat_map(|s| &s.nodes) {
        let _ = (
            cost::macs(node, &[Some(&[1, 2, 3][..]), None], &[1, 2]),
            cut::outer_names(node),
        );
    }
    let _ = load::parse(cut::whole(&graph, &[]).into(), None);
}

/// Safetensors with parity's header: every tensor is read.
pub fn trace(bytes: &[u8]) {
    read(&write("trace.safetensors", bytes));
}

/// The index of a sharded checkpoint, beside one good shard.
pub fn index(bytes: &[u8]) {
    let shard = include_bytes!("../fixtures/trace.safetensors");
    static SHARD: OnceLock<PathBuf> = OnceLock::new();
    SHARD.get_or_init(|| write("shard.safetensors", shard));
    read(&write("model.safetensors.index.json", bytes));
}

/// The sketch `x` in a golden's file of sketches.
pub fn sketch(bytes: &[u8]) {
    let Ok(open) = file::open(&write("sketches.safetensors", bytes)) else {
        return;
    };
    for shape in [&[1, 3, 8, 8][..], &[64], &[0], &[usize::MAX, 2]] {
        for dtype in [DType::F32, DType::I64] {
            let _ = pack::unpack(&open, "x", dtype, shape, Settings::default());
        }
    }
}

/// A golden's manifest.
pub fn manifest(bytes: &[u8]) {
    if let Ok(Ok(read)) = std::str::from_utf8(bytes).map(manifest::read) {
        let _ = (read.facts(), read.text());
    }
}

/// A `.npy` array given as input.
pub fn array(bytes: &[u8]) {
    let _ = parity::input::file::load(&write("x.npy", bytes), "x");
}

/// A file of PyTorch's: every tensor is read.
pub fn checkpoint(bytes: &[u8]) {
    let Ok(open) = parity::checkpoint::open(&write("x.pt", bytes)) else {
        return;
    };
    for (name, _) in open.tensors() {
        let _ = open.tensor(name);
    }
}

/// A label map as PNG, its values as they are stored.
pub fn label_map(bytes: &[u8]) {
    let Ok(mut maps) = Maps::open(&write("x.png", bytes), Some(3)) else {
        return;
    };
    let names: Vec<String> = maps.names().map(String::from).collect();
    for name in names {
        let _ = maps.get(&name, Some(3));
    }
}

/// Objects, detections, settings and epochs of a run: each file in turn is what is read, the others are good.
pub fn detections(bytes: &[u8]) {
    let good = [
        ("args.yaml", "imgsz: 640\nepochs: 2\n"),
        ("results.csv", "epoch,metrics/mAP50(B)\n1,0.1\n2,0.2\n"),
        ("predictions.json", "[]"),
        (
            "truth.json",
            "{\"images\": [{\"id\": 1}], \"annotations\": [], \"categories\": [{\"id\": 0}]}",
        ),
    ];
    for (name, _) in good {
        let paths = good.map(|(own, text)| match own == name {
            true => write(own, bytes),
            false => write(own, text.as_bytes()),
        });
        let record = Record {
            run: paths[0].parent().map(PathBuf::from).unwrap_or_default(),
            truth: Some(paths[3].clone()),
            ..Record::default()
        };
        let _ = record.run(&mut parity::watch::Silent);
    }
}

/// An image: its header, its pixels, and as a label map.
pub fn image(bytes: &[u8]) {
    let path = write("x.png", bytes);
    let _ = dataset::header::read(&path);
    let _ = dataset::pixels::marks(&path);
    let _ = dataset::label_map::read(&path);
}

/// A label of YOLO's, COCO's and VOC's, and a data yaml.
pub fn label(bytes: &[u8]) {
    for keypoints in [None, Some(8)] {
        let _ = dataset::yolo::read(bytes, keypoints);
    }
    let _ = dataset::voc::read(bytes);
    let path = write("x.json", bytes);
    let _ = dataset::coco::load(&path);
    let _ = dataset::declared::load(&path);
}

/// A config of mmengine's, which is source of classes as well, and a yaml of ultralytics': printed and audited.
pub fn config(bytes: &[u8]) {
    for name in ["config/c.py", "config/args.yaml"] {
        let config = write(name, bytes);
        let folder = config.parent().map(PathBuf::from).unwrap_or_default();
        let asked = Config {
            rule: vec!["lr = 0.1".into()],
            source: vec![folder.clone()],
            root: Some(folder),
            config,
            ..Config::default()
        };
        for print in [None, Some(Form::Json), Some(Form::Python)] {
            let _ = Config {
                print,
                ..asked.clone()
            }
            .run(&mut parity::watch::Silent);
        }
    }
}

fn read(path: &Path) {
    let Ok(open) = file::open(path) else { return };
    for name in open.ordered() {
        let _ = open.tensor(name);
    }
}

/// A training's log of any form, and all that the audit says of it.
pub fn log(bytes: &[u8]) {
    let Ok(log) = parity::training_log::parse(bytes) else {
        return;
    };
    let held = [Held::of("log", log)];
    let asked = Log {
        overfit: true,
        expect: vec!["loss".into()],
        milestone: "mAP > 1 % at end".parse().into_iter().collect(),
        ..Log::default()
    };
    let _ = asked.findings(&held, Some(&held[0]));
}

/// The bytes as a file of this process.
fn write(name: &str, bytes: &[u8]) -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder for temporary files"));
    let path = folder.path().join(name);
    let _ = path.parent().map(std::fs::create_dir_all);
    std::fs::write(&path, bytes).expect("room for a temporary file");
    path
}
