//! The stages of a training step on the loss of Gold-YOLO: clean ground truth agrees, bad ground truth is refused, nothing passes uncompared.
//!
//! The faults of such a step are controls: tests/controls.rs.

mod support;

use parity::graph::load as graph;
use parity::input;
use parity::kernel::anchors::Anchors;
use parity::scenario::training::PREDICTIONS;
use parity::scenario::{Stage, load};
use parity::subject::kernels::training as kernel;
use parity::tensor::Tensor;
use parity::trace::file;
use parity::trace::write::Writer;
use parity::verdict::{Finding, Outcome};
use std::collections::BTreeMap;
use std::path::Path;
use support::*;

/// Ground truth of one image: class and corners in pixels.
type Object = (i64, [f64; 4]);

const STAGES: [Stage; 5] = [
    Stage::Inputs,
    Stage::Activations,
    Stage::Assign,
    Stage::Loss,
    Stage::Grad,
];
const SCORES: &str = "random = \"uniform\"\nlow = 0.01\nhigh = 0.3";
const DISTANCES: &str = "random = \"uniform\"\nlow = 0.5\nhigh = 6";
const SIZE: &str = "image = [500, 500]";
const NAN: &str = "random = \"constant\"\nvalue = nan";
const PERSON: Object = (14, [20.0, 15.0, 356.0, 500.0]);

/// The loss graph on random predictions and `objects`, padded to its eight rows.
fn scenario(objects: &[Object]) -> String {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/gold_yolo/loss.onnx");
    let rows = || {
        objects
            .iter()
            .copied()
            .chain(std::iter::repeat((0, [0.0; 4])))
            .take(8)
    };
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
    let found: Vec<(Stage, Outcome)> = run
        .verdict
        .stages
        .iter()
        .map(|s| (s.stage, s.outcome))
        .collect();
    assert_eq!(found, STAGES.map(|s| (s, Outcome::Agree)), "{objects:?}");
    let counts: Vec<usize> = run
        .stages
        .assign
        .iter()
        .flat_map(|a| &a.counts)
        .map(|c| c.positives)
        .collect();
    assert!(
        counts.len() == 2 && counts.iter().all(|n| positives.contains(n)),
        "{counts:?} positives, expected {positives:?}"
    );
}

/// Refused before anything runs.
fn refused(objects: &[Object], from: &str, to: &str, words: &[&str]) {
    let text = scenario(objects);
    assert!(text.contains(from), "{from}");
    run(&text.replace(from, to), &[]).refuses(2, words);
}

/// The scenario with this fault in libtorch.
fn faulty(fault: &str, node: &str) -> String {
    format!(
        "{}[candidate]\nsubject = \"faulty\"\nof = \"libtorch\"\nfault = \"{fault}\"\nnode = \"{node}\"\n",
        scenario(&[PERSON])
    )
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
    let objects: Vec<Object> = [14, 5, 0, 17, 3, 3, 19, 7]
        .into_iter()
        .zip(boxes.map(|b| b.map(f64::from)))
        .collect();
    agrees(&objects, 80..=104);
}

#[test]
fn identical_objects_compete_for_the_same_anchors_and_agree() {
    let object = [100.0, 100.0, 300.0, 300.0];
    agrees(
        &[(14, object), (14, object), (14, object), (3, object)],
        13..=26,
    );
}

#[test]
fn objects_outside_the_image_own_nothing_and_agree() {
    agrees(
        &[
            (3, [520.0, 40.0, 700.0, 300.0]),
            (14, [-300.0, -200.0, 100.0, 90.0]),
            (5, [600.0, 600.0, 700.0, 700.0]),
        ],
        0..=0,
    );
}

