//! Bad input ends in exit 2, 3 or 4 with one clear message: never a panic, never a hang, never a raw control character.

mod support;

use parity::graph::proto::*;
use prost::Message;
use std::path::Path;
use support::*;

/// Writes `setup`'s files into a fresh folder, runs `parity` there and expects it to be refused with `words`.
fn check(setup: impl FnOnce(&Path), args: &[&str], code: i32, words: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    setup(dir.path());
    Call::new(PARITY, dir.path(), args).run().refuses(code, words);
}

/// `parity map` of a model that needs no engine to be refused.
fn check_model(model: &ModelProto, words: &[&str]) {
    check(|d| write_model(d, "m.onnx", model), &["map", "m.onnx"], 2, &[&["m.onnx"], words].concat());
}

/// A scenario over the small model; it is refused before any engine is needed.
fn check_scenario(body: &str, words: &[&str]) {
    let setup = |d: &Path| {
        write_model(d, "m.onnx", &small());
        std::fs::write(d.join("s.toml"), format!("format = 1\nmodel = \"m.onnx\"\n{body}")).unwrap();
    };
    check(setup, &["run", "s.toml"], 2, words);
}

/// A recorded reference that holds the small model's output `y`, ONNX Runtime as candidate, a stated tolerance.
#[cfg(feature = "ort")]
const STATED: &str = "tolerance = { kind = \"flat\", atol = 1e-3, rtol = 1e-3, why = \"a test\" }\nreference = { subject = \"recorded\", trace = \"t.safetensors\" }\ncandidate = { subject = \"onnxruntime\" }\n";

#[cfg(feature = "ort")]
fn stated(d: &Path, body: &str) {
    write_model(d, "m.onnx", &small());
    write_trace(&d.join("t.safetensors"), &[("elsewhere", &[2], &[1.0, 2.0]), ("y", &[2, 4], &[0.0; 8])], None);
    std::fs::write(d.join("s.toml"), format!("format = 1\nmodel = \"m.onnx\"\n{STATED}{body}")).unwrap();
}

#[test]
fn a_model_that_is_missing_is_named() {
    for args in [&["map", "gone.onnx"][..], &["run", "gone.onnx"], &["run", "gone.toml"]] {
        check(|_| (), args, 2, &["gone.", "No such file"]);
    }
    check(|d| std::fs::create_dir(d.join("m.onnx")).unwrap(), &["map", "m.onnx"], 2, &["m.onnx", "directory"]);
}

#[test]
fn a_truncated_model_is_refused_at_every_length() {
    let bytes = std::fs::read(model("common_det.onnx")).unwrap();
    for len in [0, 1, 7, 100, 4_096, bytes.len() / 3, bytes.len() - 1] {
        check(|d| std::fs::write(d.join("m.onnx"), &bytes[..len]).unwrap(), &["map", "m.onnx"], 2, &["m.onnx"]);
    }
}

#[test]
fn garbage_is_no_model() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n".to_vec();
    for bytes in [vec![0xff; 64], vec![0; 64], (0..=255).collect(), pointer, b"\x89PNG\r\n".to_vec()] {
        check(|d| std::fs::write(d.join("m.onnx"), &bytes).unwrap(), &["map", "m.onnx"], 2, &["m.onnx", "ONNX"]);
    }
}

#[test]
fn a_graph_that_cannot_be_executed_names_the_node_and_the_tensor() {
    let x = || port("x", F32, &[2]);
    check_model(
        &onnx(x(), vec![node("Relu", "r", &["nowhere"], &["y"])], vec![]),
        &["'r'", "'nowhere'", "neither a graph input nor a weight"],
    );
    let cycle = vec![node("Add", "a", &["x", "q"], &["p"]), node("Relu", "b", &["p"], &["q"]), node("Relu", "tail", &["q"], &["y"])];
    check_model(&onnx(x(), cycle, vec![]), &["cycle", "'a'", "'b'"]);
    check_model(&onnx(x(), vec![node("Add", "self", &["x", "y"], &["y"])], vec![]), &["cycle", "'self'"]);
    check_model(&onnx(x(), vec![node("Relu", "a", &["x"], &["y"]), node("Relu", "b", &["x"], &["y"])], vec![]), &["'y'", "produced twice"]);
    check_model(&onnx(x(), vec![node("Relu", "r", &["x"], &[])], vec![]), &["'r'", "no output"]);
    let mut undeclared = small();
    undeclared.graph.as_mut().unwrap().output[0].name = Some("z".into());
    check_model(&undeclared, &["'z'", "produced by no node"]);
}

