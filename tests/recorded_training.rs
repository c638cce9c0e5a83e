//! Recorded training steps: two traces and no process are judged in assignment, loss and gradients; conventions are named and no fault, and a
//! kernel blames nobody of another configuration.

mod support;

use indexmap::IndexMap;
use parity::graph::param::{Kind, Param};
use parity::scenario::training::{ASSIGNED, PREDICTIONS, Training};
use parity::subject::kernels::training::{Evaluated, evaluate};
use parity::tensor::{DType, Tensor};
use parity::trace::write::Writer;
use parity::trace::{Entry, FORMAT, Header};
use parity::verdict::Outcome;
use std::path::Path;
use support::*;

type Step = IndexMap<String, Tensor>;

const CLASSES: usize = 3;
/// Anchors of 64 x 64 at strides 8, 16 and 32.
const ANCHORS: usize = 84;
const TOLERANCE: [&str; 6] = [
    "--atol",
    "1e-6",
    "--rtol",
    "1e-4",
    "--why",
    "f32 of two frameworks",
];

/// Numbers that look like none in particular, in [low, high).
fn drawn(count: usize, seed: usize, [low, high]: [f64; 2]) -> Vec<f32> {
    let share = |i: usize| ((i * 7919 + seed * 104_729) as f64 * 0.618_033_988_749_895).fract();
    let number = |i: usize| (low + (high - low) * share(i)) as f32;
    (0..count).map(number).collect()
}

/// Two images with two objects and one.
fn fed(seed: usize) -> Step {
    let boxes = [
        [4.0f32, 6.0, 40.0, 44.0],
        [30.0, 28.0, 62.0, 60.0],
        [10.0, 8.0, 50.0, 56.0],
        [0.0; 4],
    ];
    let scores = drawn(2 * ANCHORS * CLASSES, seed, [0.02, 0.9]);
    let distances = drawn(2 * ANCHORS * 4, seed + 1, [0.4, 2.6]);
    [
        (
            "pred_scores",
            Tensor::from_vec(&[2, ANCHORS, CLASSES], scores),
        ),
        ("pred_distri", Tensor::from_vec(&[2, ANCHORS, 4], distances)),
        ("gt_labels", Tensor::of(&[2, 2], &[1i64, 0, 2, 0])),
        ("gt_boxes", Tensor::of(&[2, 2, 4], &boxes.concat())),
    ]
    .map(|(n, t)| (n.to_string(), t))
    .into()
}

fn training(kernel: &str, more: &str) -> String {
    format!("kernel = \"{kernel}\"\nimage = [64, 64]\n{more}")
}

fn kernel(text: &str, fed: &Step) -> Evaluated {
    let training: Training = toml::from_str(text).unwrap();
    evaluate(&training, [64, 64], &|n| fed.get(n).cloned()).unwrap()
}

/// What a program of this configuration records of a step, in f32.
fn step_of(text: &str, seed: usize) -> Step {
    let mut all = fed(seed);
    let made = kernel(text, &all);
    let narrow = |t: &Tensor| match t.dtype() {
        DType::F64 => Tensor::from_f64(DType::F32, t.shape(), &t.to_f64()).unwrap(),
        _ => t.clone(),
    };
    let assigned = ASSIGNED
        .iter()
        .filter_map(|n| Some((n.to_string(), narrow(made.tensors.get(*n)?))));
    all.extend(assigned);
    for (i, term) in ["iou", "cls"].iter().enumerate() {
        let of = |step: &str| format!("loss.{term}.{step}");
        let each = drawn(24, i, [0.1, 1.0]);
        all.insert(of("per_element"), Tensor::of(&[24], &each));
        all.insert(
            of("weight"),
            Tensor::of(&[24], &drawn(24, i + 5, [0.2, 0.8])),
        );
        all.insert(of("sum"), Tensor::of(&[], &[each.iter().sum::<f32>()]));
        all.insert(
            format!("loss.{term}"),
            narrow(&made.tensors[&format!("loss.{term}")]),
        );
    }
    all.insert("loss.dfl".into(), narrow(&made.tensors["loss.dfl"]));
    for whole in ["loss.items", "loss.total", "loss.normaliser"] {
        all.insert(whole.into(), narrow(&made.tensors[whole]));
    }
    for (k, by) in PREDICTIONS.iter().enumerate() {
        let parts: Vec<&Vec<f64>> = made
            .gradients
            .iter()
            .filter_map(|g| g[k].as_ref())
            .collect();
        let sum = |i: usize| parts.iter().map(|p| p[i]).sum::<f64>();
        let sum: Vec<f64> = (0..parts[0].len()).map(sum).collect();
        let shape = all[*by].shape().to_vec();
        all.insert(
            format!("grad.total.{by}"),
            narrow(&Tensor::from_vec(&shape, sum)),
        );
    }
    all
}

