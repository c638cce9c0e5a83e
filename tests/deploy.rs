//! What a deployment needs to know before and after: how much memory a run takes, and what an optimiser does that nothing observed shows.

#![cfg(feature = "torch")]

mod support;

use parity::graph::proto::*;
use parity::verdict::Judgement;
use std::path::Path;
use support::*;

fn run(folder: &Path, args: &[&str]) -> Ran {
    Call::new(PARITY, folder, &[&["run", "m.onnx"], args].concat()).run()
}

#[test]
fn a_run_beyond_the_limit_is_refused_with_the_estimate_and_runs_above_it() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &small());
    let words = [
        "about ",
        "MiB at the peak",
        "the limit is 1 MiB",
        "[2, 4]",
        "next: feed smaller inputs",
        "--max-memory SIZE is your own limit",
    ];
    run(dir.path(), &["--max-memory", "1MiB"]).refuses(2, &words);
    let ran = run(dir.path(), &["--max-memory", "2GiB"]).exits(0);
    assert!(
        !ran.err.contains("memory:"),
        "a small run says nothing of memory: {ran}"
    );
    let ran = run(dir.path(), &["--max-memory", "much"]).exits(2);
    assert!(
        ran.err.contains("--max-memory") && ran.err.contains("such as 2GiB"),
        "{ran}"
    );
}

#[test]
fn a_large_run_is_refused_before_anything_large_is_held() {
    // 16384 x 16384 f32 is 1 GiB; its input alone, and the engines never start.
    let dir = tempfile::tempdir().unwrap();
    let open = onnx(
        port("x", F32, &[-1, -1]),
        vec![
            node("Relu", "r", &["x"], &["y"]),
            node("Neg", "n", &["y"], &["z"]),
        ],
        vec![],
    );
    write_model(dir.path(), "m.onnx", &open);
    run(
        dir.path(),
        &["--input", "x=8192x8192", "--max-memory", "1GiB"],
    )
    .refuses(2, &["GiB at the peak", "limit is 1.0 GiB", "[8192, 8192]"]);
}

fn scalar(name: &str, v: f32) -> TensorProto {
    TensorProto {
        dims: vec![],
        ..weight(name, &[], &[v])
    }
}

fn zero_point(name: &str, v: i32) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: vec![],
        data_type: Some(2),
        int32_data: vec![v],
        ..Default::default()
    }
}

/// Quantised and dequantised once or twice: two such pairs in a row are one to ONNX Runtime, with another rounding.
fn quantised(twice: bool) -> ModelProto {
    let pair = |i: usize, from: &str| {
        let name = |n: &str| format!("{n}{i}");
        let (q, d, s, z) = (name("q"), name("d"), name("s"), name("z"));
        let give = node("QuantizeLinear", &q, &[from, &s, &z], &[&q]);
        vec![give, node("DequantizeLinear", &d, &[&q, &s, &z], &[&d])]
    };
    let mut nodes = vec![node("Relu", "relu", &["x"], &["r"])];
    nodes.extend(pair(1, "r"));
    let mut last = "d1";
    if twice {
        nodes.extend(pair(2, "d1"));
        last = "d2";
    }
    nodes.push(node("Sigmoid", "out", &[last], &["y"]));
    let mut weights = vec![scalar("s1", 0.02), zero_point("z1", 100)];
    if twice {
        weights.extend([scalar("s2", 0.013), zero_point("z2", 3)]);
    }
    onnx(port("x", F32, &[4, 64]), nodes, weights)
}

#[test]
fn a_divergence_that_only_the_optimised_session_shows_names_the_optimiser_and_the_tensors_around() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &quantised(true));
    let ran = run(dir.path(), &[]).exits(1);
    let because = "the un-observed run differs because of optimiser DoubleQDQPairsRemover between tensors 'r' and 'd2', from level basic on";
    ran.says(&[
        "DIVERGE only when not observed",
        because,
        "treated as one: 'q1', 'd1', 'q2', 'd2'",
        "disable_specified_optimizers = \"DoubleQDQPairsRemover\"",
    ]);
}

