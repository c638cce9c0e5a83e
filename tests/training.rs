//! The stages of a training step on the loss of Gold-YOLO: clean ground truth agrees, bad ground truth is refused, nothing passes uncompared.
//!
//! The faults of such a step are controls: tests/controls.rs.

mod support;

use parity::graph::load as graph;
use parity::input;
use parity::kernel::anchors::Anchors;
use parity::scenario::{Stage, load};
use parity::stage::loss::FlagKind;
use parity::subject::kernels::training as kernel;
use parity::tensor::Tensor;
use parity::trace::file;
use parity::trace::write::Writer;
use parity::verdict::Outcome;
use std::collections::BTreeMap;
use std::path::Path;
use support::*;

/// Ground truth of one image: class and corners in pixels.
type Object = (i64, [f64; 4]);

const STAGES: [Stage; 5] = [Stage::Inputs, Stage::Activations, Stage::Assign, Stage::Loss, Stage::Grad];
const SCORES: &str = "random = \"uniform\"\nlow = 0.01\nhigh = 0.3";
const DISTANCES: &str = "random = \"uniform\"\nlow = 0.5\nhigh = 6";
const SIZE: &str = "image = [500, 500]";
const NAN: &str = "random = \"constant\"\nvalue = nan";
const PERSON: Object = (14, [20.0, 15.0, 356.0, 500.0]);

/// The loss graph on random predictions and `objects`, padded to its eight rows.
fn scenario(objects: &[Object]) -> String {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/gold_yolo/loss.onnx");
    let rows = || objects.iter().copied().chain(std::iter::repeat((0, [0.0; 4]))).take(8);
    let labels: Vec<i64> = rows().map(|o| o.0).collect();
    let boxes: Vec<f64> = rows().flat_map(|o| o.1).collect();
    format!(
        "format = 1\nmodel = '{}'\n[inputs.pred_scores]\n{SCORES}\n[inputs.pred_distri]\n{DISTANCES}\n[inputs.gt_labels]\nvalues = {labels:?}\n\
         [inputs.gt_boxes]\nvalues = {boxes:?}\n[training]\nkernel = \"gold_yolo_n\"\n{SIZE}\n",
        model.display()
    )
}

fn run(text: &str, more: &[&str]) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("s.toml"), text).unwrap();
    Call::new(PARITY, dir.path(), &[&["run", "s.toml"], more].concat()).run()
}

/// Every stage agrees, and the reference has that many positives.
fn agrees(objects: &[Object], positives: std::ops::RangeInclusive<usize>) {
    let run = run(&scenario(objects), &["--json"]).exits(0).json();
    let found: Vec<(Stage, Outcome)> = run.verdict.stages.iter().map(|s| (s.stage, s.outcome)).collect();
    assert_eq!(found, STAGES.map(|s| (s, Outcome::Agree)), "{objects:?}");
    let counts: Vec<usize> = run.stages.assign.iter().flat_map(|a| &a.counts).map(|c| c.positives).collect();
    assert!(counts.len() == 2 && counts.iter().all(|n| positives.contains(n)), "{counts:?} positives, expected {positives:?}");
}

/// Refused before anything runs.
fn refused(objects: &[Object], from: &str, to: &str, words: &[&str]) {
    let text = scenario(objects);
    assert!(text.contains(from), "{from}");
    run(&text.replace(from, to), &[]).refuses(2, words);
}

/// The scenario with this fault in libtorch.
fn faulty(fault: &str, node: &str) -> String {
    format!("{}[candidate]\nsubject = \"faulty\"\nof = \"libtorch\"\nfault = \"{fault}\"\nnode = \"{node}\"\n", scenario(&[PERSON]))
}

#[test]
fn an_image_without_objects_agrees_and_nothing_is_positive() {
    agrees(&[], 0..=0);
}

#[test]
fn one_object_agrees() {
    agrees(&[PERSON], 13..=13);
}

#[test]
fn eight_objects_that_overlap_agree() {
    let boxes = [
        [20, 15, 356, 500],
        [149, 15, 293, 186],
        [346, 0, 461, 283],
        [271, 337, 498, 500],
        [130, 339, 205, 413],
        [271, 332, 321, 369],
        [40, 60, 90, 200],
        [300, 100, 480, 330],
    ];
    let objects: Vec<Object> = [14, 5, 0, 17, 3, 3, 19, 7].into_iter().zip(boxes.map(|b| b.map(f64::from))).collect();
    agrees(&objects, 80..=104);
}