#[test]
fn a_weight_that_contradicts_itself_is_named_with_numbers() {
    let with = |w: TensorProto| onnx(port("x", F32, &[2]), vec![node("Add", "a", &["x", "w"], &["y"])], vec![w]);
    check_model(&with(weight("w", &[3], &[1.0, 2.0])), &["'w'", "12", "8"]);
    check_model(&with(weight("w", &[-1], &[1.0])), &["'w'", "negative"]);
    check_model(&with(weight("w", &[i64::MAX], &[1.0])), &["'w'"]);
    check_model(&with(weight("w", &[i64::MAX, i64::MAX], &[1.0])), &["'w'"]);
    check_model(&with(TensorProto { data_type: Some(8), ..weight("w", &[1], &[]) }), &["'w'", "data type 8"]);
    let mut twice = small();
    let again = twice.graph.as_ref().unwrap().initializer[0].clone();
    twice.graph.as_mut().unwrap().initializer.push(again);
    check_model(&twice, &["'w'", "twice"]);
}

#[test]
fn external_data_outside_the_models_folder_is_refused() {
    for location in ["../secret.bin", "/etc/passwd", "a/../../secret.bin"] {
        let entry = |k: &str, v: &str| StringStringEntryProto { key: Some(k.into()), value: Some(v.into()) };
        let w = TensorProto { data_location: Some(1), external_data: vec![entry("location", location)], ..weight("w", &[1], &[]) };
        check_model(&onnx(port("x", F32, &[1]), vec![node("Add", "a", &["x", "w"], &["y"])], vec![w]), &["'w'", location, "refused"]);
    }
}

#[cfg(feature = "torch")]
#[test]
fn an_unknown_operator_is_named_with_node_operator_and_opset() {
    let model = onnx(port("x", F32, &[2]), vec![node("Frobnicate", "odd", &["x"], &["y"])], vec![]);
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &model);
    let ran = Call::new(PARITY, dir.path(), &["run", "m.onnx"]).run();
    assert!(matches!(ran.code, Some(2 | 3)), "{ran}");
    let code = ran.code.unwrap();
    ran.refuses(code, &["'odd'", "Frobnicate", "opset 17"]);
}

#[test]
fn an_input_that_the_model_does_not_have_gets_the_probable_name() {
    check_scenario("[inputs.imagee]\nrandom = \"normal\"\n", &["no input 'imagee'", "its inputs: x"]);
    let mut renamed = small();
    renamed.graph.as_mut().unwrap().input[0].name = Some("images".into());
    renamed.graph.as_mut().unwrap().node[0].input[0] = "images".into();
    check(
        |d| write_model(d, "m.onnx", &renamed),
        &["run", "m.onnx", "--input", "image=2x3"],
        2,
        &["no input 'image'", "did you mean 'images'"],
    );
}