fn step() -> Step {
    step_of(&training("gold_yolo_n", ""), 1)
}

fn write(folder: &Path, name: &str, step: &Step) {
    let mut writer = Writer::create(&folder.join(name)).unwrap();
    step.iter()
        .for_each(|(name, t)| writer.add(name, t).unwrap());
    let entry = |name: &String| Entry {
        node: name.clone(),
        ..Entry::default()
    };
    let tensors = step.keys().map(|n| (n.clone(), entry(n))).collect();
    let header = Header {
        format: FORMAT,
        subject: "a program".into(),
        tensors,
        ..Header::default()
    };
    writer.finish(&header).unwrap();
}

/// `parity compare` of two steps, with a file of `[training]` where one is given.
fn compared(reference: &Step, candidate: &Step, training: Option<&str>, more: &[&str]) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.safetensors", reference);
    write(dir.path(), "b.safetensors", candidate);
    let empty = dir.path().join("nothing");
    std::fs::create_dir(&empty).unwrap();
    let mut args = vec!["compare", "a.safetensors", "b.safetensors"];
    args.extend(TOLERANCE);
    args.extend(more);
    if let Some(text) = training {
        std::fs::write(dir.path().join("t.toml"), text).unwrap();
        args.extend(["--training", "t.toml"]);
    }
    Call::new(PARITY, dir.path(), &args)
        .without_libraries(&empty)
        .run()
}

/// Changes elements of one tensor of a step.
fn change(step: &mut Step, name: &str, to: impl Fn(&mut Vec<f64>)) {
    let old = &step[name];
    let mut values = old.to_f64();
    to(&mut values);
    let new = match old.dtype() {
        DType::I64 => Tensor::from_vec(old.shape(), values.iter().map(|v| *v as i64).collect()),
        DType::Bool => {
            let flags: Vec<u8> = values.iter().map(|v| u8::from(*v != 0.0)).collect();
            Tensor::from_bytes(DType::Bool, old.shape().to_vec(), &flags).unwrap()
        }
        other => Tensor::from_f64(other, old.shape(), &values).unwrap(),
    };
    step.insert(name.into(), new);
}

fn positives(step: &Step) -> Vec<usize> {
    let mask = step["assign.fg_mask"].to_f64();
    (0..mask.len()).filter(|i| mask[*i] != 0.0).collect()
}

fn background(step: &Step) -> usize {
    let mask = step["assign.fg_mask"].to_f64();
    mask.iter().position(|m| *m == 0.0).unwrap()
}

#[test]
fn the_same_step_agrees_in_every_stage_without_a_graph() {
    let ran = compared(&step(), &step(), None, &[]).exits(0).says(&[
        "AGREE",
        "the same positives by pairs (reference 38 of 168 elements of assign.fg_mask > 0",
        "2 gradients of total within their tolerance",
    ]);
    assert!(
        !ran.out.contains("convention") && !ran.out.contains("contradicted"),
        "{ran}"
    );
    let run = compared(&step(), &step(), None, &["--json"])
        .exits(0)
        .json();
    let outcomes = run.verdict.stages.iter().map(|s| s.outcome);
    assert_eq!(outcomes.collect::<Vec<_>>(), [Outcome::Agree; 3]);
}

type Change = &'static dyn Fn(&mut Step);

