//! `parity audit record`: story 3. Two runs are generated with results.csv, args.yaml, detections and a truth; faults are put into them, each alone and all at once.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use support::*;

const CLASSES: usize = 10;
const IMAGES: usize = 12;
const EPOCHS: usize = 300;
/// Sides of objects: small, medium, large.
const SIDES: [f64; 3] = [20.0, 60.0, 150.0];

/// A folder with `run`, `base`, truth.json and declared.toml.
struct Folder(tempfile::TempDir);

impl Folder {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn change(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no '{from}'");
        self.write(name, &text.replacen(from, to, 1));
    }

    fn audit(&self, more: &[&str]) -> Ran {
        Call::new(
            PARITY,
            self.0.path(),
            &[&["audit", "record", "run"], more].concat(),
        )
        .run()
    }

    fn whole(&self) -> Ran {
        self.audit(&[
            "--baseline",
            "base",
            "--declared",
            "declared.toml",
            "--truth",
            "truth.json",
        ])
    }
}

/// Every object: image, class, box.
fn objects() -> Vec<(usize, usize, [f64; 4])> {
    let of = |i: usize| {
        let side = SIDES[i % 3];
        // Each in a place of its own.
        let (column, row) = (i / IMAGES % 8, i / IMAGES / 8);
        (
            i % IMAGES,
            (i * 7 + i / 12) % CLASSES,
            [158.0 * column as f64, 142.0 * row as f64, side, side],
        )
    };
    (0..IMAGES * 40).map(of).collect()
}

fn truth() -> Value {
    let annotation = |(i, (image, class, bbox)): (usize, (usize, usize, [f64; 4]))| json!({"id": i + 1, "image_id": image, "category_id": class, "bbox": bbox, "area": bbox[2] * bbox[3], "iscrowd": 0});
    json!({
        "images": (0..IMAGES).map(|i| json!({"id": i, "file_name": format!("{i:04}.jpg"), "width": 1280, "height": 720})).collect::<Vec<_>>(),
        "categories": (0..CLASSES).map(|c| json!({"id": c, "name": format!("class{c}")})).collect::<Vec<_>>(),
        "annotations": objects().into_iter().enumerate().map(annotation).collect::<Vec<_>>(),
    })
}

/// Detections that miss one of `miss` objects of each size.
fn detections(miss: [usize; 3]) -> Value {
    let all = objects()
        .into_iter()
        .enumerate()
        .filter(|(i, _)| (i / 3) % miss[i % 3] != 0);
    let one = |(i, (image, class, bbox)): (usize, (usize, usize, [f64; 4]))| json!({"image_id": image, "category_id": class, "bbox": bbox, "score": 0.5 + (i % 97) as f64 / 200.0});
    Value::Array(all.map(one).collect())
}

fn results(map: f64) -> String {
    let mut out = "epoch,time,train/box_loss,train/cls_loss,train/dfl_loss,metrics/precision(B),metrics/recall(B),metrics/mAP50(B),metrics/mAP50-95(B),val/box_loss,val/cls_loss,val/dfl_loss,lr/pg0\n".to_string();
    for e in 1..=EPOCHS {
        let x = 1.0 - (-(e as f64) / 40.0).exp();
        out += &format!(
            "{e},{},{:.5},{:.5},1.1,{:.5},{:.5},{:.5},{:.5},{:.5},{:.5},1.2,0.01\n",
            e * 60,
            2.0 - x,
            3.0 - 2.0 * x,
            0.5 * x,
            0.4 * x,
            map * x,
            0.6 * map * x,
            2.2 - x,
            3.1 - 2.0 * x
        );
    }
    out
}

const ARGS: &str = "task: detect\nmodel: yolo12n-rgbd.yaml\ndata: visdrone.yaml\nepochs: 300\npatience: 100\nbatch: 16\nimgsz: 640\ndevice: '0'\nlr0: 0.01\nseed: 0\nmosaic: 1.0\nname: NAME\nsize_weights: WEIGHTS\n";

