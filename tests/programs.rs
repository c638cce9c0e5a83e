//! A program under names of its own, recorded or live, beside a graph or another recording: the same function agrees, and what is wrong is found at its
//! module, with what makes it wrong. tests/fixtures/ports has the network and its wrong exports.

#![cfg(feature = "torch")]

#[path = "support/anonymous.rs"]
mod anonymous;
mod support;

use anonymous::{anonymous, original};
use parity::run::Run;
use parity::trace::file;
use parity::trace::write::Writer;
use parity::verdict::{Blame, Isolated, Origin};
use std::path::{Path, PathBuf};
use support::*;

const PARITY: &str = env!("CARGO_BIN_EXE_parity-engine");

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/ports")
        .join(name)
}

fn run(a: &Path, b: &Path) -> Run {
    let folder = tempfile::tempdir().unwrap();
    Call::new(PARITY, folder.path(), &["run", text(a), text(b), "--json"])
        .run()
        .json()
}

/// What the recorder sees: every function of the user's code too, modules only, or what the model returned with its parameters or without.
const FORMS: [&str; 4] = ["full", "modules", "outputs", "bare"];

/// The clean network, recorded in this form.
fn recording(form: &str, folder: &Path) -> PathBuf {
    let held = fixture(if form == "modules" {
        "modules.safetensors"
    } else {
        "full.safetensors"
    });
    if ["full", "modules"].contains(&form) {
        return held;
    }
    let trace = file::open(&held).unwrap();
    let mut header = trace.header.clone().unwrap();
    header.calls.retain(|c| c.module.is_empty());
    let ends: Vec<String> = header.calls[0].outputs.iter().flatten().cloned().collect();
    header
        .tensors
        .retain(|n, e| ends.contains(n) || e.op == "Input");
    header.tensors.values_mut().for_each(|e| e.inputs.clear());
    let path = folder.join(format!("{form}.safetensors"));
    let mut writer = Writer::create(&path).unwrap();
    for name in header.tensors.keys() {
        writer
            .add(name, &trace.tensor(name).unwrap().unwrap())
            .unwrap();
    }
    if form == "outputs" {
        let listed = trace.parameters.clone().unwrap();
        for param in &listed {
            let value = trace.parameter_value(&param.name).unwrap().unwrap();
            writer
                .add(&format!("parameter.{}", param.name), &value)
                .unwrap();
        }
        writer.parameters(listed);
    }
    writer.finish(&header).unwrap();
    path
}

/// An export under names that say nothing.
fn export(name: &str, seed: u64, folder: &Path) -> PathBuf {
    let model = original(&format!("tests/fixtures/ports/{name}.onnx"));
    let path = folder.join(format!("{name}-{seed}.onnx"));
    std::fs::write(&path, anonymous(model, seed).0).unwrap();
    path
}

#[test]
fn a_recording_in_any_form_agrees_with_both_exports_of_its_network_whichever_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    for (seed, form) in (0..).zip(FORMS) {
        let trace = recording(form, dir.path());
        for name in ["clean-legacy", "clean-dynamo"] {
            let model = export(name, seed, dir.path());
            for (a, b, at) in [(&trace, &model, 0), (&model, &trace, 1)] {
                let run = run(a, b);
                let what = format!("{form} {name} {at}: {:?}", run.findings);
                assert_eq!(run.expectation.exit as i32, 0, "{what}");
                let found = run.correspondence.unwrap();
                // One exporter folds the norms into the convolutions, and keeps no other view of three tensors of the attention.
                let lacks = match (name, form) {
                    ("clean-dynamo", "full" | "modules") => 4,
                    _ => 0,
                };
                assert_eq!(found.pairs.len() + lacks, found.tensors[at], "{what}");
            }
        }
    }
}

