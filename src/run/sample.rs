//! sample: one Run for the tests of everything that shows Runs: a node at fault, a stage that differs, outputs that only the deployed session has
//! otherwise, a tensor that nobody judged, and what else there is to say.

use super::{FORMAT, Run};
use crate::compare::{Look, compare, look};
use crate::environment::Environment;
use crate::exit::Exit;
use crate::floor::Family;
use crate::floor::bound::{Bounded, Worst};
use crate::graph::flow::Vertex;
use crate::judge::stage::Stages;
use crate::judge::stage::scene::{Mark, Scene};
use crate::judge::stage::{assign, loss};
use crate::scenario::{Side, Stage, load};
use crate::tensor::{DType, Tensor};
use crate::trace::InputRecord;
use crate::verdict::{
    Accumulated, Born, Confirmed, Expectation, Explained, Finding, Inside, Isolated, Judgement,
    Ledger, Origin, Outcome, Rewrite, Severity, Special, StageVerdict, TensorResult, ToleranceBy,
    Unexercised, Unjudged, Unobserved, Verdict, Why, sample,
};

/// What explains the first node.
fn explained() -> Explained {
    Explained {
        before: 51.0,
        off: 1,
        of: 2,
        confirmed: vec![Confirmed {
            cause: "other-eps".into(),
            says: "epsilon is 0.00001 where the reference has 0.001".into(),
            next: "set epsilon to 0.001".into(),
            amount: Some(0.01),
            after: 0.25,
        }],
        tried: 12,
        nearest: vec![],
    }
}

/// A run in which there is something of every kind to say.
pub fn diverging() -> Run {
    let origin = Origin {
        node: "conv1".into(),
        op: "Conv".into(),
        tensor: "conv1_out".into(),
        why: Some(explained()),
        ..sample::origin("conv1")
    };
    let second = Origin {
        node: "loop/add".into(),
        op: "Add".into(),
        tensor: "loop/sum".into(),
        independent: false,
        side: Side::CandidateOrShadow,
        inside: Some(Inside {
            step: "loop".into(),
            op: "Loop".into(),
            turn: Some(3),
        }),
        ..sample::origin("loop/add")
    };
    let deployed = Unobserved {
        subject: "onnxruntime 1.31.1, optimisation all".into(),
        comparison: Some(sample::comparison(false)),
        cause: Some(Rewrite {
            level: crate::scenario::Optimisation::Extended,
            optimisers: vec!["GeluFusionL2".into()],
            nodes: vec!["erf".into(), "mul".into()],
            from: vec!["x".into()],
            to: vec!["y".into()],
        }),
        ..sample::unobserved("y", Judgement::Over(7.5))
    };
    let stage = StageVerdict {
        outcome: Outcome::Diverge,
        first: Some("loss.iou".into()),
        term: Some("iou".into()),
        ..StageVerdict::agree(
            Stage::Loss,
            "candidate: 'loss.iou' is 5e-1, the f64 reference says 4e-1".into(),
        )
    };
    let verdict = Verdict {
        origins: vec![origin, second],
        only_unobserved: vec![deployed.clone()],
        born: vec![Born {
            special: Special::NaN,
            node: "log".into(),
            op: "Log".into(),
            tensor: "log_out".into(),
            reference: true,
            candidate: false,
            elements: [2, 0],
        }],
        stages: vec![
            StageVerdict::agree(Stage::Inputs, "the same bits".into()),
            stage,
        ],
        ..sample::verdict(Outcome::Diverge)
    };
    let unjudged = Unjudged {
        what: "output 'z'".into(),
        why: Why::OpenFloor,
    };
    let ledger = Ledger {
        tensors: 4,
        compared: 3,
        both_ways: 2,
        abstained: [(Why::OpenFloor.to_string(), 1)].into(),
        leftovers: vec!["module.extra".into()],
        unjudged: vec![unjudged],
        outputs: 2,
        ..Ledger::default()
    };
    let flag = Finding::new(
        "item_order",
        "total",
        "candidate: loss.items holds [cls, iou]",
    );
    Run {
        verdict,
        ledger,
        expectation: Expectation {
            exit: Exit::Diverge,
            unmet: vec!["expected agree, found diverge".into()],
        },
        tensors: tensors(),
        graphs: vec![graph()],
        looks: looked(),
        unobserved: vec![deployed],
        stages: Stages {
            inputs: Some((1, 1)),
            assign: Some(assign::Report {
                scenes: vec![scene()],
                ..assign::Report::default()
            }),
            loss: Some(loss::Report {
                flags: vec![flag.of("candidate")],
                ..loss::Report::default()
            }),
            notes: vec![
                Finding::new(
                    "convention",
                    "gt_labels",
                    "labels are floats in the candidate",
                )
                .severity(Severity::Note),
            ],
            ..Stages::default()
        },
        ..agreeing()
    }
    .told()
}