#[test]
fn what_is_another_convention_is_named_as_one_and_is_no_fault() {
    let cases: &[(&str, Change, &[&str])] = &[
        (
            "the label of background",
            &|s| {
                let free = background(s);
                change(s, "assign.target_labels", |v| v[free] = CLASSES as f64);
            },
            &[
                "1 background anchors hold another label or box",
                ", 3 in the candidate",
            ],
        ),
        (
            "owners from one",
            &|s| {
                change(s, "assign.gt_index", |v| {
                    v.iter_mut().for_each(|g| *g += 1.0)
                })
            },
            &["owners are numbered from 0 in the reference and from 1 in the candidate"],
        ),
        (
            "the order of the items",
            &|s| change(s, "loss.items", |v| v.rotate_left(1)),
            &["'loss.items' holds [0, 1, 2] in the reference and [1, 2, 0] in the candidate"],
        ),
        (
            "losses by row",
            &|s| {
                let each = s["loss.iou.per_element"].to_f64();
                let column = Tensor::from_f64(DType::F32, &[24, 1], &each).unwrap();
                s.insert("loss.iou.per_element".into(), column);
            },
            &["f32 [24] in the reference and f32 [24, 1] in the candidate"],
        ),
        (
            "labels as floats of an axis more, and a mask of numbers",
            &|s| {
                let labels = s["gt_labels"].to_f64();
                s.insert(
                    "gt_labels".into(),
                    Tensor::from_f64(DType::F32, &[2, 2, 1], &labels).unwrap(),
                );
                let mask = s["assign.fg_mask"].to_f64();
                s.insert(
                    "assign.fg_mask".into(),
                    Tensor::from_f64(DType::F32, &[2, ANCHORS], &mask).unwrap(),
                );
            },
            &["'gt_labels' is i64 [2, 2] in the reference and f32 [2, 2, 1] in the candidate"],
        ),
    ];
    for (name, change, words) in cases {
        let mut other = step();
        change(&mut other);
        let ran = compared(&step(), &other, None, &[]);
        assert_eq!(ran.code, Some(0), "{name}: {ran}");
        ran.says(words);
    }
}

#[test]
fn a_fault_is_found_at_its_stage_term_and_step() {
    let cases: &[(&str, Change, &[&str])] = &[
        (
            "a positive less",
            &|s| {
                let lost = positives(s)[3];
                change(s, "assign.fg_mask", |v| v[lost] = 0.0);
            },
            &[
                "in stage assign: first 'assign.fg_mask'",
                "1 fewer",
                "first: image 0",
            ],
        ),
        (
            "as many positives, and others",
            &|s| {
                let (lost, free) = (positives(s)[3], background(s));
                change(s, "assign.fg_mask", |v| v.swap(lost, free));
            },
            &["in stage assign", "1 positives more, 1 fewer"],
        ),
        (
            "everything positive",
            &|s| change(s, "assign.fg_mask", |v| v.fill(1.0)),
            &[
                "in stage assign",
                "every anchor is positive",
                "candidate: 168 of 168 elements of assign.fg_mask > 0, but assign.target_scores has 38 non-zero rows of 168",
            ],
        ),
        (
            "another weight",
            &|s| {
                change(s, "loss.iou.weight", |v| {
                    v.iter_mut().for_each(|w| *w *= 2.0)
                })
            },
            &[
                "in stage loss, term 'iou': first 'loss.iou.weight'",
                "off from its step weight on: 24 elements",
            ],
        ),
        (
            "a mean for a sum",
            &|s| change(s, "loss.cls.sum", |v| v[0] /= 24.0),
            &["in stage loss, term 'cls': first 'loss.cls.sum'"],
        ),
        (
            "items that are not the reference's in any order",
            &|s| change(s, "loss.items", |v| v[0] *= 2.0),
            &["in stage loss", "'loss.items'"],
        ),
        (
            "a gradient of the total",
            &|s| {
                change(s, "grad.total.pred_distri", |v| {
                    v.iter_mut().for_each(|g| *g *= 1.5)
                })
            },
            &[
                "in stage grad, term 'total': first 'pred_distri'",
                "differs",
            ],
        ),
        (
            "a gradient of the total that is lost",
            &|s| change(s, "grad.total.pred_scores", |v| v.fill(0.0)),
            &[
                "in stage grad, term 'total': first 'pred_scores'",
                "lost here",
            ],
        ),
    ];
    for (name, change, words) in cases {
        let mut other = step();
        change(&mut other);
        let ran = compared(&step(), &other, None, &[]);
        assert_eq!(ran.code, Some(1), "{name}: {ran}");
        ran.says(words);
    }
}