fn with_ints(node: NodeProto, name: &str, values: &[i64]) -> NodeProto {
    let list = AttributeProto {
        name: Some(name.into()),
        ints: values.to_vec(),
        r#type: Some(7),
        ..Default::default()
    };
    NodeProto {
        attribute: [node.attribute, vec![list]].concat(),
        ..node
    }
}

fn with_int(node: NodeProto, name: &str, value: i64) -> NodeProto {
    let one = AttributeProto {
        name: Some(name.into()),
        i: Some(value),
        r#type: Some(2),
        ..Default::default()
    };
    NodeProto {
        attribute: [node.attribute, vec![one]].concat(),
        ..node
    }
}

/// A layer normalisation of rows of four numbers as eight nodes.
fn normalised(shape: &[i64]) -> ModelProto {
    let mean = |name: &str, from: &str, to: &str| {
        with_ints(node("ReduceMean", name, &[from], &[to]), "axes", &[-1])
    };
    let nodes = vec![
        mean("mean", "x", "mn"),
        node("Sub", "centre", &["x", "mn"], &["ct"]),
        node("Pow", "square", &["ct", "two"], &["sq"]),
        mean("var", "sq", "vr"),
        node("Add", "eps_add", &["vr", "eps"], &["ve"]),
        node("Sqrt", "root", &["ve"], &["sd"]),
        node("Div", "norm", &["ct", "sd"], &["nm"]),
        node("Mul", "scale", &["s", "nm"], &["y"]),
    ];
    onnx(
        port("x", F32, shape),
        nodes,
        vec![
            scalar("two", 2.0),
            scalar("eps", 1e-5),
            weight("s", &[4], &[1.5, -0.7, 0.3, 2.0]),
        ],
    )
}

#[test]
fn a_file_that_only_the_optimised_session_refuses_is_a_finding_beside_the_observed_run() {
    let divided = || {
        let nodes = vec![
            node("Identity", "pass", &["x"], &["mid"]),
            node("Div", "unit", &["one", "one2"], &["folded"]),
            node("Mul", "scale", &["mid", "folded"], &["w"]),
            node("Add", "shift", &["w", "zero"], &["y"]),
        ];
        let one = |name: &str, v: f32| weight(name, &[1], &[v]);
        onnx(
            port("x", F32, &[2, 3]),
            nodes,
            vec![one("one", 1.0), one("one2", 1.0), one("zero", 0.0)],
        )
    };
    let dir = tempfile::tempdir().unwrap();
    for (name, model, optimiser, said) in [
        ("divided", divided(), "DivMulFusion", "Invalid model"),
        (
            "shapes",
            normalised(&[4]),
            "LayerNormFusion",
            "onnxruntime: ",
        ),
    ] {
        write_model(dir.path(), "m.onnx", &model);
        let ran = run(dir.path(), &[]).exits(1);
        assert!(
            ran.out.contains("(100.0 %)"),
            "{name}: the observed run is shown whole: {ran}"
        );
        let ran = ran.says(&[
            "DIVERGE only when not observed: the deployed session of onnxruntime",
            "refuses",
            optimiser,
            said,
        ]);
        ran.says(&[
            "disable_specified_optimizers = \"",
            "not as expected: diverges",
        ]);
        let found = run(dir.path(), &["--json"]).exits(1).json();
        let refused: Vec<_> = found
            .verdict
            .only_unobserved
            .iter()
            .map(|u| (u.refused.is_some(), u.comparison.is_none()))
            .collect();
        assert_eq!(refused, [(true, true)], "{name}");
        run(dir.path(), &["--only", "mid", "--only", "sq"]).is_civil();
    }
    // The clean control: the same eight nodes on a shape that the fusion takes.
    write_model(dir.path(), "m.onnx", &normalised(&[2, 4]));
    run(dir.path(), &[]).exits(0);
}