/// A wrong export, what the recording of the clean network calls the place, with functions and without, and whether the weights are what is wrong.
const MISTAKES: &[(&str, &str, &str, bool)] = &[
    ("train_mode-legacy", "body.norm", "body.norm", false),
    ("align_corners-legacy", "up.interpolate()", "up", false),
    ("eps-legacy", "body.norm", "body.norm", false),
    ("eps-dynamo", "body.norm", "body.norm", false),
    (
        "cubic-legacy",
        "cubic.interpolate()",
        "merge.input:0",
        false,
    ),
    ("ceil_mode-legacy", "pool", "pool", false),
    ("pad_side-legacy", "pad.pad()", "pad", false),
    ("tanh_gelu-legacy", "encoder.act", "encoder.act", false),
    ("tanh_gelu-dynamo", "encoder.act", "encoder.act", false),
    (
        "no_scale-legacy",
        "encoder.attention.mul()",
        "encoder.attention.out.input:0",
        false,
    ),
    ("swapped_concat-legacy", "cat()", "merge.input:0", false),
    ("swapped_concat-dynamo", "cat()", "merge.input:0", false),
    ("stale_weights-legacy", "merge.conv", "merge.conv", true),
    ("dropped_bias-legacy", "encoder.grow", "encoder.grow", false),
    (
        "wrong_axis-legacy",
        "encoder.attention.softmax()",
        "encoder.attention.out.input:0",
        false,
    ),
    (
        "layer_eps-legacy",
        "encoder.behind",
        "encoder.behind",
        false,
    ),
    ("relu-legacy", "stem.act", "stem.act", false),
];

#[test]
fn each_wrong_export_is_found_at_its_module_with_what_makes_it_wrong() {
    let dir = tempfile::tempdir().unwrap();
    for (seed, (name, with_functions, modules, weights)) in (0..).zip(MISTAKES) {
        let model = export(name, seed, dir.path());
        for (form, culprit) in [("full", with_functions), ("modules", modules)] {
            let run = run(&recording(form, dir.path()), &model);
            assert_eq!(run.expectation.exit as i32, 1, "{form} {name}");
            let (nodes, blame) = only_stretch(&run, &format!("{form} {name}"));
            let [ours, theirs] = nodes;
            // What the attention is made of is recorded where functions are.
            let most = if form == "full" { 9 } else { 14 };
            assert!(ours.iter().any(|n| n == culprit), "{form} {name}: {ours:?}");
            assert!(
                ours.len() <= 3 && theirs.len() <= most,
                "{form} {name}: {nodes:?}"
            );
            let is = matches!(blame, Some(Blame::Weights(_)));
            assert_eq!(is, *weights, "{form} {name}: {blame:?}");
            let said = &run.findings[0].what;
            let module = culprit.split(".input").next().unwrap();
            let module = module
                .rsplit_once('.')
                .filter(|m| m.1.ends_with(')'))
                .map_or(module, |m| m.0);
            // Where a module is a function of the model's own code, or what it gives is no tensor of the graph any more, the model itself is named.
            let itself = module.ends_with(')') || *name == "cubic-legacy";
            assert!(
                said.contains(&format!("'{module}")) || itself && said.contains("the model itself"),
                "{form} {name}: {said}"
            );
            assert!(
                said.contains("network.py:") || culprit.contains(".input"),
                "{form} {name}: {said}"
            );
        }
    }
}

#[test]
fn of_outputs_alone_it_is_said_what_to_record_and_weights_are_told_where_they_are_known() {
    let dir = tempfile::tempdir().unwrap();
    for (form, name, because) in [
        ("outputs", "eps-legacy", None),
        ("bare", "eps-legacy", None),
        ("bare", "stale_weights-legacy", None),
        ("outputs", "stale_weights-legacy", Some("merge.conv.weight")),
    ] {
        let run = run(&recording(form, dir.path()), &export(name, 5, dir.path()));
        assert_eq!(run.expectation.exit as i32, 1, "{form} {name}");
        let found = &run.findings[0];
        assert!(
            found
                .what
                .starts_with("somewhere in front of 'boxes': one of"),
            "{}",
            found.what
        );
        let text = [found.facts.concat(), found.next.concat()].concat();
        match because {
            Some(weight) => assert!(
                text.contains(&format!("with '{weight}' of the other side it agrees")),
                "{text}"
            ),
            None => assert!(text.contains("parity_port.record"), "{text}"),
        }
    }
}