#[test]
fn an_input_that_does_not_fit_is_refused_with_both_sides() {
    check_scenario("[inputs.x]\nrandom = \"uniform\"\nshape = [2, 5]\n", &["'x'", "[2, 3]", "[2, 5]"]);
    check_scenario("[inputs.x]\nrandom = \"uniform\"\nshape = [6]\n", &["'x'", "[2, 3]", "[6]"]);
    check_scenario("[inputs.x]\nrandom = \"uniform\"\ndims = { batch = 1 }\n", &["dims.batch", "[2, 3]"]);
    check_scenario("[inputs.x]\nrandom = \"uniform\"\nlow = 2.0\nhigh = 1.0\n", &["'x'", "low = 2"]);
    let doubles = |d: &Path| {
        write_model(d, "m.onnx", &small());
        let data = [0u8; 48];
        std::fs::write(d.join("x.safetensors"), raw_trace(r#"{"x":{"dtype":"F64","shape":[2,3],"data_offsets":[0,48]}}"#, &data)).unwrap();
    };
    check(doubles, &["run", "m.onnx", "--input", "x=x.safetensors"], 2, &["'x'", "f32", "f64"]);
}

#[test]
fn a_source_that_says_nothing_sensible_is_refused() {
    let ints = || onnx(port("x", I64, &[2]), vec![node("Neg", "n", &["x"], &["y"])], vec![]);
    let cases: &[(&[&str], &[&str])] = &[
        (&["x"], &["expected NAME=SHAPE"]),
        (&["x=what"], &["'what'", "neither a shape"]),
        (&["x=2:0"], &["'0'", "LOW..HIGH"]),
        (&["x=2:a..5"], &["a..5"]),
        (&["x=2:0..b"], &["0..b"]),
        (&["x=2:5..1"], &["low = 5"]),
        (&["x=2:0..1e30"], &["1000000000000000000000000000000", "i64"]),
        (&["x=2:0..1.5"], &["1.5", "i64"]),
        (&["x=2:0..9", "x=2:0..8"], &["'x'", "twice"]),
        (&["x=gone.npy"], &["gone.npy"]),
        (&["x=gone.png"], &["gone.png"]),
    ];
    for (inputs, words) in cases {
        let args: Vec<&str> = ["run", "m.onnx"].into_iter().chain(inputs.iter().flat_map(|i| ["--input", i])).collect();
        check(|d| write_model(d, "m.onnx", &ints()), &args, 2, words);
    }
}

#[test]
fn an_input_too_large_for_any_memory_is_refused() {
    let open = onnx(port("x", F32, &[-1, -1]), vec![node("Relu", "r", &["x"], &["y"])], vec![]);
    for shape in ["4000000000x4000000", "9999999999999x9999999999999"] {
        check(|d| write_model(d, "m.onnx", &open), &["run", "m.onnx", "--input", &format!("x={shape}")], 2, &["'x'"]);
    }
    check(|d| write_model(d, "m.onnx", &open), &["run", "m.onnx"], 2, &["'x'", "state it: --input x=NxN"]);
}

#[test]
fn an_integer_input_without_a_range_shows_the_one_that_its_table_suggests() {
    let table = || weight("table", &[37, 2], &[0.5; 74]);
    let nodes = vec![node("Identity", "id", &["ids"], &["i"]), node("Gather", "emb", &["table", "i"], &["y"])];
    let model = onnx(port("ids", I64, &[1, 4]), nodes, vec![table()]);
    check(|d| write_model(d, "m.onnx", &model), &["run", "m.onnx"], 2, &["'ids'", "needs a range", "'emb'", "37 rows", "high = 36"]);
    // The same look-up with a table of no rows, and past a node that takes nothing: no suggestion, and no panic either.
    let empty = onnx(
        port("ids", I64, &[1, 4]),
        vec![node("Cast", "none", &[], &["i"]), node("Gather", "emb", &["table", "ids"], &["y"])],
        vec![weight("table", &[0, 2], &[])],
    );
    check(|d| write_model(d, "m.onnx", &empty), &["run", "m.onnx"], 2, &["'ids'", "needs a range"]);
}

#[test]
fn an_image_that_cannot_be_read_is_named() {
    let over = |png: Vec<u8>| {
        move |d: &Path| {
            write_model(d, "m.onnx", &onnx(port("x", F32, &[1, 3, -1, -1]), vec![node("Relu", "r", &["x"], &["y"])], vec![]));
            std::fs::write(d.join("a.png"), png).unwrap();
        }
    };
    let photograph = std::fs::read(model("astronaut.png")).unwrap();
    for bytes in [vec![], b"no image at all".to_vec(), photograph[..2000].to_vec(), photograph[..photograph.len() / 2].to_vec()] {
        check(over(bytes), &["run", "m.onnx", "--input", "x=a.png"], 2, &["'x'", "a.png"]);
    }
    for (keys, words) in [
        ("resize = [4000000000, 4000000000]", "resize"),
        ("resize = [0, 5]", "resize"),
        ("std = [1.0, 0.0, 1.0]", "std"),
        ("mean = [1.0]", "mean has 1 values"),
    ] {
        let setup = |d: &Path| {
            over(photograph.clone())(d);
            std::fs::write(d.join("s.toml"), format!("format = 1\nmodel = \"m.onnx\"\n[inputs.x]\nimage = \"a.png\"\n{keys}\n")).unwrap();
        };
        check(setup, &["run", "s.toml"], 2, &["'x'", words]);
    }
}

/// safetensors files that lie about themselves.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let one = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    vec![
        ("empty", vec![]),
        ("shorter than a length", vec![1, 2, 3]),
        ("header length beyond the file", [&u64::MAX.to_le_bytes()[..], b"{}"].concat()),
        ("header length of a tebibyte", [&(1u64 << 40).to_le_bytes()[..], b"{}"].concat()),
        ("header cut", raw_trace(one, &[0; 4])[..20].to_vec()),
        ("data cut", raw_trace(one, &[0; 3])),
        ("bytes left over", raw_trace(one, &[0; 9])),
        ("no JSON", raw_trace("{nonsense", &[])),
        (
            "overlapping offsets",
            raw_trace(
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
                &[0; 6],
            ),
        ),
        ("reversed offsets", raw_trace(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, &[0; 4])),
        ("shape that overflows", raw_trace(r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,4]}}"#, &[0; 4])),
        (
            "offset that overflows",
            raw_trace(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,18446744073709551615]}}"#, &[0; 4]),
        ),
        (
            "a header of another version",
            raw_trace(
                r#"{"__metadata__":{"parity.trace":"{\"format\":2,\"subject\":\"\",\"command\":\"\",\"inputs\":{},\"tensors\":{}}"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
                &[0; 4],
            ),
        ),
    ]
}

