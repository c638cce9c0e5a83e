//! Every kernel in its ONNX form: ONNX Runtime and libtorch in f32 and libtorch in f64, values and gradients, against the f64 reference.
//!
//! No, one and many objects run through the same graph. What f32 may do to a form is measured like for any other model.

mod support;

use parity::graph::proto::ModelProto;
use parity::kernel::anchors::Anchors;
use parity::subject::kernels::{Kernel, all};
use parity::verdict::{Accumulated, Outcome};
use prost::Message;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::{Dtype, tensor::TensorView};
use std::path::{Path, PathBuf};
use support::*;

const FORMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/kernels");
/// Rows of a table, images, classes, rows of ground truth.
const N: usize = 7;
const B: usize = 2;
const C: usize = 3;
const G: usize = 4;

/// One input: dtype, shape and bytes.
struct Input(Dtype, Vec<usize>, Vec<u8>);

fn real(shape: &[usize], mut value: impl FnMut(usize) -> f64) -> Input {
    let n = shape.iter().product();
    Input(
        Dtype::F32,
        shape.to_vec(),
        (0..n)
            .flat_map(|i| (value(i) as f32).to_le_bytes())
            .collect(),
    )
}

fn whole(shape: &[usize], mut value: impl FnMut(usize) -> i64) -> Input {
    let n = shape.iter().product();
    Input(
        Dtype::I64,
        shape.to_vec(),
        (0..n).flat_map(|i| value(i).to_le_bytes()).collect(),
    )
}

/// `[count, 4]` boxes of 3 to 40 pixels.
fn boxes(shape: &[usize], rng: &mut impl Rng) -> Input {
    let drawn: Vec<f64> = (0..shape.iter().product::<usize>() / 4)
        .flat_map(|_| {
            let ([x, y], [w, h]) = (
                [0, 1].map(|_| rng.random_range(0.0..30.0)),
                [0, 1].map(|_| rng.random_range(3.0..40.0)),
            );
            [x, y, x + w, y + h]
        })
        .collect();
    real(shape, |i| drawn[i])
}

/// An input of `kernel`; nothing lies on an edge, so that f32 decides as f64 does.
fn input(kernel: &Kernel, name: &str, objects: [usize; B], rng: &mut ChaCha8Rng) -> Input {
    let anchors = Anchors::of_image(64, 64, &[8, 16, 32]).unwrap();
    let a = anchors.len();
    let bins = match kernel.name {
        k if k.starts_with("v8") => 16,
        k if k.starts_with("gold_yolo_sml") => 17,
        _ => 1,
    };
    let mut between = |low: f64, high: f64| rng.random_range(low..high);
    match (kernel.of, name) {
        ("iou" | "box_loss", _) | (_, "boxes") => boxes(&[N, 4], rng),
        ("dfl", "x") => real(&[N, 17], |_| between(-4.0, 4.0)),
        ("dfl", "target") => real(&[N], |_| between(0.0, 15.0)),
        ("v8_detection", "pred_scores") => real(&[B, a, C], |_| between(-4.0, 1.0)),
        (_, "pred_scores") => real(&[B, a, C], |_| between(0.02, 0.9)),
        (_, "pred_boxes") => boxes(&[B, a, 4], rng),
        (_, "pred_distri") if bins == 1 => real(&[B, a, 4], |_| between(0.5, 4.0)),
        (_, "pred_distri") => real(&[B, a, 4 * bins], |_| between(-3.0, 3.0)),
        ("task_aligned", "points") => real(&[a, 2], |i| anchors.pixels()[i / 2][i % 2]),
        (_, "points") => real(&[a, 2], |i| anchors.points[i / 2][i % 2]),
        (_, "strides") => real(&[a], |i| anchors.strides[i]),
        (_, "level") => whole(&[a], |i| anchors.level()[i]),
        (_, "squares") => real(&[a, 4], |i| anchors.squares(5.0, 0.5)[i / 4][i % 4]),
        (_, "gt_labels") => whole(&[B, G], |i| (i % C) as i64),
        (_, "gt_boxes") => boxes(&[B, G, 4], rng),
        (_, "gt_count") => whole(&[B], |b| objects[b] as i64),
        (_, "logits") => real(&[N, 5], |_| between(-4.0, 4.0)),
        (_, "labels") => whole(&[N], |i| i as i64 % 5 - 1),
        (_, "query") => real(&[N, 4], |_| between(-2.0, 2.0)),
        (_, "keys") => real(&[N, 3, 4], |_| between(-2.0, 2.0)),
        (_, "foreground") => Input(
            Dtype::BOOL,
            vec![N],
            (0..N).map(|i| u8::from(i % 2 == 0)).collect(),
        ),
        (_, "positive") => real(&[N], |i| (i % 2) as f64),
        (_, "p3") => real(&[1, 1, 4, 5], |_| 0.0),
        (_, "p4") => real(&[1, 1, 2, 3], |_| 0.0),
        (_, "p5") => real(&[1, 1, 1, 2], |_| 0.0),
        (_, "x") => real(&[N], |_| between(-6.0, 6.0)),
        _ => real(&[N], |_| between(0.05, 0.95)),
    }
}