#[test]
fn identical_objects_compete_for_the_same_anchors_and_agree() {
    let object = [100.0, 100.0, 300.0, 300.0];
    agrees(&[(14, object), (14, object), (14, object), (3, object)], 13..=26);
}

#[test]
fn objects_outside_the_image_own_nothing_and_agree() {
    agrees(&[(3, [520.0, 40.0, 700.0, 300.0]), (14, [-300.0, -200.0, 100.0, 90.0]), (5, [600.0, 600.0, 700.0, 700.0])], 0..=0);
}

/// A form of a whole loss on images of 64 pixels with these rows of ground truth, of which each image counts its first.
fn padded(form: &str, rows: &[Object], counts: &[usize]) -> String {
    let (anchors, images) = (Anchors::of_image(64, 64, &[8, 16, 32]).unwrap(), counts.len());
    let (n, columns) = (anchors.len(), if form.contains("sml") { 68 } else { 4 });
    let of = |k: usize| vec![k; [64, 16, 4][k]];
    let level = if form.contains("warm_up") {
        format!("[inputs.level]\nvalues = {:?}\nshape = [{n}]\n", [of(0), of(1), of(2)].concat())
    } else {
        String::new()
    };
    let (labels, boxes): (Vec<i64>, Vec<[f64; 4]>) = (0..images).flat_map(|_| rows.iter().copied()).unzip();
    let g = rows.len();
    format!(
        "format = 1\nmodel = '{}/golden/kernels/{form}.onnx'\n[inputs.pred_scores]\n{SCORES}\nshape = [{images}, {n}, 3]\n\
         [inputs.pred_distri]\n{DISTANCES}\nshape = [{images}, {n}, {columns}]\n[inputs.points]\nvalues = {:?}\nshape = [{n}, 2]\n\
         [inputs.strides]\nvalues = {:?}\nshape = [{n}]\n{level}[inputs.gt_labels]\nvalues = {labels:?}\nshape = [{images}, {g}]\n\
         [inputs.gt_boxes]\nvalues = {:?}\nshape = [{images}, {g}, 4]\n[inputs.gt_count]\nvalues = {counts:?}\nshape = [{images}]\n\
         [training]\nkernel = \"{form}\"\nimage = [64, 64]\n",
        env!("CARGO_MANIFEST_DIR"),
        anchors.points.concat(),
        anchors.strides,
        boxes.concat()
    )
}

#[test]
fn rows_of_padding_decide_nothing_whatever_they_hold() {
    let (first, second) = ((2, [4.0, 6.0, 40.0, 44.0]), (1, [20.0, 24.0, 60.0, 62.0]));
    let (zero, noise) = ([0.0; 4], [9.0, 3.0, 50.0, 40.0]);
    let scenes: [(&[Object], &[usize]); 8] = [
        (&[first, second, (-1, zero)], &[2]),
        (&[first, (3, zero), (i64::MAX, zero)], &[1]),
        (&[first, (-1, noise), (2, [-7.0, 900.0, 3.0, 1.0])], &[1]),
        (&[(2, zero), (1, zero), (0, zero)], &[0]),
        (&[(-1, zero), (-1, noise)], &[0]),
        // Counted, as code does that always counts every row.
        (&[first, second, (-1, zero)], &[3]),
        (&[first, second, (0, zero)], &[2, 0]),
        (&[first, second, (-1, zero)], &[0, 1]),
    ];
    for form in ["gold_yolo_n", "gold_yolo_sml", "gold_yolo_n_warm_up", "gold_yolo_sml_warm_up"] {
        for (rows, counts) in scenes {
            let run = run(&padded(form, rows, counts), &["--json"]).exits(0).json();
            let all: Vec<Outcome> = run.verdict.stages.iter().map(|s| s.outcome).collect();
            assert_eq!(all, [Outcome::Agree; 5], "{form} {rows:?} {counts:?}");
        }
    }
}

#[test]
fn rows_that_are_counted_wrong_are_refused_with_the_number() {
    let object = (2, [4.0, 6.0, 40.0, 44.0]);
    run(&padded("gold_yolo_n", &[object], &[2]), &[]).refuses(2, &["'gt_count' says 2 of 1 rows", "count the rows of each image"]);
}

#[test]
fn predictions_that_are_no_numbers_are_refused_by_image_anchor_and_column() {
    refused(&[PERSON], SCORES, NAN, &["score of image 0, anchor 0, column 0 is NaN"]);
    refused(&[PERSON], DISTANCES, NAN, &["distance of image 0, anchor 0, column 0 is NaN"]);
    refused(&[PERSON], "high = 0.3", "high = 1.5", &["image 0: score of anchor", "is no probability", "apply the sigmoid first"]);
}