/// A run of the same in which everything agrees.
pub fn agreeing() -> Run {
    let scenario = load::parse("format = 1\nname = \"fixture\"\nmodel = \"m.onnx\"\n");
    Run {
        format: FORMAT,
        scenario: scenario.ok(),
        environment: Environment {
            parity: "0.0.0".into(),
            reference: "onnxruntime 1.31.1, optimisation disable".into(),
            candidate: "libtorch 2.13.0".into(),
            shadow: Some("libtorch 2.13.0 in f64".into()),
            threads: 2,
            os: "an os".into(),
            cpu: "a processor".into(),
            model_digest: "0123".into(),
        },
        inputs: vec![InputRecord {
            name: "x".into(),
            dtype: DType::F32,
            shape: vec![1, 2],
            sha256: "4567".into(),
        }],
        verdict: sample::verdict(Outcome::Agree),
        expectation: Expectation {
            exit: Exit::Agree,
            unmet: vec![],
        },
        ledger: Ledger {
            tensors: 1,
            compared: 1,
            both_ways: 1,
            outputs: 1,
            unexercised: Unexercised {
                weights: vec!["w".into()],
                ..Unexercised::default()
            },
            ..Ledger::default()
        },
        tensors: vec![sample::tensor(0)],
        graph_inputs: [("conv1".to_string(), vec!["x".to_string(), "w".to_string()])].into(),
        unobserved: vec![],
        findings: vec![],
        stages: Stages::default(),
        correspondence: None,
        alone: vec![],
        samples: vec![],
        graphs: vec![],
        looks: vec![],
        places: Default::default(),
        timings: Default::default(),
    }
    .told()
}

/// What the sample's tensors flow through, and a node that nobody judged.
fn graph() -> Vec<Vertex> {
    let node = |name: &str, op: &str, inputs: &[&str], output: &str| Vertex {
        name: name.into(),
        op: op.into(),
        inputs: inputs.iter().map(|i| (*i).into()).collect(),
        outputs: vec![output.into()],
    };
    vec![
        node("conv1", "Conv", &["x"], "conv1_out"),
        node("relu", "Relu", &["conv1_out"], "relu_out"),
        node("loop", "Loop", &["relu_out"], "y"),
        node("gather", "Gather", &["relu_out", "y"], "z"),
    ]
}

/// An object with an anchor of both sides, and one that each side gives alone.
fn scene() -> Scene {
    let mark = |anchor: usize, reference, candidate| Mark {
        anchor,
        at: [4.0 + 8.0 * anchor as f64, 4.0],
        reference,
        candidate,
    };
    Scene {
        image: 0,
        height: 16,
        width: 32,
        boxes: vec![[2.0, 1.0, 30.0, 14.0]],
        marks: vec![
            mark(0, Some(0), None),
            mark(1, None, Some(0)),
            mark(2, Some(0), Some(0)),
        ],
        ..Scene::default()
    }
}

fn looked() -> Vec<Look> {
    let [r, c] = [[1.0f32, 2.0], [1.0, 2.5]].map(|v| Tensor::of(&[1, 2], &v));
    Vec::from_iter(look("conv1_out", r.view(), c.view(), true))
}

fn tensors() -> Vec<TensorResult> {
    let [r, c] = [[1.0f32, 2.0], [1.0, 2.5]].map(|v| Tensor::of(&[1, 2], &v));
    let own = |ratio: f64| Accumulated::Compared {
        comparison: compare(r.view(), c.view(), None),
        ratio,
        by: ToleranceBy::Noise { runs: 4 },
    };
    let bounded = Bounded {
        reference: 0.03,
        candidate: 51.0,
        failing: 1,
        worst: Worst {
            index: 1,
            reference: 2.0,
            candidate: 2.5,
            shadow: 2.0,
            bound: 1e-2,
            ..Worst::default()
        },
        ..Bounded::default()
    };
    let alone = Isolated::Bounded {
        family: Family::Arithmetic,
        terms: 27,
        bounded,
        side: Some(Side::Candidate),
    };
    let named = |name: &str, node: &str, op: &str, step: usize| TensorResult {
        name: name.into(),
        node: node.into(),
        op: op.into(),
        shape: vec![1, 2],
        ..sample::tensor(step)
    };
    vec![
        TensorResult {
            accumulated: own(12.5),
            isolated: alone,
            ..named("conv1_out", "conv1", "Conv", 0)
        },
        TensorResult {
            repeat_noise: Some(
                "candidate: 1 tensors of this piece did not repeat their bits".into(),
            ),
            ..named("relu_out", "relu", "Relu", 1)
        },
        TensorResult {
            isolated: sample::alone(true),
            ..named("loop/sum", "loop/add", "Add", 2)
        },
        TensorResult {
            accumulated: Accumulated::NotJudged {
                why: Why::OpenFloor,
            },
            isolated: sample::untested(),
            ..named("z", "gather", "Gather", 3)
        },
    ]
}