/// Runs the form in `candidate` against the reference.
fn agrees(kernel: &Kernel, candidate: &str, objects: [usize; B]) {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let inputs: Vec<(&str, Input)> = kernel
        .inputs
        .iter()
        .map(|n| (*n, input(kernel, n, objects, &mut rng)))
        .collect();
    let views = inputs.iter().map(|(n, Input(dtype, shape, bytes))| {
        (*n, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None, &dir.path().join("in.safetensors")).unwrap();
    let fed: String = kernel
        .inputs
        .iter()
        .map(|n| format!("[inputs.{n}]\nfile = \"in.safetensors\"\n"))
        .collect();
    // Without an object nothing is measured, and all targets are zeros.
    let empty = |ends: &[&str]| -> Vec<&str> {
        let fits =
            |n: &&&str| objects == [0, 0] && assigns(kernel) && ends.iter().any(|e| n.ends_with(e));
        kernel.outputs.iter().filter(fits).copied().collect()
    };
    let (unmeasured, zeros) = (
        empty(&["metric", "overlap"]),
        empty(&["boxes", "scores", "items"]),
    );
    let expect =
        format!("[expect]\ncoverage = 0.005\nabstain = {unmeasured:?}\ndead = {zeros:?}\n");
    let text = format!(
        "format = 1\nmodel = '{FORMS}/{}.onnx'\n{fed}[reference]\nsubject = \"kernel\"\n[candidate]\nsubject = \"{candidate}\"\n{expect}",
        kernel.name
    );
    std::fs::write(dir.path().join("s.toml"), text).unwrap();
    let ran = Call::new(PARITY, dir.path(), &["run", "s.toml", "--json"]).run();
    assert_eq!(
        ran.code,
        Some(0),
        "{} in {candidate}, {objects:?} objects: {}",
        kernel.name,
        shortened(&ran)
    );
    let run = ran.json();
    assert_eq!(run.verdict.outcome, Outcome::Agree, "{}", kernel.name);
    for name in kernel
        .outputs
        .iter()
        .filter(|n| objects != [0, 0] || !n.ends_with("metric") && !n.ends_with("overlap"))
    {
        let found = run
            .tensors
            .iter()
            .find(|t| t.name == *name)
            .unwrap_or_else(|| panic!("{}: no '{name}'", kernel.name));
        assert!(
            matches!(found.accumulated, Accumulated::Compared { .. }),
            "{} '{name}': {:?}",
            kernel.name,
            found.accumulated
        );
    }
}

/// What a run says to a person, where it says anything.
fn shortened(ran: &Ran) -> String {
    match serde_json::from_str::<parity::run::Run>(&ran.out) {
        Ok(run) => parity::report::terminal(&run, false),
        Err(_) => ran.to_string(),
    }
}

fn assigns(kernel: &Kernel) -> bool {
    kernel.inputs.contains(&"gt_count")
}

fn every(candidate: &str) {
    for kernel in all() {
        let batches = if assigns(kernel) {
            vec![[0, 0], [1, 0], [4, 3]]
        } else {
            vec![[0, 0]]
        };
        batches
            .into_iter()
            .for_each(|objects| agrees(kernel, candidate, objects));
    }
}

#[test]
fn onnx_runtime_computes_every_form_as_the_reference_does() {
    every("onnxruntime");
}

#[test]
fn libtorch_computes_every_form_as_the_reference_does() {
    every("libtorch");
}

fn fuzz(kernel: &str, cases: usize, forms: &Path) -> Ran {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = tempfile::tempdir().unwrap();
    let (cases, found) = (cases.to_string(), text(found.path()));
    Call::new(
        PARITY,
        root,
        &[
            "fuzz",
            kernel,
            "--cases",
            &cases,
            "--seed",
            "3",
            "--forms",
            text(forms),
            "--found",
            found,
        ],
    )
    .run()
}

#[test]
fn in_f64_values_assignments_and_gradients_of_every_form_are_the_references() {
    let ran = fuzz("all", 12, Path::new(FORMS)).exits(0);
    assert_eq!(
        ran.out.lines().filter(|l| l.starts_with("agree: ")).count(),
        all().count(),
        "{}",
        ran.out
    );
}

/// The form of `kernel` in a folder of its own, after `change`.
fn changed(kernel: &str, change: impl Fn(&mut ModelProto)) -> (tempfile::TempDir, PathBuf) {
    let mut model =
        ModelProto::decode(&*std::fs::read(format!("{FORMS}/{kernel}.onnx")).unwrap()).unwrap();
    change(&mut model);
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), &format!("{kernel}.onnx"), &model);
    let path = dir.path().to_path_buf();
    (dir, path)
}