#[test]
fn ground_truth_that_no_loss_is_defined_for_is_refused_by_image_and_row() {
    let second = |object: Object, words: &[&str]| refused(&[PERSON, object], "", "", words);
    second((3, [300.0, 10.0, 200.0, 90.0]), &["image 0: ground truth 1: box", "has size -100 x 80", "corners"]);
    second((20, PERSON.1), &["image 0: ground truth 1: class 20 of 20", "offset by one"]);
    second((-1, PERSON.1), &["image 0: ground truth 1: class -1 of 20"]);
    refused(&[PERSON, (3, [7.0, 0.0, 9.0, 9.0])], "7.0", "nan", &["image 0: ground truth 1: box [NaN", "is not finite"]);
}

#[test]
fn a_term_that_is_not_one_number_is_refused() {
    let term = format!("{SIZE}\nrename = {{ \"loss.iou\" = \"loss.items\" }}");
    refused(&[PERSON], SIZE, &term, &["term 'loss.items' has shape [3], not one number"]);
}

#[test]
fn an_image_of_another_size_is_refused_with_both_numbers_of_anchors() {
    refused(&[PERSON], SIZE, "image = [640, 640]", &["image of 640 x 640 has 8400 anchors", "'pred_scores' has 5249"]);
    refused(&[PERSON], SIZE, "", &["size of the images is not known", "training.image"]);
}

#[test]
fn a_stage_that_cannot_be_compared_abstains_and_is_no_pass() {
    let stated = "format = 1\ntolerance = { kind = \"flat\", atol = 1e-3, rtol = 1e-3, why = \"a test\" }\n";
    let run = run(&scenario(&[PERSON]).replacen("format = 1\n", stated, 1), &["--json"]).exits(4).json();
    let found: Vec<Outcome> = run.verdict.stages.iter().map(|s| s.outcome).collect();
    assert_eq!(found, [Outcome::Agree, Outcome::Agree, Outcome::Nothing, Outcome::Nothing, Outcome::Nothing]);
}

#[test]
fn a_fault_of_gradients_that_changes_none_or_that_nothing_compares_is_refused() {
    run(&faulty("stop-gradient", "/loss/assigner/overlap/Sub"), &[]).refuses(2, &["changes no gradient", "/loss/assigner/overlap/Sub"]);
    let text = faulty("stop-gradient", "/loss/iou/Sub_9");
    let without = text.replacen("format = 1\n", "format = 1\nstages = [\"inputs\", \"activations\", \"loss\"]\n", 1);
    run(&without, &[]).refuses(2, &["'stop-gradient' shows in gradients only", "compares none"]);
    run(&text.replace("[candidate]", "[reference]"), &[]).refuses(2, &["those of the reference are not computed"]);
}

/// Gradients by name.
type Gradients = BTreeMap<String, Tensor>;

/// The exact gradients of the weighted terms on this scenario, in f32, as a port records them.
fn gradients(scenario: &Path) -> Gradients {
    let scenario = load::file(scenario).unwrap();
    let fed = input::make(&scenario, &graph::file(&scenario.model).unwrap()).unwrap();
    let training = scenario.training.unwrap();
    let found = kernel::evaluate(&training, [500, 500], &|n| fed.get(n).cloned()).unwrap().evaluation;
    let like = |n: &str, v: &[f64]| Tensor::from_vec(fed[n].shape(), v.iter().map(|x| *x as f32).collect::<Vec<_>>());
    let none = |n: &str| like(n, &vec![0.0; fed[n].numel()]);
    let (scores, distances) = ("pred_scores", "pred_distri");
    BTreeMap::from([
        ("grad.iou.pred_scores".into(), none(scores)),
        ("grad.iou.pred_distri".into(), like(distances, &found.box_gradient)),
        ("grad.dfl.pred_scores".into(), none(scores)),
        ("grad.dfl.pred_distri".into(), like(distances, &found.dfl_gradient)),
        ("grad.cls.pred_scores".into(), like(scores, &found.score_gradient)),
        ("grad.cls.pred_distri".into(), none(distances)),
        ("grad.total.pred_scores".into(), like(scores, &found.score_gradient)),
        ("grad.total.pred_distri".into(), like(distances, &found.distance_gradient())),
    ])
}