#[test]
fn a_stage_that_only_the_reference_recorded_is_no_agreement() {
    for prefix in ["assign.", "loss.", "grad."] {
        let mut other = step();
        other.retain(|name, _| !name.starts_with(prefix));
        let ran = compared(&step(), &other, None, &["--coverage", "0.1"]);
        assert_eq!(ran.code, Some(4), "{prefix}: {ran}");
    }
}

#[test]
fn an_exchange_at_equal_metrics_is_a_tie_and_one_at_unequal_ones_is_a_rule() {
    for (equal, code, words) in [(true, 0, "2 tie flips"), (false, 1, "in stage assign")] {
        let (mut reference, mut other) = (step(), step());
        let (lost, free) = (positives(&reference)[0], background(&reference));
        let row = reference["assign.gt_index"].to_f64()[lost] as usize;
        if equal {
            let at = |a: usize| row * ANCHORS + a;
            for side in [&mut reference, &mut other] {
                change(side, "assign.metric", |v| v[at(free)] = v[at(lost)]);
            }
        }
        change(&mut other, "assign.fg_mask", |v| v.swap(lost, free));
        change(&mut other, "assign.gt_index", |v| v[free] = row as f64);
        for (name, width) in [
            ("assign.target_scores", CLASSES),
            ("assign.target_boxes", 4),
        ] {
            change(&mut other, name, |v| {
                (0..width).for_each(|k| v.swap(lost * width + k, free * width + k))
            });
        }
        let ran = compared(&reference, &other, None, &[]);
        assert_eq!(ran.code, Some(code), "{ran}");
        ran.says(&[words]);
    }
}

#[test]
fn a_kernel_of_the_references_configuration_tells_the_rule_from_what_it_was_fed() {
    let text = training("gold_yolo_n", "");
    // Each side its own predictions: the rule is the same, and so say all stages behind the predictions.
    let run = compared(
        &step_of(&text, 1),
        &step_of(&text, 3),
        Some(&text),
        &["--json"],
    )
    .exits(1)
    .json();
    let outcomes: Vec<Outcome> = run.verdict.stages.iter().map(|s| s.outcome).collect();
    assert_eq!(outcomes, [Outcome::Agree; 3], "{:?}", run.verdict.stages);
    assert!(
        run.stages
            .notes
            .iter()
            .any(|n| n.what.contains("the predictions differ, not the rule"))
    );
    let iou = &run.stages.loss.unwrap().terms[0];
    let ratios: Vec<f64> = iou.opinions.iter().map(|o| o.ratio().unwrap()).collect();
    assert!(ratios.iter().all(|r| (r - 1.0).abs() < 1e-4), "{ratios:?}");

    // A fault on other predictions: only what is off on the candidate's own inputs is.
    for (name, factor, stage) in [
        ("loss.iou", 0.5, "loss"),
        ("grad.total.pred_distri", 3.0, "grad"),
    ] {
        let mut other = step_of(&text, 3);
        change(&mut other, name, |v| {
            v.iter_mut().for_each(|x| *x *= factor)
        });
        let run = compared(&step_of(&text, 1), &other, Some(&text), &["--json"])
            .exits(1)
            .json();
        let found = run.verdict.stage().unwrap();
        assert_eq!(found.stage.name(), stage, "{:?}", run.verdict.stages);
    }
}

#[test]
fn a_loss_that_is_off_is_the_kernels_in_another_form_or_not_explained() {
    let text = training("gold_yolo_n", "");
    let why = |candidate: &Step| {
        let run = compared(&step(), candidate, Some(&text), &["--json"]);
        let stages = run.json().verdict.stages;
        let of_loss = stages.into_iter().find(|s| s.stage.name() == "loss");
        of_loss.expect("a loss was judged").why
    };
    assert_eq!(why(&step()), None, "the same step");
    for (hyper, cause) in [
        ("reduction = \"sum\"", "other-normaliser"),
        ("iou = \"giou\"", "other-iou-kind"),
        ("top_k = 5", "other-top-k"),
    ] {
        let other = step_of(&training("gold_yolo_n", &format!("[hyper]\n{hyper}\n")), 1);
        let why = why(&other).expect("a loss that is off");
        assert!(why.names(cause), "{hyper}: {why:?}");
    }
    // Labels that count from one are the candidate's own reading: what it was fed is the reference's.
    let mut shifted = fed(1);
    change(&mut shifted, "gt_labels", |v| {
        v.iter_mut().for_each(|v| *v = (*v + 1.0) % CLASSES as f64);
    });
    let made = kernel(&text, &shifted).tensors;
    let mut other = step();
    for name in [
        "loss.iou",
        "loss.cls",
        "loss.dfl",
        "loss.total",
        "loss.normaliser",
    ] {
        let value = made[name].to_f64()[0];
        change(&mut other, name, |v| v[0] = value);
    }
    let explained = why(&other).expect("a loss that is off");
    assert!(explained.names("label-offset"), "{explained:?}");
    let mut odd = step();
    change(&mut odd, "loss.iou", |v| v[0] *= 1.037);
    let none = why(&odd).expect("a loss that is off");
    assert!(none.confirmed.is_empty() && none.tried > 30, "{none:?}");
}