const DECLARED: &str = r#"
[targets]
map50 = "> 42"
small = "> 33"
fps = "> 30"
[next]
reached = "go on to the next scale"
partly = "weight 2.5"
not = "another strategy"
[change]
keys = ["size_weights"]
file = "loss.py"
class = "v8DetectionLoss"
method = "__call__"
lines = "200-230"
what = "GT below 32² x 2.0, 32²-96² x 1.5"
[measured.run]
fps = 34.8
parameters = 2700000
gflops = 11.95
[measured.baseline]
fps = 35.1
parameters = 2700000
gflops = 11.95
[facts]
command = "yolo train cfg=run.yaml"
begin = "2025-07-01 09:00"
end = "2025-07-02 04:00"
status = "completed"
commit = "abc1234"
versions = "ultralytics 8.3.155, torch 2.7"
train_images = "6471"
val_images = "12"
preprocessing = "depth by a stereo network, 0 ... 255"
author = "somebody"
"#;

/// Two runs of which the second finds more small objects, and as many others.
fn clean() -> Folder {
    let folder = Folder(tempfile::tempdir().unwrap());
    for (side, weights, miss, map) in [
        ("run", "true", [4, 9, 9], 0.43),
        ("base", "false", [3, 9, 9], 0.41),
    ] {
        fs::create_dir(folder.path(side)).unwrap();
        folder.write(
            &format!("{side}/args.yaml"),
            &ARGS.replace("NAME", side).replace("WEIGHTS", weights),
        );
        folder.write(&format!("{side}/results.csv"), &results(map));
        folder.write(
            &format!("{side}/predictions.json"),
            &detections(miss).to_string(),
        );
    }
    folder.write("truth.json", &truth().to_string());
    folder.write("declared.toml", DECLARED);
    folder
}

/// Nothing but notes.
fn silent(ran: Ran) -> Ran {
    let ran = ran.exits(0);
    for word in ["fault:", "risk:", "could not be checked:"] {
        assert!(!ran.out.contains(word), "{ran}");
    }
    ran
}

#[test]
fn a_run_that_reached_its_targets_has_a_record_without_a_fault() {
    silent(clean().whole()).says(&[
        "reached: AP@0.5 of small objects gains",
        "go on to the next scale",
        "1 keys differ, all of them declared",
        "parameters are unchanged: 2700000",
        "all 300 epochs were run, 5.000 h",
        "the best epoch is 300 of 300",
        "12 validation images, 12 declared",
        "sizes differ between pixels of the image and of the network",
        "loss.py",
        "v8DetectionLoss",
        "stereo network",
        "AP@0.5 by class and size in pixels of the network",
    ]);
}

/// A fault: its kind, the exit code, words of the place or the numbers, and how it gets there.
type Fault = (&'static str, i32, &'static str, fn(&Folder));

/// The code of a run beside that of its baseline, in one file and in two.
const CODE: [&str; 2] = [
    "--- a/utils/loss.py\n+++ b/utils/loss.py\n@@ -1 +1,2 @@\n-a\n+b\n+c\n",
    "--- a/data.py\n+++ b/data.py\n@@ -7,0 +8 @@\n+more = True\n",
];

fn compared(f: &Folder, code: &str) {
    f.write("code.diff", code);
    f.change(
        "declared.toml",
        "[change]",
        "[change]\ndiff = \"code.diff\"",
    );
}