#[test]
fn a_hostile_trace_is_refused_by_compare_and_by_run() {
    for (what, bytes) in hostile() {
        let setup = |d: &Path| {
            write_model(d, "m.onnx", &small());
            std::fs::write(d.join("bad.safetensors"), &bytes).unwrap();
            write_trace(&d.join("good.safetensors"), &[("a", &[1], &[1.0])], None);
        };
        eprintln!("{what}");
        check(setup, &["compare", "good.safetensors", "bad.safetensors", "--exact"], 2, &["bad.safetensors"]);
        check(setup, &["compare", "bad.safetensors", "good.safetensors", "--exact"], 2, &["bad.safetensors"]);
        if cfg!(feature = "torch") {
            check(setup, &["run", "m.onnx", "--against", "bad.safetensors"], 2, &["bad.safetensors"]);
        }
        check(setup, &["run", "m.onnx", "--input", "x=bad.safetensors"], 2, &["bad.safetensors"]);
    }
}

#[test]
fn a_word_that_a_scenario_does_not_know_gets_place_and_probable_word() {
    check_scenario("sead = 3\n", &["s.toml", "line 3, column 1", "unknown field `sead`", "did you mean 'seed'"]);
    check_scenario("[expect]\nverdict = \"agree\"\n  coverag = 0.5\n", &["line 5, column 3", "did you mean 'coverage'"]);
    check_scenario("[reference]\nsubject = \"onnxruntim\"\n", &["reference", "did you mean 'onnxruntime'"]);
    check_scenario("seed = \"three\"\n", &["line 3, column 8"]);
    check_scenario("[[[\n", &["line 3"]);
    check_scenario("tolerance = { rtol = 1e-3 }\n", &["incomplete"]);
    check_scenario("threads = 0\n", &["threads = 0"]);
    check_scenario("threads = 100000000\n", &["threads"]);
}