#[test]
fn a_kernel_of_another_configuration_is_said_to_be_one_and_blames_nobody() {
    // Another assigner.
    let step = || step_of(&training("gold_yolo_n_warm_up", ""), 1);
    let text = training("gold_yolo_n", "");
    let ran = compared(&step(), &step(), Some(&text), &[]);
    assert_eq!(ran.code, Some(0), "{ran}");
    ran.says(&[
        "AGREE",
        "no third opinion on the assignment",
        "of another configuration than the reference",
    ]);
}

#[test]
fn the_ledger_shows_the_kernel_on_each_sides_own_inputs_and_the_ratio() {
    let text = training("gold_yolo_n", "");
    let mut other = step();
    change(&mut other, "loss.iou", |v| v[0] *= 2.0);
    compared(&step(), &other, Some(&text), &[])
        .exits(1)
        .says(&["kernel", "ratio", "2.000"]);
}

/// What public code calls and lays out in another way: the first column of docs/CONVENTIONS.md, and that it is fed as the last one says.
const LINES: &[(&str, fn())] = &[
    ("label −1 as padding", || {
        fed_alike(|s| change(s, "gt_labels", |v| v[3] = -1.0));
    }),
    ("labels as `[B, n, 1]` floats", || {
        let form = |s: &mut Step| turned(s, "gt_labels", &[2, 2, 1], &|v| v.to_vec());
        fed_alike(form);
        said(form, "'gt_labels' is i64 [2, 2] in the reference");
    }),
    ("owners from 1", || {
        let form = |s: &mut Step| {
            change(s, "assign.gt_index", |v| {
                v.iter_mut().for_each(|g| *g += 1.0)
            })
        };
        said(form, "numbered from 0 in the reference and from 1");
    }),
    ("no owners at all", || {
        let form = |s: &mut Step| drop(s.shift_remove("assign.gt_index"));
        let (mut a, mut b) = (step(), step());
        form(&mut a);
        form(&mut b);
        compared(&a, &b, None, &[])
            .exits(0)
            .says(&["the same positives by pairs"]);
        let lost = positives(&b)[0];
        let one = compared(&a, &b, None, &[]);
        assert!(!one.out.contains("owns every positive"), "{one}");
        change(&mut b, "assign.fg_mask", |v| v[lost] = 0.0);
        compared(&a, &b, None, &[])
            .exits(1)
            .says(&["in stage assign"]);
    }),
    ("scores and distances as `[B, C, A]`", || {
        fed_alike(|s| {
            turned(s, "pred_scores", &[2, CLASSES, ANCHORS], &|v| {
                by_column(v, CLASSES)
            });
            turned(s, "pred_distri", &[2, 4, ANCHORS], &|v| by_column(v, 4));
        });
    }),
    ("a mask of numbers", || {
        let form = |s: &mut Step| turned(s, "assign.fg_mask", &[2, ANCHORS], &|v| v.to_vec());
        said(form, "'assign.fg_mask' is bool");
    }),
    ("losses as `[N, 1]`", || {
        let form = |s: &mut Step| turned(s, "loss.iou.per_element", &[24, 1], &|v| v.to_vec());
        said(form, "'loss.iou.per_element' is f32 [24] in the reference");
    }),
    (
        "background of class nc, −1, or that of the first object",
        || {
            for label in [-1.0, CLASSES as f64, 7.0] {
                let form = move |s: &mut Step| {
                    let mask = s["assign.fg_mask"].to_f64();
                    let free = |i: &usize| mask[*i] == 0.0;
                    change(s, "assign.target_labels", |v| {
                        (0..v.len()).filter(free).for_each(|i| v[i] = label)
                    });
                };
                said(form, "background anchors hold another label or box");
            }
        },
    ),
    ("items in another order", || {
        said(
            |s| change(s, "loss.items", |v| v.rotate_left(1)),
            "'loss.items' holds [",
        );
    }),
    ("running statistics among the parameters", || {
        let dir = tempfile::tempdir().unwrap();
        for (name, kind) in [
            ("a.safetensors", Kind::Buffer),
            ("b.safetensors", Kind::Parameter),
        ] {
            let mut writer = Writer::create(&dir.path().join(name)).unwrap();
            writer.add("x", &Tensor::of(&[1], &[1f32])).unwrap();
            let shape = vec![8];
            let (name, dtype, trainable) = ("bn.running_mean".into(), DType::F32, None);
            writer.parameters(vec![Param {
                name,
                shape,
                dtype,
                kind,
                trainable,
            }]);
            let entry = ("x".to_string(), Entry::default());
            writer
                .finish(&Header {
                    format: FORMAT,
                    tensors: [entry].into(),
                    ..Header::default()
                })
                .unwrap();
        }
        let args = ["compare", "a.safetensors", "b.safetensors", "--exact"];
        let ran = Call::new(PARITY, dir.path(), &args).run().exits(0);
        ran.says(&["1 running statistics (8 elements) are parameters of the candidate"]);
    }),
    (
        "top-k, α, β, eps, bins, gains, kind of IoU, what the terms are divided by",
        || {
            let plain = kernel(&training("gold_yolo_n", ""), &fed(1));
            for hyper in [
                "top_k = 4",
                "alpha = 0.5",
                "beta = 2.0",
                "eps = 1.0",
                "gains = [1.0, 1.0, 1.0]",
                "iou = \"giou\"",
                "reduction = \"mean\"",
            ] {
                let own = format!("[hyper]\n{hyper}\n");
                let other = kernel(&training("gold_yolo_n", &own), &fed(1));
                assert_ne!(
                    bits(&plain.tensors["loss.total"]),
                    bits(&other.tensors["loss.total"]),
                    "{hyper}"
                );
                let text = training("gold_yolo_n", &own);
                let step = || step_of(&text, 1);
                let ran = compared(&step(), &step(), Some(&text), &[]).exits(0);
                assert!(!ran.out.contains("another configuration"), "{hyper}: {ran}");
            }
            let binned = training("gold_yolo_n", "[hyper]\nbins = 3\n");
            let mut fed = fed(1);
            fed.insert(
                "pred_distri".into(),
                Tensor::from_vec(&[2, ANCHORS, 12], drawn(2 * ANCHORS * 12, 9, [-1.0, 1.0])),
            );
            let made = kernel(&binned, &fed);
            let said = made.cut_off("reference").unwrap().what;
            assert!(
                said.contains("at stride 8") && made.tensors["loss.dfl"].to_f64()[0] > 0.0,
                "{said}"
            );
        },
    ),
];

