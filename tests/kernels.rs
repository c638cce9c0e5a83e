//! Every kernel in its ONNX form: ONNX Runtime and libtorch in f32 and libtorch in f64, values and gradients, against the f64 reference.
//!
//! No, one and many objects run through the same graph. What f32 may do to a form is measured like for any other model.

mod support;

use parity::graph::proto::ModelProto;
use parity::subject::kernels::draw::Case;
use parity::subject::kernels::{ALL, Kernel, Rows};
use parity::tensor::{DType, Tensor};
use parity::verdict::{Accumulated, Outcome};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use prost::Message;
use safetensors::{Dtype, tensor::TensorView};
use std::path::{Path, PathBuf};
use support::*;

const FORMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/kernels");
/// A drawn case of a kernel, of those that `fits`: the first on no kink, where f32 decides as f64 does, and with no output of zeros,
/// of which agreement says nothing.
fn drawn(kernel: &Kernel, fits: impl Fn(&Case) -> bool) -> Case {
    let (mut runner, strategy) = (TestRunner::deterministic(), kernel.cases());
    let mut cases = (0..2000).map(|_| strategy.new_tree(&mut runner).unwrap().current());
    let is_telling = |case: &Case| {
        let answer = kernel.evaluate(&|n: &str| case.inputs.get(n).cloned());
        let bare = assigns(kernel) && objects(case) == 0;
        answer.is_ok_and(|a| {
            a.kinks.iter().all(|k| *k > 0.01) && (bare || a.tensors.values().all(is_alive))
        })
    };
    let plain = |case: &Case| fits(case) && is_telling(case);
    cases
        .find(plain)
        .unwrap_or_else(|| panic!("{}: no such case", kernel.name))
}

/// Whether an output has a number, and several where it has room for them; who owns an anchor may be the first object everywhere.
fn is_alive(t: &Tensor) -> bool {
    let values = t.to_f64();
    let first = values.first().copied().unwrap_or(0.0);
    let one = values.len() == 1 && !first.is_nan();
    !t.dtype().is_float() || one || values.iter().any(|v| *v != first && !v.is_nan())
}

/// How many objects are on the images of a case.
fn objects(case: &Case) -> i64 {
    let counts = case.inputs.get("gt_count").and_then(Tensor::to_i64);
    counts.map_or(0, |counts| counts.iter().sum())
}

/// Runs the form in `candidate` against the reference.
fn agrees(kernel: &Kernel, candidate: &str, case: &Case) {
    let (dir, objects) = (tempfile::tempdir().unwrap(), objects(case));
    let views = case.inputs.iter().map(|(n, t)| {
        let dtype = match t.dtype() {
            DType::F32 => Dtype::F32,
            DType::I64 => Dtype::I64,
            DType::Bool => Dtype::BOOL,
            other => panic!("{n} is drawn in {other}"),
        };
        let view = TensorView::new(dtype, t.shape().to_vec(), t.bytes());
        (n, view.unwrap())
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
            |n: &&&str| objects == 0 && assigns(kernel) && ends.iter().any(|e| n.ends_with(e));
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
        "{} in {candidate}, {objects} objects: {}",
        kernel.name,
        shortened(&ran)
    );
    let run = ran.json();
    assert_eq!(run.verdict.outcome, Outcome::Agree, "{}", kernel.name);
    for name in kernel
        .outputs
        .iter()
        .filter(|n| objects != 0 || !n.ends_with("metric") && !n.ends_with("overlap"))
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
    match parity::run::Run::from_json(&ran.out) {
        Ok(run) => format!(
            "{} {:?}",
            parity::run::headline::headline(&run),
            run.ledger.unjudged
        ),
        Err(_) => ran.to_string(),
    }
}

fn assigns(kernel: &Kernel) -> bool {
    kernel.rows == Rows::Images
}

fn every(candidate: &str) {
    for kernel in ALL {
        let sizes: &[fn(i64) -> bool] = match assigns(kernel) {
            true => &[|n| n == 0, |n| n == 1, |n| n > 4],
            false => &[|_| true],
        };
        for fits in sizes {
            let case = drawn(kernel, |case| fits(objects(case)));
            agrees(kernel, candidate, &case);
        }
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
        ALL.len(),
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