#[cfg(feature = "ort")]
#[test]
fn a_name_or_pattern_that_matches_nothing_is_an_error() {
    let cases: &[(&str, &[&str])] = &[
        ("[limit]\nonly = [\"y\", \"conv*\"]\n", &["limit.only", "'conv*' matches no tensor"]),
        ("[limit]\nuntil = \"yy\"\n", &["no tensor 'yy'"]),
        ("[limit]\nfrom = \"nowhere\"\n", &["no tensor 'nowhere'"]),
        ("[expect]\nabstain = [\"other*\"]\n", &["expect.abstain", "'other*'"]),
    ];
    for (body, words) in cases {
        check(|d| stated(d, body), &["run", "s.toml"], 2, words);
    }
    let renamed = |to: &str| STATED.replace("\"t.safetensors\"", &format!("\"t.safetensors\", rename = {{ {to} }}"));
    for (rename, words) in [("q = \"gone\"", "no tensor 'gone'"), ("gone = \"elsewhere\"", "no tensor 'gone'")] {
        let setup = |d: &Path| {
            stated(d, "");
            std::fs::write(d.join("s.toml"), format!("format = 1\nmodel = \"m.onnx\"\n{}", renamed(rename))).unwrap();
        };
        check(setup, &["run", "s.toml"], 2, &["rename", words]);
    }
    for rename in ["gone=y", "y=gone", "y"] {
        check(|d| stated(d, ""), &["compare", "t.safetensors", "t.safetensors", "--exact", "--rename", rename], 2, &["--rename", rename]);
    }
}

#[cfg(feature = "ort")]
#[test]
fn a_fault_or_node_that_does_not_exist_gets_the_probable_one() {
    let faulty = |fault: &str, node: &str| {
        STATED.replace(
            "subject = \"onnxruntime\"",
            &format!("subject = \"faulty\", of = \"onnxruntime\", fault = \"{fault}\", node = \"{node}\""),
        )
    };
    for (fault, node, words) in [
        ("scale-outptu", "add", &["unknown fault 'scale-outptu'", "did you mean 'scale-output'"][..]),
        ("scale-output", "addd", &["no node 'addd'", "did you mean 'add'"]),
        ("ceil-pooling", "add", &["'ceil-pooling'", "'add' is Add"]),
    ] {
        let setup = |d: &Path| {
            stated(d, "");
            std::fs::write(d.join("s.toml"), format!("format = 1\nmodel = \"m.onnx\"\n{}", faulty(fault, node))).unwrap();
        };
        check(setup, &["run", "s.toml"], 2, words);
    }
}

#[cfg(feature = "torch")]
#[test]
fn a_library_that_is_missing_is_named_with_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &small());
    let empty = dir.path().join("nothing");
    std::fs::create_dir(&empty).unwrap();
    let run = || Call::new(PARITY, dir.path(), &["run", "m.onnx"]);
    run().env("LIBTORCH", &empty).run().refuses(3, &["libtorch", "nothing", "next:", "scripts/setup"]);
    run().env("ORT_DYLIB_PATH", &empty).run().refuses(3, &["libonnxruntime", "nothing", "next:", "scripts/setup"]);
    let no_library = dir.path().join("libonnxruntime.so");
    std::fs::write(&no_library, b"not a library").unwrap();
    run().env("ORT_DYLIB_PATH", &no_library).run().refuses(3, &["libonnxruntime", "next:"]);
}

#[cfg(feature = "ort")]
#[test]
fn too_little_compared_is_exit_4_and_never_0() {
    let dir = tempfile::tempdir().unwrap();
    // One of three tensors is in the trace: within its tolerance it must not pass.
    let wide = |body: &str| {
        stated(dir.path(), body);
        let text = std::fs::read_to_string(dir.path().join("s.toml")).unwrap().replace("atol = 1e-3", "atol = 1e9");
        std::fs::write(dir.path().join("s.toml"), text).unwrap();
        Call::new(PARITY, dir.path(), &["run", "s.toml"]).run()
    };
    wide("").exits(4).says(&["1 of 3", "not compared", "left over", "elsewhere"]);
    wide("expect = { coverage = 0.3 }\n").exits(0);
    wide("expect = { abstain = [\"p\", \"q\"] }\n").exits(0).says(&["2 excused"]);
    wide("expect = { abstain = [\"*\"], coverage = 0.0 }\nlimit = { only = [\"p\"] }\n").exits(4).says(&["NOTHING COMPARED"]);
    // What was found to diverge stays found, however little was compared.
    stated(dir.path(), "");
    Call::new(PARITY, dir.path(), &["run", "s.toml"]).run().exits(1);
    write_trace(&dir.path().join("u.safetensors"), &[("other", &[1], &[1.0])], None);
    Call::new(PARITY, dir.path(), &["compare", "t.safetensors", "u.safetensors", "--exact"])
        .run()
        .exits(4)
        .says(&["NOTHING COMPARED", "other"]);
}

