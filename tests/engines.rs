//! Engines that cannot do all: an operator that the interpreter lacks is lent and counted; a TorchScript file shows its declared outputs only.

#![cfg(feature = "torch")]

mod support;

use parity::graph::proto::*;
use std::path::{Path, PathBuf};
use support::*;

/// relu(trilu(x · w + b)): the contrib operator is ONNX Runtime's alone.
fn contrib() -> ModelProto {
    let mut model = small();
    let graph = model.graph.as_mut().unwrap();
    graph.node.insert(
        2,
        NodeProto {
            domain: Some("com.microsoft".into()),
            ..node("Trilu", "triangle", &["q"], &["g"])
        },
    );
    graph.node[3].input[0] = "g".into();
    model.opset_import.push(OperatorSetIdProto {
        domain: Some("com.microsoft".into()),
        version: Some(1),
    });
    model
}

fn run(body: &str) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &contrib());
    std::fs::write(
        dir.path().join("s.toml"),
        format!("format = 1\nmodel = \"m.onnx\"\n{body}"),
    )
    .unwrap();
    Call::new(PARITY, dir.path(), &["run", "s.toml"]).run()
}

const SWAPPED: &str =
    "reference = { subject = \"libtorch\" }\ncandidate = { subject = \"onnxruntime\" }\n";

#[test]
fn an_operator_that_the_interpreter_lacks_is_lent_counted_and_never_a_pass() {
    let counted = "1 not compared: not independent: libtorch has no operator Trilu, its output is the other engine's";
    for side in ["", SWAPPED] {
        run(side)
            .exits(4)
            .says(&["TOO LITTLE COMPARED", "3 of 4 tensors compared", counted]);
        run(&format!("{side}[expect]\nabstain = [\"g\"]\n"))
            .exits(0)
            .says(&["AGREE", "1 excused"]);
    }
    let exact = "tolerance = { kind = \"flat\", atol = 1e-3, rtol = 1e-3, why = \"a test\" }\n";
    run(exact).exits(4).says(&[counted]);
}

#[test]
fn tensors_without_an_element_are_compared_like_all_others() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing is left above zero, so NonZero finds nothing: [2, 0] from there on.
    let steps = [
        ("Abs", "x", "a"),
        ("Neg", "a", "n"),
        ("Relu", "n", "r"),
        ("NonZero", "r", "z"),
        ("Shape", "z", "s"),
    ];
    let nodes = steps
        .iter()
        .map(|(op, from, to)| node(op, &op.to_lowercase(), &[from], &[to]))
        .collect();
    write_model(
        dir.path(),
        "m.onnx",
        &onnx(port("x", F32, &[2, 3]), nodes, vec![]),
    );
    Call::new(PARITY, dir.path(), &["run", "m.onnx"])
        .run()
        .exits(0)
        .says(&["AGREE", "5 of 5 tensors compared"]);
}

#[test]
fn a_fault_behind_a_lent_output_is_still_found_there() {
    let fault = "candidate = { subject = \"faulty\", of = \"libtorch\", fault = \"negate-output\", node = \"relu\" }\n";
    run(fault).exits(1).says(&["DIVERGE at node 'relu'"]);
}

#[test]
fn an_operator_that_both_sides_lack_is_named_with_its_node_and_the_rest_is_compared() {
    let ran = run("reference = { subject = \"libtorch\" }\n").exits(4);
    ran.says(&[
        "2 of 4 tensors",
        "neither side computes it",
        "'triangle'",
        "no operator Trilu of com.microsoft opset 1",
        "f32 [2, 4]",
    ]);
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/torchscript")
        .join(name)
}

/// Runs `model` against a TorchScript file; `keys` belong to the subject.
fn scripted(model: &ModelProto, file: &Path, keys: &str, body: &str) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", model);
    let subject = format!(
        "candidate = {{ subject = \"torchscript\", script = \"{}\"{keys} }}\n",
        file.display()
    );
    std::fs::write(
        dir.path().join("s.toml"),
        format!("format = 1\nmodel = \"m.onnx\"\n{subject}{body}"),
    )
    .unwrap();
    Call::new(PARITY, dir.path(), &["run", "s.toml"]).run()
}

const ONLY_Y: &str = "[limit]\nonly = [\"y\"]\n";