fn boolean(node: NodeProto) -> NodeProto {
    with_int(node, "to", 9)
}

fn integer(node: NodeProto) -> NodeProto {
    with_int(node, "to", 7)
}

/// What decides on the floats 'a' and 'b'; 'h' and 'n' are made of both.
fn deciders() -> Vec<(&'static str, Vec<NodeProto>)> {
    let scores = || {
        let deepened =
            |from: &str, to: &str| node("Reshape", &format!("deep {from}"), &[from, "deep"], &[to]);
        let pairs = with_int(node("Concat", "pairs", &["a3", "b3"], &["s"]), "axis", 1);
        vec![deepened("a", "a3"), deepened("b", "b3"), pairs]
    };
    let arg = |to: &str| {
        with_int(
            with_int(node("ArgMax", "decide", &["s"], &[to]), "axis", 1),
            "keepdims",
            1,
        )
    };
    let then = |mut front: Vec<NodeProto>, behind: Vec<NodeProto>| {
        front.extend(behind);
        front
    };
    vec![
        ("ArgMax", then(scores(), vec![arg("y")])),
        (
            "ArgMax, reshaped",
            then(
                scores(),
                vec![arg("i"), node("Reshape", "flat", &["i", "all"], &["y"])],
            ),
        ),
        (
            "ArgMax, exchanged and cast",
            then(
                scores(),
                vec![
                    arg("i"),
                    node("Transpose", "t", &["i"], &["j"]),
                    with_int(node("Cast", "c", &["j"], &["y"]), "to", 6),
                ],
            ),
        ),
        (
            "TopK",
            then(
                scores(),
                vec![
                    node("TopK", "decide", &["s", "one"], &["v", "i"]),
                    node("Identity", "as it is", &["i"], &["y"]),
                ],
            ),
        ),
        (
            "Greater",
            vec![node("Greater", "decide", &["a", "b"], &["y"])],
        ),
        (
            "Less, cast",
            vec![
                node("Less", "decide", &["a", "b"], &["m"]),
                integer(node("Cast", "c", &["m"], &["y"])),
            ],
        ),
        (
            "Cast",
            vec![integer(node("Cast", "decide", &["n"], &["y"]))],
        ),
        ("Round", vec![node("Round", "decide", &["h"], &["y"])]),
        (
            "Round, cast",
            vec![
                node("Round", "decide", &["h"], &["r"]),
                integer(node("Cast", "c", &["r"], &["y"])),
            ],
        ),
        (
            "Floor, cast to booleans",
            vec![
                node("Floor", "decide", &["n"], &["r"]),
                boolean(node("Cast", "c", &["r"], &["y"])),
            ],
        ),
        (
            "QuantizeLinear",
            vec![node(
                "QuantizeLinear",
                "decide",
                &["h", "unit", "zero"],
                &["y"],
            )],
        ),
    ]
}

fn ints(name: &str, v: &[i64]) -> TensorProto {
    let dims = vec![v.len() as i64];
    TensorProto {
        name: Some(name.into()),
        dims,
        data_type: Some(I64),
        int64_data: v.to_vec(),
        ..Default::default()
    }
}

