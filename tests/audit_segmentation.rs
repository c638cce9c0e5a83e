//! `parity audit segmentation`: story 4 and its like. Sets of maps are drawn, faults are put into them by file, row and amount; each is found alone and with all others, and what is odd but legal is not.

mod support;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::path::{Path, PathBuf};
use support::*;

const CLASSES: u32 = 37;
const SIZE: (usize, usize) = (24, 32);
const IMAGES: usize = 24;

/// A number below `n`.
fn below(rng: &mut ChaCha8Rng, n: u32) -> u32 {
    rng.next_u32() % n
}

/// Maps of labels and predictions, in memory until they are written.
#[derive(Clone)]
struct Set {
    labels: Vec<Vec<u16>>,
    predictions: Vec<Vec<u16>>,
}

/// Scenes of blocks whose classes depend on their place, and predictions that miss a tenth.
fn drawn(rng: &mut ChaCha8Rng, images: usize, classes: u32) -> Set {
    let (h, w) = SIZE;
    let scene = |rng: &mut ChaCha8Rng| {
        let mut all = vec![0; h * w];
        for block in 0..20 {
            let class = ((block * 2 + below(rng, 2)) % classes) as u16;
            let (y, x) = (below(rng, h as u32) as usize, below(rng, w as u32) as usize);
            for row in y..(y + 8).min(h) {
                all[row * w + x..(row * w) + (x + 9).min(w)].fill(class);
            }
        }
        all
    };
    let labels: Vec<Vec<u16>> = (0..images).map(|_| scene(rng)).collect();
    let predict = |rng: &mut ChaCha8Rng, label: &Vec<u16>| {
        let mut out = label.clone();
        for v in &mut out {
            if below(rng, 10) == 0 {
                *v = below(rng, classes) as u16;
            }
        }
        out
    };
    let predictions = labels.iter().map(|l| predict(rng, l)).collect();
    Set {
        labels,
        predictions,
    }
}

fn png(
    path: &Path,
    (h, w): (usize, usize),
    color: png::ColorType,
    depth: png::BitDepth,
    bytes: &[u8],
) {
    let file = std::fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, w as u32, h as u32);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == png::ColorType::Indexed {
        encoder.set_palette((0..768).map(|i| (i * 31 % 256) as u8).collect::<Vec<u8>>());
    }
    encoder
        .write_header()
        .unwrap()
        .write_image_data(bytes)
        .unwrap();
}

fn gray(path: &Path, size: (usize, usize), values: &[u16]) {
    let bytes: Vec<u8> = values.iter().map(|v| *v as u8).collect();
    png(
        path,
        size,
        png::ColorType::Grayscale,
        png::BitDepth::Eight,
        &bytes,
    );
}

fn npy(path: &Path, descr: &str, shape: &str, data: &[u8]) {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let text = format!(
        "{text:<width$}\n",
        width = (text.len() + 11).div_ceil(64) * 64 - 11
    );
    let len = (text.len() as u16).to_le_bytes();
    std::fs::write(
        path,
        [b"\x93NUMPY\x01\0", &len[..], text.as_bytes(), data].concat(),
    )
    .unwrap();
}

/// A folder with `labels` and `predictions` below it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for side in ["labels", "predictions"] {
            std::fs::create_dir(dir.path().join(side)).unwrap();
        }
        Self(dir)
    }

    fn of(set: &Set) -> Self {
        let out = Self::new();
        for (side, maps) in [("labels", &set.labels), ("predictions", &set.predictions)] {
            for (i, map) in maps.iter().enumerate() {
                gray(&out.file(side, i), SIZE, map);
            }
        }
        out
    }

    fn file(&self, side: &str, i: usize) -> PathBuf {
        self.0.path().join(side).join(format!("{i:03}.png"))
    }

    fn audit(&self, more: &[&str]) -> Ran {
        let args = [
            "audit",
            "segmentation",
            "--predictions",
            "predictions",
            "--labels",
            "labels",
        ];
        Call::new(PARITY, self.0.path(), &[&args, more].concat()).run()
    }
}