const FAULTS: [Fault; 15] = [
    ("undeclared_code", 1, "code.diff: data.py", |f| {
        compared(f, &CODE.concat())
    }),
    (
        "undeclared_difference",
        1,
        "lr0: 0.02, the baseline 0.01",
        |f| f.change("run/args.yaml", "lr0: 0.01", "lr0: 0.02"),
    ),
    ("change_missing", 1, "run/args.yaml: size_weights", |f| {
        f.change("run/args.yaml", "size_weights: true", "size_weights: false")
    }),
    ("outcome", 1, "another strategy", |f| {
        f.write("run/predictions.json", &detections([3, 9, 9]).to_string())
    }),
    ("target", 1, "images a second is 25.00, wanted > 30", |f| {
        f.change("declared.toml", "fps = 34.8", "fps = 25")
    }),
    (
        "changed",
        1,
        "parameters differ: 2800000, the baseline 2700000",
        |f| {
            f.change(
                "declared.toml",
                "parameters = 2700000",
                "parameters = 2800000",
            )
        },
    ),
    (
        "changed",
        1,
        "GFLOPs differ: 12.5, the baseline 11.95",
        |f| f.change("declared.toml", "gflops = 11.95", "gflops = 12.5"),
    ),
    ("unknown_image", 1, "base/predictions.json", |f| {
        f.change("base/predictions.json", "\"image_id\":3", "\"image_id\":99")
    }),
    ("unknown_class", 1, "run/predictions.json", |f| {
        f.change(
            "run/predictions.json",
            "\"category_id\":4",
            "\"category_id\":77",
        )
    }),
    (
        "not_finite",
        1,
        "train/box_loss is no number from line",
        |f| f.change("run/results.csv", "1.00111", "nan"),
    ),
    ("val_images", 1, "12 validation images, 548 declared", |f| {
        f.change(
            "declared.toml",
            "val_images = \"12\"",
            "val_images = \"548\"",
        )
    }),
    ("unreadable_object", 1, "truth.json", |f| {
        f.change("truth.json", "\"category_id\":5", "\"category_id\":55")
    }),
    ("unreadable", 4, "base/results.csv", |f| {
        fs::remove_file(f.path("base/results.csv")).unwrap()
    }),
    ("unreadable", 4, "base/args.yaml", |f| {
        f.write("base/args.yaml", "a: [1, 2\nb")
    }),
    ("target", 4, "there is no data on it", |f| {
        f.change("declared.toml", "fps = 34.8", "")
    }),
];

#[test]
fn code_that_differs_where_it_was_declared_to_is_a_field_of_the_record() {
    let folder = clean();
    compared(&folder, CODE[0]);
    silent(folder.whole()).says(&["the code differs in 1 files", "utils/loss.py +2 −1"]);
}

#[test]
fn each_fault_is_found_alone_with_its_file_or_key() {
    for (kind, code, words, put) in FAULTS {
        let folder = clean();
        put(&folder);
        folder
            .whole()
            .exits(code)
            .says(&[&format!("[{kind}]"), words]);
    }
}

#[test]
fn all_faults_that_can_be_at_once_are_found_at_once() {
    let folder = clean();
    // Without a readable args.yaml no key differs; without a number of images a second none is too low; the outcome needs other detections.
    let leave = [
        "base/args.yaml",
        "there is no data on it",
        "another strategy",
    ];
    let all = || FAULTS.iter().filter(|f| !leave.contains(&f.2));
    all().for_each(|f| (f.3)(&folder));
    let ran = folder.whole().exits(1);
    for (kind, _, words, _) in all() {
        assert!(
            ran.out.contains(&format!("[{kind}]")) && ran.out.contains(words),
            "{kind} {words}: {ran}"
        );
    }
}

#[test]
fn the_outcome_is_reached_partly_or_not_by_points_and_side_effects_are_a_risk() {
    let folder = clean();
    let states = |small: f64, medium: f64, code, words: &[&str]| {
        let measured = |name: &str, small: f64, medium: f64| {
            format!(
                "[measured.{name}]\nsmall = {small}\nmedium = {medium}\nlarge = 36.7\nfps = 34\n"
            )
        };
        let text = DECLARED.split("[measured.run]").next().unwrap().to_string();
        folder.write(
            "declared.toml",
            &format!(
                "{text}{}{}",
                measured("run", small, medium),
                measured("baseline", 30.94, 46.24)
            ),
        );
        folder
            .audit(&["--baseline", "base", "--declared", "declared.toml"])
            .exits(code)
            .says(words);
    };
    states(
        33.2,
        46.3,
        0,
        &[
            "reached: AP@0.5 of small objects gains 2.260 points, from 30.94 to 33.20",
            "go on",
        ],
    );
    states(
        33.2,
        44.0,
        0,
        &["risk: gain of medium", "changes by -2.240 points"],
    );
    states(
        32.5,
        46.3,
        1,
        &["partly reached", "weight 2.5", "wanted > 33"],
    );
    states(31.0, 46.3, 1, &["not reached", "another strategy"]);
}

