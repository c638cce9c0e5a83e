//! subjects: the conformance test of every row of the table of subjects, as a session: names, bits, errors, abilities, no state left behind.

use crate::libtorch::LINKED;
use parity::cause::fault;
use parity::graph::cut::Link;
use parity::graph::{Dim, Graph, load};
use parity::scenario::subjects::{ALL, Gradients, Row};
use parity::scenario::{Faulty, Subject, SubjectKind, TorchScript};
use parity::subject::gradients::{Named, Wanted};
use parity::subject::{Engines, Output, Session};
use parity::tensor::Tensor;
use parity::trace::Header;
use parity::trace::write::Writer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Inputs = BTreeMap<&'static str, Tensor>;

/// A subject on a graph that it has all for, with inputs of two kinds and an output that it answers.
struct Case {
    row: &'static Row,
    graph: Arc<Graph>,
    session: Box<dyn Session>,
    inputs: [Inputs; 2],
    output: &'static str,
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Numbers between 0.1 and 0.9 that do not repeat soon.
fn numbers(shape: &[usize], step: usize) -> Tensor {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|i| 0.1 + 0.8 * ((i * step) % 101) as f32 / 101.0)
        .collect();
    Tensor::from_vec(shape, values)
}

/// The traces that a recorded subject answers from: an output and a gradient.
fn trace(folder: &Path) -> PathBuf {
    let path = folder.join("trace.safetensors");
    let mut writer = Writer::create(&path).unwrap();
    for name in ["shrunk", "grad.total.x"] {
        writer.add(name, &numbers(&[1, 2], 7)).unwrap();
    }
    let header = Header {
        format: 1,
        ..Header::default()
    };
    writer.finish(&header).unwrap();
    path
}

fn subject(kind: SubjectKind, folder: &Path) -> Subject {
    match kind {
        SubjectKind::OnnxRuntime => Subject::onnxruntime(),
        SubjectKind::Libtorch => Subject::libtorch(),
        SubjectKind::Recorded => Subject::recorded(trace(folder)),
        SubjectKind::Kernel => Subject::Kernel { kernel: None },
        SubjectKind::Simulated => Subject::Simulated { seed: Some(1) },
        SubjectKind::TorchScript => Subject::TorchScript(TorchScript {
            script: root("tests/fixtures/torchscript/average.pt"),
            takes: None,
            rename: [("shrunk".into(), "0".into())].into(),
        }),
        SubjectKind::Faulty => Subject::Faulty(Faulty {
            optimisation: None,
            of: SubjectKind::Libtorch,
            fault: "scale-output".into(),
            node: "shrunk".into(),
            amount: Some(1.5),
            and_shadow: false,
        }),
    }
}