/// Every mark of a detach becomes an Identity.
fn attached(model: &mut ModelProto) {
    let nodes = &mut model.graph.as_mut().unwrap().node;
    let marks: Vec<_> = nodes
        .iter_mut()
        .filter(|n| n.op_type.as_deref() == Some("StopGradient"))
        .collect();
    assert!(!marks.is_empty(), "the form has no mark to lose");
    for mark in marks {
        (mark.op_type, mark.domain) = (Some("Identity".into()), None);
    }
}

#[test]
fn a_detach_whose_mark_is_lost_shows_in_the_gradients_and_nowhere_else() {
    for kernel in [
        "ciou_ultralytics",
        "box_loss_ciou",
        "varifocal_detached",
        "gold_yolo_n",
        "v8_detection_8_3_155",
    ] {
        let (_dir, forms) = changed(kernel, attached);
        let ran = fuzz(kernel, 12, &forms).exits(1);
        assert!(
            ran.out.starts_with(&format!("DIVERGE: {kernel}")) && ran.out.contains("gradient of '"),
            "{}",
            ran.out
        );
        assert!(
            !ran.out.contains("value '") && !ran.out.contains("owner in"),
            "{}",
            ran.out
        );
    }
}

#[test]
fn another_constant_is_found_and_shrunk_to_one_row() {
    let (_dir, forms) = changed("giou_yolov6", |model| {
        let eps = model
            .graph
            .as_mut()
            .unwrap()
            .initializer
            .iter_mut()
            .find(|t| t.data_type == Some(11))
            .unwrap();
        eps.raw_data = Some(1e-7f64.to_le_bytes().to_vec().into());
    });
    fuzz("giou_yolov6", 60, &forms).exits(1).says(&[
        "DIVERGE: giou_yolov6",
        "value 'similarity' [0]",
        "[1, 4]",
    ]);
}

#[test]
fn an_unknown_kernel_and_a_missing_form_are_named() {
    fuzz("giou_yolo6", 1, Path::new(FORMS)).refuses(
        2,
        &["unknown kernel 'giou_yolo6'", "did you mean 'giou_yolov6'?"],
    );
    let dir = tempfile::tempdir().unwrap();
    fuzz("dfl", 1, dir.path()).refuses(2, &["dfl.onnx", "--forms"]);
}