#[test]
fn the_course_of_a_training_is_judged() {
    let folder = clean();
    let alone = |words: &[&str]| folder.audit(&[]).exits(0).says(words);
    let whole = results(0.43);
    let lines: Vec<&str> = whole.lines().collect();
    folder.write("run/results.csv", &lines[..100].join("\n"));
    alone(&[
        "[status]",
        "99 of 300 epochs were run",
        "stopped early, or broken off",
    ]);
    folder.write(
        "run/results.csv",
        &[&lines[..], &lines[100..]].concat().join("\n"),
    );
    alone(&["[odd_lines]", "line 302: epoch 100 behind epoch 300"]);
    folder.write("run/results.csv", &format!("{}\n1,2", whole.trim_end()));
    alone(&["[odd_lines]", "line 302: 2 values, the header has 13"]);
}

#[test]
fn what_is_odd_but_legal_is_not_found_fault_with() {
    // Nothing but a run; numbers written otherwise; older names of columns; another order of keys.
    let folder = clean();
    silent(folder.audit(&[])).says(&["no data: command"]);
    folder.change("base/args.yaml", "epochs: 300", "epochs: 300.0");
    folder.change("base/args.yaml", "task: detect\n", "");
    folder.write(
        "base/args.yaml",
        &format!(
            "{}task: detect\n",
            fs::read_to_string(folder.path("base/args.yaml")).unwrap()
        ),
    );
    silent(folder.whole());
    let spaced: String = results(0.43)
        .lines()
        .map(|l| {
            format!(
                "{}\n",
                l.split(',')
                    .map(|v| format!("{v:>24}"))
                    .collect::<Vec<_>>()
                    .join(",")
            )
        })
        .collect();
    folder.write("run/results.csv", &spaced);
    silent(folder.whole());
    // No object of one class, images without any, crowds, ids that are words, files of text.
    let mut all = truth();
    all["annotations"]
        .as_array_mut()
        .unwrap()
        .retain(|a| a["category_id"] != 3);
    all["annotations"][0]["iscrowd"] = 1.into();
    all["images"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": 500, "file_name": "empty.jpg", "width": 64, "height": 64}));
    folder.write("truth.json", &all.to_string());
    folder.change(
        "declared.toml",
        "val_images = \"12\"",
        "val_images = \"13\"",
    );
    silent(folder.whole());
}

#[test]
fn yolos_text_files_give_the_same_numbers() {
    let folder = clean();
    let made = |name: &str| {
        let path = folder.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    };
    let (images, labels, found) = (
        made("data/images/val"),
        made("data/labels/val"),
        made("found"),
    );
    let row = |class: u64, b: &[Value]| {
        let [x, y, w, h] = [0, 1, 2, 3].map(|i| b[i].as_f64().unwrap());
        format!(
            "{class} {} {} {} {}",
            (x + w / 2.0) / 1280.0,
            (y + h / 2.0) / 720.0,
            w / 1280.0,
            h / 720.0
        )
    };
    let append = |path: PathBuf, line: String| {
        let text = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, format!("{text}{line}\n")).unwrap();
    };
    for i in 0..IMAGES {
        png(&images.join(format!("{i:04}.png")), 1280, 720);
    }
    for a in truth()["annotations"].as_array().unwrap() {
        append(
            labels.join(format!("{:04}.txt", a["image_id"].as_u64().unwrap())),
            row(
                a["category_id"].as_u64().unwrap(),
                a["bbox"].as_array().unwrap(),
            ),
        );
    }
    for d in detections([4, 9, 9]).as_array().unwrap() {
        let line = format!(
            "{} {}",
            row(
                d["category_id"].as_u64().unwrap(),
                d["bbox"].as_array().unwrap()
            ),
            d["score"]
        );
        append(
            found.join(format!("{:04}.txt", d["image_id"].as_u64().unwrap())),
            line,
        );
    }
    let of = |args: &[&str]| {
        let ran = silent(folder.audit(&[args, &["--json"]].concat()));
        let all: Value = serde_json::from_str(&ran.out).unwrap();
        let tables = all["tables"].as_array().unwrap().clone();
        let own = tables
            .into_iter()
            .find(|t| t["title"].as_str().unwrap().contains("pixels of the image"))
            .unwrap();
        own["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r[1].to_string())
            .collect::<Vec<_>>()
    };
    let json = of(&["--truth", "truth.json"]);
    let text = of(&["--truth", "data/labels/val", "--predictions", "found"]);
    assert_eq!(json, text);
    folder.audit(&["--truth", "found"]).refuses(
        2,
        &[
            "the images of these labels are not found",
            "--images FOLDER",
        ],
    );
}

fn png(path: &Path, width: u32, height: u32) {
    let file = fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let rows = vec![0; width.div_ceil(8) as usize * height as usize];
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&rows)
        .unwrap();
}