const HOSTILE: &str = "a\u{1b}[2J\u{7}\u{9b}b\r\u{202e}c";

#[test]
fn names_from_files_cannot_steer_the_terminal() {
    let ports = |op: &str, dangling: bool| {
        let mut m = onnx(
            port(HOSTILE, F32, &[2]),
            vec![node(op, HOSTILE, &[if dangling { "\u{1b}c" } else { HOSTILE }], &["y\u{1b}[31m"])],
            vec![weight(HOSTILE, &[1], &[1.0])],
        );
        m.graph.as_mut().unwrap().initializer[0].name = Some("w\u{1b}/w".into());
        m
    };
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let ran = Call::new(PARITY, dir.path(), args).run();
        ran.is_civil();
        ran
    };
    let mut named = ports("Relu", false);
    named.opset_import.push(OperatorSetIdProto { domain: Some("com.\u{1b}[8m".into()), version: Some(1) });
    let TypeValue::Tensor(t) = named.graph.as_mut().unwrap().input[0].r#type.as_mut().unwrap().value.as_mut().unwrap() else { panic!() };
    t.shape.as_mut().unwrap().dim[0].value = Some(DimensionValue::Param("n\u{1b}[9m".into()));
    write_model(dir.path(), "ports.onnx", &named);
    run(&["map", "ports.onnx", "--nodes"]).exits(0).says(&["\\u{1b}[2J"]);
    run(&["run", "ports.onnx"]).refuses(2, &["\\u{1b}[9m"]);
    write_model(dir.path(), "dangling.onnx", &ports("Relu", true));
    run(&["map", "dangling.onnx"]).refuses(2, &["\\u{1b}c"]);
    write_model(dir.path(), "op.onnx", &ports("Op\u{1b}[5m", false));
    run(&["map", "op.onnx"]).exits(0).says(&["Op\\u{1b}[5m"]);
    if cfg!(feature = "torch") {
        let ran = run(&["run", "op.onnx"]);
        let code = ran.code.unwrap();
        assert!(matches!(code, 2 | 3), "{ran}");
        ran.refuses(code, &["Op\\u{1b}[5m"]);
        write_model(dir.path(), "runs.onnx", &ports("Relu", false));
        for args in [&["run", "runs.onnx", "--all"][..], &["run", "runs.onnx", "--json"]] {
            run(args).exits(0);
        }
    }
    std::fs::write(dir.path().join("s.toml"), "format = 1\nmodel = \"ports.onnx\"\n\"k\\u001b[2J\" = 1\n").unwrap();
    run(&["run", "s.toml"]).refuses(2, &["k\\u{1b}[2J"]);
    std::fs::write(dir.path().join("s.toml"), "format = 1\nmodel = \"gone\\u001b[2J.onnx\"\n").unwrap();
    run(&["run", "s.toml"]).refuses(2, &["gone\\u{1b}[2J"]);
    for (name, values) in [("a", 1.0), ("b", 2.0)] {
        write_trace(
            &dir.path().join(format!("{name}.safetensors")),
            &[("t\u{1b}[2J", &[1], &[values]), (&format!("only {name}\u{1b}c"), &[1], &[1.0])],
            None,
        );
    }
    run(&["compare", "a.safetensors", "b.safetensors", "--exact", "--all"]).exits(1).says(&["t\\u{1b}[2J", "only b\\u{1b}c"]);
    let odd = dir.path().join("no\u{1b}[2Jwhere");
    std::fs::create_dir(&odd).unwrap();
    Call::new(PARITY, dir.path(), &["doctor"]).without_libraries(&odd).run().exits(3).says(&["no\\u{1b}[2Jwhere"]);
}