fn bits(t: &Tensor) -> Vec<u64> {
    t.to_f64().iter().map(|v| v.to_bits()).collect()
}

/// The kernel makes the same of inputs in this form.
fn fed_alike(form: impl Fn(&mut Step)) {
    let text = training("gold_yolo_n", "");
    let mut other = fed(1);
    form(&mut other);
    let plain = fed(1);
    let same = |name: &String| {
        let (a, b) = (&other[name], &plain[name]);
        (a.shape(), bits(a)) == (b.shape(), bits(b))
    };
    assert!(!plain.keys().all(same), "the form changes nothing");
    let (other, plain) = (kernel(&text, &other).tensors, kernel(&text, &plain).tensors);
    plain
        .iter()
        .for_each(|(name, t)| assert_eq!(bits(&other[name]), bits(t), "{name}"));
}

/// Two recordings of which one has this form agree, and that is said.
fn said(form: impl Fn(&mut Step), words: &str) {
    let mut other = step();
    form(&mut other);
    compared(&step(), &other, None, &[])
        .exits(0)
        .says(&["convention", words]);
}

/// A tensor as f32 of another shape.
fn turned(step: &mut Step, name: &str, shape: &[usize], values: &dyn Fn(&[f64]) -> Vec<f64>) {
    let values = values(&step[name].to_f64());
    step.insert(
        name.into(),
        Tensor::from_f64(DType::F32, shape, &values).unwrap(),
    );
}