#[test]
fn the_record_is_written_as_markdown_html_and_json() {
    let folder = clean();
    let out = ["markdown=r.md", "html=r.html", "json=r.json"]
        .map(|r| ["--report", r])
        .concat();
    let args = [
        "--baseline",
        "base",
        "--declared",
        "declared.toml",
        "--truth",
        "truth.json",
    ];
    silent(folder.audit(&[&args[..], &out].concat()));
    let read = |name: &str| fs::read_to_string(folder.path(name)).unwrap();
    let (md, html, json) = (read("r.md"), read("r.html"), read("r.json"));
    for (page, words) in [
        (&md, "## record"),
        (&md, "| commit | abc1234 | missing |"),
        (&html, "<td>abc1234</td>"),
        (&html, "precision by recall of small objects"),
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // Each loss and metric in one plot with both runs, and nothing that is fetched.
    assert_eq!(html.matches("<svg").count(), 6 + 4 + 2);
    assert_eq!(html.matches("<polyline").count(), 2 * 12);
    for word in ["http:", "https:", " src=", "@import", "url("] {
        assert!(!html.contains(word), "{word}");
    }
    let all: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (
            all["audit"].as_str(),
            all["plots"].as_array().unwrap().len()
        ),
        (Some("record"), 12)
    );
    folder
        .audit(&["--report", "htm=x"])
        .refuses(2, &["did you mean 'html'"]);
}

#[test]
fn small_objects_that_one_run_finds_and_those_that_are_missed_are_shown_where_images_are_at_hand() {
    let folder = clean();
    fs::create_dir(folder.path("images")).unwrap();
    for i in 0..IMAGES {
        // Named as JPEG, and a PNG: what it is is told by its bytes.
        png(
            &folder.path("images").join(format!("{i:04}.jpg")),
            1280,
            720,
        );
    }
    let args = [
        "--baseline",
        "base",
        "--declared",
        "declared.toml",
        "--truth",
        "truth.json",
        "--images",
        "images",
        "--report",
        "html=r.html",
    ];
    silent(folder.audit(&args));
    let page = fs::read_to_string(folder.path("r.html")).unwrap();
    assert_eq!(
        page.matches("data:image/png;base64,iVBORw0KGgo").count(),
        3 * 4
    );
    for words in [
        "found by the run only: class",
        "found by the baseline only: class",
        "missed: class",
    ] {
        assert!(page.contains(words), "{words}");
    }
    fs::write(folder.path("images/0000.jpg"), b"no image").unwrap();
    silent(folder.audit(&args));
}

#[test]
fn what_cannot_be_read_at_all_is_refused() {
    let folder = clean();
    folder
        .audit(&["--baseline", "nowhere"])
        .refuses(2, &["nowhere"]);
    folder.write("bad.toml", "[targets]\nsmal = \"> 33\"\n");
    folder
        .audit(&["--declared", "bad.toml"])
        .refuses(2, &["bad.toml", "did you mean 'small'"]);
    folder.write("bad.json", "{\"images\": [");
    folder
        .audit(&["--truth", "bad.json"])
        .refuses(2, &["bad.json"]);
    folder.change("run/predictions.json", "\"bbox\":[", "\"bbox\":[1,");
    folder.whole().refuses(2, &["run/predictions.json"]);
}