/// Every row, opened; where a subject answers its own forms only, on one of those.
fn each(check: impl Fn(&mut Case)) {
    for row in ALL {
        let folder = tempfile::tempdir().unwrap();
        let (model, names, output): (_, &[&'static str], _) = match row.kind {
            SubjectKind::Kernel => ("golden/kernels/bce.onnx", &["p", "target"], "loss"),
            _ => ("golden/small/average.onnx", &["x"], "shrunk"),
        };
        let graph = Arc::new(load::file(&root(model)).unwrap());
        let shape = |name: &str| {
            let port = graph.inputs.iter().find(|p| p.name == name).unwrap();
            let dims = port.shape.as_ref().unwrap().iter();
            dims.map(|d| match d {
                Dim::Known(n) => *n,
                Dim::Named(_) | Dim::Unknown => 21,
            })
            .collect::<Vec<usize>>()
        };
        let inputs = [7, 11].map(|step| {
            let fed = names.iter().map(|n| (*n, numbers(&shape(n), step)));
            fed.collect()
        });
        let engines = Engines {
            torch: Some(&LINKED),
        };
        let subject = subject(row.kind, folder.path());
        let session = fault::open(&subject, &graph, 1, engines).unwrap();
        check(&mut Case {
            row,
            graph,
            session,
            inputs,
            output,
        });
    }
}

impl Case {
    /// The outputs of all steps from the first on, on inputs `which`.
    fn all(&mut self, which: usize) -> Vec<Vec<Output>> {
        let steps: Vec<usize> = (0..self.graph.steps.len()).collect();
        let feed = |n: &str| self.inputs[which].get(n).cloned();
        self.session
            .eval(&self.graph, &steps, Link::Connected, &feed)
            .unwrap()
    }

    fn called(&self, name: &str, of: &[Vec<Output>]) -> Output {
        let (step, output) = self
            .graph
            .steps
            .iter()
            .enumerate()
            .find_map(|(i, s)| Some((i, s.outputs.iter().position(|o| o == name)?)))
            .unwrap();
        of[step][output].clone()
    }
}

fn bits(outputs: &[Vec<Output>]) -> Vec<Result<Vec<u8>, String>> {
    let of = |o: &Output| {
        o.as_ref()
            .map(|t| t.bytes().to_vec())
            .map_err(String::clone)
    };
    outputs.iter().flatten().map(of).collect()
}

#[test]
fn a_subject_answers_under_the_names_of_the_graph_and_repeats_its_bits() {
    each(|case| {
        let name = case.row.name;
        let (first, second) = (case.all(0), case.all(0));
        assert!(case.called(case.output, &first).is_ok(), "{name}");
        assert_eq!(bits(&first), bits(&second), "{name}");
        // Who computes node by node is fed what the node takes; the others know their tensors whatever was asked before.
        if !case.session.can_isolate() {
            let asked = [case.output];
            let feed = |n: &str| case.inputs[0].get(n).cloned();
            let alone = case
                .session
                .tensors(&asked, Link::Connected, &feed)
                .unwrap();
            assert_eq!(
                bits(&[alone]),
                bits(&[vec![case.called(case.output, &first)]]),
                "{name}"
            );
        }
    });
}

#[test]
fn other_inputs_give_other_bits_where_a_subject_answers_them_and_leave_no_state_behind() {
    each(|case| {
        let first = case.all(0);
        let other = case.all(1);
        let differs = bits(&first) != bits(&other);
        assert_eq!(differs, case.row.abilities.answers, "{}", case.row.name);
        assert_eq!(bits(&first), bits(&case.all(0)), "{}", case.row.name);
    });
}

#[test]
fn a_node_alone_gives_what_it_gives_in_its_place() {
    each(|case| {
        if !case.session.can_isolate() {
            return;
        }
        let all = case.all(0);
        let feed = |n: &str| case.inputs[0].get(n).cloned();
        let alone = case
            .session
            .eval(&case.graph, &[0], Link::Isolated, &feed)
            .unwrap();
        assert_eq!(bits(&alone), bits(&all[..1]), "{}", case.row.name);
    });
}

#[test]
fn a_tensor_that_is_not_there_or_not_fed_is_an_error_that_names_it() {
    each(|case| {
        let nothing = |_: &str| None;
        let says = |asked: parity::error::Result<Vec<Output>>| match asked {
            Ok(outputs) => outputs.into_iter().find_map(Output::err),
            Err(e) => Some(e.to_string()),
        };
        let feed = |n: &str| case.inputs[0].get(n).cloned();
        let unknown = says(case.session.tensors(&["nowhere"], Link::Connected, &feed));
        assert!(unknown.is_some(), "{}", case.row.name);
        if case.session.can_isolate() {
            let first = case.graph.steps[0].outputs[0].clone();
            let unfed = says(case.session.tensors(&[&first], Link::Isolated, &nothing));
            let told = unfed.unwrap_or_default();
            assert!(told.contains("'x'"), "{}: {told}", case.row.name);
        }
    });
}

#[test]
fn gradients_are_there_where_the_row_says_so() {
    each(|case| {
        let named = |graph: &str, standard: &str| Named {
            graph: graph.into(),
            standard: standard.into(),
        };
        let feed = |n: &str| case.inputs[0].get(n).cloned();
        let input = *case.inputs[0].keys().next().unwrap();
        let wanted = Wanted {
            feed: &feed,
            terms: &[named(case.output, "total")],
            by: &[named(input, input)],
        };
        let own = case.session.gradients(&wanted).unwrap();
        // Of `faulty` it is what it wraps that is able: here libtorch.
        let row = match case.row.kind {
            SubjectKind::Faulty => SubjectKind::Libtorch.row(),
            _ => case.row,
        };
        let gives = row.abilities.gradients != Gradients::Nothing;
        assert_eq!(own.is_some(), gives, "{}", case.row.name);
    });
}