/// A form of a whole loss on images of 64 pixels with these rows of ground truth, of which each image counts its first.
fn padded(form: &str, rows: &[Object], counts: &[usize]) -> String {
    let (anchors, images) = (
        Anchors::of_image(64, 64, &[8, 16, 32]).unwrap(),
        counts.len(),
    );
    let (n, columns) = (anchors.len(), if form.contains("sml") { 68 } else { 4 });
    let of = |k: usize| vec![k; [64, 16, 4][k]];
    let level = if form.contains("warm_up") {
        format!(
            "[inputs.level]\nvalues = {:?}\nshape = [{n}]\n",
            [of(0), of(1), of(2)].concat()
        )
    } else {
        String::new()
    };
    let (labels, boxes): (Vec<i64>, Vec<[f64; 4]>) =
        (0..images).flat_map(|_| rows.iter().copied()).unzip();
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
    for form in FORMS {
        for (rows, counts) in scenes {
            let run = run(&padded(form, rows, counts), &["--json"])
                .exits(0)
                .json();
            let all: Vec<Outcome> = run.verdict.stages.iter().map(|s| s.outcome).collect();
            assert_eq!(all, [Outcome::Agree; 5], "{form} {rows:?} {counts:?}");
        }
    }
}

#[test]
fn rows_that_are_counted_wrong_are_refused_with_the_number() {
    let object = (2, [4.0, 6.0, 40.0, 44.0]);
    run(&padded("gold_yolo_n", &[object], &[2]), &[]).refuses(
        2,
        &[
            "'gt_count' says 2 of 1 rows",
            "count the rows of each image",
        ],
    );
}

#[test]
fn predictions_that_are_no_numbers_are_refused_by_image_anchor_and_column() {
    refused(
        &[PERSON],
        SCORES,
        NAN,
        &["score of image 0, anchor 0, column 0 is NaN"],
    );
    refused(
        &[PERSON],
        DISTANCES,
        NAN,
        &["distance of image 0, anchor 0, column 0 is NaN"],
    );
    refused(
        &[PERSON],
        "high = 0.3",
        "high = 1.5",
        &[
            "image 0: score of anchor",
            "is no probability",
            "apply the sigmoid first",
        ],
    );
}

#[test]
fn ground_truth_that_no_loss_is_defined_for_is_refused_by_image_and_row() {
    let second = |object: Object, words: &[&str]| refused(&[PERSON, object], "", "", words);
    second(
        (3, [300.0, 10.0, 200.0, 90.0]),
        &[
            "image 0: ground truth 1: box",
            "has size -100 x 80",
            "corners",
        ],
    );
    second(
        (20, PERSON.1),
        &["image 0: ground truth 1: class 20 of 20", "offset by one"],
    );
    second((-1, PERSON.1), &["image 0: ground truth 1: class -1 of 20"]);
    refused(
        &[PERSON, (3, [7.0, 0.0, 9.0, 9.0])],
        "7.0",
        "nan",
        &["image 0: ground truth 1: box [NaN", "is not finite"],
    );
}

#[test]
fn a_term_that_is_not_one_number_is_refused() {
    let term = format!("{SIZE}\nrename = {{ \"loss.iou\" = \"loss.items\" }}");
    refused(
        &[PERSON],
        SIZE,
        &term,
        &["term 'loss.items' has shape [3], not one number"],
    );
}

#[test]
fn an_image_of_another_size_is_refused_with_both_numbers_of_anchors() {
    refused(
        &[PERSON],
        SIZE,
        "image = [640, 640]",
        &[
            "image of 640 x 640 has 8400 anchors",
            "'pred_scores' has 5249",
        ],
    );
    refused(
        &[PERSON],
        SIZE,
        "",
        &["size of the images is not known", "training.image"],
    );
}

#[test]
fn a_stage_that_cannot_be_compared_abstains_and_is_no_pass() {
    let stated =
        "format = 1\ntolerance = { kind = \"flat\", atol = 1e-3, rtol = 1e-3, why = \"a test\" }\n";
    let run = run(
        &scenario(&[PERSON]).replacen("format = 1\n", stated, 1),
        &["--json"],
    )
    .exits(4)
    .json();
    let found: Vec<Outcome> = run.verdict.stages.iter().map(|s| s.outcome).collect();
    assert_eq!(
        found,
        [
            Outcome::Agree,
            Outcome::Agree,
            Outcome::Nothing,
            Outcome::Nothing,
            Outcome::Nothing
        ]
    );
}