/// 'a' and 'b' are a convolution and a factor each, by weights that differ in their last bits, so that they differ by about nothing; 'h' is about
/// halfway between two whole numbers, 'n' about one. The optimised session folds the factors, and rounds otherwise.
fn near_ties(decider: Vec<NodeProto>) -> ModelProto {
    let w: Vec<f32> = (0..256)
        .map(|i| ((i * 37 + 11) % 101) as f32 / 101.0 - 0.5)
        .collect();
    let other: Vec<f32> = w
        .iter()
        .enumerate()
        .map(|(i, v)| f32::from_bits(v.to_bits() + (i as u32 * 7 + 3) % 3))
        .collect();
    let mut nodes = vec![
        node("Conv", "conv a", &["x", "wa"], &["pa"]),
        node("Mul", "mul a", &["pa", "factor"], &["a"]),
        node("Conv", "conv b", &["x", "wb"], &["pb"]),
        node("Mul", "mul b", &["pb", "factor"], &["b"]),
        node("Sub", "difference", &["a", "b"], &["d"]),
        node("Add", "near half", &["d", "half"], &["h"]),
        node("Add", "near one", &["h", "half"], &["n"]),
    ];
    nodes.extend(decider);
    let weights = vec![
        weight("wa", &[4, 64, 1, 1], &w),
        weight("wb", &[4, 64, 1, 1], &other),
        weight("factor", &[4, 1, 1], &[1.1, -0.7, 1.3, 0.9]),
        scalar("half", 0.5),
        scalar("unit", 1.0),
        zero_point("zero", 3),
        ints("deep", &[-1, 1]),
        ints("all", &[-1]),
        ints("one", &[1]),
    ];
    onnx(port("x", F32, &[1, 64, 8, 8]), nodes, weights)
}

#[test]
fn a_decision_that_the_optimised_session_takes_otherwise_is_a_tie_where_rounding_in_front_may_flip_it()
 {
    let dir = tempfile::tempdir().unwrap();
    for (name, decider) in deciders() {
        write_model(dir.path(), "m.onnx", &near_ties(decider));
        let found = run(dir.path(), &["--json"]).exits(0).json();
        let judged: Vec<_> = found.unobserved.iter().map(|u| &u.judgement).collect();
        assert!(
            matches!(judged[..], [Judgement::Tie(_)]),
            "{name}: {judged:?}"
        );
    }
}

#[test]
fn what_works_on_a_decision_that_rounding_may_flip_is_not_judged_un_observed() {
    let counted = vec![
        node("Greater", "decide", &["a", "b"], &["m"]),
        integer(node("Cast", "c", &["m"], &["i"])),
        with_int(node("ReduceSum", "count", &["i"], &["y"]), "keepdims", 0),
    ];
    let both = vec![
        node("Greater", "decide", &["a", "b"], &["m"]),
        node("Less", "other", &["n", "half"], &["l"]),
        node("Or", "either", &["m", "l"], &["y"]),
    ];
    let dir = tempfile::tempdir().unwrap();
    for decider in [counted, both] {
        write_model(dir.path(), "m.onnx", &near_ties(decider));
        run(dir.path(), &[]).exits(4).says(&[
            "un-observed output 'y' of onnxruntime",
            "not judged: behind the decision at 'decide'",
        ]);
    }
}

/// A pad of zeros before a maximum of what is below zero: the optimised session drops it.
fn padded(decider: Vec<NodeProto>) -> ModelProto {
    let pool = with_ints(
        with_ints(
            node("MaxPool", "/pool", &["p"], &["pooled"]),
            "kernel_shape",
            &[2, 2],
        ),
        "strides",
        &[2, 2],
    );
    let mut nodes = vec![
        node("Neg", "/neg", &["x"], &["negative"]),
        node("Pad", "/pad", &["negative", "pads"], &["p"]),
        pool,
    ];
    nodes.extend([
        node("Identity", "same", &["pooled"], &["a"]),
        node("Sub", "minus", &["little", "a"], &["b"]),
        node("Mul", "tens", &["a", "ten"], &["n"]),
        node("Add", "halves", &["n", "half"], &["h"]),
    ]);
    nodes.extend(decider);
    let weights = vec![
        ints("pads", &[0, 0, 1, 1, 0, 0, 1, 1]),
        ints("deep", &[-1, 1]),
        ints("all", &[-1]),
        ints("one", &[1]),
        scalar("little", -0.02),
        scalar("ten", 10.0),
        scalar("half", 0.5),
        scalar("unit", 0.01),
        zero_point("zero", 100),
    ];
    onnx(port("x", F32, &[1, 8, 6, 6]), nodes, weights)
}