/// A fault put into a file: what it is called, and how it gets there.
type Fault = (&'static str, fn(&Folder, &Set, usize, &mut ChaCha8Rng));

/// Faults that lie in one file.
const OF_A_FILE: [Fault; 9] = [
    ("out_of_range", |f, set, i, rng| {
        let mut map = set.labels[i].clone();
        let at = below(rng, map.len() as u32) as usize;
        map[at] = 37;
        gray(&f.file("labels", i), SIZE, &map);
    }),
    ("out_of_range", |f, set, i, rng| {
        let mut map = set.predictions[i].clone();
        let at = below(rng, map.len() as u32) as usize;
        map[at] = 38 + below(rng, 100) as u16;
        gray(&f.file("predictions", i), SIZE, &map);
    }),
    ("unreadable", |f, _, i, rng| {
        let bytes = std::fs::read(f.file("labels", i)).unwrap();
        let kept = 40 + below(rng, bytes.len() as u32 / 2) as usize;
        std::fs::write(f.file("labels", i), &bytes[..kept]).unwrap();
    }),
    ("unreadable", |f, _, i, _| {
        std::fs::write(f.file("predictions", i), b"").unwrap()
    }),
    ("unreadable", |f, _, i, _| {
        let bytes = vec![7; SIZE.0 * SIZE.1 * 3];
        png(
            &f.file("labels", i),
            SIZE,
            png::ColorType::Rgb,
            png::BitDepth::Eight,
            &bytes,
        );
    }),
    ("unpaired", |f, _, i, _| {
        std::fs::remove_file(f.file("predictions", i)).unwrap()
    }),
    ("unpaired", |f, _, i, _| {
        std::fs::remove_file(f.file("labels", i)).unwrap()
    }),
    ("size_differs", |f, set, i, rng| {
        let rows = 1 + below(rng, SIZE.0 as u32 - 1) as usize;
        gray(
            &f.file("predictions", i),
            (rows, SIZE.1),
            &set.predictions[i][..rows * SIZE.1],
        );
    }),
    ("unreadable", |f, _, i, _| {
        std::fs::remove_file(f.file("predictions", i)).unwrap();
        let data: Vec<u8> = std::iter::repeat_n(0.5f32.to_le_bytes(), 768)
            .flatten()
            .collect();
        npy(
            &f.file("predictions", i).with_extension("npy"),
            "<f4",
            "(24, 32)",
            &data,
        );
    }),
];

#[test]
fn a_fault_in_one_file_is_found_alone_and_with_all_others() {
    for seed in 0..4 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let set = drawn(&mut rng, IMAGES, CLASSES);
        let all = Folder::of(&set);
        // Every fault has a file of its own.
        let first = below(&mut rng, IMAGES as u32) as usize;
        for (n, (kind, put)) in OF_A_FILE.iter().enumerate() {
            let i = (first + n * 2) % IMAGES;
            let name = format!("{i:03}");
            let alone = Folder::of(&set);
            put(&alone, &set, i, &mut rng);
            put(&all, &set, i, &mut rng);
            let ran = alone.audit(&["--classes", "37", "--ignore", "-1"]);
            ran.exits(1).says(&[&format!("[{kind}]"), &name]);
        }
        let ran = all
            .audit(&["--classes", "37", "--ignore", "-1", "--json"])
            .exits(1);
        let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let text = found["findings"].to_string();
        for (n, (kind, _)) in OF_A_FILE.iter().enumerate() {
            let name = format!("{:03}", (first + n * 2) % IMAGES);
            assert!(
                text.contains(kind) && text.contains(&name),
                "{kind} {name}: {text}"
            );
        }
    }
}

#[test]
fn a_fault_of_all_predictions_is_found() {
    let every = |set: &Set, f: &dyn Fn(&[u16]) -> Vec<u16>| Set {
        labels: set.labels.clone(),
        predictions: set.predictions.iter().map(|p| f(p)).collect(),
    };
    for seed in 10..14 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let set = drawn(&mut rng, 4, CLASSES);
        let to = below(&mut rng, CLASSES) as u16;
        let collapsed = every(&set, &|p| vec![to; p.len()]);
        let flipped = every(&set, &|p| {
            p.chunks(SIZE.1)
                .flat_map(|r| r.iter().rev().copied())
                .collect()
        });
        let low = every(&set, &|p| p.iter().map(|v| v.saturating_sub(1)).collect());
        let few = every(&set, &|p| {
            p.iter().map(|v| u16::from(*v > 20) * 20).collect()
        });
        for (kind, set, code) in [
            ("collapse", collapsed, 1),
            ("turned", flipped, 1),
            ("off_by_one", low, 1),
            ("few_classes", few, 0),
        ] {
            let ran = Folder::of(&set).audit(&["--classes", "37"]);
            ran.exits(code).says(&[&format!("[{kind}]"), "predictions"]);
        }
    }
}

#[test]
fn a_fault_of_all_labels_is_found() {
    let mut rng = ChaCha8Rng::seed_from_u64(20);
    let mut set = drawn(&mut rng, 4, CLASSES);
    set.labels.iter_mut().for_each(|l| l.fill(255));
    let ran = Folder::of(&set).audit(&["--classes", "37", "--ignore", "255"]);
    ran.exits(1).says(&["[all_ignored]", "[ignored]"]);
    for (at, v) in set.labels.iter_mut().flatten().enumerate() {
        *v = if at % 3 == 0 { 0 } else { 255 };
    }
    let ran = Folder::of(&set).audit(&["--classes", "2", "--ignore", "255"]);
    ran.exits(1).says(&["[zero_or_255]"]);
}

