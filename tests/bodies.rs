//! Bodies of Loop and Scan: what is inside is observed turn by turn, a fault is found in the node where it starts, and what cannot be observed is counted.

#![cfg(feature = "torch")]

mod support;

use indexmap::IndexMap;
use parity::graph::cut::{self, Link};
use parity::graph::proto::*;
use parity::graph::{Graph, load, observe};
use parity::subject::open;
use parity::tensor::{DType, Tensor, Value};
use prost::Message;
use support::*;

const BOOL: i32 = 9;

fn body(
    nodes: Vec<NodeProto>,
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
) -> AttributeProto {
    let body = GraphProto {
        name: Some("body".into()),
        node: nodes,
        input: inputs,
        output: outputs,
        ..Default::default()
    };
    AttributeProto {
        name: Some("body".into()),
        g: Some(body),
        r#type: Some(AttributeType::Graph as i32),
        ..Default::default()
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        i: Some(i),
        r#type: Some(AttributeType::Int as i32),
        ..Default::default()
    }
}

fn turns(n: i64) -> TensorProto {
    TensorProto {
        name: Some("turns".into()),
        data_type: Some(I64),
        int64_data: vec![n],
        ..Default::default()
    }
}

/// `more` nodes behind h' = tanh(h · w + b) in every turn; `last` is given for each.
fn repeated(more: Vec<NodeProto>, last: &str) -> ModelProto {
    let mut nodes = vec![
        node("Identity", "on", &["go"], &["still"]),
        node("MatMul", "mm", &["h", "w"], &["p"]),
        node("Add", "add", &["p", "b"], &["q"]),
        node("Tanh", "tanh", &["q"], &["next"]),
    ];
    nodes.extend(more);
    let inputs = vec![
        port("turn", I64, &[]),
        port("go", BOOL, &[]),
        port("h", F32, &[2, 3]),
    ];
    let outputs = vec![
        port("still", BOOL, &[]),
        port("next", F32, &[2, 3]),
        port(last, F32, &[-1, -1]),
    ];
    let repeat = NodeProto {
        attribute: vec![body(nodes, inputs, outputs)],
        ..node("Loop", "loop", &["turns", "", "x"], &["y", "all"])
    };
    let w: Vec<f32> = (0..9).map(|i| 0.31 * i as f32 - 1.1).collect();
    let weights = vec![
        turns(5),
        weight("w", &[3, 3], &w),
        weight("b", &[3], &[0.1, -0.2, 0.3]),
    ];
    onnx(
        port("x", F32, &[2, 3]),
        vec![repeat, node("Relu", "relu", &["y"], &["z"])],
        weights,
    )
}

/// A state that decays and takes up a row in every turn, from the last to the first; the rows are along axis 1.
fn scanned() -> ModelProto {
    let nodes = vec![
        node("Mul", "fade", &["s", "w"], &["p"]),
        node("Add", "take", &["p", "row"], &["q"]),
        node("Sigmoid", "sigmoid", &["q"], &["next"]),
        node("Identity", "same", &["next"], &["seen"]),
    ];
    let inputs = vec![port("s", F32, &[3]), port("row", F32, &[3])];
    let ints = |name: &str, v: i64| AttributeProto {
        name: Some(name.into()),
        ints: vec![v],
        r#type: Some(AttributeType::Ints as i32),
        ..Default::default()
    };
    let attribute = vec![
        body(
            nodes,
            inputs,
            vec![port("next", F32, &[3]), port("seen", F32, &[3])],
        ),
        int("num_scan_inputs", 1),
        ints("scan_input_axes", 1),
        ints("scan_input_directions", 1),
        ints("scan_output_axes", 1),
    ];
    let scan = NodeProto {
        attribute,
        ..node("Scan", "scan", &["b", "x"], &["last", "rows"])
    };
    let weights = vec![
        weight("w", &[3], &[0.5, 0.25, 0.9]),
        weight("b", &[3], &[0.1, -0.2, 0.3]),
    ];
    onnx(
        port("x", F32, &[3, 6]),
        vec![scan, node("Relu", "relu", &["rows"], &["z"])],
        weights,
    )
}