#[test]
fn a_fault_of_gradients_that_changes_none_or_that_nothing_compares_is_refused() {
    run(&faulty("stop-gradient", "/loss/assigner/overlap/Sub"), &[])
        .refuses(2, &["changes no gradient", "/loss/assigner/overlap/Sub"]);
    let text = faulty("stop-gradient", "/loss/iou/Sub_9");
    let without = text.replacen(
        "format = 1\n",
        "format = 1\nstages = [\"inputs\", \"activations\", \"loss\"]\n",
        1,
    );
    run(&without, &[]).refuses(
        2,
        &["'stop-gradient' shows in gradients only", "compares none"],
    );
    run(&text.replace("[candidate]", "[reference]"), &[])
        .refuses(2, &["those of the reference are not computed"]);
}

/// Gradients by name.
type Gradients = BTreeMap<String, Tensor>;

/// The exact gradients of the weighted terms on this scenario, in f32, as a port records them.
fn gradients(scenario: &Path) -> Gradients {
    let scenario = load::file(scenario).unwrap();
    let fed = input::make(&scenario, &graph::file(&scenario.model).unwrap()).unwrap();
    let training = scenario.training.unwrap();
    let terms = kernel::find(&training.kernel).unwrap().terms();
    let found = kernel::evaluate(&training, [500, 500], &|n| fed.get(n).cloned()).unwrap();
    let mut all = Gradients::new();
    for (k, prediction) in PREDICTIONS.into_iter().enumerate() {
        let like = &fed[prediction];
        let mut keep = |term: &str, v: &[f64]| {
            let narrow: Vec<f32> = v.iter().map(|x| *x as f32).collect();
            let tensor = Tensor::from_vec(like.shape(), narrow);
            all.insert(format!("grad.{term}.{prediction}"), tensor);
        };
        let mut total = vec![0.0; like.numel()];
        for (term, by) in terms.iter().zip(&found.gradients) {
            let own = by[k].clone().unwrap_or(vec![0.0; like.numel()]);
            keep(term, &own);
            total.iter_mut().zip(own).for_each(|(sum, v)| *sum += v);
        }
        keep("total", &total);
    }
    all
}

/// A recording of libtorch, with gradients that `change` may change, is the candidate: the run ends with `exit`, its stage of gradients
/// with the outcome, and diverges at this term and tensor.
fn recorded(
    change: &dyn Fn(&mut Gradients),
    exit: i32,
    outcome: Outcome,
    at: Option<(&str, &str)>,
) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let live = scenario(&[PERSON]).replacen(
        "format = 1\n",
        "format = 1\nstages = [\"inputs\", \"activations\"]\n",
        1,
    );
    std::fs::write(path("live.toml"), live).unwrap();
    Call::new(
        PARITY,
        dir.path(),
        &["run", "live.toml", "--record", "traces"],
    )
    .run()
    .exits(0);
    let trace = file::open(&path("traces/candidate.safetensors")).unwrap();
    let mut writer = Writer::create(&path("port.safetensors")).unwrap();
    for name in trace.ordered() {
        writer
            .add(name, &trace.tensor(name).unwrap().unwrap())
            .unwrap();
    }
    let mut own = gradients(&path("live.toml"));
    change(&mut own);
    own.iter()
        .for_each(|(name, t)| writer.add(name, t).unwrap());
    writer.finish(trace.header.as_ref().unwrap()).unwrap();
    let text = format!(
        "{}[candidate]\nsubject = \"recorded\"\ntrace = \"port.safetensors\"\n",
        scenario(&[PERSON])
    );
    std::fs::write(path("s.toml"), text).unwrap();
    let run = Call::new(PARITY, dir.path(), &["run", "s.toml", "--json"])
        .run()
        .exits(exit)
        .json();
    let stage = run
        .verdict
        .stages
        .iter()
        .find(|s| s.stage == Stage::Grad)
        .unwrap();
    let found = (stage.term.as_deref(), stage.first.as_deref());
    assert_eq!(
        (stage.outcome, found),
        (outcome, (at.map(|a| a.0), at.map(|a| a.1))),
        "{:?}",
        stage.says
    );
    assert!(
        run.ledger.leftovers.is_empty(),
        "{:?}",
        run.ledger.leftovers
    );
    stage.says.join("\n")
}

#[test]
fn the_gradients_of_a_recorded_candidate_are_its_own_and_agree_where_they_are_right() {
    assert!(recorded(&|_| (), 0, Outcome::Agree, None).contains("4 gradients"));
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
    assert!(
        recorded(&dropped, 1, Outcome::Diverge, Some(("iou", "pred_distri")))
            .contains("is lost here")
    );
}

