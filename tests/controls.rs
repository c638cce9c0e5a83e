//! The negative controls: every fault is found at the node that carries it, whoever carries it, and clean graphs agree.
//!
//! `PARITY_FULL=1` tries the judge on all controls instead of the quick ones (`scripts/nightly.d/10-controls`).

use parity::cause::fault;
use parity::run::Run;
use parity::scenario::training::PREDICTIONS;
use parity::scenario::{
    Expect, Expected, Faulty, Optimisation, Scenario, Stage, Subject, SubjectKind, TorchScript,
    load,
};
use parity::verdict::Side;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Controls on real models that try the judge in every run of the tests, besides all on small graphs and kernels.
const QUICK: [&str; 3] = [
    "off-by-one-slice-yolox",
    "relu-for-silu-yolox",
    "swap-inputs-yolox",
];
/// The graphs of `golden/small`, each with the scenario's text about its input.
const NORMAL: &str = "[inputs.x]\nrandom = \"normal\"\n";
const TOKENS: &str = "[inputs.ids]\nrandom = \"integers\"\nlow = 0\nhigh = 11\n";
const GRAPHS: [(&str, &str); 13] = [
    ("activations", NORMAL),
    ("attention", TOKENS),
    ("average", NORMAL),
    ("cancelling", NORMAL),
    ("classifier", NORMAL),
    ("constants", NORMAL),
    ("half", NORMAL),
    ("indexing", NORMAL),
    ("mixed", NORMAL),
    ("normalised", NORMAL),
    ("pooling", NORMAL),
    ("reductions", NORMAL),
    ("resize", NORMAL),
];
/// Ports of small graphs as TorchScript files that real PyTorch wrote (`scripts/make_torchscript`): the graph, its declared outputs, a fault that
/// ports have, and the output that is off by it. The first is discrete.
const PORTS: [(&str, &[&str], &str, &str); 3] = [
    (
        "classifier",
        &["softmax", "log", "best"],
        "without_background",
        "best",
    ),
    ("average", &["shrunk"], "counted_padding", "shrunk"),
    ("attention", &["gelu"], "tanh_gelu", "gelu"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn parity(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parity"))
        .args(arguments)
        .output()
        .expect("parity starts")
}

/// One control: its file and what it says.
struct Control {
    name: String,
    path: PathBuf,
    scenario: Scenario,
}

impl Control {
    fn on_small_graph(&self) -> bool {
        self.scenario
            .model
            .parent()
            .is_some_and(|p| p.ends_with("golden/small"))
    }

    /// On the network, assigner and loss of Gold-YOLO; its name begins with theirs.
    fn on_gold_yolo(&self) -> bool {
        self.scenario
            .model
            .parent()
            .is_some_and(|p| p.ends_with("golden/gold_yolo"))
            || self.on_kernel()
    }

    /// On the form of one kernel, a whole loss on a few anchors.
    fn on_kernel(&self) -> bool {
        self.scenario
            .model
            .parent()
            .is_some_and(|p| p.ends_with("golden/kernels"))
    }

    /// Whether the fault shows in gradients only.
    fn of_gradients(&self) -> bool {
        self.fault().is_some_and(fault::only_gradients)
    }

    fn fault(&self) -> Option<&str> {
        Some(self.scenario.candidate.fault()?.fault.as_str())
    }

    fn node(&self) -> Option<&str> {
        Some(self.scenario.candidate.fault()?.node.as_str())
    }

    fn model(&self) -> &str {
        self.scenario
            .model
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or_default()
    }
}

/// Every control, or those that `chosen` takes; a missing model or an empty choice is a failure, never a pass.
fn controls(chosen: impl Fn(&Control) -> bool) -> Vec<Control> {
    let folder = root().join("scenarios/control");
    let mut paths: Vec<PathBuf> = folder
        .read_dir()
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let scenario = load::file(&path).unwrap_or_else(|e| panic!("{e}"));
        Control {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            path,
            scenario,
        }
    };
    let found: Vec<Control> = paths.into_iter().map(read).filter(chosen).collect();
    assert!(
        !found.is_empty(),
        "no control in {} is of this kind",
        folder.display()
    );
    found.iter().for_each(|c| present(&c.scenario.model));
    found
}

fn present(model: &Path) {
    assert!(
        model.exists(),
        "{} is missing: run scripts/fetch_models",
        model.display()
    );
}

/// The one check: each run ends with `exit`; all that do not are shown.
fn check(exit: i32, runs: impl IntoIterator<Item = (String, Output)>) {
    let mut count = 0;
    let mut failed = Vec::new();
    for (name, output) in runs {
        count += 1;
        if output.status.code() != Some(exit) {
            let text = |bytes: &[u8]| {
                String::from_utf8_lossy(bytes)
                    .lines()
                    .take(8)
                    .collect::<Vec<_>>()
                    .join("\n    ")
            };
            failed.push(format!(
                "{name}: exit {:?}, not {exit}\n    {}\n    {}",
                output.status.code(),
                text(&output.stdout),
                text(&output.stderr)
            ));
        }
    }
    assert!(count > 0, "nothing was run");
    assert!(
        failed.is_empty(),
        "{} of {count} runs are not as expected:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

fn check_found(chosen: impl Fn(&Control) -> bool) {
    check(
        0,
        controls(chosen)
            .iter()
            .map(|c| (c.name.clone(), parity(&["run", c.path.to_str().unwrap()]))),
    );
}

/// Runs a scenario that is not in a file of the repository.
fn run(scenario: &Scenario, more: &[&str]) -> Output {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), toml::to_string(scenario).unwrap()).unwrap();
    parity(&[&["run", file.path().to_str().unwrap()], more].concat())
}

fn small(graph: &str, input: &str) -> Scenario {
    let model = root().join(format!("golden/small/{graph}.onnx"));
    present(&model);
    load::parse(&format!(
        "format = 1\nmodel = '{}'\n{input}",
        model.display()
    ))
    .unwrap_or_else(|e| panic!("{e}"))
}

/// libtorch with one fault.
fn faulty(fault: &str, node: &str, amount: Option<f64>) -> Subject {
    Subject::Faulty(Faulty {
        optimisation: None,
        of: SubjectKind::Libtorch,
        fault: fault.into(),
        node: node.into(),
        amount,
        and_shadow: false,
    })
}

/// Where the fault of a control is put to try the judge.
#[derive(Clone, Copy)]
enum Trial {
    /// The reference is this engine with the fault, the candidate the other one without.
    Reference(SubjectKind),
    /// libtorch, the candidate, and the f64 shadow carry the same fault.
    CandidateAndShadow,
}

impl Trial {
    fn of(self, control: &Scenario) -> Scenario {
        let fault = |of| Faulty {
            of,
            ..control.candidate.fault().unwrap().clone()
        };
        let (reference, candidate, side) = match self {
            Trial::Reference(SubjectKind::Libtorch) => (
                Subject::Faulty(fault(SubjectKind::Libtorch)),
                Subject::onnxruntime(),
                Side::Reference,
            ),
            Trial::Reference(engine) => (
                Subject::Faulty(fault(engine)),
                Subject::libtorch(),
                Side::ReferenceOrShadow,
            ),
            Trial::CandidateAndShadow => {
                let both = Subject::Faulty(Faulty {
                    and_shadow: true,
                    ..fault(SubjectKind::Libtorch)
                });
                (Subject::onnxruntime(), both, Side::ReferenceOrShadow)
            }
        };
        Scenario {
            reference,
            candidate,
            expect: Expect {
                side: Some(side),
                // The side that is off may be the one that explains.
                cause: None,
                ..control.expect.clone()
            },
            ..control.clone()
        }
    }
}

/// Controls whose fault puts several operators into the place of one: a step is bounded as its first operator alone rounds, which a shadow that carries them
/// exceeds (up to 3.2 times); no shadow does where nobody plants it there.
const SEVERAL: [&str; 4] = [
    "batch-statistics",
    "gelu-instead",
    "narrow-inputs-f16",
    "tanh-gelu-instead",
];

fn check_judge(trial: Trial) {
    let full = std::env::var_os("PARITY_FULL").is_some();
    let as_one =
        |name: &str| !(matches!(trial, Trial::CandidateAndShadow) && SEVERAL.contains(&name));
    // Gradients are the candidate's own, whatever the reference and the shadow of its values are.
    let chosen = controls(|c| {
        !c.of_gradients()
            && as_one(&c.name)
            && (full || c.on_small_graph() || c.on_kernel() || QUICK.contains(&c.name.as_str()))
    });
    check(
        0,
        chosen
            .iter()
            .map(|c| (c.name.clone(), run(&trial.of(&c.scenario), &[]))),
    );
}

#[test]
fn every_fault_has_a_control_that_says_where_and_on_which_side_it_is() {
    let table = String::from_utf8(parity(&["list", "faults"]).stdout).unwrap();
    let listed: BTreeSet<String> = table
        .lines()
        .skip(2)
        .filter_map(|l| l.split('|').nth(1))
        .map(|f| f.trim().to_string())
        .collect();
    let all = controls(|_| true);
    let tried: BTreeSet<String> = all
        .iter()
        .filter_map(|c| c.fault().map(str::to_string))
        .collect();
    assert!(listed.len() >= 15, "{table}");
    assert_eq!(listed, tried);
    for c in &all {
        let expect = &c.scenario.expect;
        let first = expect.first.as_deref().unwrap_or_default();
        assert_eq!(expect.verdict, Expected::Diverge, "{}", c.name);
        assert!(
            expect.cause.is_some() || !c.on_small_graph(),
            "{} states no cause",
            c.name
        );
        if c.of_gradients() {
            assert!(
                PREDICTIONS.contains(&first),
                "{} expects no gradient by a prediction",
                c.name
            );
        } else {
            assert_eq!(Some(first), c.node(), "{}", c.name);
            assert!(expect.side.is_some(), "{} states no side", c.name);
        }
        let called = if c.on_gold_yolo() {
            Some("gold-yolo")
        } else {
            c.fault()
        };
        assert!(
            called.is_some_and(|f| c.name.starts_with(f)),
            "{} is called neither after its fault nor after its port",
            c.name
        );
        let needs = (
            c.on_gold_yolo(),
            matches!(expect.stage, Some(Stage::Loss | Stage::Grad)),
        );
        assert!(
            !needs.0 || expect.stage.is_some(),
            "{} states no stage",
            c.name
        );
        assert!(
            !needs.1 || expect.term.is_some(),
            "{} states no term",
            c.name
        );
    }
}

#[test]
fn every_fault_in_a_small_graph_is_found_at_its_node() {
    check_found(Control::on_small_graph);
}

#[test]
fn every_fault_in_the_detector_is_found_at_its_node() {
    check_found(|c| c.model() == "common_det" && !c.name.starts_with("scale-channel"));
}

#[test]
fn every_fault_in_the_other_real_models_is_found_at_its_node() {
    check_found(|c| !c.on_small_graph() && !c.on_gold_yolo() && c.model() != "common_det");
}

#[test]
fn every_fault_that_porting_the_network_of_gold_yolo_invites_is_found_at_its_node() {
    check_found(|c| c.on_gold_yolo() && c.model() == "train");
}

#[test]
fn every_fault_that_porting_its_assigner_and_loss_invites_is_found_at_its_stage_and_term() {
    check_found(|c| c.on_gold_yolo() && c.model() == "loss");
}

#[test]
fn every_fault_that_porting_the_loss_with_dfl_and_giou_invites_is_found_at_its_stage_and_term() {
    check_found(|c| c.on_gold_yolo() && c.model() == "gold_yolo_sml");
}

#[test]
fn the_faults_of_a_ported_training_step_are_spread_over_its_stages() {
    let all = controls(Control::on_gold_yolo);
    let of = |stage| {
        all.iter()
            .filter(|c| c.scenario.expect.stage == Some(stage))
            .count()
    };
    assert!(all.len() >= 20, "only {} faults", all.len());
    assert!(
        [Stage::Activations, Stage::Assign, Stage::Loss, Stage::Grad]
            .into_iter()
            .all(|s| of(s) >= 3)
    );
}

/// 5 %, 0.5 % and 0.05 % everywhere; 0.005 % because the limit that the run itself states lies below it.
#[test]
fn one_scaled_channel_of_an_early_a_middle_and_a_late_layer_is_found_down_to_the_stated_limit() {
    let family = controls(|c| c.model() == "common_det" && c.name.starts_with("scale-channel"));
    assert_eq!(family.len(), 11);
    let runs = family.iter().map(|c| {
        let output = parity(&["run", c.path.to_str().unwrap(), "--json"]);
        let (node, change) = (
            c.node().unwrap(),
            c.scenario.candidate.fault().unwrap().amount.unwrap() - 1.0,
        );
        let limit = limits(&output)
            .into_iter()
            .find(|(n, _, _)| n == node)
            .map(|(_, _, limit)| limit);
        assert!(
            limit.is_some_and(|l| l < change),
            "{}: the stated limit is {limit:?}",
            c.name
        );
        (c.name.clone(), output)
    });
    check(0, runs);
}

/// Convolutions of a run: node, tensor, and the smallest change of its least sensitive channel that is sure to fail.
fn limits(output: &Output) -> Vec<(String, String, f64)> {
    let run = Run::from_json(&String::from_utf8_lossy(&output.stdout))
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    let convolutions = run.tensors.into_iter().filter(|t| t.op == "Conv");
    convolutions
        .filter_map(|t| t.isolated.limit().map(|l| (t.node, t.name, l.worst)))
        .collect()
}

#[test]
#[ignore = "minutes: scripts/nightly.d/10-controls runs it"]
fn a_channel_scaled_by_five_in_100_000_is_found_in_every_layer_whose_stated_limit_is_below() {
    let clean =
        load::file(&root().join("scenarios/real/yolox_det.toml")).unwrap_or_else(|e| panic!("{e}"));
    present(&clean.model);
    let all = limits(&run(&clean, &["--json"]));
    let count = all.len();
    let layers: Vec<_> = all
        .into_iter()
        .filter(|(_, _, limit)| *limit < 5e-5)
        .collect();
    assert!(
        2 * layers.len() > count,
        "only {} of {count} layers state a limit below 5e-5",
        layers.len()
    );
    let runs = layers.into_iter().map(|(node, tensor, _)| {
        let mut scenario = clean.clone();
        scenario.candidate = faulty("scale-channel", &node, Some(1.00005));
        scenario.limit.until = Some(tensor);
        scenario.expect = Expect {
            verdict: Expected::Diverge,
            first: Some(node.clone()),
            side: Some(Side::Candidate),
            ..Expect::default()
        };
        (node, run(&scenario, &[]))
    });
    check(0, runs);
}

#[test]
fn a_fault_in_a_libtorch_reference_is_blamed_on_the_reference() {
    check_judge(Trial::Reference(SubjectKind::Libtorch));
}

#[test]
fn a_fault_in_an_onnxruntime_reference_is_blamed_on_the_reference_or_the_shadow() {
    check_judge(Trial::Reference(SubjectKind::OnnxRuntime));
}

#[test]
fn a_fault_in_libtorch_and_the_shadow_alike_is_found_and_no_side_is_cleared_wrongly() {
    check_judge(Trial::CandidateAndShadow);
}

/// The control as what it left behind: its candidate's recording, judged without the engine that made it.
fn recorded(control: &Control) -> (String, Output) {
    let folder = tempfile::tempdir().unwrap();
    let made = parity(&[
        "run",
        control.path.to_str().unwrap(),
        "--record",
        folder.path().to_str().unwrap(),
    ]);
    assert_eq!(
        made.status.code(),
        Some(0),
        "{}: {}",
        control.name,
        String::from_utf8_lossy(&made.stderr)
    );
    let candidate = Subject::recorded(folder.path().join("candidate.safetensors"));
    // Libtorch and the f64 shadow are one opinion, ONNX Runtime is another: three stand against the recording.
    let expect = Expect {
        side: Some(Side::Candidate),
        ..control.scenario.expect.clone()
    };
    (
        control.name.clone(),
        run(
            &Scenario {
                candidate,
                expect,
                ..control.scenario.clone()
            },
            &[],
        ),
    )
}

/// `PARITY_FULL=1` takes all of them.
#[test]
fn a_recorded_fault_is_found_at_its_node_and_shown_to_be_its_own_without_the_engine_that_made_it() {
    let full = std::env::var_os("PARITY_FULL").is_some();
    // What only a gradient shows is in no recording of a forward pass.
    let chosen = controls(|c| !c.of_gradients() && (full || c.on_small_graph()));
    check(0, chosen.iter().map(recorded));
}

/// A small graph in either engine against the TorchScript file `port`, which is the candidate or the reference; the outputs are all that it shows.
fn ported(graph: &str, outputs: &[&str], port: &str) -> Vec<(String, Scenario)> {
    let (_, input) = GRAPHS
        .iter()
        .find(|(name, _)| *name == graph)
        .expect("a small graph");
    let script = Subject::TorchScript(TorchScript {
        script: root().join(format!("tests/fixtures/torchscript/{port}.pt")),
        takes: None,
        rename: outputs
            .iter()
            .enumerate()
            .map(|(place, name)| (name.to_string(), place.to_string()))
            .collect(),
    });
    let of = |reference: &Subject, candidate: &Subject| {
        let mut scenario = Scenario {
            reference: reference.clone(),
            candidate: candidate.clone(),
            ..small(graph, input)
        };
        scenario.limit.only = outputs.iter().map(|o| o.to_string()).collect();
        (
            format!("{port}, {} against {}", candidate.kind(), reference.kind()),
            scenario,
        )
    };
    let engines = [Subject::onnxruntime(), Subject::libtorch()];
    engines
        .iter()
        .flat_map(|engine| [of(engine, &script), of(&script, engine)])
        .collect()
}

#[test]
fn a_torchscript_port_agrees_and_its_fault_is_found_at_the_output_that_shows_it_whichever_side_it_is()
 {
    for (graph, outputs, fault, first) in PORTS {
        check(
            0,
            ported(graph, outputs, graph)
                .iter()
                .map(|(name, clean)| (name.clone(), run(clean, &[]))),
        );
        let expect = Expect {
            verdict: Expected::Diverge,
            first: Some(first.into()),
            ..Expect::default()
        };
        let faulty = ported(graph, outputs, &format!("{graph}-{fault}")).into_iter();
        check(
            0,
            faulty.map(|(name, scenario)| {
                (
                    name,
                    run(
                        &Scenario {
                            expect: expect.clone(),
                            ..scenario
                        },
                        &[],
                    ),
                )
            }),
        );
    }
}

#[test]
fn an_injection_that_changes_no_output_bit_is_refused() {
    let nothing = [
        ("pooling", "scale-output", "conv1", Some(1.0)),
        ("pooling", "scale-channel", "conv2", Some(1.0)),
        ("pooling", "ceil-pooling", "pool2", None),
        ("normalised", "other-eps", "norm1", Some(1e-5)),
        ("normalised", "shift-output", "conv1", Some(0.0)),
        ("constants", "constant-ulp", "gain", Some(0.0)),
        ("reductions", "swap-inputs", "gap", None),
    ];
    let run_one = |(graph, fault, node, amount): (&str, &str, &str, Option<f64>)| {
        let mut scenario = small(graph, NORMAL);
        // Equal operands: their order does not matter.
        if fault == "swap-inputs" {
            scenario = Scenario {
                inputs: [("x".to_string(), constant_zero())].into(),
                ..scenario
            };
        }
        scenario.candidate = faulty(fault, node, amount);
        let output = run(&scenario, &[]);
        let said = String::from_utf8_lossy(&output.stderr).contains("changes no output bit");
        assert!(
            said,
            "{fault} at {node}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        (format!("{fault} at {node}"), output)
    };
    check(2, nothing.map(run_one));
}

fn constant_zero() -> parity::scenario::Input {
    parity::scenario::Input {
        random: Some(parity::scenario::Distribution::Constant),
        value: Some(0.0),
        ..Default::default()
    }
}

#[test]
fn every_small_graph_agrees_on_three_seeds_at_one_and_two_threads_optimised_and_not() {
    let runs = GRAPHS.iter().flat_map(|(graph, input)| {
        [Optimisation::Disable, Optimisation::All]
            .into_iter()
            .flat_map(move |optimisation| {
                let mut scenario = small(graph, input);
                scenario.reference = Subject::OnnxRuntime {
                    optimisation: Some(optimisation),
                };
                ["1", "2", "3"].into_iter().flat_map(move |seed| {
                    let scenario = scenario.clone();
                    ["1", "2"].into_iter().map(move |threads| {
                        let name =
                            format!("{graph}, seed {seed}, {threads} threads, {optimisation:?}");
                        (
                            name,
                            run(&scenario, &["--seed", seed, "--threads", threads]),
                        )
                    })
                })
            })
    });
    check(0, runs);
}

#[test]
fn every_small_graph_is_among_those_that_must_agree() {
    let folder = root().join("golden/small");
    present(&folder);
    let written: BTreeSet<String> = folder
        .read_dir()
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "onnx"))
        .map(|p| p.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(written, GRAPHS.iter().map(|(g, _)| g.to_string()).collect());
}