/// Runs `model` under a scenario whose last lines are `keys`.
fn run(model: &ModelProto, keys: &str) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", model);
    std::fs::write(
        dir.path().join("s.toml"),
        format!("format = 1\nmodel = \"m.onnx\"\n{keys}"),
    )
    .unwrap();
    Call::new(PARITY, dir.path(), &["run", "s.toml"]).run()
}

fn faulty(of: &str, fault: &str, node: &str, amount: &str) -> String {
    format!(
        "candidate = {{ subject = \"faulty\", of = \"{of}\", fault = \"{fault}\", node = \"{node}\"{amount} }}\n"
    )
}

#[test]
fn a_healthy_loop_and_a_healthy_scan_agree_in_every_tensor_inside() {
    run(&repeated(vec![], "q"), "").exits(0).says(&[
        "AGREE",
        "7 of 7 tensors compared",
        "7 both alone and accumulated",
    ]);
    run(&scanned(), "").exits(0).says(&[
        "AGREE",
        "7 of 7 tensors compared",
        "7 both alone and accumulated",
    ]);
    run(
        &repeated(vec![], "q"),
        "tolerance = { kind = \"ulp\", ulp = 64, why = \"a test\" }\n",
    )
    .exits(0)
    .says(&["7 of 7"]);
}

#[test]
fn a_fault_inside_a_loop_is_found_in_the_node_where_it_starts_though_it_goes_round() {
    for (name, op) in [("mm", "MatMul"), ("add", "Add"), ("tanh", "Tanh")] {
        let at = format!("DIVERGE at node 'loop/{name}' ({op}): 'loop' (Loop) itself is at fault");
        let words = [
            at.as_str(),
            "run as a whole: this is the first tensor of its body that is over, in the first turn that is: 0",
        ];
        run(
            &repeated(vec![], "q"),
            &faulty("libtorch", "negate-output", &format!("loop/{name}"), ""),
        )
        .exits(1)
        .says(&words);
        run(
            &repeated(vec![], "q"),
            &faulty(
                "libtorch",
                "scale-output",
                &format!("loop/{name}"),
                ", amount = 1.0005",
            ),
        )
        .exits(1)
        .says(&words);
    }
    let on_ort = format!(
        "reference = {{ subject = \"libtorch\" }}\n{}",
        faulty("onnxruntime", "negate-output", "loop/p", "")
    );
    run(&repeated(vec![], "q"), &on_ort)
        .exits(1)
        .says(&["DIVERGE at node 'loop/mm' (MatMul)"]);
    let expected = "[expect]\nverdict = \"diverge\"\nfirst = \"loop/add\"\n";
    run(
        &repeated(vec![], "q"),
        &format!(
            "{}{expected}",
            faulty("libtorch", "swap-inputs", "loop/add", "")
        ),
    )
    .refuses(2, &["loop/add"]);
    run(
        &repeated(vec![], "q"),
        &format!(
            "{}{expected}",
            faulty("libtorch", "shift-output", "loop/add", "")
        ),
    )
    .exits(0);
}

#[test]
fn what_is_inside_is_recorded_and_judged_from_the_recording() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &repeated(vec![], "q"));
    for (keys, code, words) in [
        (String::new(), 0, "7 of 7 tensors compared"),
        (
            faulty("libtorch", "negate-output", "loop/add", ""),
            1,
            "DIVERGE at node 'loop/add' (Add)",
        ),
    ] {
        std::fs::write(
            dir.path().join("s.toml"),
            format!("format = 1\nmodel = \"m.onnx\"\n{keys}"),
        )
        .unwrap();
        let call = |args: &[&str]| Call::new(PARITY, dir.path(), args).run().exits(code);
        call(&["run", "s.toml", "--record", "rec"]).says(&[words]);
        let trace = "rec/candidate.safetensors";
        call(&["run", "m.onnx", "--against", trace]).says(&[words]);
        call(&["run", "m.onnx", trace]).says(&[words]);
    }
}