#[test]
fn a_recorded_candidate_without_gradients_is_no_pass_and_says_which_are_missing() {
    assert!(
        recorded(&Gradients::clear, 4, Outcome::Nothing, None)
            .contains("holds no gradient of iou, dfl, cls, total")
    );
    let only_a_term = |g: &mut Gradients| g.retain(|name, _| name.starts_with("grad.iou."));
    assert!(
        recorded(&only_a_term, 4, Outcome::Nothing, None)
            .contains("holds no gradient of dfl, cls, total")
    );
}

#[test]
fn the_gradient_of_the_total_alone_is_judged_for_what_it_is_and_the_others_are_said_not_to_be_recorded()
 {
    let only_total = |g: &mut Gradients| g.retain(|name, _| name.starts_with("grad.total."));
    let says = recorded(&only_total, 0, Outcome::Agree, None);
    assert!(
        says.contains("2 gradients")
            && says.contains("holds no gradient of iou, dfl, cls by a prediction"),
        "{says}"
    );
    let off = |g: &mut Gradients| {
        only_total(g);
        let t = g.get_mut("grad.total.pred_scores").unwrap();
        *t = times(t, 1.01);
    };
    recorded(&off, 1, Outcome::Diverge, Some(("total", "pred_scores")));
}

fn times(t: &Tensor, factor: f32) -> Tensor {
    Tensor::from_vec(
        t.shape(),
        t.values::<f32>()
            .unwrap()
            .iter()
            .map(|v| v * factor)
            .collect::<Vec<_>>(),
    )
}

/// Tensors by name.
type Tensors = BTreeMap<String, Tensor>;

/// Who is the reference of a recorded port.
const REFERENCES: [&str; 3] = ["onnxruntime", "kernel", "recorded"];

/// A recording of the small form in libtorch that `change` may change is the candidate, held against this reference.
fn ported(form: &str, reference: &str, change: &dyn Fn(&mut Tensors), args: &[&str]) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let objects = [
        (2, [4.0, 6.0, 40.0, 44.0]),
        (1, [20.0, 24.0, 60.0, 62.0]),
        (0, [0.0; 4]),
    ];
    let (clean, path) = (padded(form, &objects, &[2]), |name: &str| {
        dir.path().join(name)
    });
    std::fs::write(
        path("live.toml"),
        clean.replacen(
            "format = 1\n",
            "format = 1\nstages = [\"inputs\", \"activations\"]\n",
            1,
        ),
    )
    .unwrap();
    Call::new(
        PARITY,
        dir.path(),
        &["run", "live.toml", "--record", "traces"],
    )
    .run()
    .exits(0);
    let trace = file::open(&path("traces/candidate.safetensors")).unwrap();
    let mut tensors: Tensors = trace
        .ordered()
        .iter()
        .map(|n| (n.to_string(), trace.tensor(n).unwrap().unwrap()))
        .collect();
    change(&mut tensors);
    let mut writer = Writer::create(&path("port.safetensors")).unwrap();
    for name in trace.ordered().iter().filter(|n| tensors.contains_key(**n)) {
        writer.add(name, &tensors[&name.to_string()]).unwrap();
    }
    writer.finish(trace.header.as_ref().unwrap()).unwrap();
    let stated = if reference == "recorded" {
        "trace = \"traces/reference.safetensors\"\n"
    } else {
        ""
    };
    let text = format!(
        "{}[reference]\nsubject = \"{reference}\"\n{stated}[candidate]\nsubject = \"recorded\"\ntrace = \"port.safetensors\"\n",
        clean.replacen(
            "format = 1\n",
            "format = 1\nstages = [\"inputs\", \"activations\", \"assign\", \"loss\"]\n",
            1
        )
    );
    std::fs::write(path("s.toml"), text).unwrap();
    Call::new(PARITY, dir.path(), &[&["run", "s.toml"], args].concat()).run()
}

/// Outcome and first fact of a stage.
fn stage(run: &parity::run::Run, of: Stage) -> (Outcome, String) {
    let v = run.verdict.stages.iter().find(|s| s.stage == of).unwrap();
    (v.outcome, v.says.join("; "))
}