#[test]
fn a_decision_that_an_optimiser_takes_otherwise_for_another_reason_is_off_whatever_decides() {
    let dir = tempfile::tempdir().unwrap();
    write_model(
        dir.path(),
        "m.onnx",
        &padded(vec![node("Neg", "last", &["pooled"], &["y"])]),
    );
    run(dir.path(), &[]).exits(1).says(&["Pad_Fusion"]);
    for (name, decider) in deciders() {
        write_model(dir.path(), "m.onnx", &padded(decider));
        let ran = run(dir.path(), &[]);
        assert_eq!(ran.code, Some(1), "{name}: {ran}");
        ran.says(&["DIVERGE only when not observed: output 'y'", "Pad_Fusion"]);
    }
}

#[test]
fn the_deployed_session_is_the_file_with_its_external_data_wherever_it_lies() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("away");
    std::fs::create_dir(&folder).unwrap();
    let mut model = small();
    let w = &mut model.graph.as_mut().unwrap().initializer[0];
    std::fs::write(
        folder.join("w.bin"),
        w.float_data
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<u8>>(),
    )
    .unwrap();
    w.float_data.clear();
    w.data_location = Some(1);
    w.external_data = vec![StringStringEntryProto {
        key: Some("location".into()),
        value: Some("w.bin".into()),
    }];
    write_model(&folder, "m.onnx", &model);
    Call::new(PARITY, dir.path(), &["run", "away/m.onnx"])
        .run()
        .exits(0);
    Call::new(PARITY, &folder, &["run", "m.onnx"])
        .run()
        .exits(0);
}

#[test]
fn an_output_that_is_not_asked_for_is_not_judged_un_observed_either() {
    let dir = tempfile::tempdir().unwrap();
    let mut both = quantised(true);
    both.graph.as_mut().unwrap().output.push(ValueInfoProto {
        name: Some("r".into()),
        r#type: None,
        ..Default::default()
    });
    write_model(dir.path(), "m.onnx", &both);
    run(dir.path(), &["--only", "r"]).exits(0);
    run(dir.path(), &[]).exits(1);
}

#[test]
fn one_pair_of_quantisation_is_left_alone_and_agrees() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &quantised(false));
    run(dir.path(), &[]).exits(0);
}

/// What an optimiser of ONNX Runtime makes another function of.
#[derive(Clone, Copy, PartialEq)]
enum Trap {
    Nothing,
    /// Quantised twice in a row, which is taken for once, with another rounding.
    Twice,
    /// A pad of zeros before a maximum, which is taken for a pad of nothing.
    Padded,
}