#[test]
fn two_recordings_are_held_against_each_other_by_modules_that_are_built_anew() {
    let reference = fixture("mlp.safetensors");
    let clean = run(&reference, &fixture("mlp-numpy-clean.safetensors"));
    assert_eq!(clean.expectation.exit as i32, 0, "{:?}", clean.findings);
    let found = clean.correspondence.unwrap();
    assert_eq!((found.pairs.len(), found.tensors), (7, [7, 7]));
    let alone = clean.tensors.iter().filter(|t| t.isolated.compared());
    assert_eq!(alone.count(), 6, "every tensor is judged alone, too");
    for (mistake, module, weights) in [
        ("eps", "norm", false),
        ("tanh", "act", false),
        ("stale", "down", true),
        ("bias", "up", false),
    ] {
        let run = run(
            &reference,
            &fixture(&format!("mlp-numpy-{mistake}.safetensors")),
        );
        assert_eq!(run.expectation.exit as i32, 1, "{mistake}");
        let own = &run.verdict.origins[0];
        let tensor = run.tensors.iter().find(|t| t.name == own.tensor).unwrap();
        let Isolated::Stretch { nodes, blame, .. } = &tensor.isolated else {
            panic!("{mistake}: {:?}", tensor.isolated)
        };
        assert!(nodes[0].iter().any(|n| n == module), "{mistake}: {nodes:?}");
        assert_eq!(
            matches!(blame, Some(Blame::Weights(_))),
            weights,
            "{mistake}: {blame:?}"
        );
    }
}

/// y = relu(w x), as tests/fixtures/live/worker.py computes it, or with something else behind the product; the axis is open.
fn product(folder: &Path, behind: &str) -> PathBuf {
    let w = weight("w", &[4], &[0.1, -1.25, 2.0, 0.3]);
    let nodes = vec![
        node("Mul", "mul", &["image", "w"], &["p"]),
        node(behind, "act", &["p"], &["y"]),
    ];
    write_model(
        folder,
        "m.onnx",
        &onnx(port("image", F32, &[4]), nodes, vec![w]),
    );
    folder.join("m.onnx")
}

#[test]
fn a_live_port_is_fed_the_same_and_held_against_the_graph_in_f64_and_in_its_own_dtype() {
    let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/live/worker.py");
    let dir = tempfile::tempdir().unwrap();
    // As a command in any language; a port file is one for parity_port.
    let command = dir.path().join("worker");
    std::os::unix::fs::symlink(worker, &command).unwrap();
    let agrees = run(&command, &product(dir.path(), "Relu"));
    assert_eq!(agrees.expectation.exit as i32, 0, "{:?}", agrees.findings);
    let found = agrees.correspondence.as_ref().unwrap();
    assert_eq!((found.pairs.len(), found.tensors), (3, [3, 3]));
    let second = agrees.alone.iter().filter_map(|a| a.run.as_ref());
    assert_eq!(
        second.count(),
        2,
        "the graph in the engines, and both on a second input"
    );
    let other = run(&command, &product(dir.path(), "Abs"));
    assert_eq!(other.expectation.exit as i32, 1);
    assert_eq!(
        other.verdict.origins[0].tensor, "y",
        "{:?}",
        other.verdict.origins
    );
}

/// A worker that does as tests/fixtures/live/worker.py, but for what `body` changes.
fn worker(folder: &Path, name: &str, body: &str) -> PathBuf {
    let live = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/live");
    let text = format!(
        "#!/usr/bin/env python3\nimport sys\nsys.dont_write_bytecode = True\nsys.path.insert(0, {live:?})\nimport worker\n{body}\nworker.serve()\n"
    );
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}