const FORMS: [&str; 4] = [
    "gold_yolo_n",
    "gold_yolo_sml",
    "gold_yolo_n_warm_up",
    "gold_yolo_sml_warm_up",
];

#[test]
fn a_port_that_is_right_agrees_and_one_whose_loss_is_a_thousandth_larger_never_does_whoever_the_reference_is()
 {
    let others = FORMS
        .map(|f| (f, "kernel"))
        .into_iter()
        .filter(|(f, _)| *f != "gold_yolo_sml");
    for (form, reference) in others.chain(REFERENCES.map(|r| ("gold_yolo_sml", r))) {
        ported(form, reference, &|_| (), &["--json"]).exits(0);
        let larger = |t: &mut Tensors| {
            t.iter_mut()
                .filter(|(n, _)| n.starts_with("loss."))
                .for_each(|(_, t)| *t = times(t, 1.001))
        };
        let run = ported(form, reference, &larger, &["--json"])
            .exits(1)
            .json();
        let found = [Stage::Activations, Stage::Assign, Stage::Loss].map(|s| stage(&run, s).0);
        assert_eq!(
            found,
            [Outcome::Agree, Outcome::Agree, Outcome::Diverge],
            "{form} {reference}"
        );
    }
}

#[test]
fn what_background_holds_is_said_and_a_label_of_a_positive_is_judged() {
    for (reference, label) in REFERENCES.into_iter().zip([-1, 3, 1]) {
        let background = |t: &mut Tensors| {
            let mask = t["assign.fg_mask"].to_f64();
            let with = |t: &Tensor| -> Vec<i64> {
                t.to_i64()
                    .unwrap()
                    .into_iter()
                    .zip(&mask)
                    .map(|(l, m)| if *m == 0.0 { label } else { l })
                    .collect()
            };
            for name in ["assign.target_labels", "assign.gt_index"] {
                let changed = Tensor::from_vec(t[name].shape(), with(&t[name]));
                t.insert(name.into(), changed);
            }
        };
        // A port keeps its targets and none of the nodes in between.
        let outputs = |t: &mut Tensors| {
            background(t);
            t.retain(|n, _| n.starts_with("assign.") || n.starts_with("loss."));
        };
        let run = ported("gold_yolo_sml", reference, &outputs, &["--json"])
            .exits(0)
            .json();
        let (outcome, says) = stage(&run, Stage::Assign);
        assert!(
            outcome == Outcome::Agree
                && says.contains("background anchors of the candidate")
                && says.contains("a convention"),
            "{says}"
        );
        let wrong = |t: &mut Tensors| {
            outputs(t);
            let first = t["assign.fg_mask"]
                .to_f64()
                .iter()
                .position(|m| *m != 0.0)
                .unwrap();
            let mut labels = t["assign.target_labels"].to_i64().unwrap();
            labels[first] = 0;
            let shape = t["assign.target_labels"].shape().to_vec();
            t.insert(
                "assign.target_labels".into(),
                Tensor::from_vec(&shape, labels),
            );
        };
        let run = ported("gold_yolo_sml", reference, &wrong, &["--json"])
            .exits(1)
            .json();
        assert_eq!(
            run.verdict
                .stages
                .iter()
                .find(|s| s.stage == Stage::Assign)
                .unwrap()
                .first
                .as_deref(),
            Some("assign.target_labels")
        );
    }
}

#[test]
fn a_stage_that_did_not_look_at_the_candidate_is_no_pass_and_names_what_is_missing() {
    let without =
        |start: &'static str| move |t: &mut Tensors| t.retain(|n, _| !n.starts_with(start));
    for reference in REFERENCES {
        let run = ported("gold_yolo_n", reference, &without("assign."), &["--json"])
            .exits(4)
            .json();
        let (outcome, says) = stage(&run, Stage::Assign);
        assert!(
            outcome == Outcome::Nothing
                && says.contains(
                    "candidate: the assignment could not be read: 'assign.fg_mask' is missing"
                ),
            "{says}"
        );
        let run = ported("gold_yolo_n", reference, &without("loss."), &["--json"])
            .exits(4)
            .json();
        let (outcome, says) = stage(&run, Stage::Loss);
        assert!(
            outcome == Outcome::Nothing && says.contains("candidate: 'loss.iou' is missing"),
            "{says}"
        );
        let run = ported(
            "gold_yolo_n",
            reference,
            &without("loss.normaliser"),
            &["--json"],
        )
        .json();
        let (outcome, says) = stage(&run, Stage::Loss);
        assert!(
            outcome == Outcome::Agree && says.contains("candidate: 'loss.normaliser' is missing"),
            "{says}"
        );
        let wrong = |t: &mut Tensors| {
            t.remove("loss.normaliser");
            let off = times(&t["loss.total"], 1.001);
            t.insert("loss.total".into(), off);
        };
        let run = ported("gold_yolo_n", reference, &wrong, &["--json"])
            .exits(1)
            .json();
        assert_eq!(stage(&run, Stage::Loss).0, Outcome::Diverge, "{reference}");
    }
}