/// A small deterministic generator: mutations must be the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n.max(1)
    }

    /// One to four edits: a byte changed, a range repeated, removed or set, the end cut off.
    fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let (at, len) = (self.below(out.len()), 1 + self.below(9));
            let end = (at + len).min(out.len());
            match self.below(5) {
                0 if !out.is_empty() => out[at] = self.below(256) as u8,
                1 if !out.is_empty() => out[at] ^= 1 << self.below(8),
                2 => {
                    let part = out[at..end].to_vec();
                    out.splice(at..at, part);
                }
                3 => {
                    out.drain(at..end);
                }
                4 => out[at..end].fill([0, 0x7f, 0x80, 0xff][self.below(4)]),
                _ => out.truncate(at),
            }
        }
        out
    }
}

#[test]
fn a_mutated_model_is_parsed_or_refused_and_never_panics() {
    let mut rich = small();
    let ints = AttributeProto { name: Some("axes".into()), ints: vec![0, 1], r#type: Some(7), ..Default::default() };
    let text =
        AttributeProto { name: Some("mode".into()), s: Some(bytes::Bytes::from_static(b"linear")), r#type: Some(3), ..Default::default() };
    let body = AttributeProto { name: Some("body".into()), g: small().graph, r#type: Some(5), ..Default::default() };
    let value = AttributeProto { name: Some("value".into()), t: Some(weight("", &[1], &[2.0])), r#type: Some(4), ..Default::default() };
    rich.graph.as_mut().unwrap().node[2].attribute = vec![ints, text, body, value];
    let (bytes, mut random, mut parsed) = (rich.encode_to_vec(), Random(7), 0);
    for i in 0..1000 {
        let mutated = random.mutate(&bytes);
        let result = std::panic::catch_unwind(|| parity::graph::load::parse(mutated.clone().into(), None).is_ok());
        parsed += usize::from(result.unwrap_or_else(|_| panic!("mutation {i} panics: {mutated:?}")));
    }
    assert!((50..950).contains(&parsed), "{parsed} of 1000 mutations are still a model: they test too little");
}

#[test]
fn a_mutated_trace_is_opened_or_refused_and_never_panics() {
    let dir = tempfile::tempdir().unwrap();
    let (path, header) = (
        dir.path().join("t.safetensors"),
        r#"{"format":1,"subject":"s","command":"c","inputs":{"x":"00"},"tensors":{"a":{"node":"n","op":"Add","inputs":["x"]},"b":{"node":"m","op":"Mul","inputs":["a"]}}}"#,
    );
    write_trace(&path, &[("a", &[2, 2], &[1.0, 2.0, 3.0, 4.0]), ("b", &[3], &[1.0; 3])], Some(header));
    let (bytes, mut random, mut opened) = (std::fs::read(&path).unwrap(), Random(11), 0);
    for i in 0..1000 {
        let mutated = random.mutate(&bytes);
        // A file that a map still lies on is never written to: each mutation is a file of its own.
        let path = dir.path().join(format!("{i}.safetensors"));
        std::fs::write(&path, &mutated).unwrap();
        let read = || match parity::trace::file::open(&path) {
            Ok(trace) => trace.ordered().iter().all(|n| trace.tensor(n).is_ok()),
            Err(_) => false,
        };
        opened += usize::from(std::panic::catch_unwind(read).unwrap_or_else(|_| panic!("mutation {i} panics: {mutated:?}")));
    }
    assert!((5..995).contains(&opened), "{opened} of 1000 mutations still open: they test too little");
}

#[test]
fn a_mutated_scenario_is_parsed_or_refused_and_never_panics() {
    let text = "format = 1\nmodel = \"m.onnx\"\nseed = 3\n[inputs.x]\nrandom = \"integers\"\nlow = 0\nhigh = 9\n[reference]\nsubject = \"libtorch\"\n[expect]\ncoverage = 0.5\n";
    let mut random = Random(13);
    for i in 0..1000 {
        let mutated = String::from_utf8_lossy(&random.mutate(text.as_bytes())).into_owned();
        let parse = || parity::scenario::load::parse(&mutated).is_ok();
        std::panic::catch_unwind(parse).unwrap_or_else(|_| panic!("mutation {i} panics: {mutated:?}"));
    }
}

#[test]
fn a_mutated_npy_file_is_read_or_refused_and_never_panics() {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(&[2, 3]).writer(&mut bytes).begin_nd().unwrap();
    writer.extend([1f32, 2., 3., 4., 5., 6.]).unwrap();
    writer.finish().unwrap();
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &small());
    let graph = parity::graph::load::file(&dir.path().join("m.onnx")).unwrap();
    let path = dir.path().join("x.npy");
    let scenario = parity::scenario::build::from_model(&dir.path().join("m.onnx"), &[format!("x={}", path.display())], None).unwrap();
    let (mut random, mut read) = (Random(17), 0);
    for i in 0..1000 {
        let mutated = random.mutate(&bytes);
        std::fs::write(&path, &mutated).unwrap();
        let make = std::panic::AssertUnwindSafe(|| parity::input::make(&scenario, &graph).is_ok());
        read += usize::from(
            std::panic::catch_unwind(make).unwrap_or_else(|_| panic!("mutation {i} panics: {:?}", String::from_utf8_lossy(&mutated))),
        );
    }
    assert!((20..980).contains(&read), "{read} of 1000 mutations are still read: they test too little");
}

/// A graph whose node `odd` no engine can compute: whichever side is asked first names node, operator, opset, and what the node takes.
#[cfg(feature = "torch")]
fn check_node(odd: NodeProto, weights: Vec<TensorProto>, words: &[&str]) {
    let sides = ["", "reference = { subject = \"libtorch\" }\ncandidate = { subject = \"onnxruntime\" }\n"];
    for side in sides {
        let dir = tempfile::tempdir().unwrap();
        let before = node("Relu", "before", &["x"], &["p"]);
        write_model(dir.path(), "m.onnx", &onnx(port("x", F32, &[2, 3]), vec![before, odd.clone()], weights.clone()));
        std::fs::write(dir.path().join("s.toml"), format!("format = 1\nmodel = \"m.onnx\"\n{side}")).unwrap();
        let ran = Call::new(PARITY, dir.path(), &["run", "s.toml"]).run();
        assert!(matches!(ran.code, Some(2 | 3)), "{ran}");
        let code = ran.code.unwrap();
        ran.refuses(code, &[&["'odd'", "opset 17", "f32 [2, 3]"], words].concat());
    }
}

#[cfg(feature = "torch")]
#[test]
fn an_operator_that_the_opset_does_not_have_is_named_with_what_it_takes() {
    check_node(node("Frobnicate", "odd", &["p"], &["y"]), vec![], &["Frobnicate"]);
    // Gelu came with opset 20.
    check_node(node("Gelu", "odd", &["p"], &["y"]), vec![], &["Gelu"]);
}

#[cfg(feature = "torch")]
#[test]
fn an_attribute_of_the_wrong_type_is_named_with_its_node() {
    let wrong = AttributeProto { name: Some("axis".into()), f: Some(1.0), r#type: Some(1), ..Default::default() };
    check_node(NodeProto { attribute: vec![wrong], ..node("Softmax", "odd", &["p"], &["y"]) }, vec![], &["Softmax", "axis"]);
    let text =
        AttributeProto { name: Some("perm".into()), s: Some(bytes::Bytes::from_static(b"10")), r#type: Some(3), ..Default::default() };
    check_node(NodeProto { attribute: vec![text], ..node("Transpose", "odd", &["p"], &["y"]) }, vec![], &["Transpose", "perm"]);
}

#[cfg(feature = "torch")]
#[test]
fn ranks_that_do_not_fit_are_named_with_their_shapes() {
    check_node(node("MatMul", "odd", &["p", "w"], &["y"]), vec![weight("w", &[4, 5], &[1.0; 20])], &["MatMul", "f32 [4, 5]"]);
    check_node(node("Conv", "odd", &["p", "w"], &["y"]), vec![weight("w", &[1, 1, 3, 3], &[1.0; 9])], &["Conv", "f32 [1, 1, 3, 3]"]);
}

#[cfg(feature = "torch")]
#[test]
fn dtypes_that_do_not_fit_are_named() {
    let ints = TensorProto { name: Some("w".into()), dims: vec![3], data_type: Some(I64), int64_data: vec![1, 2, 3], ..Default::default() };
    check_node(node("Add", "odd", &["p", "w"], &["y"]), vec![ints], &["Add", "i64 [3]"]);
    check_node(node("Not", "odd", &["p"], &["y"]), vec![], &["Not"]);
}