/// Two quantised convolutions, as a static quantiser writes them; what the last nodes are is asked of `end`, which takes 'f'.
fn statically_quantised(trap: Trap, end: Vec<NodeProto>) -> ModelProto {
    let (mut nodes, mut weights) = (Vec::new(), Vec::new());
    let mut pair = |name: &str, from: &str, scale: f32, zero: i32| {
        let own = |n: &str| format!("{name} {n}");
        let (q, d, s, z) = (own("q"), own("d"), own("s"), own("z"));
        weights.extend([scalar(&s, scale), zero_point(&z, zero)]);
        vec![
            node("QuantizeLinear", &q, &[from, &s, &z], &[&q]),
            node("DequantizeLinear", &d, &[&q, &s, &z], &[&d]),
        ]
    };
    if trap == Trap::Padded {
        let pool = with_ints(
            with_ints(
                node("MaxPool", "pool", &["p"], &["front"]),
                "kernel_shape",
                &[2, 2],
            ),
            "strides",
            &[2, 2],
        );
        nodes.extend([
            node("Abs", "abs", &["x"], &["size"]),
            node("Neg", "neg", &["size"], &["below"]),
        ]);
        nodes.extend([node("Pad", "pad", &["below", "pads"], &["p"]), pool]);
    } else {
        nodes.push(node("Neg", "neg", &["x"], &["front"]));
    }
    nodes.extend(pair(
        "x",
        "front",
        0.008,
        if trap == Trap::Padded { 250 } else { 128 },
    ));
    nodes.push(node("Conv", "first", &["x d", "w1 d"], &["c"]));
    nodes.push(node("Relu", "relu", &["c"], &["r"]));
    nodes.extend(pair("r", "r", 0.013, 0));
    nodes.extend(
        pair("t", "r d", 0.017, 3)
            .into_iter()
            .filter(|_| trap == Trap::Twice),
    );
    nodes.push(node(
        "Conv",
        "second",
        &[if trap == Trap::Twice { "t d" } else { "r d" }, "w2 d"],
        &["e"],
    ));
    nodes.extend(pair("e", "e", 0.011, 120));
    nodes.push(node("Sigmoid", "sigmoid", &["e d"], &["f"]));
    nodes.extend(end);
    let bytes = |name: &str, shape: &[i64], seed: i32| {
        let values = (0..shape.iter().product::<i64>() as i32)
            .map(|i| (i * 37 + seed) % 201 - 100)
            .collect();
        TensorProto {
            name: Some(name.into()),
            dims: shape.to_vec(),
            data_type: Some(3),
            int32_data: values,
            ..Default::default()
        }
    };
    let zero = TensorProto {
        name: Some("wz".into()),
        data_type: Some(3),
        int32_data: vec![0],
        ..Default::default()
    };
    weights.extend([
        bytes("w1", &[16, 8, 3, 3], 11),
        bytes("w2", &[4, 16, 1, 1], 5),
        scalar("ws", 0.004),
        zero,
        ints("pads", &[0, 0, 1, 1, 0, 0, 1, 1]),
    ]);
    let given = ["w1", "w2"].map(|w| {
        node(
            "DequantizeLinear",
            &format!("{w} d"),
            &[w, "ws", "wz"],
            &[&format!("{w} d")],
        )
    });
    onnx(
        port("x", F32, &[1, 8, 16, 16]),
        [given.to_vec(), nodes].concat(),
        weights,
    )
}

/// Ends of a quantised model: floats, integers of a quantiser, a decision.
fn ends() -> [(&'static str, Vec<NodeProto>); 3] {
    let arg = with_int(node("ArgMax", "label", &["f"], &["y"]), "axis", 1);
    [
        ("floats", vec![node("Sqrt", "out", &["f"], &["y"])]),
        (
            "quantised",
            vec![node("QuantizeLinear", "out", &["f", "r s", "r z"], &["y"])],
        ),
        ("labels", vec![arg]),
    ]
}

/// Exit codes on normal inputs of 20 seeds.
fn codes(folder: &Path) -> Vec<Option<i32>> {
    let run = |seed: u32| {
        let text = "format = 1\nmodel = \"m.onnx\"\n[inputs.x]\nrandom = \"normal\"\nshape = [1, 8, 16, 16]\n";
        std::fs::write(folder.join("s.toml"), format!("seed = {seed}\n{text}")).unwrap();
        Call::new(PARITY, folder, &["run", "s.toml"]).run().code
    };
    (0..20).map(run).collect()
}

#[test]
fn a_quantised_model_is_judged_un_observed_in_steps_whatever_the_seed() {
    let dir = tempfile::tempdir().unwrap();
    for (name, end) in ends() {
        write_model(
            dir.path(),
            "m.onnx",
            &statically_quantised(Trap::Nothing, end),
        );
        assert_eq!(codes(dir.path()), [Some(0); 20], "{name}");
    }
}

#[test]
fn another_function_of_a_quantised_model_is_off_whatever_the_seed() {
    let dir = tempfile::tempdir().unwrap();
    let padded = ends().map(|(name, end)| (name, Trap::Padded, end));
    let [(name, end), ..] = ends();
    for (name, trap, end) in padded.into_iter().chain([(name, Trap::Twice, end)]) {
        write_model(dir.path(), "m.onnx", &statically_quantised(trap, end));
        assert_eq!(codes(dir.path()), [Some(1); 20], "{name}");
    }
}