#[test]
fn an_assignment_of_another_size_diverges() {
    // A port keeps none of the nodes in between, so that the pairs alone can tell.
    let halved = |t: &mut Tensors| {
        t.retain(|n, _| n.starts_with("assign.") || n.starts_with("loss."));
        for (name, width) in [
            ("assign.fg_mask", 1),
            ("assign.gt_index", 8),
            ("assign.target_labels", 8),
        ] {
            let half =
                Tensor::from_bytes(t[name].dtype(), vec![1, 42], &t[name].bytes()[..42 * width])
                    .unwrap();
            t.insert(name.into(), half);
        }
    };
    let run = ported("gold_yolo_n", "kernel", &halved, &["--json"])
        .exits(1)
        .json();
    assert!(
        stage(&run, Stage::Assign)
            .1
            .contains("1 images of 42 anchors, expected 1 of 84")
    );
}

#[test]
fn gradients_are_those_of_the_candidate_that_was_asked_or_none() {
    let objects = [(2, [4.0, 6.0, 40.0, 44.0]), (1, [20.0, 24.0, 60.0, 62.0])];
    for form in FORMS {
        let on = |candidate: &str| {
            format!(
                "{}[candidate]\nsubject = \"{candidate}\"\n",
                padded(form, &objects, &[2])
            )
        };
        let run = run(&on("kernel"), &["--json"]).json();
        let (outcome, says) = stage(&run, Stage::Grad);
        assert!(
            outcome == Outcome::Agree && says.contains("gradients within their floors"),
            "{form}: {says}"
        );
    }
    let text = format!(
        "{}[reference]\nsubject = \"libtorch\"\n[candidate]\nsubject = \"onnxruntime\"\n",
        padded("gold_yolo_n", &objects, &[2])
    );
    let run = run(&text, &["--json"]).exits(4).json();
    assert_eq!(
        stage(&run, Stage::Grad),
        (Outcome::Nothing, "onnxruntime gives no gradients".into())
    );
}

#[test]
fn a_fault_of_gradients_in_a_subject_that_gives_none_is_refused() {
    let text = faulty("stop-gradient", "/loss/iou/Sub_9")
        .replace("of = \"libtorch\"", "of = \"onnxruntime\"");
    run(&text, &[]).refuses(
        2,
        &[
            "'stop-gradient' shows in gradients only",
            "onnxruntime gives none",
        ],
    );
}

#[test]
fn norms_are_told_beside_those_whose_they_are() {
    let objects = [(2, [4.0, 6.0, 40.0, 44.0]), (1, [20.0, 24.0, 60.0, 62.0])];
    let ran = run(&padded("gold_yolo_sml", &objects, &[2]), &[]).exits(0);
    let row = |who: &str| {
        ran.out
            .lines()
            .find(|l| l.starts_with(&format!("| iou  | {who}")))
            .unwrap_or_else(|| panic!("{}", ran.out))
            .to_string()
    };
    let norm = |who: &str| row(who).split('|').rev().nth(1).unwrap().trim().to_string();
    assert_eq!(norm("kernel"), norm("f64 graph"));
    assert!(row("f64 graph").contains("| -  "), "{}", row("f64 graph"));
    assert_eq!(norm("reference"), "-");
}