/// Story 4: a mean that stays at 2.70 %, and why.
#[test]
fn the_number_that_was_seen_is_explained() {
    let mut rng = ChaCha8Rng::seed_from_u64(30);
    let set = drawn(&mut rng, 4, CLASSES);
    let right = Folder::of(&set);
    right.audit(&["--classes", "37", "--seen", "2.70"]).exits(0).says(&[
        "2.70 is mean accuracy (recall), absent classes counted as 0 of a collapse to any class that occurs",
        "of these predictions the nearest is",
    ]);
    let collapsed = Folder::of(&Set {
        predictions: vec![vec![4; SIZE.0 * SIZE.1]; 4],
        ..set
    });
    collapsed
        .audit(&["--classes", "37", "--seen", "2.70"])
        .exits(1)
        .says(&[
            "[collapse]",
            "2.70 is mean accuracy (recall), absent classes counted as 0",
            "it is no mean IoU",
        ]);
    let nothing = |args: &[&str]| {
        Call::new(
            PARITY,
            right.0.path(),
            &[&["audit", "segmentation"], args].concat(),
        )
        .run()
    };
    nothing(&["--classes", "37", "--seen", "2.70"])
        .exits(0)
        .says(&["mean accuracy over 37 classes of a collapse"]);
    nothing(&["--classes", "37", "--seen", "13.51"])
        .exits(0)
        .says(&["perfect prediction of 5 of 37"]);
    nothing(&["--classes", "37", "--seen", "99.99"])
        .exits(4)
        .says(&["no public formula gives 99.99"]);
    nothing(&["--classes", "37", "--seen", "much"]).refuses(2, &["'much' is no number"]);
    nothing(&["--classes", "37"]).refuses(2, &["nothing to look at"]);
    right.audit(&[]).refuses(2, &["--classes N"]);
}