/// A recording of libtorch, with gradients that `change` may change, is the candidate: the run ends with `exit`, its stage of gradients
/// with the outcome, and diverges at this term and tensor.
fn recorded(change: &dyn Fn(&mut Gradients), exit: i32, outcome: Outcome, at: Option<(&str, &str)>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let live = scenario(&[PERSON]).replacen("format = 1\n", "format = 1\nstages = [\"inputs\", \"activations\"]\n", 1);
    std::fs::write(path("live.toml"), live).unwrap();
    Call::new(PARITY, dir.path(), &["run", "live.toml", "--record", "traces"]).run().exits(0);
    let trace = file::open(&path("traces/candidate.safetensors")).unwrap();
    let mut writer = Writer::create(&path("port.safetensors")).unwrap();
    for name in trace.ordered() {
        writer.add(name, &trace.tensor(name).unwrap().unwrap()).unwrap();
    }
    let mut own = gradients(&path("live.toml"));
    change(&mut own);
    own.iter().for_each(|(name, t)| writer.add(name, t).unwrap());
    writer.finish(trace.header.as_ref().unwrap()).unwrap();
    let text = format!("{}[candidate]\nsubject = \"recorded\"\ntrace = \"port.safetensors\"\n", scenario(&[PERSON]));
    std::fs::write(path("s.toml"), text).unwrap();
    let run = Call::new(PARITY, dir.path(), &["run", "s.toml", "--json"]).run().exits(exit).json();
    let stage = run.verdict.stages.iter().find(|s| s.stage == Stage::Grad).unwrap();
    let found = (stage.term.as_deref(), stage.first.as_deref());
    assert_eq!((stage.outcome, found), (outcome, (at.map(|a| a.0), at.map(|a| a.1))), "{:?}", stage.says);
    assert!(run.ledger.leftovers.is_empty(), "{:?}", run.ledger.leftovers);
    stage.says.join("\n")
}

#[test]
fn the_gradients_of_a_recorded_candidate_are_its_own_and_agree_where_they_are_right() {
    assert!(recorded(&|_| (), 0, Outcome::Agree, None).contains("8 gradients"));
}

#[test]
fn a_recorded_gradient_that_is_scaled_not_a_number_or_missing_diverges_at_its_tensor() {
    let edited = |change: &dyn Fn(&mut Vec<f32>)| {
        let edit = |g: &mut Gradients| {
            let gradient = g.get_mut("grad.iou.pred_distri").unwrap();
            let mut values = gradient.values::<f32>().unwrap().to_vec();
            change(&mut values);
            *gradient = Tensor::from_vec(gradient.shape(), values);
        };
        recorded(&edit, 1, Outcome::Diverge, Some(("iou", "pred_distri")))
    };
    assert!(edited(&|v| v.iter_mut().for_each(|x| *x *= 1.01)).contains("differs"));
    assert!(edited(&|v| v[0] = f32::NAN).contains("differs"));
    assert!(edited(&|v| v.fill(0.0)).contains("is lost here"));
    let dropped = |g: &mut Gradients| drop(g.remove("grad.iou.pred_distri"));
    assert!(recorded(&dropped, 1, Outcome::Diverge, Some(("iou", "pred_distri"))).contains("is lost here"));
}

#[test]
fn a_recorded_candidate_without_gradients_is_no_pass_and_says_which_are_missing() {
    assert!(recorded(&Gradients::clear, 4, Outcome::Nothing, None).contains("holds no gradient of iou, dfl, cls, total"));
    let only_total = |g: &mut Gradients| g.retain(|name, _| name.starts_with("grad.total."));
    assert!(recorded(&only_total, 4, Outcome::Nothing, None).contains("holds no gradient of iou, dfl, cls"));
}

#[test]
fn a_term_whose_gradient_is_stopped_is_dead_in_the_ledger_and_no_clean_term_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let flags = |scenario: &str| {
        let run = Call::new(PARITY, &root, &["run", scenario, "--json"]).run().exits(0).json();
        let flags = run.stages.loss.unwrap().flags.into_iter().filter(|f| !f.expected);
        flags.map(|f| (f.who, f.term, f.kind)).collect::<Vec<_>>()
    };
    assert_eq!(flags("gold_yolo_sml.toml"), []);
    let dead = ("candidate".to_string(), "dfl".to_string(), FlagKind::ZeroGradient);
    assert_eq!(flags("control/gold-yolo-sml-no-dfl-gradient.toml"), [dead]);
}