#[test]
fn a_term_whose_gradient_is_stopped_is_dead_in_the_ledger_and_no_clean_term_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let flags = |scenario: &str| {
        let run = Call::new(PARITY, &root, &["run", scenario, "--json"])
            .run()
            .exits(0)
            .json();
        let flags = run
            .stages
            .loss
            .unwrap()
            .flags
            .into_iter()
            .filter(Finding::is_fault);
        flags.map(|f| (f.who, f.place, f.what)).collect::<Vec<_>>()
    };
    assert_eq!(flags("gold_yolo_sml.toml"), []);
    let dead = (
        Some("candidate".to_string()),
        "dfl".to_string(),
        "candidate: no gradient of term 'dfl' reaches any prediction".to_string(),
    );
    assert_eq!(flags("control/gold-yolo-sml-no-dfl-gradient.toml"), [dead]);
}

/// The loss graph with its scores behind a node that this engine refuses, which adds nothing to them.
fn behind_a_refusal(folder: &Path, engine: &str) -> String {
    use parity::graph::proto::*;
    use prost::Message;
    let cast = |name: &str, from: &str, to: i64| {
        let attribute = AttributeProto {
            name: Some("to".into()),
            i: Some(to),
            r#type: Some(2),
            ..Default::default()
        };
        NodeProto {
            attribute: vec![attribute],
            ..node("Cast", name, &[from], &[name])
        }
    };
    let mut model =
        ModelProto::decode(&*std::fs::read("golden/gold_yolo/loss.onnx").unwrap()).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let input = graph
        .input
        .iter_mut()
        .find(|i| i.name.as_deref() == Some("pred_scores"))
        .unwrap();
    let mut scores = input.clone();
    scores.r#type = None;
    input.name = Some("raw_scores".into());
    graph.output.push(scores);
    // ONNX Runtime quantises no 32-bit integers; the interpreter orders no numbers beyond 2^63.
    let refused = match engine {
        "onnxruntime" => vec![
            cast("whole", "raw_scores", 6),
            node(
                "QuantizeLinear",
                "refused",
                &["whole", "one_half"],
                &["integers"],
            ),
        ],
        _ => vec![
            cast("long", "raw_scores", 7),
            cast("far", "long", 13),
            node("Max", "refused", &["far", "far"], &["integers"]),
        ],
    };
    let nothing = [
        cast("floats", "integers", 1),
        node("Mul", "nothing", &["floats", "zero"], &["nothing"]),
        node("Add", "sum", &["raw_scores", "nothing"], &["pred_scores"]),
    ];
    let nodes = std::mem::take(&mut graph.node);
    graph.node = refused.into_iter().chain(nothing).chain(nodes).collect();
    graph.initializer.extend([
        weight("zero", &[1], &[0.0]),
        weight("one_half", &[1], &[0.5]),
    ]);
    write_model(folder, "m.onnx", &model);
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/gold_yolo/loss.onnx");
    scenario(&[PERSON])
        .replace(&model.display().to_string(), "m.onnx")
        .replace("[inputs.pred_scores]", "[inputs.raw_scores]")
}

#[test]
fn a_node_that_is_refused_in_front_of_the_loss_leaves_what_can_be_compared_and_says_what_cannot() {
    let stages = |engine: &str, sides: &str| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("s.toml"),
            behind_a_refusal(dir.path(), engine) + sides,
        )
        .unwrap();
        let run = Call::new(PARITY, dir.path(), &["run", "s.toml", "--json"])
            .run()
            .exits(4)
            .json();
        [Stage::Assign, Stage::Loss, Stage::Grad].map(|of| stage(&run, of))
    };
    let [assign, loss, grad] = stages("libtorch", "");
    assert_eq!(
        (assign.0, loss.0, grad.0),
        (Outcome::Agree, Outcome::Agree, Outcome::Nothing)
    );
    assert!(
        grad.1.contains("the f64 graph has no gradients"),
        "{}",
        grad.1
    );
    let [assign, loss, grad] = stages(
        "onnxruntime",
        "[candidate]\nsubject = \"onnxruntime\"\noptimisation = \"all\"\n",
    );
    assert_eq!(
        (assign.0, loss.0, grad.0),
        (Outcome::Nothing, Outcome::Nothing, Outcome::Nothing)
    );
    assert!(
        assign.1.contains("'pred_scores'") || assign.1.contains("pred_scores"),
        "{}",
        assign.1
    );
}