#[test]
fn a_torchscript_file_is_compared_at_the_declared_outputs() {
    let ran = scripted(
        &small(),
        &script("small.pt"),
        ", rename = { y = \"0\" }",
        ONLY_Y,
    )
    .exits(0);
    ran.says(&[
        "AGREE",
        "1 of 1 tensors compared",
        "small.pt in libtorch 2.",
    ]);
    // By place, where nothing is renamed; what is inside the script is not seen, and counted.
    scripted(&small(), &script("small.pt"), "", "")
        .exits(0)
        .says(&[
            "1 of 3 tensors",
            "2 not compared: the script shows declared outputs only",
        ]);
    let mut other = small();
    other.graph.as_mut().unwrap().initializer[1].float_data[2] = 0.31;
    scripted(&other, &script("small.pt"), "", ONLY_Y)
        .exits(1)
        .says(&[
            "DIVERGE first at tensor 'y'",
            "the model was given 'x' [2, 3], the script all of it",
            "takes = [",
        ]);
}

#[test]
fn an_output_is_named_by_the_key_of_a_dictionary() {
    let mut both = small();
    both.graph.as_mut().unwrap().output.push(ValueInfoProto {
        name: Some("q".into()),
        r#type: None,
        ..Default::default()
    });
    let keys = ", rename = { y = \"0\", q = \"1.q\" }";
    scripted(
        &both,
        &script("small.pt"),
        keys,
        "[limit]\nonly = [\"y\", \"q\"]\n",
    )
    .exits(0)
    .says(&["2 of 2"]);
    scripted(
        &both,
        &script("small.pt"),
        ", rename = { y = \"7\" }",
        ONLY_Y,
    )
    .refuses(
        2,
        &["gives no '7' for output 'y'; it gives 0, 1.q", "rename"],
    );
    scripted(
        &both,
        &script("small.pt"),
        ", rename = { z = \"0\" }",
        ONLY_Y,
    )
    .refuses(2, &["no output 'z'", "its outputs: y, q"]);
}

#[test]
fn a_forward_pass_of_every_engine_is_timed_in_turn_and_the_interpreter_beside_them() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &small());
    let file = script("small.pt");
    let text = format!(
        "format = 1\nmodel = \"m.onnx\"\nreference = {{ subject = \"torchscript\", script = \"{}\" }}\n",
        file.display()
    );
    std::fs::write(
        dir.path().join("s.toml"),
        text + "candidate = { subject = \"onnxruntime\" }\n" + ONLY_Y,
    )
    .unwrap();
    let time = |args: &[&str]| Call::new(PARITY, dir.path(), &[&["time"], args].concat()).run();
    let ran = time(&["s.toml", "--runs", "3", "--threads", "1"]).exits(0);
    let ran = ran.says(&[
        "threads 1, 3 passes of each in turn",
        "times torchscript",
        "| onnxruntime ",
        "| libtorch ",
    ]);
    let itself = ran
        .out
        .lines()
        .find(|l| l.starts_with("| torchscript"))
        .unwrap();
    assert!(itself.contains("| 1.00 "), "{ran}");
    time(&["m.onnx", "--input", "x=2x3"])
        .exits(0)
        .says(&["times onnxruntime"]);
    time(&["s.toml", "--input", "x=2x3"])
        .refuses(2, &["--input does not apply to a scenario", "bare model"]);
}

#[test]
fn what_was_recorded_cannot_be_timed() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &small());
    Call::new(PARITY, dir.path(), &["run", "m.onnx", "--record", "traces"])
        .run()
        .exits(0);
    let text = "format = 1\nmodel = \"m.onnx\"\nreference = { subject = \"recorded\", trace = \"traces/reference.safetensors\" }\n";
    std::fs::write(dir.path().join("s.toml"), text).unwrap();
    Call::new(PARITY, dir.path(), &["time", "s.toml"])
        .run()
        .refuses(
            2,
            &[
                "recorded",
                "computes nothing that could be timed",
                "name engines",
            ],
        );
}

/// y = relu(x) · rate on the last three of five samples; the graph takes the two before as context and does not look at them.
fn context(samples: i64) -> ModelProto {
    let ints = |name: &str, v: i64| TensorProto {
        name: Some(name.into()),
        dims: vec![1],
        data_type: Some(I64),
        int64_data: vec![v],
        ..Default::default()
    };
    let float = AttributeProto {
        name: Some("to".into()),
        i: Some(1),
        r#type: Some(2),
        ..Default::default()
    };
    let cast = NodeProto {
        attribute: vec![float],
        ..node("Cast", "cast", &["rate"], &["f"])
    };
    let nodes = vec![
        node("Slice", "now", &["x", "from", "to", "axis"], &["s"]),
        node("Relu", "relu", &["s"], &["p"]),
        cast,
        node("Mul", "mul", &["p", "f"], &["y"]),
    ];
    let mut model = onnx(
        port("x", F32, &[1, samples]),
        nodes,
        vec![ints("from", 2), ints("to", 9), ints("axis", 1)],
    );
    model
        .graph
        .as_mut()
        .unwrap()
        .input
        .push(port("rate", I64, &[]));
    model
}