#[test]
fn a_fault_inside_a_scan_and_one_of_a_weight_around_a_body_are_found_in_their_node() {
    run(
        &scanned(),
        &faulty("libtorch", "negate-output", "scan/sigmoid", ""),
    )
    .exits(1)
    .says(&["DIVERGE at node 'scan/sigmoid' (Sigmoid): 'scan' (Scan)"]);
    run(
        &repeated(vec![], "q"),
        &faulty("libtorch", "negate-weight", "loop/mm", ""),
    )
    .exits(1)
    .says(&["DIVERGE at node 'loop/mm' (MatMul)"]);
    run(
        &repeated(vec![], "q"),
        &faulty("libtorch", "relu-for-silu", "loop/mm", ""),
    )
    .refuses(2, &["'loop/mm' is MatMul"]);
}

#[test]
fn decisions_inside_a_loop_are_judged_as_decisions_and_a_wrong_one_is_found() {
    let more = || {
        vec![
            node("Greater", "gt", &["p", "b"], &["g"]),
            node("Where", "where", &["g", "p", "b"], &["s"]),
            node("ArgMax", "argmax", &["s"], &["at"]),
            node("Gather", "row", &["x", "at"], &["r"]),
        ]
    };
    run(&repeated(more(), "q"), "").exits(0).says(&[
        "AGREE",
        "11 of 11 tensors compared",
        "11 both alone and accumulated",
    ]);
    let words = [
        "DIVERGE at node 'loop/gt' (Greater)",
        "'loop/g' bool [5, 2, 3]",
        "exact expected",
    ];
    run(
        &repeated(more(), "q"),
        &faulty("libtorch", "swap-inputs", "loop/gt", ""),
    )
    .exits(1)
    .says(&words);
    run(
        &repeated(more(), "q"),
        &faulty("libtorch", "negate-output", "loop/where", ""),
    )
    .exits(1)
    .says(&["DIVERGE at node 'loop/where' (Where)"]);
}

#[test]
fn what_is_taken_out_of_a_loop_diverges_there_again() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &repeated(vec![], "q"));
    let text = format!(
        "format = 1\nmodel = \"m.onnx\"\n{}",
        faulty("libtorch", "negate-output", "loop/add", "")
    );
    std::fs::write(dir.path().join("s.toml"), text).unwrap();
    let ran = Call::new(PARITY, dir.path(), &["run", "s.toml", "--extract", "out"]).run();
    ran.exits(1)
        .says(&["node 'loop' with its inputs", "it diverges there again"]);
}

#[test]
fn what_changes_its_shape_from_turn_to_turn_abstains_with_the_reason_and_the_rest_is_observed() {
    let pick = vec![
        node("NonZero", "nz", &["next"], &["places"]),
        node("Shape", "size", &["places"], &["n"]),
    ];
    let counted = "1 not compared: inside the body of Loop: its shape is not known to be the same in every turn";
    run(&repeated(pick, "q"), "")
        .exits(4)
        .says(&["8 of 9 tensors compared", counted]);
    run(
        &repeated(vec![node("NonZero", "nz", &["next"], &["places"])], "q"),
        "[expect]\nabstain = [\"loop/places\"]\n",
    )
    .exits(0)
    .says(&["1 excused"]);
}