#[test]
fn of_two_live_ports_each_part_is_tried_on_the_others_values_and_weights_are_told_from_computation()
{
    let dir = tempfile::tempdir().unwrap();
    let clean = worker(dir.path(), "clean", "");
    let stale =
        "worker.weights = {'w': ('F32', [4], worker.array.array('f', [0.1, -1.25, 2.0, 0.5]))}";
    let steep = "worker.activated = lambda values: [max(v, 0.1 * v) for v in values]";
    let both = format!("{stale}\n{steep}");
    // Under another name, as it is and with two elements exchanged: the same elements are no other order of axes.
    let named = |values: &str| {
        format!(
            "class Named(dict):\n    __missing__ = lambda self, name: self['v']\nworker.weights = Named(v=('F32', [4], worker.array.array('f', {values})))"
        )
    };
    let (renamed, exchanged) = (
        named("[0.1, -1.25, 2.0, 0.3]"),
        named("[0.1, -1.25, 0.3, 2.0]"),
    );
    let weights = |b: &Option<Blame>| matches!(b, Some(Blame::Weights(_)));
    let computation = |b: &Option<Blame>| matches!(b, Some(Blame::Computation));
    type Is<'a> = &'a dyn Fn(&Option<Blame>) -> bool;
    let cases: [(&str, &[(&str, Is)]); 6] = [
        ("", &[]),
        (&renamed, &[]),
        (&exchanged, &[("product", &weights)]),
        (stale, &[("product", &weights)]),
        (steep, &[("y", &computation)]),
        (&both, &[("product", &weights), ("y", &computation)]),
    ];
    for (body, expected) in cases {
        let other = worker(dir.path(), "other", body);
        for (a, b) in [(&clean, &other), (&other, &clean)] {
            let run = run(a, b);
            let alone = |o: &Origin| run.tensors.iter().find(|t| t.name == o.tensor).unwrap();
            let found: Vec<&Origin> = run.verdict.origins.iter().collect();
            let names: Vec<&str> = found.iter().map(|o| o.tensor.as_str()).collect();
            let wanted: Vec<&str> = expected.iter().map(|e| e.0).collect();
            assert_eq!(names, wanted, "{body}: {:?}", run.findings);
            for (origin, (_, is)) in found.into_iter().zip(expected) {
                let Isolated::Stretch { blame, .. } = &alone(origin).isolated else {
                    panic!("{body}: {:?}", alone(origin).isolated);
                };
                assert!(is(blame), "{body}: {blame:?}");
            }
            assert_eq!(run.expectation.exit as i32, i32::from(!expected.is_empty()));
            assert!(run.alone.iter().all(|a| a.run.is_some()) && run.alone.len() == 1);
        }
    }
}

#[test]
fn a_decision_that_rounding_flips_inside_of_what_is_not_recorded_is_not_judged_and_a_wrong_one_is()
{
    let dir = tempfile::tempdir().unwrap();
    // 25 times 0.1 in f32 is 2.5, which rounds to 2; in f64 the same bits give 2.50000004 and 3.
    let nodes = vec![
        node("Mul", "mul", &["image", "w"], &["p"]),
        node("Round", "round", &["p"], &["y"]),
    ];
    let w = weight("w", &[4], &[0.1; 4]);
    write_model(
        dir.path(),
        "m.onnx",
        &onnx(port("image", F32, &[4]), nodes, vec![w]),
    );
    let header = r#"{"format": 2, "subject": "by hand", "command": "none", "inputs": {},
        "tensors": {"x": {"node": "x", "op": "Input", "inputs": []}, "rounded": {"node": "rounded", "op": "round", "inputs": ["x"]}}}"#;
    for (first, exit) in [(2.0, 4), (3.0, 0), (7.0, 1)] {
        let trace = dir.path().join("t.safetensors");
        let tensors: [(&str, &[usize], &[f32]); 2] = [
            ("x", &[4], &[25.0, 3.0, 8.0, -20.0]),
            ("rounded", &[4], &[first, 0.0, 1.0, -2.0]),
        ];
        write_trace(&trace, &tensors, Some(header));
        let run = run(&trace, &dir.path().join("m.onnx"));
        assert_eq!(
            run.expectation.exit as i32, exit,
            "{first}: {:?}",
            run.findings
        );
        let why = format!("{:?}", run.ledger.unjudged);
        assert_eq!(why.contains("can flip"), exit == 4, "{first}: {why}");
    }
}