/// Two images of `[A, columns]` as `[columns, A]`.
fn by_column(values: &[f64], columns: usize) -> Vec<f64> {
    let of_image = |image: &[f64]| {
        (0..image.len())
            .map(|i| image[i % ANCHORS * columns + i / ANCHORS])
            .collect::<Vec<f64>>()
    };
    values
        .chunks(ANCHORS * columns)
        .flat_map(of_image)
        .collect()
}

#[test]
fn every_line_of_the_page_of_conventions_is_fed_as_it_says() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONVENTIONS.md"))
        .unwrap();
    let rows = page
        .lines()
        .filter_map(|l| l.strip_prefix("| ")?.split(" | ").next());
    let rows: Vec<&str> = rows.filter(|r| *r != "convention").collect();
    let names: Vec<&str> = LINES.iter().map(|l| l.0).collect();
    assert_eq!(rows, names);
    LINES.iter().for_each(|(_, run)| run());
}

#[test]
fn a_recording_in_f64_is_answered_in_f64() {
    let text = training("gold_yolo_n", "");
    let mut all = fed(1);
    for name in PREDICTIONS {
        let wide = Tensor::from_vec(all[name].shape(), all[name].to_f64());
        all.insert(name.into(), wide);
    }
    let made = kernel(&text, &all);
    all.extend(made.tensors.iter().map(|(n, t)| (n.clone(), t.clone())));
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.safetensors", &all);
    let mut other = all.clone();
    change(&mut other, "loss.iou", |v| v[0] *= 1.0 + 1e-11);
    write(dir.path(), "b.safetensors", &other);
    std::fs::write(dir.path().join("t.toml"), &text).unwrap();
    let ran = |b: &str| {
        let args = [
            "compare",
            "a.safetensors",
            b,
            "--atol",
            "0",
            "--rtol",
            "1e-13",
            "--why",
            "f64",
            "--training",
            "t.toml",
        ];
        Call::new(PARITY, dir.path(), &args).run()
    };
    ran("a.safetensors").exits(0);
    ran("b.safetensors")
        .exits(1)
        .says(&["in stage loss, term 'iou'"]);
}

#[test]
fn the_v8_loss_is_a_third_opinion_too() {
    let text = training("v8_detection_8_4", "[hyper]\nbins = 3\n");
    let step = |seed: usize| {
        let mut all = fed(seed);
        let logits: Vec<f32> = drawn(2 * ANCHORS * CLASSES, seed, [-3.0, 1.0]);
        all.insert(
            "pred_scores".into(),
            Tensor::from_vec(&[2, ANCHORS, CLASSES], logits),
        );
        all.insert(
            "pred_distri".into(),
            Tensor::from_vec(
                &[2, ANCHORS, 12],
                drawn(2 * ANCHORS * 12, seed, [-1.0, 1.0]),
            ),
        );
        let made = kernel(&text, &all);
        let narrow = |t: &Tensor| match t.dtype() {
            DType::F64 => Tensor::from_f64(DType::F32, t.shape(), &t.to_f64()).unwrap(),
            _ => t.clone(),
        };
        all.extend(made.tensors.iter().map(|(n, t)| (n.clone(), narrow(t))));
        all
    };
    compared(&step(1), &step(1), Some(&text), &[])
        .exits(0)
        .says(&["AGREE", "cut off"]);
    let mut other = step(3);
    change(&mut other, "loss.box", |v| v[0] *= 0.5);
    let run = compared(&step(1), &other, Some(&text), &["--json"])
        .exits(1)
        .json();
    let found = run.verdict.stage().unwrap();
    assert_eq!(
        (found.stage.name(), found.term.as_deref()),
        ("loss", Some("box")),
        "{:?}",
        run.verdict.stages
    );
}

#[test]
fn a_file_of_training_that_says_nothing_of_use_is_refused_by_name() {
    let ran = |text: &str| compared(&step(), &step(), Some(text), &[]);
    ran("kernel = \"gold_yolo\"").refuses(2, &["unknown kernel 'gold_yolo'", "gold_yolo_n"]);
    ran("kernal = \"gold_yolo_n\"").refuses(2, &["t.toml", "kernal"]);
}