#[test]
fn a_given_matrix_is_judged_and_held_against_the_maps() {
    let set = Set {
        labels: vec![[vec![0; 384], vec![1; 384]].concat()],
        predictions: vec![[vec![0; 380], vec![1; 388]].concat()],
    };
    let folder = Folder::of(&set);
    let write = |text: &str| std::fs::write(folder.0.path().join("m.json"), text).unwrap();
    let held = |code, words: &[&str]| {
        folder
            .audit(&["--matrix", "m.json"])
            .exits(code)
            .says(words);
    };
    write("[[380, 4], [0, 384]]");
    held(0, &["[matrix_equal]"]);
    write("[[380, 0], [4, 384]]");
    held(1, &["[matrix_transposed]"]);
    folder
        .audit(&["--matrix", "m.json", "--rows-are-predictions"])
        .exits(0)
        .says(&["[matrix_equal]"]);
    write("[[380, 4], [1, 384]]");
    held(1, &["[matrix_differs]", "1 of 4 counts differ"]);
    write(r#"{"confusion": [[0, 0], [0, 0]]}"#);
    held(1, &["[matrix_empty]"]);
    let alone = || {
        Call::new(
            PARITY,
            folder.0.path(),
            &["audit", "segmentation", "--matrix", "m.json"],
        )
        .run()
    };
    alone().exits(1).says(&["the confusion matrix is empty"]);
    write("[[380, 4], [0, 384]]");
    alone()
        .exits(0)
        .says(&["mIoU is 98.96 % over the 2 classes that occur"]);
    write("[[1.5, 4], [0, 384]]");
    alone().refuses(2, &["row 0, column 0: 1.5 is no count"]);
}

/// Nothing but notes.
fn clean(ran: Ran) {
    let ran = ran.exits(0);
    for word in ["fault:", "risk:", "could not be checked:"] {
        assert!(!ran.out.contains(word), "{ran}");
    }
    assert!(ran.out.contains("[miou]"), "{ran}");
}

#[test]
fn what_is_odd_but_legal_is_not_found_fault_with_as_png() {
    use png::{BitDepth, ColorType};
    let mut rng = ChaCha8Rng::seed_from_u64(40);
    for classes in [37, 16, 4, 2] {
        let set = drawn(&mut rng, 3, classes);
        let n = classes.to_string();
        clean(Folder::of(&set).audit(&["--classes", &n]));
        let packed = |map: &[u16], bits: usize| -> Vec<u8> {
            let byte = |some: &[u16]| some.iter().fold(0u16, |b, v| (b << bits) | *v) as u8;
            map.chunks(8 / bits).map(byte).collect()
        };
        let wide = |map: &[u16]| {
            map.iter()
                .flat_map(|v| v.to_be_bytes())
                .collect::<Vec<u8>>()
        };
        let folder = Folder::of(&set);
        for (i, map) in set.labels.iter().enumerate() {
            let (color, depth, bytes) = match (classes, i) {
                (37, 0) => (ColorType::Grayscale, BitDepth::Sixteen, wide(map)),
                (16, 0) => (ColorType::Indexed, BitDepth::Four, packed(map, 4)),
                (4, 0) => (ColorType::Grayscale, BitDepth::Two, packed(map, 2)),
                (2, 0) => (ColorType::Indexed, BitDepth::One, packed(map, 1)),
                _ => (ColorType::Indexed, BitDepth::Eight, packed(map, 8)),
            };
            png(&folder.file("labels", i), SIZE, color, depth, &bytes);
        }
        std::fs::write(folder.0.path().join("labels/.hidden.png"), b"").unwrap();
        std::fs::write(folder.0.path().join("labels/classes.txt"), b"road").unwrap();
        clean(folder.audit(&["--classes", &n]));
    }
}

#[test]
fn what_is_odd_but_legal_is_not_found_fault_with_otherwise() {
    let mut rng = ChaCha8Rng::seed_from_u64(50);
    let set = drawn(&mut rng, 3, CLASSES);
    // A seventh is ignored, one map wholly; predictions may be the ignored value.
    let mut some = set.clone();
    some.labels[2].fill(255);
    some.labels[..2]
        .iter_mut()
        .flatten()
        .step_by(7)
        .for_each(|v| *v = 255);
    some.predictions[0][5] = 255;
    clean(Folder::of(&some).audit(&["--classes", "37", "--ignore", "255"]));
    // Only 5 of 37 occur, all right.
    let mut perfect = set.clone();
    perfect
        .labels
        .iter_mut()
        .flatten()
        .for_each(|v| *v = *v % 5 * 7);
    perfect.predictions = perfect.labels.clone();
    clean(Folder::of(&perfect).audit(&["--classes", "37"]));
    clean(Folder::of(&perfect).audit(&["--classes", "37", "--seen", "100.0"]));
    // Label 0 is no class.
    let mut reduced = set.clone();
    reduced.labels.iter_mut().flatten().for_each(|v| *v += 1);
    clean(Folder::of(&reduced).audit(&["--classes", "37", "--reduce-zero-label"]));
    // Arrays: whole batches, a single map, logits; sizes that differ from map to map.
    let folder = Folder::new();
    let at = |side: &str, name: &str| folder.0.path().join(side).join(name);
    let all: Vec<u16> = set.labels.concat();
    npy(
        &at("labels", "batch.npy"),
        "<i8",
        "(3, 24, 32)",
        &all.iter()
            .flat_map(|v| i64::from(*v).to_le_bytes())
            .collect::<Vec<u8>>(),
    );
    let all: Vec<u16> = set.predictions.concat();
    npy(
        &at("predictions", "batch.npy"),
        ">u2",
        "(3, 1, 24, 32)",
        &all.iter()
            .flat_map(|v| v.to_be_bytes())
            .collect::<Vec<u8>>(),
    );
    gray(&at("labels", "b.png"), (2, 2), &[0, 1, 2, 3]);
    gray(&at("predictions", "b.png"), (2, 2), &[0, 1, 2, 3]);
    clean(folder.audit(&["--classes", "37"]));
    let plane = |p: &[u16], c: u16| {
        p.iter()
            .flat_map(|v| f32::from(*v == c).to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let logits: Vec<u8> = set
        .predictions
        .iter()
        .flat_map(|p| (0..37).flat_map(|c| plane(p, c)).collect::<Vec<u8>>())
        .collect();
    npy(
        &at("predictions", "batch.npy"),
        "<f4",
        "(3, 37, 24, 32)",
        &logits,
    );
    clean(folder.audit(&["--classes", "37"]));
}

#[test]
fn a_hostile_file_is_said_and_ends_nothing() {
    let mut rng = ChaCha8Rng::seed_from_u64(60);
    let folder = Folder::of(&drawn(&mut rng, 3, CLASSES));
    // A header of 65535 x 65535 pixels without any, a header of an array that is not there, a link to itself.
    let bomb = std::fs::File::create(folder.file("predictions", 0)).unwrap();
    let encoder = png::Encoder::new(bomb, 65535, 65535);
    drop(encoder.write_header().unwrap());
    let lies = folder.0.path().join("predictions/lies.npy");
    npy(&lies, "<f4", "(4294967295, 4294967295)", &[]);
    let itself = folder.0.path().join("predictions/itself.png");
    std::os::unix::fs::symlink(&itself, &itself).unwrap();
    let ran = folder.audit(&["--classes", "37"]);
    ran.exits(1).says(&[
        "[unreadable]",
        "1 more cannot be read",
        "no PNG that can be read",
    ]);
}