#[test]
fn a_body_within_a_body_is_counted_and_an_if_on_values_stays() {
    let branch = |name: &str, op: &str| AttributeProto {
        name: Some(name.into()),
        ..body(
            vec![node(op, op, &["next"], &["r"])],
            vec![],
            vec![port("r", F32, &[2, 3])],
        )
    };
    let either = || vec![branch("then_branch", "Neg"), branch("else_branch", "Abs")];
    let choice = NodeProto {
        attribute: either(),
        ..node("If", "if", &["go"], &["c"])
    };
    run(&repeated(vec![choice], "q"), "").exits(4).says(&[
        "8 of 10 tensors compared",
        "2 not compared: inside a body within the body of Loop",
    ]);
    let positive = vec![
        node("Relu", "first", &["x"], &["next"]),
        node("ReduceMax", "most", &["next"], &["m"]),
        node("Greater", "is", &["m", "zero"], &["cond"]),
        NodeProto {
            attribute: either(),
            ..node("If", "if", &["cond"], &["y"])
        },
    ];
    let mut model = onnx(
        port("x", F32, &[2, 3]),
        positive,
        vec![weight("zero", &[], &[0.0])],
    );
    model.graph.as_mut().unwrap().node[1]
        .attribute
        .push(int("keepdims", 0));
    run(&model, "").exits(4).says(&[
        "4 of 6 tensors compared",
        "2 not compared: inside the body of If, which is run as a whole",
    ]);
}

fn observed(model: &ModelProto, x: &Tensor) -> Graph {
    let inputs: IndexMap<String, Tensor> = [("x".to_string(), x.clone())].into_iter().collect();
    observe::observed(
        load::parse(model.encode_to_vec().into(), None).unwrap(),
        &inputs,
        &open::onnxruntime_shapes,
    )
    .unwrap()
}

fn tensors(model: &[u8], x: &Tensor) -> Vec<Tensor> {
    let values =
        open::onnxruntime_values(model, &[("x".to_string(), Value::Tensor(x.clone()))], 1).unwrap();
    values
        .into_iter()
        .map(|v| {
            if let Value::Tensor(t) = v {
                t
            } else {
                panic!("{v:?} is no tensor")
            }
        })
        .collect()
}

#[test]
fn what_a_step_gave_before_its_body_was_observed_it_gives_bit_for_bit() {
    for (mut model, shape, inside) in [(repeated(vec![], "q"), [2, 3], 4), (scanned(), [3, 6], 4)] {
        let x = Tensor::of(
            &shape,
            &(0..shape[0] * shape[1])
                .map(|i| (i as f32).sin())
                .collect::<Vec<_>>(),
        );
        let graph = observed(&model, &x);
        let names: Vec<String> = graph.steps.iter().flat_map(|s| s.outputs.clone()).collect();
        let rewritten = tensors(
            &cut::cut(&graph, &[0, 1], Link::Connected, &|_| Some(DType::F32)).model,
            &x,
        );
        let ports = model.graph.as_mut().unwrap();
        ports.output = ports
            .node
            .iter()
            .flat_map(|n| &n.output)
            .map(|n| ValueInfoProto {
                name: Some(n.clone()),
                r#type: None,
                ..Default::default()
            })
            .collect();
        let own: Vec<String> = ports.output.iter().map(|p| p.name().to_string()).collect();
        let before = tensors(&model.encode_to_vec(), &x);
        assert_eq!(
            (names.len(), graph.bodies.seen.len()),
            (own.len() + inside, inside)
        );
        for (name, t) in own.iter().zip(&before) {
            let at = names.iter().position(|n| n == name).unwrap();
            assert_eq!(
                (t.shape(), t.bytes()),
                (rewritten[at].shape(), rewritten[at].bytes()),
                "{name}"
            );
        }
        let ports = model.graph.as_ref().unwrap();
        // The un-observed run has the body as the file has it; what is asked for stays.
        let node = |also: &[String]| {
            ModelProto::decode(&cut::whole(&graph, also)[..])
                .unwrap()
                .graph
                .unwrap()
                .node[0]
                .clone()
        };
        let (plain, file) = (node(&[]), &ports.node[0]);
        let of = |n: &NodeProto| n.attribute.iter().find_map(|a| a.g.clone()).unwrap();
        assert_eq!(
            (&plain.output, of(&plain).output, of(&plain).node.len()),
            (&file.output, of(file).output, of(file).node.len())
        );
        let asked: Vec<String> = graph.bodies.seen.keys().take(1).cloned().collect();
        assert_eq!(node(&asked).output, [file.output.clone(), asked].concat());
    }
}