const RATE: &str =
    "[limit]\nonly = [\"y\"]\n[inputs.rate]\nvalues = [16]\n[inputs.x]\nrandom = \"normal\"\n";

#[test]
fn a_script_that_takes_less_than_the_model_is_told_so_with_the_next_step() {
    let words = [
        "stage inputs",
        "part.pt refuses 'x' f32 [1, 5], 'rate' 16",
        "takes 3 samples, is given 5",
        "takes = [",
        "samples of context",
    ];
    scripted(&context(5), &script("part.pt"), "", RATE).refuses(2, &words);
    scripted(
        &context(5),
        &script("part.pt"),
        ", takes = [\"x[2:]\", \"rate\"]",
        RATE,
    )
    .exits(0)
    .says(&["1 of 1"]);
    scripted(
        &context(5),
        &script("part.pt"),
        ", takes = [\"x[2\", \"rate\"]",
        RATE,
    )
    .refuses(2, &["'x[2' is neither NAME nor NAME[FROM:TO]"]);
    scripted(
        &context(5),
        &script("part.pt"),
        ", takes = [\"xx\", \"rate\"]",
        RATE,
    )
    .refuses(2, &["no input 'xx'", "its inputs: x, rate"]);
}

#[test]
fn a_hostile_or_truncated_script_is_an_error_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(script("small.pt")).unwrap();
    let mut flipped = whole.clone();
    flipped
        .iter_mut()
        .skip(200)
        .step_by(37)
        .for_each(|b| *b ^= 0x55);
    for (name, bytes) in [
        ("text", b"no archive".to_vec()),
        ("half", whole[..whole.len() / 2].to_vec()),
        ("flipped", flipped),
    ] {
        let path = dir.path().join(format!("{name}.pt"));
        std::fs::write(&path, bytes).unwrap();
        scripted(&small(), &path, "", ONLY_Y).refuses(
            2,
            &[name, "not a readable TorchScript file", "torch.jit.script"],
        );
    }
    std::fs::write(dir.path().join("empty.pt"), b"").unwrap();
    scripted(&small(), &dir.path().join("empty.pt"), "", ONLY_Y)
        .refuses(2, &["empty.pt", "the file is empty"]);
    scripted(&small(), &dir.path().join("gone.pt"), "", ONLY_Y)
        .refuses(2, &["gone.pt", "No such file"]);
}

/// silero-vad's ONNX form and its script, both given these samples and the script `takes` of them.
fn silero(samples: usize, takes: &str) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let fed = format!(
        "[inputs.input]\nrandom = \"uniform\"\nlow = -0.5\nhigh = 0.5\nshape = [1, {samples}]\n[inputs.state]\nrandom = \"constant\"\nvalue = 0.0\n\
         shape = [2, 1, 128]\n[inputs.sr]\nvalues = [16000]\nshape = []\n[limit]\nonly = [\"output\"]\n"
    );
    let subject = format!(
        "subject = \"torchscript\"\nscript = \"{}\"\ntakes = {takes}",
        text(&model("silero_vad.jit"))
    );
    let whole = format!(
        "format = 1\nmodel = \"{}\"\n{fed}[candidate]\n{subject}\nrename = {{ output = \"0\" }}\n",
        text(&model("silero_vad.onnx"))
    );
    std::fs::write(dir.path().join("s.toml"), whole).unwrap();
    Call::new(PARITY, dir.path(), &["run", "s.toml"]).run()
}

#[test]
fn stage_inputs_says_which_samples_of_context_a_script_has_that_the_model_was_not_given() {
    silero(512, "[\"input\", \"sr\"]").exits(1).says(&[
        "DIVERGE at the inputs",
        "input 'input': both sides were given the 512 values of [1, 512], and the script sees 64 of its own before them that the model lacks",
        "next        feed the model [1, 576], 64 zeros first, and the script its part: takes = [\"input[64:]\", \"sr\"]",
    ]);
    // Samples that are not the script's context are another matter: it starts from zeros.
    let other = silero(576, "[\"input[64:]\", \"sr\"]")
        .exits(1)
        .says(&["DIVERGE first at tensor 'output'"]);
    assert!(!other.out.contains("at the inputs"), "{other}");
    silero(576, "[\"input\", \"sr\"]").refuses(
        2,
        &[
            "stage inputs",
            "Provided number of samples is 576",
            "takes = [",
        ],
    );
}
